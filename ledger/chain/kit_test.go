package chain

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
)

// patience bounds every wait of a test; it is no measure of speed.
const patience = 4 * time.Minute

// seeded is a key that is the same in every run.
func seeded(name string, i int) ed25519.PrivateKey {
	sum := sha256.Sum256(fmt.Appendf(nil, "test/%s/%d", name, i))
	return ed25519.NewKeyFromSeed(sum[:])
}

func public(k ed25519.PrivateKey) (out [32]byte) {
	copy(out[:], k.Public().(ed25519.PublicKey))
	return out
}

// network is a genesis file and the directories of its validators.
type network struct {
	t       testing.TB
	doc     *genesis.Doc
	dirs    []string
	players []ed25519.PrivateKey // with 1000 FRM each
	addrs   []string             // where validator i listens
}

// plan of a network.
type plan struct {
	validators int
	players    int
	epoch      uint64 // seconds; 0 = 900
	away       uint64 // epochs without a seat for those who were missing; 0 = the default
	root       string // of the directories; "" = the test's own
}

// newNetwork writes the keys of the validators and builds the genesis file that names
// them.
func newNetwork(t testing.TB, p plan) *network {
	t.Helper()
	n := &network{t: t}
	params := economics.DefaultParams()
	if p.epoch > 0 {
		params.EpochSeconds = p.epoch
	}
	if p.away > 0 {
		params.ValidatorAwayEpochs = p.away
	}
	params.OracleMin = 1
	gp := genesis.Plan{Chain: "test-1", Time: time.Now().Truncate(time.Millisecond), Params: &params}
	root := p.root
	if root == "" {
		root = t.TempDir()
	}
	for i := range p.validators {
		dir := filepath.Join(root, fmt.Sprintf("v%d", i))
		ck, err := ConsensusKey(dir)
		if err != nil {
			t.Fatal(err)
		}
		vk, err := VRFKey(dir)
		if err != nil {
			t.Fatal(err)
		}
		n.dirs = append(n.dirs, dir)
		n.addrs = append(n.addrs, freePort(t))
		gp.Nodes = append(gp.Nodes, genesis.Node{
			Node: public(seeded("node", i)), Owner: public(seeded("owner", i)),
			Roles: genesis.Roles(economics.RoleChecker), VRFKey: vk, ConsensusKey: ck,
			Stake: 20_000 * uint64(amount.FRM), Delegate: true,
		})
		gp.Accounts = append(gp.Accounts, genesis.Account{Address: public(seeded("owner", i)), Amount: 100 * uint64(amount.FRM)})
	}
	for i := range p.players {
		k := seeded("player", i)
		n.players = append(n.players, k)
		gp.Accounts = append(gp.Accounts, genesis.Account{Address: public(k), Amount: 1000 * uint64(amount.FRM)})
	}
	doc, err := genesis.Build(gp)
	if err != nil {
		t.Fatal(err)
	}
	n.doc = doc
	return n
}

// freePort is an address that stays free while its validator is down: a port of 127.0.0.1 could
// be another's by then, of a connection that somebody opens too. Where every address of
// 127.0.0.0/8 is this machine, each call has one of its own.
func freePort(t testing.TB) string {
	t.Helper()
	pid, call := os.Getpid(), ports.Add(1)
	l, err := net.Listen("tcp", fmt.Sprintf("127.%d.%d.%d:0", 1+pid/250%250, pid%250, 1+call%250))
	if err != nil {
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// ports counts the calls of freePort.
var ports atomic.Uint32

// id is the engine's name of validator i.
func (n *network) id(i int) string {
	k := public(seeded("node", i))
	return PeerID(k[:])
}

// config of validator i: fast blocks, connected to all others.
func (n *network) config(i int) Config {
	c := Config{
		Dir: n.dirs[i], Genesis: n.doc, Mode: Validator, Listen: n.addrs[i], NodeKey: seeded("node", i),
		BlockInterval: 50 * time.Millisecond, ProposeTimeout: time.Second, Unsynced: true, Log: testLog(n.t, i), Kernel: noKernel{}, Matcher: noMatcher{},
	}
	for j, addr := range n.addrs {
		if j != i {
			c.Peers = append(c.Peers, n.id(j)+"@"+addr)
		}
	}
	if len(n.addrs) == 1 {
		c.Listen = ""
	}
	return c
}

// follower is a full node connected to all validators.
func (n *network) follower(name string, i int) Config {
	c := n.config(0)
	c.Dir, c.Mode, c.Listen = filepath.Join(n.t.TempDir(), name), Full, ""
	c.NodeKey = seeded(name, i)
	c.Peers = nil
	for j, addr := range n.addrs {
		c.Peers = append(c.Peers, n.id(j)+"@"+addr)
	}
	return c
}

// testLog shows warnings, or all with FRAMEMESH_CHAIN_LOG=debug.
func testLog(t testing.TB, i int) *slog.Logger {
	level := slog.LevelError + 4
	if os.Getenv("FRAMEMESH_CHAIN_LOG") == "debug" {
		level = slog.LevelDebug
	} else if os.Getenv("FRAMEMESH_CHAIN_LOG") != "" {
		level = slog.LevelWarn
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})).With("n", i)
}

