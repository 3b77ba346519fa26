package checker

import (
	"slices"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/framemesh/framemesh/actors/checker/round"
	ledgeractor "github.com/framemesh/framemesh/actors/ledger"
	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
)

const (
	maxEarly = 2048 // statements kept for a round that is not known yet
	earlyOf  = 8    // of them, of one signer
)

// Messages of the actor.
type (
	rollRead struct {
		epoch    uint64
		roll     *ledgeractor.Roll
		standing map[key.Node]judge.Standing
		saved    []byte
		err      error
	}
	retryRoll struct{ epoch uint64 }
	beginNext struct{ epoch uint64 }
	wakeUp    struct{ epoch uint64 }
	said      struct {
		o    *proof.Opened
		atMS uint64 // when it came
	}
	handedIn struct {
		atMS uint64
		from key.Node
		o    *proof.Opened
	}
	stamped struct {
		commit  [32]byte
		arrival uint32
	}
	opened struct {
		epoch     uint64
		container key.Node
		o         *proof.Opened
		rtt       uint32
		err       error
	}
	verified struct {
		epoch uint64
		found round.Checked
	}
	measured struct {
		container    key.Node
		pings, pongs uint32
		sample       *proof.Sample
	}
	recall struct {
		epoch uint64
		whole bool
		batch uint32
	}
	askDuties struct{}
	saveDue   struct{ epoch uint64 }
	stampsDue struct{ epoch uint64 }
	written   struct {
		epoch  uint64
		out    []round.Action
		stamps []stampKept
		err    error
	}
)

// rounds is the actor: the round of the epoch that runs.
type rounds struct {
	r     *Rounds
	epoch uint64
	roll  *ledgeractor.Roll
	round *round.Round        // nil until the epoch is known
	early []said              // that came before the round was known
	rtt   map[key.Node]uint32 // least round trip in ms, of this epoch's containers

	double    Double
	reports   []*Report              // of the last epochs
	certified map[uint32]bool        // batches whose certificate is on the ledger
	sessions  map[key.Node]inSession // those that busy containers named
	watches   map[watchOf]watchState // begun in this epoch
	late      []auditKept            // that came after their vote
	seconds   *simplelru.LRU[secondOf, *proof.Opened]

	t0     uint64
	heard  *minutes
	before *minutes // of the epoch before

	wake   func()
	wakeMS uint64 // when it rings; 0 = not set

	outbox   []round.Action // waits for the disk: Publish and Submit
	stamps   []stampKept    // wait for the disk too
	dirty    bool           // the round changed since it was written
	writing  bool
	saving   bool // a saveDue is under way
	stamping bool // a stampsDue is
}

func newRounds(r *Rounds) *rounds {
	return &rounds{r: r, heard: newMinutes(0), before: newMinutes(0), seconds: newSeconds()}
}

func (s *rounds) now() uint64 { return uint64(max(s.r.o.Now().UnixMilli(), 0)) }

func (s *rounds) until(ms uint64) time.Duration {
	now := s.now()
	if ms <= now {
		return time.Millisecond
	}
	return time.Duration(ms-now) * time.Millisecond
}

