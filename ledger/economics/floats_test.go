package economics_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The exporter of metrics speaks floats; nothing that the ledger computes may.
const metricsFile = "metrics.go"

// impure are the packages that run the ledger instead of being it: they may have metrics,
// and may call a library that wants a literal float.
var impure = []string{"chain", "store", "light"}

// libraryCalls take floats that decide nothing on the ledger: what a metric shows, and how
// much garbage makes the database rewrite a file. The float stands in the call itself.
var libraryCalls = []string{"Set", "Add", "Observe", "RunValueLogGC"}

func TestNoFloatsInTheLedger(t *testing.T) {
	root := ".."
	files := 0
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		top, _, _ := strings.Cut(filepath.ToSlash(rel), "/")
		// Benchmarks report figures of their own, which are floats in package testing.
		if strings.HasSuffix(path, "_test.go") || (e.Name() == metricsFile && slices.Contains(impure, top)) {
			return nil
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files++
		for _, found := range floats(f, slices.Contains(impure, top)) {
			t.Errorf("%s: %s: compute it in integers", fset.Position(found.at), found.what)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 20 {
		t.Fatalf("saw %d files: the walk does not find the ledger", files)
	}
}

func TestFloatsAreFound(t *testing.T) {
	const src = `package p
import "math"
var a float64
var b = 1.5
var c = 2i
var d = math.Sqrt(4)
var e = math.MaxUint64
var f float32
var g = 1e3
var h = complex(1, 2)
var i = db.RunValueLogGC(0.5)
`
	f, err := parser.ParseFile(token.NewFileSet(), "p.go", src, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(floats(f, false)); n != 8 {
		t.Fatalf("found %d floats of 8", n)
	}
	if n := len(floats(f, true)); n != 7 {
		t.Fatalf("found %d floats of 7 where the library call is allowed", n)
	}
}

type found struct {
	at   token.Pos
	what string
}

func floats(f *ast.File, calls bool) (all []found) {
	names := []string{"float32", "float64", "complex64", "complex128", "complex"}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if s, ok := n.Fun.(*ast.SelectorExpr); ok && calls && slices.Contains(libraryCalls, s.Sel.Name) {
				return false
			}
		case *ast.Ident:
			if slices.Contains(names, n.Name) {
				all = append(all, found{n.Pos(), n.Name})
			}
		case *ast.BasicLit:
			if n.Kind == token.FLOAT || n.Kind == token.IMAG {
				all = append(all, found{n.Pos(), "literal " + n.Value})
			}
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && x.Name == "math" && !strings.HasPrefix(n.Sel.Name, "Max") && !strings.HasPrefix(n.Sel.Name, "Min") {
				all = append(all, found{n.Pos(), "math." + n.Sel.Name})
			}
		}
		return true
	})
	return all
}
