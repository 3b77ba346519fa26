package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/time/rate"

	"github.com/framemesh/framemesh/ledger/light"
	"github.com/framemesh/framemesh/p2p/rpc"
)

// ledgerRPC is the name of the protocol through which light clients ask.
const ledgerRPC = "ledger"

// ledgerLimits bound what light clients can make this node do, and what it reads of others'
// answers. A whole block is the largest answer; a client that catches up asks a few dozen
// times in a second.
var ledgerLimits = rpc.Limits{MaxRequest: light.MaxRequest, MaxResponse: light.MaxResponse, Timeout: 5 * time.Second,
	PerPeerRate: rate.Limit(50), Burst: 200, MaxConcurrent: 64}

// ledgerWire carries a light client's questions over stream RPC.
type ledgerWire struct {
	host    host.Host
	calls   *rpc.Client
	network string
}

var _ light.Transport = ledgerWire{}

// Peers lists the connected peers that answer the ledger's protocol, in a fixed order.
func (w ledgerWire) Peers(context.Context) []string {
	id := rpc.ProtocolID(w.network, ledgerRPC)
	var out []string
	for _, p := range w.host.Network().Peers() {
		if w.host.Network().Connectedness(p) != network.Connected {
			continue
		}
		if got, err := w.host.Peerstore().SupportsProtocols(p, id); err == nil && len(got) > 0 {
			out = append(out, p.String())
		}
	}
	slices.Sort(out)
	return out
}

// Call asks one peer, and once more where no answer came: all that light clients ask can be asked
// again, and a peer that has just been restarted refuses the connection that it has forgotten.
func (w ledgerWire) Call(ctx context.Context, to string, req *light.Request) (*light.Response, error) {
	id, err := peer.Decode(to)
	if err != nil {
		return nil, fmt.Errorf("node: ledger peer %q: %w", to, err)
	}
	resp := new(light.Response)
	calls := w.calls.Reading(ledgerLimits.MaxResponse)
	err = calls.Call(ctx, id, ledgerRPC, req, resp)
	if errors.Is(err, rpc.ErrUnreachable) && ctx.Err() == nil {
		resp = new(light.Response)
		err = calls.Call(ctx, id, ledgerRPC, req, resp)
	}
	if err != nil {
		return nil, err
	}
	return resp, nil
}
