package kernel

import (
	"context"
	"fmt"
)

// MaxFrames bounds a chain: its roots travel with every opening, 32 bytes each.
const MaxFrames = 512

// maxKeptLeaves bounds what a chain keeps for its openings, 32 bytes each: 32 MiB.
const maxKeptLeaves = 1 << 20

// Chain is what a container rendered in a round, each frame seeded by the one before.
//
// It keeps the leaves and throws the words away: an opening carries a leaf and its
// path, never words, and a frame's leaves are 1/64 of its words. Frames beyond 2²⁰
// leaves are rendered again when one of their tiles is asked for, which costs a frame
// each and never more memory.
type Chain struct {
	backend         Backend
	size            Size
	task, container [32]byte
	roots           [][32]byte
	leaves          [][][32]byte // of the first frames
	words           []uint32
}

// Run renders frames one after another until ctx ends or there are limit (1 …
// MaxFrames); the frame that ctx cuts off does not count. onFrame, which may be nil, is
// told each frame's root at once. An error of the backend ends the chain and is returned
// together with what was rendered before; the end of ctx is none.
func Run(ctx context.Context, b Backend, size Size, task, container [32]byte, limit int, onFrame func(n uint32, root [32]byte)) (*Chain, error) {
	c := &Chain{backend: b, size: size, task: task, container: container}
	if err := size.Validate(); err != nil {
		return c, err
	}
	if limit < 1 || limit > MaxFrames {
		return c, fmt.Errorf("%w: a chain of %d frames, not 1 to %d", ErrRange, limit, MaxFrames)
	}
	for n := uint32(0); int(n) < limit; n++ {
		leaves, err := c.render(ctx, n)
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			return c, fmt.Errorf("kernel: frame %d on %s: %w", n, b.Device(), err)
		}
		root := Root(leaves)
		if (int(n)+1)*len(leaves) <= maxKeptLeaves {
			c.leaves = append(c.leaves, leaves)
		}
		c.roots = append(c.roots, root)
		if onFrame != nil {
			onFrame(n, root)
		}
	}
	return c, nil
}

func (c *Chain) render(ctx context.Context, n uint32) ([][32]byte, error) {
	seed := SeedOf(c.task, c.container, c.roots, n)
	leaves := make([][32]byte, c.size.Tiles())
	if l, ok := c.backend.(Leafer); ok {
		return leaves, l.Leaves(ctx, c.size, seed, leaves)
	}
	if c.words == nil {
		c.words = make([]uint32, c.size.Words())
	}
	if err := c.backend.Render(ctx, c.size, seed, c.words); err != nil {
		return nil, err
	}
	for t := range leaves {
		leaves[t] = Leaf(uint32(t), (*[TileWords]uint32)(c.words[t*TileWords:]))
	}
	return leaves, nil
}

// Roots returns the roots of the frames, in order. The caller must not change them.
func (c *Chain) Roots() [][32]byte { return c.roots }

// Commitment returns RootsRoot of the chain.
func (c *Chain) Commitment() [32]byte { return RootsRoot(c.roots) }

// Size returns the size of the frames.
func (c *Chain) Size() Size { return c.size }

// Samples returns how many camera paths the chain has in whole frames.
func (c *Chain) Samples() uint64 { return uint64(len(c.roots)) * c.size.Samples() }

// Opening shows one tile of a chain: its leaf, and the siblings up to the frame's root.
type Opening struct {
	Picked
	Leaf     [32]byte
	Siblings [][32]byte
}

// Open returns the openings of picks, in their order. It returns ErrRange for a tile
// that the chain does not have. Frames whose leaves were not kept are rendered again on
// the chain's backend, each once; ctx bounds that.
func (c *Chain) Open(ctx context.Context, picks []Picked) ([]Opening, error) {
	trees := map[uint32]*Tree{}
	out := make([]Opening, 0, len(picks))
	for _, p := range picks {
		if int(p.Frame) >= len(c.roots) || p.Tile >= c.size.Tiles() {
			return nil, fmt.Errorf("%w: frame %d of %d, tile %d of %d", ErrRange, p.Frame, len(c.roots), p.Tile, c.size.Tiles())
		}
		t := trees[p.Frame]
		if t == nil {
			leaves, err := c.leavesOf(ctx, p.Frame)
			if err != nil {
				return nil, err
			}
			t = NewTree(leaves)
			trees[p.Frame] = t
		}
		out = append(out, Opening{Picked: p, Leaf: t.Leaf(p.Tile), Siblings: t.Path(p.Tile)})
	}
	return out, nil
}

func (c *Chain) leavesOf(ctx context.Context, n uint32) ([][32]byte, error) {
	if int(n) < len(c.leaves) {
		return c.leaves[n], nil
	}
	leaves, err := c.render(ctx, n)
	if err != nil {
		return nil, fmt.Errorf("kernel: rendering frame %d again: %w", n, err)
	}
	if Root(leaves) != c.roots[n] {
		return nil, fmt.Errorf("%w: %s did not repeat frame %d; %s", ErrWrong, c.backend.Device(), n, wrongHint)
	}
	return leaves, nil
}
