package chain

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	dbm "github.com/cometbft/cometbft-db"
	abci "github.com/cometbft/cometbft/abci/types"
	cmtconfig "github.com/cometbft/cometbft/config"
	cmted "github.com/cometbft/cometbft/crypto/ed25519"
	cmtnode "github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/p2p"
	sm "github.com/cometbft/cometbft/state"
	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/framemesh/framemesh/ledger/comet"
	"github.com/framemesh/framemesh/ledger/store"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/ledger/vrf"
)

// storeDir is where the store lies below Config.Dir.
const storeDir = "store"

// moreVerified is how many good signatures are remembered beside those of a full pool, so
// that a transaction is verified once on its way from the pool into a block.
const moreVerified = 10_000

// Head is where the chain stands.
type Head struct {
	Height     uint64   // of the newest committed block, 0 = none yet
	Hash       [32]byte // of its header
	TimeMS     uint64   // its time, Unix milliseconds
	AppHash    [32]byte // root of the state after it; in the header of Height+1
	Validators int      // that could sign it
	Epoch      uint64   // of its time
	CatchingUp bool     // other nodes are known to be further
	Warning    string   // one sentence about this machine that its operator should act on, or ""
}

// Chain is a running node of the ledger.
type Chain struct {
	c       Config
	seams   seams
	log     *slog.Logger
	metrics *metrics

	db     *store.DB
	gate   *gate
	app    *application
	node   *cmtnode.Node
	blocks blockStore
	states sm.Store
	self   cmttypes.Address
	addr   string

	submits submissions

	// in
	heads chan Head // newest wins
	done  chan struct{}

	mu        sync.Mutex
	followers map[int]func(Head)
	next      int
	fault     error
	halted    chan struct{} // closed with the fault
	warning   atomic.Pointer[string]
	doubt     clockDoubt // follow's own

	stopping atomic.Pointer[string] // what Stop waits for
	stopOnce sync.Once
	stopErr  error
	stopped  chan struct{}
}

// Start runs a node until Stop. It returns once the node has replayed what it had and
// listens; catching up with others goes on beside.
func Start(ctx context.Context, c Config) (*Chain, error) { return startWith(ctx, c, seams{}) }

// seams are where tests put a validator that lies in place of the honest parts.
type seams struct {
	signer func(*Chain, cmttypes.PrivValidator) cmttypes.PrivValidator
	app    func(abci.Application) abci.Application
}

func startWith(ctx context.Context, c Config, s seams) (*Chain, error) {
	c = c.withDefaults()
	if err := c.validate(); err != nil {
		return nil, err
	}
	listen, err := choosePort(c.Listen)
	if err != nil {
		return nil, explain(err, c)
	}
	c.Listen = listen
	n := &Chain{c: c, seams: s, log: c.Log, gate: new(gate), heads: make(chan Head, 1),
		done: make(chan struct{}), followers: map[int]func(Head){}, halted: make(chan struct{}), stopped: make(chan struct{})}
	if err := n.start(ctx); err != nil {
		return nil, errors.Join(explain(err, c), n.closeStore())
	}
	return n, nil
}

func (n *Chain) start(ctx context.Context) (err error) {
	if n.metrics, err = newMetrics(n.c.Registerer); err != nil {
		return err
	}
	var signer cmttypes.PrivValidator
	var prover *vrf.PrivateKey
	if n.c.Mode == Validator {
		pv, err := loadSigner(n.c.Dir, false)
		if err != nil {
			return err
		}
		k, err := vrf.Load(filepath.Join(n.c.Dir, VRFKeyFile))
		if err != nil {
			return fmt.Errorf("%w: %w", ErrKey, err)
		}
		signer, prover = pv, &k
	} else if signer, err = newSilent(); err != nil {
		return err
	}
	pub, err := signer.GetPubKey()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrKey, err)
	}
	n.self = pub.Address()
	if n.seams.signer != nil {
		signer = n.seams.signer(n, signer)
	}
	if err := n.open(prover); err != nil {
		return err
	}
	return n.run(ctx, signer)
}

