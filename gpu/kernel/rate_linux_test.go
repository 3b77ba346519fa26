package kernel

import (
	"syscall"
	"testing"
	"time"
)

// processor returns the processor time of this process so far: on a machine with other
// work a rate by the clock says little.
func processor() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// rate reports samples per second of the clock and of processor time.
func rate(b *testing.B, samples uint64, began time.Duration) {
	b.ReportMetric(float64(samples)/b.Elapsed().Seconds()/1e6, "Msamples/s")
	b.ReportMetric(float64(samples)/(processor()-began).Seconds()/1e6, "Msamples/cpu-s")
}

func BenchmarkTwin(b *testing.B) {
	for _, c := range []struct {
		name    string
		workers int
	}{{"workers=1", 1}, {"workers=2", 2}} {
		b.Run(c.name, func(b *testing.B) {
			t := CPU(c.workers)
			defer t.Close()
			size := Sizes()[3]
			out := make([]uint32, size.Words())
			began, n := processor(), uint64(0)
			for b.Loop() {
				if err := t.Render(b.Context(), size, Seed{byte(n)}, out); err != nil {
					b.Fatal(err)
				}
				n++
			}
			rate(b, n*size.Samples(), began)
		})
	}
}

func BenchmarkTile(b *testing.B) {
	for _, size := range []Size{Sizes()[0], Sizes()[3], Sizes()[6]} {
		b.Run(size.String(), func(b *testing.B) {
			var words [TileWords]uint32
			began, n := processor(), uint64(0)
			for b.Loop() {
				RenderTile(size, Seed{byte(n / 16)}, uint32(n*37)%size.Tiles(), &words)
				n++
			}
			rate(b, n*Tile*Tile*uint64(size.SPP), began)
		})
	}
}

// BenchmarkPlain is the kernel as the specification says it.
func BenchmarkPlain(b *testing.B) {
	var words [TileWords]uint32
	size := Sizes()[3]
	began, n := processor(), uint64(0)
	for b.Loop() {
		plainTile(size, Seed{byte(n / 16)}, uint32(n*37)%size.Tiles(), &words)
		n++
	}
	rate(b, n*Tile*Tile*uint64(size.SPP), began)
}

// BenchmarkAudit is what one checker spends on one container: 48 openings.
func BenchmarkAudit(b *testing.B) {
	size := Sizes()[3]
	t := CPU(0)
	defer t.Close()
	c, err := Run(b.Context(), t, size, [32]byte{1}, [32]byte{2}, 8, nil)
	if err != nil {
		b.Fatal(err)
	}
	picks := Pick([32]byte{3}, c.Commitment(), 8, size.Tiles(), 48)
	items, err := c.Open(b.Context(), picks)
	if err != nil {
		b.Fatal(err)
	}
	began, n := processor(), 0
	for b.Loop() {
		if f, err := Audit([32]byte{4}, size, [32]byte{1}, [32]byte{2}, c.Roots(), picks, items); err != nil || len(f.Bad) > 0 {
			b.Fatal(err, f.Bad)
		}
		n++
	}
	b.ReportMetric(float64((processor()-began).Microseconds())/1000/float64(n), "cpu-ms/op")
}

// BenchmarkTree hashes the leaves of a frame and builds its tree.
func BenchmarkTree(b *testing.B) {
	size := Sizes()[3]
	words := make([]uint32, size.Words())
	for b.Loop() {
		leaves := make([][32]byte, size.Tiles())
		for t := range leaves {
			leaves[t] = Leaf(uint32(t), (*[TileWords]uint32)(words[t*TileWords:]))
		}
		Root(leaves)
	}
}
