package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/framemesh/framemesh/actors/gpu"
	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/gpu/worker"
	"github.com/framemesh/framemesh/stream"
	"github.com/framemesh/framemesh/stream/control"
)

// journal notes what the fakes are asked, in order.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, fmt.Sprintf(format, args...))
}

// take returns the lines since the last take.
func (j *journal) take() string {
	synctest.Wait()
	j.mu.Lock()
	defer j.mu.Unlock()
	out := strings.Join(j.lines, "; ")
	j.lines = nil
	return out
}

func (j *journal) count(line string) (n int) {
	synctest.Wait()
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, l := range j.lines {
		if strings.HasPrefix(l, line) {
			n++
		}
	}
	return n
}

// fakeStream answers every offer with a peer called after it.
type fakeStream struct {
	j       *journal
	h       stream.Handler
	owner   string
	frames  []time.Duration
	infos   []stream.SessionInfo
	told    []control.Message // to the owner's page alone
	answers time.Duration     // how long an answer takes
}

func (f *fakeStream) Answer(ctx context.Context, j stream.Join) (string, string, [32]byte, error) {
	time.Sleep(f.answers)
	if j.Offer == "bad" {
		return "", "", [32]byte{}, stream.ErrOffer
	}
	if j.Role == stream.RoleOwner {
		if f.owner != "" {
			f.h.Left(f.owner, j.Role, "replaced")
		}
		f.owner = j.Offer
	}
	f.j.add("answer %s %s %d", j.Offer, j.Role, j.Seat)
	return j.Offer, "answer to " + j.Offer, [32]byte{9}, nil
}
func (f *fakeStream) AddCandidates(peer, fragment string) error {
	f.j.add("candidates %s %s", peer, fragment)
	return nil
}
func (f *fakeStream) Restart(peer, fragment string) (string, error) { return "re-" + fragment, nil }
func (f *fakeStream) Remove(peer, code, text string) error {
	f.h.Left(peer, stream.RoleWatch, "removed")
	return nil
}
func (f *fakeStream) WriteVideo(au []byte, key bool, pts time.Duration) error {
	f.frames = append(f.frames, pts)
	return nil
}
func (f *fakeStream) WriteAudio([]byte, time.Duration, time.Duration) error { return nil }
func (f *fakeStream) Applied(tick uint64, acked [worker.Seats]uint32)       {}
func (f *fakeStream) SetInfo(i stream.SessionInfo) error {
	f.infos = append(f.infos, i)
	return nil
}
func (f *fakeStream) SetWorkerStats(stream.WorkerStats) {}
func (f *fakeStream) Notice(code, text string)          { f.j.add("notice %s", code) }
func (f *fakeStream) ToOwner(m control.Message) {
	f.j.mu.Lock()
	defer f.j.mu.Unlock()
	f.told = append(f.told, m)
}
func (f *fakeStream) Bye(code, text string)       { f.j.add("bye %s", code) }
func (f *fakeStream) Close(context.Context) error { f.j.add("close"); return nil }

// fakeWorker is a worker that is ready after a while and then does nothing by itself.
type fakeWorker struct {
	j    *journal
	n    int
	sink worker.Sink
	mu   sync.Mutex
	dead bool
}

func (p *fakeWorker) PID() int                       { return 1000 + p.n }
func (p *fakeWorker) Run()                           { p.j.add("run %d", p.n) }
func (p *fakeWorker) Input(seat int, b []byte)       { p.j.add("input %d", seat) }
func (p *fakeWorker) Seat(seat int, on bool)         { p.j.add("seat %d %v", seat, on) }
func (p *fakeWorker) SetBitrate(bps int)             { p.j.add("bitrate %d", bps) }
func (p *fakeWorker) ForceKeyframe()                 { p.j.add("key") }
func (p *fakeWorker) Cell(code uint32)               { p.j.add("cell %08x", code) }
func (p *fakeWorker) ShiftTick(d time.Duration)      { p.j.add("shift %v", d) }
func (p *fakeWorker) Pause(on bool)                  { p.j.add("pause %v", on) }
func (p *fakeWorker) Stop(ctx context.Context) error { p.exit(nil); return nil }
func (p *fakeWorker) Kill()                          { p.j.add("kill %d", p.n); p.exit(worker.ErrKilled) }
func (p *fakeWorker) exit(err error) {
	p.mu.Lock()
	was := p.dead
	p.dead = true
	p.mu.Unlock()
	if !was {
		p.sink.Exited(err)
	}
}

