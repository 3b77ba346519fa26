package gpu

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/gpu/worker"
)

// fleet starts fake workers, which are ready after a second.
type fleet struct {
	mu      sync.Mutex
	started []string
	alive   map[*fakeProcess]bool
	broken  map[string]bool // modules that do not load
}

type fakeProcess struct {
	f    *fleet
	spec worker.Spec
	sink worker.Sink
	dead bool
}

func newFleet() *fleet { return &fleet{alive: map[*fakeProcess]bool{}, broken: map[string]bool{}} }

func (f *fleet) start(spec worker.Spec, sink worker.Sink) (Process, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := &fakeProcess{f: f, spec: spec, sink: sink}
	f.started = append(f.started, spec.Module)
	f.alive[p] = true
	time.AfterFunc(time.Second, func() {
		f.mu.Lock()
		dead, broken := p.dead, f.broken[spec.Module]
		f.mu.Unlock()
		switch {
		case dead:
		case broken:
			p.exit(worker.ErrRefused)
		default:
			sink.Ready(worker.Info{Width: 640, Height: 360, FPS: 60})
		}
	})
	return p, nil
}

func (p *fakeProcess) exit(err error) {
	p.f.mu.Lock()
	was := p.dead
	p.dead = true
	delete(p.f.alive, p)
	p.f.mu.Unlock()
	if !was {
		p.sink.Exited(err)
	}
}

func (p *fakeProcess) PID() int                   { return 1 }
func (p *fakeProcess) Run()                       {}
func (p *fakeProcess) Input(int, []byte)          {}
func (p *fakeProcess) Seat(int, bool)             {}
func (p *fakeProcess) SetBitrate(int)             {}
func (p *fakeProcess) ForceKeyframe()             {}
func (p *fakeProcess) Cell(uint32)                {}
func (p *fakeProcess) ShiftTick(time.Duration)    {}
func (p *fakeProcess) Pause(bool)                 {}
func (p *fakeProcess) Stop(context.Context) error { p.exit(nil); return nil }
func (p *fakeProcess) Kill()                      { p.exit(worker.ErrKilled) }

func (f *fleet) living() (out []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for p := range f.alive {
		out = append(out, p.spec.Module)
	}
	return out
}

func (f *fleet) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.started)
}

// sink notes what it is told.
type sink struct {
	mu   sync.Mutex
	said []string
}

func (s *sink) say(w string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = append(s.said, w)
}
func (s *sink) told() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprint(s.said)
}
func (s *sink) Ready(worker.Info)        { s.say("ready") }
func (s *sink) Video(worker.AccessUnit)  { s.say("video") }
func (s *sink) Audio(worker.AudioPacket) { s.say("audio") }
func (s *sink) Stats(worker.Stats)       { s.say("stats") }
func (s *sink) Exited(err error)         { s.say(fmt.Sprint("exited: ", err)) }

var (
	snake = App{SHA256: [32]byte{1}, Name: "snake", Module: "snake.wasm"}
	chess = App{SHA256: [32]byte{2}, Name: "chess", Module: "chess.wasm"}
)

// bench is a device on fake workers in virtual time.
func bench(t *testing.T, o Options, f func(t *testing.T, d *Device, fl *fleet)) {
	synctest.Test(t, func(t *testing.T) {
		sys, err := supervise.NewSystem(supervise.Options{})
		if err != nil {
			t.Fatal(err)
		}
		fl := newFleet()
		o.System, o.Start = sys, fl.start
		d, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		f(t, d, fl)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := sys.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second) // fake workers' timers
		if left := fl.living(); len(left) != 0 {
			t.Errorf("workers outlive the device: %v", left)
		}
	})
}

