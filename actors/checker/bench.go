package checker

import (
	"context"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/framemesh/framemesh/actors/checker/round"
)

// bench is where tiles are recomputed, so many at a time. At the priority of everything else
// here: a thread behind the others would hold a processor of the runtime, and what collects
// its garbage, for as long as a busy machine lets it wait; a check takes some ten ms.
type bench struct {
	seats   chan struct{}
	seconds prometheus.Counter
}

func newBench(threads int, seconds prometheus.Counter) *bench {
	return &bench{make(chan struct{}, threads), seconds}
}

// run does a job when there is a seat. ok is false when ctx ended first.
func (b *bench) run(ctx context.Context, job func() round.Checked) (found round.Checked, ok bool) {
	select {
	case b.seats <- struct{}{}:
	case <-ctx.Done():
		return found, false
	}
	done := make(chan round.Checked, 1)
	go func() {
		defer func() { <-b.seats }()
		runtime.LockOSThread() // its processor time is counted
		defer runtime.UnlockOSThread()
		before := threadSeconds()
		found := job()
		b.seconds.Add(max(threadSeconds()-before, 0))
		done <- found
	}()
	return <-done, true
}