// fakeSlot starts fake workers.
type fakeSlot struct {
	j       *journal
	loads   time.Duration
	broken  error // of Open
	dies    error // at once
	mu      sync.Mutex
	started []*fakeWorker
}

func (s *fakeSlot) Open(sink worker.Sink, save []byte) (gpu.Process, bool, error) {
	if s.broken != nil {
		return nil, false, s.broken
	}
	s.mu.Lock()
	p := &fakeWorker{j: s.j, n: len(s.started) + 1, sink: sink}
	s.started = append(s.started, p)
	s.mu.Unlock()
	if save != nil {
		s.j.add("save %s", save)
	}
	s.j.add("open %d", p.n)
	if s.dies != nil {
		p.exit(s.dies)
		return p, false, nil
	}
	time.AfterFunc(s.loads, func() {
		p.mu.Lock()
		dead := p.dead
		p.mu.Unlock()
		if !dead {
			sink.Ready(worker.Info{Width: 640, Height: 360, FPS: 60, Seats: 2, Encoder: "fake", Restored: p.n > 1})
		}
	})
	return p, false, nil
}
func (s *fakeSlot) Release() { s.j.add("release") }

func (s *fakeSlot) last() *fakeWorker {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.started) == 0 {
		return nil
	}
	return s.started[len(s.started)-1]
}

// play is a session on fakes, in virtual time.
type play struct {
	*testing.T
	*journal
	sys    *supervise.System
	ref    supervise.Ref
	out    *fakeStream
	slot   *fakeSlot
	secret [32]byte
	last   Summary
	abrupt bool
}

func (p *play) token(r stream.Role) []byte {
	t := stream.Token(p.secret[:], r)
	return t[:]
}

func (p *play) ask(msg any) (any, error) {
	p.Helper()
	v, err := supervise.Ask[any](context.Background(), p.ref, msg)
	synctest.Wait()
	return v, err
}

// join adds a page and lets its media flow.
func (p *play) join(role stream.Role, name string) {
	p.Helper()
	if _, err := p.ask(Join{Token: p.token(role), Offer: name}); err != nil {
		p.Fatal(err)
	}
	p.out.h.Joined(name, role)
	synctest.Wait()
}

func (p *play) leave(role stream.Role, name string) {
	if p.out.owner == name {
		p.out.owner = ""
	}
	p.out.h.Left(name, role, "lost")
	synctest.Wait()
}

func (p *play) ended() bool {
	synctest.Wait()
	select {
	case <-p.ref.Done():
		return true
	default:
		return false
	}
}

func (p *play) want(what string) {
	p.Helper()
	if got := p.take(); got != what {
		p.Errorf("happened:\n\t%s\nwant:\n\t%s", got, what)
	}
}

func begin(t *testing.T, change func(*Options, *fakeSlot), story func(p *play)) {
	synctest.Test(t, func(t *testing.T) {
		sys, err := supervise.NewSystem(supervise.Options{})
		if err != nil {
			t.Fatal(err)
		}
		j := &journal{}
		p := &play{T: t, journal: j, sys: sys, slot: &fakeSlot{j: j, loads: 100 * time.Millisecond}, secret: [32]byte{5}}
		o := Options{
			ID: [16]byte{1}, Secret: p.secret, Info: stream.SessionInfo{App: "Test"},
			Acquire: func(context.Context, bool) (Slot, error) { return p.slot, nil },
			Stream: func(_ string, h stream.Handler, _ stream.SessionInfo) (Stream, error) {
				p.out = &fakeStream{j: j, h: h}
				return p.out, nil
			},
			Report: func(s Summary) {
				j.mu.Lock()
				defer j.mu.Unlock()
				p.last = s
			},
			Abrupt: func() bool { return p.abrupt },
		}
		if change != nil {
			change(&o, p.slot)
		}
		behavior, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		if p.ref, err = sys.Spawn(Name(o.ID), behavior, supervise.Restart(supervise.Backoff{})); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		story(p)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := sys.Stop(ctx); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second) // timers of the fakes
	})
}

var errAny = errors.New("any")
