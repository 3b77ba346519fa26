package checker

import (
	"context"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/framemesh/framemesh/actors/checker/round"
)

// bench is where tiles are recomputed: on so many threads, behind everything else that the
// machine does.
type bench struct {
	seats   chan struct{}
	seconds prometheus.Counter
}

func newBench(threads int, seconds prometheus.Counter) *bench {
	return &bench{make(chan struct{}, threads), seconds}
}

// run does a job when there is a seat. ok is false when ctx ended first.
func (b *bench) run(ctx context.Context, j *round.Job) (found round.Checked, ok bool) {
	select {
	case b.seats <- struct{}{}:
	case <-ctx.Done():
		return found, false
	}
	done := make(chan round.Checked, 1)
	go func() {
		defer func() { <-b.seats }()
		// Never unlocked: the thread ends with the goroutine and takes its priority along.
		runtime.LockOSThread()
		lowestPriority()
		before := threadSeconds()
		found := j.Run()
		b.seconds.Add(max(threadSeconds()-before, 0))
		done <- found
	}()
	return <-done, true
}
