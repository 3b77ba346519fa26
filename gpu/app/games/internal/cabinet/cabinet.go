// Package cabinet plugs a built game module into a bare host, with the
// ABI's imports and nothing else, so that the tests here and the tool that
// takes the catalogue's pictures can play it. Nodes use the real runtime of
// package app; this one has no limits, no snapshots and no determinism rules.
package cabinet

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"math"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// ErrModule means that a module does not speak the app ABI.
var ErrModule = errors.New("cabinet: module does not speak the app ABI v1: build it with the SDK")

const inputBytes = 352

// Cabinet runs one module.
type Cabinet struct {
	Width, Height, FPS, Seats int
	// In is the input block of the next tick.
	In [inputBytes]byte
	// Saved is the module's save.
	Saved []byte
	// Logged is what the module logged.
	Logged []string

	ctx     context.Context
	runtime wazero.Runtime
	mem     api.Memory
	tick    api.Function
	inputAt uint32
	frameAt uint32
	audioAt uint32
	ticks   uint64
}

// Open compiles a module and starts it with a seed and a save.
func Open(ctx context.Context, cache wazero.CompilationCache, module []byte, seed uint64, save []byte) (*Cabinet, error) {
	cfg := wazero.NewRuntimeConfigCompiler()
	if cache != nil {
		cfg = cfg.WithCompilationCache(cache)
	}
	c := &Cabinet{ctx: ctx, runtime: wazero.NewRuntimeWithConfig(ctx, cfg), Saved: save}
	if err := c.start(module, seed); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *Cabinet) start(module []byte, seed uint64) error {
	if _, err := wasi_snapshot_preview1.Instantiate(c.ctx, c.runtime); err != nil {
		return fmt.Errorf("cabinet: wasi: %w", err)
	}
	if _, err := c.runtime.NewHostModuleBuilder("framemesh").
		NewFunctionBuilder().WithFunc(c.log).Export("log").
		NewFunctionBuilder().WithFunc(c.load).Export("load").
		NewFunctionBuilder().WithFunc(c.save).Export("save").
		Instantiate(c.ctx); err != nil {
		return fmt.Errorf("cabinet: imports: %w", err)
	}
	mod, err := c.runtime.InstantiateWithConfig(c.ctx, module, wazero.NewModuleConfig().WithStartFunctions("_initialize"))
	if err != nil {
		return fmt.Errorf("cabinet: start: %w", err)
	}
	c.mem = mod.Memory()
	if v, err := call(c.ctx, mod, "fm_abi"); err != nil || v != 1 {
		return errors.Join(ErrModule, err)
	}
	if _, err := call(c.ctx, mod, "fm_init", seed); err != nil {
		return err
	}
	for _, at := range []struct {
		name string
		ptr  *uint32
	}{{"fm_input", &c.inputAt}, {"fm_frame", &c.frameAt}, {"fm_audio", &c.audioAt}} {
		v, err := call(c.ctx, mod, at.name)
		if err != nil {
			return err
		}
		*at.ptr = uint32(v)
	}
	v, err := call(c.ctx, mod, "fm_info")
	if err != nil {
		return err
	}
	info, ok := c.mem.Read(uint32(v), 32)
	if !ok {
		return ErrModule
	}
	word := func(i int) int { return int(binary.LittleEndian.Uint32(info[4*i:])) }
	c.Width, c.Height, c.FPS, c.Seats = word(0), word(1), word(2), word(5)
	c.tick = mod.ExportedFunction("fm_tick")
	if c.tick == nil {
		return ErrModule
	}
	return nil
}

func call(ctx context.Context, mod api.Module, name string, args ...uint64) (uint64, error) {
	f := mod.ExportedFunction(name)
	if f == nil {
		return 0, fmt.Errorf("%w: no export %s", ErrModule, name)
	}
	out, err := f.Call(ctx, args...)
	if err != nil {
		return 0, fmt.Errorf("cabinet: %s: %w", name, err)
	}
	if len(out) == 0 {
		return 0, nil
	}
	return out[0], nil
}