// settle lets virtual time pass.
func settle(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestAdmission(t *testing.T) {
	bench(t, Options{Slots: 2}, func(t *testing.T, d *Device, fl *fleet) {
		a, err := d.Acquire(snake, false)
		if err != nil {
			t.Fatal(err)
		}
		b, err := d.Acquire(snake, false)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Acquire(snake, false); !errors.Is(err, ErrBusy) {
			t.Fatalf("a third session on two slots gave %v", err)
		}
		a.Release()
		a.Release() // once counts
		c, err := d.Acquire(chess, false)
		if err != nil {
			t.Fatalf("a freed slot was not lent again: %v", err)
		}
		if _, err := d.Acquire(chess, false); !errors.Is(err, ErrBusy) {
			t.Fatalf("a slot given back twice was lent twice: %v", err)
		}
		b.Release()
		c.Release()
	})
}

func TestManyRaceForTheLastSlot(t *testing.T) {
	bench(t, Options{Slots: 1}, func(t *testing.T, d *Device, fl *fleet) {
		won := make(chan *Slot, 50)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if s, err := d.Acquire(snake, false); err == nil {
					won <- s
				} else if !errors.Is(err, ErrBusy) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if len(won) != 1 {
			t.Fatalf("%d of 50 got the one slot", len(won))
		}
		(<-won).Release()
	})
}

func TestColdThenSuccessorOnTheSameSnapshot(t *testing.T) {
	bench(t, Options{Slots: 1}, func(t *testing.T, d *Device, fl *fleet) {
		slot, err := d.Acquire(snake, false)
		if err != nil {
			t.Fatal(err)
		}
		defer slot.Release()
		var first, second sink
		p, warm, err := slot.Open(&first, nil)
		if err != nil || warm {
			t.Fatalf("warm %v, %v", warm, err)
		}
		settle(2 * time.Second)
		p.Kill()
		if first.told() != "[ready exited: worker: killed]" {
			t.Fatalf("the session was told %v", first.told())
		}
		if !d.Ready(snake.SHA256) || d.Ready(chess.SHA256) {
			t.Error("an app that was loaded counts as compiled, and no other")
		}
		snap, seed := p.(*fakeProcess).spec.Snapshot, p.(*fakeProcess).spec.Seed
		q, warm, err := slot.Open(&second, nil)
		if err != nil || warm {
			t.Fatalf("successor: warm %v, %v", warm, err)
		}
		if q.(*fakeProcess).spec.Snapshot != snap || snap == nil || q.(*fakeProcess).spec.Seed != seed {
			t.Error("the successor does not inherit the snapshot file and the seed")
		}
		q.Kill()
	})
}

func TestStandby(t *testing.T) {
	o := Options{Slots: 2, Standby: 1, Installed: func() []App { return []App{snake, chess} }}
	bench(t, o, func(t *testing.T, d *Device, fl *fleet) {
		settle(10 * time.Second)
		if !d.Ready(snake.SHA256) || !d.Ready(chess.SHA256) {
			t.Fatal("installed apps were not compiled at start")
		}
		if got := fl.living(); len(got) != 1 || got[0] != "snake.wasm" {
			t.Fatalf("waiting workers: %v, want one of the first app", got)
		}
		slot, err := d.Acquire(snake, false)
		if err != nil || !slot.Warm() {
			t.Fatalf("warm %v, %v", slot.Warm(), err)
		}
		var s sink
		before := fl.count()
		p, warm, err := slot.Open(&s, nil)
		if err != nil || !warm || s.told() != "[ready]" || fl.count() != before {
			t.Fatalf("warm %v, %v, told %v, %d started", warm, err, s.told(), fl.count()-before)
		}
		warmSpec := p.(*fakeProcess).spec
		p.Kill()
		if p, warm, err = slot.Open(&sink{}, nil); err != nil || warm || p.(*fakeProcess).spec.Snapshot != warmSpec.Snapshot || p.(*fakeProcess).spec.Seed != warmSpec.Seed {
			t.Fatalf("the successor of one that waited: warm %v, %v, %+v", warm, err, p.(*fakeProcess).spec)
		}
		settle(10 * time.Second)
		if got := fl.living(); len(got) != 2 {
			t.Fatalf("after one was taken there are %v, want the session's and a new one waiting", got)
		}
		// Another app is wanted: the next standby is for that one.
		other, err := d.Acquire(chess, false)
		if err != nil || other.Warm() {
			t.Fatal("chess had no worker waiting", err)
		}
		settle(10 * time.Second)
		if got := fl.living(); len(got) != 1 {
			t.Fatalf("with every slot lent nothing should wait: %v", got)
		}
		other.Release()
		settle(10 * time.Second)
		if got := fl.living(); len(got) != 2 {
			t.Fatalf("with a slot free again one should wait: %v", got)
		}
		next, err := d.Acquire(chess, false)
		if err != nil || !next.Warm() {
			t.Fatal("the app used last has no worker waiting", err)
		}
		next.Release() // never opened: its worker ends with it
		p.Kill()
		slot.Release()
	})
}

func TestSessionTakesOverAWorkerThatStillLoads(t *testing.T) {
	o := Options{Slots: 2, Installed: func() []App { return []App{snake, chess} }}
	bench(t, o, func(t *testing.T, d *Device, fl *fleet) {
		settle(500 * time.Millisecond) // snake is half compiled
		slot, err := d.Acquire(snake, false)
		if err != nil || !slot.Warm() || fl.count() != 1 {
			t.Fatalf("warm %v, %v, %d started", slot.Warm(), err, fl.count())
		}
		var s sink
		p, _, err := slot.Open(&s, nil)
		if err != nil || s.told() != "[]" {
			t.Fatal(s.told(), err)
		}
		settle(time.Second)
		if s.told() != "[ready]" || fl.count() != 1 || !d.Ready(snake.SHA256) {
			t.Errorf("told %v, %d started", s.told(), fl.count())
		}
		settle(time.Minute)
		if fl.count() != 1 {
			t.Error("apps are compiled while somebody plays")
		}
		p.Kill()
		slot.Release()
		settle(10 * time.Second)
		if !d.Ready(chess.SHA256) {
			t.Error("compiling did not go on afterwards")
		}
	})
}

// Two players come while a worker still loads: the first has it, and the second's coming
// does not take it away.
func TestSecondPlayerLeavesTheFirstTheirWorker(t *testing.T) {
	o := Options{Slots: 2, Installed: func() []App { return []App{snake} }}
	bench(t, o, func(t *testing.T, d *Device, fl *fleet) {
		settle(500 * time.Millisecond) // snake is half compiled
		first, err := d.Acquire(snake, false)
		if err != nil || !first.Warm() {
			t.Fatal(first, err)
		}
		var s sink
		p, _, err := first.Open(&s, nil)
		if err != nil {
			t.Fatal(err)
		}
		second, err := d.Acquire(snake, false)
		if err != nil || second.Warm() {
			t.Fatal(second, err)
		}
		settle(time.Second)
		if s.told() != "[ready]" || fl.count() != 1 {
			t.Errorf("told %v, %d started", s.told(), fl.count())
		}
		p.Kill()
		first.Release()
		second.Release()
	})
}

func TestWhatOnlyMightBeWantedGivesWay(t *testing.T) {
	o := Options{Slots: 2, Standby: 1, Installed: func() []App { return []App{snake, chess} }}
	bench(t, o, func(t *testing.T, d *Device, fl *fleet) {
		settle(500 * time.Millisecond) // snake is half compiled
		slot, err := d.Acquire(chess, false)
		if err != nil || slot.Warm() {
			t.Fatal(slot, err)
		}
		if got := fl.living(); len(got) != 0 {
			t.Errorf("%v still loads while a player waits", got)
		}
		slot.Release()
		settle(20 * time.Second)
		if !d.Ready(snake.SHA256) || !d.Ready(chess.SHA256) {
			t.Error("compiling did not go on afterwards")
		}
	})
}

func TestDeadStandbyIsNotHandedOut(t *testing.T) {
	o := Options{Slots: 2, Standby: 1, Installed: func() []App { return []App{snake} }}
	bench(t, o, func(t *testing.T, d *Device, fl *fleet) {
		settle(10 * time.Second)
		for p := range fl.alive {
			p.exit(worker.ErrCrashed)
		}
		slot, err := d.Acquire(snake, false)
		if err != nil {
			t.Fatal(err)
		}
		var s sink
		p, warm, err := slot.Open(&s, nil)
		if err != nil || warm {
			t.Fatalf("a dead worker was handed out: warm %v, %v", warm, err)
		}
		settle(2 * time.Second)
		if s.told() != "[ready]" {
			t.Fatalf("told %v", s.told())
		}
		p.Kill()
		slot.Release()
	})
}

func TestBrokenAppIsTriedOnceAMinute(t *testing.T) {
	o := Options{Slots: 1, Standby: 1}
	bench(t, o, func(t *testing.T, d *Device, fl *fleet) {
		fl.broken["snake.wasm"] = true
		slot, err := d.Acquire(snake, false)
		if err != nil {
			t.Fatal(err)
		}
		slot.Release()
		settle(50 * time.Second)
		if n := fl.count(); n != 1 {
			t.Fatalf("a worker that does not load was started %d times in 50 s", n)
		}
		settle(2 * time.Minute)
		if n := fl.count(); n < 2 || n > 4 {
			t.Fatalf("a worker that does not load was started %d times in 3 min", n)
		}
	})
}

func TestNoStandbyWithoutMemory(t *testing.T) {
	o := Options{Slots: 2, Standby: 1, FreeMemory: func() uint64 { return MinFree - 1 }, Installed: func() []App { return []App{snake} }}
	bench(t, o, func(t *testing.T, d *Device, fl *fleet) {
		settle(time.Minute)
		if got := fl.living(); len(got) != 0 {
			t.Fatalf("workers wait although memory is short: %v", got)
		}
		if !d.Ready(snake.SHA256) {
			t.Error("the app was not compiled")
		}
	})
}

func TestStopWhileAStandbyStarts(t *testing.T) {
	o := Options{Slots: 1, Standby: 1}
	bench(t, o, func(t *testing.T, d *Device, fl *fleet) {
		slot, err := d.Acquire(snake, false)
		if err != nil {
			t.Fatal(err)
		}
		slot.Release()
		settle(refillAfter + 500*time.Millisecond) // half way up
		if len(fl.living()) != 1 {
			t.Fatalf("living: %v", fl.living())
		}
	})
}

func TestOptionsAreChecked(t *testing.T) {
	for _, o := range []Options{{}, {System: &supervise.System{}, Start: StartWorker}, {System: &supervise.System{}, Start: StartWorker, Slots: 1, Standby: -1}} {
		if _, err := New(o); !errors.Is(err, ErrOptions) {
			t.Errorf("%+v gave %v", o, err)
		}
	}
}

// A worker that waits has asked for its save already: it is left to a player without
// one, and a slot that learns of a save too late drops it.
func TestSaveNeedsAFreshWorker(t *testing.T) {
	bench(t, Options{Slots: 3, Standby: 1, Installed: func() []App { return []App{snake} }}, func(t *testing.T, d *Device, fl *fleet) {
		settle(10 * time.Second)
		if !d.Waiting(snake.SHA256) || d.Waiting(chess.SHA256) {
			t.Fatal("no worker waits, or one of the wrong app")
		}
		mine, err := d.Acquire(snake, true)
		if err != nil || mine.Warm() {
			t.Fatalf("warm %v, %v", mine.Warm(), err)
		}
		p, warm, err := mine.Open(&sink{}, []byte("level 3"))
		if err != nil || warm || string(p.(*fakeProcess).spec.Save) != "level 3" {
			t.Fatalf("warm %v, %v", warm, err)
		}
		yours, err := d.Acquire(snake, false)
		if err != nil || !yours.Warm() {
			t.Fatalf("the worker that waited is gone: %v", err)
		}
		q, warm, err := yours.Open(&sink{}, []byte("level 9"))
		if err != nil || warm || string(q.(*fakeProcess).spec.Save) != "level 9" {
			t.Fatalf("warm %v, %v", warm, err)
		}
		if n := len(fl.living()); n != 2 {
			t.Errorf("%d workers live, want those of the two sessions", n)
		}
		p.Kill()
		q.Kill()
		mine.Release()
		yours.Release()
	})
}

// slowProcess is gone a while after it was killed.
type slowProcess struct {
	*fakeProcess
	gone chan struct{}
}

func (p slowProcess) Kill() {
	time.AfterFunc(5*time.Millisecond, func() { close(p.gone) })
}

func (p slowProcess) Stop(context.Context) error {
	<-p.gone
	return nil
}

// Who ends a worker may take its files away.
func TestEndWaitsUntilTheWorkerIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := slowProcess{gone: make(chan struct{})}
		End(p)
		select {
		case <-p.gone:
		default:
			t.Error("it is still running")
		}
	})
}
