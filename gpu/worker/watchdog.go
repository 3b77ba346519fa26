package worker

import (
	"fmt"
	"sync"
	"time"
)

// How long a worker may give no sign of life. All count in watchdog steps and not in wall
// time, so that a machine that slept or stalled as a whole blames nobody.
const (
	watchStep    = 250 * time.Millisecond
	hungSteps    = 8   // 2 s without a tick, if it had the processor in them
	starvedSteps = 40  // 10 s, if others had: a machine with too much to do is no fault of an app
	startSteps   = 240 // 60 s to load: a cold compile of a large module on a slow, busy machine
	startLimit   = 960 // 4 min, if others had the processor

	goneSteps = 20 // 5 s to end, after its last word

	// hungCPU is the processor time that a worker uses in hungSteps when it loops, less what
	// a busy machine takes from it in passing.
	hungCPU = hungSteps * watchStep * 3 / 4
)

// watchdog judges a worker by its signs of life. It is pure state, and one goroutine's.
type watchdog struct {
	beats uint64
	still int           // steps since the last sign
	since time.Duration // processor time used until then
}

// step takes in what a watchdog step finds: the messages so far, whether one is being handled
// now, whether the worker has loaded, and the processor time that it has used so far. It
// returns why to end the worker, or nil.
func (w *watchdog) step(beats uint64, busy, ready bool, cpu func() (time.Duration, bool)) error {
	used, known := cpu()
	if beats != w.beats || busy {
		w.beats, w.still, w.since = beats, 0, used
		return nil
	}
	w.still++
	switch {
	case !ready && w.still < startSteps, ready && w.still < hungSteps:
		return nil
	case !ready && known && used-w.since < startSteps*watchStep/2 && w.still < startLimit:
		return nil
	case !ready:
		return fmt.Errorf("%w: not ready after %v", ErrLooped, time.Duration(w.still)*watchStep)
	case known && used-w.since < hungCPU && w.still < starvedSteps:
		return nil
	}
	return fmt.Errorf("%w: no tick for %v", ErrLooped, (time.Duration(w.still) * watchStep).Truncate(time.Second))
}

// watch ends a worker that shows no sign of life.
func (p *Process) watch() {
	t := time.NewTicker(watchStep)
	defer t.Stop()
	var w watchdog
	for {
		select {
		case <-p.done:
			return
		case <-t.C:
		}
		if err := w.step(p.beats.Load(), p.busy.Load(), p.ready.Load(), func() (time.Duration, bool) { return cpuOf(p.pid) }); err != nil {
			p.end(err)
			return
		}
	}
}

// after calls f once so many watchdog steps have passed, unless it is stopped before. Like
// the watchdog it counts a standstill of the whole machine as one step.
func after(steps int, f func()) (stop func()) {
	var mu sync.Mutex
	var timer *time.Timer
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(watchStep, func() {
		mu.Lock()
		defer mu.Unlock()
		if steps--; steps == 0 {
			f()
		} else if steps > 0 {
			timer.Reset(watchStep)
		}
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		steps = 0
		timer.Stop()
	}
}
