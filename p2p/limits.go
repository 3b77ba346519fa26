package p2p

import (
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/prometheus/client_golang/prometheus"
)

// budget is what a profile lets libp2p use. The connection manager trims from high
// down to low at its leisure; the resource manager refuses what goes over conns at once.
type budget struct {
	low, high int   // connections kept, connections that start a trim
	conns     int   // hard limit, both directions together
	inbound   int   // hard limit on connections that others opened
	streams   int   // hard limit, both directions together
	memory    int64 // bytes of buffers
	files     int   // file descriptors
}

// budgets: the home figures stay below what a cheap router's NAT table bears; a
// loopback node shares one process with dozens of others.
var budgets = map[Profile]budget{
	ProfileHome:     {low: 32, high: 48, conns: 60, inbound: 40, streams: 1024, memory: 128 << 20, files: 256},
	ProfileServer:   {low: 400, high: 800, conns: 1200, inbound: 1000, streams: 16384, memory: 1 << 30, files: 4096},
	ProfileLoopback: {low: 96, high: 128, conns: 256, inbound: 192, streams: 4096, memory: 128 << 20, files: 512},
}

// trimGrace is how long a new connection is safe from the connection manager.
const trimGrace = 20 * time.Second

// resourceManager bounds everything a peer can make this node hold.
func resourceManager(b budget, reg prometheus.Registerer) (network.ResourceManager, error) {
	scaling := rcmgr.DefaultLimits
	libp2p.SetDefaultServiceLimits(&scaling)
	limits := rcmgr.PartialLimitConfig{
		System: rcmgr.ResourceLimits{
			Conns: rcmgr.LimitVal(b.conns), ConnsInbound: rcmgr.LimitVal(b.inbound), ConnsOutbound: rcmgr.LimitVal(b.conns),
			Streams: rcmgr.LimitVal(b.streams), StreamsInbound: rcmgr.LimitVal(b.streams), StreamsOutbound: rcmgr.LimitVal(b.streams),
			Memory: rcmgr.LimitVal64(b.memory), FD: rcmgr.LimitVal(b.files),
		},
		// a peer that has not said who it is yet gets little
		Transient: rcmgr.ResourceLimits{
			Conns: rcmgr.LimitVal(max(16, b.conns/4)), ConnsInbound: rcmgr.LimitVal(max(16, b.conns/4)), ConnsOutbound: rcmgr.LimitVal(max(16, b.conns/2)),
		},
		// one peer must not eat the machine: the mesh needs a handful of streams at a time
		PeerDefault: rcmgr.ResourceLimits{
			Conns: 8, ConnsInbound: 8, ConnsOutbound: 8,
			Streams: 256, StreamsInbound: 128, StreamsOutbound: 256,
			Memory: rcmgr.LimitVal64(16 << 20),
		},
	}.Build(scaling.Scale(b.memory, b.files))
	opts := []rcmgr.Option{rcmgr.WithMetricsDisabled()}
	if reg != nil {
		rcmgr.MustRegisterWith(reg)
		stats, err := rcmgr.NewStatsTraceReporter()
		if err != nil {
			return nil, fmt.Errorf("p2p: resource metrics: %w", err)
		}
		opts = []rcmgr.Option{rcmgr.WithTraceReporter(stats)}
	}
	rm, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(limits), opts...)
	if err != nil {
		return nil, fmt.Errorf("p2p: resource manager: %w", err)
	}
	return rm, nil
}

// connManager closes the least useful connections beyond the budget.
func connManager(b budget) (*connmgr.BasicConnMgr, error) {
	cm, err := connmgr.NewConnManager(b.low, b.high, connmgr.WithGracePeriod(trimGrace))
	if err != nil {
		return nil, fmt.Errorf("p2p: connection manager: %w", err)
	}
	return cm, nil
}
