package chain

import (
	"time"

	"github.com/cometbft/cometbft/p2p"
)

// redial is how often a peer is called whose name did not resolve when the node started.
const redial = 5 * time.Second

// dialPeers calls the peers. The engine is not told to: it calls each after a random wait of up
// to three seconds, which a small network feels at each start, and does so after it was stopped,
// too; that call is answered and never hung up, and the peer refuses the node's next
// connections, being connected to it already, until it finds nobody there minutes later.
// Those that were connected the engine calls again by itself.
func (n *Chain) dialPeers() {
	for _, peer := range n.c.Peers {
		go n.dial(peer)
	}
}

func (n *Chain) dial(peer string) {
	unknown := false // to the engine, which knows only names that resolved at the start
	for {
		select {
		case <-n.done:
			return
		default:
		}
		addr, err := p2p.NewNetAddressString(peer)
		if err == nil {
			_ = n.node.Switch().DialPeerWithAddress(addr) // it logs, and calls again
		}
		if unknown = unknown || err != nil; !unknown {
			return
		}
		select {
		case <-n.done:
			return
		case <-time.After(redial):
		}
	}
}
