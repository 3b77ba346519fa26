package session

import (
	"context"
	"fmt"
	"time"

	"github.com/framemesh/framemesh/actors/gpu"
	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/gpu/worker"
	"github.com/framemesh/framemesh/stream"
	"github.com/framemesh/framemesh/stream/control"
)

// closeWithin bounds what the last words to the pages may take.
const closeWithin = 2 * time.Second

// saveWithin bounds how long a worker may take to hand over its last save.
const saveWithin = 500 * time.Millisecond

// Messages to the session's own actor.
type (
	peerJoined struct {
		peer string
		role stream.Role
	}
	peerLeft struct {
		peer string
		role stream.Role
		why  string
	}
	pauseWish struct {
		paused bool
		peer   string
	}
	payment     struct{ m control.Message } // of the owner's page
	workerReady struct {
		life int
		info worker.Info
	}
	workerStats struct {
		life  int
		stats worker.Stats
	}
	workerGone struct {
		life int
		err  error
	}
	opened struct { // a slot was acquired and a worker started, or not
		life int
		slot Slot // only of the first
		proc gpu.Process
		err  error
	}
	answered struct {
		reply func(any)
		seat  int
		peer  string
		out   Joined
		err   error
	}
	leaseOver struct{}
	graceOver struct{}
	abandoned struct{}
	idleCheck struct{}
)

// page is a peer connection as the session sees it.
type page struct {
	role      stream.Role
	seat      int // -1 for those who watch
	connected bool
}

// state is the session's actor.
type state struct {
	o        Options
	b        *bridge
	slot     Slot
	life     int // of the worker, from 1
	openLife int // the newest life whose start is known
	early    *workerGone
	info     worker.Info
	ready    bool      // the worker of this life is
	everUp   bool      // a worker was ready once
	run      bool      // the first offer came
	offered  time.Time // when it was answered
	downAt   time.Time // when the worker crashed, while there is none
	crashes  crashes
	pages    map[string]*page
	joining  int                // answers on their way
	gone     map[string]bool    // peers that left while answers were on their way
	seats    [worker.Seats]bool // taken, also by answers on their way
	wish     bool               // the owner paused
	left     bool               // nobody is there
	paused   bool
	mixed    bool // the running second has a pause or a start in it
	warned   bool // of idleness
	ending   bool
	sum      Summary
	meter    meter

	pay *paying // nil in a free session

	lease, grace, leaving func() // cancel the timers; nil when not running
}

func newState(o Options) *state {
	s := &state{o: o, pages: map[string]*page{}, gone: map[string]bool{}}
	if o.Payment != nil {
		s.pay, _ = newPaying(*o.Payment) // New has tried it
	}
	return s
}

// Receive implements supervise.Behavior.
func (s *state) Receive(c *supervise.Ctx, msg any) {
	if s.ending && s.refuseWhileEnding(c, msg) {
		return
	}
	if s.receivePay(c, msg) {
		return
	}
	switch m := msg.(type) {
	case supervise.Started:
		s.start(c)
	case supervise.Stopping:
		s.close(m.Err)
	case Join:
		s.join(c, m)
	case answered:
		s.answered(c, m)
	case Candidates:
		s.onPeer(c, m.Token, m.Peer, func() (any, error) { return Done{}, s.b.out.AddCandidates(m.Peer, m.Fragment) })
	case RestartICE:
		s.restartICE(c, m)
	case Leave:
		s.leave(c, m)
	case GetStatus:
		if _, err := s.role(m.Token); err != nil {
			c.Reply(err)
			return
		}
		c.Reply(s.summary())
	case End:
		s.end(c, m.Code, m.Text)
		c.Reply(Done{})
	case peerJoined:
		s.peerJoined(c, m)
	case peerLeft:
		s.peerLeft(c, m)
	case pauseWish:
		s.pauseWish(c, m)
	case opened:
		s.opened(c, m)
	case workerReady:
		s.workerReady(c, m)
	case workerStats:
		s.workerStats(m)
	case workerGone:
		s.workerGone(c, m)
	case leaseOver:
		s.lease = nil
		s.end(c, control.ByeEnded, "No page came for this session in time. Start the game again.")
	case graceOver:
		s.grace = nil
		s.end(c, control.ByeEnded, "The player who started this session left.")
	case abandoned:
		s.leaving, s.left = nil, true
		s.applyPause(c, "")
	case idleCheck:
		s.idle(c)
	}
}

