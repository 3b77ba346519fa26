// Package testnet starts whole networks in one process: real peers, each with its own
// key, libp2p host, actors and ports on loopback. The demo is one; so is every test
// that needs more than a single node.
package testnet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/framemesh/framemesh/actors/cheat"
	"github.com/framemesh/framemesh/node"
)

// Bounds of one process.
const (
	MaxPeersPerRole = 64
	readyTimeout    = time.Minute
	readyEvery      = 20 * time.Millisecond
)

// Options say how large the network is and where it lives.
type Options struct {
	Network    string // its name; "" = "demo"
	Gateways   int
	Indexers   int
	Containers int
	Checkers   int
	// Solo makes them one peer of that name with the roles of all, at most one of each; Find
	// knows it by every other name too.
	Solo     bool
	Dir      string // a directory per node is made in it
	CacheDir string // shared by all containers: compiled apps, start benchmark; "" = per node
	Listen   string // of the first gateway; "" = 127.0.0.1 on any port
	// InsistListen makes a taken port an error instead of taking the next.
	InsistListen bool
	Slots        int // per container; 0 = what the machine holds, shared among the containers
	Encoder      string
	// Money gives the network a ledger; nil leaves play free.
	Money *Money
	Edit  func(name string, c *node.Config) // last word on a node's configuration; may be nil
	// Cheats are peers that lie about rendering, by name, and About the containers that lies
	// of checkers are about; none means all.
	Cheats map[string]cheat.Cheat
	About  []string
	Log    *slog.Logger
	// Patience is how long the peers may take to find each other; 0 = a minute.
	Patience time.Duration
	// Progress is told in words what is happening; may be nil.
	Progress func(string)
}

// Peer is one node of the network with its name, for example "container-2".
type Peer struct {
	Name string
	*node.Node
}

// Net is a running network.
type Net struct {
	o        Options
	treasury *treasury // nil without a ledger
	seen     ledgerRounds
	device   node.SharedDevice // of peers that are one machine under several names
	running  atomic.Bool       // all that was to start has
	mu       sync.Mutex
	peers    []*Peer
}

