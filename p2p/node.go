package p2p

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/routing"
	"github.com/libp2p/go-libp2p/p2p/host/autorelay"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/framemesh/framemesh/p2p/discovery"
)

// peersFile is the name of the file of remembered peers in the data directory.
const peersFile = "peers.json"

// dialTimeout bounds one dial of the host.
const dialTimeout = 10 * time.Second

// relaysWanted is how many relays a home node keeps a reservation at.
const relaysWanted = 2

// Node is a peer of a mesh: a libp2p host and its DHT.
type Node struct {
	cfg       Config
	host      host.Host
	dht       *dht.IpfsDHT
	discovery *discovery.Discovery
	port      int
	made      chan struct{} // closed when host and dht are there
}

// New starts a node: it listens, joins the DHT and looks for peers in the
// background (see Discovery). ctx bounds the start only; Close ends the node. It
// returns an error that wraps ErrConfig for a bad configuration and ErrPortInUse if
// no port could be had.
func New(ctx context.Context, c Config) (*Node, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Agent == "" {
		c.Agent = "framemesh"
	}
	ips, err := c.listenIPs()
	if err != nil {
		return nil, err
	}
	var cause error
	for _, port := range candidatePorts(c.Port, c.PortFixed) {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("p2p: start: %w", err)
		}
		free, err := probePort(ctx, ips, port)
		if err != nil {
			if !inUse(err) {
				return nil, fmt.Errorf("p2p: listen: %w; check p2p.listen and p2p.port", err)
			}
			cause = err
			continue
		}
		n, err := start(c, ips, free)
		if errors.Is(err, ErrPortInUse) { // somebody took it in between
			cause = err
			continue
		}
		return n, err
	}
	return nil, portError(c.Port, c.PortFixed, cause)
}

// start makes the node on one port, and fails with ErrPortInUse if another program
// got part of it.
func start(c Config, ips []netip.Addr, port int) (_ *Node, err error) {
	n := &Node{cfg: c, port: port, made: make(chan struct{})}
	opts, err := n.hostOptions(ips)
	if err != nil {
		return nil, err
	}
	if n.host, err = libp2p.New(opts...); err != nil {
		return nil, fmt.Errorf("p2p: start the host: %w", err)
	}
	close(n.made)
	defer func() {
		if err != nil {
			err = errors.Join(err, n.closeHost())
		}
	}()
	want := hostAddrs(ips, port)
	if err := n.host.Network().Listen(want...); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPortInUse, err)
	}
	// Listen is content with one address of many; this node is not
	have := n.host.Network().ListenAddresses()
	for _, addr := range want {
		if !ma.Contains(have, addr) {
			return nil, fmt.Errorf("%w: %s", ErrPortInUse, addr)
		}
	}
	disc := discovery.Config{
		Host: n.host, DHT: n.dht, Network: c.Network, Key: c.Key,
		Bootstrap: c.Bootstrap, Agent: c.Agent, Log: c.Log,
	}
	if c.DataDir != "" {
		disc.PeersFile = filepath.Join(c.DataDir, peersFile)
	}
	if n.discovery, err = discovery.New(disc); err != nil {
		return nil, err
	}
	return n, nil
}

// hostOptions puts the profile into libp2p's words. Addresses are listened on later,
// when it can be seen whether all of them worked.
func (n *Node) hostOptions(ips []netip.Addr) ([]libp2p.Option, error) {
	c, b := n.cfg, budgets[n.cfg.Profile]
	rm, err := resourceManager(b, c.Registerer)
	if err != nil {
		return nil, err
	}
	cm, err := connManager(b)
	if err != nil {
		return nil, err
	}
	opts := []libp2p.Option{
		libp2p.Identity(c.Key),
		libp2p.UserAgent(c.Agent),
		libp2p.NoListenAddrs,
		libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Transport(libp2pquic.NewTransport),
		libp2p.Security(noise.ID, noise.New),
		libp2p.Security(libp2ptls.ID, libp2ptls.New),
		libp2p.ResourceManager(rm),
		libp2p.ConnectionManager(cm),
		libp2p.WithDialTimeout(dialTimeout),
		// the routed host: Connect to a bare peer id asks the DHT for its addresses
		libp2p.Routing(n.startDHT),
	}
	if c.Registerer == nil {
		opts = append(opts, libp2p.DisableMetrics())
	} else {
		opts = append(opts, libp2p.PrometheusRegisterer(c.Registerer))
	}
	public := beyondLoopback(ips)
	if public && c.Profile == ProfileHome {
		opts = append(opts, libp2p.NATPortMap())
	}
	return append(opts, n.reachability(public)...), nil
}

