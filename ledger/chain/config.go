package chain

import (
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/cometbft/cometbft/p2p"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/proof"
)

// Mode says what a node does on the chain.
type Mode string

// Modes. Solo is a Validator that the genesis file names as the only one.
const (
	Validator Mode = "validator" // proposes and votes once its stake counts
	Full      Mode = "full"      // follows, keeps the state, answers with proofs
)

// Config is how a Chain is started. The zero value of a field with a default takes it.
type Config struct {
	Dir     string       // everything is kept below it; created 0700
	Genesis *genesis.Doc // the network
	Mode    Mode

	Listen  string             // host:port where other validators and full nodes connect, port 0 = any free one; "" = this node only dials
	Peers   []string           // id@host:port, kept connected
	NodeKey ed25519.PrivateKey // identity towards them

	BlockInterval  time.Duration // pause after a block; default 1 s
	ProposeTimeout time.Duration // until a silent proposer is passed over; default 3 s

	MempoolTxs   int   // transactions that wait; default 5000
	MempoolBytes int64 // together; default 16 MiB

	SnapshotEvery uint64 // heights between snapshots for others; 0 = none. Whoever loads one needs it kept for minutes
	KeepSnapshots int    // default 2
	KeepVersions  uint64 // heights of which the state is kept, for proofs; default 1000
	KeepBlocks    uint64 // blocks that are kept; 0 = all. Blocks that evidence may need are kept anyway

	Kernel  proof.Kernel  // recomputes what fraud proofs are about; a node without one could not follow the others
	Matcher proof.Matcher // recomputes match certificates; likewise

	Bootstrap     Headers       // nil = replay all blocks
	DiscoveryTime time.Duration // to look for snapshots; default 15 s, at least 5 s

	Unsynced   bool // do not wait for the disk at each block: a power cut may cost the last ones, a crash of the program does not
	CacheMiB   int  // of the store; 0 = as the state needs it, see store.Options
	Log        *slog.Logger
	Registerer prometheus.Registerer // nil = no metrics
	Now        func() time.Time      // for the check of the clock; default time.Now
}

func (c Config) withDefaults() Config {
	if c.BlockInterval == 0 {
		c.BlockInterval = time.Second
	}
	if c.ProposeTimeout == 0 {
		c.ProposeTimeout = 3 * time.Second
	}
	if c.MempoolTxs == 0 {
		c.MempoolTxs = 5000
	}
	if c.MempoolBytes == 0 {
		c.MempoolBytes = 16 << 20
	}
	if c.KeepSnapshots == 0 {
		c.KeepSnapshots = 2
	}
	if c.KeepVersions == 0 {
		c.KeepVersions = 1000
	}
	if c.DiscoveryTime == 0 {
		c.DiscoveryTime = 15 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// validate wraps ErrConfig and names the field.
func (c Config) validate() error {
	bad := func(format string, a ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{ErrConfig}, a...)...)
	}
	switch {
	case c.Dir == "":
		return bad("no directory for its data")
	case c.Genesis == nil:
		return bad("no genesis file; every network starts from one")
	case c.Mode != Validator && c.Mode != Full:
		return bad("mode %q; choose %s or %s", c.Mode, Validator, Full)
	case len(c.NodeKey) != ed25519.PrivateKeySize:
		return bad("no node key")
	case c.Kernel == nil:
		return bad("no kernel to judge fraud proofs by; hand one in")
	case c.Matcher == nil:
		return bad("no rules to judge match certificates by; hand them in")
	case c.BlockInterval < 10*time.Millisecond || c.BlockInterval > time.Minute:
		return bad("block interval %s; choose 10 ms to 1 min", c.BlockInterval)
	case c.ProposeTimeout < 50*time.Millisecond || c.ProposeTimeout > time.Minute:
		return bad("propose timeout %s; choose 50 ms to 1 min", c.ProposeTimeout)
	case c.MempoolTxs < 1 || c.MempoolTxs > 1_000_000 || c.MempoolBytes < 1<<20 || c.MempoolBytes > 1<<30:
		return bad("a pool of %d transactions and %d bytes; choose 1 to 1000000 and 1 MiB to 1 GiB", c.MempoolTxs, c.MempoolBytes)
	case c.KeepVersions < minVersions:
		return bad("%d versions of the state are kept; keep %d or more, light clients ask for recent ones", c.KeepVersions, minVersions)
	case c.Bootstrap != nil && c.DiscoveryTime < minDiscovery:
		return bad("%s to look for snapshots; choose %s or more", c.DiscoveryTime, minDiscovery)
	case c.SnapshotEvery > 0 && c.KeepSnapshots < 1:
		return bad("no snapshot is kept; keep 1 or more, or make none")
	}
	if c.Listen != "" {
		if _, _, err := net.SplitHostPort(c.Listen); err != nil {
			return bad("listen address %q; write host:port: %w", c.Listen, err)
		}
	}
	for _, peer := range c.Peers {
		if _, err := p2p.NewNetAddressString(peer); err != nil && !strings.Contains(err.Error(), "lookup") {
			return bad("peer %q; write id@host:port, as the other node shows it: %w", peer, err)
		}
	}
	return nil
}

// minVersions is the least number of states that are kept.
const minVersions = 10

// minDiscovery is the shortest time in which the engine looks for snapshots.
const minDiscovery = 5 * time.Second
