package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/framemesh/framemesh/gpu/worker"
	"github.com/framemesh/framemesh/stream"
)

func TestFromReservationToPlay(t *testing.T) {
	begin(t, nil, func(p *play) {
		p.want("open 1") // it loads while the page still makes its offer
		v, err := p.ask(Join{Token: p.token(stream.RoleOwner), Offer: "page"})
		joined, ok := v.(Joined)
		if err != nil || !ok || joined.Peer != "page" || joined.Answer != "answer to page" || joined.Fingerprint != [32]byte{9} || joined.Role != stream.RoleOwner {
			t.Fatalf("%+v, %v", v, err)
		}
		p.want("run 1; answer page owner 0")
		p.out.h.Joined("page", stream.RoleOwner)
		p.want("seat 0 true")
		time.Sleep(time.Second)
		if p.want("key"); p.last.Phase != Playing || p.last.Viewers != 1 || p.last.Encoder != "fake" || p.last.PID != 1001 {
			t.Errorf("summary %+v", p.last)
		}
		p.out.h.Input("page", 0, make([]byte, 72))
		p.out.h.NeedKeyframe()
		p.out.h.Bitrate(3_000_000)
		p.out.h.ShiftTick(time.Millisecond)
		p.want("input 0; key; bitrate 3000000; shift 1ms")
		if _, err := p.ask(Leave{Token: p.token(stream.RoleOwner), Peer: "page", End: true}); err != nil {
			t.Fatal(err)
		}
		if !p.ended() {
			t.Fatal("the owner's end did not end it")
		}
		p.want("bye ended; kill 1; close; release")
	})
}

func TestLeaseExpires(t *testing.T) {
	begin(t, nil, func(p *play) {
		time.Sleep(9 * time.Second)
		if p.ended() {
			t.Fatal("ended before its lease")
		}
		time.Sleep(time.Second)
		if !p.ended() {
			t.Fatal("a lease without an offer goes on")
		}
		p.want("open 1; bye ended; kill 1; close; release")
	})
}

