package module

// Floats says whether the module has an instruction whose result may be a NaN with
// bits of the machine's choosing: float arithmetic, scalar or vector. A module
// without one gives the same bits on every architecture; moving, comparing,
// converting from integers and changing the sign of floats is exact everywhere.
//
// A module that Scan refuses has its refusal returned.
func (m *Module) Floats() (bool, error) {
	if err := m.Scan(); err != nil || m.codeAt < 0 {
		return false, err
	}
	s := m.sections[m.codeAt]
	r := &reader{b: m.raw[s.from:s.to], base: s.from}
	for n := r.count("function bodies", maxFuncs); n > 0 && r.err == nil; n-- {
		size := int(r.u32())
		if r.err != nil || size > r.remaining() {
			break
		}
		body := &reader{b: r.b[r.pos : r.pos+size], base: r.base + r.pos}
		for k := body.count("local declarations", maxLocals); k > 0 && body.err == nil; k-- {
			body.u32()
			body.u8()
		}
		for body.err == nil && body.remaining() > 0 {
			if floats(body) {
				return true, nil
			}
			scanInstruction(body)
		}
		r.skip(size)
	}
	return false, r.err
}

// floats looks at the next instruction without taking it.
func floats(r *reader) bool {
	switch op := r.b[r.pos]; {
	case op >= 0x8d && op <= 0x97, op >= 0x9b && op <= 0xa5: // ceil … max of f32 and f64
		return true
	case op == 0xb6 || op == 0xbb: // demote, promote
		return true
	case op != 0xfd:
		return false
	}
	at := reader{b: r.b, pos: r.pos + 1}
	switch sub := at.u32(); {
	case sub == 0x5e || sub == 0x5f, // demote, promote
		sub >= 0x67 && sub <= 0x6a,                         // f32x4 ceil … nearest
		sub == 0x74, sub == 0x75, sub == 0x7a, sub == 0x94, // f64x2 ceil, floor, trunc, nearest
		sub >= 0xe3 && sub <= 0xeb, sub >= 0xef && sub <= 0xf7: // sqrt … pmax of both
		return true
	}
	return false
}
