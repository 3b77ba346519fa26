package ledger

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
)

// Errors of the faucet.
var (
	ErrNoFaucet  = errors.New("ledger: this node gives no money away")
	ErrFaucetDry = errors.New("ledger: the faucet has given what it may") // for this minute, or altogether
)

// Faucet gives new players money to play with: for demos and test networks.
type Faucet struct {
	Key       ed25519.PrivateKey // whose money it is
	Amount    uint64             // base units for each address, once
	PerMinute int                // addresses; 0 = 60
	Total     int                // addresses; 0 = 10 000
}

func (f *Faucet) validate() error {
	switch {
	case f == nil:
		return nil
	case len(f.Key) != ed25519.PrivateKeySize || f.Amount == 0 || f.PerMinute < 0 || f.Total < 0:
		return errors.New("ledger: a faucet needs a key and an amount")
	}
	if f.PerMinute == 0 {
		f.PerMinute = 60
	}
	if f.Total == 0 {
		f.Total = 10_000
	}
	return nil
}

// funded is who has been given money in this run.
type funded struct {
	mu     sync.Mutex
	done   map[key.Address]chan struct{} // closed when the gift is decided
	minute []time.Time                   // of the gifts of the last minute
}

// Fund gives an address its money and returns when it is in a block. An address that has
// been given money, or that has anything on the ledger, gets none and no error. Errors:
// ErrNoFaucet, ErrFaucetDry, and Send's.
func (l *Ledger) Fund(ctx context.Context, to key.Address) error {
	f := l.o.Faucet
	if f == nil {
		return ErrNoFaucet
	}
	decided, first, err := l.funded.claim(to, f, l.o.Now())
	if err != nil {
		return err
	}
	if !first {
		select {
		case <-decided:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("ledger: %w", ctx.Err())
		}
	}
	given := false
	defer func() { l.funded.settle(to, decided, given) }()
	acct, err := l.Account(ctx, to)
	if err != nil {
		return err
	}
	if acct != (state.Account{}) {
		given = true
		return nil
	}
	_, err = l.Send(ctx, Signer{Key: f.Key}, &tx.Body{Op: &tx.Body_Transfer{Transfer: &tx.Transfer{To: to[:], Amount: f.Amount, Memo: "to play with"}}})
	given = err == nil
	if given {
		l.metrics.funded.Inc()
	}
	return err
}

// claim reserves a gift, or gives the channel of the one that is under way or done.
func (d *funded) claim(to key.Address, f *Faucet, now time.Time) (decided chan struct{}, first bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c, ok := d.done[to]; ok {
		return c, false, nil
	}
	for len(d.minute) > 0 && now.Sub(d.minute[0]) >= time.Minute {
		d.minute = d.minute[1:]
	}
	if len(d.minute) >= f.PerMinute || len(d.done) >= f.Total {
		return nil, false, fmt.Errorf("%w; try again in a minute", ErrFaucetDry)
	}
	if d.done == nil {
		d.done = map[key.Address]chan struct{}{}
	}
	c := make(chan struct{})
	d.done[to], d.minute = c, append(d.minute, now)
	return c, true, nil
}

// settle ends a claim; one that was not given may be asked for again.
func (d *funded) settle(to key.Address, decided chan struct{}, given bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !given {
		delete(d.done, to)
	}
	close(decided)
}
