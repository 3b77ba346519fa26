package container

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/framemesh/framemesh/actors/session"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/ledger/voucher"
	"github.com/framemesh/framemesh/ledger/witness"
	"github.com/framemesh/framemesh/p2p/wire"
)

// plannedSeconds is how long an escrow is expected to last before the page has said; it
// bounds what may be promised until the ledger has locked it.
const plannedSeconds = 24 * 60 * 60

// orderMost bounds how long an order may be on its way.
const orderMost = 5 * time.Minute

// leastSeconds is the shortest escrow worth its transaction and its settlement.
const leastSeconds = 10

// Reasons for refusing a transaction, as a player may read them.
var (
	errNotOpen    = errors.New("it opens no escrow; reload the page")
	errNotTopUp   = errors.New("it adds to no escrow; reload the page")
	errNotOurs    = errors.New("it is for another machine or another game; reload the page")
	errNotPlayers = errors.New("it is not signed by the player who reserved this game; reload the page")
	errNotTerms   = errors.New("its price is not the one agreed; reload the page")
	errTooShort   = fmt.Errorf("it pays for less than %d seconds; set more aside", leastSeconds)
)

// till is the money side of one session.
type till struct {
	pay   Pay
	dues  *dues
	terms voucher.Terms
	price uint64             // µUSD per hour
	key   ed25519.PrivateKey // of the container
	// settled is called when the session's last voucher is known.
	settled func()
}

var _ session.Till = (*till)(nil)

// Open implements session.Till.
func (t *till) Open(ctx context.Context, raw []byte) (uint32, error) {
	x, err := t.decode(raw)
	if err != nil {
		return 0, err
	}
	op := x.Body.GetOpen()
	switch {
	case op == nil:
		return 0, errNotOpen
	case !t.ours(op.GetContainer(), op.GetSession()):
		return 0, errNotOurs
	case op.GetPerSecond() != t.terms.PerSecond || op.GetPriceMicroUsdPerHour() != t.price:
		return 0, errNotTerms
	case op.GetSeconds() < leastSeconds:
		return 0, errTooShort
	}
	t.dues.order(t.terms.Session, t.until(x)) // whatever happens now, the escrow is given back
	return op.GetSeconds(), t.pay.Submit(ctx, raw)
}

// until is when an order can come into no block any more, in s since 1970: its own word, or
// five minutes from now, when its price is too old for any block.
func (t *till) until(order *tx.Tx) uint32 {
	now := t.pay.BlockTimeMS()
	if now == 0 {
		now = uint64(time.Now().UnixMilli())
	}
	ms := now + uint64(orderMost.Milliseconds())
	if v := order.Body.GetValidUntilMs(); v > 0 {
		ms = min(ms, v)
	}
	return uint32(min((ms+999)/1000, math.MaxUint32))
}

// TopUp implements session.Till.
func (t *till) TopUp(ctx context.Context, raw []byte) (uint32, error) {
	x, err := t.decode(raw)
	if err != nil {
		return 0, err
	}
	op := x.Body.GetTopUp()
	switch {
	case op == nil:
		return 0, errNotTopUp
	case !t.ours(op.GetContainer(), op.GetSession()):
		return 0, errNotOurs
	}
	return op.GetSeconds(), t.pay.Submit(ctx, raw)
}

func (t *till) decode(raw []byte) (*tx.Tx, error) {
	x, err := tx.Decode(raw)
	if err != nil {
		return nil, err
	}
	if x.Signer != t.terms.Player || x.Delegated() {
		return nil, errNotPlayers
	}
	return x, x.Verify(t.terms.Chain)
}

func (t *till) ours(container, session []byte) bool {
	return bytes.Equal(container, t.terms.Container[:]) && bytes.Equal(session, t.terms.Session[:])
}

// Escrow implements session.Till. An escrow on other terms counts as none: nothing could
// be settled from it with this session's vouchers.
func (t *till) Escrow(ctx context.Context) (session.Held, error) {
	e, err := t.pay.Escrow(ctx, t.terms.Session)
	if err != nil || e.Player != t.terms.Player || e.PerSecond != t.terms.PerSecond {
		return session.Held{}, err
	}
	held := session.Held{Seconds: e.Seconds, Closing: e.Closing}
	if e.Seconds > 0 {
		t.dues.found(t.terms.Session)
		w := witness.Taken{PerSecond: t.terms.PerSecond, OpenedMS: e.OpenedMS}
		witness.Session{Chain: t.terms.Chain, Container: t.terms.Container, ID: t.terms.Session, Player: [32]byte(t.terms.Player)}.SignTaken(t.key, &w)
		held.Taken, held.OpenedMS = w.Signature[:], w.OpenedMS
	}
	return held, nil
}

// NextBlock implements session.Till.
func (t *till) NextBlock() <-chan struct{} { return t.pay.NextBlock() }

// Keep implements session.Till.
func (t *till) Keep(v voucher.Voucher) { t.dues.keep(t.terms.Session, v.ForTx()) }

// Settle implements session.Till.
func (t *till) Settle() {
	t.dues.end(t.terms.Session)
	t.settled()
}

// priced says whether a session has to be paid.
func (o *Options) priced() bool { return o.Pay != nil && o.Price > 0 }

// terms are what a session that is reserved now would cost.
func (c *Container) terms(ctx context.Context) (*wire.PayTerms, error) {
	perSecond, quotes, err := c.o.Pay.PerSecond(ctx, c.o.Price)
	if err != nil {
		return nil, err
	}
	return &wire.PayTerms{Chain: c.o.Pay.Chain(), PriceMicroUsdPerHour: c.o.Price, PerSecond: perSecond, Quotes: quotes,
		CreditSeconds: voucher.Credit, Paid: true}, nil
}

// payment is what a leased session is paid with; nil makes it free.
func (c *Container) payment(id [16]byte, player []byte, terms *wire.PayTerms, settled func()) (*session.Payment, error) {
	if terms == nil {
		return nil, nil
	}
	if len(player) != key.Size {
		return nil, errNotPlayers
	}
	node, err := key.NodeOf(c.self)
	if err != nil {
		return nil, err
	}
	raw, err := c.o.Key.Raw()
	if err != nil {
		return nil, err
	}
	v := voucher.Terms{Chain: terms.GetChain(), Container: node, Session: id, Player: key.Address(player),
		PerSecond: terms.GetPerSecond(), Seconds: plannedSeconds}
	return &session.Payment{Terms: v, Credit: terms.GetCreditSeconds(),
		Till: &till{pay: c.o.Pay, dues: c.dues, terms: v, price: terms.GetPriceMicroUsdPerHour(), key: ed25519.PrivateKey(raw), settled: settled}}, nil
}
