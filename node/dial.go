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
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

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

// DialPeers joins the network of a configuration under a key made for the occasion. peers are
// addresses beside those of the configuration; the node that runs with this configuration on
// this machine is asked as well.
func DialPeers(ctx context.Context, c Config, peers []string, log *slog.Logger) (*Dial, error) {
	boot, err := parseBootstrap(append(append([]string(nil), peers...), c.P2P.Bootstrap...))
	if err != nil {
		return nil, err
	}
	boot = append(boot, c.ownNode()...)
	if len(boot) == 0 {
		return nil, fmt.Errorf("%w: no peer to ask; start the node with `framemesh run`, set p2p.bootstrap, or name one with --peer", ErrConfig)
	}
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("node: %w", err)
	}
	n, err := p2p.New(ctx, p2p.Config{Network: c.Network, Key: key, Profile: p2p.Profile(c.P2P.Profile),
		Bootstrap: boot, Agent: "framemesh/" + Version + " cli", Log: log})
	if err != nil {
		return nil, err
	}
	meet(ctx, n.Host(), boot)
	return &Dial{n, c.Region}, nil
}

// Close leaves the network.
func (d *Dial) Close() error { return d.node.Close() }

// DialLedger is DialPeers, and waits until the ledger's head is verified, or ctx ends.
func DialLedger(ctx context.Context, c Config, peers []string, log *slog.Logger) (*LedgerDial, error) {
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
	p, err := DialPeers(ctx, c, peers, log)
	if err != nil {
		return nil, err
	}
	h := p.node.Host()
	client, err := light.New(light.Config{Genesis: doc, Trust: trust, Poll: 250 * time.Millisecond, Log: log,
		Transport: ledgerWire{h, rpc.NewClient(h, c.Network), c.Network}})
	if err == nil {
		err = client.Start(ctx)
	}
	d := &LedgerDial{Client: client, Genesis: doc, Dial: p}
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	if err := client.Wait(ctx, 1); err != nil {
		return nil, errors.Join(fmt.Errorf("node: the ledger of %s was not reached: %w; is a node of the network running, and are p2p.bootstrap and ledger.genesis those of the network?", c.Network, err), d.Close())
	}
	return d, nil
}

// Bounds of meet.
const (
	meetTimeout = 5 * time.Second        // for one peer
	meetMore    = 200 * time.Millisecond // for further ones, once one is there
	meetAny     = 2 * time.Second        // for one at all
)

// meet connects to peers, all at once, and returns when all are there, or a moment after
// the first. Who cannot be reached is no error: the others may be enough, and the attempts
// go on.
func meet(ctx context.Context, h host.Host, peers []peer.AddrInfo) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), meetTimeout)
	time.AfterFunc(meetTimeout, cancel)
	done := make(chan bool, len(peers))
	for _, p := range peers {
		go func() { done <- h.Connect(ctx, p) == nil }()
	}
	wait := time.NewTimer(meetAny)
	defer wait.Stop()
	for range peers {
		select {
		case there := <-done:
			if there {
				wait.Reset(meetMore)
			}
		case <-wait.C:
			return
		}
	}
}

// Close ends the light client and leaves the network.
func (d *LedgerDial) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), stepTimeout)
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
