package node

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/framemesh/framemesh/actors/accuse"
	"github.com/framemesh/framemesh/actors/checker"
	"github.com/framemesh/framemesh/actors/container"
	"github.com/framemesh/framemesh/actors/container/segments"
	gatewayactor "github.com/framemesh/framemesh/actors/gateway"
	"github.com/framemesh/framemesh/actors/gateway/complain"
	"github.com/framemesh/framemesh/actors/gateway/refund"
	"github.com/framemesh/framemesh/actors/indexer"
	"github.com/framemesh/framemesh/actors/indexer/match"
	ledgeractor "github.com/framemesh/framemesh/actors/ledger"
	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/ledger/chain"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/light"
	"github.com/framemesh/framemesh/node/gateway"
	"github.com/framemesh/framemesh/p2p"
	"github.com/framemesh/framemesh/p2p/check"
	"github.com/framemesh/framemesh/p2p/gossip"
	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/stream"
)

// Options are what a node is given beside its configuration.
type Options struct {
	Log *slog.Logger // nil = silent
	// CacheDir holds compiled apps and the start benchmark; "" = <data_dir>/cache.
	CacheDir string
	// ShareMachine says how many containers share this machine, so that each offers
	// its part of the measured slots; 0 = 1.
	ShareMachine int
	// InsistHTTP says that the operator named the gateway's port: when it is taken,
	// starting fails instead of taking the next.
	InsistHTTP bool
	// Faucet gives each player money to play with, from this account; nil gives none. It
	// is for demos and test networks.
	Faucet ed25519.PrivateKey
	// Proofs are shown on the gateway's page as they happen; nil shows none. It is for demos.
	Proofs gateway.Proofs
	// Cheat makes this node lie about rendering, for demos and tests; nil is honest.
	Cheat *Cheat
	// CrossPPM is how often this checker recomputes another's work, for each container of a
	// batch; 0 = as often as checkers do.
	CrossPPM uint64
	// Gateways are those that a checker's hidden sessions go through, in place of
	// proof.play_gateways: for test networks, whose ports are not known before they start.
	Gateways func() []string
	// Now is the clock; nil = time.Now.
	Now func() time.Time
}

// Node is one peer: one libp2p host and the modules of its roles. Make it with New.
type Node struct {
	cfg  Config
	o    Options
	dir  string
	log  *slog.Logger
	reg  *prometheus.Registry
	life lifecycle

	key       crypto.PrivKey
	conduct   *conduct
	p2p       *p2p.Node
	gossip    *gossip.Gossip
	server    *rpc.Server
	client    *rpc.Client
	system    *supervise.System
	engine    *stream.Engine
	container atomic.Pointer[container.Container]
	kept      atomic.Pointer[segments.Store] // proof of the container's sessions
	indexer   *indexer.Indexer
	gateway   *gatewayactor.Gateway
	http      *gateway.Server
	genesis   *genesis.Doc  // nil without a ledger, as the two below
	light     *light.Client // of nodes that keep no chain
	chain     *chain.Chain  // of full nodes and validators
	ledger    atomic.Pointer[ledgeractor.Ledger]
	checking  atomic.Pointer[checker.Rounds]
	accuser   atomic.Pointer[accuse.Accuser]
	debug     string // address of the debug server
	fatal     chan error
}

// New checks the configuration and prepares the data directory.
func New(c Config, o Options) (*Node, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	dir, err := c.Dir()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("%w: data_dir %s cannot be made (%w); name a place you may write to", ErrConfig, dir, err)
	}
	if o.CacheDir == "" {
		o.CacheDir = filepath.Join(dir, "cache")
	}
	n := &Node{cfg: c, o: o, dir: dir, log: o.Log, reg: prometheus.NewRegistry(), fatal: make(chan error, 1)}
	n.reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return n, nil
}

// Start brings the node up; on an error everything that had started is stopped again.
func (n *Node) Start(ctx context.Context) error {
	if err := n.startAll(ctx); err != nil {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		return errors.Join(err, n.life.stop(stop))
	}
	return nil
}

