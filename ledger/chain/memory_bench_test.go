package chain

import (
	"encoding/hex"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// BenchmarkMemory is what each of four validators takes of the machine's memory, in processes
// of their own, while payments come as fast as a process takes them. Run it with -benchtime 1x.
func BenchmarkMemory(b *testing.B) {
	const players, txs = 400, 40_000
	for b.Loop() {
		n := newNetwork(b, plan{validators: 4, players: players})
		all := n.procs(200 * time.Millisecond)
		for _, p := range all {
			p.start()
		}
		for _, p := range all {
			p.awaitHeight(2)
		}
		most, idle := 0.0, 0.0
		for _, p := range all {
			idle = max(idle, p.mebibytes("VmRSS"))
		}
		done := make(chan struct{})
		var looking, sending sync.WaitGroup
		looking.Go(func() {
			for {
				for _, p := range all {
					most = max(most, p.mebibytes("VmRSS"))
				}
				select {
				case <-done:
					return
				case <-time.After(100 * time.Millisecond):
				}
			}
		})
		for v, p := range all {
			raws := make([][]byte, txs/len(all))
			for i := range raws {
				from := i%(players/len(all))*len(all) + v
				raws[i] = transfer(b, n.doc.ChainID, n.players[from], uint64(i/(players/len(all))), public(n.players[(from+1)%players]), 1)
			}
			sending.Go(func() {
				for i, raw := range raws {
					if i%1000 == 999 { // so that the pools do not fill up
						if h := p.height(); !polled(func() bool { return p.height() > h }) {
							b.Errorf("validator %d made no block after %d", v, h)
							return
						}
					}
					if _, err := p.ask("submit %s", hex.EncodeToString(raw)); err != nil {
						b.Errorf("validator %d, transaction %d: %v", v, i, err)
						return
					}
				}
			})
		}
		sending.Wait()
		h := all[0].height()
		for _, p := range all {
			p.awaitHeight(h + 3)
		}
		close(done)
		looking.Wait()
		own := 0.0
		for _, p := range all {
			own = max(own, p.mebibytes("RssAnon"))
		}
		b.ReportMetric(idle, "MiB-begin")
		b.ReportMetric(most, "MiB-most")
		b.ReportMetric(own, "MiB-own") // at the end, without what is mapped of files
		b.ReportMetric(float64(h), "blocks")
	}
}

// mebibytes is a line of memory as a number, 0 where the kernel does not say.
func (p *proc) mebibytes(line string) float64 {
	kib, _, _ := strings.Cut(p.memory(line), " ")
	n, _ := strconv.ParseFloat(kib, 64)
	return n / 1024
}