func (c *Cabinet) log(_ context.Context, m api.Module, p, n uint32) {
	if b, ok := m.Memory().Read(p, n); ok {
		c.Logged = append(c.Logged, string(b))
	}
}

func (c *Cabinet) load(_ context.Context, m api.Module, p, n uint32) int32 {
	b := c.Saved[:min(len(c.Saved), int(min(n, math.MaxInt32)))]
	m.Memory().Write(p, b)
	return int32(len(b))
}

func (c *Cabinet) save(_ context.Context, m api.Module, p, n uint32) int32 {
	b, ok := m.Memory().Read(p, n)
	if !ok || n > 64<<10 {
		return -1
	}
	c.Saved = append([]byte(nil), b...)
	return int32(n)
}

// Tick runs one tick with In; the tick number is filled in.
func (c *Cabinet) Tick() error {
	binary.LittleEndian.PutUint64(c.In[:], c.ticks)
	c.ticks++
	c.mem.Write(c.inputAt, c.In[:])
	var stack [1]uint64
	if err := c.tick.CallWithStack(c.ctx, stack[:]); err != nil {
		return fmt.Errorf("cabinet: tick %d: %w", c.ticks-1, err)
	}
	return nil
}

// Frame is the picture of the last tick; it aliases the module's memory.
func (c *Cabinet) Frame() *image.RGBA {
	b, _ := c.mem.Read(c.frameAt, uint32(c.Width*c.Height*4))
	return &image.RGBA{Pix: b, Stride: 4 * c.Width, Rect: image.Rect(0, 0, c.Width, c.Height)}
}

// Sound is the sound of the last tick as interleaved stereo.
func (c *Cabinet) Sound() []int16 {
	n, _ := c.mem.ReadUint32Le(c.audioAt)
	b, _ := c.mem.Read(c.audioAt+4, 4*n)
	out := make([]int16, len(b)/2)
	for i := range out {
		out[i] = int16(binary.LittleEndian.Uint16(b[2*i:]))
	}
	return out
}

// MemoryBytes is the size of the module's memory.
func (c *Cabinet) MemoryBytes() int { return int(c.mem.Size()) }

// Memory is the module's whole memory, for state hashes.
func (c *Cabinet) Memory() []byte {
	b, _ := c.mem.Read(0, c.mem.Size())
	return b
}

// Close ends the module.
func (c *Cabinet) Close() error { return c.runtime.Close(c.ctx) }

// SetWall writes the wall clock, ms since 1970.
func (c *Cabinet) SetWall(ms int64) { binary.LittleEndian.PutUint64(c.In[8:], uint64(ms)) }

// Seat marks a seat as taken.
func (c *Cabinet) Seat(seat int) {
	mask := binary.LittleEndian.Uint32(c.In[16:])
	binary.LittleEndian.PutUint32(c.In[16:], mask|1<<seat)
	c.In[32+80*seat] |= 1
}

// Key presses or releases a key (USB HID usage) of a seat.
func (c *Cabinet) Key(seat int, usage uint8, down bool) {
	b := &c.In[32+80*seat+16+int(usage/8)]
	*b &^= 1 << (usage % 8)
	if down {
		*b |= 1 << (usage % 8)
	}
}

// Point places a seat's pointer (0..65535 each way) and its buttons.
func (c *Cabinet) Point(seat int, x, y uint16, buttons uint8) {
	b := c.In[32+80*seat:]
	b[0] |= 4
	binary.LittleEndian.PutUint16(b[48:], x)
	binary.LittleEndian.PutUint16(b[50:], y)
	b[64] = buttons
}

// Pad sets a seat's gamepad: buttons in the W3C mapping and the left stick.
func (c *Cabinet) Pad(seat int, buttons uint32, lx, ly int16) {
	b := c.In[32+80*seat:]
	b[0] |= 2
	binary.LittleEndian.PutUint32(b[4:], buttons)
	binary.LittleEndian.PutUint16(b[8:], uint16(lx))
	binary.LittleEndian.PutUint16(b[10:], uint16(ly))
}
