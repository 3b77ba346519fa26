package checker

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	ledgeractor "github.com/framemesh/framemesh/actors/ledger"
	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
)

const (
	rerunFor     = 3 * time.Minute // for one try, evidence and app included
	maxWaiting   = 256             // attestations kept for appeals that are not known yet
	waitingOf    = 4               // of them, of one signer
	resultsOf    = 2               // results that one member may attest before it is not listened to
	appealEpochs = 2               // in which a certificate can be brought to the ledger
)

// Messages of the actor.
type (
	appealsRead struct {
		epoch uint64
		all   []ledgeractor.Appeal
		saved map[[32]byte]*proof.Opened // what an earlier run attested
		err   error
	}
	turnTo     struct{ epoch uint64 }
	readAgain  struct{ epoch uint64 }
	lookAgain  struct{ epoch uint64 }
	rerunAgain struct{ id [32]byte }
	rerunDone  struct {
		id      [32]byte
		verdict uint32
		err     error
	}
	attestKept struct {
		id  [32]byte
		o   *proof.Opened
		err error
	}
	attested      struct{ o *proof.Opened }
	attestedAll   struct{ all []*proof.Opened }
	bringAnswer   struct{ id [32]byte }
	answerBrought struct {
		id      [32]byte
		settled bool
		err     error
	}
	recallAppeal struct {
		epoch uint64
		batch uint32
	}
)

// hearings is the actor: the appeals of the epoch that runs and of the one before.
type hearings struct {
	a       *Appeals
	epoch   uint64
	known   map[uint64]bool // epochs whose appeals were read
	open    map[[32]byte]*hearing
	waiting []*proof.Opened
}

func newHearings(a *Appeals) *hearings {
	return &hearings{a: a, known: map[uint64]bool{}, open: map[[32]byte]*hearing{}}
}

func (h *hearings) now() uint64 { return uint64(max(h.a.o.Now().UnixMilli(), 0)) }

func (h *hearings) until(ms uint64) time.Duration {
	return time.Duration(max(ms, h.now()+1)-h.now()) * time.Millisecond
}

// pause is how long the actor waits before it tries something again.
func (h *hearings) pause() time.Duration {
	length := h.a.o.Book.EpochStart(1) - h.a.o.Book.EpochStart(0)
	return min(max(time.Duration(length/16)*time.Millisecond, 500*time.Millisecond), 30*time.Second)
}

// Receive implements supervise.Behavior.
func (h *hearings) Receive(c *supervise.Ctx, msg any) {
	switch m := msg.(type) {
	case supervise.Started:
		epoch := h.a.o.Book.EpochAt(h.now())
		if epoch > 0 {
			h.read(c, epoch-1)
		}
		h.turn(c, epoch)
	case turnTo:
		h.turn(c, max(m.epoch, h.a.o.Book.EpochAt(h.now())))
	case readAgain:
		if m.epoch+appealEpochs > h.epoch && !h.known[m.epoch] {
			h.read(c, m.epoch)
		}
	case appealsRead:
		h.appealsRead(c, m)
	case lookAgain:
		h.look(c, m)
	case rerunAgain:
		h.rerun(c, h.open[m.id])
	case rerunDone:
		h.rerunDone(c, m)
	case attestKept:
		h.attestKept(c, m)
	case attested:
		h.attested(c, m.o)
	case attestedAll:
		for _, o := range m.all {
			h.attested(c, o)
		}
	case bringAnswer:
		h.bring(c, h.open[m.id])
	case answerBrought:
		h.brought(c, m)
	case recallAppeal:
		c.Reply(h.recall(m))
	}
}

// turn turns to an epoch and forgets the appeals that no certificate can answer any more.
func (h *hearings) turn(c *supervise.Ctx, epoch uint64) {
	h.epoch = epoch
	for id, x := range h.open {
		if x.Epoch+appealEpochs <= epoch {
			delete(h.open, id)
		}
	}
	for e := range h.known {
		if e+appealEpochs <= epoch {
			delete(h.known, e)
		}
	}
	h.waiting = slices.DeleteFunc(h.waiting, func(o *proof.Opened) bool { return o.Statement.GetDraft().GetEpoch() < epoch })
	h.a.forget(epoch)
	c.After(h.until(h.a.o.Book.EpochStart(epoch+1)), turnTo{epoch + 1})
	h.read(c, epoch)
}

