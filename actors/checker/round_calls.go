package checker

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/framemesh/framemesh/actors/checker/round"
	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/tx"
)

const (
	askTime     = 8 * time.Second // for a container to open its tiles
	askAgain    = 500 * time.Millisecond
	publishTime = 5 * time.Second
	sendAgain   = 2 * time.Second
	sendFor     = 2 // epochs in which a certificate can be brought to the ledger
	lookups     = 8 // batches looked up on the ledger in one go
)

// certificateWhat is a certificate's name among what is brought to the ledger.
const certificateWhat = "certificate"

// ErrSettled is wrapped by Book.Send when the ledger has what was to be brought to it.
var ErrSettled = errors.New("checker: the ledger has it already")

type (
	lookForCertificates struct{ epoch uint64 }
	onLedger            struct {
		epoch uint64
		batch uint32
	}
	certificateSent struct{ epoch uint64 }
	recalled        struct{ statements []*proof.Opened }
)

// publish gossips a statement that is on the disk.
func (s *rounds) publish(c *supervise.Ctx, p round.Publish) {
	s.heard.add(p.Opened)
	s.r.metrics.published.WithLabelValues(p.Opened.Kind().String()).Inc()
	if v := p.Opened.Statement.GetVote(); v != nil {
		s.report(s.epoch).Votes++
		for _, f := range v.GetFindings() {
			s.r.metrics.verdicts.WithLabelValues(proof.VerdictName(f.GetVerdict())).Inc()
		}
	}
	votes, raw, kind, log := s.r.o.Votes, p.Opened.Raw, p.Opened.Kind(), c.Log()
	c.Go(func(ctx context.Context) any {
		ctx, cancel := context.WithTimeout(ctx, publishTime)
		defer cancel()
		if err := votes.Publish(ctx, raw); err != nil && ctx.Err() == nil {
			log.Warn("a statement did not get out; is this checker in this epoch's set?", "kind", kind.String(), "err", err)
		}
		return nil
	})
}

// ask brings a question to a container.
func (s *rounds) ask(c *supervise.Ctx, a round.Ask) {
	picks := make([]uint32, 0, 2*len(a.Picks))
	for _, p := range a.Picks {
		picks = append(picks, p.Frame, p.Tile)
	}
	epoch, r := s.epoch, s.r
	c.Go(func(ctx context.Context) any {
		ctx, cancel := context.WithTimeout(ctx, askTime)
		defer cancel()
		m := opened{epoch: epoch, container: a.Container}
		id, err := a.Container.Peer()
		if err == nil {
			var raw []byte
			var took time.Duration
			if raw, took, err = r.o.Calls.Open(ctx, id, epoch, a.Commit, picks); err == nil {
				m.rtt = milliseconds(took)
				m.o, err = proof.Open(r.o.Book.Chain(), raw)
			}
		}
		if m.err = err; err != nil {
			// A container that is there and refuses is not asked again at once.
			select {
			case <-time.After(askAgain):
			case <-ctx.Done():
			}
		}
		return m
	})
}

func milliseconds(d time.Duration) uint32 {
	return uint32(min(max(d.Milliseconds(), 1), math.MaxUint32))
}

func (s *rounds) opened(c *supervise.Ctx, m opened) {
	if m.epoch != s.epoch || s.round == nil {
		return
	}
	if m.err != nil {
		s.r.metrics.opened.WithLabelValues("failed").Inc()
		c.Log().Debug("a container did not open its tiles", "container", m.container, "err", m.err)
		s.do(c, s.round.Failed(s.now(), m.container))
		return
	}
	s.roundTrip(m.container, m.rtt)
	todo, err := s.round.Opened(s.now(), m.container, m.o)
	if err != nil {
		s.r.metrics.opened.WithLabelValues("refused").Inc()
		c.Log().Warn("a container's openings do not fit the question", "container", m.container, "err", err)
		s.do(c, append(todo, s.round.Failed(s.now(), m.container)...))
		return
	}
	s.r.metrics.opened.WithLabelValues("opened").Inc()
	s.report(m.epoch).Opened++
	s.do(c, todo)
}

// roundTrip keeps the least that was measured.
func (s *rounds) roundTrip(n key.Node, ms uint32) {
	if had, ok := s.rtt[n]; !ok || ms < had {
		s.rtt[n] = ms
	}
}

