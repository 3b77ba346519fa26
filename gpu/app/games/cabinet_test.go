package games

import (
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/framemesh/framemesh/gpu/app/games/internal/cabinet"
	"github.com/tetratelabs/wazero"
)

// compiled shares compiled code between the tests: a module takes most of a
// second to compile.
var compiled = sync.OnceValue(wazero.NewCompilationCache)

func module(t testing.TB, name string) []byte {
	t.Helper()
	b, err := FS.ReadFile(name + "/module.wasm")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func open(t testing.TB, name string, seed uint64, save []byte) *cabinet.Cabinet {
	t.Helper()
	c, err := cabinet.Open(context.Background(), compiled(), module(t, name), seed, save)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func tick(t testing.TB, c *cabinet.Cabinet, n int) {
	t.Helper()
	for range n {
		if err := c.Tick(); err != nil {
			t.Fatal(err)
		}
	}
}

func picture(c *cabinet.Cabinet) [32]byte { return sha256.Sum256(c.Frame().Pix) }

// read returns a file of this folder, for what is not embedded.
func read(t testing.TB, parts ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
