package checker

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/actors/checker/round"
	ledgeractor "github.com/framemesh/framemesh/actors/ledger"
	"github.com/framemesh/framemesh/actors/record"
	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
)

const (
	rollRetry  = 300 * time.Millisecond // until the seed of an epoch can be read
	rollTime   = 20 * time.Second       // for one try
	standAtOne = 8                      // standings read at the same time
	maxEarly   = 2048                   // statements kept for a round that is not known yet
	earlyOf    = 8                      // of them, of one signer
	maxRound   = 16 << 20               // bytes of a saved round
	saveLater  = time.Second            // how long what need not be on the disk at once waits
	keptRounds = 4                      // files of rounds that are kept
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
	written   struct {
		epoch uint64
		out   []round.Action
		err   error
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
	late      []auditKept            // that came after their vote
	seconds   *simplelru.LRU[secondOf, *proof.Opened]

	t0     uint64
	heard  *minutes
	before *minutes // of the epoch before

	wake   func()
	wakeMS uint64 // when it rings; 0 = not set

	outbox  []round.Action // waits for the disk: Publish and Submit
	dirty   bool           // the round changed since it was written
	writing bool
	saving  bool // a saveDue is under way
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
	case written:
		s.written(c, m)
	}
}

// begin turns to an epoch.
func (s *rounds) begin(c *supervise.Ctx, epoch uint64) {
	s.epoch, s.round, s.roll, s.rtt = epoch, nil, nil, map[key.Node]uint32{}
	s.certified, s.sessions = map[uint32]bool{}, map[key.Node]inSession{}
	s.double = s.r.o.Double()
	s.outbox, s.dirty = nil, false
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

// readRoll reads who checks whom, how the containers stand, and what an earlier run left.
func (s *rounds) readRoll(c *supervise.Ctx) {
	epoch, r := s.epoch, s.r
	c.Go(func(ctx context.Context) any {
		ctx, cancel := context.WithTimeout(ctx, rollTime)
		defer cancel()
		m := rollRead{epoch: epoch}
		if m.roll, m.err = r.awaitRoll(ctx, epoch); m.err != nil {
			return m
		}
		if m.standing, m.err = r.standings(ctx, m.roll); m.err != nil {
			return m
		}
		b, err := record.Read(r.file(epoch), maxRound)
		if err == nil {
			m.saved = b
		} else if !record.Missing(err) {
			m.err = fmt.Errorf("%w: %w", errSaved, err)
		}
		return m
	})
}

// awaitRoll reads the roll of an epoch as soon as a block shows it.
func (r *Rounds) awaitRoll(ctx context.Context, epoch uint64) (*ledgeractor.Roll, error) {
	for {
		block := r.o.Book.NextBlock()
		roll, err := r.o.Book.Roll(ctx, epoch)
		if err == nil || ctx.Err() != nil {
			return roll, err
		}
		select {
		case <-block:
		case <-time.After(rollRetry):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// errSaved: what an earlier run left cannot be read, so what it signed is unknown.
var errSaved = errors.New("checker: the saved round cannot be read")

// file is where a round is kept.
func (r *Rounds) file(epoch uint64) string {
	return filepath.Join(r.o.Dir, "round-"+strconv.FormatUint(epoch, 10))
}

// standings reads how the containers of this checker's batches stand.
func (r *Rounds) standings(ctx context.Context, roll *ledgeractor.Roll) (map[key.Node]judge.Standing, error) {
	var all []key.Node
	for _, d := range roll.Assignment.Duties(r.self) {
		all = append(all, roll.Assignment.Batches[d.Batch].Containers...)
	}
	var (
		mu  sync.Mutex
		wg  sync.WaitGroup
		bad error
		out = map[key.Node]judge.Standing{}
		seq = make(chan key.Node)
	)
	for range min(standAtOne, len(all)) {
		wg.Go(func() {
			for n := range seq {
				st, err := r.o.Book.Standing(ctx, n)
				mu.Lock()
				out[n] = st
				if err != nil {
					bad = err
				}
				mu.Unlock()
			}
		})
	}
	for _, n := range all {
		seq <- n
	}
	close(seq)
	wg.Wait()
	return out, bad
}

func (s *rounds) rollRead(c *supervise.Ctx, m rollRead) {
	if m.epoch != s.epoch || s.round != nil {
		return
	}
	switch {
	case errors.Is(m.err, errSaved):
		s.lost(c, m.err)
		return
	case m.err != nil:
		c.Log().Debug("the round cannot be read yet", "epoch", m.epoch, "err", m.err)
		c.After(rollRetry, retryRoll{m.epoch})
		return
	}
	setup := round.Setup{Chain: s.r.o.Book.Chain(), Key: s.r.o.Key, Assignment: m.roll.Assignment,
		Times: m.roll.Times, Params: m.roll.Params, Kernel: s.r.o.Kernel, CrossPPM: s.r.o.CrossPPM,
		Secret:   round.Secret(s.r.o.Key, s.r.o.Book.Chain(), m.epoch),
		Standing: func(n key.Node) judge.Standing { return m.standing[n] }, InSession: s.inSession}
	result := "begun"
	var err error
	if m.saved != nil {
		result = "restored"
		s.round, err = round.Restore(setup, m.saved)
	} else {
		s.round, err = round.New(setup)
	}
	if err != nil {
		s.round = nil
		s.lost(c, err)
		return
	}
	s.roll, s.t0 = m.roll, m.roll.Times.T0
	s.r.metrics.batches.Set(float64(s.round.Duties()))
	early := s.early
	s.early = nil
	if s.round.Duties() == 0 {
		return
	}
	s.r.metrics.rounds.WithLabelValues(result).Inc()
	rep := s.report(s.epoch)
	rep.Batches, rep.Challenged = 0, nil
	for _, d := range m.roll.Assignment.Duties(s.r.self) {
		if d.Attempt == 0 {
			rep.Batches++
			rep.Challenged = append(rep.Challenged, m.roll.Assignment.Batches[d.Batch].Containers...)
		}
	}
	s.meet(c)
	s.do(c, s.round.At(s.now()))
	for _, e := range early {
		s.hear(c, e)
	}
	if m.saved != nil {
		s.recallAll(c)
	}
	s.schedulePings(c)
	s.scheduleAudits(c)
	c.After(s.until(m.roll.Times.RevealBy), lookForCertificates{epoch: s.epoch})
}

// crossPPM is CrossPPM without a choice.
const crossPPM = 50_000

func (s *rounds) lost(c *supervise.Ctx, err error) {
	s.r.metrics.rounds.WithLabelValues("lost").Inc()
	c.Log().Error("this checker keeps out of the epoch", "epoch", s.epoch, "err", err)
}

// meet connects to the other members of this checker's committees.
func (s *rounds) meet(c *supervise.Ctx) {
	seen := map[key.Node]bool{s.r.self: true}
	var ids []peer.ID
	for _, d := range s.roll.Assignment.Duties(s.r.self) {
		b := &s.roll.Assignment.Batches[d.Batch]
		for _, list := range [][]key.Node{b.Committee, b.Reserve} {
			for _, n := range list {
				if seen[n] {
					continue
				}
				seen[n] = true
				if id, err := n.Peer(); err == nil {
					ids = append(ids, id)
				}
			}
		}
	}
	meet := s.r.o.Meet
	c.Go(func(ctx context.Context) any { meet(ctx, ids); return nil })
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

// changed notes that the disk is behind, and catches up soon.
func (s *rounds) changed(c *supervise.Ctx) {
	s.dirty = true
	if !s.saving {
		s.saving = true
		c.After(saveLater, saveDue{s.epoch})
	}
}

// write brings the round to the disk and then sends what waited for that. One write is
// under way at a time, so that an older state never replaces a newer one.
func (s *rounds) write(c *supervise.Ctx) {
	if s.writing || s.round == nil || !s.dirty {
		return
	}
	b, err := s.round.Save()
	if err != nil {
		s.written(c, written{s.epoch, nil, err})
		return
	}
	epoch, out, path := s.epoch, s.outbox, s.r.file(s.epoch)
	s.outbox, s.dirty, s.writing = nil, false, true
	r := s.r
	c.Go(func(context.Context) any {
		err := record.Write(path, b)
		if err == nil && epoch >= keptRounds {
			r.forget(epoch - keptRounds)
		}
		return written{epoch, out, err}
	})
}

func (s *rounds) written(c *supervise.Ctx, m written) {
	s.writing = false
	if m.err != nil {
		c.Log().Error("nothing is said that cannot be kept; make room on the disk", "epoch", m.epoch, "err", m.err)
		if m.epoch == s.epoch {
			s.round = nil
			s.r.metrics.rounds.WithLabelValues("lost").Inc()
		}
		return
	}
	for _, a := range m.out {
		switch a := a.(type) {
		case round.Publish:
			s.publish(c, a)
		case round.Submit:
			s.submit(c, m.epoch, a)
		}
	}
	if s.dirty && len(s.outbox) > 0 {
		s.write(c)
	}
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
