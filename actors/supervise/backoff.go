package supervise

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// Backoff says how a failed actor is restarted: the n-th failure within Window
// waits between half of and the whole of min(Max, Min·2^(n-1)). More than Limit
// failures within Window and the actor is given up: stopped, and its parent told
// with ChildFailed. Limit 0 gives up at the first failure.
type Backoff struct {
	Min, Max time.Duration
	Window   time.Duration
	Limit    int
}

// DefaultBackoff is what an actor gets that asks for nothing else.
var DefaultBackoff = Backoff{Min: 100 * time.Millisecond, Max: 10 * time.Second, Window: time.Minute, Limit: 5}

// Delay is the wait before the restart after the n-th failure (n ≥ 1), with r in
// [0, 1) as the randomness.
func (b Backoff) Delay(n int, r float64) time.Duration {
	d := b.Min
	for i := 1; i < n && d < b.Max; i++ {
		d *= 2
	}
	if b.Max > 0 && d > b.Max {
		d = b.Max
	}
	return d/2 + time.Duration(r*float64(d-d/2))
}

// within drops the failures that are older than the window.
func (b Backoff) within(failures []time.Time, now time.Time) []time.Time {
	kept := failures[:0]
	for _, t := range failures {
		if now.Sub(t) < b.Window {
			kept = append(kept, t)
		}
	}
	return kept
}

// failure is what an incarnation panics with, so that the strategy knows who it was.
type failure struct {
	life *incarnation
	err  error
}

// strategy is the supervisor of every actor's children. HandleFailure runs on the
// parent's goroutine.
type strategy struct{}

var _ actor.SupervisorStrategy = strategy{}

func (strategy) HandleFailure(_ *actor.ActorSystem, sup actor.Supervisor, child *actor.PID,
	_ *actor.RestartStatistics, reason, _ any) {
	f, ok := reason.(*failure)
	if !ok { // a defect of the layer below; nothing of ours is known about it
		sup.StopChildren(child)
		return
	}
	c, now := f.life.cell, time.Now()
	b := c.set.backoff
	c.failures = append(b.within(c.failures, now), now)
	n := len(c.failures)
	if n > b.Limit {
		c.giveUp(fmt.Errorf("%w %d times within %s, last: %w", ErrFailed, n, b.Window, f.err))
		sup.StopChildren(child)
		return
	}
	d := b.Delay(n, rand.Float64())
	c.sys.log.Warn("actor restarts", "actor", c.path, "failures", n, "in", d, "err", f.err)
	c.restartAfter(d, f.life, sup)
}
