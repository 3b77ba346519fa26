package session

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/framemesh/framemesh/actors/supervise"
	ledger "github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/stream/control"
)

// hand gives a transaction to the till, one at a time.
func (s *state) hand(c *supervise.Ctx, text string, topUp bool) {
	p := s.pay
	raw, err := control.DecodeTx(text)
	switch {
	case err != nil:
		s.refuseTx(err)
		return
	case p.asking || p.awaited > 0:
		s.refuseTx(errors.New("another transaction for this game is under way; wait for it"))
		return
	case !topUp && p.locked > 0:
		s.refuseTx(errors.New("money is set aside already; top it up instead"))
		return
	case topUp && p.locked == 0:
		s.refuseTx(errors.New("nothing is set aside yet; open an escrow first"))
		return
	}
	p.asking = true
	till := p.Till
	c.Go(func(ctx context.Context) any {
		ctx, cancel := context.WithTimeout(ctx, askWithin)
		defer cancel()
		h := handed{topUp: topUp}
		if topUp {
			h.seconds, h.err = till.TopUp(ctx, raw)
		} else {
			h.seconds, h.err = till.Open(ctx, raw)
		}
		return h
	})
}

func (s *state) refuseTx(err error) {
	code := ""
	if errors.Is(err, ledger.ErrFunds) || errors.Is(err, ledger.ErrFee) {
		code = control.CodeMoney
	}
	seconds := s.pay.locked
	s.b.out.ToOwner(control.Escrow{State: control.EscrowRefused, Text: fmt.Sprintf("The ledger did not take the payment: %v.", err), Code: code,
		Total: control.Amount(s.pay.Terms.Owed(seconds)), Seconds: seconds})
}

func (s *state) handed(c *supervise.Ctx, m handed) {
	p := s.pay
	p.asking = false
	if m.err != nil {
		s.refuseTx(m.err)
		return
	}
	p.opened = true
	p.awaited, p.until = p.locked+m.seconds, time.Now().Add(followFor)
	s.tellEscrow(control.EscrowSent, "", p.awaited)
	s.askEscrow(c, nil, false)
}

// askEscrow asks the ledger what it holds: at once, or when after says that it may have
// changed.
func (s *state) askEscrow(c *supervise.Ctx, after func(context.Context) bool, review bool) {
	s.pay.asking = true
	till := s.pay.Till
	c.Go(func(ctx context.Context) any {
		if after != nil && !after(ctx) {
			return nil
		}
		ctx, cancel := context.WithTimeout(ctx, askWithin)
		defer cancel()
		m := escrowed{review: review, block: till.NextBlock()} // before the answer, so that none is missed
		m.Held, m.err = till.Escrow(ctx)
		return m
	})
}

func (s *state) escrowed(c *supervise.Ctx, m escrowed) {
	p := s.pay
	p.asking = false
	now := time.Now()
	if m.err != nil {
		c.Log().Debug("the ledger does not say what it holds", "err", m.err)
	} else {
		p.reviewed = now
		if m.Closing || m.Seconds < p.locked {
			s.end(c, control.ByeUnpaid, "The game ended because its payment was closed on the ledger.")
			return
		}
		if m.Seconds > p.locked {
			p.locked, p.taken = m.Seconds, m.Held
			s.tellEscrow(control.EscrowLocked, "", p.locked)
			s.judge(c, p.meter.Escrow(true, p.locked))
			s.tellPay(true)
			s.report()
		}
	}
	switch {
	case p.awaited == 0:
	case p.locked >= p.awaited:
		p.awaited = 0
	case now.After(p.until):
		p.awaited = 0
		s.tellEscrow(control.EscrowRefused, "The ledger did not take the payment in within half a minute. Try again.", p.locked)
	default:
		s.askEscrow(c, func(ctx context.Context) bool { return waitBlock(ctx, m.block) }, false)
	}
}

// waitBlock waits for a block, or for followEvery; false when ctx ended before.
func waitBlock(ctx context.Context, block <-chan struct{}) bool {
	t := time.NewTimer(followEvery)
	defer t.Stop()
	select {
	case <-block:
	case <-t.C:
	case <-ctx.Done():
		return false
	}
	return true
}

func (s *state) tellEscrow(st, text string, seconds uint32) {
	m := control.Escrow{State: st, Text: text, Total: control.Amount(s.pay.Terms.Owed(seconds)), Seconds: seconds}
	if st == control.EscrowLocked {
		m.Taken, m.OpenedMS = hex.EncodeToString(s.pay.taken.Taken), s.pay.taken.OpenedMS
	}
	s.b.out.ToOwner(m)
}
