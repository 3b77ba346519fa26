package state

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/tx"
)

func TestInitWritesTheGenesisFile(t *testing.T) {
	b := newBed(t, func(p *genesis.Plan) {
		p.Accounts = append(p.Accounts, genesis.Account{
			Address: who("team").address(), Amount: 7, Vest: []genesis.Vest{{Amount: 100, CliffEpochs: 5, LinearEpochs: 10}, {Amount: 9, CliffEpochs: 3}},
		})
	})
	n := b.Network()
	if n.Chain != chainName || n.Genesis != b.doc.Hash() || n.Supply != b.doc.Supply || len(n.Oracles) != 1 || n.Allocated[economics.PoolEdge] != b.doc.Pools.Edge {
		t.Errorf("%+v", n)
	}
	s := b.Supply()
	if s.Vesting != 109 || s.Stakes != 30_000*frm || s.Balances != 1_200_000*frm+7 || s.Pool(economics.PoolDAO) != b.doc.Pools.DAO {
		t.Errorf("%+v", s)
	}
	for _, p := range economics.Pools() {
		if s.Pool(p) != b.doc.Pools.Of(p) {
			t.Errorf("pool %s: %d, want %d", p, s.Pool(p), b.doc.Pools.Of(p))
		}
	}
	for k, want := range map[string]Lot{
		string(VestingKey(who("team").address(), 5, 10)): {Held: 100, Granted: 100},
		string(VestingKey(who("team").address(), 3, 0)):  {Held: 9, Granted: 9},
	} {
		if l, ok, err := load(b.overlay, []byte(k), DecodeLot); !ok || err != nil || l != want {
			t.Errorf("%+v %t %v, want %+v", l, ok, err, want)
		}
	}
	v1, ok, _ := b.node(who("v1").node())
	if !ok || v1.Owner != who("v1 owner").address() || v1.Keys.Consensus != who("v1 consensus").key() || v1.NextFrom != 0 {
		t.Errorf("%+v", v1)
	}
	if d, ok, _ := ReadDelegation(b.overlay, v1.Owner, who("v1").node()); !ok || d.Expires != b.Params().DelegationMaxEpochs {
		t.Errorf("%+v %t", d, ok)
	}
	for _, e := range []uint64{0, 1} {
		if set, ok, _ := ReadCandidates(b.overlay, e, checker); !ok || len(set) != 2 {
			t.Errorf("candidates of epoch %d: %v %t", e, set, ok)
		}
	}
}

func TestInitRefusesABadFile(t *testing.T) {
	d, err := genesis.Build(testPlan())
	if err != nil {
		t.Fatal(err)
	}
	d.Pools.DAO++
	s := newMemory()
	if _, _, err := Init(s, d); !errors.Is(err, genesis.ErrAllocation) {
		t.Errorf("got %v", err)
	}
	if len(s.writes) != 0 {
		t.Errorf("%d records written all the same", len(s.writes))
	}
	if _, err := Open(s); !errors.Is(err, ErrState) {
		t.Errorf("open of nothing: %v", err)
	}
}

// TestOpenGoesOn: a machine that is opened again is the one that was closed.
func TestOpenGoesOn(t *testing.T) {
	b := newBed(t)
	b.must(b.do(who("alice"), &tx.Transfer{To: who("bob").raw(), Amount: frm}))
	b.next(25_000)
	b.end()
	again, err := Open(b.store)
	if err != nil {
		t.Fatal(err)
	}
	if again.live != b.live {
		t.Errorf("%+v\n%+v", again.live, b.live)
	}
	b.Machine = again
	b.begin(1)
	b.must(b.do(who("bob"), &tx.Transfer{To: who("alice").raw(), Amount: 5}))
}

func TestOpenRefusesDamage(t *testing.T) {
	for _, k := range [][]byte{NetworkKey(), ParamsKey(), HeadKey(), TotalsKey()} {
		b := newBed(t)
		b.end()
		v, _ := b.store.Get(k)
		b.store.Set(k, v[:len(v)-1])
		if _, err := Open(b.store); !errors.Is(err, ErrRecord) {
			t.Errorf("%q cut off: %v", k, err)
		}
		b.store.Delete(k)
		if _, err := Open(b.store); !errors.Is(err, ErrState) {
			t.Errorf("%q gone: %v", k, err)
		}
	}
	if _, err := Open(broken{}); !errors.Is(err, errBroken) {
		t.Errorf("a disk that fails: %v", err)
	}
}

// TestBlocksWithoutAFlush: several blocks may be written down at once; the records are then
// those of the last.
func TestBlocksWithoutAFlush(t *testing.T) {
	b := newBed(t)
	before := b.Supply()
	b.must(b.move(poolOf(economics.PoolDAO), poolOf(economics.PoolGrants), 5))
	for _, back := range []uint64{0, 5} {
		b.must(b.move(poolOf(economics.PoolGrants), poolOf(economics.PoolDAO), back))
		if _, err := b.EndBlock(); err != nil {
			t.Fatal(err)
		}
		b.begin(1)
	}
	b.end()
	if b.Supply() != before {
		t.Errorf("%+v", b.Supply())
	}
}

