//go:build unix

package games

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/framemesh/framemesh/gpu/app"
	"github.com/framemesh/framemesh/gpu/app/games/internal/cabinet"
)

// cpu is the processor time that this process has used.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkTick is the whole cost of a tick: input, rules, picture, sound,
// while somebody plays. Ticks per CPU-second do not suffer from what else
// the machine does.
func BenchmarkTick(b *testing.B) {
	for _, name := range Names() {
		b.Run(name, func(b *testing.B) {
			c := open(b, name, app.Options{Seed: 1})
			play(b, c, 300)
			b.ReportAllocs()
			start := cpu(b)
			for b.Loop() {
				play(b, c, 1)
			}
			b.ReportMetric(float64(b.N)/(cpu(b)-start).Seconds(), "ticks/CPU-s")
			snapshot, err := c.Snapshot(nil)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(len(snapshot))/(1<<20), "snapshot-MiB")
		})
	}
}

// BenchmarkOpen is a cold worker's way to its first tick with compiled code
// on disk: load, paint the art, one tick.
func BenchmarkOpen(b *testing.B) {
	for _, name := range Names() {
		b.Run(name, func(b *testing.B) {
			open(b, name, app.Options{}) // fills the cache
			ctx, code := context.Background(), module(b, name)
			start := cpu(b)
			for b.Loop() {
				c, err := cabinet.Open(ctx, code, app.Options{CacheDir: cache})
				if err != nil {
					b.Fatal(err)
				}
				tick(b, c, 1)
				if err := c.Close(ctx); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((cpu(b)-start).Microseconds())/1000/float64(b.N), "CPU-ms/op")
		})
	}
}
