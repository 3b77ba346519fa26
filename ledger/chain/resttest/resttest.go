// Package resttest sees in tests whether what has stopped has left goroutines behind.
package resttest

import (
	"bytes"
	"runtime"
	"runtime/pprof"
	"testing"
	"time"
)

// Leaves starts and stops something four times by once, and fails with a list of what runs
// where each of the last three left more than so many goroutines behind; what a process keeps
// for good begins with the first.
func Leaves(t testing.TB, most int, once func()) {
	t.Helper()
	once()
	before := rested()
	const times = 3
	for range times {
		once()
	}
	if after := rested(); after >= before+(most+1)*times {
		var b bytes.Buffer
		_ = pprof.Lookup("goroutine").WriteTo(&b, 1)
		t.Errorf("%d goroutines before, %d after it was started and stopped %d times:\n%s", before, after, times, b.String())
	}
}

// rested counts the goroutines once none has ended for half a second.
func rested() (n int) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	n = runtime.NumGoroutine()
	for still := 0; still < 50; still++ {
		<-tick.C
		if now := runtime.NumGoroutine(); now != n {
			n, still = now, 0
		}
	}
	return n
}
