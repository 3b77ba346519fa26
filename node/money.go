package node

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/actors/container"
	ledgeractor "github.com/framemesh/framemesh/actors/ledger"
	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/node/gateway"
)

// faucetGift is what a faucet gives each player: ten hours at a dollar an hour when a
// dollar costs a hundred.
const faucetGift = 1_000 * amount.FRM

// retellAfter gathers peers that join the ledger's topic at about the same time.
const retellAfter = 300 * time.Millisecond

// startMoney brings up the node's hand on the ledger, over its light client or its chain.
func (n *Node) startMoney(ctx context.Context) (func(context.Context) error, error) {
	if n.genesis == nil {
		return nil, nil
	}
	notices, err := n.gossip.Notices(n.key)
	if err != nil {
		return nil, err
	}
	o := ledgeractor.Options{System: n.system, Genesis: n.genesis, Topic: notices, Now: n.o.Now, Log: n.log, Registerer: n.reg}
	if n.chain != nil {
		o.Source = ledgeractor.ChainSource(n.chain)
	} else {
		o.Source = ledgeractor.LightSource(n.light)
	}
	if n.o.Faucet != nil {
		o.Faucet = &ledgeractor.Faucet{Key: n.o.Faucet, Amount: uint64(faucetGift)}
	}
	if path := n.cfg.Ledger.OracleFile; path != "" {
		raw, err := n.key.Raw()
		if err != nil {
			return nil, fmt.Errorf("node: node key: %w", err)
		}
		o.Oracle = &ledgeractor.Oracle{Key: ed25519.PrivateKey(raw), Rate: func(context.Context) (uint64, error) { return readRate(path) }}
	}
	l, err := ledgeractor.New(o)
	if err != nil {
		return nil, err
	}
	if err := l.Start(ctx); err != nil {
		return nil, err
	}
	watch, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := func(ctx context.Context) error {
		cancel()
		return l.Stop(ctx)
	}
	if o.Oracle != nil {
		if err := retell(watch, notices, l); err != nil {
			return nil, fmt.Errorf("%w (%v)", err, stop(ctx))
		}
	}
	n.ledger.Store(l)
	n.meet(watch, l)
	return stop, nil
}

// meet looks up who is connected before they have something to say that only registered
// nodes may.
func (n *Node) meet(ctx context.Context, l *ledgeractor.Ledger) {
	net := n.p2p.Host().Network()
	watch := &network.NotifyBundle{ConnectedF: func(_ network.Network, c network.Conn) { l.Meet(c.RemotePeer()) }}
	net.Notify(watch)
	context.AfterFunc(ctx, func() { net.StopNotify(watch) })
	l.Meet(n.ID())
	for _, id := range net.Peers() {
		l.Meet(id)
	}
}

// joins is what tells of peers that join a topic.
type joins interface {
	OnJoin(ctx context.Context, handle func(peer.ID)) error
}

// retell gives newcomers the price: once for those that come together.
func retell(ctx context.Context, topic joins, l *ledgeractor.Ledger) error {
	var mu sync.Mutex
	var waiting bool
	return topic.OnJoin(ctx, func(peer.ID) {
		mu.Lock()
		defer mu.Unlock()
		if waiting {
			return
		}
		waiting = true
		time.AfterFunc(retellAfter, func() {
			mu.Lock()
			waiting = false
			mu.Unlock()
			if ctx.Err() == nil {
				_ = l.Retell(ctx) // the next quote comes soon anyway
			}
		})
	})
}

// readRate reads an oracle's price file: how many FRM a dollar costs, at most 64 bytes.
func readRate(path string) (uint64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("ledger.oracle_file: %w; write the price of a dollar in FRM into it", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 64))
	if err != nil {
		return 0, fmt.Errorf("ledger.oracle_file: %w", err)
	}
	a, err := amount.Parse(strings.TrimSpace(string(b)))
	if err != nil || a == 0 {
		return 0, fmt.Errorf("ledger.oracle_file: %s holds %q; write the price of a dollar in FRM, such as 98.5", path, strings.TrimSpace(string(b)))
	}
	return uint64(a), nil
}

// Ledger is the node's hand on the ledger, or nil.
func (n *Node) Ledger() *ledgeractor.Ledger { return n.ledger.Load() }

