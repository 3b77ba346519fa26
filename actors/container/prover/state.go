package prover

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/framemesh/framemesh/actors/container/prove"
	"github.com/framemesh/framemesh/actors/record"
	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
)

const (
	dutyRetry   = 300 * time.Millisecond // until the seed of an epoch can be read
	dutyTime    = 15 * time.Second       // for one try
	commitTime  = 3 * time.Second        // for a checker to take a commitment
	busyEvery   = 250 * time.Millisecond // how often sessions are looked at during a round
	busyTime    = time.Second            // for one look
	maxSaveFile = 64<<10 + epochSize
	epochSize   = 8 // bytes in front of what was saved that say of which epoch it is
)

var errEpoch = errors.New("prover: of another epoch than the one that runs")

// Messages of the actor.
type (
	dutyRead struct {
		epoch uint64
		duty  Duty
		err   error
	}
	tick struct{ epoch uint64 } // Wake
	look struct{ epoch uint64 } // at the sessions
	seen struct {
		epoch    uint64
		name     Session
		sessions int
	}
	nextEpoch struct{ epoch uint64 }
	retryDuty struct{ epoch uint64 }
	rendered  struct {
		epoch uint64
		try   int
		work  prove.Rendering
		took  time.Duration
		err   error
	}
	answered struct {
		epoch  uint64
		to     key.Node
		commit [32]byte
		sent   uint64 // when this try left, unix ms
		stamp  uint64 // when it arrived, by the checker's clock
		err    error
	}
	question struct {
		epoch  uint64
		from   key.Node
		commit [32]byte
		picks  []proof.Pick
	}
	ping struct {
		epoch uint64
		from  key.Node
		nonce []byte
	}
)

// state is the actor: the prover of the epoch that runs.
type state struct {
	p       *Prover
	epoch   uint64
	duty    Duty
	machine *prove.Prover // nil until the epoch's duty is known, and without one
	saved   bool          // what it committed is on the disk
	rate    uint64        // samples/s, as of the last round
	ahead   int64         // of the checkers' clocks, ms, as last heard
	next    func()        // stops the timer of the next epoch
	stop    context.CancelFunc
	tries   int // renderings begun
	wake    func()
	wakeMS  uint64 // when it rings; 0 = not set
	told    bool   // of being out of luck, once
}

func newState(p *Prover) *state { return &state{p: p, rate: p.o.Rate} }

func (s *state) now() uint64 { return uint64(max(s.p.o.Now().UnixMilli(), 0)) }

// theirs is the time by the checkers' clocks, which rounds go by.
func (s *state) theirs() uint64 { return uint64(max(int64(s.now())+s.ahead, 0)) }

// Receive implements supervise.Behavior.
func (s *state) Receive(c *supervise.Ctx, msg any) {
	switch m := msg.(type) {
	case supervise.Started:
		s.begin(c, s.p.o.Book.EpochAt(s.theirs()))
	case nextEpoch:
		if m.epoch > s.epoch {
			s.begin(c, max(m.epoch, s.p.o.Book.EpochAt(s.theirs())))
		}
	case retryDuty:
		if m.epoch == s.epoch && s.machine == nil {
			s.readDuty(c)
		}
	case dutyRead:
		s.dutyRead(c, m)
	case tick:
		if m.epoch == s.epoch && s.machine != nil {
			s.wake, s.wakeMS = nil, 0
			s.do(c, s.machine.At(s.now()))
		}
	case look:
		s.look(c, m.epoch)
	case seen:
		s.seen(c, m)
	case rendered:
		s.rendered(c, m)
	case answered:
		s.answered(c, m)
	case question:
		s.question(c, m)
	case ping:
		s.ping(c, m)
	case supervise.Stopping:
		s.halt()
	}
}

// begin turns to an epoch. The clock may have been set back: an epoch is never begun twice.
func (s *state) begin(c *supervise.Ctx, epoch uint64) {
	s.halt()
	if s.wake != nil {
		s.wake()
	}
	s.wake, s.wakeMS = nil, 0
	if s.machine != nil {
		s.ahead = s.machine.Ahead()
	}
	s.epoch, s.machine, s.saved, s.duty = epoch, nil, false, Duty{}
	s.setNext(c)
	s.readDuty(c)
}

