package chain

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cometbft/cometbft/abci/example/kvstore"
	abci "github.com/cometbft/cometbft/abci/types"
)

// BenchmarkThroughput is how many transactions one second of one core carries, from Submit
// to the block on disk, by all validators together: signed transfers here, and CometBFT's
// own example of the same size, which checks no signature and keeps no tree, beside it. The
// two take turns, because the machine is never the same for long; what is reported are the
// medians, and the first over the second. Run it with -benchtime 1x.
func BenchmarkThroughput(b *testing.B) {
	for _, validators := range []int{1, 4} {
		b.Run(fmt.Sprintf("validators=%d", validators), func(b *testing.B) {
			var ledger, kvstore []figures
			for b.Loop() {
				for range benchRounds {
					ledger = append(ledger, throughput(b, validators, "ledger"))
					kvstore = append(kvstore, throughput(b, validators, "kvstore"))
				}
			}
			perCPU := func(f figures) float64 { return benchTxs / f.cpu.Seconds() }
			b.ReportMetric(median(ledger, perCPU), "tx/cpu-s")
			b.ReportMetric(median(kvstore, perCPU), "kvstore-tx/cpu-s")
			b.ReportMetric(median(ledger, perCPU)/median(kvstore, perCPU), "of-kvstore")
			b.ReportMetric(median(ledger, func(f figures) float64 { return benchTxs / f.wall.Seconds() }), "tx/s")
			b.ReportMetric(median(ledger, func(f figures) float64 { return float64(f.blocks) }), "blocks")
			b.ReportMetric(float64(ledger[0].size), "B/tx")
			b.ReportMetric(0, "ns/op") // the pauses between blocks, of both
		})
	}
}

const (
	benchRounds  = 5
	benchTxs     = 20_000
	benchPlayers = 400 // each submits its own, one after the other
)

// figures of one run.
type figures struct {
	cpu, wall time.Duration
	blocks    int64
	size      int // bytes of a transaction
}

func median(all []figures, of func(figures) float64) float64 {
	values := make([]float64, len(all))
	for i, f := range all {
		values[i] = of(f)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func throughput(b *testing.B, validators int, app string) figures {
	n := newNetwork(b, plan{validators: validators, players: benchPlayers})
	txs := make([][]byte, benchTxs)
	for i := range txs {
		txs[i] = transfer(b, n.doc.ChainID, n.players[i%benchPlayers], uint64(i/benchPlayers), public(n.players[(i*7+1)%benchPlayers]), 1)
		if app == "kvstore" { // as long, with a key of its own
			txs[i] = fmt.Appendf(nil, "%0*d=%d", len(txs[i])-2, i, i%10)
		}
	}
	vals := make([]*Chain, validators)
	for i := range vals {
		c := n.config(i)
		c.BlockInterval, c.MempoolTxs, c.Unsynced = 100*time.Millisecond, 2*benchTxs, false
		var s seams
		if app == "kvstore" {
			s.app = func(abci.Application) abci.Application { return kvstore.NewInMemoryApplication() }
		}
		v, err := startWith(context.Background(), c, s)
		if err != nil {
			b.Fatal(err)
		}
		vals[i] = v
		defer halt(b, v)
	}
	for _, v := range vals {
		awaitPoll(b, "the first block", func() bool { return v.blocks.Height() >= 2 && !v.node.ConsensusReactor().WaitSync() })
	}
	runtime.GC() // of the run before
	begin, cpu, base := time.Now(), cpuTime(), vals[0].blocks.Height()
	var clients sync.WaitGroup
	for k := range benchPlayers {
		clients.Go(func() {
			for i := k; i < benchTxs; i += benchPlayers {
				for {
					_, err := vals[k%validators].Submit(context.Background(), txs[i])
					if err == nil {
						break
					}
					if !errors.Is(err, ErrBusy) {
						b.Errorf("transaction %d: %v", i, err)
						return
					}
					time.Sleep(10 * time.Millisecond) // as the answer asks
				}
			}
		})
	}
	clients.Wait()
	if b.Failed() {
		b.FailNow()
	}
	done, next := 0, base+1
	awaitPoll(b, "all transactions in blocks", func() bool {
		for ; next <= vals[0].blocks.Height(); next++ {
			done += len(vals[0].blocks.LoadBlock(next).Txs)
			if app == "ledger" {
				done-- // the proposer's proof
			}
		}
		return done >= benchTxs
	})
	return figures{cpuTime() - cpu, time.Since(begin), next - base - 1, len(txs[0])}
}

// cpuTime is what this process has used of all cores.
func cpuTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