// refuseWhileEnding answers those who come too late.
func (s *state) refuseWhileEnding(c *supervise.Ctx, msg any) bool {
	switch m := msg.(type) {
	case supervise.Stopping:
		return false
	case opened:
		m.Discard()
	case answered:
		m.reply(ErrEnding)
	default:
		c.Reply(ErrEnding)
	}
	return true
}

func (s *state) start(c *supervise.Ctx) {
	s.b = &bridge{tell: c.Inlet(), save: s.o.Save, work: s.o.Work, epoch: time.Now(), owner: stream.Token(s.o.Secret[:], stream.RoleOwner)}
	s.b.lastInput.Store(time.Now().UnixNano())
	s.sum = Summary{ID: s.o.ID, App: s.o.Info.App, Started: time.Now()}
	out, err := s.o.Stream(fmt.Sprintf("%x", s.o.ID), s.b, s.o.Info)
	if err != nil {
		panic(fmt.Errorf("session: open stream: %w", err))
	}
	s.b.out = out
	if s.o.Work != nil {
		s.o.Work.Attach(out.ToOwner)
	}
	s.lease = c.After(s.o.Lease, leaseOver{})
	c.After(s.o.IdleNotice, idleCheck{})
	s.open(c, 0)
	s.report()
}

// fail ends the session for want of a worker.
func (s *state) fail(c *supervise.Ctx, err error) {
	s.end(c, control.ByeCrashed, fmt.Sprintf("The game cannot go on: %v.", err))
}

// end says farewell; what the session holds is freed when the actor stops.
func (s *state) end(c *supervise.Ctx, code, text string) {
	if s.ending {
		return
	}
	s.ending = true
	s.sum.Why = text
	c.Log().Info("session ends", "code", code, "why", text)
	s.b.out.Bye(code, text)
	s.report()
	c.Self().Stop()
}

// close frees everything. It runs once, as the actor's last act, and may wait for the
// pages to have heard the last words.
func (s *state) close(err error) {
	defer s.endWork()
	if s.b != nil {
		s.settle()
	}
	if p := s.b.takeProc(); p != nil {
		s.endWorker(p)
	}
	if s.slot != nil {
		defer s.slot.Release()
	}
	if s.b == nil || s.b.out == nil || s.o.Abrupt() {
		return
	}
	if !s.ending {
		s.ending = true
		code, text := control.ByeShutdown, "The machine that ran your game is going down. Play on the next one."
		if err != nil {
			code, text = control.ByeCrashed, "The machine that ran your game made a mistake. Start the game again."
		}
		s.sum.Why = text
		s.b.out.Bye(code, text)
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
	defer cancel()
	if err := s.b.out.Close(ctx); err != nil {
		s.o.Log.Warn("session closes late", "session", Name(s.o.ID), "err", err)
	}
	s.report()
}

func (s *state) summary() Summary {
	out := s.sum
	out.Good, out.Seconds, out.Offered = s.meter.good, s.meter.seconds, s.run
	for _, p := range s.pages {
		if p.connected {
			out.Viewers++
		}
	}
	if s.pay != nil {
		st := s.pay.meter.State()
		out.Served, out.Covered, out.Paid, out.Escrow = st.Served, st.Covered, st.Paid, s.pay.locked
	}
	switch {
	case s.ending:
		out.Phase = Ending
	case s.paused:
		out.Phase = Paused
	case s.run && s.ready:
		out.Phase = Playing
	default:
		out.Phase = Starting
	}
	return out
}

func (s *state) report() { s.o.Report(s.summary()) }
