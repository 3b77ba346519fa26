package checker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	ledgeractor "github.com/framemesh/framemesh/actors/ledger"
	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/tx"
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

// hearing is one appeal that this checker is in the committee of.
type hearing struct {
	ledgeractor.Appeal
	mine    *proof.Opened // what this checker attests; nil before it knows
	asked   bool          // evidence is being rerun
	silent  bool          // for good
	by      map[[32]byte]map[key.Node][]byte
	said    []*proof.Opened // as they came, to be recalled
	results map[[32]byte][]byte
	timer   bool // a bringAnswer is under way
	over    bool // the ledger has the answer
}

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

// attested takes what another member attests.
func (h *hearings) attested(c *supervise.Ctx, o *proof.Opened) {
	d := o.Statement.GetDraft()
	if d == nil || o.Signer == h.a.self {
		return
	}
	for _, x := range h.open {
		if x.Epoch == d.GetEpoch() && x.Batch == d.GetBatch() {
			if err := x.check(h.a.o.Book.Chain(), o); err != nil {
				c.Log().Debug("an attestation on an appeal was refused", "signer", o.Signer, "err", err)
				return
			}
			h.count(c, x, o)
			return
		}
	}
	if epoch := d.GetEpoch(); h.known[epoch] || epoch > h.epoch+1 || epoch+appealEpochs <= h.epoch {
		return
	}
	of := 0
	for _, w := range h.waiting {
		if w.Signer == o.Signer {
			of++
		}
	}
	if of < waitingOf && len(h.waiting) < maxWaiting {
		h.waiting = append(h.waiting, o)
	}
}

// ErrAttestation is an attestation on an appeal that does not count.
var ErrAttestation = errors.New("checker: this attests no answer to the appeal")

// check says why a statement does not count.
func (x *hearing) check(chain string, o *proof.Opened) error {
	d := o.Statement.GetDraft()
	if !slices.Contains(x.Members, o.Signer) {
		return fmt.Errorf("%w: %s is no member", ErrAttestation, o.Signer)
	}
	digest := sha256.Sum256(d.GetResult())
	given := 0
	for result, by := range x.by {
		if by[o.Signer] != nil {
			if result == digest {
				return fmt.Errorf("%w: it is known", ErrAttestation)
			}
			given++
		}
	}
	if given >= resultsOf {
		return fmt.Errorf("%w: %s attests %d results", ErrAttestation, o.Signer, given+1)
	}
	r, err := proof.DecodeResult(d.GetResult())
	if err != nil || r.Epoch != x.Epoch || r.Batch != x.Batch || r.Attempt != 0 || len(r.Entries) != 1 || r.Correct|r.Wrong != 0 {
		return fmt.Errorf("%w: the result is none of this appeal", ErrAttestation)
	}
	if !key.Verify(o.Signer[:], chain, key.KindCertificate, tx.VotePayload(x.Epoch, x.Batch, digest), d.GetAttestation()) {
		return fmt.Errorf("%w: it is not signed by %s", ErrAttestation, o.Signer)
	}
	return nil
}

// count adds an attestation, and sees to it that the answer is brought when there are enough.
// Until then those a moment later may join: they are paid for what they attest.
func (h *hearings) count(c *supervise.Ctx, x *hearing, o *proof.Opened) {
	d := o.Statement.GetDraft()
	digest := sha256.Sum256(d.GetResult())
	if x.by[digest] == nil {
		x.by[digest] = map[key.Node][]byte{}
	}
	x.by[digest][o.Signer], x.results[digest] = d.GetAttestation(), d.GetResult()
	x.said = append(x.said, o)
	if x.timer || x.over || x.agreed() == nil {
		return
	}
	x.timer = true
	slot := h.pause() / 8
	turn := judge.Rank(x.Seed, x.Batch, 0, x.Members, h.a.self)
	c.After(time.Duration(turn+4)*slot, bringAnswer{x.ID})
}