// open opens the store and puts the application on it.
func (n *Chain) open(prover *vrf.PrivateKey) (err error) {
	if err := os.MkdirAll(n.c.Dir, 0o700); err != nil {
		return fmt.Errorf("chain: %w", err)
	}
	n.db, err = store.Open(filepath.Join(n.c.Dir, storeDir), store.Options{
		Sync: !n.c.Unsynced, CacheMiB: n.c.CacheMiB, Chain: n.c.Genesis.ChainID, Genesis: n.c.Genesis.Hash(), Log: n.log,
	})
	if errors.Is(err, store.ErrForeign) {
		return fmt.Errorf("%w: %w", ErrGenesis, err)
	}
	if err != nil {
		return err
	}
	tree, err := n.db.Tree()
	if err != nil {
		return err
	}
	snaps, err := openSnapshots(n.c, n.db, tree, n.metrics)
	if err != nil {
		return err
	}
	index, err := openIndex(n.comet("txindex"))
	if err != nil {
		return err
	}
	verifier := tx.NewVerifier(n.c.Genesis.ChainID, n.c.MempoolTxs+moreVerified)
	n.app = &application{
		c: n.c, log: n.log, metrics: n.metrics, tree: tree, snaps: snaps, vrf: prover,
		index:    index,
		pool:     pool{txs: n.c.MempoolTxs, bytes: n.c.MempoolBytes},
		verifier: verifier, line: newLine(verifier),
		decoder: newDecoder(n.c.MempoolTxs + 1000),
		onBlock: n.onBlock,
	}
	n.states = sm.NewStore(n.comet("state"), sm.StoreOptions{})
	return n.resume()
}

// comet is one of the engine's databases, behind the gate.
func (n *Chain) comet(name string) dbm.DB { return guarded{n.db.Comet(name), n.gate} }

// run starts the engine.
func (n *Chain) run(ctx context.Context, signer cmttypes.PrivValidator) error {
	e, err := engineConfig(n.c)
	if err != nil {
		return err
	}
	options := []cmtnode.Option{}
	if n.c.Bootstrap != nil {
		options = append(options, cmtnode.StateProvider(trusted{n.c.Genesis, n.c.Bootstrap}))
	}
	if err := n.assemble(ctx, e, signer, options); err != nil {
		return err
	}
	n.blocks = n.node.BlockStore()
	go n.follow()
	if err := n.node.Switch().AddPersistentPeers(n.c.Peers); err != nil {
		close(n.done)
		return fmt.Errorf("chain: peers: %w", err)
	}
	if err := n.startNode(ctx); err != nil {
		close(n.done)
		return err
	}
	n.dialPeers()
	if sw, ok := n.node.Switch().(*p2p.Switch); ok && n.c.Listen != "" {
		n.addr = p2p.IDAddressString(sw.NetAddress().ID, sw.NetAddress().DialString())
	}
	return nil
}

// assemble makes the engine, which first replays what the state lacks. It panics where the
// stores contradict each other.
func (n *Chain) assemble(ctx context.Context, e *cmtconfig.Config, signer cmttypes.PrivValidator, options []cmtnode.Option) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: the data in %s contradicts itself: %v; keep the keys, move the rest away, and start again from the network", ErrHalted, n.c.Dir, p)
		}
	}()
	lines := clients{n.app, n.app}
	if n.seams.app != nil {
		lines.engine = n.seams.app(n.app)
	}
	n.node, err = cmtnode.NewNodeWithContext(ctx, e, signer,
		&p2p.NodeKey{PrivKey: cmted.PrivKey(n.c.NodeKey)}, lines,
		func() (*cmttypes.GenesisDoc, error) { return comet.GenesisDoc(n.c.Genesis) },
		func(d *cmtconfig.DBContext) (dbm.DB, error) { return n.comet(d.ID), nil },
		noMetrics, newEngineLog(n.log, n.onFault), options...)
	if err != nil {
		return fmt.Errorf("chain: %w", err)
	}
	return nil
}