func (n *Node) startAll(ctx context.Context) error {
	type step struct {
		name  string
		roles []Role // none = always
		start func(context.Context) (func(context.Context) error, error)
	}
	for _, s := range []step{
		{"data directory", nil, n.occupy},
		{"debug server", nil, n.startDebug},
		{"p2p host", nil, n.startHost},
		{"gossip", nil, n.startGossip},
		{"stream RPC", nil, n.startRPC},
		{"actors", nil, n.startActors},
		{"ledger", nil, n.startLedger},
		{"money", nil, n.startMoney},
		{"whereabouts", []Role{RoleContainer, RoleIndexer, RoleChecker}, n.startWhereabouts},
		{"status", nil, n.startStatus},
		{"accusations", []Role{RoleContainer, RoleChecker, RoleGateway}, n.startAccuser},
		{"indexer", []Role{RoleIndexer}, n.startIndexer},
		{"container", []Role{RoleContainer}, n.startContainer},
		{"prover", []Role{RoleContainer}, n.startProver},
		{"checker", []Role{RoleChecker}, n.startChecker},
		{"rounds", []Role{RoleChecker}, n.startRounds},
		{"gateway", []Role{RoleGateway}, n.startGateway},
		{"hidden player", []Role{RoleChecker}, n.startProbe},
		{"announcement", nil, n.announce},
		{"address", nil, n.leaveAddress},
	} {
		wanted := len(s.roles) == 0
		for _, r := range s.roles {
			wanted = wanted || n.cfg.Has(r)
		}
		if !wanted {
			continue
		}
		if err := n.life.start(ctx, s.name, s.start); err != nil {
			return err
		}
	}
	return nil
}

func (n *Node) startHost(ctx context.Context) (func(context.Context) error, error) {
	var err error
	if n.key, err = p2p.LoadOrCreateKey(filepath.Join(n.dir, "node.key")); err != nil {
		return nil, err
	}
	boot, err := parseBootstrap(n.cfg.P2P.Bootstrap)
	if err != nil {
		return nil, err
	}
	n.p2p, err = p2p.New(ctx, p2p.Config{Network: n.cfg.Network, Region: n.cfg.Region, Key: n.key,
		Profile: p2p.Profile(n.cfg.P2P.Profile), Listen: n.cfg.P2P.Listen, Port: n.cfg.P2P.Port,
		Bootstrap: boot, DataDir: n.dir, Agent: "framemesh/" + Version,
		Registerer: n.reg, Log: n.log})
	if err != nil {
		return nil, err
	}
	n.conduct = newConduct(n.o.Now, func(id peer.ID) {
		n.log.Warn("peer disconnected for what it sends", "peer", id)
		go func() { _ = n.p2p.Host().Network().ClosePeer(id) }() // closing waits for its streams
	})
	n.p2p.Host().Network().Notify(n.conduct.doorkeeper())
	return func(context.Context) error { return n.p2p.Close() }, nil
}

func (n *Node) startGossip(context.Context) (func(context.Context) error, error) {
	var err error
	n.gossip, err = gossip.New(gossip.Config{Host: n.p2p.Host(), Network: n.cfg.Network, Regions: []string{n.cfg.Region},
		Topics: append(gossip.VotesTopics(n.cfg.Network), gossip.LedgerTopic(n.cfg.Network)), Registered: n.mayAdvertise, AppScore: n.conduct.score, Registerer: n.reg, Log: n.log, Now: n.o.Now})
	if err != nil {
		return nil, err
	}
	return func(context.Context) error { n.gossip.Close(); return nil }, nil
}

func (n *Node) startRPC(context.Context) (func(context.Context) error, error) {
	n.server = rpc.NewServer(n.p2p.Host(), n.cfg.Network, rpc.Options{Log: n.log, Registerer: n.reg, Now: n.o.Now,
		Misbehaved: n.conduct.misbehaved})
	n.client = rpc.NewClient(n.p2p.Host(), n.cfg.Network).Through(n.server) // a node may use its own indexer and container
	return func(context.Context) error { return n.server.Close() }, nil
}

func (n *Node) startActors(context.Context) (func(context.Context) error, error) {
	var err error
	n.system, err = supervise.NewSystem(supervise.Options{Log: n.log, Registerer: n.reg, OnEscalate: func(path string, err error) {
		select {
		case n.fatal <- fmt.Errorf("node: %s was given up: %w", path, err):
		default: // the first one ends the node
		}
	}})
	if err != nil {
		return nil, err
	}
	return n.system.Stop, nil
}

