package chain

import (
	"github.com/cometbft/cometbft/p2p"
)

// dialNow calls the peers at once. The engine calls them too, and goes on doing so, but
// after a random wait of up to three seconds, which a small network feels at each start.
func (n *Chain) dialNow() {
	for _, peer := range n.c.Peers {
		addr, err := p2p.NewNetAddressString(peer)
		if err != nil {
			continue // the name does not resolve yet; the engine tries again
		}
		go func() { _ = n.node.Switch().DialPeerWithAddress(addr) }() // the engine's own call follows
	}
}
