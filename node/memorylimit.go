package node

import (
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// What a node that keeps the chain lets the program take before the collector works harder.
// The state's cache lies beside it.
const (
	ledgerMemoryMiB      = 110 // where ledger.memory_mib is 0; with 32 MiB of cache less than 150
	leastLedgerMemoryMiB = 64  // below, what is in use alone would not fit
	memoryLookEvery      = 5 * time.Second
	besideHeap           = 16 << 20 // bytes of stacks and of the runtime itself, about
)

// LimitMemory makes the collector of this process keep to what a node of this configuration
// should take, and returns how to end that. It does nothing for nodes that keep no chain, nor
// where the operator has set GOMEMLIMIT. There is one collector in a process: whoever runs
// many nodes in one does not call it.
func LimitMemory(c Config, log *slog.Logger) (end func()) {
	aim := c.memoryLimit(os.LookupEnv)
	if aim == 0 {
		return func() {}
	}
	before := debug.SetMemoryLimit(aim)
	tick, done, ended := time.NewTicker(memoryLookEvery), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		g := governor{aim: aim, limit: aim, inUse: heapInUse, set: func(n int64) { debug.SetMemoryLimit(n) }, log: log}
		g.run(tick.C, done)
	}()
	return func() {
		tick.Stop()
		close(done)
		<-ended
		debug.SetMemoryLimit(before)
	}
}

// memoryLimit is what this process should keep to, in bytes; 0 = no limit of ours.
func (c *Config) memoryLimit(env func(string) (string, bool)) int64 {
	if c.Ledger.Genesis == "" || c.Ledger.Mode == LedgerLight {
		return 0
	}
	if own, ok := env("GOMEMLIMIT"); ok && own != "" {
		return 0
	}
	if c.Ledger.MemoryMiB == 0 {
		return ledgerMemoryMiB << 20
	}
	return int64(c.Ledger.MemoryMiB) << 20
}

// governor raises the limit where more is in use than the limit leaves room for: a collector
// that runs all the time saves nothing and costs as much as the work. It goes back to what
// was aimed for when less is in use again.
type governor struct {
	aim, limit int64
	inUse      func() int64
	set        func(limit int64)
	log        *slog.Logger
	said       bool
}

func (g *governor) run(look <-chan time.Time, done <-chan struct{}) {
	for {
		select {
		case <-done:
			return
		case <-look:
			g.look()
		}
	}
}

func (g *governor) look() {
	used := g.inUse()
	limit := limitFor(g.aim, used)
	if limit == g.limit {
		return
	}
	g.limit = limit
	g.set(limit)
	if limit > g.aim && !g.said {
		g.said = true
		g.log.Info("the node takes more memory than it was to keep to; a smaller ledger.cache_mib or ledger.pool_txs lowers it",
			"in_use", mebibytes(used), "aim", mebibytes(g.aim), "limit", mebibytes(limit))
	}
}

// limitFor leaves two fifths of what is in use for what is not collected yet: with less
// the collector takes a noticeable part of the processor. It moves in steps
// of 8 MiB, so that it does not follow each collection.
func limitFor(aim, used int64) int64 {
	const step = 8 << 20
	need := used/5*7 + besideHeap
	if need <= aim {
		return aim
	}
	return (need + step - 1) / step * step
}

// heapInUse is what the last collection found in use, in bytes.
func heapInUse() int64 {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64())
}

func mebibytes(n int64) string { return fmt.Sprintf("%d MiB", n>>20) }
