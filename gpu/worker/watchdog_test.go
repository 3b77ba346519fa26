package worker

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A worker that loops is ended soon, one that others leave no processor to later, and one
// that gives a sign of life now and then never.
func TestWatchdog(t *testing.T) {
	for name, c := range map[string]struct {
		cpu    time.Duration // used in each step
		known  bool
		ready  bool
		every  int // steps between two messages; 0 = there are none
		busy   bool
		steps  int // until it is ended; 0 = never
		saying string
	}{
		"loops":                          {cpu: watchStep, known: true, ready: true, steps: hungSteps, saying: "no tick for 2s"},
		"loops, with a neighbour":        {cpu: watchStep / 2, known: true, ready: true, steps: hungSteps * 3 / 2, saying: "no tick for 3s"},
		"sleeps":                         {known: true, ready: true, steps: starvedSteps, saying: "no tick for 10s"},
		"no word on the processor":       {ready: true, steps: hungSteps, saying: "no tick for 2s"},
		"loads":                          {cpu: watchStep, known: true, steps: startSteps, saying: "not ready after 1m0s"},
		"loads, with three neighbours":   {cpu: watchStep / 4, known: true, steps: 2 * startSteps, saying: "not ready after 2m0s"},
		"hangs before it has loaded":     {known: true, steps: startLimit, saying: "not ready after 4m0s"},
		"a message now and then":         {cpu: watchStep, known: true, ready: true, every: hungSteps - 1},
		"its message is not taken":       {cpu: watchStep, known: true, ready: true, busy: true},
		"a message, on a busy machine":   {cpu: watchStep / 20, known: true, ready: true, every: starvedSteps - 1},
		"too few, and it has had plenty": {cpu: watchStep, known: true, ready: true, every: hungSteps + 1, steps: hungSteps, saying: "no tick for 2s"},
	} {
		var w watchdog
		var err error
		ended := 0
		for n := 1; n <= 10*startSteps && err == nil; n++ {
			beats := uint64(0)
			if c.every > 0 {
				beats = uint64(n / c.every)
			}
			if err = w.step(beats, c.busy, c.ready, func() (time.Duration, bool) { return time.Duration(n) * c.cpu, c.known }); err != nil {
				ended = n
			}
		}
		if ended != c.steps || err != nil && (!errors.Is(err, ErrLooped) || !strings.Contains(err.Error(), c.saying)) {
			t.Errorf("%s: after %d steps: %v, want %d", name, ended, err, c.steps)
		}
	}
}

func TestAfterCountsSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fired := 0
		stop := after(4, func() { fired++ })
		time.Sleep(4*watchStep - 1)
		synctest.Wait()
		if fired != 0 {
			t.Error("too early")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if fired != 1 {
			t.Errorf("called %d times", fired)
		}
		stop()
		stop = after(4, func() { fired++ })
		time.Sleep(2 * watchStep)
		stop()
		time.Sleep(time.Minute)
		if fired != 1 {
			t.Error("called after it was stopped")
		}
	})
}
