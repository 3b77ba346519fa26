package recompute

import (
	"errors"
	"testing"

	"github.com/framemesh/framemesh/gpu/kernel"
	"github.com/framemesh/framemesh/ledger/proof"
)

// chain is two frames of the smallest size, rendered and opened as a container does.
func chain(t *testing.T, task, container [32]byte, n int) (*kernel.Chain, []proof.Pick, []kernel.Opening) {
	t.Helper()
	b := kernel.CPU(1)
	t.Cleanup(func() { _ = b.Close() })
	c, err := kernel.Run(t.Context(), b, kernel.Sizes()[0], task, container, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	k := New()
	tiles, _, ok := k.Shape(0)
	if !ok {
		t.Fatal("there is no smallest size")
	}
	picks := k.Picks([32]byte{7}, c.Commitment(), uint32(len(c.Roots())), tiles, n)
	asked := make([]kernel.Picked, len(picks))
	for i, p := range picks {
		asked[i] = kernel.Picked(p)
	}
	items, err := c.Open(t.Context(), asked)
	if err != nil {
		t.Fatal(err)
	}
	return c, picks, items
}

// What a container opened is right, and each way of not being so has its own word: another
// leaf convicts, a path that leads elsewhere convicts, and what a chain does not have is no
// verdict.
func TestTilesOfAChain(t *testing.T) {
	task, container := [32]byte{1}, [32]byte{2}
	c, picks, items := chain(t, task, container, 6)
	k, roots := New(), c.Roots()
	for i, o := range items {
		if err := k.CheckTile(task, container, 0, roots, picks[i], o.Leaf, o.Siblings); err != nil {
			t.Errorf("%+v: %v", picks[i], err)
		}
		// The path is right and the rendering is another's.
		if err := k.CheckTile(task, [32]byte{3}, 0, roots, picks[i], o.Leaf, o.Siblings); !errors.Is(err, proof.ErrTile) {
			t.Errorf("%+v of another container: %v", picks[i], err)
		}
		spoiled := o.Leaf
		spoiled[0] ^= 1
		if err := k.CheckTile(task, container, 0, roots, picks[i], spoiled, o.Siblings); !errors.Is(err, proof.ErrPath) {
			t.Errorf("%+v with another leaf: %v", picks[i], err)
		}
		if err := k.CheckPath(0, roots, picks[i], o.Leaf, o.Siblings[1:]); !errors.Is(err, proof.ErrPath) {
			t.Errorf("%+v with a sibling too few: %v", picks[i], err)
		}
	}
	tiles, _, _ := k.Shape(0)
	for name, bad := range map[string]struct {
		class uint32
		pick  proof.Pick
		want  error
	}{
		"frame": {0, proof.Pick{Frame: uint32(len(roots))}, kernel.ErrRange},
		"tile":  {0, proof.Pick{Tile: tiles}, kernel.ErrRange},
		"class": {1 << 20, proof.Pick{}, kernel.ErrSize},
	} {
		err := k.CheckTile(task, container, bad.class, roots, bad.pick, items[0].Leaf, items[0].Siblings)
		if !errors.Is(err, bad.want) || errors.Is(err, proof.ErrTile) || errors.Is(err, proof.ErrPath) {
			t.Errorf("a %s that there is not: %v", name, err)
		}
		if _, err := k.Work(task, container, [32]byte{4}, bad.class, roots, []proof.Pick{bad.pick}); !errors.Is(err, bad.want) {
			t.Errorf("work on a %s that there is not: %v", name, err)
		}
	}
}

// The work is that of the tiles as they are, whatever was opened, and each checker's own.
func TestWorkIsOfTheTrueTiles(t *testing.T) {
	task, container, checker := [32]byte{1}, [32]byte{2}, [32]byte{4}
	c, picks, items := chain(t, task, container, 6)
	k, roots := New(), c.Roots()
	h := kernel.NewWork(checker)
	var words [kernel.TileWords]uint32
	leaves := make([][32]byte, len(items))
	for i, o := range items {
		leaves[i] = o.Leaf
		kernel.RenderTile(kernel.Sizes()[0], kernel.SeedOf(task, container, roots, o.Frame), o.Tile, &words)
		h.Add(o.Picked, &words)
	}
	work, err := k.Work(task, container, checker, 0, roots, picks)
	if err != nil || work != h.Sum() {
		t.Errorf("%x, want %x: %v", work, h.Sum(), err)
	}
	if other, err := k.Work(task, container, [32]byte{5}, 0, roots, picks); err != nil || other == work {
		t.Errorf("another checker's work is the same: %v", err)
	}
	if got, wrong, err := k.Audit(task, container, checker, 0, roots, picks, leaves); err != nil || wrong != -1 || got != work {
		t.Errorf("an honest chain: %x, leaf %d, %v", got, wrong, err)
	}
	leaves[3][0] ^= 1
	if got, wrong, err := k.Audit(task, container, checker, 0, roots, picks, leaves); err != nil || wrong != 3 || got != work {
		t.Errorf("with leaf 3 spoiled: %x, leaf %d, %v", got, wrong, err)
	}
}
