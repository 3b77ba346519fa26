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
	limit := before + (most+1)*times
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); runtime.NumGoroutine() >= limit; <-tick.C {
		if time.Now().After(end) {
			var b bytes.Buffer
			_ = pprof.Lookup("goroutine").WriteTo(&b, 1)
			t.Fatalf("%d goroutines before, %d after it was started and stopped %d times:\n%s", before, runtime.NumGoroutine(), times, b.String())
		}
	}
}

// patience is how long those may take that end by themselves, on a machine that stalls.
const patience = 30 * time.Second

// rested counts the goroutines once none has ended or begun for half a second.
func rested() (n int) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	n = runtime.NumGoroutine()
	for still, end := 0, time.Now().Add(patience); still < 50 && time.Now().Before(end); still++ {
		<-tick.C
		if now := runtime.NumGoroutine(); now != n {
			n, still = now, 0
		}
	}
	return n
}
