package module

import "fmt"

// maxLocals is the most local variables that one function may declare. They
// live on the engine's stack, so the number is bounded.
const maxLocals = 50_000

// maxTargets is the most targets of one branch table.
const maxTargets = 1 << 16

// Scan walks every instruction of the module and refuses those that change
// state a host cannot capture (tables, dropped segments), that make results
// depend on the machine (relaxed SIMD), or that need threads, exceptions or
// tail calls. memory.init is allowed: it only copies from a segment that
// nothing may drop. Mutable globals of vector or reference type are refused
// too, since their value cannot be read as a number.
func (m *Module) Scan() error {
	for i, g := range m.Globals {
		if g.Mutable && (g.Type == V128 || g.Type == FuncRef || g.Type == ExternRef) {
			return fmt.Errorf("%w: global %d is a mutable %s, which a snapshot cannot hold", ErrUnsupported, i, g.Type)
		}
	}
	if m.codeAt < 0 {
		return nil
	}
	s := m.sections[m.codeAt]
	r := &reader{b: m.raw[s.from:s.to], base: s.from}
	n := r.count("function bodies", maxFuncs)
	if r.err == nil && n != len(m.Funcs) {
		return fmt.Errorf("%w: %d functions and %d bodies", ErrMalformed, len(m.Funcs), n)
	}
	for i := range n {
		size := r.u32()
		if r.err == nil && uint64(size) > uint64(r.remaining()) {
			r.fail("function %d of %d bytes in a section that has %d left", i, size, r.remaining())
		}
		if r.err != nil {
			return r.err
		}
		body := &reader{b: r.b[r.pos : r.pos+int(size)], base: r.base + r.pos}
		scanBody(body)
		if body.err != nil {
			return fmt.Errorf("function %d: %w", int(m.nImport[Func])+i, body.err)
		}
		r.pos += int(size)
	}
	if r.err == nil && r.remaining() > 0 {
		r.fail("the code section has %d bytes too many", r.remaining())
	}
	return r.err
}

func scanBody(r *reader) {
	var locals uint64
	for n := r.count("local declarations", maxLocals); n > 0 && r.err == nil; n-- {
		locals += uint64(r.u32())
		parseValueType(r)
		if r.err == nil && locals > maxLocals {
			r.fail("%d local variables (the limit is %d)", locals, maxLocals)
		}
	}
	if r.err == nil && (r.remaining() == 0 || r.b[len(r.b)-1] != 0x0b) {
		r.fail("a body that does not end")
	}
	for r.err == nil && r.remaining() > 0 {
		scanInstruction(r)
	}
}

// refuse records that the instruction just read is not allowed, and why.
func (r *reader) refuse(name, why string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s at byte %d: %s", ErrUnsupported, name, r.base+r.pos, why)
	}
}

const (
	whyTable   = "a snapshot cannot hold a table that changes"
	whySegment = "a snapshot cannot hold a dropped segment"
	whyNewer   = "build for core WebAssembly 2.0"
)

func scanInstruction(r *reader) {
	op := r.u8()
	switch {
	case op >= 0x45 && op <= 0xc4: // comparisons, arithmetic, conversions
	case op >= 0x20 && op <= 0x25: // local.*, global.*, table.get
		r.skipLEB(5)
	case op >= 0x28 && op <= 0x3e: // loads and stores: alignment, offset
		r.skipLEB(5)
		r.skipLEB(5)
	default:
		scanRare(r, op)
	}
}

func scanRare(r *reader, op byte) {
	switch op {
	case 0x00, 0x01, 0x05, 0x0b, 0x0f, 0x1a, 0x1b, 0xd1: // no immediate
	case 0x02, 0x03, 0x04, 0x0c, 0x0d, 0x10, 0x41, 0xd2:
		r.skipLEB(5)
	case 0x0e: // br_table
		for n := r.count("branch targets", maxTargets); n >= 0 && r.err == nil; n-- {
			r.skipLEB(5)
		}
	case 0x11: // call_indirect
		r.skipLEB(5)
		r.skipLEB(5)
	case 0x1c: // select with types
		for n := r.count("types", maxValues); n > 0 && r.err == nil; n-- {
			r.u8()
		}
	case 0x26:
		r.refuse("table.set", whyTable)
	case 0x3f, 0x40, 0xd0: // memory.size, memory.grow, ref.null
		r.u8()
	case 0x42:
		r.skipLEB(10)
	case 0x43:
		r.skip(4)
	case 0x44:
		r.skip(8)
	case 0xfc:
		scanBulk(r)
	case 0xfd:
		scanVector(r)
	case 0xfe:
		r.refuse("an atomic instruction", "threads are not allowed; build without them")
	case 0x12, 0x13:
		r.refuse("a tail call", whyNewer)
	case 0x06, 0x07, 0x08, 0x09, 0x0a, 0x18, 0x19, 0x1f:
		r.refuse("an exception instruction", whyNewer)
	case 0x14, 0x15, 0xd3, 0xd4, 0xd5, 0xd6, 0xfb:
		r.refuse("a typed reference instruction", whyNewer)
	default:
		r.fail("unknown instruction 0x%02x", op)
	}
}

func scanBulk(r *reader) {
	sub := r.u32()
	if r.err != nil {
		return
	}
	switch sub {
	case 0, 1, 2, 3, 4, 5, 6, 7: // saturating conversions
	case 8: // memory.init
		r.skipLEB(5)
		r.u8()
	case 9:
		r.refuse("data.drop", whySegment)
	case 10: // memory.copy
		r.skip(2)
	case 11: // memory.fill
		r.u8()
	case 12:
		r.refuse("table.init", whyTable)
	case 13:
		r.refuse("elem.drop", whySegment)
	case 14:
		r.refuse("table.copy", whyTable)
	case 15:
		r.refuse("table.grow", whyTable)
	case 16: // table.size
		r.skipLEB(5)
	case 17:
		r.refuse("table.fill", whyTable)
	default:
		r.fail("unknown instruction 0xfc %d", sub)
	}
}

func scanVector(r *reader) {
	sub := r.u32()
	if r.err != nil {
		return
	}
	switch {
	case sub <= 11 || sub == 92 || sub == 93: // loads and stores
		r.skipLEB(5)
		r.skipLEB(5)
	case sub == 12 || sub == 13: // v128.const, i8x16.shuffle
		r.skip(16)
	case sub >= 21 && sub <= 34: // lanes
		r.u8()
	case sub >= 84 && sub <= 91: // loads and stores of a lane
		r.skipLEB(5)
		r.skipLEB(5)
		r.u8()
	case sub <= 255:
	default:
		r.refuse("a relaxed SIMD instruction", "its result depends on the machine; build without relaxed-simd")
	}
}
