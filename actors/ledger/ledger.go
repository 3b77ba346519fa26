// Package ledger is a node's hand on the ledger: it reads accounts, sessions and the
// registry, sends transactions until they are in a block or void, knows the randomness and
// the price of the hour, and tells others of new heads. It does the same over a chain that
// the node keeps and over a light client, whose answers are proven.
//
// One actor owns what must be in one order: the nonces of each key, the closes that wait
// to be sent together, the questions for the registry. What others read at every message
// (who is registered, which quotes are fresh, where the chain stands) is kept beside it.
package ledger

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/key"
)

// Topic is the ledger's gossip. Bodies are notices of package light.
type Topic interface {
	Publish(ctx context.Context, body []byte) error
	// Subscribe calls handle for each notice of another peer until ctx ends.
	Subscribe(ctx context.Context, handle func(from peer.ID, body []byte)) error
}

// Options of a Ledger.
type Options struct {
	System     *supervise.System
	Genesis    *genesis.Doc
	Source     Source
	Topic      Topic   // nil = hears and tells nothing
	Oracle     *Oracle // nil = this node is none
	Faucet     *Faucet // nil = gives nothing away
	Now        func() time.Time
	Log        *slog.Logger
	Registerer prometheus.Registerer // nil = metrics are kept but not registered

	ValidFor  time.Duration // of a transaction, by the time of blocks; 0 = 90 s
	CloseWait time.Duration // for closes to be sent together; 0 = 500 ms
}