func (n *Node) startGateway(ctx context.Context) (func(context.Context) error, error) {
	var err error
	n.gateway, err = gatewayactor.New(gatewayactor.Options{System: n.system, Net: hostNetwork{n.p2p.Host()}, Calls: n.client,
		Finder: n.p2p.Discovery(), Ads: n.gossip.Ads(), Beacon: n.beacon(), Figures: n.Figures(), Accuse: n.accuse, Network: n.cfg.Network, Region: n.cfg.Region,
		Version: Version, Now: n.o.Now, Log: n.log})
	if err != nil {
		return nil, err
	}
	if err := n.gateway.Start(ctx); err != nil {
		return nil, err
	}
	var desk *complain.Desk
	ho := gateway.Options{Mesh: n.gateway, Log: n.log, Registerer: n.reg, Gatherer: n.reg,
		Listen: n.cfg.Gateway.Listen, Insist: n.o.InsistHTTP, Hosts: n.cfg.Gateway.Hosts, PublicOrigins: n.cfg.Gateway.Origins,
		ICEServers: n.cfg.Media.STUN, Proofs: n.o.Proofs}
	if l := n.Ledger(); l != nil {
		if desk, err = complain.New(complain.Options{Book: l, Calls: check.NewClient(n.client), Now: n.o.Now, Log: n.log}); err != nil {
			n.gateway.Stop()
			return nil, err
		}
		back, err := refund.New(l)
		if err != nil {
			n.gateway.Stop()
			return nil, err
		}
		ho.Ledger, ho.Complaints, ho.Refunds = purse{l}, desk, back
		if n.o.Faucet != nil {
			ho.Funder = l
		}
	}
	n.http, err = gateway.New(ho)
	if err != nil {
		n.gateway.Stop()
		return nil, err
	}
	if err := n.http.Start(ctx); err != nil {
		n.gateway.Stop()
		return nil, err
	}
	return func(ctx context.Context) error {
		n.gateway.Stop()
		err := n.http.Stop(ctx)
		if desk != nil {
			err = errors.Join(err, desk.Stop(ctx))
		}
		return err
	}, nil
}

// announce makes the node findable; it goes on until the node stops.
func (n *Node) announce(ctx context.Context) (func(context.Context) error, error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	if err := n.p2p.Discovery().Announce(ctx, n.roleNames(), n.cfg.Region); err != nil {
		cancel()
		return nil, err
	}
	return func(context.Context) error { cancel(); return nil }, nil
}

// beacon is the randomness that draws indexers: the ledger's seed of the epoch, or the
// network's name where there is no ledger.
func (n *Node) beacon() match.Lottery {
	if l := n.Ledger(); l != nil {
		return l
	}
	return match.GenesisOf(n.cfg.Network)
}

// Stop ends the node: players are told, the offer is withdrawn. What hangs is named.
func (n *Node) Stop(ctx context.Context) error { return n.life.stop(ctx) }

// Crash ends the node as a pulled power cord would: workers are killed, sockets
// closed, nobody is told.
func (n *Node) Crash() {
	if n.engine != nil {
		n.engine.Abandon() // first: what ends after it may say goodbye to nobody
	}
	if c := n.rendering(); c != nil {
		c.Crash()
	}
	if n.p2p != nil {
		_ = n.p2p.Host().Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	_ = n.life.stop(ctx)
}

// Fatal yields the reason why the node cannot go on, if that ever happens.
func (n *Node) Fatal() <-chan error { return n.fatal }

// ID is the node's peer id.
func (n *Node) ID() peer.ID { return n.p2p.ID() }

// Addrs lists the node's addresses with its peer id, as p2p.bootstrap wants them.
func (n *Node) Addrs() []string { return fullAddrs(n.p2p.AddrInfo()) }

// Connections counts this node's libp2p connections.
func (n *Node) Connections() int { return len(n.p2p.Host().Network().Conns()) }

// URL is where the player page is, or "" without the gateway role.
func (n *Node) URL() string {
	if n.http == nil {
		return ""
	}
	return n.http.URL()
}

// Gateway is the gateway actor, or nil.
func (n *Node) Gateway() *gatewayactor.Gateway { return n.gateway }

// Container is the container, or nil.
func (n *Node) Container() *container.Container { return n.rendering() }

// Indexer is the indexer, or nil.
func (n *Node) Indexer() *indexer.Indexer { return n.indexer }

// Metrics is the node's registry.
func (n *Node) Metrics() *prometheus.Registry { return n.reg }
