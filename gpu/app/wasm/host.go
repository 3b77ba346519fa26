package wasm

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/framemesh/framemesh/gpu/app/module"
)

// Limits on what a module may say to its host.
const (
	// MaxLogLine is the longest line that is kept, in bytes; the rest is cut.
	MaxLogLine = 1024
	// logBurst lines may be written at once; one more every logEvery ticks.
	logBurst = 64
	logEvery = 8
)

// HostFunc is a function that a module may import. Call reads its parameters
// from stack and leaves its result there; a panic with an error ends the
// module's call with that error.
type HostFunc struct {
	Module, Name string
	Type         module.FuncType
	Call         func(m *Machine, stack []uint64)
}

// errOutOfBounds is what a host function panics with when the module hands it a
// pointer outside its memory.
var errOutOfBounds = errors.New("a pointer handed to the host lies outside memory")

// Slice returns the n bytes of memory at ptr. It must be called from a host
// function only: a bad pointer ends the module's call.
func (m *Machine) Slice(ptr, n uint32) []byte {
	b, ok := m.mem.Read(ptr, n)
	if !ok {
		panic(errOutOfBounds)
	}
	return b
}

// Log writes a line in the module's name, cut to MaxLogLine and rate limited by
// ticks. What is dropped depends on ticks alone, never on time.
func (m *Machine) Log(stream string, line []byte) {
	if m.host.logs == 0 {
		return
	}
	m.host.logs--
	if m.log == nil {
		return
	}
	if len(line) > MaxLogLine {
		line = line[:MaxLogLine]
	}
	text := strings.ToValidUTF8(string(bytes.TrimRight(line, "\r\n")), "\uFFFD")
	m.log.LogAttrs(context.Background(), slog.LevelInfo, text, slog.String("stream", stream), slog.Uint64("tick", m.host.tick))
}

// host is all state that a module can observe and that does not lie in it. It
// is part of every snapshot.
type host struct {
	tick  uint64 // ticks begun
	clock uint64 // virtual nanoseconds since the machine started
	rng   uint64 // SplitMix64
	logs  uint32 // lines that may still be written
	saves uint64 // times the save was written
	save  []byte // what the module stored
	extra []byte // state of the interface above, opaque here
}

const hostFixed = 4*8 + 3*4

func (h *host) append(b []byte) []byte {
	le := binary.LittleEndian
	b = le.AppendUint64(b, h.tick)
	b = le.AppendUint64(b, h.clock)
	b = le.AppendUint64(b, h.rng)
	b = le.AppendUint64(b, h.saves)
	b = le.AppendUint32(b, h.logs)
	b = le.AppendUint32(b, uint32(len(h.save)))
	b = append(b, h.save...)
	b = le.AppendUint32(b, uint32(len(h.extra)))
	return append(b, h.extra...)
}

// decodeHost reads what append wrote. The slices it returns refer to b.
func decodeHost(b []byte, maxSave int) (host, error) {
	var h host
	r := stateReader{b: b}
	h.tick, h.clock, h.rng, h.saves = r.u64(), r.u64(), r.u64(), r.u64()
	h.logs = r.u32()
	h.save = r.bytes(uint64(r.u32()))
	h.extra = r.bytes(uint64(r.u32()))
	switch {
	case r.short || len(r.b) != 0:
		return host{}, fmt.Errorf("%w: host state of the wrong length", ErrState)
	case h.logs > logBurst:
		return host{}, fmt.Errorf("%w: log budget %d", ErrState, h.logs)
	case len(h.save) > maxSave:
		return host{}, fmt.Errorf("%w: a save of %d bytes (the limit is %d)", ErrState, len(h.save), maxSave)
	}
	return h, nil
}

// random is SplitMix64: one word of state, so that it fits a snapshot.
func (h *host) random() uint64 {
	h.rng += 0x9e3779b97f4a7c15
	z := h.rng
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// clockStep is what one reading of the clock adds, in ns: a module that waits
// by polling the clock must come to an end.
const clockStep = 1000

// now reads the virtual clock.
func (h *host) now() uint64 {
	h.clock += clockStep
	return h.clock
}

// CheckImports refuses, by name, whatever the module asks for beyond funcs and
// a memory called memoryFrom ("module.name", or "" for none).
func CheckImports(m *module.Module, funcs []HostFunc, memoryFrom string) error {
	for _, im := range m.Imports {
		if im.Kind == module.Memory && memoryFrom != "" && im.Module+"."+im.Name == memoryFrom {
			continue
		}
		if im.Kind != module.Func {
			return fmt.Errorf("%w: %s %q.%q", ErrImport, im.Kind, im.Module, im.Name)
		}
		f := find(funcs, im.Module, im.Name)
		if f == nil {
			return fmt.Errorf("%w: function %q.%q", ErrImport, im.Module, im.Name)
		}
		if got, want := m.Types[im.Type].String(), f.Type.String(); got != want {
			return fmt.Errorf("%w: function %q.%q as %s; it is %s", ErrImport, im.Module, im.Name, got, want)
		}
	}
	return nil
}

func find(funcs []HostFunc, mod, name string) *HostFunc {
	for i := range funcs {
		if funcs[i].Module == mod && funcs[i].Name == name {
			return &funcs[i]
		}
	}
	return nil
}

// link makes the functions that the module imports available to it.
func (m *Machine) link(ctx context.Context, mod *module.Module, funcs []HostFunc) error {
	builders := map[string]wazero.HostModuleBuilder{}
	var order []string
	done := map[string]bool{}
	for _, im := range mod.Imports {
		key := im.Module + "\x00" + im.Name
		if im.Kind != module.Func || done[key] {
			continue
		}
		done[key] = true
		f := find(funcs, im.Module, im.Name) // CheckImports found it
		b := builders[im.Module]
		if b == nil {
			b = m.rt.NewHostModuleBuilder(im.Module)
			builders[im.Module] = b
			order = append(order, im.Module)
		}
		call := f.Call
		b.NewFunctionBuilder().WithGoFunction(api.GoFunc(func(_ context.Context, stack []uint64) { call(m, stack) }),
			valueTypes(f.Type.Params), valueTypes(f.Type.Results)).Export(im.Name)
	}
	for _, name := range order {
		if _, err := builders[name].Instantiate(ctx); err != nil {
			return fmt.Errorf("wasm: link %q: %w", name, err)
		}
	}
	return nil
}

func valueTypes(ts []module.ValueType) []api.ValueType {
	out := make([]api.ValueType, len(ts))
	for i, t := range ts {
		out[i] = api.ValueType(t)
	}
	return out
}