// setNext rings when the next epoch begins by the checkers' clocks: the window opens with it.
func (s *state) setNext(c *supervise.Ctx) {
	if s.next != nil {
		s.next()
	}
	start := int64(s.p.o.Book.EpochStart(s.epoch + 1))
	s.next = c.After(s.until(uint64(max(start-s.ahead, 0))), nextEpoch{s.epoch + 1})
}

// until is how long it is to a unix time in ms, at least a moment.
func (s *state) until(ms uint64) time.Duration {
	now := s.now()
	if ms <= now {
		return time.Millisecond
	}
	return time.Duration(ms-now) * time.Millisecond
}

func (s *state) readDuty(c *supervise.Ctx) {
	epoch, book, self := s.epoch, s.p.o.Book, s.p.self
	c.Go(func(ctx context.Context) any {
		ctx, cancel := context.WithTimeout(ctx, dutyTime)
		defer cancel()
		for {
			block := book.NextBlock()
			d, err := book.Duty(ctx, epoch, self)
			if err == nil || errors.Is(err, ErrNoDuty) || ctx.Err() != nil {
				return dutyRead{epoch, d, err}
			}
			select { // its first block shows who is drawn
			case <-block:
			case <-time.After(dutyRetry):
			case <-ctx.Done():
				return dutyRead{epoch, d, err}
			}
		}
	})
}

func (s *state) dutyRead(c *supervise.Ctx, m dutyRead) {
	if m.epoch != s.epoch || s.machine != nil {
		return
	}
	switch {
	case errors.Is(m.err, ErrNoDuty):
		s.p.metrics.rounds.WithLabelValues("none").Inc()
		if !s.told {
			s.told = true
			c.Log().Info("this container has no part in the rounds yet", "epoch", m.epoch, "why", m.err)
		}
		return
	case m.err != nil:
		c.Log().Debug("the round cannot be read yet", "epoch", m.epoch, "err", m.err)
		c.After(dutyRetry, retryDuty{m.epoch})
		return
	}
	s.duty = m.duty
	machine, err := s.machineOf(c)
	if err != nil {
		s.p.metrics.rounds.WithLabelValues("lost").Inc()
		c.Log().Warn("this round is left out", "epoch", m.epoch, "err", err)
		return
	}
	s.machine = machine
	if machine.Committed() != nil || s.theirs() > m.duty.Times.CommitBy {
		s.do(c, machine.At(s.now()))
		return
	}
	s.look(c, s.epoch) // who plays is not disturbed for a moment
}

// machineOf makes the epoch's prover, from the disk if it was begun before a restart.
func (s *state) machineOf(c *supervise.Ctx) (*prove.Prover, error) {
	o := s.p.o
	setup := prove.Setup{Chain: o.Book.Chain(), Key: o.Key, Epoch: s.epoch, Task: s.duty.Task, Checkers: s.duty.Checkers,
		Kernel: o.Kernel, Picks: s.duty.Picks, T0: s.duty.Times.T0, Until: s.duty.Times.T0 + s.duty.Times.DurMS,
		CommitBy: s.duty.Times.CommitBy, Close: o.Book.EpochStart(s.epoch + 1), Rate: s.rate, Ahead: s.ahead,
		Backend: o.Backend.Name(), Device: o.Backend.Device()}
	b, err := record.Read(o.Path, maxSaveFile)
	if record.Missing(err) {
		return prove.New(setup)
	}
	if err != nil {
		return nil, err
	}
	if len(b) < epochSize {
		return nil, fmt.Errorf("prover: %s is no record of a commitment; what was signed in this epoch is unknown, move it away to go on in the next", o.Path)
	}
	switch epoch := binary.BigEndian.Uint64(b); {
	case epoch < s.epoch:
		return prove.New(setup)
	case epoch > s.epoch:
		return nil, fmt.Errorf("prover: %s is of epoch %d, which is still to come; set the clock", o.Path, epoch)
	}
	c.Log().Info("the round goes on after a restart", "epoch", s.epoch)
	s.saved = true
	return prove.Restore(setup, s.p.render, b[epochSize:])
}

