package node

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/actors/indexer"
	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
)

// Bounds of asking for accounts.
const (
	accountIndexers = 16               // of a region that are asked
	accountPeers    = 32               // in all
	accountFind     = 4 * time.Second  // to look for indexers
	accountTimeout  = 10 * time.Second // of one answer
)

// IndexerAccount is what one indexer said of a container's matches.
type IndexerAccount struct {
	Indexer peer.ID
	Account *wire.AccountResponse
}

// Accounts asks the indexers of the configuration's region, and the peers that are connected,
// what became of a container in their last matches; k is the container's key. It returns the
// answers by peer id. Who does not answer is left out; that nobody does is no error.
func (d *Dial) Accounts(ctx context.Context, k crypto.PrivKey) []IndexerAccount {
	h := d.node.Host()
	var ask []peer.ID
	looking, cancel := context.WithTimeout(ctx, accountFind)
	found, err := d.node.Discovery().Find(looking, string(RoleIndexer), d.region, accountIndexers)
	cancel()
	if err == nil { // else those that are connected have to do
		for _, p := range found {
			h.Peerstore().AddAddrs(p.ID, p.Addrs, time.Minute)
			ask = append(ask, p.ID)
		}
	}
	for _, id := range h.Network().Peers() {
		if !slices.Contains(ask, id) {
			ask = append(ask, id)
		}
	}
	calls := rpc.NewClient(h, d.node.Network())
	var mu sync.Mutex
	var out []IndexerAccount
	var wg sync.WaitGroup
	for _, id := range ask[:min(len(ask), accountPeers)] {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, accountTimeout)
			defer cancel()
			req, err := indexer.NewAccountRequest(d.node.Network(), k, id, time.Now())
			resp := new(wire.AccountResponse)
			if err != nil || calls.Reading(indexer.MaxAccount).Call(ctx, id, indexer.AccountProtocol, req, resp) != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			out = append(out, IndexerAccount{id, resp})
		})
	}
	wg.Wait()
	slices.SortFunc(out, func(a, b IndexerAccount) int { return strings.Compare(a.Indexer.String(), b.Indexer.String()) })
	return out
}
