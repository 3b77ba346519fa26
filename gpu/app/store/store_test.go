package store_test

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/framemesh/framemesh/gpu/app"
	"github.com/framemesh/framemesh/gpu/app/games"
	"github.com/framemesh/framemesh/gpu/app/store"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func openStore(t *testing.T, dir string, builtin fs.FS) *store.Store {
	t.Helper()
	s, err := store.Open(dir, builtin)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func picture(t *testing.T, w, h int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, w, h))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var ball = store.Manifest{Name: "ball", Title: "Ball", Author: "A & B", License: "Apache-2.0", Controls: []string{"Arrows: push"}}

func add(t *testing.T, s *store.Store, code []byte, m store.Manifest) store.App {
	t.Helper()
	a, err := s.Add(code, m, nil)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAddGetRemove(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, nil)
	pic := picture(t, 64, 36)
	a, err := s.Add(read(t, "ball.wasm"), ball, pic)
	if err != nil {
		t.Fatal(err)
	}
	if a.Manifest.Kind != app.WASM4 || a.Size != int64(len(read(t, "ball.wasm"))) {
		t.Fatalf("added %+v", a)
	}
	p := add(t, s, read(t, "probe.wasm"), store.Manifest{Name: "probe", Title: "Probe"})

	s = openStore(t, dir, nil) // all of it is on disk
	for _, ref := range []string{"ball", a.ID(), strings.ToUpper(a.ID()), a.ID()[:6]} {
		got, err := s.Get(ref)
		if err != nil || got.SHA != a.SHA || got.Manifest.Title != "Ball" || got.Manifest.Controls[0] != "Arrows: push" {
			t.Fatalf("get %q: %+v, %v", ref, got, err)
		}
	}
	for _, ref := range []string{"", "bal", a.ID()[:5], strings.Repeat("0", 64)} {
		if _, err := s.Get(ref); !errors.Is(err, store.ErrNotFound) || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("get %q: %v", ref, err)
		}
	}
	apps, problems := s.List()
	if len(apps) != 2 || len(problems) != 0 || apps[0].SHA != a.SHA || apps[1].SHA != p.SHA {
		t.Fatalf("list %+v %v", apps, problems)
	}
	if got, err := s.Picture(a.SHA); err != nil || !bytes.Equal(got, pic) {
		t.Errorf("picture of %d bytes: %v", len(got), err)
	}
	if _, err := s.Picture(p.SHA); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a picture that is not there: %v", err)
	}
	if m, err := s.Manifest(a.SHA); err != nil || !bytes.Contains(m, []byte("ball")) {
		t.Errorf("manifest %q: %v", m, err)
	}
	if code, err := s.Module(p.SHA); err != nil || !bytes.Equal(code, read(t, "probe.wasm")) {
		t.Errorf("module of %d bytes: %v", len(code), err)
	}
	if err := s.Remove("ball"); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(a.ID()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left in the folder: %v, %v", left, err)
	}
}

func TestAddAgainReplacesManifest(t *testing.T) {
	s := openStore(t, t.TempDir(), nil)
	a := add(t, s, read(t, "ball.wasm"), ball)
	m := ball
	m.Title = "Ball, second edition"
	b := add(t, s, read(t, "ball.wasm"), m)
	if got, err := s.Get("ball"); err != nil || a.SHA != b.SHA || got.Manifest.Title != m.Title {
		t.Fatalf("%+v, %v", got, err)
	}
}

