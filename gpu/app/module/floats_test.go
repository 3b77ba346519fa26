package module

import "testing"

// body builds a module of one function with these instructions.
func withBody(code ...byte) []byte {
	b := []byte("\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00")
	code = append(append([]byte{0}, code...), 0x0b)
	section := append([]byte{1, byte(len(code))}, code...)
	return append(append(b, secCode, byte(len(section))), section...)
}

func TestFloats(t *testing.T) {
	for name, c := range map[string]struct {
		code []byte
		want bool
	}{
		"integers":        {[]byte{0x41, 1, 0x41, 2, 0x6a, 0x1a}, false},
		"a constant":      {[]byte{0x43, 0, 0, 0x92, 0x92, 0x1a}, false}, // its bytes look like f32.add
		"f32.add":         {[]byte{0x43, 0, 0, 0, 0, 0x43, 0, 0, 0, 0, 0x92, 0x1a}, true},
		"f64.sqrt":        {[]byte{0x44, 0, 0, 0, 0, 0, 0, 0, 0, 0x9f, 0x1a}, true},
		"f32.neg":         {[]byte{0x43, 0, 0, 0, 0, 0x8c, 0x1a}, false},
		"i32 to f64":      {[]byte{0x41, 1, 0xb7, 0x1a}, false},
		"promote":         {[]byte{0x43, 0, 0, 0, 0, 0xbb, 0x1a}, true},
		"f32x4.add":       {[]byte{0xfd, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfd, 0xe4, 1, 0x1a}, true},
		"i32x4.add":       {[]byte{0xfd, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfd, 0xae, 1, 0x1a}, false},
		"a saturating op": {[]byte{0x43, 0, 0, 0, 0, 0xfc, 0, 0x1a}, false},
	} {
		m, err := Parse(withBody(c.code...))
		if err != nil {
			t.Fatal(name, err)
		}
		if got, err := m.Floats(); err != nil || got != c.want {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
	m, err := Parse(withBody(0x26, 0))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Floats(); err == nil {
		t.Error("a module that is refused has an answer")
	}
}
