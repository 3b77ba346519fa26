package container

import (
	"context"
	"time"

	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/ledger/tx"
)

// Rules of settlement.
const (
	settleBatch  = 100              // sessions in one transaction
	settleWithin = 30 * time.Second // an attempt
	settleSoon   = time.Second      // after an attempt that failed; doubles up to settleLate
	settleLate   = time.Minute
	settleLast   = 7 * time.Second // that a container that stops still tries: closes are gathered for two
)

// Messages of settlement to the container's actor.
type (
	settleDue   struct{}
	sessionOver struct{} // its last voucher is known
	settled     struct {
		closes []*tx.CloseSession
		err    error
	}
)

// settling is the part of the container's state that closes sessions on the ledger.
type settling struct {
	under bool // an attempt is under way
	fails int
	timer func()
}

// settle closes what is due, one attempt at a time. After a failure it takes sessions one
// by one, so that one that cannot be settled does not hold up the others for long.
func (s *state) settle(c *supervise.Ctx) {
	t := &s.settling
	if s.c.o.Pay == nil || t.under || t.timer != nil {
		return
	}
	n := settleBatch
	if t.fails > 0 {
		n = 1
	}
	due := s.c.dues.over(settleBatch)
	if len(due) == 0 {
		return
	}
	if n == 1 { // another one each time
		i := t.fails % len(due)
		due = due[i : i+1]
	}
	t.under = true
	pay := s.c.o.Pay
	c.Go(func(ctx context.Context) any {
		ctx, cancel := context.WithTimeout(ctx, settleWithin)
		defer cancel()
		return settled{due, pay.Settle(ctx, due)}
	})
}

func (s *state) settled(c *supervise.Ctx, m settled) {
	t := &s.settling
	t.under = false
	if m.err == nil {
		t.fails = 0
		s.c.dues.settle(m.closes)
		s.c.metrics.settled.WithLabelValues("ok").Add(float64(len(m.closes)))
		s.settle(c)
		return
	}
	t.fails++
	s.c.metrics.settled.WithLabelValues("failed").Add(float64(len(m.closes)))
	after := min(settleSoon<<min(t.fails-1, 10), settleLate)
	c.Log().Warn("sessions are not settled yet; their vouchers are kept", "sessions", len(m.closes), "again_in", after, "err", m.err)
	t.timer = c.After(after, settleDue{})
}

// settleRest is a last attempt of a container that stops. What it leaves is settled when
// it is back.
func (c *Container) settleRest(ctx context.Context) {
	if c.o.Pay == nil || c.abrupt.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, settleLast)
	defer cancel()
	due := c.dues.over(settleBatch)
	if len(due) == 0 {
		return
	}
	if err := c.o.Pay.Settle(ctx, due); err != nil {
		c.o.Log.Warn("sessions are not settled; that is done at the next start", "sessions", len(due), "err", err)
		return
	}
	c.dues.settle(due)
	c.metrics.settled.WithLabelValues("ok").Add(float64(len(due)))
}
