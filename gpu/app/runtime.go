package app

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/framemesh/framemesh/gpu/app/module"
	"github.com/framemesh/framemesh/gpu/app/wasm"
)

// Names of the interfaces, as Info.ABI says them.
const (
	ABI1  = "abi1"
	WASM4 = "wasm4"
)

// Limits on a game's memory, in bytes, and on its save.
const (
	DefaultMemory = 64 << 20
	MaxMemory     = 512 << 20
	MaxSave       = 64 << 10
)

// Info is what a game says about itself; it does not change while it runs.
type Info struct {
	Width, Height int // px of the picture, both even
	FPS           int // ticks per second, 1…120
	AudioRate     int // Hz: 48000, or 0 for no sound
	AudioChannels int // 1 or 2, interleaved; 0 for no sound
	Seats         int // players, 1…4
	Pointer       bool
	PointerLock   bool   // wants relative motion
	WallClock     bool   // reads Input.WallMS
	ABI           string // ABI1 or WASM4
}

// Frame is one picture: RGBA, 8 bits each, row 0 on top. Pix belongs to the game
// and is valid until the next call of any method of the Runtime that made it.
type Frame struct {
	Pix           []byte
	Width, Height int // px
	Stride        int // bytes from one row to the next
}

// Runtime is a running game. It is not safe for concurrent use.
type Runtime interface {
	// Info returns what the game said at start.
	Info() Info
	// Tick runs one tick and returns its picture and its sound (interleaved
	// 16-bit samples, valid like the frame; nil without sound). An error is one
	// of this package's; after it only Restore and Close make sense.
	Tick(ctx context.Context, in *Input) (Frame, []int16, error)
	// Snapshot appends the whole state to b: memory, globals and all that the
	// host keeps for the game. Blocks of zeros take no space.
	Snapshot(b []byte) ([]byte, error)
	// Restore puts a snapshot of the same module back, from here or from another
	// process; it works after a failed Tick too. Bytes that are no such snapshot
	// are refused with ErrSnapshot and change nothing.
	Restore(b []byte) error
	// StateHash is the SHA-256 of all that Snapshot would hold.
	StateHash() ([32]byte, error)
	// NextTick is the number that the next Input.Tick should carry.
	NextTick() uint64
	// Saved returns what the game stored for its next session, and how often it
	// stored something. The bytes are valid like a frame and must not be changed.
	Saved() ([]byte, uint64)
	// Close frees everything. No other method may be called afterwards.
	Close(ctx context.Context) error
}

// Options say how a game is run. The zero value is useful.
type Options struct {
	Seed        uint64 // of everything random in the game
	MemoryLimit uint32 // bytes; 0 is DefaultMemory, at most MaxMemory
	CacheDir    string // folder for compiled code, private to this user; "" compiles anew each time
	Save        []byte // what Saved gave in an earlier session
	// Deadline lets a context end Open and Tick, with ErrTooLong. Every loop and
	// call of the game then asks whether it should end: tight loops ran 4 to 14
	// times slower when measured. A game in a process of its own, which can be
	// killed, should run without.
	Deadline bool
	Log      *slog.Logger // of what the game writes; nil drops it
}

func (o *Options) check() error {
	if o.MemoryLimit == 0 {
		o.MemoryLimit = DefaultMemory
	}
	if o.MemoryLimit > MaxMemory || o.MemoryLimit < wasm.PageSize {
		return fmt.Errorf("%w: a memory limit of %d bytes; choose 64 KiB to %d MiB", ErrOptions, o.MemoryLimit, MaxMemory>>20)
	}
	if len(o.Save) > MaxSave {
		return fmt.Errorf("%w: a save of %d bytes; the limit is %d", ErrOptions, len(o.Save), MaxSave)
	}
	return nil
}

// Open compiles a module and starts the game in it.
func Open(ctx context.Context, code []byte, o Options) (Runtime, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	m, abi, err := inspect(code)
	if err != nil {
		return nil, err
	}
	if abi == WASM4 {
		return openWASM4(ctx, m, o)
	}
	return openABI1(ctx, m, o)
}

// Check says whether Open could take the module, without compiling or running
// it: what is found here is a clear sentence about the module, and what is not
// (a bad type, a trap at start) comes up in Open.
func Check(code []byte) error {
	_, _, err := inspect(code)
	return err
}

// Kind says which interface a module was written for, ABI1 or WASM4, checking it
// as Check does.
func Kind(code []byte) (string, error) {
	_, abi, err := inspect(code)
	return abi, err
}

func inspect(code []byte) (*module.Module, string, error) {
	m, err := module.Parse(code)
	if err != nil {
		return nil, "", err
	}
	abi, err := detect(m)
	if err != nil {
		return nil, "", err
	}
	check := checkABI1
	if abi == WASM4 {
		check = checkWASM4
	}
	if err := check(m); err != nil {
		return nil, "", err
	}
	return m, abi, m.Scan()
}

// detect tells the interfaces apart by what only one of them has.
func detect(m *module.Module) (string, error) {
	for _, im := range m.Imports {
		if im.Kind == module.Memory && im.Module == "env" && im.Name == "memory" {
			return WASM4, nil
		}
	}
	if _, ok := m.Export("fm_abi"); ok {
		return ABI1, nil
	}
	if _, ok := m.Export("_start"); ok {
		return "", fmt.Errorf("%w: it is a command (it exports _start), not a game; build a reactor (-buildmode=c-shared, -mexec-model=reactor)", ErrABI)
	}
	return "", fmt.Errorf("%w: it exports no fm_abi and imports no env.memory; see docs/spec/app-abi.md for what a game must export", ErrABI)
}

// export is a function that a module must offer.
type export struct {
	name     string
	typ      module.FuncType
	optional bool
}

func checkExports(m *module.Module, want []export) error {
	for _, w := range want {
		e, ok := m.Export(w.name)
		if !ok && w.optional {
			continue
		}
		if !ok {
			return fmt.Errorf("%w: function %s %s is not exported", ErrABI, w.name, w.typ)
		}
		got, isFunc := m.FuncType(e.Index)
		if e.Kind != module.Func || !isFunc {
			return fmt.Errorf("%w: export %s is a %s, not a function", ErrABI, w.name, e.Kind)
		}
		if got.String() != w.typ.String() {
			return fmt.Errorf("%w: function %s is %s; it must be %s", ErrABI, w.name, got, w.typ)
		}
	}
	return nil
}
