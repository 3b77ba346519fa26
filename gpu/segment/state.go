package segment

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/framemesh/framemesh/gpu/app"
)

// maxArch is the longest name of an architecture, in bytes.
const maxArch = 16

// Params are what a session's app was started with. Every state root covers them, so
// a replay knows that it starts the same app in the same way.
type Params struct {
	App    [32]byte // SHA-256 of the module
	Arch   string   // GOARCH of the machine that ran it
	Seed   uint64   // of everything random
	Memory uint32   // limit in bytes, as in app.Options; never 0
	Save   []byte   // what earlier sessions had saved, at most app.MaxSave
}

// Digest stands for the parameters in a state root.
func (p *Params) Digest() [32]byte {
	return sha256.Sum256(p.append([]byte("framemesh/segment/params/1\x00")))
}

func (p *Params) append(b []byte) []byte {
	le := binary.LittleEndian
	b = append(b, p.App[:]...)
	b = append(append(b, byte(len(p.Arch))), p.Arch...)
	b = le.AppendUint64(b, p.Seed)
	b = le.AppendUint32(b, p.Memory)
	b = le.AppendUint32(b, uint32(len(p.Save)))
	return append(b, p.Save...)
}

// parse reads what append wrote off r.
func (p *Params) parse(r *fields) error {
	copy(p.App[:], r.bytes(32))
	n := int(r.u8())
	if n > maxArch {
		return fmt.Errorf("%w: an architecture of %d bytes", ErrMalformed, n)
	}
	p.Arch = string(r.bytes(n))
	p.Seed, p.Memory = r.u64(), r.u32()
	saved := r.u32()
	if saved > app.MaxSave || p.Memory == 0 || p.Memory > app.MaxMemory {
		return fmt.Errorf("%w: a save of %d bytes, or a memory limit of %d", ErrMalformed, saved, p.Memory)
	}
	p.Save = append([]byte(nil), r.bytes(int(saved))...)
	if r.short {
		return fmt.Errorf("%w: parameters that end too early", ErrMalformed)
	}
	return nil
}

// options are the parameters as app.Open takes them.
func (p *Params) options() app.Options {
	return app.Options{Seed: p.Seed, MemoryLimit: p.Memory, Save: p.Save}
}

// stateRoot is Roots.State.
func stateRoot(params, memory, rest, seats [32]byte) [32]byte {
	b := append([]byte("framemesh/segment/state/1\x00"), params[:]...)
	b = append(b, memory[:]...)
	b = append(b, rest[:]...)
	return sha256.Sum256(append(b, seats[:]...))
}

// State is a whole state between two seconds, as a worker hands it over for keeping.
type State struct {
	Params Params
	Number uint32 // of the second that begins with it
	Seats  Seats
	App    []byte // as app.Runtime.Snapshot gives it
}

const stateMagic = "FMSEGST\x01"

// MaxState is the most bytes that a state takes beyond the app's memory.
const MaxState = len(stateMagic) + 32 + 1 + maxArch + 8 + 4 + 4 + app.MaxSave + 4 + SeatsSize

// AppendHead appends all of the encoding but App, which goes to the end as it is.
func (s *State) AppendHead(b []byte) []byte {
	b = s.Params.append(append(b, stateMagic...))
	b = binary.LittleEndian.AppendUint32(b, s.Number)
	return s.Seats.Append(b)
}

// ParseState reads a state; App refers to b. Errors wrap ErrMalformed.
func ParseState(b []byte) (State, error) {
	var s State
	r := fields{b: b}
	if string(r.bytes(len(stateMagic))) != stateMagic {
		return s, fmt.Errorf("%w: not a state", ErrMalformed)
	}
	if err := s.Params.parse(&r); err != nil {
		return s, err
	}
	s.Number = r.u32()
	seats, err := ParseSeats(r.bytes(SeatsSize))
	if err != nil {
		return s, err
	}
	s.Seats, s.App = seats, r.b
	if r.short || len(s.App) == 0 {
		return s, fmt.Errorf("%w: a state that ends too early", ErrMalformed)
	}
	return s, nil
}
