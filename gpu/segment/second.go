package segment

import (
	"encoding/binary"
	"fmt"

	"github.com/framemesh/framemesh/gpu/app"
)

// Limits of one second.
const (
	MaxTicks  = 120  // of one second; the highest rate an app may have
	MaxEvents = 2048 // of one second, all seats together; later ones are not applied
	// MaxSecond is the most bytes that a second takes.
	MaxSecond = secondFixed + 8*MaxTicks + MaxEvents*(eventFixed+StateSize)

	secondFixed = 1 + 1 + 4 + 8 + 4 + 6*32 + 4
	eventFixed  = 2 + 1 + 1
)

// Roots are what a container commits to for one second: four SHA-256 digests over
// everything that happened, and how many ticks were run.
type Roots struct {
	State [32]byte // of memory, globals, the host's state and the seats, after the last tick
	Input [32]byte // of what the second began with and was told, and by which messages
	Frame [32]byte // of a sample of each picture
	Audio [32]byte // of all sound
	Ticks uint32   // run in this second; fewer than the app's rate when some were left out
}

// Kinds of Event.
const (
	EventState   byte = 1 // a message of the input data channel
	EventSit     byte = 2 // a player sat down
	EventLeave   byte = 3 // and left
	EventRelease byte = 4 // all seats let go of everything, because of a pause
)

// StateSize is the length of the message of the input data channel, in bytes.
const StateSize = 72

// Event is one thing that reached the seats, in the order in which it was applied.
// Ticks see their inputs by the rules of [Seats], so the events of a second say all
// that its ticks were told, and a player's signed messages say where it came from.
type Event struct {
	Tick  uint16 // of the second, from 0: the first one that saw it
	Seat  uint8  // 0…3; 0 for EventRelease
	Kind  byte
	State [StateSize]byte // as the player's page sent it; zero but for EventState
}

// Second is what happened in one second of play. A second is as many tick slots as
// the app has ticks per second, counted from the first one played: pauses are no
// part of it, and a slot that the machine was too slow for counts without a tick.
type Second struct {
	Number   uint32   // from 0; grows, by more than one only over a crash
	Restored bool     // the app was put back to Start after its worker had ended
	Tick     uint64   // number of the first tick
	Start    [32]byte // state root that it began with: the one before it ended with, unless Restored
	Roots    Roots
	// TickRoot is the part of Roots.Input that stands for what the ticks were told.
	TickRoot [32]byte
	Wall     []int64 // ms since 1970 by tick, for apps that ask for it; else nil
	Events   []Event // by tick
}

// Messages are the raw messages of one seat's page in the order in which they were
// applied: what the player's own signature of the second speaks of.
func (s *Second) Messages(seat uint8) [][StateSize]byte {
	var out [][StateSize]byte
	for i := range s.Events {
		if e := &s.Events[i]; e.Seat == seat && e.Kind == EventState {
			out = append(out, e.State)
		}
	}
	return out
}

const (
	secondVersion = 1
	flagRestored  = 1 << 0
	flagWall      = 1 << 1
)

// Append appends the canonical encoding of s to b (docs/spec/segment.md).
func (s *Second) Append(b []byte) []byte {
	le := binary.LittleEndian
	b = append(b, secondVersion, s.flags())
	b = le.AppendUint32(b, s.Number)
	b = le.AppendUint64(b, s.Tick)
	b = le.AppendUint32(b, s.Roots.Ticks)
	for _, d := range [...]*[32]byte{&s.Start, &s.Roots.State, &s.Roots.Input, &s.Roots.Frame, &s.Roots.Audio, &s.TickRoot} {
		b = append(b, d[:]...)
	}
	for _, ms := range s.Wall {
		b = le.AppendUint64(b, uint64(ms))
	}
	b = le.AppendUint32(b, uint32(len(s.Events)))
	for i := range s.Events {
		b = s.Events[i].append(b)
	}
	return b
}

