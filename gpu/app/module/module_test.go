package module_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/framemesh/framemesh/gpu/app/module"
)

// b builds a binary from parts: bytes, strings and ints of one byte each.
func b(parts ...any) []byte {
	var out []byte
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			out = append(out, byte(p))
		case string:
			out = append(out, p...)
		case []byte:
			out = append(out, p...)
		}
	}
	return out
}

// sec is a section of less than 128 bytes.
func sec(id int, parts ...any) []byte {
	body := b(parts...)
	return b(id, len(body), body)
}

const head = "\x00asm\x01\x00\x00\x00"

// code is a module with one function () -> () of these instructions.
func code(instructions ...any) []byte {
	body := b(0, b(instructions...), 0x0b)
	return b(head, sec(1, 1, 0x60, 0, 0), sec(3, 1, 0), sec(10, 1, len(body), body))
}

func TestParse(t *testing.T) {
	m, err := module.Parse(b(head,
		sec(0, 4, "note", "whatever"),
		sec(1, 2, 0x60, 2, 0x7f, 0x7e, 1, 0x7c, 0x60, 0, 0),
		sec(2, 1, 3, "env", 1, "f", 0, 1),
		sec(3, 1, 0),
		sec(4, 1, 0x70, 0, 2),
		sec(5, 1, 1, 1, 4),
		sec(6, 2, 0x7f, 1, 0x41, 0x85, 0x01, 0x0b, 0x7e, 0, 0x42, 0x00, 0x0b),
		sec(7, 1, 3, "add", 0, 1),
		sec(8, 0),
		sec(10, 1, 11, 0, 0x44, "12345678", 0x0b),
	))
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Types[0].String(); got != "(i32, i64) -> f64" {
		t.Errorf("type 0 is %s", got)
	}
	if im := m.Imports[0]; im.Module != "env" || im.Name != "f" || im.Kind != module.Func || im.Type != 1 {
		t.Errorf("import %+v", im)
	}
	if m.Memories[0] != (module.Limits{Min: 1, Max: 4, HasMax: true}) || !m.Start || len(m.Globals) != 2 || !m.Globals[0].Mutable || m.Globals[1].Mutable {
		t.Errorf("memory %+v, start %v, globals %+v", m.Memories, m.Start, m.Globals)
	}
	e, ok := m.Export("add")
	f, known := m.FuncType(e.Index)
	if !ok || !known || f.String() != "(i32, i64) -> f64" {
		t.Errorf("export add is %+v, %s", e, f)
	}
	if f, ok := m.FuncType(0); !ok || f.String() != "() -> ()" {
		t.Errorf("function 0, the import, is %s", f)
	}
	if _, ok := m.FuncType(2); ok {
		t.Error("function 2 of 2 is known")
	}
	if err := m.Scan(); err != nil {
		t.Error(err)
	}
}

