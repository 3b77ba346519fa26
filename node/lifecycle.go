package node

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// How long one module may take: to start, on a machine on which much else runs (a container
// renders known answers at the lowest priority), and to stop.
const (
	startTimeout = time.Minute
	stopTimeout  = 15 * time.Second
)

// part is one started part of a node.
type part struct {
	name string
	stop func(context.Context) error
}

// lifecycle starts modules in order and stops them in the reverse order. What hangs
// is named.
type lifecycle struct{ running []part }

// start runs one module's start with a deadline and remembers how to stop it.
func (l *lifecycle) start(ctx context.Context, name string, start func(context.Context) (stop func(context.Context) error, err error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("node: %s did not start within %v", name, startTimeout))
	defer cancel()
	stop, err := start(ctx)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil && errors.Is(err, context.DeadlineExceeded) {
			err = cause
		}
		return fmt.Errorf("starting %s: %w", name, err)
	}
	if stop != nil {
		l.running = append(l.running, part{name, stop})
	}
	return nil
}

// stop stops everything that runs, newest first, and goes on when a module hangs.
func (l *lifecycle) stop(ctx context.Context) error {
	var errs []error
	for i := len(l.running) - 1; i >= 0; i-- {
		m := l.running[i]
		step, cancel := context.WithTimeout(ctx, stopTimeout)
		done := make(chan error, 1)
		go func() { done <- m.stop(step) }()
		select {
		case err := <-done:
			if err != nil {
				errs = append(errs, fmt.Errorf("stopping %s: %w", m.name, err))
			}
		case <-step.Done():
			errs = append(errs, fmt.Errorf("node: %s did not stop in time", m.name))
		}
		cancel()
	}
	l.running = nil
	return errors.Join(errs...)
}
