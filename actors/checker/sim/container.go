package sim

import (
	"context"

	"github.com/framemesh/framemesh/actors/cheat"
	"github.com/framemesh/framemesh/actors/container/prove"
	"github.com/framemesh/framemesh/gpu/kernel"
	"github.com/framemesh/framemesh/ledger/proof"
)

// container is one container over all epochs.
type container struct {
	node
	w      *World
	rate   uint64 // samples/s
	liar   *cheat.Cheat
	render prove.Renderer
	loaded bool // in this epoch
	ahead  int64

	prover *prove.Prover
	saved  []byte
	life   int // counts restarts, so that what was asked for before a crash finds nobody

	rounds []uint64 // milli-RP of the last rounds
	Fate   Fate
}

func (n *container) cheats(c cheat.Cheat) {
	n.liar = &c
	n.render = c.Renderer(&device{n: n}, n.w.c.Kernel, n.more)
}

// more is cheat.More: time is counted in frames.
func (n *container) more(_ context.Context, r prove.Render, frame, percent int) bool {
	return frame*percent < n.frames(r)*100
}

// frames is how many whole frames the device renders in the time that it is given.
func (n *container) frames(r prove.Render) int {
	c := n.w.c
	ms := r.UntilMS - n.begun(r)
	rate := n.rate
	if n.loaded {
		rate /= 3
	}
	if c.Frames > 0 {
		return int(uint64(c.Frames) * rate / c.Rate * ms / c.Params.DurMS)
	}
	_, samples, _ := c.Kernel.Shape(r.Size)
	return int(rate * ms / 1000 / samples)
}

// begun is when the rendering began, by the container's clock.
func (n *container) begun(r prove.Render) uint64 { return min(n.clock(n.w.q.now), r.UntilMS) }

// device renders honestly.
type device struct{ n *container }

// chain is what it rendered; the leaves are made when they are asked for.
type chain struct {
	n     *container
	r     prove.Render
	roots [][32]byte
}

func (d *device) Render(_ context.Context, r prove.Render) (prove.Rendering, error) {
	out := &chain{n: d.n, r: r}
	for range min(d.n.frames(r), r.Frames) {
		leaves, err := out.leaves(uint32(len(out.roots)))
		if err != nil {
			return nil, err
		}
		out.roots = append(out.roots, kernel.Root(leaves))
	}
	d.n.w.report.FramesRendered += len(out.roots)
	return out, nil
}

func (d *device) Reopen(r prove.Render, roots [][32]byte) prove.Rendering {
	return &chain{n: d.n, r: r, roots: roots}
}

func (c *chain) leaves(frame uint32) ([][32]byte, error) {
	k := c.n.w.c.Kernel
	tiles, _, _ := k.Shape(c.r.Size)
	leaves := make([][32]byte, tiles)
	for t := range leaves {
		var err error
		if leaves[t], err = k.Leaf(c.r.Task, c.r.Container, c.r.Size, c.roots, proof.Pick{Frame: frame, Tile: uint32(t)}); err != nil {
			return nil, err
		}
	}
	return leaves, nil
}

func (c *chain) Roots() [][32]byte { return c.roots }

func (c *chain) Open(_ context.Context, picks []proof.Pick) (items []*proof.Opening, err error) {
	trees := make([]*kernel.Tree, len(c.roots))
	for _, p := range picks {
		if trees[p.Frame] == nil {
			leaves, err := c.leaves(p.Frame)
			if err != nil {
				return nil, err
			}
			trees[p.Frame] = kernel.NewTree(leaves)
		}
		leaf := trees[p.Frame].Leaf(p.Tile)
		item := &proof.Opening{Frame: p.Frame, Tile: p.Tile, Leaf: leaf[:]}
		for _, s := range trees[p.Frame].Path(p.Tile) {
			item.Siblings = append(item.Siblings, s[:])
		}
		items = append(items, item)
	}
	return items, nil
}

