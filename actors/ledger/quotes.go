package ledger

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/light"
	"github.com/framemesh/framemesh/ledger/quote"
)

const (
	quoteEvery = 20 * time.Second
	maxQuotes  = 9 // that one order may carry
)

// ErrNoPrice means that too few fresh quotes have been heard to price anything.
var ErrNoPrice = errors.New("ledger: no price of the dollar is known")

// Oracle makes this node quote prices.
type Oracle struct {
	Key ed25519.PrivateKey // of an account that the genesis names as an oracle
	// Rate is how many base units a dollar costs. It is asked every 20 s; when it fails,
	// nothing is quoted and orders stop once the last quotes are too old.
	Rate func(ctx context.Context) (perUSD uint64, err error)
}

func (o *Oracle) validate(d *genesis.Doc) error {
	switch {
	case o == nil:
		return nil
	case len(o.Key) != ed25519.PrivateKeySize || o.Rate == nil:
		return errors.New("ledger: an oracle needs a key and a source of the rate")
	case !slices.Contains(d.Oracles, Signer{Key: o.Key}.Address()):
		return fmt.Errorf("ledger: %s is no oracle of %s, nobody would count its quotes; unset the oracle's file", Signer{Key: o.Key}.Address(), d.ChainID)
	}
	return nil
}

// quotes are the newest one of each oracle.
type quotes struct {
	chain   string
	oracles []key.Address

	mu     sync.Mutex
	newest map[key.Address]quote.Quote
}

func newQuotes(chain string, oracles []key.Address) *quotes {
	return &quotes{chain: chain, oracles: oracles, newest: map[key.Address]quote.Quote{}}
}

// take keeps a quote that an oracle signed and that is newer than what is known of it.
// What claims to come from further ahead than a quote may be old is refused: it would
// stand in the way of the true ones.
func (qs *quotes) take(q quote.Quote, nowMS, maxAgeMS uint64) bool {
	if !slices.Contains(qs.oracles, q.Oracle) || q.MadeMS > nowMS+maxAgeMS {
		return false
	}
	qs.mu.Lock()
	old, known := qs.newest[q.Oracle]
	qs.mu.Unlock()
	if known && old.MadeMS >= q.MadeMS {
		return old == q // told twice
	}
	if q.Verify(qs.chain) != nil {
		return false
	}
	qs.mu.Lock()
	defer qs.mu.Unlock()
	if qs.newest[q.Oracle].MadeMS < q.MadeMS {
		qs.newest[q.Oracle] = q
	}
	return true
}

// of is an oracle's newest quote.
func (qs *quotes) of(oracle key.Address) (q quote.Quote, ok bool) {
	qs.mu.Lock()
	defer qs.mu.Unlock()
	q, ok = qs.newest[oracle]
	return q, ok
}

// fresh lists quotes that count now, by rising oracle.
func (qs *quotes) fresh(nowMS, maxAgeMS uint64) []quote.Quote {
	qs.mu.Lock()
	all := make([]quote.Quote, 0, len(qs.newest))
	for _, q := range qs.newest {
		all = append(all, q)
	}
	qs.mu.Unlock()
	return quote.Fresh(all, qs.oracles, nowMS, maxAgeMS, maxQuotes)
}

// rate is the median of the quotes with which an order can be made. Those that would be
// too old before the order is in a block are left out, as long as there are enough others.
func (l *Ledger) rate() (perUSD uint64, used []quote.Quote, err error) {
	now, p := l.nowMS(), l.Params()
	for _, age := range []uint64{p.OracleMaxAgeMS / 3 * 2, p.OracleMaxAgeMS} {
		used = l.quotes.fresh(now, age)
		if perUSD, err = quote.Median(used, l.quotes.oracles, now, p.OracleMaxAgeMS, int(p.OracleMin)); err == nil {
			return perUSD, used, nil
		}
	}
	return 0, nil, fmt.Errorf("%w: %w", ErrNoPrice, err)
}

// Quotes are the encoded quotes that count now, by rising oracle.
func (l *Ledger) Quotes() [][]byte {
	return encoded(l.quotes.fresh(l.nowMS(), l.Params().OracleMaxAgeMS))
}

func encoded(qs []quote.Quote) [][]byte {
	out := make([][]byte, len(qs))
	for i, q := range qs {
		out[i] = q.Encode()
	}
	return out
}

// PerSecond turns a price in µUSD per hour into base units per second, with the quotes that
// say so. It answers from memory. It wraps ErrNoPrice.
func (l *Ledger) PerSecond(_ context.Context, price uint64) (perSecond uint64, quotes [][]byte, err error) {
	perUSD, used, err := l.rate()
	if err != nil {
		return 0, nil, err
	}
	if perSecond, err = economics.PricePerSecond(price, perUSD); err != nil {
		return 0, nil, err
	}
	return perSecond, encoded(used), nil
}

// quote makes this oracle's next quote and arranges for the one after it.
func (b *behavior) quote(c *supervise.Ctx) {
	c.After(quoteEvery, quoteTime{})
	c.Go(func(ctx context.Context) any {
		ctx, cancel := context.WithTimeout(ctx, quoteEvery/2)
		defer cancel()
		if err := b.l.quoteOnce(ctx); err != nil {
			b.l.o.Log.Warn("no price was quoted; orders stop when the last one is too old", "err", err)
		}
		return nil
	})
}

func (l *Ledger) quoteOnce(ctx context.Context) error {
	perUSD, err := l.o.Oracle.Rate(ctx)
	if err != nil {
		return err
	}
	q, err := quote.Sign(l.chain, l.o.Oracle.Key, perUSD, l.nowMS())
	if err != nil {
		return err
	}
	if !l.quotes.take(q, l.nowMS(), l.Params().OracleMaxAgeMS) {
		return errors.New("ledger: the last quote was made later than now; was the clock set back?")
	}
	l.metrics.quoted.Inc()
	body, err := light.EncodeQuote(q.Encode())
	if err != nil {
		return err
	}
	return l.publish(ctx, body)
}
