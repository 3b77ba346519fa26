package round

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/framemesh/framemesh/gpu/kernel"
	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
)

// BenchmarkSave is what a checker codes for its disk while the containers that it judges hand in:
// their commitments come evenly within five seconds, and those of 50 ms are written together with
// all that came before.
func BenchmarkSave(b *testing.B) {
	const writes = 5 * 20
	for _, containers := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("containers=%d", containers), func(b *testing.B) {
			k := &kit{t: b, keys: map[key.Node]ed25519.PrivateKey{}, params: judge.Params{N: 2, Batch: 16, K: 48, CheckPPM: 1_000_000, CapPPM: 1_200_000,
				EpochMS: 900_000, DurMS: 13_000, GraceMS: 500, Reference: kernel.Reference}}
			var all, checkers []judge.Candidate
			for i := range containers {
				all = append(all, k.candidate("container", i))
			}
			for i := range 5 {
				checkers = append(checkers, k.candidate("checker", i))
			}
			k.times = judge.Schedule(k.params, 7, 1_000_000)
			k.plan = judge.Assign(chain, sha256.Sum256([]byte("seed")), 7, all, checkers, k.params)
			root := kernel.RootsRoot([][32]byte{{1}})
			commits := make([]*proof.Opened, containers)
			for i, c := range all {
				commits[i] = k.sign(c.Node, &proof.Statement{Says: &proof.Statement_Commit{Commit: &proof.CapCommit{
					Epoch: 7, Frames: frames, Roots: root[:], Kernel: kernel.Name}}})
			}
			bytes, last := 0, 0
			for b.Loop() {
				b.StopTimer()
				r, err := New(k.setup(checkers[0].Node))
				if err != nil {
					b.Fatal(err)
				}
				r.At(k.times.Start)
				bytes = 0
				b.StartTimer()
				for w := range writes {
					from, to := containers*w/writes, containers*(w+1)/writes
					if from == to {
						continue
					}
					b.StopTimer()
					for i := from; i < to; i++ {
						if _, _, err := r.Committed(k.times.T0+k.params.DurMS+40, all[i].Node, commits[i], 20); err != nil {
							b.Fatal(err)
						}
					}
					b.StartTimer()
					data, err := r.Save()
					if err != nil {
						b.Fatal(err)
					}
					bytes, last = bytes+len(data), len(data)
				}
			}
			b.ReportMetric(float64(bytes)/1024, "KiB-written/round")
			b.ReportMetric(float64(last)/1024, "KiB-file")
		})
	}
}
