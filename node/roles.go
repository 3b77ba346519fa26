package node

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/time/rate"

	"github.com/framemesh/framemesh/actors/checker"
	"github.com/framemesh/framemesh/actors/indexer"
	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
)

func (n *Node) startIndexer(ctx context.Context) (func(context.Context) error, error) {
	var err error
	o := indexer.Options{System: n.system, RPC: n.server, Ads: n.gossip.Ads(), Finder: n.p2p.Discovery(),
		Beacon: n.beacon(), Key: n.key, Network: n.cfg.Network, Region: n.cfg.Region, Now: n.o.Now, Log: n.log, Registerer: n.reg}
	if l := n.Ledger(); l != nil {
		o.Stake, o.Doubt, o.Figures = l.Stake, l.ReadAgain, measured{l}
		o.Elsewhere = n.adElsewhere
	}
	n.cheatingIndexer(&o)
	n.indexer, err = indexer.New(o)
	if err != nil {
		return nil, err
	}
	if err := n.indexer.Start(ctx); err != nil {
		return nil, err
	}
	return n.indexer.Stop, nil
}

func (n *Node) startChecker(ctx context.Context) (func(context.Context) error, error) {
	c, err := checker.New(checker.Options{System: n.system, Ads: n.gossip.Ads(), Region: n.cfg.Region, Log: n.log, Registerer: n.reg})
	if err != nil {
		return nil, err
	}
	if err := c.Start(ctx); err != nil {
		return nil, err
	}
	return c.Stop, nil
}

// statusLimits are small: the answer is one short message.
var statusLimits = rpc.Limits{MaxRequest: 64, MaxResponse: 1 << 10, Timeout: 2 * time.Second, PerPeerRate: rate.Limit(5), Burst: 20, MaxConcurrent: 16}

func (n *Node) startStatus(context.Context) (func(context.Context) error, error) {
	began := n.o.Now()
	roles := n.roleNames()
	rpc.Handle(n.server, "status", statusLimits, func(context.Context, peer.ID, *wire.StatusRequest) (*wire.StatusResponse, error) {
		now := n.o.Now()
		return &wire.StatusResponse{Roles: roles, Agent: "framemesh/" + Version, Region: n.cfg.Region,
			UptimeMs: uint64(now.Sub(began).Milliseconds()), NowMs: uint64(now.UnixMilli())}, nil
	})
	return nil, nil
}

func (n *Node) roleNames() []string {
	out := make([]string, 0, len(n.cfg.Roles))
	for _, r := range n.cfg.Roles {
		out = append(out, string(r))
	}
	return out
}