// verify recomputes tiles behind everything else that the machine does.
func (s *rounds) verify(c *supervise.Ctx, j *round.Job) {
	epoch, bench, double := s.epoch, s.r.bench, s.double
	c.Go(func(ctx context.Context) any {
		found, ok := bench.run(ctx, func() round.Checked { return double.Run(j) })
		if !ok {
			return nil
		}
		return verified{epoch, found}
	})
}

func (s *rounds) verified(c *supervise.Ctx, m verified) {
	switch {
	case m.found.Err != nil:
		s.r.metrics.checked.WithLabelValues("failed").Inc()
		c.Log().Warn("tiles could not be recomputed", "container", m.found.Job.Container, "err", m.found.Err)
	case m.found.Wrong >= 0:
		s.r.metrics.checked.WithLabelValues("wrong").Inc()
		if m.found.Job.Own() {
			s.report(m.epoch).Wrong++
		}
	default:
		s.r.metrics.checked.WithLabelValues("right").Inc()
		if m.found.Job.Own() {
			s.report(m.epoch).Right++
		}
	}
	if m.epoch == s.epoch && s.round != nil {
		s.do(c, s.round.Verified(s.now(), m.found))
	}
}

// submit brings a certificate to the ledger.
func (s *rounds) submit(c *supervise.Ctx, epoch uint64, a round.Submit) {
	until := s.r.o.Book.EpochStart(epoch + sendFor)
	c.Log().Debug("a certificate is complete", "epoch", epoch, "batch", a.Batch, "bytes", len(a.Certificate.GetResult()))
	s.bring(c, certificateWhat, epoch, until, &tx.Body{Op: &tx.Body_Certificate{Certificate: a.Certificate}},
		func() any { return onLedger{epoch, a.Batch} })
}

// bring sends an operation until it is in a block, somebody else's is, its time is over, or the
// ledger will never take it: each try that a block refuses costs a fee, and a fraud proof's
// more. done is called in each of these cases, and its answer told.
func (s *rounds) bring(c *supervise.Ctx, what string, epoch, untilMS uint64, body *tx.Body, done func() any) {
	r, log, self := s.r, c.Log(), c.Self()
	c.Go(func(ctx context.Context) any {
		for {
			err := r.o.Book.Send(ctx, body)
			switch {
			case err == nil:
				r.metrics.sent.WithLabelValues(what).Inc()
				if what == certificateWhat {
					_ = self.Tell(certificateSent{epoch}) // only counted
				}
				return done()
			case errors.Is(err, ErrSettled):
				r.metrics.sent.WithLabelValues(what + "-late").Inc()
				return done()
			case hopeless(err):
				r.metrics.sent.WithLabelValues("failed").Inc()
				log.Error("the ledger refuses what was found for good", "what", what, "epoch", epoch, "err", err)
				return done()
			}
			if ctx.Err() != nil {
				return nil
			}
			if uint64(max(r.o.Now().UnixMilli(), 0)) >= untilMS {
				r.metrics.sent.WithLabelValues("failed").Inc()
				log.Warn("the ledger did not take what was found", "what", what, "err", err)
				return done()
			}
			log.Debug("the ledger does not take it yet", "what", what, "err", err)
			select {
			case <-time.After(sendAgain + rand.N(sendAgain)):
			case <-ctx.Done():
				return nil
			}
		}
	})
}

// lookForCertificates looks on the ledger which batches are settled, until all are or the
// epoch ends.
func (s *rounds) lookForCertificates(c *supervise.Ctx, m lookForCertificates) {
	if m.epoch != s.epoch || s.round == nil {
		return
	}
	var open []uint32
	for _, d := range s.roll.Assignment.Duties(s.r.self) {
		if b := uint32(d.Batch); !s.certified[b] && len(open) < lookups {
			open = append(open, b)
		}
	}
	if len(open) == 0 {
		return
	}
	r := s.r
	self, epoch := c.Self(), s.epoch
	length := r.o.Book.EpochStart(epoch+1) - r.o.Book.EpochStart(epoch)
	c.Go(func(ctx context.Context) any {
		ctx, cancel := context.WithTimeout(ctx, rollTime)
		defer cancel()
		for _, b := range open {
			if ok, err := r.o.Book.Certified(ctx, epoch, b); err == nil && ok {
				_ = self.Tell(onLedger{epoch, b}) // a full mailbox: the next look finds it again
			}
		}
		return nil
	})
	c.After(max(time.Duration(length/30)*time.Millisecond, 500*time.Millisecond), lookForCertificates{m.epoch})
}

