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
	settleOrder  = 3 * time.Second // between two looks for an escrow that may still appear
	settleLast   = 5 * time.Second // that a container that stops still tries
	settleCheck  = time.Second     // to see what came of that
)

// Messages of settlement to the container's actor.
type (
	settleDue   struct{}
	sessionOver struct{} // its last voucher is known
	settled     struct {
		asked int
		done  []closing
		waits bool // an escrow may still appear
		err   error
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
	c.Go(func(ctx context.Context) any {
		ctx, cancel := context.WithTimeout(ctx, settleWithin)
		defer cancel()
		done, waits, err := s.c.settleSome(ctx, due)
		return settled{len(due), done, waits, err}
	})
}

func (s *state) settled(c *supervise.Ctx, m settled) {
	t := &s.settling
	t.under = false
	s.c.forget(m.done)
	if m.err == nil {
		t.fails = 0
		if m.waits {
			t.timer = c.After(settleOrder, settleDue{})
			return
		}
		s.settle(c)
		return
	}
	t.fails++
	n := m.asked - len(m.done)
	s.c.metrics.settled.WithLabelValues("failed").Add(float64(n))
	after := min(settleSoon<<min(t.fails-1, 10), settleLate)
	c.Log().Warn("sessions are not settled yet; their vouchers are kept", "sessions", n, "again_in", after, "err", m.err)
	t.timer = c.After(after, settleDue{})
}

// settleSome closes what has an escrow on the ledger. done are the sessions that need
// nothing any more: closed now, settled before, or never paid for, when their order can
// come into no block any more. waits says that some orders still can.
func (c *Container) settleSome(ctx context.Context, due []closing) (done []closing, waits bool, err error) {
	pay := c.o.Pay
	var open []closing
	for _, one := range due {
		now := pay.BlockTimeMS() // before the answer, which is as new or newer
		e, err := pay.Escrow(ctx, [16]byte(one.GetSession()))
		switch {
		case err != nil:
			return done, waits, err
		case e.Seconds > 0:
			c.dues.found([16]byte(one.GetSession()))
			open = append(open, one)
		case one.until == 0 || now > one.until:
			done = append(done, one)
		default:
			waits = true
		}
	}
	if len(open) == 0 {
		return done, waits, nil
	}
	closes := make([]*tx.CloseSession, len(open))
	for i, one := range open {
		closes[i] = one.CloseSession
	}
	if err := pay.Settle(ctx, closes); err != nil {
		return done, waits, err
	}
	return append(done, open...), waits, nil
}

// forget drops sessions that need nothing any more.
func (c *Container) forget(done []closing) {
	c.dues.settle(done)
	c.metrics.settled.WithLabelValues("ok").Add(float64(len(done)))
}

// settleRest is a last attempt of a container that stops. What it leaves is settled when
// it is back.
func (c *Container) settleRest(ctx context.Context) {
	due := c.dues.over(settleBatch)
	if c.o.Pay == nil || c.abrupt.Load() || len(due) == 0 {
		return
	}
	try := func(most time.Duration, f func(ctx context.Context)) {
		ctx, cancel := context.WithTimeout(ctx, most)
		defer cancel()
		f(ctx)
	}
	var err error
	try(settleLast, func(ctx context.Context) {
		var done []closing
		done, _, err = c.settleSome(ctx, due)
		c.forget(done)
	})
	if err == nil {
		return
	}
	// It may be in a block all the same, or an earlier attempt is.
	try(settleCheck, func(ctx context.Context) {
		for _, one := range c.dues.over(settleBatch) {
			if e, err := c.o.Pay.Escrow(ctx, [16]byte(one.GetSession())); err == nil && e.Seconds == 0 && one.until == 0 {
				c.forget([]closing{one})
			}
		}
	})
	if n := len(c.dues.over(settleBatch)); n > 0 {
		c.o.Log.Warn("sessions are not settled; that is done at the next start", "sessions", n, "err", err)
	}
}
