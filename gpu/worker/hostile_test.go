//go:build unix

package worker

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/framemesh/framemesh/gpu/app"
)

// probe is a module that misbehaves in one way for each button.
const probe = "../app/testdata/probe.wasm"

func withButton(button uint32) func([]byte) {
	return func(b []byte) { binary.LittleEndian.PutUint32(b[8:], button) }
}

// TestHostileModulesEndAlone plays modules that loop, trap, eat memory and leave,
// beside a game that must not notice.
func TestHostileModulesEndAlone(t *testing.T) {
	cache := sharedCache(t)
	neighbour := newAudience()
	n := startReal(t, realSpec(t, testCard, cache), neighbour)
	n.Run()
	neighbour.await(t, "a picture", func() bool { return len(neighbour.units) > 0 })
	for _, c := range []struct {
		name   string
		button uint32
		is     error
		words  string
		heavy  bool // takes long before it fails
	}{
		{"endless loop", app.ButtonA, ErrLooped, "no tick for ", false},
		{"all memory", app.ButtonB, ErrApp, "trapped at tick", true},
		{"trap", app.ButtonX, ErrApp, "trapped at tick", false},
		{"exit", app.ButtonY, ErrApp, "7", false},
		{"endless recursion", app.ButtonL1, ErrApp, "at tick", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newAudience()
			p := startReal(t, realSpec(t, probe, cache), a)
			p.Seat(0, true)
			p.Run()
			a.await(t, "a picture", func() bool { return len(a.units) > 0 })
			before := neighbour.pictures()
			p.Input(0, state(1, withButton(c.button)))
			err := a.end(t, p)
			if errors.Is(err, ErrLooped) {
				// How regular its ticks stay depends on the machine; but a process of its
				// own never stands still while another one loops.
				if shown := neighbour.pictures() - before; shown < 5 {
					t.Errorf("the neighbour showed %d pictures meanwhile", shown)
				}
				if c.heavy {
					return // on a machine that is so slow that nobody could tell the difference
				}
			}
			if c.name == "all memory" && errors.Is(err, ErrMemory) {
				return // told apart where the runtime can
			}
			if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.words) {
				t.Errorf("%v", err)
			}
		})
	}
	before := neighbour.pictures()
	neighbour.await(t, "the neighbour's next pictures", func() bool { return len(neighbour.units) > before+30 })
	n.Kill()
	_ = neighbour.end(t, n) // it was killed
	for _, s := range neighbour.stats {
		t.Logf("neighbour: %.1f pictures a second, %d ticks late, worst %v", s.FPS, s.Late, s.Worst)
	}
}

func TestWhatIsNoGameIsRefused(t *testing.T) {
	needEncoder(t)
	for name, code := range map[string]string{
		"text":   "this is not a game",
		"empty":  "",
		"no ABI": "\x00asm\x01\x00\x00\x00",
	} {
		module := filepath.Join(t.TempDir(), "m")
		if err := os.WriteFile(module, []byte(code), 0o600); err != nil {
			t.Fatal(err)
		}
		a := newAudience()
		p := startReal(t, Spec{Module: module, SHA256: sha256.Sum256([]byte(code))}, a)
		if err := a.end(t, p); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	a := newAudience()
	p := startReal(t, Spec{Module: t.TempDir()}, a)
	if err := a.end(t, p); !errors.Is(err, ErrRefused) {
		t.Errorf("a folder: %v", err)
	}
}

func TestWASM4CartPlays(t *testing.T) {
	a := newAudience()
	p := startReal(t, realSpec(t, "../app/testdata/ball.wasm", sharedCache(t)), a)
	p.Seat(0, true)
	p.Run()
	a.await(t, "pictures and sound", func() bool { return len(a.units) > 10 && len(a.audio) > 10 })
	if a.info.ABI != app.WASM4 || a.info.Width != a.info.Height {
		t.Errorf("%+v", *a.info)
	}
}