// Receive implements supervise.Behavior.
func (s *rounds) Receive(c *supervise.Ctx, msg any) {
	switch m := msg.(type) {
	case supervise.Started:
		s.resumeFrauds(c)
		s.begin(c, s.r.o.Book.EpochAt(s.now()))
	case beginNext:
		s.begin(c, max(m.epoch, s.r.o.Book.EpochAt(s.now())))
	case retryRoll:
		if m.epoch == s.epoch && s.round == nil {
			s.readRoll(c)
		}
	case rollRead:
		s.rollRead(c, m)
	case wakeUp:
		if m.epoch == s.epoch && s.round != nil {
			s.wake, s.wakeMS = nil, 0
			s.do(c, s.round.At(s.now()))
		}
	case said:
		s.hear(c, m)
	case handedIn:
		s.handedIn(c, m)
	case opened:
		s.opened(c, m)
	case verified:
		s.verified(c, m)
	case measured:
		s.measured(m)
	case pingDue:
		s.pingDue(c, m)
	case pinged:
		s.pinged(m)
	case mayWatch:
		if s.mayWatch(c, m.complaint) {
			c.Reply(true)
		}
	case complaint:
		s.complaint(c, m)
	case watched:
		s.watched(c, m)
	case lookForCertificates:
		s.lookForCertificates(c, m)
	case onLedger:
		if m.epoch == s.epoch && s.round != nil {
			s.certified[m.batch] = true
			s.round.OnLedger(m.batch)
		}
	case fraudFound:
		s.bringFraud(c, m)
	case inSession:
		if m.epoch == s.epoch {
			s.sessions[m.container] = m
		}
	case auditsDue:
		s.auditsDue(c, m)
	case auditDone:
		s.auditDone(c, m)
	case auditKept:
		s.enter(c, m)
	case recalled:
		for _, o := range m.statements {
			s.hear(c, said{o, s.now()})
		}
	case recall:
		c.Reply(s.recall(m))
	case askReports:
		s.replyReports(c)
	case certificateSent:
		s.report(m.epoch).Sent++
	case askDuties:
		s.duties(c)
	case saveDue:
		s.saving = false
		if m.epoch == s.epoch {
			s.write(c)
		}
	case stampsDue:
		if m.epoch == s.epoch {
			s.stamping = false
			s.write(c)
		}
	case written:
		s.written(c, m)
	}
}

// begin turns to an epoch.
func (s *rounds) begin(c *supervise.Ctx, epoch uint64) {
	s.epoch, s.round, s.roll, s.rtt = epoch, nil, nil, map[key.Node]uint32{}
	s.certified, s.sessions, s.watches = map[uint32]bool{}, map[key.Node]inSession{}, map[watchOf]watchState{}
	s.double = s.r.o.Double()
	answerStamps(s.stamps, false)
	s.outbox, s.stamps, s.stamping, s.dirty = nil, nil, false, false
	s.early = slices.DeleteFunc(s.early, func(e said) bool { at, _ := e.o.Epoch(); return at < epoch })
	if s.wake != nil {
		s.wake()
	}
	s.wake, s.wakeMS = nil, 0
	if s.heard.epoch != epoch {
		s.before, s.heard = s.heard, newMinutes(epoch)
	}
	s.newReport(epoch)
	s.r.metrics.epoch.Set(float64(epoch))
	s.r.metrics.batches.Set(0)
	c.After(s.until(s.r.o.Book.EpochStart(epoch+1)), beginNext{epoch + 1})
	s.readRoll(c)
}

// do carries out what the round decided. Nothing that this checker signed leaves it before
// the disk has it: no statement, and no certificate, which holds its attestation.
func (s *rounds) do(c *supervise.Ctx, todo []round.Action) {
	for _, a := range s.double.Out(todo) {
		switch a := a.(type) {
		case round.Publish, round.Submit:
			s.outbox = append(s.outbox, a)
		case round.Ask:
			s.ask(c, a)
		case round.Verify:
			s.verify(c, a.Job)
		case round.Ballot:
			s.ballot(c, a)
		case round.Fraud:
			s.fraud(c, a)
		case round.Wake:
			s.setWake(c, a.AtMS)
		}
	}
	s.changed(c)
	if len(s.outbox) > 0 {
		s.write(c)
	}
}

// setWake rings at the earliest of the moments that were named.
func (s *rounds) setWake(c *supervise.Ctx, at uint64) {
	if s.wakeMS != 0 && s.wakeMS <= at {
		return
	}
	if s.wake != nil {
		s.wake()
	}
	s.wakeMS, s.wake = at, c.After(s.until(at), wakeUp{s.epoch})
}

func (s *rounds) measured(m measured) {
	if s.round != nil {
		s.round.Measured(m.container, m.pings, m.pongs, m.sample)
	}
}

func (s *rounds) duties(c *supervise.Ctx) {
	d := Duties{Epoch: s.epoch}
	if s.round != nil {
		d.Batches, d.Containers = s.round.Duties(), s.round.Containers()
		d.VoteMS = s.roll.Times.OpeningsBy
	}
	c.Reply(d)
}