func TestAddRefuses(t *testing.T) {
	s := openStore(t, t.TempDir(), nil)
	add(t, s, read(t, "probe.wasm"), store.Manifest{Name: "probe", Title: "Probe"})
	with := func(f func(m *store.Manifest)) store.Manifest { m := ball; f(&m); return m }
	cart := read(t, "ball.wasm")
	for name, c := range map[string]struct {
		code    []byte
		m       store.Manifest
		picture []byte
		err     error
	}{
		"no module":     {[]byte("hello"), ball, nil, app.ErrNotWASM},
		"import":        {read(t, "bad/import.wasm"), ball, nil, app.ErrImport},
		"name":          {cart, with(func(m *store.Manifest) { m.Name = "../ball" }), nil, store.ErrManifest},
		"taken":         {cart, with(func(m *store.Manifest) { m.Name = "probe" }), nil, store.ErrTaken},
		"wrong kind":    {cart, with(func(m *store.Manifest) { m.Kind = app.ABI1 }), nil, store.ErrManifest},
		"no picture":    {cart, ball, []byte("GIF89a"), store.ErrPicture},
		"heavy picture": {cart, ball, make([]byte, store.MaxPicture+1), store.ErrPicture},
		"wide picture":  {cart, ball, picture(t, 4000, 1), store.ErrPicture},
	} {
		if _, err := s.Add(c.code, c.m, c.picture); !errors.Is(err, c.err) {
			t.Errorf("%s: %v, not %v", name, err, c.err)
		}
	}
	if apps, problems := s.List(); len(apps) != 1 || len(problems) != 0 {
		t.Errorf("what was refused left something: %v %v", apps, problems)
	}
}

func TestBrokenEntriesAreReported(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, nil)
	good := add(t, s, read(t, "probe.wasm"), store.Manifest{Name: "probe", Title: "Probe"})
	bad := add(t, s, read(t, "ball.wasm"), ball)
	lost := add(t, s, read(t, "draws.wasm"), store.Manifest{Name: "draws", Title: "Draws"})
	write := func(b []byte, parts ...string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(append([]string{dir}, parts...)...), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write([]byte("name = \"ball\"\ntitle = \"Ball\"\ncheats = true\n"), bad.ID(), "app.toml")
	write([]byte("not mine"), "notes.txt")
	if err := os.Remove(filepath.Join(dir, lost.ID(), "module.wasm")); err != nil {
		t.Fatal(err)
	}
	apps, problems := s.List()
	if len(apps) != 1 || apps[0].SHA != good.SHA || len(problems) != 3 {
		t.Fatalf("list %v, problems %v", apps, problems)
	}
	if text := errors.Join(problems[0], problems[1], problems[2]).Error(); !strings.Contains(text, `line 3: unknown key "cheats"`) || !strings.Contains(text, "notes.txt") {
		t.Errorf("problems: %s", text)
	}
	for _, p := range problems {
		if !errors.Is(p, store.ErrCorrupt) {
			t.Errorf("%v is not ErrCorrupt", p)
		}
	}
	if err := s.Remove(lost.ID()); err != nil {
		t.Errorf("a broken app cannot be removed: %v", err)
	}
	write(append(read(t, "probe.wasm"), 0), good.ID(), "module.wasm")
	if _, err := s.Module(good.SHA); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("a changed module: %v", err)
	}
	if _, err := s.Path(good.SHA); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("the path of a changed module: %v", err)
	}
}

