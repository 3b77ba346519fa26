package games

import (
	"testing"

	"github.com/framemesh/framemesh/gpu/app"
)

// BenchmarkTick is the whole cost of a tick: input, rules, picture, sound.
// Its inverse is ticks per CPU-second.
func BenchmarkTick(b *testing.B) {
	for _, name := range Names() {
		b.Run(name, func(b *testing.B) {
			c := open(b, name, app.Options{Seed: 1})
			c.Sit(0)
			c.In.WallMS = 1_767_225_600_123
			tick(b, c, 1)
			b.ReportAllocs()
			for b.Loop() {
				tick(b, c, 1)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ticks/s")
			snapshot, err := c.Snapshot(nil)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(len(snapshot))/(1<<20), "snapshot-MiB")
		})
	}
}
