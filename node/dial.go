package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/light"
	"github.com/framemesh/framemesh/p2p"
	"github.com/framemesh/framemesh/p2p/rpc"
)

// ErrNoLedger: the configuration names no genesis file.
var ErrNoLedger = errors.New("node: this network has no ledger here; set ledger.genesis in the configuration to the network's genesis file")

// Dial is a peer of its own, for a command that asks others something and goes again.
type Dial struct {
	node   *p2p.Node
	region string
}

// LedgerDial is a light client of its own, for a command that looks at the ledger and goes
// again. Nobody who answers it is believed: everything is verified from the genesis file.
type LedgerDial struct {
	*light.Client
	Genesis *genesis.Doc
	*Dial
}

// Asked is whom a command asks, beside the peers of the configuration and the node that runs
// with it on this machine.
type Asked struct {
	Peers []string     // addresses that end in /p2p/<peer id>
	Log   *slog.Logger // nil = discard
	// Tell takes a sentence about a peer that does not answer yet, or not at all, for whoever
	// waits for it. nil = nobody does.
	Tell func(string)
}

func (a *Asked) complete() {
	if a.Log == nil {
		a.Log = slog.New(slog.DiscardHandler)
	}
	if a.Tell == nil {
		a.Tell = func(string) {}
	}
}

// DialPeers joins the network of a configuration under a key made for the occasion. It returns
// when one of the peers is reached. Errors: ErrConfig, and an Unreached once all have failed.
func DialPeers(ctx context.Context, c Config, ask Asked) (*Dial, error) {
	ask.complete()
	boot, err := namedPeers(ask.Peers, c.P2P.Bootstrap)
	if err != nil {
		return nil, err
	}
	boot = gathered(append(boot, c.ownNode()...))
	if len(boot) == 0 {
		return nil, fmt.Errorf("%w: no peer to ask; start the node with `framemesh run`, set p2p.bootstrap, or name one with --peer", ErrConfig)
	}
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("node: %w", err)
	}
	n, err := p2p.New(ctx, p2p.Config{Network: c.Network, Key: key, Profile: dialProfile(c, boot),
		Bootstrap: boot, Agent: "framemesh/" + Version + " cli", Log: ask.Log})
	if err != nil {
		return nil, err
	}
	m := meeting{host: n.Host(), network: c.Network, tell: ask.Tell, try: tryAgain, every: tryEvery, quiet: tellAfter}
	if err := m.run(ctx, boot); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return &Dial{n, c.Region}, nil
}

// dialProfile is the profile of a peer that only asks: where everybody who is named is on this
// machine, the network is, and whom these know has such an address, too.
func dialProfile(c Config, boot []peer.AddrInfo) p2p.Profile {
	for _, p := range boot {
		if len(p.Addrs) == 0 || slices.ContainsFunc(p.Addrs, func(a ma.Multiaddr) bool { return !manet.IsIPLoopback(a) }) {
			return p2p.Profile(c.P2P.Profile)
		}
	}
	return p2p.ProfileLoopback
}

// Close leaves the network.
func (d *Dial) Close() error { return d.node.Close() }

// DialLedger is DialPeers, and waits until the ledger's head is verified, or ctx ends.
func DialLedger(ctx context.Context, c Config, ask Asked) (*LedgerDial, error) {
	ask.complete()
	doc, err := c.genesis()
	if err != nil {
		return nil, err
	}
	if doc == nil {
		return nil, ErrNoLedger
	}
	trust, err := c.Ledger.root()
	if err != nil {
		return nil, err
	}
	p, err := DialPeers(ctx, c, ask)
	if err != nil {
		return nil, err
	}
	h := p.node.Host()
	client, err := light.New(light.Config{Genesis: doc, Trust: trust, Poll: 250 * time.Millisecond, Log: ask.Log,
		Transport: ledgerWire{h, rpc.NewClient(h, c.Network), c.Network}})
	if err == nil {
		err = client.Start(ctx)
	}
	d := &LedgerDial{Client: client, Genesis: doc, Dial: p}
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	still := time.AfterFunc(tellAfter, func() { ask.Tell(d.silence()) })
	defer still.Stop()
	defer d.gather(ctx)()
	if err := client.Wait(ctx, 1); err != nil {
		return nil, errors.Join(fmt.Errorf("node: the ledger of %s was not reached: %w; is a node of the network running, and are p2p.bootstrap and ledger.genesis those of the network?", c.Network, err), d.Close())
	}
	d.awaitKeeper(ctx)
	return d, nil
}

// Bounds of looking for more peers than were named.
const (
	ledgerPeers = 3                // that are enough: one to ask, and two that confirm
	keepersMost = 8                // checkers that are connected to; validators are checkers
	keeperWait  = 10 * time.Second // for one that keeps the chain
	keeperPoll  = 25 * time.Millisecond
)

// gather finds checkers in the DHT and connects to them, where few peers are there that follow
// the ledger: who names one peer, an indexer for example, may have named one that keeps no chain.
// It goes on until end is called.
func (d *LedgerDial) gather(ctx context.Context) (end func()) {
	h := d.node.Host()
	ctx, cancel := context.WithCancel(ctx)
	over := make(chan struct{})
	go func() {
		defer close(over)
		if len(ledgerWire{host: h, network: d.node.Network()}.Peers(ctx)) >= ledgerPeers {
			return
		}
		found, err := d.node.Discovery().Find(ctx, string(RoleChecker), "", keepersMost)
		if err != nil {
			return // those that were named have to do
		}
		var all sync.WaitGroup
		for _, p := range found {
			all.Go(func() { _ = h.Connect(ctx, p) })
		}
		all.Wait()
	}()
	return func() {
		cancel()
		<-over
	}
}

// awaitKeeper waits a little until a peer is there that keeps the chain. That there is none is
// for the first question to say.
func (d *LedgerDial) awaitKeeper(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, keeperWait)
	defer cancel()
	poll := time.NewTicker(keeperPoll)
	defer poll.Stop()
	for d.Keepers(ctx) == 0 {
		select {
		case <-poll.C:
		case <-ctx.Done():
			return
		}
	}
}

// silence says who is reached and gives no head of the ledger, and why as far as it is known.
func (d *LedgerDial) silence() string {
	text := "reached " + who(d.node.Host().Network().Peers()) + ", and waiting for a verified head of the ledger"
	if err := d.Status().Err; err != nil {
		text += ": " + strings.TrimPrefix(err.Error(), "light: ")
	}
	return text
}

// Close ends the light client and leaves the network.
func (d *LedgerDial) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	return errors.Join(d.Stop(ctx), d.Dial.Close())
}

// ownNode is the node that runs with this configuration on this machine: where it says that it
// is, or else on the port of the configuration, when it has been started once.
func (c *Config) ownNode() []peer.AddrInfo {
	dir, err := c.Dir()
	if err != nil {
		return nil
	}
	if at := leftAddress(dir); len(at) > 0 {
		return at
	}
	path := filepath.Join(dir, "node.key")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || c.P2P.Port == 0 {
		return nil
	}
	k, err := p2p.LoadOrCreateKey(path)
	if err != nil {
		return nil
	}
	id, err := peer.IDFromPrivateKey(k)
	if err != nil {
		return nil
	}
	own, err := parseBootstrap([]string{fmt.Sprintf("/ip4/127.0.0.1/tcp/%d/p2p/%s", c.P2P.Port, id)})
	if err != nil {
		return nil
	}
	return own
}