func TestFirstOfferWithoutMediaEndsAfterTheGrace(t *testing.T) {
	begin(t, nil, func(p *play) {
		if _, err := p.ask(Join{Token: p.token(stream.RoleOwner), Offer: "page"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(29 * time.Second)
		if p.ended() {
			t.Fatal("ended early")
		}
		time.Sleep(2 * time.Second)
		if !p.ended() {
			t.Fatal("a page that never connected holds the slot")
		}
	})
}

func TestTokens(t *testing.T) {
	begin(t, nil, func(p *play) {
		forged := make([]byte, 32)
		for _, msg := range []any{Join{Token: forged, Offer: "x"}, GetStatus{forged}, Leave{Token: forged, Peer: "page"},
			Candidates{Token: forged, Peer: "page"}, RestartICE{Token: forged, Peer: "page"}, Join{Offer: "x"}} {
			if _, err := p.ask(msg); !errors.Is(err, ErrToken) {
				t.Errorf("%T with a forged token gave %v", msg, err)
			}
		}
		p.join(stream.RoleOwner, "page")
		p.join(stream.RoleWatch, "fan")
		if _, err := p.ask(Leave{Token: p.token(stream.RoleWatch), Peer: "fan", End: true}); !errors.Is(err, ErrRole) {
			t.Errorf("a viewer ends the session: %v", err)
		}
		if _, err := p.ask(Leave{Token: p.token(stream.RoleWatch), Peer: "page"}); !errors.Is(err, ErrRole) {
			t.Errorf("a viewer removes the owner: %v", err)
		}
		if _, err := p.ask(Candidates{Token: p.token(stream.RoleWatch), Peer: "nobody"}); !errors.Is(err, ErrNoPeer) {
			t.Errorf("candidates of a stranger gave %v", err)
		}
		if v, err := p.ask(RestartICE{Token: p.token(stream.RoleWatch), Peer: "fan", Fragment: "x"}); v != "re-x" || err != nil {
			t.Errorf("restart gave %v, %v", v, err)
		}
		if v, err := p.ask(GetStatus{p.token(stream.RoleWatch)}); err != nil || v.(Summary).Viewers != 2 {
			t.Errorf("status %v, %v", v, err)
		}
		if _, err := p.ask(Leave{Token: p.token(stream.RoleWatch), Peer: "fan"}); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if v, _ := p.ask(GetStatus{p.token(stream.RoleWatch)}); v.(Summary).Viewers != 1 {
			t.Errorf("a viewer that left is counted: %+v", v)
		}
	})
}

func TestSeats(t *testing.T) {
	begin(t, nil, func(p *play) {
		p.join(stream.RoleOwner, "page")
		time.Sleep(time.Second)
		p.take()
		p.join(stream.RolePlay, "second")
		p.want("answer second play 1; seat 1 true")
		if _, err := p.ask(Join{Token: p.token(stream.RolePlay), Offer: "third"}); !errors.Is(err, ErrSeats) {
			t.Fatalf("a third player of a game for two gave %v", err)
		}
		p.join(stream.RoleWatch, "fan")
		p.want("answer fan watch 0")
		p.leave(stream.RolePlay, "second")
		p.want("seat 1 false")
		if _, err := p.ask(Join{Token: p.token(stream.RolePlay), Offer: "bad"}); err == nil {
			t.Fatal("a bad offer was answered")
		}
		p.join(stream.RolePlay, "fourth") // neither the one who left nor the bad offer holds the seat
		p.want("answer fourth play 1; seat 1 true")
	})
}

func TestReloadResumes(t *testing.T) {
	begin(t, nil, func(p *play) {
		p.join(stream.RoleOwner, "page")
		time.Sleep(time.Second)
		p.take()
		p.leave(stream.RoleOwner, "page")
		p.want("seat 0 false")
		time.Sleep(1900 * time.Millisecond)
		p.want("")
		time.Sleep(200 * time.Millisecond)
		p.want("pause true") // nobody watches
		if p.last.Phase != Paused {
			t.Errorf("phase %s", p.last.Phase)
		}
		time.Sleep(20 * time.Second)
		p.join(stream.RoleOwner, "reloaded")
		p.want("answer reloaded owner 0; seat 0 true; pause false; key")
		time.Sleep(time.Minute)
		if p.ended() {
			t.Fatal("a resumed session ended")
		}
	})
}

func TestReloadFasterThanTheLoss(t *testing.T) {
	begin(t, nil, func(p *play) {
		p.join(stream.RoleOwner, "page")
		time.Sleep(time.Second)
		p.take()
		p.join(stream.RoleOwner, "reloaded") // the old page is replaced in the answer
		p.want("answer reloaded owner 0; seat 0 false; seat 0 true")
		time.Sleep(time.Minute)
		if p.ended() || p.last.Phase != Playing {
			t.Fatalf("ended %v, phase %s", p.ended(), p.last.Phase)
		}
	})
}

func TestGraceEnds(t *testing.T) {
	begin(t, nil, func(p *play) {
		p.join(stream.RoleOwner, "page")
		p.join(stream.RoleWatch, "fan")
		time.Sleep(time.Second)
		p.take()
		p.leave(stream.RoleOwner, "page")
		time.Sleep(29 * time.Second)
		p.want("seat 0 false") // not paused: somebody watches
		if p.ended() {
			t.Fatal("ended within the grace")
		}
		time.Sleep(2 * time.Second)
		if !p.ended() {
			t.Fatal("a session without its owner goes on")
		}
		p.want("bye ended; kill 1; close; release")
	})
}

func TestPauseIsTheOwners(t *testing.T) {
	begin(t, nil, func(p *play) {
		p.join(stream.RoleOwner, "page")
		p.join(stream.RolePlay, "second")
		time.Sleep(time.Second)
		p.take()
		p.out.h.Pause(true, "second")
		p.want("")
		p.out.h.Pause(true, "page")
		p.out.h.Pause(true, "page")
		p.want("pause true; notice paused")
		p.out.h.Pause(false, "page")
		p.want("pause false; key; notice resumed")
	})
}

func TestCrashGoesOnFromTheSnapshot(t *testing.T) {
	begin(t, nil, func(p *play) {
		p.join(stream.RoleOwner, "page")
		p.out.h.Bitrate(2_000_000)
		time.Sleep(time.Second)
		p.take()
		w := p.slot.last()
		w.sink.Video(worker.AccessUnit{Data: []byte{1}, PTS: 900 * time.Millisecond})
		w.sink.Video(worker.AccessUnit{Data: []byte{1}, PTS: 950 * time.Millisecond})
		at := time.Now()
		w.exit(worker.ErrKilled)
		p.want("open 2; bitrate 2000000; seat 0 true; run 2")
		time.Sleep(150 * time.Millisecond)
		p.want("key; notice worker-restarted")
		if d := time.Since(at); d > time.Second || p.last.Phase != Playing || p.last.Restarts != 1 {
			t.Errorf("after %v: %+v", d, p.last)
		}
		w.sink.Ready(worker.Info{}) // the dead say nothing any more
		w.exit(errAny)
		w = p.slot.last()
		w.sink.Video(worker.AccessUnit{Data: []byte{1}, PTS: 10 * time.Millisecond})
		f := p.out.frames
		if len(f) != 3 || f[1]-f[0] != 50*time.Millisecond || f[2]-f[0] != 150*time.Millisecond {
			t.Errorf("the pictures' clock: %v", f)
		}
		p.want("")
	})
}

func TestThreeCrashesAreEnough(t *testing.T) {
	begin(t, nil, func(p *play) {
		p.join(stream.RoleOwner, "page")
		time.Sleep(time.Second)
		for range 2 {
			p.slot.last().exit(worker.ErrCrashed)
			time.Sleep(time.Second)
		}
		if p.ended() {
			t.Fatal("ended after two crashes")
		}
		p.take()
		p.slot.last().exit(fmt.Errorf("%w: killed by signal 11", worker.ErrCrashed))
		if !p.ended() {
			t.Fatal("a third crash within 30 s was restarted")
		}
		p.want("bye crashed; close; release")
		if p.last.Why != "The game cannot go on: worker: crashed: killed by signal 11." {
			t.Errorf("the page is told %q", p.last.Why)
		}
	})
}

func TestRareCrashesGoOn(t *testing.T) {
	begin(t, nil, func(p *play) {
		p.join(stream.RoleOwner, "page")
		for range 6 {
			time.Sleep(16 * time.Second)
			p.slot.last().exit(worker.ErrCrashed)
		}
		if p.ended() || p.last.Restarts != 6 {
			t.Fatalf("ended %v after %d restarts", p.ended(), p.last.Restarts)
		}
	})
}

func TestAppThatNeverLoads(t *testing.T) {
	begin(t, func(_ *Options, s *fakeSlot) { s.dies = fmt.Errorf("%w: import env.fork", worker.ErrRefused) }, func(p *play) {
		if !p.ended() {
			t.Fatal("an app that is refused is tried again")
		}
		p.want("open 1; bye crashed; close; release")
	})
}

func TestWorkerDiesBeforeItsStartIsKnown(t *testing.T) {
	begin(t, nil, func(p *play) {
		p.join(stream.RoleOwner, "page")
		time.Sleep(time.Second)
		p.slot.dies = worker.ErrMemory // successors die inside Open
		p.slot.last().exit(worker.ErrCrashed)
		if !p.ended() {
			t.Fatal("still there")
		}
		if n := p.count("open"); n != 3 {
			t.Errorf("%d workers were started, want 3", n)
		}
		if n := p.count("release"); n != 1 {
			t.Errorf("the slot was released %d times", n)
		}
	})
}

func TestNoSlotAfterAll(t *testing.T) {
	begin(t, func(o *Options, _ *fakeSlot) {
		o.Acquire = func(context.Context, bool) (Slot, error) { return nil, errAny }
	}, func(p *play) {
		if !p.ended() {
			t.Fatal("a session without a slot goes on")
		}
		p.want("bye crashed; close")
	})
}

func TestStopWhileTheAppIsFetched(t *testing.T) {
	begin(t, func(o *Options, s *fakeSlot) {
		o.Acquire = func(ctx context.Context, _ bool) (Slot, error) {
			<-ctx.Done()  // a download
			return s, nil // that ended just now
		}
	}, func(p *play) {
		p.ref.Stop()
		if !p.ended() {
			t.Fatal("not stopped")
		}
		if p.count("release") != 1 || p.count("bye shutdown") != 1 {
			t.Fatal(p.take())
		}
	})
}

func TestIdle(t *testing.T) {
	begin(t, nil, func(p *play) {
		p.join(stream.RoleOwner, "page")
		time.Sleep(9 * time.Minute)
		p.take()
		p.out.h.Input("page", 0, make([]byte, 72))
		time.Sleep(9*time.Minute + 59*time.Second)
		p.want("input 0")
		time.Sleep(2 * time.Second)
		p.want("notice idle")
		time.Sleep(4 * time.Minute)
		p.out.h.Input("page", 0, make([]byte, 72))
		time.Sleep(14*time.Minute + 59*time.Second)
		p.want("input 0; notice idle")
		if p.ended() {
			t.Fatal("ended early")
		}
		time.Sleep(2 * time.Second)
		if !p.ended() {
			t.Fatal("an idle session goes on")
		}
		p.want("bye idle; kill 1; close; release")
	})
}

func TestCrashOfTheNodeIsAbrupt(t *testing.T) {
	begin(t, nil, func(p *play) {
		p.join(stream.RoleOwner, "page")
		time.Sleep(time.Second)
		p.take()
		p.abrupt = true
		p.ref.Stop()
		if !p.ended() {
			t.Fatal("not stopped")
		}
		p.want("kill 1; release") // no farewell, nothing closed
	})
}

func TestPeerGoneBeforeItsAnswerCameBy(t *testing.T) {
	begin(t, nil, func(p *play) {
		p.join(stream.RoleOwner, "page")
		time.Sleep(time.Second)
		p.out.answers = time.Second
		go func() {
			time.Sleep(500 * time.Millisecond)
			p.out.h.Joined("second", stream.RolePlay)
			p.out.h.Left("second", stream.RolePlay, "lost")
		}()
		if _, err := p.ask(Join{Token: p.token(stream.RolePlay), Offer: "second"}); !errors.Is(err, ErrNoPeer) {
			t.Fatalf("gave %v", err)
		}
		p.out.answers = 0
		p.join(stream.RolePlay, "third") // the seat is free
	})
}

func TestMeter(t *testing.T) {
	var m meter
	m.add(worker.Stats{FPS: 60}, 60)
	m.add(worker.Stats{FPS: 57}, 60)
	m.add(worker.Stats{FPS: 56}, 60)
	m.add(worker.Stats{FPS: 50, Skipped: 10}, 60)
	m.gap(1100 * time.Millisecond)
	if m != (meter{good: 3, seconds: 6}) {
		t.Errorf("%+v", m)
	}
}

func TestMeterLeavesPausesOut(t *testing.T) {
	begin(t, nil, func(p *play) {
		p.join(stream.RoleOwner, "page")
		time.Sleep(time.Second)
		second := func() { p.slot.last().sink.Stats(worker.Stats{FPS: 60}); synctest.Wait() }
		second() // with the start in it
		second()
		p.out.h.Pause(true, "page")
		second()
		second()
		p.out.h.Pause(false, "page")
		second() // with the end of the pause in it
		second()
		if p.last.Seconds != 2 || p.last.Good != 2 {
			t.Fatalf("%d good of %d seconds, want 2 of 2", p.last.Good, p.last.Seconds)
		}
	})
}

func TestFreeSeat(t *testing.T) {
	for _, c := range []struct {
		taken [worker.Seats]bool
		seats int
		want  int
		ok    bool
	}{
		{[4]bool{}, 4, 1, true}, {[4]bool{true, true, false, true}, 4, 2, true}, {[4]bool{true, true}, 2, 0, false},
		{[4]bool{}, 1, 0, false}, {[4]bool{}, 0, 0, false}, {[4]bool{false, true, true, true}, 9, 0, false},
	} {
		if got, ok := freeSeat(c.taken, c.seats); got != c.want || ok != c.ok {
			t.Errorf("freeSeat(%v, %d) = %d, %v", c.taken, c.seats, got, ok)
		}
	}
}

// drawer is one player's save of one app.
type drawer struct{ in []byte }

func (d *drawer) Load() []byte      { return d.in }
func (d *drawer) Store(data []byte) { d.in = data }

func TestSaveGoesToEachWorkerAndComesBack(t *testing.T) {
	d := &drawer{in: []byte("one")}
	var fresh []bool
	begin(t, func(o *Options, s *fakeSlot) {
		o.Save = d
		o.Acquire = func(_ context.Context, f bool) (Slot, error) { fresh = append(fresh, f); return s, nil }
	}, func(p *play) {
		p.want("save one; open 1")
		p.join(stream.RoleOwner, "page")
		time.Sleep(time.Second)
		p.slot.last().sink.(worker.SaveSink).Saved([]byte("two"))
		p.take()
		p.slot.last().exit(worker.ErrCrashed)
		if got := p.take(); !strings.HasPrefix(got, "save two; open 2") {
			t.Errorf("the successor: %s", got)
		}
		time.Sleep(time.Second)
		p.take()
		// The last worker is asked to end, so that it can hand over what it saved last.
		if _, err := p.ask(Leave{Token: p.token(stream.RoleOwner), End: true}); err != nil {
			t.Fatal(err)
		}
		p.want("bye ended; close; release")
		if string(d.in) != "two" || len(fresh) != 1 || !fresh[0] {
			t.Errorf("kept %q, fresh %v", d.in, fresh)
		}
	})
}

func TestPausedGameStaysPausedOverACrash(t *testing.T) {
	begin(t, nil, func(p *play) {
		p.join(stream.RoleOwner, "page")
		time.Sleep(time.Second)
		p.out.h.Pause(true, "page")
		p.take()
		p.slot.last().exit(worker.ErrCrashed)
		p.want("open 2; seat 0 true; pause true; run 2")
		time.Sleep(time.Second)
		p.want("key; notice worker-restarted; notice paused")
		if p.last.Phase != Paused {
			t.Errorf("phase %s", p.last.Phase)
		}
	})
}

func TestPagesLearnTheAppsRealSize(t *testing.T) {
	begin(t, nil, func(p *play) {
		p.join(stream.RoleOwner, "page")
		time.Sleep(time.Second)
		p.take()
		want := stream.SessionInfo{App: "Test", Width: 640, Height: 360, FPS: 60, Encoder: "fake"}
		if len(p.out.infos) != 1 || p.out.infos[0] != want {
			t.Errorf("told %+v", p.out.infos)
		}
	})
}