func TestMalformed(t *testing.T) {
	for name, c := range map[string][]byte{
		"section longer than file": b(head, 1, 99),
		"number too long":          b(head, 1, "\xff\xff\xff\xff\xff\xff"),
		"number above 32 bits":     b(head, 1, "\xff\xff\xff\xff\x1f"),
		"lying count":              b(head, sec(1, 100)),
		"huge count":               b(head, sec(3, "\xff\xff\xff\xff\x0f")),
		"sections out of order":    b(head, sec(3, 0), sec(1, 0)),
		"section doubled":          b(head, sec(1, 0), sec(1, 0)),
		"bytes behind the items":   b(head, sec(1, 0, 0)),
		"unknown import kind":      b(head, sec(2, 1, 1, "a", 1, "b", 9)),
		"name not UTF-8":           b(head, sec(2, 1, 1, 0xff, 1, "b", 0, 0)),
		"name too long":            b(head, sec(2, 1, "\xff\x7f")),
		"import of no type":        b(head, sec(2, 1, 1, "a", 1, "b", 0, 7)),
		"function of no type":      b(head, sec(3, 1, 7)),
		"export of nothing":        b(head, sec(7, 1, 1, "a", 0, 0)),
		"export doubled":           b(head, sec(5, 1, 0, 1), sec(7, 2, 1, "a", 2, 0, 1, "a", 2, 0)),
		"unknown value type":       b(head, sec(6, 1, 0x01, 0, 0x41, 0, 0x0b)),
		"mutability":               b(head, sec(6, 1, 0x7f, 2, 0x41, 0, 0x0b)),
		"constant without end":     b(head, sec(6, 1, 0x7f, 0, 0x41, 0)),
		"constant that computes":   b(head, sec(6, 1, 0x7f, 0, 0x20, 0, 0x0b)),
		"limits upside down":       b(head, sec(5, 1, 1, 4, 1)),
		"functions without code":   b(head, sec(1, 1, 0x60, 0, 0), sec(3, 1, 0)),
		"body longer than section": b(head, sec(1, 1, 0x60, 0, 0), sec(3, 1, 0), sec(10, 1, 50, 0, 0x0b)),
		"bodies missing":           b(head, sec(1, 1, 0x60, 0, 0), sec(3, 2, 0, 0), sec(10, 1, 2, 0, 0x0b)),
		"body without end":         b(head, sec(1, 1, 0x60, 0, 0), sec(3, 1, 0), sec(10, 1, 2, 0, 1)),
		"instruction cut short":    b(head, sec(1, 1, 0x60, 0, 0), sec(3, 1, 0), sec(10, 1, 3, 0, 0x44, 0x0b)),
		"unknown instruction":      code(0xf0),
		"unknown bulk instruction": code(0xfc, 99),
		"too many locals":          b(head, sec(1, 1, 0x60, 0, 0), sec(3, 1, 0), sec(10, 1, 7, 1, "\xff\xff\xff\x7f", 0x7f, 0x0b)),
		"branch table lies":        code(0x0e, "\xff\xff\xff\xff\x0f"),
	} {
		m, err := module.Parse(c)
		if err == nil {
			err = m.Scan()
		}
		if !errors.Is(err, module.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTooMany(t *testing.T) {
	types := b(0x81, 0x80, 0x04, strings.Repeat("\x60\x00\x00", 1<<16+1)) // 65,537 of them
	long := len(types)
	for name, c := range map[string][]byte{
		"types":       b(head, 1, 0x80|long&0x7f, 0x80|long>>7&0x7f, long>>14, types),
		"tables":      b(head, sec(4, 17, strings.Repeat("\x70\x00\x00", 17))),
		"large table": b(head, sec(4, 1, 0x70, 0, "\xff\xff\xff\xff\x0f")),
	} {
		if _, err := module.Parse(c); !errors.Is(err, module.ErrUnsupported) || !strings.Contains(err.Error(), "limit") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestScanKnowsEveryInstruction puts an instruction in front of one that is
// refused: if its length is misjudged, the second is not found.
func TestScanKnowsEveryInstruction(t *testing.T) {
	dataDrop := b(0xfc, 9, 0)
	for name, ins := range map[string][]byte{
		"block":             b(0x02, 0x40, 0x0b),
		"loop":              b(0x03, 0x7f, 0x0b),
		"branch table":      b(0x0e, 2, 0, 1, 0),
		"call":              b(0x10, "\x80\x01"),
		"indirect call":     b(0x11, 0, 0),
		"typed select":      b(0x1c, 1, 0x7f),
		"local":             b(0x20, 5),
		"load":              b(0x28, 2, "\x80\x80\x04"),
		"store":             b(0x3e, 0, 0),
		"memory size":       b(0x3f, 0),
		"constants":         b(0x41, 0x7f, 0x42, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 0x43, "abcd", 0x44, "abcdefgh"),
		"sign extension":    b(0xc0),
		"references":        b(0xd0, 0x70, 0xd1, 0xd2, 3),
		"saturating":        b(0xfc, 7),
		"memory init":       b(0xfc, 8, 0, 0),
		"memory copy, fill": b(0xfc, 10, 0, 0, 0xfc, 11, 0),
		"table size":        b(0xfc, 16, 0),
		"vector load":       b(0xfd, 0, 4, 0),
		"vector constant":   b(0xfd, 12, "0123456789abcdef"),
		"vector shuffle":    b(0xfd, 13, "0123456789abcdef"),
		"vector lane":       b(0xfd, 21, 3),
		"vector lane load":  b(0xfd, 84, 0, 0, 3),
		"vector load zero":  b(0xfd, 92, 2, 0),
		"vector add":        b(0xfd, "\xae\x01"),
	} {
		m, err := module.Parse(code(ins))
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Scan(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if m, err = module.Parse(code(ins, dataDrop)); err != nil {
			t.Fatal(err)
		}
		if err := m.Scan(); !errors.Is(err, module.ErrUnsupported) || !strings.Contains(err.Error(), "data.drop") {
			t.Errorf("%s hides the instruction behind it: %v", name, err)
		}
	}
}

func TestInstrument(t *testing.T) {
	// An imported memory, a mutable global, no export section, and code behind.
	m, err := module.Parse(b(head, sec(1, 1, 0x60, 0, 0), sec(2, 2, 1, "e", 1, "m", 2, 1, 1, 2, 1, "e", 1, "f", 0, 0),
		sec(3, 1, 0), sec(6, 2, 0x7f, 0, 0x41, 0, 0x0b, 0x7e, 1, 0x42, 5, 0x0b), sec(10, 1, 2, 0, 0x0b), sec(0, 1, "x")))
	if err != nil {
		t.Fatal(err)
	}
	out, globals, err := module.Instrument(m)
	if err != nil {
		t.Fatal(err)
	}
	n, err := module.Parse(out)
	if err != nil {
		t.Fatal(err)
	}
	if len(n.Imports) != 1 || n.Imports[0].Name != "f" || len(n.Memories) != 1 || n.Memories[0] != (module.Limits{Min: 1, Max: 2, HasMax: true}) {
		t.Errorf("imports %+v, memories %+v", n.Imports, n.Memories)
	}
	if len(globals) != 1 || globals[0].Type != module.I64 {
		t.Fatalf("captured %+v", globals)
	}
	if e, ok := n.Export(globals[0].Export); !ok || e.Kind != module.Global || e.Index != 1 {
		t.Errorf("global export %+v", e)
	}
	if e, ok := n.Export(module.MemoryExport); !ok || e.Kind != module.Memory {
		t.Errorf("memory export %+v", e)
	}
	if _, _, err := module.Instrument(n); !errors.Is(err, module.ErrUnsupported) {
		t.Errorf("instrumented twice: %v", err)
	}
	imported, err := module.Parse(b(head, sec(2, 1, 1, "e", 1, "g", 3, 0x7f, 0)))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := module.Instrument(imported); !errors.Is(err, module.ErrUnsupported) {
		t.Errorf("an imported global: %v", err)
	}
}

// FuzzModule parses, scans and instruments junk: no panic, and what was
// instrumented parses again with the same functions and one memory of its own.
func FuzzModule(f *testing.F) {
	for _, pattern := range []string{"../testdata/*.wasm", "../testdata/bad/*.wasm"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			f.Fatal(pattern, err)
		}
		for _, name := range names {
			c, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(c)
		}
	}
	f.Fuzz(func(t *testing.T, c []byte) {
		m, err := module.Parse(c)
		if err != nil {
			return
		}
		scanned := m.Scan()
		out, globals, err := module.Instrument(m)
		if err != nil {
			return
		}
		n, err := module.Parse(out)
		if err != nil {
			t.Fatalf("instrumented module: %v", err)
		}
		if (n.Scan() == nil) != (scanned == nil) || len(n.Funcs) != len(m.Funcs) || len(n.Globals) != len(m.Globals) {
			t.Fatal("instrumenting changed the module")
		}
		for _, g := range globals {
			if _, ok := n.Export(g.Export); !ok {
				t.Fatalf("global %s is not exported", g.Export)
			}
		}
	})
}