// do carries out what the prover decided.
func (s *state) do(c *supervise.Ctx, todo []prove.Action) {
	for _, a := range todo {
		switch a := a.(type) {
		case prove.Render:
			s.render(c, a)
		case prove.Stop:
			s.halt()
		case prove.Send:
			if !s.save(c) {
				s.machine = nil // nobody may hear of what would be forgotten
				return
			}
			s.send(c, a)
		case prove.Wake:
			s.setWake(c, a.AtMS)
		}
	}
}

// setWake rings at the earliest of the moments that were named.
func (s *state) setWake(c *supervise.Ctx, at uint64) {
	if s.wakeMS != 0 && s.wakeMS <= at {
		return
	}
	if s.wake != nil {
		s.wake()
	}
	s.wakeMS, s.wake = at, c.After(s.until(at), tick{s.epoch})
}

// save puts the commitment on the disk before anybody hears of it.
func (s *state) save(c *supervise.Ctx) bool {
	if s.saved {
		return true
	}
	b, err := s.machine.Save()
	if err == nil {
		err = record.Write(s.p.o.Path, append(binary.BigEndian.AppendUint64(nil, s.epoch), b...))
	}
	if err != nil {
		c.Log().Error("this round is lost: what it commits to cannot be kept; make room on the disk", "err", err)
		s.p.metrics.rounds.WithLabelValues("lost").Inc()
		return false
	}
	s.saved = true
	if s.machine.Committed() != nil {
		what := "committed"
		if s.machine.Samples() == 0 {
			what = "busy"
		}
		s.p.metrics.rounds.WithLabelValues(what).Inc()
	}
	return true
}

func (s *state) send(c *supervise.Ctx, a prove.Send) {
	epoch, courier, now, t0 := s.epoch, s.p.o.Courier, s.p.o.Now, s.duty.Times.T0
	id, err := a.To.Peer()
	if err != nil {
		c.Log().Warn("a commitment cannot be sent", "to", a.To, "err", err)
		return
	}
	c.Go(func(ctx context.Context) any {
		ctx, cancel := context.WithTimeout(ctx, commitTime)
		defer cancel()
		sent := uint64(max(now().UnixMilli(), 0))
		have, arrival, err := courier.Commit(ctx, id, a.Commit.Raw)
		return answered{epoch, a.To, have, sent, t0 + uint64(arrival), err}
	})
}

func (s *state) answered(c *supervise.Ctx, m answered) {
	if m.epoch != s.epoch || s.machine == nil {
		return
	}
	if m.err != nil {
		s.p.metrics.commits.WithLabelValues("failed").Inc()
		c.Log().Debug("a checker did not take the commitment", "checker", m.to, "err", m.err)
		s.do(c, s.machine.Failed(s.now(), m.to))
		return
	}
	s.p.metrics.commits.WithLabelValues("taken").Inc()
	if o := s.machine.Committed(); o != nil && o.Digest != m.commit {
		c.Log().Warn("a checker says it has another commitment of this container; does another node use its key?", "checker", m.to, "epoch", m.epoch)
	}
	s.machine.Stamped(m.to, m.sent, s.now(), m.stamp)
	if ahead := s.machine.Ahead(); ahead != s.ahead {
		s.ahead = ahead
		s.setNext(c)
	}
}

// look tells the prover of sessions, until the commitment is out, and then the time.
func (s *state) look(c *supervise.Ctx, epoch uint64) {
	if epoch != s.epoch || s.machine == nil {
		return
	}
	if s.machine.Committed() != nil || s.theirs() > s.duty.Times.CommitBy {
		return
	}
	busy := s.p.o.Busy
	c.Go(func(ctx context.Context) any {
		ctx, cancel := context.WithTimeout(ctx, busyTime)
		defer cancel()
		name, sessions := busy(ctx)
		return seen{epoch, name, sessions}
	})
	c.After(busyEvery, look{epoch})
}

func (s *state) seen(c *supervise.Ctx, m seen) {
	if m.epoch != s.epoch || s.machine == nil {
		return
	}
	if m.sessions > 0 {
		s.do(c, s.machine.Busy(s.now(), m.name.ID[:], m.name.Segment))
	} else {
		s.do(c, s.machine.Busy(s.now(), nil, nil))
	}
	if s.machine != nil && s.machine.Committed() == nil { // before the first look nothing was begun
		s.do(c, s.machine.At(s.now()))
	}
}
