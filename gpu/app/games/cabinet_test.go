package games

import (
	"context"
	"crypto/sha256"
	"os"
	"testing"

	"github.com/framemesh/framemesh/gpu/app"
	"github.com/framemesh/framemesh/gpu/app/games/internal/cabinet"
)

// cache holds compiled code between the tests: a module takes most of a
// second to compile.
var cache string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "games")
	if err != nil {
		panic(err)
	}
	cache = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func module(t testing.TB, name string) []byte {
	t.Helper()
	b, err := FS.ReadFile(name + "/module.wasm")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func open(t testing.TB, name string, o app.Options) *cabinet.Cabinet {
	t.Helper()
	o.CacheDir = cache
	c, err := cabinet.Open(context.Background(), module(t, name), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}

func tick(t testing.TB, c *cabinet.Cabinet, n int) {
	t.Helper()
	if err := c.Run(context.Background(), n); err != nil {
		t.Fatal(err)
	}
}

func picture(c *cabinet.Cabinet) [32]byte { return sha256.Sum256(c.Picture().Pix) }

func state(t testing.TB, c *cabinet.Cabinet) [32]byte {
	t.Helper()
	h, err := c.StateHash()
	if err != nil {
		t.Fatal(err)
	}
	return h
}