// mayAdvertise says whether a container is registered; without a ledger, all are.
func (n *Node) mayAdvertise(id peer.ID) bool {
	if n.cfg.Ledger.Genesis == "" || id == n.ID() {
		return true // what others think of this node is theirs to say
	}
	l := n.Ledger()
	if l == nil {
		return false // still starting
	}
	e, ok := l.Entry(id)
	return ok && e.Roles&economics.RoleContainer != 0
}

// till shows the ledger to the container.
type till struct {
	*ledgeractor.Ledger
	self key.Node
	key  ed25519.PrivateKey

	mu    sync.Mutex
	owner key.Address
}

var _ container.Pay = (*till)(nil)

func (n *Node) till() (container.Pay, error) {
	l := n.Ledger()
	if l == nil {
		return nil, nil
	}
	raw, err := n.key.Raw()
	if err != nil {
		return nil, fmt.Errorf("node: node key: %w", err)
	}
	self, err := key.NodeOf(n.ID())
	if err != nil {
		return nil, err
	}
	return &till{Ledger: l, self: self, key: ed25519.PrivateKey(raw)}, nil
}

// Submit implements container.Pay.
func (t *till) Submit(ctx context.Context, raw []byte) error {
	_, err := t.Ledger.Submit(ctx, raw)
	return err
}

// Escrow implements container.Pay.
func (t *till) Escrow(ctx context.Context, session [16]byte) (container.Escrow, error) {
	s, ok, err := t.Session(ctx, t.self, session)
	if err != nil || !ok {
		return container.Escrow{}, err
	}
	return container.Escrow{Player: s.Player, PerSecond: s.PerSecond, Seconds: s.Seconds, OpenedMS: s.OpenedMS, Closing: s.Ending(t.Epoch())}, nil
}

// Settle implements container.Pay: the node key signs for the account that owns the node.
func (t *till) Settle(ctx context.Context, closes []*tx.CloseSession) error {
	owner, err := t.ownerOf(ctx)
	if err != nil {
		return err
	}
	for _, c := range closes {
		if len(c.GetContainer()) == 0 {
			c.Container = t.self[:]
		}
	}
	return t.Close(ctx, ledgeractor.Signer{Key: t.key, Account: owner}, closes)
}

// ownerOf is the account that registered this node.
func (t *till) ownerOf(ctx context.Context) (key.Address, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.owner != (key.Address{}) {
		return t.owner, nil
	}
	e, ok, err := t.Node(ctx, t.self)
	if err != nil {
		return key.Address{}, err
	}
	if !ok {
		return key.Address{}, fmt.Errorf("node: %s is not registered on the ledger, so nobody can be paid for it; run `framemesh register`", t.self)
	}
	t.owner = e.Owner
	return t.owner, nil
}

// purse shows the ledger to the player's page.
type purse struct{ l *ledgeractor.Ledger }

var _ gateway.Ledger = purse{}

// Status implements gateway.Ledger.
func (p purse) Status(context.Context) (gateway.LedgerStatus, error) {
	s := p.l.Status()
	return gateway.LedgerStatus{Chain: s.Chain, Symbol: s.Symbol, Height: s.Height, Epoch: s.Epoch, PerUSD: s.PerUSD,
		TxFee: s.TxFee, Gift: s.Gift, TimeMS: s.TimeMS, CatchingUp: s.CatchingUp}, nil
}

// Account implements gateway.Ledger.
func (p purse) Account(ctx context.Context, a key.Address) (gateway.LedgerAccount, error) {
	acct, err := p.l.Account(ctx, a)
	return gateway.LedgerAccount{Balance: acct.Balance, Nonce: acct.Nonce}, err
}

// Session implements gateway.Ledger.
func (p purse) Session(ctx context.Context, container key.Node, session [16]byte) (gateway.LedgerSession, error) {
	s, ok, err := p.l.Session(ctx, container, session)
	if err != nil || !ok {
		return gateway.LedgerSession{}, err
	}
	x := gateway.LedgerSession{Phase: "open", Escrow: s.Escrow, Paid: s.Paid, ExpiresMS: p.l.EpochStart(s.Expires)}
	if s.Phase == state.PhaseClosing {
		x.Phase, x.ClosesMS = "closing", p.l.EpochStart(s.Closes)
	}
	return x, nil
}
