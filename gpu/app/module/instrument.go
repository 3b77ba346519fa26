package module

import (
	"fmt"
	"strconv"
	"strings"
)

// Names of the exports that Instrument adds. A module that already uses the
// prefix is refused.
const (
	exportPrefix = "framemesh:"
	// MemoryExport is the name under which an instrumented module exports its memory.
	MemoryExport = exportPrefix + "memory"
)

// Captured is a mutable global that Instrument made visible.
type Captured struct {
	Export string // name of the added export
	Type   ValueType
}

// Instrument returns a module that behaves like m and also exports its memory
// (if any) as MemoryExport and each of its mutable globals, in order. An
// imported memory becomes the module's own, with the same limits, so that a
// host needs no module to own it. Imported globals and tables are refused:
// their state would live outside the module.
func Instrument(m *Module) (out []byte, globals []Captured, err error) {
	for _, im := range m.Imports {
		if im.Kind == Global || im.Kind == Table {
			return nil, nil, fmt.Errorf("%w: import %q.%q is a %s", ErrUnsupported, im.Module, im.Name, im.Kind)
		}
	}
	var exports []byte
	added := 0
	for _, e := range m.Exports {
		if strings.HasPrefix(e.Name, exportPrefix) {
			return nil, nil, fmt.Errorf("%w: export %q uses a reserved prefix", ErrUnsupported, e.Name)
		}
		exports = append(appendName(exports, e.Name), byte(e.Kind))
		exports = appendU32(exports, e.Index)
	}
	add := func(name string, k Kind, index int) {
		exports = append(appendName(exports, name), byte(k))
		exports = appendU32(exports, uint32(index))
		added++
	}
	var owned *Limits
	for i := range m.Imports {
		if m.Imports[i].Kind == Memory {
			owned = &m.Imports[i].Limits
		}
	}
	if owned != nil || len(m.Memories) > 0 {
		add(MemoryExport, Memory, 0)
	}
	for i, g := range m.Globals {
		if !g.Mutable {
			continue
		}
		c := Captured{Export: exportPrefix + "global:" + strconv.Itoa(i), Type: g.Type}
		add(c.Export, Global, i) // no global is imported, so the index is its own
		globals = append(globals, c)
	}
	exports = append(appendU32(nil, uint32(len(m.Exports)+added)), exports...)

	out = make([]byte, 0, len(m.raw)+len(exports)+64)
	out = append(out, m.raw[:8]...)
	emit := func(id byte, body []byte) {
		out = append(appendU32(append(out, id), uint32(len(body))), body...)
	}
	// Each section that is added stands before the first one that ranks higher.
	memoryDone, exportDone := owned == nil, added == 0
	flush := func(before int) {
		if !memoryDone && before > rank[secMemory] {
			emit(secMemory, memorySection(*owned))
			memoryDone = true
		}
		if !exportDone && before > rank[secExport] {
			emit(secExport, exports)
			exportDone = true
		}
	}
	for _, s := range m.sections {
		body := m.raw[s.from:s.to]
		if s.id != secCustom {
			flush(rank[s.id])
		}
		switch {
		case s.id == secImport && owned != nil:
			emit(s.id, m.importsWithoutMemory())
		case s.id == secMemory && owned != nil: // empty, or Parse had refused it
		case s.id == secExport && added > 0:
			emit(s.id, exports)
			exportDone = true
		default:
			emit(s.id, body)
		}
	}
	flush(len(rank) + 1)
	return out, globals, nil
}

func memorySection(l Limits) []byte {
	b := []byte{1, 0}
	if l.HasMax {
		b[1] = 1
	}
	b = appendU32(b, l.Min)
	if l.HasMax {
		b = appendU32(b, l.Max)
	}
	return b
}

func (m *Module) importsWithoutMemory() []byte {
	b := appendU32(nil, uint32(len(m.Imports))-m.nImport[Memory])
	for _, im := range m.Imports {
		if im.Kind == Memory {
			continue
		}
		b = appendName(appendName(b, im.Module), im.Name)
		b = appendU32(append(b, byte(Func)), im.Type)
	}
	return b
}
