package checker

import (
	"errors"
	"slices"
	"time"

	"github.com/framemesh/framemesh/actors/checker/round"
	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
)

// hear takes what another checker gossiped.
func (s *rounds) hear(c *supervise.Ctx, m said) {
	o := m.o
	epoch, ok := o.Epoch()
	if !ok {
		return
	}
	switch {
	case epoch == s.epoch && s.round != nil:
	case epoch == s.epoch || epoch == s.epoch+1:
		if len(s.early) < maxEarly && s.earlyBy(o.Signer) < earlyOf {
			s.r.metrics.said.WithLabelValues("early").Inc()
			s.early = append(s.early, m)
		}
		return
	default:
		return
	}
	if !s.round.Member(o.Signer) {
		return // of batches that are not this checker's
	}
	todo, err := s.round.Heard(m.atMS, o)
	todo = append(todo, s.double.Heard(o)...)
	if err != nil {
		s.report(epoch).Refused++
		s.r.metrics.said.WithLabelValues("refused").Inc()
		c.Log().Debug("a statement was refused", "kind", o.Kind().String(), "signer", o.Signer, "err", err)
	} else {
		s.r.metrics.said.WithLabelValues("taken").Inc()
		s.heard.add(o)
	}
	s.do(c, todo)
}

// earlyBy is how much of one signer waits for a round to be known.
func (s *rounds) earlyBy(n key.Node) (count int) {
	for _, e := range s.early {
		if e.o.Signer == n {
			count++
		}
	}
	return count
}

// handedIn stamps a commitment.
func (s *rounds) handedIn(c *supervise.Ctx, m handedIn) {
	if s.round == nil {
		s.r.metrics.commits.WithLabelValues("refused").Inc()
		c.Reply(round.ErrEarly)
		return
	}
	if !s.double.Takes(m.from) {
		c.Reply(stamped{m.o.Digest, uint32(min(m.atMS-min(s.t0, m.atMS), 1<<32-1))})
		return
	}
	rtt := s.rtt[m.from]
	have, todo, err := s.round.Committed(m.atMS, m.from, m.o, rtt)
	s.do(c, todo)
	if err != nil && !errors.Is(err, round.ErrDuplicate) {
		s.report(s.epoch).Refused++
		s.r.metrics.commits.WithLabelValues("refused").Inc()
		c.Log().Debug("a commitment was refused", "container", m.from, "err", err)
		c.Reply(err)
		return
	}
	if err != nil {
		c.Log().Warn("a container committed twice", "container", m.from, "epoch", s.epoch)
	}
	s.r.metrics.commits.WithLabelValues("stamped").Inc()
	rep := s.report(s.epoch)
	if !slices.Contains(rep.Committed, m.from) {
		rep.Committed = append(rep.Committed, m.from)
	}
	if b := m.o.Statement.GetCommit().GetBusy(); b != nil && have == m.o.Digest {
		rep.Busy++
		s.lookAtSession(c, m.from, b.GetSession())
	}
	s.stamp(c, stamped{have, uint32(min(m.atMS-min(s.t0, m.atMS), 1<<32-1))})
}

// commitRefusal chooses what a container hears of an error.
func commitRefusal(err error) error {
	switch {
	case errors.Is(err, round.ErrEarly):
		return rpc.Errorf(wire.Code_INVALID, "the round has not begun here; compare the clocks, and try again in a moment")
	case errors.Is(err, round.ErrForeign), errors.Is(err, round.ErrClosed):
		return rpc.Errorf(wire.Code_EXPIRED, "that round is over, or of another epoch; compare the clocks")
	case errors.Is(err, round.ErrMember):
		return rpc.Errorf(wire.Code_UNAUTHORISED, "this checker does not judge that container in this epoch; compare the assignment")
	case errors.Is(err, round.ErrMalformed):
		return rpc.Errorf(wire.Code_INVALID, "that is no commitment of this network's kernel; update framemesh")
	case errors.Is(err, supervise.ErrBusy):
		return &rpc.Error{Code: wire.Code_BUSY, Message: "too much comes at once; hand in again", RetryAfter: 100 * time.Millisecond}
	}
	return err
}
