package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
)

// maxCloses is how many sessions one transaction may settle.
const maxCloses = 100

// maxClosing is how many closes may wait to be sent together.
const maxClosing = 4 * maxCloses

// closeKey names closes that may go in one transaction: the same key for the same account.
type closeKey struct{ signer, account key.Address }

type closeAsked struct {
	s      Signer
	closes []*tx.CloseSession
}

// batch is closes that wait to be sent together.
type batch struct {
	s       Signer
	closes  []*tx.CloseSession
	waiting []func(any)
	cancel  func() // the timer
}

func (p *batch) answer(v any) {
	for _, reply := range p.waiting {
		reply(v)
	}
}

// settled is the answer when all of a batch is in a block, or was settled before.
type settled struct{}

// Close settles sessions of one container, by the container's key or its owner's. Closes
// that come within half a second of each other go in one transaction. It returns when they
// are in a block. A session that is not on the ledger any more counts as settled, as does
// one that settles without these closes. After an error some may be settled: ask again, the
// same closes do no harm.
func (l *Ledger) Close(ctx context.Context, s Signer, closes []*tx.CloseSession) error {
	if len(closes) == 0 {
		return nil
	}
	if len(closes) > maxCloses {
		return fmt.Errorf("ledger: %d sessions to settle at once; at most %d", len(closes), maxCloses)
	}
	_, err := supervise.Ask[settled](ctx, l.ref, closeAsked{s, closes})
	return err
}

func (b *behavior) close(c *supervise.Ctx, m closeAsked) {
	k := closeKey{m.s.Address(), m.s.Account}
	p := b.closes[k]
	switch {
	case p == nil:
		p = &batch{s: m.s}
		p.cancel = c.After(b.l.o.CloseWait, closeTime{k})
		b.closes[k] = p
	case len(p.closes)+len(m.closes) > maxClosing:
		c.Reply(supervise.ErrBusy)
		return
	}
	p.closes = append(p.closes, m.closes...)
	p.waiting = append(p.waiting, c.Later())
	if len(p.closes) >= maxCloses {
		p.cancel()
		b.flush(c, k)
	}
}

// flush sends what waits under a key.
func (b *behavior) flush(c *supervise.Ctx, k closeKey) {
	p := b.closes[k]
	if p == nil {
		return
	}
	delete(b.closes, k)
	c.Go(func(ctx context.Context) any {
		if err := b.l.settle(ctx, p.s, p.closes); err != nil {
			p.answer(err)
		} else {
			p.answer(settled{})
		}
		return nil
	})
}

// settle sends closes in as few transactions as go through. A batch is for all or none, so
// one that is refused is sent one by one: a single bad close must not hold up the rest.
func (l *Ledger) settle(ctx context.Context, s Signer, closes []*tx.CloseSession) error {
	open, err := l.open(ctx, closes)
	if err != nil {
		return err
	}
	var failed error
	for len(open) > 0 {
		part := open[:min(len(open), maxCloses)]
		open = open[len(part):]
		if len(part) > 1 {
			_, err := l.Send(ctx, s, &tx.Body{Op: &tx.Body_BatchClose{BatchClose: &tx.BatchClose{Sessions: part}}})
			var no *Refused
			if err == nil {
				l.metrics.settled.Add(float64(len(part)))
				continue
			}
			if !errors.As(err, &no) {
				return err
			}
		}
		for _, one := range part {
			err := l.closeOne(ctx, s, one)
			switch {
			case err == nil:
				l.metrics.settled.Inc()
			case !settlesAnyway(err):
				failed = err
			}
			if ctx.Err() != nil {
				return fmt.Errorf("ledger: %w", ctx.Err())
			}
		}
	}
	return failed
}

// closeOne settles one session. What its player has presented already, or something newer,
// is accepted as it is: a close without a voucher settles at once what would settle by
// itself when the challenge window ends.
func (l *Ledger) closeOne(ctx context.Context, s Signer, one *tx.CloseSession) error {
	_, err := l.Send(ctx, s, &tx.Body{Op: &tx.Body_Close{Close: one}})
	if one.GetVoucher() != nil && (errors.Is(err, state.ErrReplay) || errors.Is(err, state.ErrOlder)) {
		bare := &tx.CloseSession{Container: one.GetContainer(), Session: one.GetSession()}
		_, err = l.Send(ctx, s, &tx.Body{Op: &tx.Body_Close{Close: bare}})
	}
	return err
}

// settlesAnyway says whether a session for which a close was refused is settled, or will be
// without anybody's doing and for what the close would have got.
func settlesAnyway(err error) bool {
	for _, rule := range []error{state.ErrNoSession, state.ErrOver, state.ErrClosing, state.ErrReplay, state.ErrOlder} {
		if errors.Is(err, rule) {
			return true
		}
	}
	return false
}

// open is which of the closes are for sessions that are still on the ledger, each session
// once, in the order of the last that names it: that one has the newest voucher.
func (l *Ledger) open(ctx context.Context, closes []*tx.CloseSession) ([]*tx.CloseSession, error) {
	var out []*tx.CloseSession
	for i, one := range closes {
		if len(one.GetContainer()) != key.Size || len(one.GetSession()) != tx.SessionSize {
			return nil, fmt.Errorf("ledger: a close without a container or a session")
		}
		again := false
		for _, later := range closes[i+1:] {
			again = again || bytes.Equal(later.GetSession(), one.GetSession()) && bytes.Equal(later.GetContainer(), one.GetContainer())
		}
		if again {
			continue
		}
		_, ok, err := l.Session(ctx, key.Node(one.GetContainer()), [16]byte(one.GetSession()))
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, one)
		}
	}
	return out, nil
}
