// Package purse is a player's money in Go: it does for a player without a screen what the
// page in a browser does. It checks what a container asks for, locks an escrow, signs a
// voucher for each second of play that was seen and adds to the escrow before it ends. The
// demo plays with it when nobody watches, and tests drive paid sessions with it, honest
// ones and others.
//
// It never signs for more than one second ahead of what was seen, but for a few that the
// container served and a short cut of the network hid. See docs/spec/payments.md.
package purse

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/ledger/voucher"
	"github.com/framemesh/framemesh/ledger/witness"
	"github.com/framemesh/framemesh/p2p/wire"
	"github.com/framemesh/framemesh/stream/control"
	"github.com/framemesh/framemesh/stream/player"
)

// Errors of a purse.
var (
	ErrOptions = errors.New("purse: options")
	ErrTerms   = errors.New("purse: the container's terms do not hold")
)

// Rules of paying, the same as the page's.
const (
	planned    = 600 // s of an escrow and of each addition, as the page plans them
	least      = 30  // s; a shorter escrow is not worth its transaction
	topUpAt    = 60  // s before the end of the escrow
	unseen     = 2   // s that may be paid unseen, and one more for each minute of play
	tries      = 4   // to open an escrow
	retryEvery = 700 * time.Millisecond
	moneyEvery = 250 * time.Millisecond // while money from a faucet is awaited
	moneyFor   = 15 * time.Second
	validFor   = 2 * time.Minute // of an order, by the time of blocks
)

// Account is what the ledger says of the player.
type Account struct {
	Balance, Nonce uint64
	TimeMS         uint64 // of the newest block; 0 = not known, orders are then valid as long as their price
}

// Options of a purse. Key, Network, Chain and Account are needed.
type Options struct {
	Key     ed25519.PrivateKey
	Network string // of the proofs that containers sign
	Chain   string // of the ledger
	// Account asks the ledger for the player's account.
	Account func(ctx context.Context) (Account, error)
	TxFee   uint64 // base units that each transaction costs
	Ceiling uint64 // µUSD per hour that are paid at most; 0 = any price
	Planned uint32 // seconds of an escrow; 0 = ten minutes
	Faucet  bool   // money may be on its way: wait for it
	Gift    uint64 // base units that the faucet gives a new account; 0 = not known

	// Alter changes what is said to the container, for players that do not keep the rules:
	// the messages that it returns are sent instead. Nil keeps them.
	Alter func(control.Message) []control.Message
}

// Report is what a purse has done.
type Report struct {
	Paid      uint64    // base units promised
	Seconds   uint32    // of play that these cover
	Vouchers  uint64    // signed
	Seen      uint32    // seconds in which pictures came
	Escrow    uint32    // seconds set aside
	Locked    time.Time // when the first of them were; zero before
	PerSecond uint64    // base units
	Price     uint64    // µUSD per hour
	Served    uint32    // seconds of play that the container counted
	Taken     uint64    // number of the newest voucher that the container says it has
	State     string    // the container's newest word on payment
	Failed    string    // why nothing more can be paid, for people
}

// Purse pays for one session. Its methods may be called from any goroutine.
type Purse struct {
	o Options

	mu      sync.Mutex
	terms   voucher.Terms
	wire    *wire.PayTerms
	match   match
	say     func(control.Message)
	r       Report
	newest  voucher.Voucher
	most    uint32 // seconds that were signed for on the ledger
	locked  bool
	taken   witness.Taken // the container's word, once it is locked
	until   uint64        // unix ms by the time of blocks: the order comes into none after it; 0 = no end
	adding  bool
	answers chan control.Escrow // the container's word on the newest transaction
	wake    chan struct{}       // the escrow needs more
}

var _ player.Payer = (*Purse)(nil)

// New returns a purse for one session.
func New(o Options) (*Purse, error) {
	if len(o.Key) != ed25519.PrivateKeySize || o.Network == "" || o.Chain == "" || o.Account == nil {
		return nil, fmt.Errorf("%w: Key, Network, Chain and Account are needed", ErrOptions)
	}
	if o.Planned == 0 {
		o.Planned = planned
	}
	return &Purse{o: o, answers: make(chan control.Escrow, 4), wake: make(chan struct{}, 1)}, nil
}

