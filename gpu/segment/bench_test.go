//go:build linux

package segment

import (
	"context"
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

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

// thread is the processor time of this thread, which must be locked: unlike the clock
// it does not see what else the machine does.
func thread(b *testing.B) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		b.Fatal(err)
	}
	return time.Duration(ts.Nano())
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
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			took := func(worst *time.Duration, from time.Duration) {
				d := thread(b) - from
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
					at := thread(b)
					s.rec.Tick(&in, events, f, pcm)
					took(&tick, at)
					at = thread(b)
					s.rec.Work()
					took(&work, at)
				}
				at := thread(b)
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

// BenchmarkMemory is the end of a second of an app with a lot of memory, of which a
// second changes 1 MiB: the comparison, and the hashing.
func BenchmarkMemory(b *testing.B) {
	for _, size := range []int{4, 32, 64} {
		b.Run(fmt.Sprintf("%dMiB", size), func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			mem := make([]byte, size<<20)
			for i := range mem {
				mem[i] = byte(i * 7)
			}
			var t tree
			t.mark(mem)
			t.work(len(t.dirty))
			t.root()
			var compare, hash time.Duration
			for n := byte(1); b.Loop(); n++ {
				for i := range 256 {
					mem[i*len(mem)/256] += n | 1
				}
				start := thread(b)
				t.mark(mem)
				compared := thread(b)
				if !t.work(256) || len(t.dirty) != 256 {
					b.Fatal("not what was changed")
				}
				t.root()
				compare, hash = compare+compared-start, hash+thread(b)-compared
			}
			b.ReportMetric(float64(compare.Microseconds())/float64(b.N), "compare-µs")
			b.ReportMetric(float64(hash.Microseconds())/float64(b.N), "hash-µs")
		})
	}
}

// BenchmarkKeep is what keeping one second, and one state, costs the node.
func BenchmarkKeep(b *testing.B) {
	s := play(b, game(b, "novareef"), 7, nil)
	k, err := OpenKeeper(b.TempDir(), 0)
	if err != nil {
		b.Fatal(err)
	}
	defer k.Close()
	if err := k.State(s.state()); err != nil {
		b.Fatal(err)
	}
	for range 5 {
		s.second()
	}
	state, sec := s.state(), s.second()
	b.Run("state", func(b *testing.B) {
		start := cpu(b)
		for b.Loop() {
			if err := k.State(state); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64((cpu(b)-start).Microseconds())/1000/float64(b.N), "CPU-ms/op")
	})
	b.Run("second", func(b *testing.B) {
		start := cpu(b)
		for b.Loop() {
			sec.Number = k.Next()
			if err := k.Add(&sec); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64((cpu(b)-start).Microseconds())/1000/float64(b.N), "CPU-ms/op")
	})
}
