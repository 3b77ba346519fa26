package prover

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/framemesh/framemesh/actors/container/prove"
	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/gpu/kernel"
	"github.com/framemesh/framemesh/ledger/proof"
)

// render starts the backend on the chain of this epoch.
func (s *state) render(c *supervise.Ctx, a prove.Render) {
	s.halt()
	s.tries++
	epoch, try, p := s.epoch, s.tries, s.p
	life, cancel := context.WithCancel(c.Context())
	s.stop = cancel
	c.Go(func(context.Context) any {
		defer cancel()
		start := time.Now()
		work, err := p.render.Render(life, a)
		if life.Err() != nil {
			work = nil // stopped: what there is counts for nothing
		}
		return rendered{epoch, try, work, time.Since(start), err}
	})
}

// halt ends a rendering that is under way.
func (s *state) halt() {
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
}

func (s *state) rendered(c *supervise.Ctx, m rendered) {
	s.p.metrics.seconds.Add(m.took.Seconds())
	if m.epoch != s.epoch || m.try != s.tries || s.machine == nil || s.stop == nil {
		return
	}
	s.stop = nil
	if m.err != nil {
		c.Log().Warn("the renderer ended early", "epoch", m.epoch, "backend", s.p.o.Backend.Name(), "err", m.err)
	}
	if m.work == nil || len(m.work.Roots()) == 0 {
		s.p.metrics.rounds.WithLabelValues("empty").Inc()
	}
	s.do(c, s.machine.Rendered(s.now(), m.work))
	if samples := s.machine.Samples(); samples > 0 && m.took > 0 {
		s.rate = uint64(float64(samples) / m.took.Seconds())
		s.p.metrics.rate.Set(float64(s.rate))
	}
}

var _ prove.Renderer = (*Prover)(nil)

// Render implements prove.Renderer on the backend.
func (p *Prover) Render(ctx context.Context, r prove.Render) (prove.Rendering, error) {
	size, err := sizeOf(r.Size)
	if err != nil {
		return nil, err
	}
	if err := p.turn(ctx); err != nil {
		return nil, err
	}
	defer p.next()
	left := time.Duration(int64(r.UntilMS)-p.o.Now().UnixMilli()) * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	chain, err := kernel.Run(ctx, p.o.Backend, size, r.Task, r.Container, r.Frames, nil)
	if chain == nil || len(chain.Roots()) == 0 {
		return nil, err
	}
	return &rendering{chain: chain, p: p}, err
}

// Reopen implements prove.Renderer.
func (p *Prover) Reopen(r prove.Render, roots [][32]byte) prove.Rendering {
	size, err := sizeOf(r.Size)
	if err != nil {
		return &rendering{err: err}
	}
	return &rendering{chain: kernel.Resume(p.o.Backend, size, r.Task, r.Container, roots), p: p}
}

func sizeOf(index uint32) (kernel.Size, error) {
	sizes := kernel.Sizes()
	if uint64(index) >= uint64(len(sizes)) {
		return kernel.Size{}, fmt.Errorf("prover: the kernel has no size %d", index)
	}
	return sizes[index], nil
}

// turn waits for the backend, which serves one caller at a time; ten checkers may ask at
// once. Who got it gives it back with next.
func (p *Prover) turn(ctx context.Context) error {
	select {
	case p.device <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *Prover) next() { <-p.device }

// rendering shows a kernel's chain to package prove.
type rendering struct {
	chain *kernel.Chain
	p     *Prover
	err   error
}

// Roots implements prove.Rendering.
func (r *rendering) Roots() [][32]byte {
	if r.chain == nil {
		return nil
	}
	return r.chain.Roots()
}

// Open implements prove.Rendering.
func (r *rendering) Open(ctx context.Context, picks []proof.Pick) ([]*proof.Opening, error) {
	if r.err != nil {
		return nil, r.err
	}
	if err := r.p.turn(ctx); err != nil {
		return nil, err
	}
	defer r.p.next()
	want := make([]kernel.Picked, len(picks))
	for i, p := range picks {
		want[i] = kernel.Picked{Frame: p.Frame, Tile: p.Tile}
	}
	shown, err := r.chain.Open(ctx, want)
	if err != nil {
		return nil, err
	}
	if len(shown) != len(picks) {
		return nil, errors.New("prover: the kernel opened other tiles than were asked for")
	}
	out := make([]*proof.Opening, len(shown))
	for i := range shown {
		o := &proof.Opening{Frame: shown[i].Frame, Tile: shown[i].Tile, Leaf: shown[i].Leaf[:]}
		for n := range shown[i].Siblings {
			o.Siblings = append(o.Siblings, shown[i].Siblings[n][:])
		}
		out[i] = o
	}
	return out, nil
}
