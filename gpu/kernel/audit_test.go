package kernel

import "fmt"

// A checker as tests need one, from the kernel alone; what checkers run stands in
// actors/checker/recompute.

// Work returns the digest over picks in their order; seeds[i] is the seed of the
// frame of picks[i].
func Work(checker [32]byte, size Size, seeds []Seed, picks []Picked) [32]byte {
	w := NewWork(checker)
	var words [TileWords]uint32
	for i, p := range picks {
		RenderTile(size, seeds[i], p.Tile, &words)
		w.Add(p, &words)
	}
	return w.Sum()
}

// Finding is what recomputing openings showed.
type Finding struct {
	// Work is the digest over the true words of all tiles, right or wrong.
	Work [32]byte
	// Bad are the tiles whose leaf is not what rp-1 gives, in order: each is a fraud
	// proof together with its opening. Empty means all are right.
	Bad []Picked
}

// Audit recomputes openings of a chain of frames of this size with these roots. items
// must answer picks one by one, each with a path to its frame's root; if not, it returns
// ErrRange or ErrPath, which is no verdict on what was rendered. size must be valid.
func Audit(checker [32]byte, size Size, task, container [32]byte, roots [][32]byte, picks []Picked, items []Opening) (Finding, error) {
	if len(items) != len(picks) {
		return Finding{}, fmt.Errorf("%w: %d openings for %d tiles", ErrRange, len(items), len(picks))
	}
	for i := range items {
		if items[i].Picked != picks[i] {
			return Finding{}, fmt.Errorf("%w: opening %d is of another tile", ErrRange, i)
		}
		if err := items[i].Verify(size, roots); err != nil {
			return Finding{}, err
		}
	}
	w := NewWork(checker)
	var f Finding
	var words [TileWords]uint32
	for i := range items {
		o := &items[i]
		RenderTile(size, SeedOf(task, container, roots, o.Frame), o.Tile, &words)
		w.Add(o.Picked, &words)
		if Leaf(o.Tile, &words) != o.Leaf {
			f.Bad = append(f.Bad, o.Picked)
		}
	}
	f.Work = w.Sum()
	return f, nil
}

// Verify checks that the opening's path leads to its frame's root. It returns ErrSize,
// ErrRange or ErrPath.
func (o *Opening) Verify(size Size, roots [][32]byte) error {
	if err := size.Validate(); err != nil {
		return err
	}
	if uint64(o.Frame) >= uint64(len(roots)) {
		return fmt.Errorf("%w: frame %d of %d", ErrRange, o.Frame, len(roots))
	}
	return VerifyPath(roots[o.Frame], size.Tiles(), o.Tile, o.Leaf, o.Siblings)
}