func (n *container) setup() prove.Setup {
	w := n.w
	s := prove.Setup{Chain: Chain, Key: n.key, Epoch: w.epoch, Task: w.plan.Task, Kernel: w.c.Kernel, Picks: w.c.Params.K,
		T0: w.times.T0, Until: w.times.T0 + w.c.Params.DurMS, CommitBy: w.times.CommitBy, Close: w.times.End, Ahead: n.ahead}
	if w.c.Frames == 0 {
		s.Rate = n.rate
	}
	if b, _, ok := w.plan.Of(n.name); ok {
		s.Checkers = append(append(s.Checkers, w.plan.Batches[b].Committee...), w.plan.Batches[b].Reserve...)
	}
	return s
}

func (n *container) begin() {
	if n.render == nil {
		n.render = &device{n: n}
	}
	n.saved, n.prover = nil, nil
	n.w.awake(&n.node, n.start)
}

// start is the node's process coming up.
func (n *container) start() {
	if n.down(n.w.q.now) {
		return
	}
	n.life++
	var err error
	if n.saved != nil {
		n.prover, err = prove.Restore(n.setup(), n.render, n.saved)
	} else {
		n.prover, err = prove.New(n.setup())
	}
	if err != nil {
		panic(err)
	}
	n.do(n.prover.At(n.clock(n.w.q.now)))
}

// later does something at a moment, if the process still runs by then.
func (n *container) later(at uint64, do func()) {
	life := n.life
	n.w.q.at(at, func() {
		if n.life == life && !n.down(n.w.q.now) {
			do()
		}
	})
}

func (n *container) do(todo []prove.Action) {
	w := n.w
	if n.to > n.from {
		b, err := n.prover.Save()
		if err != nil {
			panic(err)
		}
		n.saved = b
	}
	for _, a := range todo {
		switch a := a.(type) {
		case prove.Wake:
			n.later(n.when(a.AtMS), func() { n.do(n.prover.At(n.clock(w.q.now))) })
		case prove.Render:
			work, err := n.render.Render(context.Background(), a)
			if err != nil {
				panic(err)
			}
			end := n.when(a.UntilMS) + w.busy(n)
			if n.liar != nil && n.liar.Name == "late" {
				end += lateMS
			}
			n.later(end, func() { n.do(n.prover.Rendered(n.clock(w.q.now), work)) })
		case prove.Send:
			n.send(a)
		}
	}
}

// lateMS is how long the late one goes on; as in package cheat.
const lateMS = 2_000

// busy is how long a loaded machine takes for anything, ms.
func (w *World) busy(n *container) uint64 {
	if n.loaded {
		return 20 + w.upTo(100)
	}
	return 0
}

// callMS is how long a call waits for its answer.
const callMS = 3_000

// send brings the commitment to a checker, and its answer back.
func (n *container) send(a prove.Send) {
	w := n.w
	c := w.byChecker[a.To]
	there, back := w.travel(&n.node, &c.node), w.travel(&n.node, &c.node)
	sent := n.clock(w.q.now)
	failed := func() { n.do(n.prover.Failed(n.clock(w.q.now), a.To)) }
	w.count("commit", "container", len(a.Commit.Raw))
	if w.chance(w.c.Net.LossPPM) {
		n.later(w.q.now+callMS, failed)
		return
	}
	w.q.at(w.q.now+there, func() {
		if c.down(w.q.now) || c.round == nil {
			n.later(w.q.now+callMS-there, failed)
			return
		}
		stamp, ok := c.committed(n, a.Commit, there+back)
		if w.chance(w.c.Net.LossPPM) || !ok {
			n.later(w.q.now+callMS-there, failed)
			return
		}
		n.later(w.q.now+back, func() {
			n.prover.Stamped(a.To, sent, n.clock(w.q.now), stamp)
			n.ahead = n.prover.Ahead()
		})
	})
}
