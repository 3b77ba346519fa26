package node

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/actors/checker/recompute"
	"github.com/framemesh/framemesh/actors/indexer/match"
	"github.com/framemesh/framemesh/ledger/chain"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/light"
	"github.com/framemesh/framemesh/p2p/rpc"
)

// A light client is told of heads and looks often while something is waited for. By itself it
// looks once in so many blocks: a look at each would find nothing half of the time.
const (
	lookBlocks  = 4
	lookAtLeast = time.Second
)

// LedgerDir is where a node with that data directory keeps its part of the ledger.
func LedgerDir(dataDir string) string { return filepath.Join(dataDir, "ledger") }

// genesis reads the network's genesis file; nil when there is no ledger.
func (c *Config) genesis() (*genesis.Doc, error) {
	if c.Ledger.Genesis == "" {
		return nil, nil
	}
	doc, err := genesis.Load(c.Ledger.Genesis)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: ledger.genesis: %w; get the file from whoever runs the network and name it there, or leave it empty for free play", ErrConfig, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: ledger.genesis: %w", ErrConfig, err)
	}
	if doc.ChainID != c.Network {
		return nil, fmt.Errorf("%w: ledger.genesis is of the network %q, this node joins %q; get the file of this network, or set network to that one", ErrConfig, doc.ChainID, c.Network)
	}
	return doc, nil
}

// root is the header that the operator trusts; nil = the genesis.
func (c *LedgerConfig) root() (*light.Root, error) {
	if c.TrustHeight == 0 {
		return nil, nil
	}
	b, err := hex.DecodeString(c.TrustHash)
	if err != nil || len(b) != 32 {
		return nil, fmt.Errorf("%w: ledger.trust_hash: use 64 hex digits", ErrConfig)
	}
	return &light.Root{Height: c.TrustHeight, Hash: [32]byte(b)}, nil
}

// startLedger follows the ledger as a light client, or keeps its chain.
func (n *Node) startLedger(ctx context.Context) (func(context.Context) error, error) {
	doc, err := n.cfg.genesis()
	if err != nil || doc == nil {
		return nil, err
	}
	n.genesis = doc
	trust, err := n.cfg.Ledger.root()
	if err != nil {
		return nil, err
	}
	lc := light.Config{Genesis: doc, Trust: trust, Dir: LedgerDir(n.dir), Now: n.o.Now, Log: n.log,
		Transport: ledgerWire{n.p2p.Host(), n.client, n.cfg.Network}, Fault: n.ledgerFault,
		Poll: max(lookAtLeast, lookBlocks*time.Duration(n.cfg.Ledger.BlockMS)*time.Millisecond)}
	var stop func(context.Context) error
	if n.cfg.Ledger.Mode == LedgerLight {
		lc.Registerer = n.reg
		stop, err = n.followLedger(ctx, lc)
	} else {
		stop, err = n.keepLedger(ctx, lc)
	}
	return stop, err
}

// followLedger runs a light client.
func (n *Node) followLedger(ctx context.Context, c light.Config) (func(context.Context) error, error) {
	client, err := light.New(c)
	if err != nil {
		return nil, err
	}
	if err := client.Start(ctx); err != nil {
		return nil, err
	}
	n.light = client
	n.serveLedger(light.NewRelay(client))
	return client.Stop, nil
}

// keepLedger runs a full node or a validator.
func (n *Node) keepLedger(ctx context.Context, lc light.Config) (func(context.Context) error, error) {
	raw, err := n.key.Raw()
	if err != nil {
		return nil, fmt.Errorf("node: node key: %w", err)
	}
	l := n.cfg.Ledger
	c := chain.Config{Dir: LedgerDir(n.dir), Genesis: n.genesis, Mode: chain.Full, Listen: l.Listen, Peers: l.Peers,
		NodeKey: ed25519.PrivateKey(raw), BlockInterval: time.Duration(l.BlockMS) * time.Millisecond, MempoolTxs: l.PoolTxs,
		SnapshotEvery: uint64(l.Snapshots), KeepVersions: uint64(l.KeepStates), CacheMiB: l.CacheMiB, Log: n.log, Registerer: n.reg, Now: n.o.Now,
		Kernel: recompute.New(), Matcher: match.Rules{}}
	if l.Mode == LedgerValidator {
		c.Mode = chain.Validator
	}
	if !l.FastSync {
		if n.chain, err = chain.Start(ctx, c); err != nil {
			return nil, err
		}
		n.serveLedger(n.chain.Server())
		return n.watchChain(), nil
	}
	f, err := n.startFastSync(ctx, lc)
	if err != nil {
		return nil, err
	}
	c.Bootstrap, c.DiscoveryTime = f.headers(), snapshotLook
	if n.chain, err = chain.Start(ctx, c); err != nil {
		return nil, errors.Join(err, f.end(ctx))
	}
	f.watch(ctx, n.chain)
	n.serveLedger(n.chain.Server())
	return f.endWith(n.watchChain()), nil
}

// watchChain ends the node when its chain cannot go on, since it would stand still without
// a word until somebody starts it anew. It returns how to stop the chain.
func (n *Node) watchChain() (stop func(context.Context) error) {
	done := make(chan struct{})
	end := sync.OnceFunc(func() { close(done) })
	go func() {
		select {
		case <-done:
		case <-n.chain.Halted():
			select {
			case n.fatal <- fmt.Errorf("node: %w", n.chain.Err()):
			default: // the first one ends the node
			}
		}
	}()
	return func(ctx context.Context) error {
		end()
		return n.chain.Stop(ctx)
	}
}

// LedgerBegins is when the network's first block may be made: a node that keeps the chain
// cannot start before. It is zero for nodes that keep none. It wraps ErrConfig.
func (c *Config) LedgerBegins() (time.Time, error) {
	if c.Ledger.Mode == LedgerLight {
		return time.Time{}, nil
	}
	doc, err := c.genesis()
	if err != nil || doc == nil {
		return time.Time{}, err
	}
	return doc.Time, nil
}

// serveLedger answers light clients from b.
func (n *Node) serveLedger(b light.Backend) {
	s := light.NewServer(b)
	rpc.Handle(n.server, ledgerRPC, ledgerLimits, func(ctx context.Context, from peer.ID, req *light.Request) (*light.Response, error) {
		return s.Handle(ctx, from.String(), req)
	})
}

// ledgerFault drops a peer that sent something provably wrong.
func (n *Node) ledgerFault(p string, _ error) {
	if id, err := peer.Decode(p); err == nil {
		n.conduct.misbehaved(id, "ledger")
	}
}

// LedgerAddress is where other validators and full nodes reach this one, as id@host:port;
// "" when it listens nowhere.
func (n *Node) LedgerAddress() string {
	if n.chain == nil || n.cfg.Ledger.Listen == "" {
		return ""
	}
	return n.chain.PeerAddress()
}

// Chain is the chain that this node keeps, or nil.
func (n *Node) Chain() *chain.Chain { return n.chain }
