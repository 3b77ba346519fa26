package chain

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/cometbft/cometbft/blocksync"
	cmtconfig "github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/consensus"
	"github.com/cometbft/cometbft/mempool"
	"github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/proxy"
	sm "github.com/cometbft/cometbft/state"
	"github.com/cometbft/cometbft/statesync"
	"github.com/framemesh/framemesh/ledger/tx"
)

// clockTolerance is how far in the future, by this machine's clock, a block may be. Block
// time is the median of many clocks, so when this bound bites it is this machine that is
// wrong. It is wide because a node beyond it stops; clock.go warns long before.
const clockTolerance = 24 * time.Hour

// engineConfig is what the engine is told. It opens no port but Listen, writes below
// Dir/engine and exchanges no addresses with peers.
func engineConfig(c Config) (*cmtconfig.Config, error) {
	e := cmtconfig.DefaultConfig()
	e.SetRoot(filepath.Join(c.Dir, "engine"))
	for _, dir := range []string{"config", "data"} {
		if err := os.MkdirAll(filepath.Join(e.RootDir, dir), 0o700); err != nil {
			return nil, fmt.Errorf("chain: %w", err)
		}
	}
	e.Moniker = "framemesh"
	e.RPC.ListenAddress, e.RPC.PprofListenAddress = "", ""
	e.Instrumentation.Prometheus = false
	e.TxIndex.Indexer = "null" // ours is smaller and is pruned

	e.P2P.ListenAddress = "tcp://" + c.Listen
	e.P2P.MaxNumInboundPeers, e.P2P.MaxNumOutboundPeers = 40, 16
	if c.Listen == "" {
		// the engine must listen somewhere; nobody is let in here
		e.P2P.ListenAddress, e.P2P.MaxNumInboundPeers = "tcp://127.0.0.1:0", 0
	}
	if loopback(c.Listen) {
		e.P2P.AllowDuplicateIP, e.P2P.AddrBookStrict = true, false
	}
	e.P2P.PexReactor = false
	// The peers are told to it when it is made, see dialPeers.
	e.P2P.PersistentPeersMaxDialPeriod = 5 * time.Second
	e.P2P.HandshakeTimeout = 10 * time.Second
	e.P2P.SendRate, e.P2P.RecvRate = 20<<20, 20<<20 // bytes per second and peer

	e.Consensus.TimeoutCommit = c.BlockInterval
	e.Consensus.TimeoutPropose = c.ProposeTimeout
	e.Consensus.TimeoutProposeDelta = c.ProposeTimeout / 4
	e.Consensus.TimeoutPrevote, e.Consensus.TimeoutPrecommit = c.ProposeTimeout/3, c.ProposeTimeout/3
	e.Consensus.TimeoutPrevoteDelta, e.Consensus.TimeoutPrecommitDelta = c.ProposeTimeout/6, c.ProposeTimeout/6
	e.Consensus.PeerGossipSleepDuration = min(100*time.Millisecond, max(5*time.Millisecond, c.BlockInterval/4))
	e.Consensus.BlockTimeTolerance = clockTolerance
	// Every block moves the seed and thereby the root, and the engine signs for a new root
	// at once: a chain without transactions makes a block each BlockInterval all the same.
	e.Consensus.CreateEmptyBlocks = true

	// never more than the pool's own bounds: see there
	e.Mempool.Size, e.Mempool.MaxTxsBytes = c.MempoolTxs, c.MempoolBytes
	e.Mempool.CacheSize = 2 * c.MempoolTxs
	e.Mempool.MaxTxBytes = tx.MaxSize
	e.Mempool.Recheck = true // what still waits is asked about again after each block
	e.Mempool.RecheckTimeout = 5 * time.Second

	if c.Bootstrap != nil {
		e.StateSync.Enable = true
		e.StateSync.DiscoveryTime = c.DiscoveryTime
		e.StateSync.ChunkFetchers = 4
		e.StateSync.ChunkRequestTimeout = 10 * time.Second
		e.StateSync.TempDir = filepath.Join(e.RootDir, "data")
	}
	return e, nil
}

// loopback says whether host:port cannot be reached from other machines.
func loopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return listen == ""
	}
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// noMetrics keeps the engine's own metrics out: they register with the process's global
// registry, where two nodes in one process collide.
func noMetrics(string) (*consensus.Metrics, *p2p.Metrics, *mempool.Metrics, *sm.Metrics, *proxy.Metrics, *blocksync.Metrics, *statesync.Metrics) {
	return consensus.NopMetrics(), p2p.NopMetrics(), mempool.NopMetrics(), sm.NopMetrics(), proxy.NopMetrics(), blocksync.NopMetrics(), statesync.NopMetrics()
}

var _ node.MetricsProvider = noMetrics