func (o *Options) validate() error {
	switch {
	case o.System == nil:
		return errors.New("ledger: no actor system given")
	case o.Genesis == nil:
		return errors.New("ledger: no genesis given")
	case o.Source == nil:
		return errors.New("ledger: no source given")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.ValidFor <= 0 {
		o.ValidFor = 90 * time.Second
	}
	if o.CloseWait <= 0 {
		o.CloseWait = 500 * time.Millisecond
	}
	if err := o.Oracle.validate(o.Genesis); err != nil {
		return err
	}
	return o.Faucet.validate()
}

// mailbox bounds what waits for the actor; beyond it senders get supervise.ErrBusy.
const mailbox = 1024

// Ledger is a running hand on the ledger. Its methods are safe for concurrent use.
type Ledger struct {
	o        Options
	chain    string
	metrics  *metrics
	heads    *feed
	beacons  beacons
	drawable drawable
	rolls    rolls
	registry *registry
	figures  *figures
	quotes   *quotes
	funded   funded
	teller   teller

	paramsMu sync.Mutex
	params   economics.Params

	ref      supervise.Ref
	unfollow func()
	unsub    context.CancelFunc
}

// New returns a Ledger that Start brings to life.
func New(o Options) (*Ledger, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	l := &Ledger{o: o, chain: o.Genesis.ChainID, metrics: newMetrics(o.Registerer), heads: newFeed(o.Source.Head()),
		quotes: newQuotes(o.Genesis.ChainID, o.Genesis.Oracles), params: o.Genesis.Params}
	l.registry, l.figures = newRegistry(o.Now, l.Epoch), newFigures()
	return l, nil
}

// Start spawns the actor and follows the source and the topic. It is called once; ctx
// bounds the start alone.
func (l *Ledger) Start(ctx context.Context) error {
	ref, err := l.o.System.Spawn("ledger", func() supervise.Behavior { return newState(l) }, supervise.Mailbox(mailbox))
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	l.ref = ref
	topic, unsub := context.WithCancel(context.WithoutCancel(ctx))
	l.unsub = unsub
	if l.o.Topic != nil {
		if err := l.o.Topic.Subscribe(topic, l.hear); err != nil {
			unsub()
			ref.Stop()
			return fmt.Errorf("ledger: its topic: %w", err)
		}
	}
	l.unfollow = l.o.Source.Follow(func(h Head) {
		l.heads.set(h)
		_ = ref.Tell(headCame{}) // one that finds the mailbox full is made up for by the next
	})
	l.heads.set(l.o.Source.Head())
	return nil
}

// Stop ends the actor; what is on its way to a block goes on without it. It returns ctx's
// error when the actor does not end in time.
func (l *Ledger) Stop(ctx context.Context) error {
	if l.unfollow == nil {
		return nil
	}
	l.unfollow()
	l.unsub()
	l.ref.Stop()
	select {
	case <-l.ref.Done():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("ledger: stop: %w", ctx.Err())
	}
}

// Chain is the id of the network's ledger.
func (l *Ledger) Chain() string { return l.chain }

// Symbol is the name of the money.
func (l *Ledger) Symbol() string { return l.o.Genesis.Symbol }

// Epoch is the epoch of the newest head.
func (l *Ledger) Epoch() uint64 { return l.o.Genesis.Epoch(l.heads.get().TimeMS) }

// Status is where the ledger stands, from memory.
type Status struct {
	Head
	Chain  string
	Symbol string
	Epoch  uint64 // of the head
	PerUSD uint64 // base units that a dollar costs; 0 while no fresh quotes are known
	TxFee  uint64 // base units of each transaction
	Gift   uint64 // base units that this node's faucet gives; 0 without one
}

// Status says where the ledger stands.
func (l *Ledger) Status() Status {
	s := Status{Head: l.heads.get(), Chain: l.chain, Symbol: l.Symbol(), Epoch: l.Epoch(), TxFee: l.Params().TxFee}
	s.PerUSD, _, _ = l.rate()
	if l.o.Faucet != nil {
		s.Gift = l.o.Faucet.Amount
	}
	return s
}

// NextBlock is closed when a newer block than now is known. Whoever waits for something to
// happen takes it before looking; a light client looks out for the block meanwhile.
func (l *Ledger) NextBlock() <-chan struct{} {
	l.o.Source.Hurry()
	_, bell := l.heads.next()
	return bell
}

// BlockTimeMS is the time of the newest block that is known, in ms since 1970.
func (l *Ledger) BlockTimeMS() uint64 { return l.heads.get().TimeMS }

// Params are the parameters in force as far as this node knows: they are read again at
// each epoch, and are those of the genesis before.
func (l *Ledger) Params() economics.Params {
	l.paramsMu.Lock()
	defer l.paramsMu.Unlock()
	return l.params
}

// Signer signs transactions.
type Signer struct {
	Key ed25519.PrivateKey
	// Account is for whom a node key acts that was delegated to; zero = for itself.
	Account key.Address
}

// Address is the account of the key, whose nonce counts.
func (s Signer) Address() (a key.Address) {
	if len(s.Key) == ed25519.PrivateKeySize {
		copy(a[:], s.Key[ed25519.SeedSize:])
	}
	return a
}

// feed is the newest head and a bell that rings when it changes.
type feed struct {
	mu   sync.Mutex
	head Head
	bell chan struct{}
}

func newFeed(h Head) *feed { return &feed{head: h, bell: make(chan struct{})} }

func (f *feed) get() Head {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.head
}

// set takes a head that is not older than the last.
func (f *feed) set(h Head) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if h.Height < f.head.Height {
		return
	}
	rings := h.Height > f.head.Height
	f.head = h
	if rings {
		close(f.bell)
		f.bell = make(chan struct{})
	}
}

// next is the head and the bell for the one after it.
func (f *feed) next() (Head, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.head, f.bell
}

// wait returns when the head is above height, after most, or with ctx's error.
func (f *feed) wait(ctx context.Context, height uint64, most time.Duration) error {
	timer := time.NewTimer(most)
	defer timer.Stop()
	for {
		h, bell := f.next()
		if h.Height > height {
			return nil
		}
		select {
		case <-bell:
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("ledger: %w", ctx.Err())
		}
	}
}
