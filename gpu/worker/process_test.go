//go:build unix

package worker

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestPictureAndSoundArrive(t *testing.T) {
	a := newAudience()
	p := startPuppet(t, "noise;", a)
	a.await(t, "ready", func() bool { return a.info != nil })
	if a.info.Width != puppetW || a.info.PID != p.PID() || a.info.Restored || a.info.Start.Spawn <= 0 {
		t.Errorf("ready: %+v", *a.info)
	}
	if len(a.units) != 0 {
		t.Error("pictures before Run")
	}
	p.Run()
	a.await(t, "pictures, sound and statistics", func() bool { return len(a.units) >= 30 && len(a.audio) >= 30 && len(a.stats) >= 1 })
	if err := p.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := a.end(t, p); !errors.Is(err, ErrStopped) {
		t.Error(err)
	}
	if !a.units[0].Key || len(a.units[0].Data) < 100 {
		t.Error("the first picture is not a key frame")
	}
	for i, u := range a.units[1:] {
		if before := a.units[i]; u.Tick <= before.Tick || u.PTS <= before.PTS {
			t.Fatalf("tick %d at %v after tick %d at %v", u.Tick, u.PTS, before.Tick, before.PTS)
		}
	}
	for i, s := range a.audio[1:] {
		// It goes back where ticks came late and were made up for (see soundClock).
		if d := s.PTS - a.audio[i].PTS; d < -200*time.Millisecond || d > time.Minute {
			t.Fatalf("sound at %v after %v", s.PTS, a.audio[i].PTS)
		}
	}
	if s := a.stats[0]; s.Frames == 0 || s.Bytes == 0 || s.FPS <= 0 || s.Encode <= 0 {
		t.Errorf("statistics: %+v", s)
	}
}

// TestReasons ends workers in every way and wants to be told in words.
func TestReasons(t *testing.T) {
	for _, c := range []struct {
		name, script string
		is           error
		words        []string
	}{
		{"trap", "at 5 trap;", ErrApp, []string{"trapped at tick 5", "unreachable"}},
		{"exit of the app", "at 5 exit;", ErrApp, []string{"tick 5", "code 7"}},
		{"memory hog", "at 5 hog;", ErrMemory, []string{"tick 5", "64 MiB"}},
		{"memory hog at start", "hog at start;", ErrMemory, []string{"1 GiB"}},
		{"bad import", "refuse;", ErrRefused, []string{"env.fly"}},
		{"segmentation fault", "at 5 segv;", ErrCrashed, []string{"signal 11"}},
		{"exit of the process", "at 5 quit;", ErrCrashed, []string{"exited with code 3"}},
		{"panic", "at 5 panic;", ErrCrashed, []string{"code 2", "strings torn"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newAudience()
			p := startPuppet(t, c.script, a)
			p.Run()
			err := a.end(t, p)
			if !errors.Is(err, c.is) {
				t.Fatalf("%v, want %v", err, c.is)
			}
			for _, w := range c.words {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not say %q", err, w)
				}
			}
		})
	}
}

