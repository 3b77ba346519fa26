package node

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/framemesh/framemesh/"

// layer gives each top-level folder its height. An import may only point to a lower
// layer, or stay inside its own folder; the ground floor's four do not know each other.
var layer = map[string]int{"p2p": 0, "stream": 0, "gpu": 0, "ledger": 0, "actors": 1, "node": 2, "cmd": 3}

type source struct {
	path string // from the repository's root, with slashes
	file *ast.File
}

func sources(t *testing.T, mode parser.Mode) []source {
	t.Helper()
	var out []source
	root := ".."
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || (strings.HasPrefix(d.Name(), ".") && p != root)) {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(p, ".go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, nil, mode)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		out = append(out, source{filepath.ToSlash(rel), f})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 20 {
		t.Fatalf("only %d files found: the test looks in the wrong place", len(out))
	}
	return out
}

func top(path string) string { return strings.SplitN(path, "/", 2)[0] }

func TestImportArrows(t *testing.T) {
	for _, s := range sources(t, parser.ImportsOnly) {
		from := top(s.path)
		if _, ok := layer[from]; !ok {
			t.Errorf("%s: the house has no room %q", s.path, from)
			continue
		}
		for _, im := range s.file.Imports {
			p := strings.Trim(im.Path.Value, `"`)
			if strings.HasPrefix(p, "github.com/asynkron/protoactor-go") {
				if !strings.HasPrefix(s.path, "actors/supervise/") || p != "github.com/asynkron/protoactor-go/actor" {
					t.Errorf("%s imports %s: only actors/supervise may, and only its actor package", s.path, p)
				}
			}
			to, ok := strings.CutPrefix(p, module)
			if !ok || top(to) == from {
				continue
			}
			if strings.HasSuffix(s.path, "_test.go") && from == "actors" && to == "gpu/app/games" {
				continue
			}
			if layer[top(to)] >= layer[from] {
				t.Errorf("%s imports %s: arrows run cmd → node → actors → {p2p, stream, gpu, ledger} only", s.path, to)
			}
		}
	}
}

// pure packages decide; time and randomness come in as arguments.
var pure = []string{"actors/indexer/match/", "actors/checker/round/", "actors/checker/recompute/", "actors/container/prove/", "stream/ticklock/", "stream/input/", "stream/control/", "stream/sdpfrag/", "stream/whep/",
	"ledger/amount/", "ledger/key/", "ledger/tx/", "ledger/voucher/", "ledger/quote/", "ledger/economics/", "ledger/genesis/", "ledger/state/",
	"ledger/canonical/", "ledger/proof/", "ledger/judge/"}

func TestPurePackagesHaveNoClock(t *testing.T) {
	forbidden := map[string][]string{"time": {"Now", "Since", "Until", "Sleep", "After", "NewTimer", "NewTicker"}, "rand": {"Read", "Int", "IntN", "Uint64", "Float64"}}
	seen := map[string]bool{}
	for _, s := range sources(t, 0) {
		i := slices.IndexFunc(pure, func(p string) bool { return strings.HasPrefix(s.path, p) })
		if i < 0 || strings.HasSuffix(s.path, "_test.go") {
			continue
		}
		seen[pure[i]] = true
		ast.Inspect(s.file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if id, ok := sel.X.(*ast.Ident); ok && slices.Contains(forbidden[id.Name], sel.Sel.Name) {
					t.Errorf("%s uses %s.%s: a pure package gets time and randomness as arguments", s.path, id.Name, sel.Sel.Name)
				}
			}
			if _, ok := n.(*ast.GoStmt); ok {
				t.Errorf("%s starts a goroutine: a pure package does not", s.path)
			}
			return true
		})
	}
	for _, p := range pure {
		if !seen[p] {
			t.Errorf("%s does not exist: update the list of pure packages", p)
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	documented, any := map[string]bool{}, map[string]string{}
	for _, s := range sources(t, parser.ParseComments|parser.PackageClauseOnly) {
		if strings.HasSuffix(s.path, "_test.go") {
			continue
		}
		dir := filepath.Dir(s.path)
		any[dir] = s.path
		if s.file.Doc != nil {
			documented[dir] = true
		}
	}
	for dir, file := range any {
		if !documented[dir] {
			t.Errorf("package %s has no package comment (for example in %s)", dir, file)
		}
	}
}

var (
	mdLink    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	openTasks = regexp.MustCompile(`\b(TODO|FIXME|XXX)\b`)
)

func TestDocsHaveNoDeadLinks(t *testing.T) {
	n := 0
	err := filepath.WalkDir("..", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && p != ".." {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(p, ".md") {
			return nil
		}
		n++
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		for _, m := range mdLink.FindAllStringSubmatch(string(b), -1) {
			to, _, _ := strings.Cut(m[1], "#")
			if to == "" || strings.Contains(to, "://") || strings.HasPrefix(to, "mailto:") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(p), to)); err != nil {
				t.Errorf("%s links to %s, which does not exist", p, m[1])
			}
		}
		return nil
	})
	if err != nil || n == 0 {
		t.Fatal(n, err)
	}
}

func TestNoOpenTasksInCode(t *testing.T) {
	for _, s := range sources(t, parser.ParseComments) {
		if s.path == "node/rules_test.go" {
			continue
		}
		for _, g := range s.file.Comments {
			if m := openTasks.FindString(g.Text()); m != "" {
				t.Errorf("%s: a comment says %s; do it or file it", s.path, m)
			}
		}
	}
}
