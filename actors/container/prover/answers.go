package prover

import (
	"context"

	"github.com/framemesh/framemesh/actors/container/prove"
	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/ledger/proof"
)

// question answers a checker, off the actor: frames may have to be rendered again.
func (s *state) question(c *supervise.Ctx, m question) {
	if s.machine == nil || m.epoch != s.epoch {
		s.p.metrics.openings.WithLabelValues("refused").Inc()
		c.Reply(errEpoch)
		return
	}
	answer, err := s.machine.Ask(s.now(), m.from, m.commit, m.picks)
	if err != nil {
		s.p.metrics.openings.WithLabelValues("refused").Inc()
		c.Reply(err)
		return
	}
	reply, opened := c.Later(), s.p.metrics.openings
	c.Go(func(ctx context.Context) any {
		shown, err := answer.Run(ctx)
		if err != nil {
			opened.WithLabelValues("failed").Inc()
			reply(err)
			return nil
		}
		opened.WithLabelValues("answered").Inc()
		reply(shown.Raw)
		return nil
	})
}

// ping answers a checker of this container that it is there.
func (s *state) ping(c *supervise.Ctx, m ping) {
	known := false
	for _, n := range s.duty.Checkers {
		known = known || n == m.from
	}
	switch {
	case m.epoch != s.epoch:
		c.Reply(errEpoch)
		return
	case !known:
		c.Reply(prove.ErrAsker)
		return
	}
	o, pongs, reply := s.p.o, s.p.metrics.pongs, c.Later()
	c.Go(func(ctx context.Context) any {
		_, sessions := o.Busy(ctx)
		signed, err := proof.Sign(o.Book.Chain(), o.Key, &proof.Statement{Says: &proof.Statement_Pong{Pong: &proof.Pong{
			Nonce: m.nonce, Epoch: m.epoch, Checker: m.from[:], Sessions: uint32(min(max(sessions, 0), 1<<16))}}})
		if err != nil {
			reply(err)
			return nil
		}
		pongs.Inc()
		reply(signed.Raw)
		return nil
	})
}