// Address is the account that pays.
func (p *Purse) Address() key.Address { return key.Address(p.o.Key[ed25519.SeedSize:]) }

// PlayerKey is the same in hex, as [player.Options] wants it.
func (p *Purse) PlayerKey() string { return hex.EncodeToString(p.o.Key[ed25519.SeedSize:]) }

// Report is a snapshot.
func (p *Purse) Report() Report {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.r
}

// Run implements player.Payer.
func (p *Purse) Run(ctx context.Context, say func(control.Message)) {
	p.mu.Lock()
	p.say = say
	p.mu.Unlock()
	if err := p.open(ctx); err != nil {
		p.fail(err)
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
			if err := p.topUp(ctx); err != nil {
				p.fail(err)
			}
		}
	}
}

func (p *Purse) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.r.Failed = err.Error()
}

// affordable is for how many seconds the account can pay now, at most want, and the body of
// the transaction that would. A new account counts for what a faucet gives it: the gift is in
// the pool before any order of this purse, and in the same block.
func (p *Purse) affordable(ctx context.Context, want uint32) (seconds uint32, body *tx.Body, err error) {
	a, err := p.o.Account(ctx)
	if err != nil {
		return 0, nil, fmt.Errorf("the ledger does not answer: %w", err)
	}
	body = &tx.Body{Nonce: a.Nonce}
	if a.TimeMS > 0 {
		body.ValidUntilMs = a.TimeMS + uint64(validFor.Milliseconds())
	}
	if p.o.Faucet && a.Balance == 0 && a.Nonce == 0 {
		a.Balance = p.o.Gift
	}
	if a.Balance <= 2*p.o.TxFee {
		return 0, body, nil
	}
	return uint32(min(uint64(want), (a.Balance-2*p.o.TxFee)/p.terms.PerSecond)), body, nil
}

// errMoney means that the ledger found too little in the account.
var errMoney = errors.New("purse: not enough money")

// open locks an escrow, unless somebody else ends that with ctx.
func (p *Purse) open(ctx context.Context) error {
	err := errors.New("the escrow could not be opened")
	began := time.Now()
	for n := 0; n < tries; {
		waits := p.o.Faucet && time.Since(began) < moneyFor
		seconds, body, e := p.affordable(ctx, p.o.Planned)
		switch {
		case e == nil && seconds >= min(least, p.o.Planned):
			body.Op = &tx.Body_Open{Open: &tx.OpenSession{
				Container: p.terms.Container[:], Session: p.terms.Session[:], PriceMicroUsdPerHour: p.wire.GetPriceMicroUsdPerHour(),
				Quotes: p.wire.GetQuotes(), PerSecond: p.terms.PerSecond, Seconds: seconds, Indexer: p.match.indexer, Certificate: p.match.sum}}
			if e = p.submit(ctx, body, seconds, false); e == nil || ctx.Err() != nil {
				return e
			}
			if waits && errors.Is(e, errMoney) {
				if !pause(ctx, moneyEvery) {
					return ctx.Err()
				}
				continue
			}
			n++
		case e == nil && waits:
			if !pause(ctx, moneyEvery) {
				return ctx.Err()
			}
			continue
		case e == nil:
			return fmt.Errorf("the account %s does not hold half a minute of play; send money to it", p.Address())
		default:
			n++
		}
		err = e
		if !pause(ctx, retryEvery) {
			return ctx.Err()
		}
	}
	return err
}

func (p *Purse) topUp(ctx context.Context) error {
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.adding = false
	}()
	seconds, body, err := p.affordable(ctx, p.o.Planned)
	if err == nil && seconds == 0 {
		err = errors.New("the account is empty: the game pauses when the escrow is used up")
	}
	if err == nil {
		body.Op = &tx.Body_TopUp{TopUp: &tx.TopUp{Container: p.terms.Container[:], Session: p.terms.Session[:], Seconds: seconds}}
		err = p.submit(ctx, body, seconds, true)
	}
	if err != nil {
		pause(ctx, retryEvery)
	}
	return err
}

