package round

import (
	"context"
	"testing"

	"github.com/framemesh/framemesh/actors/checker/recompute"
	"github.com/framemesh/framemesh/gpu/kernel"
	"github.com/framemesh/framemesh/ledger/proof"
)

// BenchmarkJob recomputes the 48 tiles of one container that renders 256×256×16, the size
// that suits one processor core, on one core.
func BenchmarkJob(b *testing.B) {
	const size = 3
	k := recompute.New()
	tiles, samples, _ := k.Shape(size)
	var container, checker [32]byte
	leaves := make([][32]byte, tiles)
	for t := range leaves {
		var err error
		if leaves[t], err = k.Leaf([32]byte{}, container, size, nil, proof.Pick{Tile: uint32(t)}); err != nil {
			b.Fatal(err)
		}
	}
	picks := k.Picks([32]byte{1}, [32]byte{2}, 1, tiles, 48)
	items, err := (&rendering{leaves: [][][32]byte{leaves}}).Open(context.Background(), picks)
	if err != nil {
		b.Fatal(err)
	}
	j := &Job{Container: container, Checker: checker, kernel: k, size: size, roots: [][32]byte{kernel.Root(leaves)}, picks: picks, items: items}
	for b.Loop() {
		if found := j.Run(); found.Wrong >= 0 || found.Err != nil {
			b.Fatal(found)
		}
	}
	b.ReportMetric(48*float64(samples)/float64(tiles), "samples/check")
}
