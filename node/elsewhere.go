package node

import (
	"net/netip"
	"slices"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/framemesh/framemesh/ledger/subnet"
	"github.com/framemesh/framemesh/p2p/wire"
)

// The draw believes what nodes declare of where they live. Those who meet a node see where its
// packets come from, so they can tell a false declaration, and make it useless: its offers
// are not taken, its answers count as missing, and its questions are not answered.

// outside says whether somebody who was seen in seen has declared something else. Who was
// seen nowhere (relayed, or in a private network) is outside of nothing; who declared nothing
// is outside of everything where declaring is demanded.
func outside(declared, seen []subnet.Subnet, demanded bool) bool {
	switch {
	case len(seen) == 0:
		return false
	case len(declared) == 0:
		return demanded
	}
	return !subnet.Share(declared, seen)
}

// subnetsOf are the subnets of direct public addresses, each once. What leads over a relay says
// where the relay is.
func subnetsOf(addrs []ma.Multiaddr) (out []subnet.Subnet) {
	for _, a := range addrs {
		if s, ok := subnetOf(a); ok && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func subnetOf(a ma.Multiaddr) (subnet.Subnet, bool) {
	if a == nil {
		return "", false
	}
	if _, err := a.ValueForProtocol(ma.P_CIRCUIT); err == nil {
		return "", false
	}
	ip, err := manet.ToIP(a)
	if err != nil {
		return "", false
	}
	addr, ok := netip.AddrFromSlice(ip)
	if !ok {
		return "", false
	}
	return subnet.Of(addr)
}

// adSubnets are the subnets of an ad's direct public addresses.
func adSubnets(ad *wire.Ad) []subnet.Subnet {
	var addrs []ma.Multiaddr
	for _, b := range ad.GetAddrs() {
		if a, err := ma.NewMultiaddrBytes(b); err == nil {
			addrs = append(addrs, a)
		}
	}
	return subnetsOf(addrs)
}

// met are the subnets from which a peer is connected to a host.
func met(h host.Host, id peer.ID) []subnet.Subnet {
	var addrs []ma.Multiaddr
	for _, c := range h.Network().ConnsToPeer(id) {
		addrs = append(addrs, c.RemoteMultiaddr())
	}
	return subnetsOf(addrs)
}

// declared is what a registered peer says of where it lives, from memory; ok is false for
// one that is not registered as far as is known. demanded says whether it must say something:
// whoever has declared itself expects it of others.
func (n *Node) declared(id peer.ID) (list []subnet.Subnet, demanded, ok bool) {
	l := n.Ledger()
	if l == nil {
		return nil, false, false
	}
	e, ok := l.Entry(id)
	own, _ := l.Entry(n.ID())
	return e.Subnets, len(own.Subnets) > 0, ok
}

// elsewhere says whether a registered peer is connected to this node from outside of where it
// declared to live. The first time its entry is read again, since it may have moved.
func (n *Node) elsewhere(id peer.ID) bool {
	list, demanded, ok := n.declared(id)
	if !ok || !outside(list, met(n.p2p.Host(), id), demanded) {
		return false
	}
	n.Ledger().ReadAgain(id)
	return true
}

// adElsewhere says the same of an ad: no direct public address in it may lie outside, for
// players would be sent there.
func (n *Node) adElsewhere(id peer.ID, ad *wire.Ad) bool {
	list, demanded, ok := n.declared(id)
	if !ok {
		return false
	}
	for _, s := range adSubnets(ad) {
		if outside(list, []subnet.Subnet{s}, demanded) {
			n.Ledger().ReadAgain(id)
			return true
		}
	}
	return n.elsewhere(id)
}

// adAddrs are this peer's addresses for its ad, without those outside of what it declared: an
// indexer would not take the ad.
func (n *Node) adAddrs(all []ma.Multiaddr) []ma.Multiaddr {
	list, _, ok := n.declared(n.ID())
	if !ok || len(list) == 0 {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(a ma.Multiaddr) bool {
		s, public := subnetOf(a)
		return public && !slices.Contains(list, s)
	})
}
