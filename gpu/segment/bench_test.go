//go:build unix

package segment

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/framemesh/framemesh/gpu/app"
)

// cpu is the processor time that this process has used.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkSecond is what recording one second of play costs beside the play itself:
// the sum, the longest single step, and the part of a core.
func BenchmarkSecond(b *testing.B) {
	for _, name := range []string{"novareef", "cometcup", "latency-720"} {
		b.Run(name, func(b *testing.B) {
			s := play(b, game(b, name), 7, nil)
			for range 3 {
				s.second()
			}
			var spent, tick, cut, work time.Duration
			pages := 0
			took := func(worst *time.Duration, from time.Time) {
				d := time.Since(from)
				spent += d
				*worst = max(*worst, d)
			}
			b.ReportAllocs()
			for b.Loop() {
				for !s.rec.Full() {
					n := s.rt.NextTick()
					events := s.events(n)
					for i := range events {
						s.seats.Apply(&events[i])
					}
					in := app.Input{Tick: n, Seats: s.seats.Tick()}
					f, pcm, err := s.rt.Tick(context.Background(), &in)
					if err != nil {
						b.Fatal(err)
					}
					at := time.Now()
					s.rec.Tick(&in, events, f, pcm)
					took(&tick, at)
					at = time.Now()
					s.rec.Work()
					took(&work, at)
				}
				at := time.Now()
				if err := s.rec.Cut(); err != nil {
					b.Fatal(err)
				}
				took(&cut, at)
				pages += len(s.rec.tree.dirty)
			}
			b.ReportMetric(float64(spent.Microseconds())/float64(b.N), "recording-µs/s")
			b.ReportMetric(100*spent.Seconds()/float64(b.N), "%core")
			b.ReportMetric(float64(tick.Microseconds()), "worst-tick-µs")
			b.ReportMetric(float64(cut.Microseconds()), "worst-cut-µs")
			b.ReportMetric(float64(work.Microseconds()), "worst-work-µs")
			b.ReportMetric(float64(pages)/float64(b.N), "pages/s")
			b.ReportMetric(float64(len(s.rec.tree.mem))/(1<<20), "MiB")
		})
	}
}

// BenchmarkAudit replays ten seconds of play with a module that is compiled already.
func BenchmarkAudit(b *testing.B) {
	for _, name := range []string{"novareef", "cometcup"} {
		b.Run(name, func(b *testing.B) {
			code := game(b, name)
			s := play(b, code, 7, nil)
			s.play(10)
			w := s.play(10)
			claimed := w.Claimed()
			encoded := w.Append(nil)
			start := cpu(b)
			for b.Loop() {
				w, err := ParseWindow(encoded)
				if err != nil {
					b.Fatal(err)
				}
				if v, err := auditor().Audit(context.Background(), code, w, claimed); err != nil || v.Bad() {
					b.Fatal(v, err)
				}
			}
			b.ReportMetric((cpu(b)-start).Seconds()/float64(b.N), "CPU-s/op")
			b.ReportMetric(float64(len(w.Packed))/1024, "state-KiB")
			b.ReportMetric(float64(len(encoded))/1024, "window-KiB")
		})
	}
}
