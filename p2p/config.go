package p2p

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"regexp"
	"strings"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"github.com/prometheus/client_golang/prometheus"
)

// ErrConfig is wrapped by everything that is wrong with a Config.
var ErrConfig = errors.New("p2p: configuration")

// Profile is the kind of machine a node runs on.
type Profile string

const (
	// ProfileHome is a PC behind a home router: few connections, a client of the
	// DHT, port mapping, relay and hole punching when the operator lets it listen.
	ProfileHome Profile = "home"
	// ProfileServer is a machine with an address of its own: it serves the DHT and,
	// when others confirm that it is public, relays and tells peers whether they are.
	ProfileServer Profile = "server"
	// ProfileLoopback is for tests and the demo: nothing but 127.0.0.1.
	ProfileLoopback Profile = "loopback"
)

// PortTries is how many ports after the wanted one are tried when it is taken.
const PortTries = 10

// Config says how a node takes part. Network, Region, Key and Profile are required;
// the region may be empty, which makes the node one of no region in particular.
type Config struct {
	Network string         // 1 to 32 of a-z, 0-9 and -
	Region  string         // same, or empty
	Key     crypto.PrivKey // Ed25519, see LoadOrCreateKey
	Profile Profile

	// Listen holds IP addresses, plain ("0.0.0.0") or as multiaddrs
	// ("/ip4/0.0.0.0"), without a port. Empty means 127.0.0.1.
	Listen []string
	// Port is used for TCP and for UDP (QUIC); 0 picks one that is free for both.
	Port int
	// PortFixed says that the operator insists on Port: if it is taken, New fails
	// instead of trying the next PortTries ports.
	PortFixed bool

	Bootstrap []peer.AddrInfo // peers to meet first
	DataDir   string          // where good peers are remembered; "" remembers none
	Agent     string          // what peers see, "framemesh/<version>"; empty means "framemesh"

	Registerer prometheus.Registerer // nil measures nothing
	Log        *slog.Logger          // nil logs nothing
}

var nameRule = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// Validate reports the first thing that is wrong and what to write instead.
func (c *Config) Validate() error {
	bad := func(option, why string) error { return fmt.Errorf("%w: %s: %s", ErrConfig, option, why) }
	switch {
	case !nameRule.MatchString(c.Network):
		return bad("network", `use 1 to 32 of a-z, 0-9 and -, for example "main"`)
	case c.Region != "" && !nameRule.MatchString(c.Region):
		return bad("region", `use 1 to 32 of a-z, 0-9 and -, for example "eu-west", or leave it empty`)
	case c.Key == nil || c.Key.Type() != crypto.Ed25519:
		return bad("key", "an Ed25519 node key is needed; point data_dir at a folder where one can be made")
	case c.Profile != ProfileHome && c.Profile != ProfileServer && c.Profile != ProfileLoopback:
		return bad("p2p.profile", `use "home", "server" or "loopback"`)
	case c.Port < 0 || c.Port > 65535:
		return bad("p2p.port", "use 0 (any free port) to 65535")
	case len(c.Agent) > 64:
		return bad("agent", "use at most 64 bytes")
	}
	if _, err := c.listenIPs(); err != nil {
		return err
	}
	self, err := peer.IDFromPrivateKey(c.Key)
	if err != nil {
		return bad("key", "it gives no peer id; make a new one")
	}
	for _, b := range c.Bootstrap {
		if err := b.ID.Validate(); err != nil || len(b.Addrs) == 0 {
			return bad("p2p.bootstrap", fmt.Sprintf("%s needs an address and a peer id: /ip4/192.0.2.1/tcp/4001/p2p/12D3…", b.ID))
		}
		if b.ID == self {
			return bad("p2p.bootstrap", fmt.Sprintf("%s is this node itself; remove it from the list", b.ID))
		}
	}
	return nil
}

// listenIPs returns the addresses to listen on; 127.0.0.1 when none is named.
func (c *Config) listenIPs() ([]netip.Addr, error) {
	if len(c.Listen) == 0 {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}, nil
	}
	ips := make([]netip.Addr, 0, len(c.Listen))
	for _, text := range c.Listen {
		ip, err := parseIP(text)
		if err != nil {
			return nil, fmt.Errorf("%w: p2p.listen: %q is not an IP address; use for example \"0.0.0.0\" or \"/ip4/0.0.0.0\", and p2p.port for the port", ErrConfig, text)
		}
		if c.Profile == ProfileLoopback && !ip.IsLoopback() {
			return nil, fmt.Errorf("%w: p2p.listen: %s is not loopback; use p2p.profile \"home\" or \"server\" to listen there", ErrConfig, ip)
		}
		ips = append(ips, ip)
	}
	return ips, nil
}

// parseIP reads a plain IP address or a multiaddr that is nothing but one.
func parseIP(text string) (netip.Addr, error) {
	if !strings.HasPrefix(text, "/") {
		ip, err := netip.ParseAddr(text)
		if err == nil && ip.Zone() != "" {
			return netip.Addr{}, errors.New("an address with a zone holds on one link only")
		}
		return ip.Unmap(), err
	}
	addr, err := ma.NewMultiaddr(text)
	if err != nil {
		return netip.Addr{}, err
	}
	if len(addr) != 1 {
		return netip.Addr{}, errors.New("more than an address")
	}
	std, err := manet.ToIP(addr)
	if err != nil {
		return netip.Addr{}, err
	}
	ip, ok := netip.AddrFromSlice(std)
	if !ok {
		return netip.Addr{}, errors.New("no IP address")
	}
	return ip.Unmap(), nil
}

// beyondLoopback says whether any of the addresses can be reached from another machine.
func beyondLoopback(ips []netip.Addr) bool {
	for _, ip := range ips {
		if !ip.IsLoopback() {
			return true
		}
	}
	return false
}

// hostAddrs returns the TCP and the QUIC address of each IP at one port.
func hostAddrs(ips []netip.Addr, port int) []ma.Multiaddr {
	addrs := make([]ma.Multiaddr, 0, 2*len(ips))
	for _, ip := range ips {
		family := "ip4"
		if ip.Is6() {
			family = "ip6"
		}
		addrs = append(addrs,
			ma.StringCast(fmt.Sprintf("/%s/%s/tcp/%d", family, ip, port)),
			ma.StringCast(fmt.Sprintf("/%s/%s/udp/%d/quic-v1", family, ip, port)))
	}
	return addrs
}