func (s *Second) flags() (f byte) {
	if s.Restored {
		f |= flagRestored
	}
	if s.Wall != nil {
		f |= flagWall
	}
	return f
}

func (e *Event) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, e.Tick)
	b = append(b, e.Seat, e.Kind)
	if e.Kind == EventState {
		b = append(b, e.State[:]...)
	}
	return b
}

// ParseSecond reads what Append wrote and nothing else. Errors wrap ErrMalformed.
func ParseSecond(b []byte) (Second, error) {
	var s Second
	if len(b) > MaxSecond {
		return s, fmt.Errorf("%w: a second of %d bytes, at most %d", ErrMalformed, len(b), MaxSecond)
	}
	r := fields{b: b}
	version, flags := r.u8(), r.u8()
	if version != secondVersion || flags&^(flagRestored|flagWall) != 0 {
		return s, fmt.Errorf("%w: a second of version %d with flags %#x", ErrMalformed, version, flags)
	}
	s.Restored = flags&flagRestored != 0
	s.Number, s.Tick, s.Roots.Ticks = r.u32(), r.u64(), r.u32()
	for _, d := range [...]*[32]byte{&s.Start, &s.Roots.State, &s.Roots.Input, &s.Roots.Frame, &s.Roots.Audio, &s.TickRoot} {
		copy(d[:], r.bytes(32))
	}
	if s.Roots.Ticks > MaxTicks {
		return s, fmt.Errorf("%w: %d ticks in a second, at most %d", ErrMalformed, s.Roots.Ticks, MaxTicks)
	}
	if flags&flagWall != 0 {
		s.Wall = make([]int64, s.Roots.Ticks)
		for i := range s.Wall {
			s.Wall[i] = int64(r.u64())
		}
	}
	n := r.u32()
	if n > MaxEvents || uint64(n)*eventFixed > uint64(len(r.b)) {
		return s, fmt.Errorf("%w: %d events in %d bytes", ErrMalformed, n, len(r.b))
	}
	if n > 0 {
		s.Events = make([]Event, n)
	}
	last := uint16(0)
	for i := range s.Events {
		e := &s.Events[i]
		e.Tick, e.Seat, e.Kind = r.u16(), r.u8(), r.u8()
		if e.Kind == EventState {
			copy(e.State[:], r.bytes(StateSize))
		}
		if !r.short && (!e.valid() || e.Tick < last || uint32(e.Tick) >= s.Roots.Ticks) {
			return s, fmt.Errorf("%w: event %d", ErrMalformed, i)
		}
		last = e.Tick
	}
	if r.short || len(r.b) != 0 {
		return s, fmt.Errorf("%w: a second of the wrong length", ErrMalformed)
	}
	return s, nil
}

// valid says whether the event is one that a Recorder may have written.
func (e *Event) valid() bool {
	switch e.Kind {
	case EventState:
		return e.Seat < app.MaxSeats && e.State[0] == stateKind
	case EventSit, EventLeave:
		return e.Seat < app.MaxSeats
	case EventRelease:
		return e.Seat == 0
	}
	return false
}

// fields takes little-endian fields off bytes; short sticks once something is
// missing, and everything read after it is zero.
type fields struct {
	b     []byte
	short bool
}

func (r *fields) bytes(n int) []byte {
	if r.short || n < 0 || n > len(r.b) {
		r.short = true
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *fields) u8() byte {
	if v := r.bytes(1); v != nil {
		return v[0]
	}
	return 0
}

func (r *fields) u16() uint16 {
	if v := r.bytes(2); v != nil {
		return binary.LittleEndian.Uint16(v)
	}
	return 0
}

func (r *fields) u32() uint32 {
	if v := r.bytes(4); v != nil {
		return binary.LittleEndian.Uint32(v)
	}
	return 0
}

func (r *fields) u64() uint64 {
	if v := r.bytes(8); v != nil {
		return binary.LittleEndian.Uint64(v)
	}
	return 0
}
