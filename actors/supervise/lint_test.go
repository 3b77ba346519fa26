package supervise

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

const protoModule = "github.com/asynkron/protoactor-go"

// The library below has parts that race, spin or deadlock. They stay unused:
// nothing outside this package imports it, and this package keeps to what works.
var forbidden = []string{"SetReceiveTimeout", "Bounded", "BoundedDropping", "BoundedWithMailboxMiddleware",
	"NewExponentialBackoffStrategy", "NewRestartingStrategy", "RestartingSupervisorStrategy", "RequestFuture",
	"PoisonFuture", "StopFuture", "Shutdown"}

// breaches lists what a file must not do.
func breaches(path string, src any, inside bool) ([]string, error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, path, src, 0)
	if err != nil {
		return nil, err
	}
	var out []string
	uses := false
	for _, imp := range f.Imports {
		p := strings.Trim(imp.Path.Value, `"`)
		if !strings.HasPrefix(p, protoModule) {
			continue
		}
		uses = true
		if !inside {
			out = append(out, fset.Position(imp.Pos()).String()+" imports "+p+": only actors/supervise may")
		} else if p != protoModule+"/actor" {
			out = append(out, fset.Position(imp.Pos()).String()+" imports "+p)
		}
	}
	if !uses {
		return out, nil
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			for _, name := range forbidden {
				if sel.Sel.Name == name {
					out = append(out, fset.Position(sel.Pos()).String()+" uses "+name)
				}
			}
		}
		return true
	})
	return out, nil
}

func TestProtoactorStaysInItsPlace(t *testing.T) {
	files := 0
	for _, room := range []string{"actors", "cmd", "gpu", "ledger", "node", "p2p", "stream"} {
		root := filepath.Join("..", "..", room)
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return nil // not built yet, or a file that was just replaced
			case err != nil:
				return err
			case d.IsDir() && d.Name() == "testdata":
				return filepath.SkipDir
			case !strings.HasSuffix(path, ".go"):
				return nil
			}
			files++
			found, err := breaches(path, nil, filepath.ToSlash(filepath.Dir(path)) == "../../actors/supervise")
			if err != nil {
				return nil // that it does not parse is the compiler's business
			}
			for _, b := range found {
				t.Error(b)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 5 {
		t.Fatalf("only %d files seen: the walk is broken", files)
	}
}

func TestBreachesAreFound(t *testing.T) {
	for src, want := range map[string]int{
		`package p; import "fmt"; func f() { fmt.SetReceiveTimeout() }`:                                     0,
		`package p; import "` + protoModule + `/actor"; func f(c actor.Context) { c.Send(nil, 1) }`:         0,
		`package p; import "` + protoModule + `/actor"; func f(c actor.Context) { c.SetReceiveTimeout(0) }`: 1,
		`package p; import "` + protoModule + `/actor"; var x = actor.WithMailbox(actor.Bounded(1))`:        1,
		`package p; import _ "` + protoModule + `/remote"`:                                                  1,
		`package p; import _ "` + protoModule + `/cluster"`:                                                 1,
	} {
		got, err := breaches("x.go", src, true)
		if err != nil || len(got) != want {
			t.Errorf("%s\n\tgave %v, %v; want %d breaches", src, got, err, want)
		}
	}
	if got, _ := breaches("x.go", `package p; import _ "`+protoModule+`/actor"`, false); len(got) != 1 {
		t.Errorf("an import outside gave %v", got)
	}
}
