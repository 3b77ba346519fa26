package node

import (
	"fmt"
	"slices"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	ma "github.com/multiformats/go-multiaddr"

	gatewayactor "github.com/framemesh/framemesh/actors/gateway"
)

// hostNetwork shows a libp2p host to the gateway actor.
type hostNetwork struct{ host.Host }

var _ gatewayactor.Network = hostNetwork{}

// Remember keeps what discovery found for the calls that follow.
func (h hostNetwork) Remember(p peer.AddrInfo) {
	h.Peerstore().AddAddrs(p.ID, p.Addrs, peerstore.TempAddrTTL)
}

// Peers counts the connected peers.
func (h hostNetwork) Peers() int {
	n := 0
	for _, p := range h.Host.Network().Peers() {
		if h.Host.Network().Connectedness(p) == network.Connected {
			n++
		}
	}
	return n
}

// fullAddrs returns the addresses of a peer with its id, as bootstrap wants them.
func fullAddrs(p peer.AddrInfo) []string {
	as, err := peer.AddrInfoToP2pAddrs(&p)
	if err != nil {
		return nil
	}
	out := make([]string, 0, len(as))
	for _, a := range as {
		out = append(out, a.String())
	}
	return out
}

// parseBootstrap reads multiaddrs that end in /p2p/<peer id>; several addresses of one
// peer become one entry.
func parseBootstrap(list []string) ([]peer.AddrInfo, error) {
	var as []ma.Multiaddr
	for _, s := range list {
		a, err := ma.NewMultiaddr(s)
		if err != nil {
			return nil, badBootstrap(s, err)
		}
		as = append(as, a)
	}
	out, err := peer.AddrInfosFromP2pAddrs(as...)
	if err != nil {
		return nil, badBootstrap("p2p.bootstrap", err)
	}
	return out, nil
}

// namedPeers are the peers that --peer names, and those of the configuration.
func namedPeers(flags, bootstrap []string) ([]peer.AddrInfo, error) {
	for _, s := range flags {
		if _, err := peer.AddrInfoFromString(s); err != nil {
			return nil, fmt.Errorf("%w: --peer %q: %w; use for example /ip4/192.0.2.1/tcp/4001/p2p/12D3Koo…, as `framemesh run` prints it", ErrConfig, s, err)
		}
	}
	return parseBootstrap(slices.Concat(flags, bootstrap))
}

func badBootstrap(what string, err error) error {
	return fmt.Errorf("%w: p2p.bootstrap: %s: %w; use for example /ip4/192.0.2.1/tcp/4001/p2p/12D3Koo…, as `framemesh run` prints it", ErrConfig, what, err)
}
