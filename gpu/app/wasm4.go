package app

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/framemesh/framemesh/gpu/app/module"
	"github.com/framemesh/framemesh/gpu/app/wasm"
	"github.com/framemesh/framemesh/gpu/app/wasm4"
)

// cartScale enlarges a cart's 160×160 to a picture that a video coder does not
// smear.
const cartScale = 4

var cartInfo = Info{Width: wasm4.Width * cartScale, Height: wasm4.Height * cartScale, FPS: wasm4.FPS,
	AudioRate: wasm4.SampleRate, AudioChannels: 2, Seats: MaxSeats, Pointer: true, ABI: WASM4}

var wasm4Exports = []export{
	{name: "_initialize", typ: typeNone, optional: true},
	{name: "_start", typ: typeNone, optional: true},
	{name: "start", typ: typeNone, optional: true},
	{name: "update", typ: typeNone},
}

// wasm4Imports are the names and signatures of what a cart may import; which
// function answers is bound per cart.
var wasm4Imports = cartFuncs(nil)

func checkWASM4(m *module.Module) error {
	for _, im := range m.Imports {
		if im.Kind == module.Memory && im.Limits.Min > 1 {
			return fmt.Errorf("%w: it imports %d pages of memory; WASM-4 has one", ErrABI, im.Limits.Min)
		}
	}
	if err := wasm.CheckImports(m, wasm4Imports, "env.memory"); err != nil {
		return err
	}
	return checkExports(m, wasm4Exports)
}

// cart is a WASM-4 game: the console's chips around a module.
type cart struct {
	m      *wasm.Machine
	screen *wasm4.Screen
	sound  *wasm4.Sound
	next   uint64
	kept   bool // the framebuffer holds what start drew
	pcm    [2 * wasm4.TickSamples]int16
	extra  []byte
}

// cartExtra is the length of the state beyond the machine's: next tick, kept, and
// the sound chip.
const cartExtra = 8 + 1 + wasm4.SoundSize

func openWASM4(ctx context.Context, mod *module.Module, o Options) (_ Runtime, err error) {
	c := &cart{screen: wasm4.NewScreen(cartScale), sound: wasm4.NewSound(), kept: true}
	if len(o.Save) > wasm4.DiskSize {
		return nil, fmt.Errorf("%w: a save of %d bytes; a WASM-4 disk has %d", ErrOptions, len(o.Save), wasm4.DiskSize)
	}
	c.m, err = wasm.New(ctx, mod, wasm.Config{Funcs: cartFuncs(c), MemoryFrom: "env.memory",
		MemoryLimit: wasm4.MemorySize, MaxSave: wasm4.DiskSize, CacheDir: o.CacheDir, Deadline: o.Deadline,
		Seed: o.Seed, Save: o.Save, Log: o.Log})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.m.Close(ctx)
		}
	}()
	mem := c.m.Memory()
	if len(mem) != wasm4.MemorySize {
		return nil, fmt.Errorf("%w: it imports %d pages of memory; WASM-4 has one", ErrABI, len(mem)/wasm.PageSize)
	}
	// A cart's data may lie over the console's registers, and then it wins: so
	// only what the data left at zero is set.
	fresh := make(wasm4.Memory, wasm4.MemorySize)
	fresh.Reset()
	for i, b := range fresh {
		if mem[i] == 0 {
			mem[i] = b
		}
	}
	for _, f := range []string{"_start", "_initialize", "start"} {
		if !c.m.Has(f) {
			continue
		}
		if err := c.m.Call(ctx, f, nil); err != nil {
			return nil, fmt.Errorf("app: %s: %w", f, err)
		}
	}
	c.m.EndTick()
	return c, nil
}

