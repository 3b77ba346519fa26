package state

import (
	"fmt"
	"slices"
	"testing"

	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/tx"
)

func stakeAll(b *bed, n identity) *tx.Stake {
	e, _, _ := b.node(n.node())
	return &tx.Stake{Node: n.raw(), Amount: b.required(&e)}
}

func unbondAll(b *bed, n identity) *tx.Unbond {
	s, _ := b.stake(n.node())
	return &tx.Unbond{Node: n.raw(), Amount: s.Amount}
}

// powers are the validators in force by the name of their node.
func (b *bed) powers(names ...string) map[string]uint64 {
	b.tb.Helper()
	all, err := ReadValidators(b.overlay)
	b.must(err)
	out := map[string]uint64{}
	for _, v := range all {
		name := v.Node.String()
		for _, n := range names {
			if who(n).node() == v.Node {
				name = n
			}
		}
		out[name] = v.Power
	}
	return out
}

func TestValidatorsOfGenesis(t *testing.T) {
	b := newBed(t)
	if got := b.powers("v1", "v2"); fmt.Sprint(got) != "map[v1:20000 v2:10000]" {
		t.Errorf("%v", got)
	}
	if len(b.first) != 2 || !slices.IsSortedFunc(b.first, func(x, y ValidatorUpdate) int { return slices.Compare(x.Key[:], y.Key[:]) }) {
		t.Errorf("%v", b.first)
	}
	want := b.doc.Validators()
	for _, v := range want {
		if !slices.Contains(b.first, ValidatorUpdate{v.ConsensusKey, v.Power}) {
			t.Errorf("the file means %v, the state says %v", v, b.first)
		}
	}
}

// TestValidatorJoins: a checker that registers its keys in epoch e validates from e + 2 on,
// after one full epoch.
func TestValidatorJoins(t *testing.T) {
	b := newBed(t)
	alice, n := who("alice"), who("n")
	b.must(b.do(alice, registration(alice, n, checker, true)))
	b.must(b.do(alice, &tx.Stake{Node: n.raw(), Amount: 30_000 * frm}))
	b.pass(1)
	if got := b.powers("n"); got["n"] != 0 {
		t.Errorf("in epoch 1: %v", got)
	}
	b.pass(1)
	if got := b.powers("n"); got["n"] != 30_000 {
		t.Errorf("in epoch 2: %v", got)
	}
	if got := b.end().Validators; len(got) != 1 || got[0].Power != 30_000 {
		t.Errorf("consensus is told %v", got)
	}
	b.begin(10_000)
	if got := b.end().Validators; len(got) != 0 {
		t.Errorf("nothing changed, consensus is told %v", got)
	}

	t.Run("more stake is more power from the next epoch on", func(t *testing.T) {
		b.begin(1)
		b.must(b.do(alice, &tx.Stake{Node: n.raw(), Amount: 1_000*frm + frm/2}))
		if got := b.powers("n"); got["n"] != 30_000 {
			t.Errorf("at once: %v", got)
		}
		b.pass(1)
		if got := b.powers("n"); got["n"] != 31_000 {
			t.Errorf("in the next: %v", got)
		}
	})
	t.Run("unbonding takes it out in the next epoch", func(t *testing.T) {
		b.must(b.do(alice, unbondAll(b, n)))
		b.next(10_000)
		if got := b.end().Validators; len(got) != 1 || got[0].Power != 0 {
			t.Errorf("consensus is told %v", got)
		}
	})
}

