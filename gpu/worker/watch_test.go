//go:build cgo

package worker

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/framemesh/framemesh/gpu/cell"
)

func watcher(t *testing.T) *Watcher {
	t.Helper()
	w, err := Watch(os.Args[0], "worker", "watch")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

// What a session is asked to show is in its next pictures and in no others.
func TestAChallengeIsInThePicture(t *testing.T) {
	w, a := watcher(t), newAudience()
	p := startReal(t, realSpec(t, testCard, sharedCache(t)), a)
	p.Run()
	a.await(t, "pictures", func() bool { return len(a.units) > 10 })
	code := cell.Code([]byte("owner"), [8]byte{7})
	var before int
	a.put(func() { before = len(a.units) })
	p.Cell(code)
	a.await(t, "pictures after the challenge", func() bool { return len(a.units) > before+20 })
	p.Kill()
	_ = a.end(t, p) // it was killed
	var at []int
	for i, u := range a.units {
		seen, err := w.Look(u.Data)
		if err != nil {
			t.Fatal(err)
		}
		if !seen.Picture || seen.Width != 640 || seen.Height != 360 {
			t.Fatalf("picture %d: %+v", i, seen)
		}
		if seen.Strip && cell.Matches(seen.Code, code) {
			at = append(at, i)
		}
	}
	if len(at) != cell.Frames || at[0] < before || at[1] != at[0]+1 {
		t.Errorf("pictures %v show the strip, asked for at %d", at, before)
	}
}

// A process that is gone, silent or none of ours ends the watching and nothing else.
func TestWatchersThatFail(t *testing.T) {
	if _, err := Watch(filepath.Join(t.TempDir(), "nothing")); !errors.Is(err, ErrSpawn) {
		t.Error(err)
	}
	if _, err := Watch(os.Args[0], "junk"); !errors.Is(err, ErrSpawn) {
		t.Error(err)
	}
	w := watcher(t)
	if s, err := w.Look([]byte("no access unit")); err != nil || s.Picture {
		t.Error(s, err)
	}
	killGroup(w.cmd)
	var err error
	for range 100 {
		if _, err = w.Look([]byte{0, 0, 1, 0x65, 1}); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrCrashed) {
		t.Error(err)
	}
	if _, again := w.Look(nil); !errors.Is(again, ErrCrashed) {
		t.Error(again)
	}
}