// recallAll asks the other members for what was said while this checker was away.
func (s *rounds) recallAll(c *supervise.Ctx) {
	epoch, r := s.epoch, s.r
	for _, d := range s.roll.Assignment.Duties(r.self) {
		b := &s.roll.Assignment.Batches[d.Batch]
		members := b.Committee
		if d.Attempt != 0 {
			members = b.Reserve
		}
		batch, first := uint32(d.Batch), d == s.roll.Assignment.Duties(r.self)[0]
		var others []key.Node
		for _, n := range members {
			if n != r.self {
				others = append(others, n)
			}
		}
		c.Go(func(ctx context.Context) any {
			ctx, cancel := context.WithTimeout(ctx, rollTime)
			defer cancel()
			var m recalled
			for _, n := range others[:min(len(others), recallFrom)] {
				m.statements = append(m.statements, r.recallFrom(ctx, n, epoch, batch, first)...)
			}
			return m
		})
	}
}

// recallFrom is how many members are asked: one more than may be lying or gone with N = 2.
const recallFrom = 3

func (r *Rounds) recallFrom(ctx context.Context, n key.Node, epoch uint64, batch uint32, whole bool) (out []*proof.Opened) {
	id, err := n.Peer()
	if err != nil {
		return nil
	}
	var raws [][]byte
	if whole {
		list, err := r.o.Calls.Recall(ctx, id, epoch, true, 0)
		if err == nil {
			raws = list
		}
	}
	if list, err := r.o.Calls.Recall(ctx, id, epoch, false, batch); err == nil {
		raws = append(raws, list...)
	}
	for _, raw := range raws[:min(len(raws), maxEarly)] {
		if o, err := proof.Open(r.o.Book.Chain(), raw); err == nil && o.Signer != r.self {
			out = append(out, o)
		}
	}
	return out
}

// recall gives what was heard about a batch, or about the epoch as a whole.
func (s *rounds) recall(m recall) [][]byte {
	for _, h := range []*minutes{s.heard, s.before} {
		if h.epoch == m.epoch {
			return h.list(m.whole, m.batch)
		}
	}
	return [][]byte{}
}

// minutes are what members of this checker's committees said about an epoch, itself included,
// as they signed it.
type minutes struct {
	epoch uint64
	size  int
	whole [][]byte
	batch map[uint32][][]byte
}

// maxHeard bounds what is kept of an epoch, in bytes.
const maxHeard = 16 << 20

func newMinutes(epoch uint64) *minutes { return &minutes{epoch: epoch, batch: map[uint32][][]byte{}} }

func (h *minutes) add(o *proof.Opened) {
	if h.size += len(o.Raw); h.size > maxHeard {
		return
	}
	batch, ok := BatchOf(o)
	if !ok {
		h.whole = append(h.whole, o.Raw)
		return
	}
	h.batch[batch] = append(h.batch[batch], o.Raw)
}

func (h *minutes) list(whole bool, batch uint32) [][]byte {
	out := h.batch[batch]
	if whole {
		out = h.whole
	}
	if out == nil {
		out = [][]byte{}
	}
	return out[:len(out):len(out)]
}

// BatchOf is the batch that a gossiped statement is about; ok is false for those about a
// whole epoch.
func BatchOf(o *proof.Opened) (batch uint32, ok bool) {
	switch st := o.Statement.GetSays().(type) {
	case *proof.Statement_VoteCommit:
		return st.VoteCommit.GetBatch(), true
	case *proof.Statement_Vote:
		return st.Vote.GetBatch(), true
	case *proof.Statement_Draft:
		return st.Draft.GetBatch(), true
	}
	return 0, false
}

// Gossiped says whether a statement is one that checkers gossip, and errs for others.
func Gossiped(o *proof.Opened) error {
	switch o.Kind() {
	case proof.KindNonceCommit, proof.KindNonce, proof.KindVoteCommit, proof.KindVote, proof.KindDraft:
		return nil
	}
	return fmt.Errorf("checker: a %s is not gossiped", o.Kind())
}
