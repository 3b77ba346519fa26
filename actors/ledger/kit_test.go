package ledger

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/actors/checker/recompute"
	"github.com/framemesh/framemesh/actors/indexer/match"
	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/chain"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/light"
)

func seeded(name string, i int) ed25519.PrivateKey {
	sum := sha256.Sum256(fmt.Appendf(nil, "actors ledger/%s/%d", name, i))
	return ed25519.NewKeyFromSeed(sum[:])
}

func address(k ed25519.PrivateKey) key.Address { return Signer{Key: k}.Address() }

// genesisRP is the score of the container, milli-RP.
const genesisRP = 30_000

// genesisOf is a network with one validator (key "node" 0), one container (key "node" 1,
// which acts for its owner), one oracle, and accounts "player" 0 to 9.
func genesisOf(t testing.TB, consensus, vrf genesis.Key, start time.Time) *genesis.Doc {
	t.Helper()
	p := economics.DefaultParams()
	p.EpochSeconds, p.OracleMin = 2, 1
	plan := genesis.Plan{Chain: "actor-test", Time: start.Truncate(time.Millisecond), Params: &p,
		Oracles: []key.Address{address(seeded("oracle", 0))},
		Nodes: []genesis.Node{
			{Node: key.Node(address(seeded("node", 0))), Owner: address(seeded("owner", 0)), Roles: genesis.Roles(economics.RoleChecker),
				ConsensusKey: consensus, VRFKey: vrf, Stake: 20_000 * uint64(amount.FRM), Delegate: true},
			{Node: key.Node(address(seeded("node", 1))), Owner: address(seeded("owner", 1)), Roles: genesis.Roles(economics.RoleContainer),
				Price: 360_000, RPMilli: genesisRP, Stake: 20_000 * uint64(amount.FRM), Delegate: true},
		}}
	for i := range 2 {
		plan.Accounts = append(plan.Accounts, genesis.Account{Address: address(seeded("owner", i)), Amount: 100 * uint64(amount.FRM)})
	}
	for i := range 10 {
		plan.Accounts = append(plan.Accounts, genesis.Account{Address: address(seeded("player", i)), Amount: 1000 * uint64(amount.FRM)})
	}
	doc, err := genesis.Build(plan)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// solo is a real chain of one validator with fast blocks.
func solo(t testing.TB) (*chain.Chain, *genesis.Doc) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "chain")
	ck, err := chain.ConsensusKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	vk, err := chain.VRFKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	doc := genesisOf(t, ck, vk, time.Now())
	c, err := chain.Start(within(t), chain.Config{Dir: dir, Genesis: doc, Mode: chain.Validator, NodeKey: seeded("node", 0),
		BlockInterval: 40 * time.Millisecond, ProposeTimeout: time.Second, Unsynced: true, Kernel: recompute.New(), Matcher: match.Rules{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := c.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return c, doc
}

// near carries questions to chains in this process.
type near map[string]*light.Server

func (n near) Peers(context.Context) []string {
	var out []string
	for p := range n {
		out = append(out, p)
	}
	return out
}

func (n near) Call(ctx context.Context, p string, req *light.Request) (*light.Response, error) {
	return n[p].Handle(ctx, "test", req)
}

// witness is a second peer with the same chain that takes no transactions.
type witness struct{ light.Backend }

func (witness) Submit(context.Context, []byte) ([32]byte, uint32, string, error) {
	return [32]byte{}, 0, "", light.ErrBusy
}

// lightOf follows a chain with proofs.
func lightOf(t testing.TB, c *chain.Chain, doc *genesis.Doc) *light.Client {
	t.Helper()
	a, b := light.NewServer(c.Server()), light.NewServer(witness{c.Server()})
	lc, err := light.New(light.Config{Genesis: doc, Transport: near{"a": a, "b": b}, Poll: 50 * time.Millisecond, MinGap: 10 * time.Millisecond, Timeout: patience / 4,
		Fault: func(p string, err error) { t.Errorf("an honest peer %s is blamed: %v", p, err) }})
	if err != nil {
		t.Fatal(err)
	}
	if err := lc.Start(within(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := lc.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return lc
}

// begun is a running Ledger.
func begun(t testing.TB, o Options) *Ledger {
	t.Helper()
	sys, err := supervise.NewSystem(supervise.Options{})
	if err != nil {
		t.Fatal(err)
	}
	o.System = sys
	if o.CloseWait == 0 {
		o.CloseWait = 20 * time.Millisecond
	}
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Start(within(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := l.Stop(ctx); err != nil {
			t.Error(err)
		}
		if err := sys.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return l
}

// patience bounds every wait of a test; it is no measure of speed.
const patience = 4 * time.Minute

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// until waits for something that other goroutines bring about.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ctx := within(t)
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatal("never happened: ", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// room is a topic in this process.
type room struct {
	mu      sync.Mutex
	members map[peer.ID]func(peer.ID, []byte)
}

// seat is one node in a room.
type seat struct {
	r  *room
	id peer.ID
}

func (s seat) Publish(_ context.Context, body []byte) error {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	for id, handle := range s.r.members {
		if id != s.id {
			handle(s.id, body)
		}
	}
	return nil
}

func (s seat) Subscribe(_ context.Context, handle func(peer.ID, []byte)) error {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	if s.r.members == nil {
		s.r.members = map[peer.ID]func(peer.ID, []byte){}
	}
	s.r.members[s.id] = handle
	return nil
}
