package chain

import (
	"bytes"
	"runtime"
	"runtime/pprof"
	"testing"
	"time"
)

// engineLeaves is how many goroutines the engine leaves behind with each chain, for the file of
// its log: one waits for a signal and one for a timer, and nobody ends them.
const engineLeaves = 2

// A chain that has stopped leaves no other goroutine behind, of its own or of the engine's.
func TestAStoppedChainLeavesNothingRunning(t *testing.T) {
	once := func() {
		c := launch(t, newNetwork(t, plan{validators: 1, players: 1}).config(0))
		awaitHeight(t, c, 2)
		halt(t, c)
	}
	once() // what a process keeps for good has begun
	before := rested()
	const times = 3
	for range times {
		once()
	}
	if after := rested(); after >= before+(engineLeaves+1)*times {
		var b bytes.Buffer
		_ = pprof.Lookup("goroutine").WriteTo(&b, 1)
		t.Errorf("%d goroutines before, %d after %d chains:\n%s", before, after, times, b.String())
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