// launch starts a node and stops it with the test.
func launch(t testing.TB, c Config) *Chain {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	n, err := Start(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { halt(t, n) })
	return n
}

func halt(t testing.TB, n *Chain) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := n.Stop(ctx); err != nil {
		t.Errorf("stopping: %v", err)
	}
}

// launchAll starts validators beside each other.
func launchAll(t testing.TB, configs ...Config) []*Chain {
	t.Helper()
	out, errs := make([]*Chain, len(configs)), make([]error, len(configs))
	var wg sync.WaitGroup
	for i, c := range configs {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			out[i], errs[i] = Start(ctx, c)
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for _, n := range out {
		t.Cleanup(func() { halt(t, n) })
	}
	return out
}

// await waits until cond holds, looking again at each new head of n.
func await(t testing.TB, n *Chain, what string, cond func() bool) {
	t.Helper()
	wake := make(chan struct{}, 1)
	cancel := n.Follow(func(Head) {
		select {
		case wake <- struct{}{}:
		default:
		}
	})
	defer cancel()
	end := time.NewTimer(patience)
	defer end.Stop()
	for !cond() {
		select {
		case <-wake:
		case <-end.C:
			t.Fatalf("%s: not within %s; head %+v, fault %v", what, patience, n.Head(), n.Err())
		}
	}
}

func awaitHeight(t testing.TB, n *Chain, h uint64) {
	t.Helper()
	await(t, n, fmt.Sprintf("height %d", h), func() bool { return n.Head().Height >= h })
}

// transfer is a signed transfer.
func transfer(t testing.TB, chain string, from ed25519.PrivateKey, nonce uint64, to key.Address, units uint64) []byte {
	t.Helper()
	raw, err := tx.Sign(chain, from, &tx.Body{Nonce: nonce, Op: &tx.Body_Transfer{Transfer: &tx.Transfer{To: to[:], Amount: units}}})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// submit brings a transaction to a node, which may have to catch up first: the others of a
// network may have made blocks before it was there.
func submit(t testing.TB, n *Chain, raw []byte) (hash [32]byte) {
	t.Helper()
	awaitPoll(t, "a node that takes transactions", func() (taken bool) {
		var err error
		if hash, err = n.Submit(context.Background(), raw); err != nil && !errors.Is(err, ErrCatchingUp) {
			t.Fatal(err)
		}
		return err == nil
	})
	return hash
}

// committedTx waits until a transaction is proven by the next header.
func committedTx(t testing.TB, n *Chain, hash [32]byte) uint64 {
	t.Helper()
	var at uint64
	await(t, n, fmt.Sprintf("transaction %x", hash), func() bool {
		found, err := n.Tx(hash)
		if err == nil {
			at = found.Height
		}
		return err == nil
	})
	return at
}

// account reads an account of the newest committed state.
func account(t testing.TB, n *Chain, a key.Address) state.Account {
	t.Helper()
	var out state.Account
	err := n.View(func(r state.Reader) error {
		raw, err := r.Get(state.AccountKey(a))
		if err != nil || raw == nil {
			return err
		}
		out, err = state.DecodeAccount(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// rootAt is the root of the state after block h, as header h+1 has it.
func rootAt(t testing.TB, n *Chain, h uint64) string {
	t.Helper()
	b, err := n.lightBlock(h + 1)
	if err != nil {
		t.Fatal(err)
	}
	return b.Header.AppHash.String()
}

// awaitPoll waits for what nobody announces.
func awaitPoll(t testing.TB, what string, cond func() bool) {
	t.Helper()
	if !polled(cond) {
		t.Fatalf("%s: not within %s", what, patience)
	}
}

// polled is awaitPoll for goroutines other than the test's, which must not end it.
func polled(cond func() bool) bool {
	end := time.NewTimer(patience)
	defer end.Stop()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for !cond() {
		select {
		case <-look.C:
		case <-end.C:
			return false
		}
	}
	return true
}

// noKernel is for networks in which nobody proves a fraud.
type noKernel struct{ proof.Kernel }

// noMatcher is for networks in which nobody reports a match.
type noMatcher struct{ proof.Matcher }
