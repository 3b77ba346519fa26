package app

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/framemesh/framemesh/gpu/app/module"
	"github.com/framemesh/framemesh/gpu/app/wasm"
)

// Limits of ABI v1.
const (
	minSide   = 16
	maxWidth  = 1920
	maxHeight = 1080
	maxFPS    = 120
	audioRate = 48000
)

// Flags in the seventh word of fm_info.
const (
	flagPointer = 1 << iota
	flagPointerLock
	flagWallClock
	flagsKnown = flagPointer | flagPointerLock | flagWallClock
)

var (
	typeNone  = module.FuncType{}
	typeI32   = module.FuncType{Results: []module.ValueType{module.I32}}
	typeSeed  = module.FuncType{Params: []module.ValueType{module.I64}}
	typeSpan  = module.FuncType{Params: []module.ValueType{module.I32, module.I32}}
	typeSpan1 = module.FuncType{Params: []module.ValueType{module.I32, module.I32}, Results: []module.ValueType{module.I32}}
)

var abi1Exports = []export{
	{name: "_initialize", typ: typeNone, optional: true},
	{name: "fm_abi", typ: typeI32},
	{name: "fm_init", typ: typeSeed},
	{name: "fm_info", typ: typeI32},
	{name: "fm_input", typ: typeI32},
	{name: "fm_tick", typ: typeNone},
	{name: "fm_frame", typ: typeI32},
	{name: "fm_audio", typ: typeI32, optional: true},
}

// abi1Funcs is all that a module may import.
var abi1Funcs = append(wasm.WASI(),
	wasm.HostFunc{Module: "framemesh", Name: "log", Type: typeSpan, Call: func(m *wasm.Machine, a []uint64) {
		m.Log("app", m.Slice(uint32(a[0]), uint32(a[1])))
	}},
	wasm.HostFunc{Module: "framemesh", Name: "load", Type: typeSpan1, Call: func(m *wasm.Machine, a []uint64) {
		save, _ := m.Saved()
		a[0] = uint64(copy(m.Slice(uint32(a[0]), uint32(a[1])), save))
	}},
	wasm.HostFunc{Module: "framemesh", Name: "save", Type: typeSpan1, Call: func(m *wasm.Machine, a []uint64) {
		n := uint32(a[1])
		if n > MaxSave || !m.Store(m.Slice(uint32(a[0]), n)) {
			a[0] = uint64(^uint32(0)) // -1
			return
		}
		a[0] = uint64(n)
	}},
)

func checkABI1(m *module.Module) error {
	if e, ok := m.Export("memory"); !ok || e.Kind != module.Memory {
		return fmt.Errorf("%w: memory is not exported under the name \"memory\"", ErrABI)
	}
	if err := wasm.CheckImports(m, abi1Funcs, ""); err != nil {
		return err
	}
	return checkExports(m, abi1Exports)
}

// abi1 is a game of framemesh app ABI v1.
type abi1 struct {
	m     *wasm.Machine
	info  Info
	tick  uint64 // ns
	stack [1]uint64
	pcm   []int16
	extra [abi1Extra]byte // input block's pointer, words of fm_info, next tick
}

const (
	infoLen   = 8 * 4
	offNext   = 4 + infoLen
	abi1Extra = offNext + 8
)

func openABI1(ctx context.Context, mod *module.Module, o Options) (_ Runtime, err error) {
	m, err := wasm.New(ctx, mod, wasm.Config{Funcs: abi1Funcs, MemoryLimit: uint64(o.MemoryLimit), MaxSave: MaxSave,
		CacheDir: o.CacheDir, Deadline: o.Deadline, Seed: o.Seed, Save: o.Save, Log: o.Log})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			m.Close(ctx)
		}
	}()
	a := &abi1{m: m}
	if m.Has("_initialize") {
		if err := m.Call(ctx, "_initialize", nil); err != nil {
			return nil, fmt.Errorf("app: _initialize: %w", err)
		}
	}
	v, err := a.call(ctx, "fm_abi")
	if err != nil {
		return nil, err
	}
	if v != 1 {
		return nil, fmt.Errorf("%w: fm_abi says %d; this build knows version 1", ErrABI, v)
	}
	a.stack[0] = o.Seed
	if err := m.Call(ctx, "fm_init", a.stack[:]); err != nil {
		return nil, fmt.Errorf("app: fm_init: %w", err)
	}
	ptr, err := a.call(ctx, "fm_info")
	if err != nil {
		return nil, err
	}
	words, err := a.at("fm_info", ptr, infoLen)
	if err != nil {
		return nil, err
	}
	copy(a.extra[4:], words)
	if a.info, err = decodeInfo(words, m.Has("fm_audio")); err != nil {
		return nil, err
	}
	if ptr, err = a.call(ctx, "fm_input"); err != nil {
		return nil, err
	}
	if _, err = a.at("fm_input", ptr, InputSize); err != nil {
		return nil, err
	}
	binary.LittleEndian.PutUint32(a.extra[:], ptr)
	m.EndTick()
	a.tick = 1_000_000_000 / uint64(a.info.FPS)
	a.pcm = make([]int16, a.info.maxAudio()*a.info.AudioChannels)
	return a, nil
}

