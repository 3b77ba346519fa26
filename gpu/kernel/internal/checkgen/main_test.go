package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"strings"
	"testing"
)

func TestCheckedCopyIsFresh(t *testing.T) {
	src, err := os.ReadFile("../plain/plain.go")
	if err != nil {
		t.Fatal(err)
	}
	want, err := Checked(src)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../checked/checked.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatal("checked.go is stale: run go generate ./gpu/kernel/...")
	}
}

// No signed arithmetic is left unwatched in the generated file.
func TestNothingIsLeftUnchecked(t *testing.T) {
	src, err := os.ReadFile("../checked/checked.go")
	if err != nil {
		t.Fatal(err)
	}
	ops := `package checked
func add(a, b int32) int32
func sub(a, b int32) int32
func mul(a, b int32) int32
func quo(a, b int32) int32
func neg(a int32) int32
func shr(a int32, by uint) int32
func signed(v uint32) int32
func unsigned(v int32) uint32
`
	fset := token.NewFileSet()
	var files []*ast.File
	for _, s := range []string{string(src), ops} {
		f, err := parser.ParseFile(fset, "", s, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	if _, err := (&types.Config{}).Check("checked", fset, files, info); err != nil {
		t.Fatal(err)
	}
	r := rewriter{info: info, fset: fset}
	calls := 0
	ast.Inspect(files[0], func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			if r.basic(n) == types.Int32 && !harmless[n.Op] {
				t.Errorf("%s: %s of int32", fset.Position(n.Pos()), n.Op)
			}
		case *ast.UnaryExpr:
			if r.basic(n) == types.Int32 {
				t.Errorf("%s: %s of int32", fset.Position(n.Pos()), n.Op)
			}
		case *ast.CallExpr:
			if id, ok := n.Fun.(*ast.Ident); ok && strings.Contains(ops, "func "+id.Name+"(") {
				calls++
			}
		}
		return true
	})
	if calls < 80 {
		t.Errorf("only %d operations are watched", calls)
	}
}

func TestRefusesWhatItCannotCheck(t *testing.T) {
	for _, body := range []string{
		"a += b", "a++", "a = a << 1", "a = a % b", "a = a &^ b", "n := uint(3); a = a >> n", "a = ^a",
	} {
		src := "package plain\nfunc f(a, b int32) int32 {\n" + body + "\nreturn a\n}\n"
		if _, err := Checked([]byte(src)); err == nil || !strings.Contains(err.Error(), "not checked") {
			t.Errorf("%s: %v", body, err)
		}
	}
}
