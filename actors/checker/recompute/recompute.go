// Package recompute is the kernel as rounds and the ledger ask for it: shapes, picks,
// tiles and work of rp-1. The ledger names what it needs as proof.Kernel and may not import
// gpu/kernel; this is the bridge between the two. It is pure: what it renders is a function
// of its arguments.
package recompute

import (
	"errors"
	"fmt"

	"github.com/framemesh/framemesh/gpu/kernel"
	"github.com/framemesh/framemesh/ledger/proof"
)

// Kernel renders single tiles. It is safe for use by several goroutines.
type Kernel struct{ render Render }

var _ proof.Kernel = (*Kernel)(nil)

// Render fills words with one tile of the frame of a seed.
type Render func(size kernel.Size, seed kernel.Seed, tile uint32, words *[kernel.TileWords]uint32)

// New is rp-1 on this machine's processor.
func New() *Kernel { return With(kernel.RenderTile) }

// With is rp-1 with another renderer of tiles, for simulations in which what a tile costs
// is counted and not spent.
func With(render Render) *Kernel { return &Kernel{render} }

// Version implements proof.Kernel.
func (k *Kernel) Version() string { return kernel.Name }

func sizeOf(class uint32) (kernel.Size, bool) {
	all := kernel.Sizes()
	if uint64(class) >= uint64(len(all)) {
		return kernel.Size{}, false
	}
	return all[class], true
}

// Shape implements proof.Kernel.
func (k *Kernel) Shape(size uint32) (tiles uint32, samples uint64, ok bool) {
	s, ok := sizeOf(size)
	return s.Tiles(), s.Samples(), ok
}

// RootsRoot implements proof.Kernel.
func (k *Kernel) RootsRoot(roots [][32]byte) [32]byte { return kernel.RootsRoot(roots) }

// Picks implements proof.Kernel.
func (k *Kernel) Picks(nonce, commit [32]byte, frames, tiles uint32, n int) []proof.Pick {
	picked := kernel.Pick(nonce, commit, frames, tiles, n)
	all := make([]proof.Pick, len(picked))
	for i, p := range picked {
		all[i] = proof.Pick(p)
	}
	return all
}

// inside returns the size of a class, or an error for a tile that a chain does not have.
func inside(class uint32, roots [][32]byte, p proof.Pick) (kernel.Size, error) {
	s, ok := sizeOf(class)
	if !ok {
		return s, fmt.Errorf("%w: class %d", kernel.ErrSize, class)
	}
	if uint64(p.Frame) >= uint64(len(roots)) || p.Tile >= s.Tiles() {
		return s, fmt.Errorf("%w: frame %d of %d, tile %d of %d", kernel.ErrRange, p.Frame, len(roots), p.Tile, s.Tiles())
	}
	return s, nil
}

// Leaf renders a tile of a chain, of which the roots of the frames before its own are
// known, and returns its leaf.
func (k *Kernel) Leaf(task, container [32]byte, class uint32, roots [][32]byte, p proof.Pick) ([32]byte, error) {
	s, ok := sizeOf(class)
	if !ok || uint64(p.Frame) > uint64(len(roots)) || p.Tile >= s.Tiles() {
		return [32]byte{}, fmt.Errorf("%w: frame %d after %d, tile %d of class %d", kernel.ErrRange, p.Frame, len(roots), p.Tile, class)
	}
	var words [kernel.TileWords]uint32
	k.render(s, kernel.SeedOf(task, container, roots, p.Frame), p.Tile, &words)
	return kernel.Leaf(p.Tile, &words), nil
}

// CheckTile implements proof.Kernel.
func (k *Kernel) CheckTile(task, container [32]byte, class uint32, roots [][32]byte, p proof.Pick, leaf [32]byte, siblings [][32]byte) error {
	if err := path(class, roots, p, leaf, siblings); err != nil {
		return err
	}
	switch got, err := k.Leaf(task, container, class, roots, p); {
	case err != nil:
		return err
	case got != leaf:
		return fmt.Errorf("%w: tile %d of frame %d", proof.ErrTile, p.Tile, p.Frame)
	}
	return nil
}

func path(class uint32, roots [][32]byte, p proof.Pick, leaf [32]byte, siblings [][32]byte) error {
	s, err := inside(class, roots, p)
	if err != nil {
		return err
	}
	err = kernel.VerifyPath(roots[p.Frame], s.Tiles(), p.Tile, leaf, siblings)
	if errors.Is(err, kernel.ErrPath) {
		return fmt.Errorf("%w: %w", proof.ErrPath, err)
	}
	return err
}

// Work implements proof.Kernel.
func (k *Kernel) Work(task, container, checker [32]byte, class uint32, roots [][32]byte, picks []proof.Pick) ([32]byte, error) {
	work, _, err := k.Audit(task, container, checker, class, roots, picks, nil)
	return work, err
}

// Audit answers both questions of a checker with one rendering of each tile: the work over
// all of them, and the first of the leaves that is not its tile's, −1 for none. It does not
// look at paths. Without leaves it returns the work alone.
func (k *Kernel) Audit(task, container, checker [32]byte, class uint32, roots [][32]byte, picks []proof.Pick, leaves [][32]byte) (work [32]byte, wrong int, err error) {
	h := kernel.NewWork(checker)
	wrong = -1
	var words [kernel.TileWords]uint32
	for i, p := range picks {
		s, err := inside(class, roots, p)
		if err != nil {
			return work, -1, err
		}
		k.render(s, kernel.SeedOf(task, container, roots, p.Frame), p.Tile, &words)
		h.Add(kernel.Picked(p), &words)
		if wrong < 0 && i < len(leaves) && kernel.Leaf(p.Tile, &words) != leaves[i] {
			wrong = i
		}
	}
	return h.Sum(), wrong, nil
}

// CheckPath is nil when the siblings lead from the leaf to the frame's root, and wraps
// proof.ErrPath when they do not.
func (k *Kernel) CheckPath(class uint32, roots [][32]byte, p proof.Pick, leaf [32]byte, siblings [][32]byte) error {
	return path(class, roots, p, leaf, siblings)
}
