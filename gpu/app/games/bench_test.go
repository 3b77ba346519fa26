package games

import "testing"

// BenchmarkTick is the whole cost of a tick: input, rules, picture, sound.
// Its inverse is ticks per CPU-second.
func BenchmarkTick(b *testing.B) {
	for _, name := range Names() {
		b.Run(name, func(b *testing.B) {
			c := open(b, name, 1, nil)
			c.Seat(0)
			c.SetWall(1_767_225_600_123)
			tick(b, c, 1)
			b.ReportAllocs()
			for b.Loop() {
				tick(b, c, 1)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ticks/s")
			b.ReportMetric(float64(c.MemoryBytes())/(1<<20), "MiB")
		})
	}
}