func TestBuiltin(t *testing.T) {
	dir := t.TempDir()
	cart := read(t, "ball.wasm")
	s := openStore(t, dir, fstest.MapFS{
		"ball/module.wasm": {Data: cart}, "ball/app.toml": {Data: []byte("name = 'ball'\ntitle = 'Ball'\nkind = 'wasm4'\n")},
		"broken/module.wasm": {Data: cart}, "broken/app.toml": {Data: []byte("title = 1")},
		"source/main.go": {Data: []byte("package main")}, "readme": {Data: []byte("hi")},
	})
	apps, problems := s.List()
	if len(apps) != 1 || !apps[0].Builtin || len(problems) != 1 || problems[0].Entry != "broken" {
		t.Fatalf("%+v %v", apps, problems)
	}
	a, err := s.Get("ball")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Remove("ball"); !errors.Is(err, store.ErrBuiltin) {
		t.Errorf("removed: %v", err)
	}
	if _, err := s.Add(cart, ball, nil); !errors.Is(err, store.ErrBuiltin) {
		t.Errorf("added: %v", err)
	}
	for range 2 {
		name, err := s.Path(a.SHA)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(name); err != nil || !bytes.Equal(b, cart) {
			t.Fatalf("path %s: %v", name, err)
		}
		// The copy is made again when it is not what it was.
		if err := os.WriteFile(name, []byte("junk"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if apps, problems := s.List(); len(apps) != 1 || len(problems) != 1 {
		t.Errorf("the copy shows up: %v %v", apps, problems)
	}
}

// TestReadAt reads as a peer does, in pieces, from disk and from the binary.
func TestReadAt(t *testing.T) {
	s := openStore(t, t.TempDir(), games.FS)
	own := add(t, s, read(t, "ball.wasm"), ball)
	builtin, err := s.Get("latency")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []store.App{own, builtin} {
		want, err := s.Module(a.SHA)
		if err != nil {
			t.Fatal(err)
		}
		size, err := s.Size(a.SHA)
		if err != nil || size != int64(len(want)) {
			t.Fatalf("size %d of %d: %v", size, len(want), err)
		}
		var got []byte
		p := make([]byte, 100_000)
		for off := int64(0); off < size; {
			n, err := s.ReadAt(a.SHA, p, off)
			if err != nil && !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			got = append(got, p[:n]...)
			off += int64(n)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("%s: read %d other bytes", a.Manifest.Name, len(got))
		}
	}
	if _, err := s.ReadAt([32]byte{1}, nil, 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an app that is not there: %v", err)
	}
}

// TestBuiltinGames holds the games in the binary to the rules of everybody's.
func TestBuiltinGames(t *testing.T) {
	apps, problems := openStore(t, t.TempDir(), games.FS).List()
	if len(apps) == 0 || len(problems) != 0 {
		t.Fatalf("%d apps, problems %v", len(apps), problems)
	}
}

func TestAddFiles(t *testing.T) {
	s := openStore(t, t.TempDir(), nil)
	dir := t.TempDir()
	manifest := filepath.Join(dir, "app.toml")
	if err := os.WriteFile(manifest, []byte("name = \"ball\"\ntitle = \"Ball\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cart := filepath.Join("..", "testdata", "ball.wasm")
	if a, err := s.AddFiles(cart, manifest, ""); err != nil || a.Manifest.Name != "ball" {
		t.Fatalf("%+v, %v", a, err)
	}
	if _, err := s.AddFiles(filepath.Join(dir, "nothing"), manifest, ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if err := os.WriteFile(manifest, []byte("name = \"ball\"\ntitle = \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.AddFiles(cart, manifest, ""); !errors.Is(err, store.ErrManifest) || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("broken TOML: %v", err)
	}
}

func TestParseManifest(t *testing.T) {
	base := "name = \"x\"\ntitle = \"X\"\n"
	for text, says := range map[string]string{
		"title = \"X\"":                                              "name",
		"name = \"x\"":                                               "no title",
		"name = \"UPPER\"\ntitle = \"X\"":                            "a-z",
		base + "kind = \"exe\"":                                      "kind",
		base + "category = \"ad\"":                                   "category",
		base + "spam = 1":                                            `line 3: unknown key "spam"`,
		base + "[author]\nname = \"me\"":                             "line",
		base + "author = \"a\\u001b[31m\"":                           "U+001B",
		base + "license = \"\\u202e\"":                               "U+202E",
		base + "controls = [" + strings.Repeat("\"a\",", 17) + "]":   "17 controls",
		base + "description = \"" + strings.Repeat("é", 1001) + "\"": "1001 characters",
		base + "#" + strings.Repeat("x", store.MaxManifest):          "limit",
	} {
		if _, err := store.ParseManifest([]byte(text)); !errors.Is(err, store.ErrManifest) || !strings.Contains(err.Error(), says) {
			t.Errorf("%.40q: %v does not say %q", text, err, says)
		}
	}
	m, err := store.ParseManifest([]byte(base + "description = \"\"\"two\nlines\"\"\"\nkind = \"abi1\"\n"))
	if err != nil || m.Description != "two\nlines" {
		t.Errorf("%+v, %v", m, err)
	}
}

func FuzzParseManifest(f *testing.F) {
	f.Add([]byte("name = \"x\"\ntitle = \"X\"\ncontrols = [\"a\"]\nkind = \"abi1\"\n"))
	f.Add([]byte("name = 1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := store.ParseManifest(b)
		if err != nil {
			if !errors.Is(err, store.ErrManifest) {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		if !store.ValidName(m.Name) || m.Title == "" || len(m.Controls) > 16 {
			t.Fatalf("taken: %+v", m)
		}
	})
}