// submit signs a transaction, has the container hand it to the ledger and waits for what
// comes of it.
func (p *Purse) submit(ctx context.Context, body *tx.Body, seconds uint32, topUp bool) error {
	raw, err := tx.Sign(p.o.Chain, p.o.Key, body)
	if err != nil {
		return err
	}
	for len(p.answers) > 0 {
		<-p.answers
	}
	p.mu.Lock()
	had := p.r.Escrow
	p.most = had + seconds
	if !topUp {
		p.until = body.GetValidUntilMs()
	}
	p.mu.Unlock()
	if topUp {
		p.tell(control.TopUp{Tx: control.EncodeTx(raw)})
	} else {
		p.tell(control.Open{Tx: control.EncodeTx(raw)})
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e := <-p.answers:
			if e.State == control.EscrowRefused && e.Code == control.CodeMoney {
				return fmt.Errorf("%w: %s", errMoney, e.Text)
			}
			if e.State == control.EscrowRefused {
				return errors.New(e.Text)
			}
			if e.Seconds > had {
				return nil
			}
		}
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// tell says something to the container, as it is or as Alter makes it.
func (p *Purse) tell(m control.Message) {
	p.mu.Lock()
	say := p.say
	p.mu.Unlock()
	if say == nil {
		return
	}
	for _, m := range p.altered(m) {
		say(m)
	}
}

func (p *Purse) altered(m control.Message) []control.Message {
	if p.o.Alter == nil {
		return []control.Message{m}
	}
	return slices.Clone(p.o.Alter(m))
}

// Heard implements player.Payer.
func (p *Purse) Heard(m control.Message) {
	p.mu.Lock()
	switch m := m.(type) {
	case control.Escrow:
		if m.State == control.EscrowLocked {
			if !p.locked {
				if err := p.take(m); err != nil {
					p.r.Failed = err.Error()
					p.mu.Unlock()
					return
				}
				p.r.Locked, p.r.Failed = time.Now(), ""
			}
			p.locked, p.r.Escrow = true, min(m.Seconds, p.most)
		}
		if m.State != control.EscrowSent {
			select {
			case p.answers <- m:
			default:
			}
		}
	case control.Pay:
		p.r.State, p.r.Served, p.r.Taken = m.State, m.Served, m.Seq
	}
	p.mu.Unlock()
	p.promise()
}

// Square implements player.Payer.
func (p *Purse) Square() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.r.Taken >= p.r.Vouchers
}

// Second implements player.Payer.
func (p *Purse) Second() {
	p.mu.Lock()
	p.r.Seen++
	p.mu.Unlock()
	p.promise()
}

// promise signs the next voucher when there is something to promise.
func (p *Purse) promise() {
	p.mu.Lock()
	if p.locked && p.r.Escrow-min(p.r.Seconds, p.r.Escrow) <= min(topUpAt, p.o.Planned/2) && !p.adding {
		p.adding = true
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
	due := due(p.r)
	if !p.locked || due <= p.r.Seconds {
		p.mu.Unlock()
		return
	}
	p.r.Vouchers++
	p.r.Seconds = due
	v := voucher.Sign(p.terms, p.o.Key, p.r.Vouchers, due)
	p.newest, p.r.Paid = v, v.Paid
	p.mu.Unlock()
	p.tell(Message(v))
}

// due is how many seconds a player is ready to pay for now.
func due(r Report) uint32 {
	ahead := r.Seen + 1
	if r.State == control.PayUnpaid {
		ahead = max(ahead, min(r.Served, ahead+unseen+r.Seen/60))
	}
	return min(ahead, r.Escrow)
}

// Message is a voucher as the control channel carries it.
func Message(v voucher.Voucher) control.Voucher {
	return control.Voucher{Seq: v.Seq, Seconds: v.Seconds, Paid: control.Amount(v.Paid), Sig: hex.EncodeToString(v.Signature[:])}
}
