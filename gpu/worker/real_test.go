//go:build unix

package worker

import (
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/framemesh/framemesh/gpu/app"
	"github.com/framemesh/framemesh/gpu/segment"
)

// testCard is the module of the `latency` app, 640×360 at 60 pictures a second.
const testCard = "../app/games/latency/module.wasm"

// realSpec describes a worker that plays a real module.
func realSpec(t testing.TB, module, cache string) Spec {
	t.Helper()
	needEncoder(t)
	code, err := os.ReadFile(module)
	if err != nil {
		t.Fatal(err)
	}
	return Spec{Module: module, SHA256: sha256.Sum256(code), CacheDir: cache, Seed: 7}
}

func startReal(t testing.TB, spec Spec, a *audience) *Process {
	t.Helper()
	p, err := Start(spec, a)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		<-p.Done()
	})
	return p
}

// TestRealAppAnswersAKey plays the test card, whose patch turns white while KeyZ is
// held, and survives its worker.
func TestRealAppAnswersAKey(t *testing.T) {
	file, err := NewSnapshotFile()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	spec := realSpec(t, testCard, sharedCache(t))
	spec.Snapshot = file
	a := newAudience()
	p := startReal(t, spec, a)
	p.Seat(0, true)
	p.Run()
	a.await(t, "pictures and sound", func() bool { return len(a.units) > 20 && len(a.audio) > 10 })
	if a.info.Width != 640 || a.info.Height != 360 || a.info.FPS != 60 {
		t.Fatalf("%+v", *a.info)
	}
	p.Input(0, state(1, withKey(0x1d)))
	a.await(t, "the acknowledgement", func() bool { return a.units[len(a.units)-1].Acked[0] == 1 })
	a.await(t, "a snapshot", func() bool { _, _, ok := file.Newest(); return ok })
	p.Kill()
	a.end(t, p)

	b := newAudience()
	p = startReal(t, spec, b)
	p.Run()
	b.await(t, "a picture", func() bool { return len(b.units) > 0 })
	if !b.info.Restored || b.info.Tick == 0 || !b.units[0].Key {
		t.Errorf("restored %v at tick %d", b.info.Restored, b.info.Tick)
	}
}

// TestRecordedInputsGiveTheSameState takes inputs as a session would, records them
// by tick, and plays the record into a second runtime.
func TestRecordedInputsGiveTheSameState(t *testing.T) {
	code, err := os.ReadFile(testCard)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	cache := sharedCache(t)
	run := func(next func(tick uint64) app.Input) [32]byte {
		rt, err := app.Open(ctx, code, app.Options{Seed: 3, CacheDir: cache})
		if err != nil {
			t.Fatal(err)
		}
		defer rt.Close(ctx)
		for range 120 {
			in := next(rt.NextTick())
			if _, _, err := rt.Tick(ctx, &in); err != nil {
				t.Fatal(err)
			}
		}
		h, err := rt.StateHash()
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	c := newControl()
	var players segment.Seats
	var record []app.Input
	seq := uint32(0)
	send := func(change func([]byte)) {
		seq++
		if err := c.apply(msgInput, append([]byte{0}, state(seq, change)...)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.apply(msgSeat, []byte{0, 1}); err != nil {
		t.Fatal(err)
	}
	first := run(func(tick uint64) app.Input {
		if tick%7 == 3 {
			send(withKey(0x1d))
		}
		if tick%7 == 5 {
			send(nil)
		}
		events, _ := c.take()
		for i := range events {
			players.Apply(&events[i])
		}
		seats := players.Tick()
		in := app.Input{Tick: tick, WallMS: 1_700_000_000_000 + int64(tick)*17, Seats: seats}
		record = append(record, in)
		return in
	})
	again := run(func(tick uint64) app.Input { return record[tick] })
	if first != again {
		t.Error("the recorded inputs gave another state")
	}
	other := run(func(tick uint64) app.Input { in := record[tick]; in.WallMS++; return in })
	if first == other {
		t.Error("other inputs gave the same state: the test tests nothing")
	}
}

// BenchmarkStart measures from Start to the first coded picture with a warm cache,
// by stage.
func BenchmarkStart(b *testing.B) {
	spec := realSpec(b, testCard, filepath.Join(b.TempDir(), "cache"))
	play := func() (Info, time.Duration) {
		first := make(chan time.Duration, 1)
		start := time.Now()
		s := &stopwatch{ready: make(chan Info, 1), picture: func() {
			select {
			case first <- time.Since(start):
			default:
			}
		}}
		p, err := Start(spec, s)
		if err != nil {
			b.Fatal(err)
		}
		p.Run()
		info := <-s.ready
		d := <-first
		p.Kill()
		<-p.Done()
		return info, d
	}
	cold, coldFirst := play()
	var sum Startup
	var first time.Duration
	n := 0
	for b.Loop() {
		info, d := play()
		sum.Spawn += info.Start.Spawn
		sum.Module += info.Start.Module
		sum.Encoder += info.Start.Encoder
		first += d
		n++
	}
	b.ReportMetric(float64(cold.Start.Module.Microseconds())/1000, "cold-module-ms")
	b.ReportMetric(float64(coldFirst.Microseconds())/1000, "cold-first-ms")
	for name, d := range map[string]time.Duration{"spawn": sum.Spawn, "module": sum.Module, "encoder": sum.Encoder, "first": first} {
		b.ReportMetric(float64(d.Microseconds())/1000/float64(n), name+"-ms")
	}
}

// stopwatch is a Sink that only notes when things happen.
type stopwatch struct {
	ready   chan Info
	picture func()
	stats   func(Stats)
}

func (s *stopwatch) Ready(i Info)      { s.ready <- i }
func (s *stopwatch) Video(AccessUnit)  { s.picture() }
func (s *stopwatch) Audio(AudioPacket) {}
func (s *stopwatch) Stats(st Stats) {
	if s.stats != nil {
		s.stats(st)
	}
}
func (s *stopwatch) Exited(error) {}

// BenchmarkSession plays the test card for about five seconds and reports what a
// second costs. It is paced by the clock: run it with -benchtime 1x.
func BenchmarkSession(b *testing.B) {
	file, err := NewSnapshotFile()
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	for b.Loop() {
		spec := realSpec(b, testCard, filepath.Join(b.TempDir(), "cache"))
		spec.Snapshot = file
		seconds := make(chan Stats, 16)
		s := &stopwatch{ready: make(chan Info, 1), picture: func() {}, stats: func(s Stats) { seconds <- s }}
		p, err := Start(spec, s)
		if err != nil {
			b.Fatal(err)
		}
		p.Run()
		<-s.ready
		var st Stats
		for range 5 {
			st = <-seconds
		}
		before, _ := cpuOf(p.PID())
		at := time.Now()
		for range 5 {
			st = <-seconds
			b.Logf("%+v", st)
		}
		used, _ := cpuOf(p.PID())
		cores := (used - before).Seconds() / time.Since(at).Seconds()
		b.ReportMetric(cores, "cores")
		b.ReportMetric(float64(st.RSS)/(1<<20), "MiB")
		b.ReportMetric(st.FPS, "fps")
		p.Kill()
		<-p.Done()
	}
}