// reachability is how the profile deals with NAT. A node that listens on loopback
// only must not open a port in the router or ask others to reach it.
func (n *Node) reachability(public bool) []libp2p.Option {
	switch {
	case !public:
		return []libp2p.Option{
			libp2p.DisableRelay(),
			libp2p.ForceReachabilityPrivate(),
			libp2p.DisableIdentifyAddressDiscovery(),
		}
	case n.cfg.Profile == ProfileServer:
		return []libp2p.Option{
			libp2p.EnableRelay(),
			libp2p.EnableRelayService(), // on only while AutoNAT says public; default limits are for signalling
			libp2p.EnableNATService(),
			libp2p.EnableAutoNATv2(),
		}
	default:
		return []libp2p.Option{
			libp2p.EnableRelay(),
			libp2p.EnableAutoNATv2(),
			libp2p.EnableHolePunching(),
			libp2p.EnableAutoRelayWithPeerSource(n.relayCandidates, autorelay.WithNumRelays(relaysWanted)),
		}
	}
}

// startDHT is called by libp2p while it builds the host.
func (n *Node) startDHT(h host.Host) (routing.PeerRouting, error) {
	d, err := discovery.NewDHT(h, discovery.DHTConfig{
		Network:   n.cfg.Network,
		Server:    n.cfg.Profile != ProfileHome,
		Loopback:  n.cfg.Profile == ProfileLoopback,
		Bootstrap: n.cfg.Bootstrap,
	})
	n.dht = d
	return d, err
}

// relayCandidates offers the peers of the routing table: DHT servers are the ones
// that may be public, and AutoRelay finds out which of them relay. It may ask while the host
// is still being made; there is no table then.
func (n *Node) relayCandidates(ctx context.Context, num int) <-chan peer.AddrInfo {
	out := make(chan peer.AddrInfo, num)
	defer close(out)
	candidates := slices.Clone(n.cfg.Bootstrap)
	select {
	case <-n.made:
		for _, id := range n.dht.RoutingTable().ListPeers() {
			candidates = append(candidates, n.host.Peerstore().PeerInfo(id))
		}
	default:
	}
	for _, p := range candidates[:min(num, len(candidates))] {
		out <- p
	}
	return out
}

// Host returns the libp2p host. Its Connect finds addresses in the DHT.
func (n *Node) Host() host.Host { return n.host }

// DHT returns the network's DHT.
func (n *Node) DHT() *dht.IpfsDHT { return n.dht }

// Discovery returns what finds peers and lets this one be found.
func (n *Node) Discovery() *discovery.Discovery { return n.discovery }

// Network returns the network's name.
func (n *Node) Network() string { return n.cfg.Network }

// ID returns the node's peer id.
func (n *Node) ID() peer.ID { return n.host.ID() }

// Port returns the port, the same for TCP and UDP.
func (n *Node) Port() int { return n.port }

// AddrInfo returns what another node needs to bootstrap from this one.
func (n *Node) AddrInfo() peer.AddrInfo {
	return peer.AddrInfo{ID: n.host.ID(), Addrs: n.host.Addrs()}
}

// Close remembers the good peers, leaves the DHT and closes all connections.
func (n *Node) Close() error {
	return errors.Join(n.discovery.Close(), n.closeHost())
}

// closeHost closes the DHT before the host it runs on.
func (n *Node) closeHost() error {
	var err error
	if n.dht != nil {
		err = n.dht.Close()
	}
	return errors.Join(err, n.host.Close())
}
