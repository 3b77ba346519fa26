package gateway

import (
	"context"
	"fmt"
	"sync"
)

// errands are what goes on after its request was answered. They end with the server: none
// asks the node for anything once Stop has returned.
type errands struct {
	mu   sync.Mutex // guards ctx, and that nothing begins once it has ended
	ctx  context.Context
	stop context.CancelFunc
	wg   sync.WaitGroup
}

// open lets errands begin, at first and again after end.
func (e *errands) open() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ctx == nil || e.ctx.Err() != nil {
		e.ctx, e.stop = context.WithCancel(context.Background())
	}
}

// begin runs fn on a goroutine of its own; false, and fn does not run, after end.
func (e *errands) begin(fn func(ctx context.Context)) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	ctx := e.ctx
	if ctx.Err() != nil {
		return false
	}
	e.wg.Go(func() { fn(ctx) })
	return true
}

// end cuts all errands short and waits for them, or returns ctx's error.
func (e *errands) end(ctx context.Context) error {
	e.mu.Lock()
	e.stop()
	e.mu.Unlock()
	done := make(chan struct{})
	go func() { e.wg.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("gateway: what follows on requests is still under way: %w", ctx.Err())
	}
}
