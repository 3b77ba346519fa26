package module

import (
	"fmt"
	"strings"
)

// ValueType is a WebAssembly value type as it stands in the binary format.
type ValueType byte

// The value types of the core specification.
const (
	I32       ValueType = 0x7f
	I64       ValueType = 0x7e
	F32       ValueType = 0x7d
	F64       ValueType = 0x7c
	V128      ValueType = 0x7b
	FuncRef   ValueType = 0x70
	ExternRef ValueType = 0x6f
)

// String names the type as the text format does.
func (t ValueType) String() string {
	switch t {
	case I32:
		return "i32"
	case I64:
		return "i64"
	case F32:
		return "f32"
	case F64:
		return "f64"
	case V128:
		return "v128"
	case FuncRef:
		return "funcref"
	case ExternRef:
		return "externref"
	}
	return fmt.Sprintf("type 0x%02x", byte(t))
}

func (t ValueType) known() bool { return t >= V128 && t <= I32 || t == FuncRef || t == ExternRef }

// FuncType is a function's signature.
type FuncType struct {
	Params, Results []ValueType
}

// String writes the signature like "(i32, i32) -> i32"; no result is "()".
func (f FuncType) String() string {
	list := func(ts []ValueType) string {
		s := make([]string, len(ts))
		for i, t := range ts {
			s[i] = t.String()
		}
		return strings.Join(s, ", ")
	}
	if len(f.Results) == 1 {
		return "(" + list(f.Params) + ") -> " + f.Results[0].String()
	}
	return "(" + list(f.Params) + ") -> (" + list(f.Results) + ")"
}

// Kind says what an import or export is.
type Kind byte

// The kinds of imports and exports.
const (
	Func Kind = iota
	Table
	Memory
	Global
)

// String names the kind.
func (k Kind) String() string {
	return [...]string{"function", "table", "memory", "global"}[k&3]
}

// Limits are the bounds of a memory in 64-KiB pages, or of a table in entries.
type Limits struct {
	Min, Max uint32
	HasMax   bool
}

// GlobalType is the type of a global variable.
type GlobalType struct {
	Type    ValueType
	Mutable bool
}

// Import is one thing that a module asks of its host.
type Import struct {
	Module, Name string
	Kind         Kind
	Type         uint32 // index into Types, for functions
	Limits       Limits // for memories and tables
	Global       GlobalType
}

// Export is one thing that a module offers.
type Export struct {
	Name  string
	Kind  Kind
	Index uint32
}

// Module is the structure of a WebAssembly binary. It keeps the bytes it was
// parsed from; they must not change while it is in use.
type Module struct {
	Types    []FuncType
	Imports  []Import
	Funcs    []uint32     // type index of each function the module defines
	Memories []Limits     // memories the module defines
	Globals  []GlobalType // globals the module defines
	Exports  []Export
	Start    bool // has a start section

	raw      []byte
	sections []section
	tables   int
	nImport  [4]uint32 // imports by kind
	codeAt   int       // index into sections of the code section, or -1
}

// Export finds an export by name.
func (m *Module) Export(name string) (Export, bool) {
	for _, e := range m.Exports {
		if e.Name == name {
			return e, true
		}
	}
	return Export{}, false
}

// FuncType returns the signature of function index i, counting imports first;
// ok is false when there is no such function.
func (m *Module) FuncType(i uint32) (FuncType, bool) {
	if i < m.nImport[Func] {
		for _, im := range m.Imports {
			if im.Kind != Func {
				continue
			}
			if i == 0 {
				return m.Types[im.Type], true
			}
			i--
		}
	}
	i -= m.nImport[Func]
	if int64(i) >= int64(len(m.Funcs)) {
		return FuncType{}, false
	}
	return m.Types[m.Funcs[i]], true
}

// Bytes returns the bytes the module was parsed from.
func (m *Module) Bytes() []byte { return m.raw }