func TestValidatorsAreTheLargest(t *testing.T) {
	b := newBed(t, func(p *genesis.Plan) {
		p.Params.MaxValidators = 3
		for i := range 4 {
			p.Nodes = append(p.Nodes, validatorNode(fmt.Sprintf("w%d", i), 15_000*frm))
		}
	})
	ws := []string{"w0", "w1", "w2", "w3"}
	slices.SortFunc(ws, func(x, y string) int { a, b := who(x).node(), who(y).node(); return compareNodes(a, b) })
	got := b.powers("v1", "v2", "w0", "w1", "w2", "w3")
	want := map[string]uint64{"v1": 20_000, ws[0]: 15_000, ws[1]: 15_000}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestTheLastValidatorsStay: a chain whose validators all leave would stop for good.
func TestTheLastValidatorsStay(t *testing.T) {
	b := newBed(t)
	for _, name := range []string{"v1", "v2"} {
		b.must(b.do(who(name+" owner"), unbondAll(b, who(name))))
	}
	b.next(10_000)
	if got := b.powers("v1", "v2"); len(got) != 2 {
		t.Errorf("%v", got)
	}
	if b.event("validators_kept") == nil {
		t.Error("nobody is told")
	}
	if got := b.end().Validators; len(got) != 0 {
		t.Errorf("consensus is told %v", got)
	}
}

func TestExpel(t *testing.T) {
	b := newBed(t)
	events, err := b.expel(who("v1").node())
	b.must(err)
	if len(events) != 1 || events[0].Kind != "validator" {
		t.Errorf("%v", events)
	}
	if events, err = b.expel(who("v1").node()); err != nil || len(events) != 0 {
		t.Errorf("twice: %v %v", events, err)
	}
	if events, err = b.expel(who("v2").node()); err != nil || len(events) != 1 || events[0].Kind != "validators_kept" {
		t.Errorf("the last one: %v %v", events, err)
	}
	if got := b.end().Validators; len(got) != 1 || got[0] != (ValidatorUpdate{who("v1 consensus").key(), 0}) {
		t.Errorf("consensus is told %v", got)
	}
}

// TestJoinAndExpelInOneBlock: consensus stops when it is told to remove a validator that it
// never had.
func TestJoinAndExpelInOneBlock(t *testing.T) {
	b := newBed(t)
	alice, n := who("alice"), who("n")
	b.must(b.do(alice, registration(alice, n, checker, true)))
	b.must(b.do(alice, &tx.Stake{Node: n.raw(), Amount: 30_000 * frm}))
	b.pass(2)
	if got := b.powers("n")["n"]; got != 30_000 {
		t.Fatalf("power %d", got)
	}
	_, err := b.expel(n.node())
	b.must(err)
	if got := b.end().Validators; len(got) != 0 {
		t.Errorf("consensus is told %v", got)
	}
	b.begin(10_000) // it is not jailed here, so it comes back
	if got := b.end().Validators; len(got) != 1 || got[0].Power != 30_000 {
		t.Errorf("consensus is told %v", got)
	}
}

// TestConsensusFollowsTheState plays random joins, stakes and leaves and keeps a second
// list by the updates alone: it must equal the state's, and no update may remove a key that
// is not there.
func TestConsensusFollowsTheState(t *testing.T) {
	b := newBed(t, func(p *genesis.Plan) { p.Params.MaxValidators = 3 })
	told := map[[32]byte]uint64{}
	hear := func(updates []ValidatorUpdate) {
		for _, u := range updates {
			if _, has := told[u.Key]; u.Power == 0 && !has {
				t.Fatalf("height %d: %x is removed and was not there", b.Head().Height, u.Key)
			}
			if told[u.Key] = u.Power; u.Power == 0 {
				delete(told, u.Key)
			}
		}
	}
	hear(b.first)
	alice := who("alice")
	ids := []identity{who("n0"), who("n1"), who("n2"), who("n3")}
	for i := range 60 {
		n := ids[(i*7)%len(ids)]
		switch i % 5 {
		case 0:
			_ = b.do(alice, registration(alice, n, checker, true))
		case 1, 2:
			_ = b.do(alice, &tx.Stake{Node: n.raw(), Amount: uint64(10_000+100*i) * frm})
		case 3:
			if s, _ := b.stake(n.node()); s.Amount > 0 {
				_ = b.do(alice, unbondAll(b, n))
			}
		case 4:
			_, err := b.expel(n.node())
			b.must(err)
		}
		hear(b.next(5_000).Validators)
		// What consensus has is the state of the last block that ended.
		all, err := ReadValidators(b.store)
		b.must(err)
		if len(all) != len(told) {
			t.Fatalf("step %d: %d validators, consensus has %d", i, len(all), len(told))
		}
		for _, v := range all {
			if told[v.Keys.Consensus] != v.Power {
				t.Fatalf("step %d: %v", i, v)
			}
		}
	}
}
