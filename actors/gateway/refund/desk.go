// Package refund takes a player's own closing of a session whose container went, and hands it
// to the ledger: the container cannot pass it on any more. It writes nothing of its own: what it
// takes is one kind of transaction, signed by the player of a session that is open, and all that
// can be judged here is judged before anything is sent on (docs/spec/payments.md).
package refund

import (
	"context"
	"errors"
	"fmt"

	ledgeractor "github.com/framemesh/framemesh/actors/ledger"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/ledger/voucher"
)

// MaxTx is how long a transaction may be, in bytes: a close with a voucher has at most 276.
const MaxTx = 320

// Errors of a Desk, besides those of the ledger.
var (
	ErrOptions   = errors.New("refund: options")
	ErrForm      = errors.New("refund: it is not a transaction that closes that session; reload the page")
	ErrForged    = errors.New("refund: the player of that session did not sign it, or for another network; reload the page")
	ErrNoSession = errors.New("refund: the ledger holds no such session; nothing is to be done")
)

// Book is the ledger; *ledger.Ledger is the real one.
type Book interface {
	Chain() string
	Session(ctx context.Context, container key.Node, session [16]byte) (state.Session, bool, error)
	// Submit returns *ledger.Refused for what the ledger does not take.
	Submit(ctx context.Context, raw []byte) ([32]byte, error)
}

var _ Book = (*ledgeractor.Ledger)(nil)

// Desk takes closes. Its methods may be called from any goroutine.
type Desk struct{ book Book }

// New returns a Desk over a ledger.
func New(b Book) (*Desk, error) {
	if b == nil {
		return nil, fmt.Errorf("%w: a Book is needed", ErrOptions)
	}
	return &Desk{b}, nil
}

// Take hands a close of that session to the ledger's pool. A session that is being closed
// already needs nothing more. Errors: ErrForm, ErrForged, ErrNoSession, what the ledger refuses
// (*ledger.Refused), ledger.ErrBusy, and others that pass with time.
func (d *Desk) Take(ctx context.Context, session [16]byte, raw []byte) error {
	op, player, err := d.decode(session, raw)
	if err != nil {
		return err
	}
	container := key.Node(op.GetContainer())
	s, ok, err := d.book.Session(ctx, container, session)
	switch {
	case err != nil:
		return fmt.Errorf("refund: look for the session: %w", err)
	case !ok:
		return ErrNoSession
	case s.Player != player:
		return ErrForged
	case s.Phase == state.PhaseClosing:
		return nil
	}
	if p := op.GetVoucher(); p != nil {
		v, err := voucher.FromTx(p)
		if err == nil {
			err = voucher.Verify(voucher.Terms{Chain: d.book.Chain(), Container: container, Session: session, Player: s.Player,
				PerSecond: s.PerSecond, Seconds: s.Seconds}, v)
		}
		if err != nil {
			return fmt.Errorf("%w (%w)", ErrForged, err)
		}
	}
	if _, err := d.book.Submit(ctx, raw); err != nil {
		return fmt.Errorf("refund: %w", err)
	}
	return nil
}

// decode reads a close of a session that its signer signed for itself.
func (d *Desk) decode(session [16]byte, raw []byte) (*tx.CloseSession, key.Address, error) {
	if len(raw) > MaxTx {
		return nil, key.Address{}, fmt.Errorf("%w (%d bytes, at most %d)", ErrForm, len(raw), MaxTx)
	}
	t, err := tx.Decode(raw)
	if err != nil {
		return nil, key.Address{}, fmt.Errorf("%w (%w)", ErrForm, err)
	}
	op := t.Body.GetClose()
	if op == nil || t.Delegated() || [16]byte(op.GetSession()) != session {
		return nil, key.Address{}, ErrForm
	}
	if err := t.Verify(d.book.Chain()); err != nil {
		return nil, key.Address{}, fmt.Errorf("%w (%w)", ErrForged, err)
	}
	return op, t.Signer, nil
}
