package cheat

import (
	"context"
	"crypto/sha256"
	"encoding/binary"

	"github.com/framemesh/framemesh/actors/container/prove"
	"github.com/framemesh/framemesh/gpu/kernel"
	"github.com/framemesh/framemesh/ledger/proof"
)

// Tiles renders single tiles of a chain of which the roots so far are known.
type Tiles interface {
	Shape(size uint32) (tiles uint32, samples uint64, ok bool)
	Leaf(task, container [32]byte, size uint32, roots [][32]byte, p proof.Pick) ([32]byte, error)
}

// More says whether there is time for frame n of a rendering of which only this percentage
// of the tiles is rendered.
type More func(ctx context.Context, r prove.Render, n, percent int) bool

// Renderer is an honest renderer with one thing changed; it is honest itself for a cheat
// that is no container's. Those that render by themselves ask more before each frame.
func (c Cheat) Renderer(honest prove.Renderer, tiles Tiles, more More) prove.Renderer {
	switch c.Name {
	case "overclaim":
		return &overclaim{honest, c.Value}
	case "skip":
		return &skip{honest, tiles, more, c.Value}
	case "replay":
		return &replay{Renderer: honest}
	case "precompute":
		return &precompute{honest}
	case "path":
		return &forgedPath{honest, tiles, more}
	case "late":
		return &late{honest}
	}
	return honest
}

// invented is what stands where nothing was rendered.
func invented(words ...[]byte) [32]byte {
	h := sha256.New()
	h.Write([]byte("invented"))
	for _, w := range words {
		h.Write(w)
	}
	return [32]byte(h.Sum(nil))
}

func be(v ...uint32) (b []byte) {
	for _, n := range v {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return b
}

// frames is a rendering that holds the leaves of every frame.
type frames struct {
	roots  [][32]byte
	leaves [][][32]byte
}

func (f *frames) add(leaves [][32]byte) {
	f.leaves = append(f.leaves, leaves)
	f.roots = append(f.roots, kernel.Root(leaves))
}

// Roots implements prove.Rendering.
func (f *frames) Roots() [][32]byte { return f.roots }

// Open implements prove.Rendering.
func (f *frames) Open(_ context.Context, picks []proof.Pick) (items []*proof.Opening, err error) {
	for _, p := range picks {
		t := kernel.NewTree(f.leaves[p.Frame])
		items = append(items, opening(p, t.Leaf(p.Tile), t.Path(p.Tile)))
	}
	return items, nil
}

func opening(p proof.Pick, leaf [32]byte, siblings [][32]byte) *proof.Opening {
	o := &proof.Opening{Frame: p.Frame, Tile: p.Tile, Leaf: leaf[:]}
	for i := range siblings {
		o.Siblings = append(o.Siblings, siblings[i][:])
	}
	return o
}

// overclaim appends frames that nobody rendered.
type overclaim struct {
	prove.Renderer
	times int
}

type padded struct {
	prove.Rendering
	rest frames
}

func (o *overclaim) Render(ctx context.Context, r prove.Render) (prove.Rendering, error) {
	work, err := o.Renderer.Render(ctx, r)
	if err != nil || work == nil || len(work.Roots()) == 0 {
		return work, err
	}
	first := len(work.Roots())
	leaf, err := work.Open(ctx, []proof.Pick{{}})
	if err != nil {
		return work, err
	}
	tiles := uint32(1) << len(leaf[0].GetSiblings())
	out := &padded{Rendering: work}
	for n := first; n < min(first*o.times, r.Frames); n++ {
		leaves := make([][32]byte, tiles)
		for t := range leaves {
			leaves[t] = invented(r.Task[:], be(uint32(n), uint32(t)))
		}
		out.rest.add(leaves)
	}
	return out, nil
}

func (p *padded) Roots() [][32]byte {
	return append(append([][32]byte(nil), p.Rendering.Roots()...), p.rest.roots...)
}

func (p *padded) Open(ctx context.Context, picks []proof.Pick) (items []*proof.Opening, err error) {
	n := uint32(len(p.Rendering.Roots()))
	for _, k := range picks {
		var got []*proof.Opening
		if k.Frame < n {
			got, err = p.Rendering.Open(ctx, []proof.Pick{k})
		} else {
			got, err = p.rest.Open(ctx, []proof.Pick{{Frame: k.Frame - n, Tile: k.Tile}})
		}
		if err != nil {
			return nil, err
		}
		got[0].Frame = k.Frame
		items = append(items, got...)
	}
	return items, nil
}