// startNode starts the engine, which waits for a genesis time in the future, within ctx.
func (n *Chain) startNode(ctx context.Context) error {
	started := make(chan error, 1)
	if wait := n.c.Genesis.Time.Sub(n.c.Now()); wait > clockRefuse {
		n.log.Warn("the network has not begun yet", "begins", n.c.Genesis.Time, "in", wait.Round(time.Second))
	}
	go func() { started <- n.node.Start() }()
	select {
	case err := <-started:
		return err
	case <-ctx.Done():
		go func() {
			if err := <-started; err == nil {
				_ = n.node.Stop()
			}
		}()
		return fmt.Errorf("chain: starting: %w", ctx.Err())
	}
}

// resume finds the newest block again after a start.
func (n *Chain) resume() error {
	h := uint64(n.app.tree.Version())
	if h == 0 {
		return nil
	}
	meta, err := n.storedMeta(h)
	if err != nil {
		return err
	}
	head := Head{Height: h, AppHash: [32]byte(n.app.tree.Root())}
	if meta != nil {
		head.Hash, head.TimeMS = [32]byte(meta.BlockID.Hash), uint64(meta.Header.Time.UnixMilli())
		head.Epoch = n.c.Genesis.Epoch(head.TimeMS)
		if err := checkClock(n.c.Mode, meta.Header.Time, n.c.Now()); err != nil {
			return err
		}
	}
	if vals, err := n.states.LoadValidators(int64(h)); err == nil {
		head.Validators = vals.Size()
	}
	if err := n.app.openMachine(); err != nil {
		return err
	}
	return n.app.publish(head)
}

// Stop ends consensus, then the engine, then closes the store: nothing is lost at any
// point, so when ctx ends first the rest is left as after a crash.
func (n *Chain) Stop(ctx context.Context) error {
	n.stopOnce.Do(func() {
		first := "it has not begun to"
		n.stopping.Store(&first)
		go func() {
			defer close(n.stopped)
			n.stopErr = n.stop()
		}()
	})
	select {
	case <-n.stopped:
		return n.stopErr
	case <-ctx.Done():
		return fmt.Errorf("chain: stopping: %s: %w", *n.stopping.Load(), ctx.Err())
	}
}

func (n *Chain) stop() error {
	var err error
	doing := func(what string) { n.stopping.Store(&what) }
	doing("the engine has not ended")
	if n.node.IsRunning() {
		err = n.node.Stop()
		n.node.Wait()
		err = errors.Join(err, n.node.ProxyApp().Stop()) // which the engine leaves to whoever gave it the application
	}
	close(n.done)
	doing("the store is not closed")
	return errors.Join(err, n.closeStore())
}

func (n *Chain) closeStore() error {
	if n.app != nil {
		n.app.snaps.stop()
	}
	n.gate.close()
	if n.db == nil {
		return nil
	}
	return n.db.Close()
}

// onFault keeps the first reason for which the engine gave up.
func (n *Chain) onFault(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fault == nil {
		n.fault = explain(err, n.c)
		close(n.halted)
	}
}

// Halted is closed once Err has a reason.
func (n *Chain) Halted() <-chan struct{} { return n.halted }

// Err is why the chain stands still and will until it is started anew, or nil. It wraps
// ErrHalted.
func (n *Chain) Err() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.fault
}

// PeerAddress is id@host:port, what other nodes write into Config.Peers; "" for a node that
// only dials.
func (n *Chain) PeerAddress() string { return n.addr }

// PeerID is the id of a node key in PeerAddress, so that Peers can be written down before
// the nodes run.
func PeerID(pub []byte) string {
	return hex.EncodeToString(cmted.PubKey(pub).Address())
}