func TestKilledFromOutsideSaysSo(t *testing.T) {
	a := newAudience()
	p := startPuppet(t, "", a)
	p.Run()
	a.await(t, "a picture", func() bool { return len(a.units) > 0 })
	if err := syscall.Kill(p.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := a.end(t, p); !errors.Is(err, ErrKilled) || !strings.Contains(err.Error(), "signal 9") {
		t.Error(err)
	}
}

func TestKill(t *testing.T) {
	a := newAudience()
	p := startPuppet(t, "", a)
	p.Kill()
	if err := a.end(t, p); !errors.Is(err, ErrKilled) {
		t.Error(err)
	}
	// All of it does nothing now.
	p.Kill()
	p.Run()
	p.Input(0, state(1, nil))
	if err := p.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

// TestLoopEndsAlone lets one app loop for ever beside another: the first is ended
// with a reason, the second plays on meanwhile.
func TestLoopEndsAlone(t *testing.T) {
	neighbour, looper := newAudience(), newAudience()
	n := startPuppet(t, "", neighbour)
	n.Run()
	neighbour.await(t, "a picture", func() bool { return len(neighbour.units) > 0 })
	p := startPuppet(t, "at 10 loop;", looper)
	p.Run()
	looper.await(t, "its first picture", func() bool { return len(looper.units) > 0 })
	before := neighbour.pictures()
	if err := looper.end(t, p); !errors.Is(err, ErrLooped) || !strings.Contains(err.Error(), "no tick for ") {
		t.Fatal(err)
	}
	if shown := neighbour.pictures() - before; shown < 5 {
		t.Errorf("the neighbour showed %d pictures in the two seconds of the loop", shown)
	}
}

func TestSuccessorGoesOnFromTheSnapshot(t *testing.T) {
	file, err := NewSnapshotFile()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	with := func(s *Spec) { s.Snapshot = file }

	first := newAudience()
	p := startPuppet(t, "", first, with)
	p.Run()
	var kept uint64
	first.await(t, "two snapshots", func() bool {
		tick, _, ok := file.Newest()
		kept = tick
		return ok && tick > 40
	})
	if err := syscall.Kill(p.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	first.end(t, p)
	kept, _, _ = file.Newest()

	second := newAudience()
	p = startPuppet(t, "", second, with)
	p.Run()
	second.await(t, "a picture", func() bool { return len(second.units) > 0 })
	if !second.info.Restored || second.info.Tick != kept || second.units[0].Tick < kept || !second.units[0].Key {
		t.Fatalf("went on at tick %d (%+v), the snapshot has %d", second.units[0].Tick, *second.info, kept)
	}
	if err := p.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	// A stop leaves a last snapshot: nothing is lost.
	last := second.units[len(second.units)-1].Tick
	if tick, _, ok := file.Newest(); !ok || tick <= last {
		t.Errorf("after a stop the snapshot has tick %d, the last picture showed %d", tick, last)
	}

	third := newAudience()
	startPuppet(t, "another app", third, with)
	third.await(t, "ready", func() bool { return third.info != nil })
	if third.info.Restored {
		t.Error("an app took the state of another")
	}
}

func TestPauseAndResume(t *testing.T) {
	a := newAudience()
	p := startPuppet(t, "", a)
	p.Run()
	a.await(t, "pictures", func() bool { return len(a.units) >= 5 })
	p.Pause(true)
	// The pause is complete when two messages in a row are signs of life, which the
	// sink does not see.
	seen := func() int {
		a.mu.Lock()
		defer a.mu.Unlock()
		return len(a.units) + len(a.audio) + len(a.stats) + len(a.proof) + len(a.states) + len(a.saves)
	}
	live := func(beats uint64) {
		for b := p.beats.Load(); p.beats.Load() < b+beats; {
			time.Sleep(time.Millisecond) // polling, with the next check as its end
		}
	}
	for quiet := false; !quiet; {
		n := seen()
		live(2)
		quiet = seen() == n
	}
	live(10) // two seconds, or 120 ticks
	a.mu.Lock()
	last := a.units[len(a.units)-1]
	n := len(a.units)
	a.mu.Unlock()
	p.Pause(false)
	a.await(t, "pictures again", func() bool { return len(a.units) > n })
	if next := a.units[n]; next.Tick <= last.Tick || next.Tick > last.Tick+60 || !next.Key || next.PTS <= last.PTS {
		t.Errorf("tick %d (key %v) after tick %d: a pause must not run ticks", next.Tick, next.Key, last.Tick)
	}
}

func TestForcedKeyFrameBitrateAndShift(t *testing.T) {
	a := newAudience()
	p := startPuppet(t, "", a)
	p.Run()
	a.await(t, "pictures", func() bool { return len(a.units) >= 10 })
	p.SetBitrate(600_000)
	p.ShiftTick(5 * time.Millisecond)
	p.ForceKeyframe()
	keys := 0
	a.await(t, "the shift in the statistics and the key frame", func() bool {
		keys = 0
		for _, u := range a.units[1:] {
			if u.Key {
				keys++
			}
		}
		return keys > 0 && len(a.stats) > 0 && a.stats[len(a.stats)-1].Shift == 5*time.Millisecond
	})
	if keys != 1 {
		t.Errorf("%d key frames after the first, want the one asked for", keys)
	}
}

// TestTapIsSeenAndAcknowledged presses and releases a key faster than a tick.
func TestTapIsSeenAndAcknowledged(t *testing.T) {
	a := newAudience()
	p := startPuppet(t, "", a)
	p.Seat(0, true)
	p.Run()
	a.await(t, "a picture", func() bool { return len(a.units) > 0 })
	p.Input(0, state(1, withKey(0x1d)))
	p.Input(0, state(2, nil))
	a.await(t, "the save that the tap makes", func() bool { return len(a.saves) > 0 })
	a.await(t, "the acknowledgement", func() bool { return a.units[len(a.units)-1].Acked[0] == 2 })
	p.Input(0, []byte("junk"))
	p.Input(9, state(3, nil))
	p.Input(-1, state(3, nil))
	n := len(a.units)
	a.await(t, "pictures after junk", func() bool { return len(a.units) > n+3 })
}

func TestSlowParentGetsFewerPicturesNotOldOnes(t *testing.T) {
	a := newAudience()
	a.block = make(chan struct{})
	p := startPuppet(t, "", a)
	p.Run()
	a.block <- struct{}{} // the first picture is here; now nobody reads for longer
	// than a worker may be silent. This is the stimulus, not a wait for something.
	time.Sleep(hungSteps*watchStep + 2*watchStep)
	close(a.block)
	a.await(t, "drops in the statistics", func() bool {
		for _, s := range a.stats {
			if s.Dropped > 10 {
				return true
			}
		}
		return false
	})
	n := len(a.units)
	a.await(t, "pictures after the gap", func() bool { return len(a.units) > n+20 })
	// What waited in the pipe is at most two pictures and what the reader's buffer had.
	gap := 0
	for i, u := range a.units[1:] {
		if u.Tick > a.units[i].Tick+10 {
			gap = i + 1
			break
		}
	}
	if gap == 0 || gap > 8 {
		t.Errorf("%d pictures were queued for a parent that did not read", gap)
	}
	for _, u := range a.units[1:] {
		if u.Key {
			t.Error("dropping before coding needs no key frame, and there was one")
			break
		}
	}
}

func TestJunkOnThePipe(t *testing.T) {
	a := newAudience()
	p := startPuppet(t, "", a, func(s *Spec) { s.Command = []string{selfPath(), "junk"} })
	if err := a.end(t, p); !errors.Is(err, ErrWire) {
		t.Error(err)
	}
}

func TestShutIn(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("Linux only")
	}
	a := newAudience()
	p := startPuppet(t, "at 3 open;", a)
	p.Run()
	a.await(t, "pictures after the try to open a file", func() bool { return len(a.units) >= 5 })
	if got := strings.Join(a.info.Hardening, ", "); !strings.Contains(got, "seccomp") {
		t.Errorf("hardening: %q", got)
	}
}

func TestStartRefusesWhatCannotWork(t *testing.T) {
	a := newAudience()
	for name, spec := range map[string]Spec{
		"no module":  {},
		"no command": {Module: "x", Command: []string{"/does/not/exist"}},
		"save":       {Module: "x", Save: make([]byte, maxSave+1)},
	} {
		if _, err := Start(spec, a); !errors.Is(err, ErrSpawn) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p := startPuppet(t, "", a, func(s *Spec) { s.SHA256 = [32]byte{1} })
	if err := a.end(t, p); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "SHA-256") {
		t.Error(err)
	}
}
