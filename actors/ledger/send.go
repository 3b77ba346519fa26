package ledger

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
)

const (
	tries       = 6               // with another nonce
	againBlocks = 4               // without the transaction before it is submitted again
	lookEvery   = 2 * time.Second // for a transaction while no head comes
	graceMS     = 2000            // after a transaction's time has passed, for the last block to show it
	maxWaiting  = 256             // transactions of one key that wait
)

// Receipt is a transaction in a block.
type Receipt struct {
	Hash   [32]byte
	Height uint64
	Index  uint32
}

// Submit gives a signed transaction of somebody else to the ledger. It returns when it has
// been taken in, without waiting for a block. Errors: *Refused, ErrBusy, and others that
// pass with time.
func (l *Ledger) Submit(ctx context.Context, raw []byte) ([32]byte, error) {
	hash := sha256.Sum256(raw)
	if len(raw) == 0 || len(raw) > tx.MaxSize {
		return hash, fmt.Errorf("ledger: a transaction of %d bytes; 1 to %d are possible", len(raw), tx.MaxSize)
	}
	err := l.o.Source.Submit(ctx, raw)
	l.metrics.submitted.WithLabelValues(outcome(err)).Inc()
	return hash, err
}

func outcome(err error) string {
	var no *Refused
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &no):
		return "refused"
	case errors.Is(err, ErrBusy):
		return "busy"
	case errors.Is(err, ErrVoid):
		return "void"
	}
	return "failed"
}

// Send signs an operation and sends it until it is in a block. The nonce is filled in, as
// is the time until which it is valid unless body says one; transactions of one key go out
// one after the other. Errors: *Refused with the receipt when it is in a block without
// effect, *Refused without when the ledger does not take it, ErrVoid, supervise.ErrBusy
// when too many of the key wait already.
func (l *Ledger) Send(ctx context.Context, s Signer, body *tx.Body) (Receipt, error) {
	out, err := supervise.Ask[sent](ctx, l.ref, sendAsked{ctx, s, proto.CloneOf(body)})
	if err != nil {
		return Receipt{}, err
	}
	return out.receipt, out.err
}

// awaitHead waits for a head above height, which a light client looks out for; see feed.wait.
func (l *Ledger) awaitHead(ctx context.Context, height uint64, most time.Duration) error {
	l.o.Source.Hurry()
	return l.heads.wait(ctx, height, most)
}

// errNotYet says that a transaction may still come.
var errNotYet = errors.New("ledger: not in a block yet")

// find looks for a transaction once. errNotYet covers peers that do not answer: the next
// look may do.
func (l *Ledger) find(ctx context.Context, hash [32]byte) (Receipt, error) {
	in, err := l.o.Source.Tx(ctx, hash)
	if err != nil {
		if ctx.Err() != nil {
			return Receipt{}, fmt.Errorf("ledger: %w", ctx.Err())
		}
		return Receipt{}, fmt.Errorf("%w: %w", errNotYet, err)
	}
	r := Receipt{Hash: hash, Height: in.Height, Index: in.Index}
	if in.Code != 0 {
		return r, &Refused{in.Code, in.Text}
	}
	return r, nil
}

// lane is one key's way to the ledger.
type lane struct {
	waiting []order
	busy    bool
	nonce   uint64 // the next, when known
	known   bool
}

// order is a transaction that waits for its turn.
type order struct {
	sendAsked
	reply func(any)
}

// deliver sends one transaction until it is in a block. It runs on a goroutine of the
// actor's and has the lane to itself.
func (l *Ledger) deliver(ctx context.Context, n *lane, s Signer, body *tx.Body) (Receipt, error) {
	if s.Account != s.Address() && s.Account != ([32]byte{}) {
		body.Account = s.Account[:]
	}
	until := body.GetValidUntilMs()
	var last error
	for range tries {
		if !n.known {
			acct, err := l.Account(ctx, s.Address())
			if err != nil {
				return Receipt{}, fmt.Errorf("ledger: nonce of %s: %w", s.Address(), err)
			}
			n.nonce, n.known = acct.Nonce, true
		}
		if until == 0 {
			body.ValidUntilMs = max(l.heads.get().TimeMS, l.nowMS()) + uint64(l.o.ValidFor.Milliseconds())
		}
		body.Nonce = n.nonce
		raw, err := tx.Sign(l.chain, s.Key, body)
		if err != nil {
			return Receipt{}, fmt.Errorf("ledger: %w", err)
		}
		before := l.heads.get().Height
		r, err := l.see(ctx, raw, body.ValidUntilMs)
		if err == nil {
			n.nonce++
			return r, nil
		}
		n.known = false // a refusal may have used it or not, by its reason
		if !errors.Is(err, state.ErrNonce) {
			return r, err
		}
		// Somebody else uses the key, or an older transaction of it still waits.
		last = err
		if err := l.awaitHead(ctx, before, lookEvery); err != nil {
			return Receipt{}, err
		}
	}
	return Receipt{}, last
}

func (l *Ledger) nowMS() uint64 { return uint64(max(l.o.Now().UnixMilli(), 0)) }

// see submits a transaction, and again when it seems to have fallen out of the pools, until
// it is in a block or its time has passed by the time of blocks.
func (l *Ledger) see(ctx context.Context, raw []byte, untilMS uint64) (Receipt, error) {
	hash := sha256.Sum256(raw)
	taken, at := false, uint64(0)
	var trouble, refused error
	for {
		h := l.heads.get()
		if !taken || h.Height >= at+againBlocks {
			_, err := l.Submit(ctx, raw)
			var no *Refused
			switch {
			case err == nil:
				taken, at = true, h.Height
			case errors.As(err, &no) && !taken:
				return Receipt{}, err
			case errors.As(err, &no) && !errors.Is(err, state.ErrNonce):
				refused = err // unless it is in a block already
			case errors.As(err, &no):
				at = h.Height // its nonce is used: it may be in a block that nobody has shown yet
			case ctx.Err() != nil:
				return Receipt{}, fmt.Errorf("ledger: %w", ctx.Err())
			default:
				trouble = err
			}
		}
		if taken {
			r, err := l.find(ctx, hash)
			if !errors.Is(err, errNotYet) {
				return r, err
			}
		}
		if refused != nil {
			return Receipt{}, refused
		}
		if h.TimeMS > untilMS+graceMS || !taken && l.nowMS() > untilMS+graceMS {
			if trouble != nil {
				return Receipt{}, fmt.Errorf("%w: %w", ErrVoid, trouble)
			}
			return Receipt{}, ErrVoid
		}
		if err := l.awaitHead(ctx, h.Height, lookEvery); err != nil {
			return Receipt{}, err
		}
	}
}
