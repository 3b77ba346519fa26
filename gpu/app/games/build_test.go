package games

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/framemesh/framemesh/gpu/app"
	"github.com/framemesh/framemesh/gpu/app/games/build"
	"github.com/framemesh/framemesh/gpu/app/games/internal/cabinet"
)

// needToolchain skips a test where the pinned toolchain cannot be had;
// in CI that is a failure.
func needToolchain(t *testing.T) {
	t.Helper()
	err := build.Check(context.Background())
	switch {
	case err == nil:
	case os.Getenv("CI") == "true" || !errors.Is(err, build.ErrToolchain):
		t.Fatal(err)
	default:
		t.Skip(err)
	}
}

// The committed modules are what their sources say: anyone gets the same
// bytes.
func TestModulesAreBuiltFromTheirSources(t *testing.T) {
	needToolchain(t)
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "module.wasm")
			if err := build.Module(context.Background(), name, out); err != nil {
				t.Fatal(err)
			}
			built, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := sha256.Sum256(built), sha256.Sum256(module(t, name)); got != want {
				t.Errorf("built %x, committed %x: run go generate in gpu/app/games", got, want)
			}
		})
	}
}

// The guide's example is what a stranger copies: it must build in a module
// of its own, with the guide's own command, and play.
func TestTheGuidesExampleBuildsAndPlays(t *testing.T) {
	needToolchain(t)
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	guide, err := os.ReadFile(filepath.Join(root, "docs/guides/write-a-game.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(guide), "```go\npackage main")
	code, _, closed := strings.Cut(rest, "```")
	if !ok || !closed {
		t.Fatal("the guide has no complete program")
	}
	dir := t.TempDir()
	files := map[string]string{
		"main.go": "package main" + code,
		"go.mod": "module example.com/mygame\n\ngo 1.26.0\n\nrequire github.com/framemesh/framemesh v0.0.0\n\n" +
			"replace github.com/framemesh/framemesh => " + root + "\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(dir, "module.wasm")
	if err := build.Module(context.Background(), dir, out); err != nil {
		t.Fatal(err)
	}
	built, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	play := func(key uint8) []byte {
		c, err := cabinet.Open(context.Background(), built, app.Options{CacheDir: cache})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close(context.Background())
		c.Sit(0)
		c.Key(0, key, true)
		tick(t, c, 20)
		return bytes.Clone(c.Picture().Pix)
	}
	if bytes.Equal(play(keyRight), play(keyA)) {
		t.Error("the example does not answer to its keys")
	}
}
