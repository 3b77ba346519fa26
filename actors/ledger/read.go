package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/state"
)

// read gets and decodes one record of the newest readable state; ok is false when there is
// none.
func read[T any](ctx context.Context, l *Ledger, k []byte, decode func([]byte) (T, error)) (v T, ok bool, err error) {
	b, _, err := l.o.Source.Value(ctx, k)
	if err != nil || b == nil {
		return v, false, err
	}
	if v, err = decode(b); err != nil {
		return v, false, fmt.Errorf("ledger: %w; this program is older than the network's state, update it", err)
	}
	return v, true, nil
}

// Readable returns when something of the ledger can be read, or with ctx's error.
func (l *Ledger) Readable(ctx context.Context) error {
	for {
		block := l.NextBlock()
		if _, ok, err := read(ctx, l, state.HeadKey(), state.DecodeHead); err == nil && ok {
			return nil
		}
		select {
		case <-block:
		case <-time.After(lookEvery):
		case <-ctx.Done():
			return fmt.Errorf("ledger: %w", ctx.Err())
		}
	}
}

// Account is what an address has; one that was never paid has nothing.
func (l *Ledger) Account(ctx context.Context, a key.Address) (state.Account, error) {
	acct, _, err := read(ctx, l, state.AccountKey(a), state.DecodeAccount)
	return acct, err
}

// Session is an escrow; ok is false when it is settled or never was.
func (l *Ledger) Session(ctx context.Context, container key.Node, session [16]byte) (s state.Session, ok bool, err error) {
	return read(ctx, l, state.SessionKey(container, session), state.DecodeSession)
}

// Node is an entry of the registry; ok is false when there is none.
func (l *Ledger) Node(ctx context.Context, n key.Node) (e state.Node, ok bool, err error) {
	return read(ctx, l, state.NodeKey(n), state.DecodeNode)
}

// readParams reads the parameters in force.
func (l *Ledger) readParams(ctx context.Context) error {
	p, ok, err := read(ctx, l, state.ParamsKey(), state.DecodeParams)
	if err != nil || !ok {
		return err
	}
	l.paramsMu.Lock()
	defer l.paramsMu.Unlock()
	l.params = p
	return nil
}