// Start brings the network up and returns once the first gateway sees an indexer and,
// if there are any, every container.
func Start(ctx context.Context, o Options) (*Net, error) {
	if o.Network == "" {
		o.Network = "demo"
	}
	if o.Patience == 0 {
		o.Patience = readyTimeout
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	for name, n := range map[string]int{"gateways": o.Gateways, "indexers": o.Indexers, "containers": o.Containers, "checkers": o.Checkers} {
		if n < 0 || n > MaxPeersPerRole {
			return nil, fmt.Errorf("testnet: --%s %d: use 0 to %d", name, n, MaxPeersPerRole)
		}
	}
	if o.Indexers < 1 || o.Gateways < 1 {
		return nil, errors.New("testnet: a network needs at least one indexer (--indexers) and one gateway")
	}
	if o.Solo && max(o.Gateways, o.Indexers, o.Containers, o.Checkers) > 1 {
		return nil, errors.New("testnet: one peer has each role once; use 0 or 1 of each")
	}
	n := &Net{o: o}
	if o.Money != nil {
		var err error
		if n.treasury, err = newTreasury(o, n.roles()); err != nil {
			return nil, err
		}
		n.seen.story = n.newStory()
	}
	if err := n.up(ctx); err != nil {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		return nil, errors.Join(err, n.Stop(stop))
	}
	n.running.Store(true)
	return n, nil
}

func (n *Net) up(ctx context.Context) error {
	roles := n.roles()
	if n.o.Solo {
		n.o.Progress("starting the one peer")
		if _, err := n.add(ctx, solo, roles[solo], nil); err != nil {
			return err
		}
		return n.ready(ctx)
	}
	n.o.Progress("starting the first indexer")
	first, err := n.add(ctx, "indexer-1", roles["indexer-1"], nil)
	if err != nil {
		return err
	}
	boot := first.Addrs()
	if err := n.startValidators(ctx, boot); err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	n.o.Progress("starting the other peers")
	for _, name := range sortedNames(roles) {
		if n.Find(name) != nil {
			continue
		}
		g.Go(func() error { _, err := n.add(gctx, name, roles[name], boot); return err })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	n.o.Progress("waiting until the peers have found each other")
	return n.ready(ctx)
}

// solo is the name of the one peer of a network that has no other.
const solo = "solo"

// roles names every node that the options ask for, with what it does.
func (n *Net) roles() map[string][]node.Role {
	out := map[string][]node.Role{}
	for _, k := range []struct {
		role  node.Role
		count int
	}{{node.RoleIndexer, n.o.Indexers}, {node.RoleContainer, n.o.Containers}, {node.RoleChecker, n.o.Checkers}, {node.RoleGateway, n.o.Gateways}} {
		for i := 1; i <= k.count; i++ {
			name := fmt.Sprintf("%s-%d", k.role, i)
			if n.o.Solo {
				name = solo
			}
			out[name] = append(out[name], k.role)
		}
	}
	return out
}

func sortedNames(m map[string][]node.Role) []string { return slices.Sorted(maps.Keys(m)) }

// add starts one more node and joins it by the given addresses.
func (n *Net) add(ctx context.Context, name string, roles []node.Role, boot []string) (*Peer, error) {
	c := node.DefaultConfig()
	c.Network, c.Region, c.Roles = n.o.Network, "local", roles
	c.DataDir = filepath.Join(n.o.Dir, name)
	c.P2P = node.P2PConfig{Profile: "loopback", Bootstrap: boot}
	c.Gateway.Listen = "127.0.0.1:0"
	first := name == "gateway-1" || name == solo
	if first && n.o.Listen != "" {
		c.Gateway.Listen = n.o.Listen
	}
	c.Container.Slots, c.Container.Encoder = n.o.Slots, n.o.Encoder
	o := node.Options{Log: n.o.Log.With("node", name), CacheDir: n.o.CacheDir, ShareMachine: max(n.o.Containers, 1), InsistHTTP: n.o.InsistListen && first}
	o.Gateways = n.gateways
	if n.treasury != nil {
		n.treasury.edit(name, &c)
		c.Ledger.Peers = n.validatorAddresses()
		if slices.Contains(roles, node.RoleGateway) {
			o.Faucet = n.treasury.accounts[faucetName]
		}
		if err := n.rounds(name, &o); err != nil {
			return nil, err
		}
	}
	if n.o.Edit != nil {
		n.o.Edit(name, &c)
	}
	nd, err := node.New(c, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	p := &Peer{name, nd}
	n.mu.Lock()
	n.peers = append(n.peers, p)
	n.mu.Unlock()
	if err := nd.Start(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}

// ready polls the first gateway; there is nothing to be told by, since it learns of
// the others from the network.
func (n *Net) ready(whole context.Context) error {
	ctx, cancel := context.WithTimeout(whole, n.o.Patience)
	defer cancel()
	gw := n.Find("gateway-1")
	for {
		st := gw.Gateway().Node()
		apps, err := gw.Gateway().Apps(ctx)
		if err == nil && st.Indexers >= n.o.Indexers && st.Containers >= n.o.Containers && (n.o.Containers == 0 || len(apps) > 0) && n.indexed() && n.priced() {
			return nil
		}
		select {
		case <-ctx.Done():
			if err := whole.Err(); err != nil {
				return fmt.Errorf("testnet: stopped before the peers had found each other: %w", err)
			}
			return fmt.Errorf("testnet: after %v the gateway sees %d of %d indexers and %d of %d containers (a price is known: %t): %w", n.o.Patience, st.Indexers, n.o.Indexers, st.Containers, n.o.Containers, n.priced(), ctx.Err())
		case <-time.After(readyEvery):
		}
	}
}

// indexed says whether every indexer holds an ad of every container, and has read from the
// ledger, where there is one, that it may be matched.
func (n *Net) indexed() bool {
	for _, p := range n.Peers() {
		if ix := p.Indexer(); ix != nil && (ix.Ads() < n.o.Containers || ix.Proven() < n.o.Containers-n.newcomers()) {
			return false
		}
	}
	return true
}

// newcomers is how many containers nobody is matched to at first.
func (n *Net) newcomers() int {
	if n.treasury == nil {
		return 0
	}
	return min(n.treasury.Newcomers, n.o.Containers)
}

// priced says whether every container and gateway of a network with a ledger has heard what
// a dollar costs, without which nothing is sold.
func (n *Net) priced() bool {
	for _, p := range n.Peers() {
		if l := p.Ledger(); l != nil && (p.Container() != nil || p.Gateway() != nil) && l.Status().PerUSD == 0 {
			return false
		}
	}
	return true
}

// Add starts one more peer of a role, joined through the first indexer.
func (n *Net) Add(ctx context.Context, name string, r node.Role) (*Peer, error) {
	return n.add(ctx, name, []node.Role{r}, n.Find("indexer-1").Addrs())
}

// Peers lists the nodes that were started, in no particular order.
func (n *Net) Peers() []*Peer {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]*Peer(nil), n.peers...)
}

// Find returns the peer of that name, or nil.
func (n *Net) Find(name string) *Peer {
	peers := n.Peers()
	for _, p := range peers {
		if p.Name == name {
			return p
		}
	}
	if role, _, ok := strings.Cut(name, "-"); ok && n.o.Solo && len(peers) > 0 && slices.Contains(n.roles()[solo], node.Role(role)) {
		return peers[0]
	}
	return nil
}

// ByID returns the peer with that peer id, or nil.
func (n *Net) ByID(id string) *Peer {
	for _, p := range n.Peers() {
		if p.ID().String() == id {
			return p
		}
	}
	return nil
}

// URL is where the first gateway serves the player page.
func (n *Net) URL() string { return n.Find("gateway-1").URL() }

// Connections counts the libp2p connections of all peers, each once.
func (n *Net) Connections() int {
	ends := 0
	for _, p := range n.Peers() {
		ends += p.Connections()
	}
	return ends / 2
}

// Crash kills one peer without goodbye: its workers are killed, its sockets closed.
func (n *Net) Crash(name string) error {
	p := n.Find(name)
	if p == nil {
		return fmt.Errorf("testnet: no peer named %q", name)
	}
	p.Crash()
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, q := range n.peers {
		if q == p {
			n.peers = append(n.peers[:i], n.peers[i+1:]...)
			break
		}
	}
	return nil
}

// Stop ends all peers at once, those that make the ledger's blocks after the others, who
// may have something to settle. It returns what went wrong.
func (n *Net) Stop(ctx context.Context) error {
	var first, last []*Peer
	for _, p := range n.Peers() {
		if p.Chain() != nil {
			last = append(last, p)
		} else {
			first = append(first, p)
		}
	}
	return errors.Join(stopAll(ctx, first), stopAll(ctx, last))
}

func stopAll(ctx context.Context, peers []*Peer) error {
	var wg sync.WaitGroup
	errs := make([]error, len(peers))
	for i, p := range peers {
		wg.Go(func() {
			if err := p.Node.Stop(ctx); err != nil {
				errs[i] = fmt.Errorf("%s: %w", p.Name, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Network is the network's name.
func (n *Net) Network() string { return n.o.Network }