// cartFuncs is all that a cart may import, answered by c.
func cartFuncs(c *cart) []wasm.HostFunc {
	var fs []wasm.HostFunc
	def := func(name string, params int, result bool, f func(mem wasm4.Memory, a []uint64)) {
		t := module.FuncType{}
		for range params {
			t.Params = append(t.Params, module.I32)
		}
		if result {
			t.Results = []module.ValueType{module.I32}
		}
		fs = append(fs, wasm.HostFunc{Module: "env", Name: name, Type: t,
			Call: func(m *wasm.Machine, a []uint64) { f(wasm4.Memory(m.Memory()), a) }})
	}
	u := func(v uint64) uint32 { return uint32(v) }
	i := func(v uint64) int32 { return int32(uint32(v)) }
	def("blit", 6, false, func(m wasm4.Memory, a []uint64) {
		m.Blit(wasm4.Sprite{Data: m.From(u(a[0])), Width: u(a[3]), Height: u(a[4]), Stride: u(a[3]), Flags: u(a[5])}, i(a[1]), i(a[2]))
	})
	def("blitSub", 9, false, func(m wasm4.Memory, a []uint64) {
		m.Blit(wasm4.Sprite{Data: m.From(u(a[0])), Width: u(a[3]), Height: u(a[4]), SrcX: u(a[5]), SrcY: u(a[6]),
			Stride: u(a[7]), Flags: u(a[8])}, i(a[1]), i(a[2]))
	})
	def("line", 4, false, func(m wasm4.Memory, a []uint64) { m.Line(i(a[0]), i(a[1]), i(a[2]), i(a[3])) })
	def("hline", 3, false, func(m wasm4.Memory, a []uint64) { m.HLine(i(a[0]), i(a[1]), u(a[2])) })
	def("vline", 3, false, func(m wasm4.Memory, a []uint64) { m.VLine(i(a[0]), i(a[1]), u(a[2])) })
	def("oval", 4, false, func(m wasm4.Memory, a []uint64) { m.Oval(i(a[0]), i(a[1]), u(a[2]), u(a[3])) })
	def("rect", 4, false, func(m wasm4.Memory, a []uint64) { m.Rect(i(a[0]), i(a[1]), u(a[2]), u(a[3])) })
	def("text", 3, false, func(m wasm4.Memory, a []uint64) { m.Text(m.CString(u(a[0])), i(a[1]), i(a[2])) })
	def("textUtf8", 4, false, func(m wasm4.Memory, a []uint64) { m.Text(m.Bytes(u(a[0]), u(a[1])), i(a[2]), i(a[3])) })
	def("textUtf16", 4, false, func(m wasm4.Memory, a []uint64) { m.Text(m.Latin1(u(a[0]), u(a[1])), i(a[2]), i(a[3])) })
	def("tone", 4, false, func(_ wasm4.Memory, a []uint64) { c.sound.Tone(u(a[0]), u(a[1]), u(a[2]), u(a[3])) })
	def("diskr", 2, true, func(m wasm4.Memory, a []uint64) {
		disk, _ := c.m.Saved()
		a[0] = uint64(copy(m.Bytes(u(a[0]), u(a[1])), disk))
	})
	def("diskw", 2, true, func(m wasm4.Memory, a []uint64) {
		b := m.Bytes(u(a[0]), min(u(a[1]), wasm4.DiskSize))
		c.m.Store(b)
		a[0] = uint64(len(b))
	})
	def("trace", 1, false, func(m wasm4.Memory, a []uint64) { c.m.Log("trace", m.CString(u(a[0]))) })
	def("traceUtf8", 2, false, func(m wasm4.Memory, a []uint64) { c.m.Log("trace", m.Bytes(u(a[0]), u(a[1]))) })
	def("traceUtf16", 2, false, func(m wasm4.Memory, a []uint64) { c.m.Log("trace", m.UTF16(u(a[0]), u(a[1]))) })
	def("tracef", 2, false, func(m wasm4.Memory, a []uint64) { c.m.Log("trace", m.Format(u(a[0]), u(a[1]))) })
	return fs
}

func (c *cart) Info() Info { return cartInfo }

// tickNanos is the length of a WASM-4 tick.
const tickNanos = 1_000_000_000 / wasm4.FPS

func (c *cart) Tick(ctx context.Context, in *Input) (Frame, []int16, error) {
	mem := wasm4.Memory(c.m.Memory())
	for i, b := range cartGamepads(in) {
		mem.SetGamepad(i, b)
	}
	mem.SetMouse(cartMouse(in))
	if !c.kept {
		mem.BeginTick()
	}
	c.kept = false
	c.m.BeginTick(in.Tick, tickNanos)
	c.next = in.Tick + 1
	if err := c.m.Call(ctx, "update", nil); err != nil {
		return Frame{}, nil, fmt.Errorf("app: tick %d: %w", in.Tick, err)
	}
	c.m.EndTick()
	c.screen.Draw(wasm4.Memory(c.m.Memory()))
	c.sound.Tick(c.pcm[:])
	return Frame{Pix: c.screen.Pix, Width: cartInfo.Width, Height: cartInfo.Height, Stride: c.screen.Stride()}, c.pcm[:], nil
}

func (c *cart) state() []byte {
	c.extra = binary.LittleEndian.AppendUint64(c.extra[:0], c.next)
	kept := byte(0)
	if c.kept {
		kept = 1
	}
	c.extra = c.sound.Append(append(c.extra, kept))
	return c.extra
}

func (c *cart) Snapshot(b []byte) ([]byte, error) { return c.m.Append(b, c.state()) }

func (c *cart) StateHash() ([32]byte, error) { return c.m.Hash(c.state()) }

func (c *cart) Restore(b []byte) error {
	var sound *wasm4.Sound
	extra, err := c.m.Restore(context.Background(), b, func(extra []byte) (err error) {
		if len(extra) != cartExtra || extra[8] > 1 {
			return fmt.Errorf("%w: the console's state has the wrong form", ErrSnapshot)
		}
		if sound, err = wasm4.DecodeSound(extra[9:]); err != nil {
			return fmt.Errorf("%w: %w", ErrSnapshot, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	c.next, c.kept, c.sound = binary.LittleEndian.Uint64(extra), extra[8] == 1, sound
	return nil
}

func (c *cart) NextTick() uint64 { return c.next }

func (c *cart) Saved() ([]byte, uint64) { return c.m.Saved() }

func (c *cart) Close(ctx context.Context) error { return c.m.Close(ctx) }
