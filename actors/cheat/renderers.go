package cheat

import (
	"context"
	"crypto/sha256"

	"github.com/framemesh/framemesh/actors/container/prove"
	"github.com/framemesh/framemesh/ledger/proof"
)

// lateMS is how much longer than the window the late one renders: longer than any grace
// that a round of this length has.
const lateMS = 2_000

// late goes on when the window is over.
type late struct{ prove.Renderer }

func (l *late) Render(ctx context.Context, r prove.Render) (prove.Rendering, error) {
	r.UntilMS += lateMS
	return l.Renderer.Render(ctx, r)
}

// precompute renders for a task that it guessed the day before.
type precompute struct{ prove.Renderer }

func (p *precompute) Render(ctx context.Context, r prove.Render) (prove.Rendering, error) {
	r.Task = sha256.Sum256([]byte("a good guess"))
	return p.Renderer.Render(ctx, r)
}

// replay shows every round what it rendered in the first one of the same size: frames of
// another have other tiles, and it could not even open them.
type replay struct {
	prove.Renderer
	had  prove.Rendering
	size uint32
}

func (p *replay) Render(ctx context.Context, r prove.Render) (work prove.Rendering, err error) {
	if p.had == nil || p.size != r.Size {
		p.had, err = p.Renderer.Render(ctx, r)
		p.size = r.Size
	}
	return p.had, err
}

// skip leaves out some of the tiles, evenly over the frame and others in each.
type skip struct {
	prove.Renderer
	tiles   Tiles
	more    More
	percent int
}

func (s *skip) Render(ctx context.Context, r prove.Render) (prove.Rendering, error) {
	out := new(frames)
	tiles, _, _ := s.tiles.Shape(r.Size)
	for n := 0; n < r.Frames && s.more(ctx, r, n, 100-s.percent); n++ {
		leaves := make([][32]byte, tiles)
		for t := range tiles {
			lot := invented(r.Task[:], r.Container[:], be(uint32(n), t))
			if (int(lot[0])<<8|int(lot[1]))%100 < s.percent {
				leaves[t] = lot
				continue
			}
			var err error
			if leaves[t], err = s.tiles.Leaf(r.Task, r.Container, r.Size, out.roots, proof.Pick{Frame: uint32(n), Tile: t}); err != nil {
				return nil, err
			}
		}
		out.add(leaves)
	}
	return out, nil
}

// forgedPath invents the roots of as many frames as may be. Asked for a tile it renders
// that one, and has no path to show for it.
type forgedPath struct {
	prove.Renderer
	tiles Tiles
	more  More
}

type forged struct {
	r     prove.Render
	tiles Tiles
	roots [][32]byte
}

func (f *forgedPath) Render(ctx context.Context, r prove.Render) (prove.Rendering, error) {
	out := &forged{r: r, tiles: f.tiles}
	for n := 0; n < r.Frames && f.more(ctx, r, n, 25); n++ {
		out.roots = append(out.roots, invented(r.Task[:], r.Container[:], be(uint32(n))))
	}
	return out, nil
}

func (f *forged) Roots() [][32]byte { return f.roots }

func (f *forged) Open(_ context.Context, picks []proof.Pick) (items []*proof.Opening, err error) {
	tiles, _, _ := f.tiles.Shape(f.r.Size)
	for _, p := range picks {
		leaf, err := f.tiles.Leaf(f.r.Task, f.r.Container, f.r.Size, f.roots, p)
		if err != nil {
			return nil, err
		}
		var siblings [][32]byte
		for n := tiles; n > 1; n = (n + 1) / 2 {
			siblings = append(siblings, invented(leaf[:], be(n)))
		}
		items = append(items, opening(p, leaf, siblings))
	}
	return items, nil
}
