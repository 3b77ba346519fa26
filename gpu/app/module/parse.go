package module

import "fmt"

type section struct {
	id       byte
	from, to int // payload within raw
}

const (
	secCustom = iota
	secType
	secImport
	secFunc
	secTable
	secMemory
	secGlobal
	secExport
	secStart
	secElem
	secCode
	secData
	secDataCount
)

// rank is the order in which sections stand: data count comes before code.
var rank = [...]int{secType: 1, secImport: 2, secFunc: 3, secTable: 4, secMemory: 5, secGlobal: 6,
	secExport: 7, secStart: 8, secElem: 9, secDataCount: 10, secCode: 11, secData: 12}

// Parse reads the structure of a module. It does not look into function bodies;
// Scan does. The result refers to b.
func Parse(b []byte) (*Module, error) {
	if len(b) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes (the limit is %d); leave assets out of the module", ErrTooLarge, len(b), MaxSize)
	}
	if len(b) < 8 || string(b[:4]) != "\x00asm" {
		return nil, fmt.Errorf("%w: it does not begin with \\0asm; build with GOOS=wasip1, wasm32-unknown-unknown or the like", ErrNotWASM)
	}
	if b[4] != 1 || b[5] != 0 || b[6] != 0 || b[7] != 0 {
		return nil, fmt.Errorf("%w: binary version %x is not 1 (a component must be unwrapped to its core module)", ErrNotWASM, b[4:8])
	}
	m := &Module{raw: b, codeAt: -1}
	r := &reader{b: b, pos: 8}
	last := 0
	for r.remaining() > 0 {
		id := r.u8()
		n := r.u32()
		if r.err == nil && uint64(n) > uint64(r.remaining()) {
			r.fail("section %d of %d bytes in a file that has %d left", id, n, r.remaining())
		}
		if r.err != nil {
			return nil, r.err
		}
		s := section{id: id, from: r.pos, to: r.pos + int(n)}
		if id != secCustom {
			if int(id) >= len(rank) {
				return nil, fmt.Errorf("%w: section %d (exceptions or something newer)", ErrUnsupported, id)
			}
			if rank[id] <= last {
				return nil, fmt.Errorf("%w: section %d is doubled or out of order", ErrMalformed, id)
			}
			last = rank[id]
			if id == secCode {
				m.codeAt = len(m.sections)
			}
		}
		if err := m.parseSection(s); err != nil {
			return nil, err
		}
		m.sections = append(m.sections, s)
		r.pos = s.to
	}
	return m, m.checkIndices()
}

func (m *Module) parseSection(s section) error {
	r := &reader{b: m.raw[s.from:s.to], base: s.from}
	switch s.id {
	case secType:
		m.parseTypes(r)
	case secImport:
		m.parseImports(r)
	case secFunc:
		n := r.count("functions", maxFuncs)
		m.Funcs = make([]uint32, 0, n)
		for i := 0; i < n && r.err == nil; i++ {
			m.Funcs = append(m.Funcs, r.u32())
		}
	case secTable:
		for n := r.count("tables", maxTables); n > 0 && r.err == nil; n-- {
			parseTable(r)
			m.tables++
		}
	case secMemory:
		for n := r.count("memories", maxTables); n > 0 && r.err == nil; n-- {
			m.Memories = append(m.Memories, parseLimits(r, "memory"))
		}
	case secGlobal:
		for n := r.count("globals", maxGlobals); n > 0 && r.err == nil; n-- {
			g := parseGlobalType(r)
			skipConstExpr(r)
			m.Globals = append(m.Globals, g)
		}
	case secExport:
		m.parseExports(r)
	case secStart:
		m.Start = true
		r.u32()
	default: // custom, element, code, data and data count are the engine's to check
		return nil
	}
	if r.err == nil && r.remaining() > 0 {
		r.fail("section %d has %d bytes too many", s.id, r.remaining())
	}
	return r.err
}

func (m *Module) parseTypes(r *reader) {
	n := r.count("types", maxTypes)
	m.Types = make([]FuncType, 0, n)
	for i := 0; i < n && r.err == nil; i++ {
		if f := r.u8(); r.err == nil && f != 0x60 {
			r.err = fmt.Errorf("%w: type form 0x%02x (garbage-collected types)", ErrUnsupported, f)
			return
		}
		m.Types = append(m.Types, FuncType{Params: parseValueTypes(r), Results: parseValueTypes(r)})
	}
}

func parseValueTypes(r *reader) []ValueType {
	n := r.count("value types", maxValues)
	if n == 0 || r.err != nil {
		return nil
	}
	ts := make([]ValueType, 0, n)
	for i := 0; i < n && r.err == nil; i++ {
		ts = append(ts, parseValueType(r))
	}
	return ts
}

func parseValueType(r *reader) ValueType {
	t := ValueType(r.u8())
	if r.err == nil && !t.known() {
		r.fail("unknown value %s", t)
	}
	return t
}