// agreed is the certificate that enough members attest; nil while there is none.
func (x *hearing) agreed() *tx.VoteCertificate {
	for digest, by := range x.by {
		if len(by) < x.Quorum {
			continue
		}
		c := &tx.VoteCertificate{Epoch: x.Epoch, Batch: x.Batch, Result: x.results[digest]}
		for place, n := range x.Members {
			if sig := by[n]; sig != nil && c.Attested() < tx.MaxAttestations {
				c.AddAttestation(place, sig)
			}
		}
		return c
	}
	return nil
}

// bring brings the answer to the ledger, unless somebody has.
func (h *hearings) bring(c *supervise.Ctx, x *hearing) {
	if x == nil || x.over {
		return
	}
	cert := x.agreed()
	book, id := h.a.o.Book, x.ID
	c.Go(func(ctx context.Context) any {
		if ok, err := book.Certified(ctx, cert.GetEpoch(), cert.GetBatch()); err == nil && ok {
			return answerBrought{id, true, nil}
		}
		err := book.Send(ctx, &tx.Body{Op: &tx.Body_Certificate{Certificate: cert}})
		return answerBrought{id, errors.Is(err, ErrSettled), err}
	})
}

func (h *hearings) brought(c *supervise.Ctx, m answerBrought) {
	x := h.open[m.id]
	if x == nil {
		return
	}
	switch {
	case m.settled:
		x.over = true
		h.a.metrics.sent.WithLabelValues("late").Inc()
	case m.err == nil:
		x.over = true
		h.a.metrics.sent.WithLabelValues("sent").Inc()
	case hopeless(m.err):
		x.over = true
		h.a.metrics.sent.WithLabelValues("failed").Inc()
		c.Log().Error("the ledger refuses the answer to an appeal for good", "accusation", hex.EncodeToString(m.id[:]), "err", m.err)
	default:
		c.Log().Debug("the ledger does not take the answer to an appeal yet", "err", m.err)
		c.After(h.pause()/4, bringAnswer{m.id})
	}
}

// look asks, while an appeal is open, whether the ledger has its answer, and the other members
// for what they attest: gossip is lost where nobody is connected.
func (h *hearings) look(c *supervise.Ctx, m lookAgain) {
	a, more := h.a, false
	for _, x := range h.open {
		if x.Epoch != m.epoch || x.over {
			continue
		}
		more = true
		var missing []key.Node
		if x.agreed() == nil {
			for _, n := range x.Members {
				heard := n == a.self || slices.ContainsFunc(x.said, func(o *proof.Opened) bool { return o.Signer == n })
				if !heard {
					missing = append(missing, n)
				}
			}
		}
		appeal := x.Appeal
		c.Go(func(ctx context.Context) any {
			ctx, cancel := context.WithTimeout(ctx, rollTime)
			defer cancel()
			if ok, err := a.o.Book.Certified(ctx, appeal.Epoch, appeal.Batch); err == nil && ok {
				return answerBrought{appeal.ID, true, nil}
			}
			return attestedAll{a.ask(ctx, appeal, missing)}
		})
	}
	if more && m.epoch+appealEpochs > h.epoch {
		c.After(h.pause(), m)
	}
}

// ask asks members for what they have heard on an appeal, themselves included.
func (a *Appeals) ask(ctx context.Context, x ledgeractor.Appeal, of []key.Node) (all []*proof.Opened) {
	for _, n := range of {
		id, err := n.Peer()
		if err != nil {
			continue
		}
		raws, err := a.o.Calls.Recall(ctx, id, x.Epoch, false, x.Batch)
		if err != nil {
			continue
		}
		for _, raw := range raws[:min(len(raws), resultsOf*len(x.Members))] {
			if o, err := proof.Open(a.o.Book.Chain(), raw); err == nil && ledgeractor.IsAppeal(o.Statement.GetDraft().GetBatch()) {
				all = append(all, o)
			}
		}
	}
	return all
}

// recall gives what was attested on an appeal.
func (h *hearings) recall(m recallAppeal) [][]byte {
	out := [][]byte{}
	for _, x := range h.open {
		if x.Epoch == m.epoch && x.Batch == m.batch {
			for _, o := range x.said {
				out = append(out, o.Raw)
			}
		}
	}
	return out
}