// read reads the appeals of an epoch, and what an earlier run attested on them.
func (h *hearings) read(c *supervise.Ctx, epoch uint64) {
	a := h.a
	c.Go(func(ctx context.Context) any {
		ctx, cancel := context.WithTimeout(ctx, rollTime)
		defer cancel()
		m := appealsRead{epoch: epoch, saved: map[[32]byte]*proof.Opened{}}
		if m.all, m.err = a.o.Book.Appeals(ctx, epoch); m.err != nil {
			return m
		}
		m.all = slices.DeleteFunc(m.all, func(x ledgeractor.Appeal) bool { return !slices.Contains(x.Members, a.self) })
		for _, x := range m.all {
			o, err := a.saved(x)
			if err != nil {
				m.err = err
				return m
			}
			if o != nil {
				m.saved[x.ID] = o
			}
		}
		return m
	})
}

func (h *hearings) appealsRead(c *supervise.Ctx, m appealsRead) {
	if h.known[m.epoch] || m.epoch+appealEpochs <= h.epoch {
		return
	}
	if m.err != nil {
		if errors.Is(m.err, errSaved) {
			c.Log().Error("this checker keeps out of the appeals of an epoch", "epoch", m.epoch, "err", m.err)
			return
		}
		c.Log().Debug("the appeals of an epoch cannot be read yet", "epoch", m.epoch, "err", m.err)
		c.After(h.pause()/4, readAgain{m.epoch})
		return
	}
	h.known[m.epoch] = true
	for _, x := range m.all {
		one := &hearing{Appeal: x, by: map[[32]byte]map[key.Node][]byte{}, results: map[[32]byte][]byte{}}
		h.open[x.ID] = one
		if o := m.saved[x.ID]; o != nil {
			h.attestKept(c, attestKept{x.ID, o, nil})
			continue
		}
		c.Log().Info("this checker is drawn to look at an accusation again", "accusation", hex.EncodeToString(x.ID[:]), "node", x.Accusation.Node, "epoch", x.Epoch)
		h.rerun(c, one)
	}
	waiting := h.waiting
	h.waiting = nil
	for _, o := range waiting {
		h.attested(c, o)
	}
	if len(m.all) > 0 {
		c.After(h.pause(), lookAgain{m.epoch})
	}
}

// rerun reruns the evidence, behind whatever else is being rerun.
func (h *hearings) rerun(c *supervise.Ctx, x *hearing) {
	if x == nil || x.asked || x.silent || x.over || x.mine != nil {
		return
	}
	x.asked = true
	a, appeal := h.a, x.Appeal
	c.Go(func(ctx context.Context) any {
		select {
		case a.seat <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		defer func() { <-a.seat }()
		ctx, cancel := context.WithTimeout(ctx, rerunFor)
		defer cancel()
		m := rerunDone{id: appeal.ID}
		m.verdict, m.err = a.rerun(ctx, appeal)
		return m
	})
}

func (h *hearings) rerunDone(c *supervise.Ctx, m rerunDone) {
	x := h.open[m.id]
	if x == nil || x.mine != nil {
		return
	}
	x.asked = false
	log := c.Log().With("accusation", hex.EncodeToString(m.id[:]), "node", x.Accusation.Node)
	switch {
	case errors.Is(m.err, errDoubt):
		x.silent = true
		h.a.metrics.answers.WithLabelValues("silent").Inc()
		log.Info("this checker says nothing about an accusation", "why", m.err)
		return
	case m.err != nil:
		log.Warn("an accusation could not be looked at yet", "err", m.err)
		c.After(h.pause(), rerunAgain{m.id})
		return
	}
	o, err := h.a.attest(x.Appeal, m.verdict)
	if err != nil {
		log.Error("what was found cannot be attested", "err", err)
		return
	}
	a, appeal := h.a, x.Appeal
	x.asked = true
	c.Go(func(context.Context) any { return attestKept{m.id, o, a.save(appeal, o)} })
}

// attestKept gossips what is on the disk now.
func (h *hearings) attestKept(c *supervise.Ctx, m attestKept) {
	x := h.open[m.id]
	if x == nil || x.mine != nil {
		return
	}
	if m.err != nil {
		c.Log().Error("nothing is said that cannot be kept; make room on the disk", "err", m.err)
		return
	}
	x.mine = m.o
	result := "acquitted"
	if r, err := proof.DecodeResult(m.o.Statement.GetDraft().GetResult()); err == nil && r.Entries[0].Verdict == proof.VerdictBad {
		result = "confirmed"
	}
	h.a.metrics.answers.WithLabelValues(result).Inc()
	c.Log().Info("an accusation was looked at again", "accusation", hex.EncodeToString(x.ID[:]), "node", x.Accusation.Node, "result", result)
	h.count(c, x, m.o)
	votes, log := h.a.o.Votes, c.Log()
	c.Go(func(ctx context.Context) any {
		ctx, cancel := context.WithTimeout(ctx, publishTime)
		defer cancel()
		if err := votes.Publish(ctx, m.o.Raw); err != nil && ctx.Err() == nil {
			log.Warn("an attestation did not get out; others ask for it", "err", err)
		}
		return nil
	})
}