func (m *Module) parseImports(r *reader) {
	for n := r.count("imports", maxImports); n > 0 && r.err == nil; n-- {
		im := Import{Module: r.name(), Name: r.name(), Kind: Kind(r.u8())}
		switch im.Kind {
		case Func:
			im.Type = r.u32()
		case Table:
			parseTable(r)
		case Memory:
			im.Limits = parseLimits(r, "memory")
		case Global:
			im.Global = parseGlobalType(r)
		default:
			r.fail("import %q.%q of unknown kind %d", im.Module, im.Name, byte(im.Kind))
			return
		}
		if r.err != nil {
			return
		}
		m.nImport[im.Kind]++
		m.Imports = append(m.Imports, im)
	}
}

func (m *Module) parseExports(r *reader) {
	n := r.count("exports", maxExports)
	m.Exports = make([]Export, 0, n)
	for i := 0; i < n && r.err == nil; i++ {
		e := Export{Name: r.name(), Kind: Kind(r.u8())}
		if r.err == nil && e.Kind > Global {
			r.fail("export %q of unknown kind %d", e.Name, byte(e.Kind))
		}
		e.Index = r.u32()
		m.Exports = append(m.Exports, e)
	}
}

func parseTable(r *reader) {
	t := ValueType(r.u8())
	if r.err == nil && t != FuncRef && t != ExternRef {
		r.err = fmt.Errorf("%w: a table of %s", ErrUnsupported, t)
		return
	}
	if l := parseLimits(r, "table"); r.err == nil && l.Min > maxTableSize {
		r.err = fmt.Errorf("%w: a table of %d entries (the limit is %d)", ErrUnsupported, l.Min, maxTableSize)
	}
}

func parseLimits(r *reader, what string) Limits {
	flags := r.u8()
	if r.err == nil && flags > 1 {
		switch {
		case flags&2 != 0:
			r.err = fmt.Errorf("%w: a shared %s, which needs threads; build without them", ErrUnsupported, what)
		case flags&4 != 0:
			r.err = fmt.Errorf("%w: a 64-bit %s; build for wasm32", ErrUnsupported, what)
		default:
			r.err = fmt.Errorf("%w: a %s with flags 0x%02x", ErrUnsupported, what, flags)
		}
		return Limits{}
	}
	l := Limits{Min: r.u32(), HasMax: flags&1 != 0}
	if l.HasMax {
		l.Max = r.u32()
		if r.err == nil && l.Max < l.Min {
			r.fail("a %s whose maximum %d is below its minimum %d", what, l.Max, l.Min)
		}
	}
	return l
}

func parseGlobalType(r *reader) GlobalType {
	g := GlobalType{Type: parseValueType(r)}
	mut := r.u8()
	if r.err == nil && mut > 1 {
		r.fail("a global with mutability %d", mut)
	}
	g.Mutable = mut == 1
	return g
}

// skipConstExpr passes a constant expression up to and with its end.
func skipConstExpr(r *reader) {
	for r.err == nil {
		switch op := r.u8(); op {
		case 0x0b:
			return
		case 0x41, 0x23, 0xd2: // i32.const, global.get, ref.func
			r.skipLEB(5)
		case 0x42: // i64.const
			r.skipLEB(10)
		case 0x43:
			r.skip(4)
		case 0x44:
			r.skip(8)
		case 0xd0: // ref.null
			r.u8()
		case 0xfd: // v128.const
			if sub := r.u32(); r.err == nil && sub != 12 {
				r.fail("vector instruction %d in a constant", sub)
			}
			r.skip(16)
		default:
			if r.err == nil {
				r.fail("instruction 0x%02x in a constant", op)
			}
		}
	}
}

// checkIndices makes sure that every index that this package follows is valid.
func (m *Module) checkIndices() error {
	for _, im := range m.Imports {
		if im.Kind == Func && int(im.Type) >= len(m.Types) {
			return fmt.Errorf("%w: import %q.%q has type %d of %d", ErrMalformed, im.Module, im.Name, im.Type, len(m.Types))
		}
	}
	for i, t := range m.Funcs {
		if int(t) >= len(m.Types) {
			return fmt.Errorf("%w: function %d has type %d of %d", ErrMalformed, i, t, len(m.Types))
		}
	}
	total := [4]int{
		Func:   int(m.nImport[Func]) + len(m.Funcs),
		Table:  int(m.nImport[Table]) + m.tables,
		Memory: int(m.nImport[Memory]) + len(m.Memories),
		Global: int(m.nImport[Global]) + len(m.Globals),
	}
	seen := make(map[string]bool, len(m.Exports))
	for _, e := range m.Exports {
		if int(e.Index) >= total[e.Kind] {
			return fmt.Errorf("%w: export %q is %s %d of %d", ErrMalformed, e.Name, e.Kind, e.Index, total[e.Kind])
		}
		if seen[e.Name] {
			return fmt.Errorf("%w: export %q is doubled", ErrMalformed, e.Name)
		}
		seen[e.Name] = true
	}
	if total[Memory] > 1 {
		return fmt.Errorf("%w: %d memories; one is allowed", ErrUnsupported, total[Memory])
	}
	if m.codeAt < 0 && len(m.Funcs) > 0 {
		return fmt.Errorf("%w: %d functions and no code", ErrMalformed, len(m.Funcs))
	}
	return nil
}