// decodeInfo reads and judges the eight words of fm_info.
func decodeInfo(b []byte, hasAudio bool) (Info, error) {
	var w [8]uint32
	for i := range w {
		w[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	bad := func(what string, got uint32, want string) (Info, error) {
		return Info{}, fmt.Errorf("%w: fm_info says %s %d; it must be %s", ErrABI, what, got, want)
	}
	switch {
	case w[0] < minSide || w[0] > maxWidth || w[0]%2 != 0:
		return bad("width", w[0], "even and 16 to 1920")
	case w[1] < minSide || w[1] > maxHeight || w[1]%2 != 0:
		return bad("height", w[1], "even and 16 to 1080")
	case w[2] < 1 || w[2] > maxFPS:
		return bad("fps", w[2], "1 to 120")
	case w[3] != 0 && w[3] != audioRate:
		return bad("audio rate", w[3], "0 or 48000")
	case w[4] > 2 || (w[4] == 0) != (w[3] == 0):
		return bad("audio channels", w[4], "1 or 2, or 0 together with an audio rate of 0")
	case w[5] < 1 || w[5] > MaxSeats:
		return bad("seats", w[5], "1 to 4")
	case w[6]&^flagsKnown != 0:
		return bad("flags", w[6], "made of bits 0 to 2")
	case w[7] != 0:
		return bad("reserved word", w[7], "0")
	case w[3] != 0 && !hasAudio:
		return Info{}, fmt.Errorf("%w: fm_info promises sound, but fm_audio is not exported", ErrABI)
	}
	return Info{Width: int(w[0]), Height: int(w[1]), FPS: int(w[2]), AudioRate: int(w[3]), AudioChannels: int(w[4]),
		Seats: int(w[5]), Pointer: w[6]&flagPointer != 0, PointerLock: w[6]&flagPointerLock != 0,
		WallClock: w[6]&flagWallClock != 0, ABI: ABI1}, nil
}

// maxAudio is the most audio frames that one tick may give.
func (i Info) maxAudio() int { return i.AudioRate/i.FPS*2 + 16 }

func (a *abi1) call(ctx context.Context, name string) (uint32, error) {
	if err := a.m.Call(ctx, name, a.stack[:]); err != nil {
		return 0, fmt.Errorf("app: %s: %w", name, err)
	}
	return uint32(a.stack[0]), nil
}

// at returns n bytes of the game's memory at a pointer that function said.
func (a *abi1) at(function string, ptr uint32, n int) ([]byte, error) {
	mem := a.m.Memory()
	if uint64(ptr)+uint64(n) > uint64(len(mem)) {
		return nil, fmt.Errorf("%w: %s points at %d, and %d bytes from there are not in its memory of %d", ErrABI, function, ptr, n, len(mem))
	}
	return mem[ptr : uint64(ptr)+uint64(n)], nil
}

func (a *abi1) Info() Info { return a.info }

func (a *abi1) Tick(ctx context.Context, in *Input) (Frame, []int16, error) {
	block, err := a.at("fm_input", binary.LittleEndian.Uint32(a.extra[:]), InputSize)
	if err != nil {
		return Frame{}, nil, err
	}
	in.MarshalTo(block)
	if !a.info.WallClock {
		clear(block[offWall : offWall+8])
	}
	a.m.BeginTick(in.Tick, a.tick)
	binary.LittleEndian.PutUint64(a.extra[offNext:], in.Tick+1)
	if err := a.m.Call(ctx, "fm_tick", nil); err != nil {
		return Frame{}, nil, fmt.Errorf("app: tick %d: %w", in.Tick, err)
	}
	audio := uint32(0)
	if a.info.AudioRate > 0 {
		if audio, err = a.call(ctx, "fm_audio"); err != nil {
			return Frame{}, nil, err
		}
	}
	ptr, err := a.call(ctx, "fm_frame")
	if err != nil {
		return Frame{}, nil, err
	}
	a.m.EndTick()
	stride := a.info.Width * 4
	pix, err := a.at("fm_frame", ptr, stride*a.info.Height)
	if err != nil {
		return Frame{}, nil, err
	}
	var pcm []int16
	if a.info.AudioRate > 0 {
		if pcm, err = a.sound(audio); err != nil {
			return Frame{}, nil, err
		}
	}
	return Frame{Pix: pix, Width: a.info.Width, Height: a.info.Height, Stride: stride}, pcm, nil
}

// sound copies what fm_audio points at: a count of frames, then the samples.
func (a *abi1) sound(ptr uint32) ([]int16, error) {
	head, err := a.at("fm_audio", ptr, 4)
	if err != nil {
		return nil, err
	}
	frames := binary.LittleEndian.Uint32(head)
	if frames > uint32(a.info.maxAudio()) {
		return nil, fmt.Errorf("%w: fm_audio gives %d frames in a tick; the limit is %d", ErrABI, frames, a.info.maxAudio())
	}
	pcm := a.pcm[:int(frames)*a.info.AudioChannels]
	b, err := a.at("fm_audio", ptr, 4+2*len(pcm))
	if err != nil {
		return nil, err
	}
	b = b[4:]
	for i := range pcm {
		pcm[i] = int16(binary.LittleEndian.Uint16(b[2*i:]))
	}
	return pcm, nil
}

func (a *abi1) Snapshot(b []byte) ([]byte, error) { return a.m.Append(b, a.extra[:]) }

func (a *abi1) Restore(b []byte) error {
	extra, err := a.m.Restore(context.Background(), b, func(extra []byte) error {
		if len(extra) != abi1Extra || string(extra[4:offNext]) != string(a.extra[4:offNext]) {
			return fmt.Errorf("%w: it has another size, rate or number of seats", ErrSnapshot)
		}
		return nil
	})
	if err != nil {
		return err
	}
	copy(a.extra[:], extra)
	return nil
}

func (a *abi1) StateHash() ([32]byte, error) { return a.m.Hash(a.extra[:]) }

func (a *abi1) NextTick() uint64 { return binary.LittleEndian.Uint64(a.extra[offNext:]) }

func (a *abi1) Saved() ([]byte, uint64) { return a.m.Saved() }

func (a *abi1) Close(ctx context.Context) error { return a.m.Close(ctx) }
