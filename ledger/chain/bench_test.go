package chain

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cometbft/cometbft/abci/example/kvstore"
	abci "github.com/cometbft/cometbft/abci/types"
)

// BenchmarkThroughput is how many transactions one second of one core carries, from Submit
// to the block on disk, by all validators together: signed transfers here, and CometBFT's
// own example of the same size, which checks no signature and keeps no tree, beside it.
// Run it with -benchtime 1x.
func BenchmarkThroughput(b *testing.B) {
	for _, validators := range []int{1, 4} {
		for _, app := range []string{"ledger", "kvstore"} {
			b.Run(fmt.Sprintf("validators=%d/%s", validators, app), func(b *testing.B) {
				for b.Loop() {
					throughput(b, validators, app)
				}
			})
		}
	}
}

const (
	benchTxs     = 20_000
	benchPlayers = 400 // each may have 64 waiting
	benchClients = 400 // that submit at the same time
)

func throughput(b *testing.B, validators int, app string) {
	b.StopTimer()
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
	begin, cpu, base := time.Now(), cpuTime(), vals[0].blocks.Height()
	b.StartTimer()
	var clients sync.WaitGroup
	for k := range benchClients { // a player's transactions are all of one client, in order
		clients.Go(func() {
			for i, raw := range txs {
				if i%benchPlayers%benchClients != k {
					continue
				}
				for {
					_, err := vals[k%validators].Submit(context.Background(), raw)
					if err == nil {
						break
					}
					if !errors.Is(err, ErrBusy) {
						b.Errorf("transaction %d: %v", i, err)
						return
					}
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
	b.StopTimer()
	used := cpuTime() - cpu
	b.ReportMetric(float64(benchTxs)/used.Seconds(), "tx/cpu-s")
	b.ReportMetric(float64(benchTxs)/time.Since(begin).Seconds(), "tx/s")
	b.ReportMetric(float64(next-base-1), "blocks")
	b.ReportMetric(float64(len(txs[0])), "B/tx")
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.HeapInuse>>20)/float64(validators), "heap-MiB/validator")
	b.StartTimer()
}

// cpuTime is what this process has used of all cores.
func cpuTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
