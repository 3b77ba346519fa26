package chain

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/pprof"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cometbft/cometbft/abci/example/kvstore"
	abci "github.com/cometbft/cometbft/abci/types"
)

// BenchmarkThroughput is what a transaction costs of a core, from Submit to the block on
// disk, of all validators together: signed transfers here, and beside them CometBFT's own
// example with entries of the same size, which checks no signature and keeps no tree, once
// with its state in memory and once on disk. All run on the same engine with the same
// settings and the same stores. They take turns, because the machine is never the same for
// long: what is reported are medians and quartiles, and kvstore's time over the ledger's in
// the same turn. A CPU profile tells them apart by the label app. Run it with -benchtime 3x or
// more: 15 turns.
func BenchmarkThroughput(b *testing.B) {
	for _, validators := range []int{1, 4} {
		b.Run(fmt.Sprintf("validators=%d", validators), func(b *testing.B) {
			all := map[string][]figures{}
			for b.Loop() {
				for range benchRounds {
					for _, app := range benchApps {
						all[app] = append(all[app], throughput(b, validators, app))
					}
				}
			}
			for _, app := range benchApps {
				b.ReportMetric(benchTxs/quartile(all[app], 2, seconds), app+"-tx/cpu-s")
				for q, name := range []string{1: "q1", 2: "median", 3: "q3"} {
					if q == 0 {
						continue
					}
					b.ReportMetric(quartile(all[app], q, seconds)*1e6/benchTxs, app+"-cpu-us/tx-"+name)
					if app == "ledger" {
						continue
					}
					turns := all["ledger"]
					of := func(i int, f figures) float64 { return f.cpu.Seconds() / turns[i].cpu.Seconds() }
					b.ReportMetric(quartile(all[app], q, of), "of-"+app+"-"+name)
				}
			}
			b.ReportMetric(quartile(all["ledger"], 2, func(_ int, f figures) float64 { return float64(f.blocks) }), "blocks")
			b.ReportMetric(float64(all["ledger"][0].size), "B/tx")
			b.ReportMetric(0, "ns/op") // the pauses between blocks, of all
		})
	}
}

const (
	benchRounds  = 5
	benchTxs     = 20_000
	benchPlayers = 400 // each submits its own, one after the other
)

// benchApps take turns: this ledger, and CometBFT's example in memory and on disk.
var benchApps = []string{"ledger", "kvstore", "kvstore-disk"}

// figures of one run.
type figures struct {
	cpu    time.Duration
	blocks int64
	size   int // bytes of a transaction
}

func seconds(_ int, f figures) float64 { return f.cpu.Seconds() }

// quartile is the q-th of what runs say, 2 being the median.
func quartile(all []figures, q int, of func(int, figures) float64) float64 {
	values := make([]float64, len(all))
	for i, f := range all {
		values[i] = of(i, f)
	}
	slices.Sort(values)
	return values[len(values)*q/4]
}

func throughput(b *testing.B, validators int, app string) figures {
	n := newNetwork(b, plan{validators: validators, players: benchPlayers})
	txs := make([][]byte, benchTxs)
	for i := range txs {
		txs[i] = transfer(b, n.doc.ChainID, n.players[i%benchPlayers], uint64(i/benchPlayers), public(n.players[(i*7+1)%benchPlayers]), 1)
		if app != "ledger" { // as long, with a key of its own
			txs[i] = fmt.Appendf(nil, "%0*d=%d", len(txs[i])-2, i, i%10)
		}
	}
	pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels("app", app)))
	defer pprof.SetGoroutineLabels(context.Background())
	vals := make([]*Chain, validators)
	for i := range vals {
		c := n.config(i)
		c.BlockInterval, c.MempoolTxs, c.Unsynced = 100*time.Millisecond, 2*benchTxs, false
		var s seams
		switch app {
		case "kvstore":
			s.app = func(abci.Application) abci.Application { return kvstore.NewInMemoryApplication() }
		case "kvstore-disk":
			s.app = func(abci.Application) abci.Application { return kvstore.NewPersistentApplication(c.Dir) }
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
	cpu, base := cpuTime(), vals[0].blocks.Height()
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
			done += vals[0].blocks.LoadBlockMeta(next).NumTxs
			if app == "ledger" {
				done-- // the proposer's proof
			}
		}
		return done >= benchTxs
	})
	return figures{cpuTime() - cpu, next - base - 1, len(txs[0])}
}

// cpuTime is what this process has used of all cores.
func cpuTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
