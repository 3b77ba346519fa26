package node

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/framemesh/framemesh/gpu/kernel"
	"github.com/framemesh/framemesh/gpu/kernel/apart"
)

// renderer is what a container proves with: a process of its own, so that neither a
// graphics driver nor threads of the lowest priority stand in the way of what this process
// sends to players. One that ends is replaced at the next frame asked of it.
type renderer struct {
	kind    string
	threads int

	seat    chan struct{} // held while the process is used: it does one thing at a time
	process *apart.Process
	name    string
	device  string
	closed  bool
	once    sync.Once
}

var (
	_ kernel.Backend = (*renderer)(nil)
	_ kernel.Leafer  = (*renderer)(nil)
)

// OpenBackend starts what renders for rounds: "gpu", "cpu" with so many threads, or with
// "auto" the graphics device where one computes what it should, else the processor. What it
// returns has passed the kernel's known answers.
func OpenBackend(ctx context.Context, kind string, threads int) (kernel.Backend, error) {
	r := &renderer{kind: apart.Best, threads: threads, seat: make(chan struct{}, 1)}
	switch kind {
	case BackendCPU:
		r.kind = apart.Go
	case BackendGPU:
		r.kind = apart.GPU
	}
	p, err := apart.Start(ctx, r.kind, threads)
	if err != nil {
		return nil, err
	}
	r.process, r.name, r.device = p, p.Name(), p.Device()
	return r, nil
}

// Name implements kernel.Backend.
func (r *renderer) Name() string { return r.name }

// Device implements kernel.Backend.
func (r *renderer) Device() string { return r.device }

// Render implements kernel.Backend.
func (r *renderer) Render(ctx context.Context, size kernel.Size, seed kernel.Seed, out []uint32) error {
	return r.use(ctx, func(p *apart.Process) error { return p.Render(ctx, size, seed, out) })
}

// Leaves implements kernel.Leafer.
func (r *renderer) Leaves(ctx context.Context, size kernel.Size, seed kernel.Seed, leaves [][32]byte) error {
	return r.use(ctx, func(p *apart.Process) error { return p.Leaves(ctx, size, seed, leaves) })
}

// use calls fn with a process that lives, as far as one can tell.
func (r *renderer) use(ctx context.Context, fn func(*apart.Process) error) error {
	select {
	case r.seat <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-r.seat }()
	if r.closed {
		return fmt.Errorf("%w: it was closed", apart.ErrEnded)
	}
	select {
	case <-r.process.Done():
		p, err := apart.Start(ctx, r.kind, r.threads)
		if err != nil {
			return err
		}
		r.process = p
	default:
	}
	return fn(r.process)
}

// Close ends the process; a frame that is being rendered is finished first.
func (r *renderer) Close() (err error) {
	r.once.Do(func() {
		r.seat <- struct{}{}
		defer func() { <-r.seat }()
		r.closed = true
		err = errors.Join(err, r.process.Close())
	})
	return err
}