// TestFork: a fork starts from the last flushed block, sees its own changes only, and
// cannot be written down.
func TestFork(t *testing.T) {
	b := newBed(t)
	alice, bob := who("alice"), who("bob")
	b.end()
	fork := b.Fork()
	b.begin(1000)
	pay := b.signed(alice, body(&tx.Transfer{To: bob.raw(), Amount: 5}))
	for events, m := range map[int]*Machine{0: fork, 1: b.Machine} {
		if got, err := m.Apply(pay); err != nil || len(got) != events {
			t.Fatalf("%d events, want %d: %v", len(got), events, err)
		}
	}
	_, err := fork.Apply(pay)
	b.refused(err, ErrNonce)
	if a, _ := b.Fork().account(bob.address()); a.Balance != 0 {
		t.Errorf("a fork sees the block that is not written: %+v", a)
	}
	if b.balance(bob) != 5 || fork.Supply() != b.Supply() {
		t.Errorf("the two went different ways: %+v %+v", fork.Supply(), b.Supply())
	}
	writes := len(b.store.writes)
	if err := fork.Flush(); !errors.Is(err, ErrState) {
		t.Errorf("flushed a fork: %v", err)
	}
	if len(b.store.writes) != writes {
		t.Error("a fork wrote to the store")
	}
	if a, _ := b.Fork().account(bob.address()); a.Balance != 0 {
		t.Errorf("%+v", a)
	}
	b.end()
	if a, _ := b.Fork().account(bob.address()); a.Balance != 5 {
		t.Errorf("a new fork does not see the block: %+v", a)
	}
}

// TestADiskThatFailsIsNoRefusal: whoever sees such an error must stop, not go on.
func TestADiskThatFailsIsNoRefusal(t *testing.T) {
	b := newBed(t)
	pay := b.signed(who("alice"), body(&tx.Transfer{To: who("bob").raw(), Amount: 5}))
	b.overlay = NewOverlay(broken{})
	if _, err := b.Apply(pay); !errors.Is(err, errBroken) || refused(err) {
		t.Errorf("got %v", err)
	}
}

// TestReplayIsTheSame plays one history twice and compares every write, in its order, and
// every event. Bodies, not random numbers, decide what the second run does.
func TestReplayIsTheSame(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	type block struct {
		ms  uint64
		bad []Misbehavior
		txs []*tx.Tx
	}
	var history []block
	people := []identity{who("alice"), who("v1 owner"), who("v2 owner"), who("bob")}
	nodes := []identity{who("v1"), who("v2"), who("n0"), who("n1")}
	first := newBed(t)
	var events []Event
	codes := map[uint32]int{}
	now := block{ms: 1000}
	for range 120 {
		for range rng.IntN(5) {
			p, n := people[rng.IntN(len(people))], nodes[rng.IntN(len(nodes))]
			var op any
			switch rng.IntN(9) {
			case 0, 1:
				op = &tx.Transfer{To: people[rng.IntN(len(people))].raw(), Amount: 1 + rng.Uint64N(1000*frm)}
			case 2:
				op = registration(p, n, economics.Role(1+rng.IntN(7))|checker, rng.IntN(2) == 0)
			case 3, 4:
				op = &tx.Stake{Node: n.raw(), Amount: 1 + rng.Uint64N(60_000*frm)}
			case 5:
				op = &tx.Unbond{Node: n.raw(), Amount: 1 + rng.Uint64N(20_000*frm)}
			case 6:
				op = &tx.Delegate{Node: n.raw(), ExpiresEpoch: first.Epoch() + rng.Uint64N(3)}
			case 7:
				op = &tx.ProposeChange{Parameter: "fee_bps", Value: rng.Uint64N(6000)}
			case 8:
				op = &tx.ApproveChange{Proposal: rng.Uint64N(5)}
			}
			signedTx := first.signed(p, body(op))
			now.txs = append(now.txs, signedTx)
			more, err := first.Apply(signedTx)
			var e *Error
			if errors.As(err, &e) {
				codes[e.Code]++
			} else if err != nil {
				t.Fatal(err)
			}
			events = append(events, more...)
		}
		history = append(history, now)
		now = block{ms: 1 + rng.Uint64N(8000)}
		if rng.IntN(10) == 0 {
			now.ms += 30_000
		}
		first.next(now.ms, now.bad...)
	}
	first.end()
	if len(codes) < 4 || len(events) < 50 {
		t.Fatalf("the history is dull: %v refusals, %d events", codes, len(events))
	}

	second := newBed(t)
	var again []Event
	for i, blk := range history {
		if i > 0 {
			second.next(blk.ms, blk.bad...)
		}
		if len(blk.txs) > 0 { // a fork in between leaves no trace
			_, _ = second.Fork().Apply(blk.txs[0])
		}
		for _, x := range blk.txs {
			more, err := second.Apply(x)
			if err != nil && !refused(err) {
				t.Fatal(err)
			}
			again = append(again, more...)
		}
	}
	second.next(now.ms, now.bad...)
	second.end()
	if !slices.Equal(first.store.writes, second.store.writes) {
		for i := range min(len(first.store.writes), len(second.store.writes)) {
			if first.store.writes[i] != second.store.writes[i] {
				t.Fatalf("write %d differs: %q and %q", i, first.store.writes[i], second.store.writes[i])
			}
		}
		t.Fatalf("%d and %d writes", len(first.store.writes), len(second.store.writes))
	}
	if !slices.EqualFunc(events, again, func(a, b Event) bool { return a.Kind == b.Kind && slices.Equal(a.Attrs, b.Attrs) }) {
		t.Error("other events")
	}
}

func TestRulesAreDistinct(t *testing.T) {
	codes, names := map[uint32]bool{}, map[string]bool{}
	for _, r := range Rules() {
		if r.Code == 0 || codes[r.Code] || names[r.Name] || r.Error() == "" {
			t.Errorf("%d %q", r.Code, r.Name)
		}
		codes[r.Code], names[r.Name] = true, true
	}
}

func TestTotalsOverflowIsSeen(t *testing.T) {
	if _, ok := (Totals{Balances: 1 << 63, Stakes: 1 << 63}).Sum(); ok {
		t.Error("2^64 fits")
	}
}
