package state

import (
	"testing"

	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/tx"
)

func TestStake(t *testing.T) {
	alice, n := who("alice"), who("n")
	need := testPlan().Params.ContainerStake
	type step struct {
		op    any
		rule  *Rule
		stake uint64 // after
	}
	stake := func(v uint64) *tx.Stake { return &tx.Stake{Node: n.raw(), Amount: v} }
	unbond := func(v uint64) *tx.Unbond { return &tx.Unbond{Node: n.raw(), Amount: v} }
	for _, c := range []struct {
		name  string
		steps []step
	}{
		{"exactly what the role needs", []step{{stake(need), nil, need}}},
		{"one base unit less", []step{{stake(need - 1), ErrStake, 0}}},
		{"more on top, however little", []step{{stake(need), nil, need}, {stake(1), nil, need + 1}}},
		{"more than the account has", []step{{stake(2_000_000 * frm), ErrFunds, 0}}},
		{"all back", []step{{stake(need), nil, need}, {unbond(need), nil, 0}}},
		{"what is above the need back", []step{{stake(need + 5), nil, need + 5}, {unbond(5), nil, need}}},
		{"below the need", []step{{stake(need + 5), nil, need + 5}, {unbond(6), ErrStake, need + 5}}},
		{"more back than there is", []step{{stake(need), nil, need}, {unbond(need + 1), ErrFunds, need}}},
		{"twice back", []step{{stake(need), nil, need}, {unbond(need), nil, 0}, {unbond(1), ErrFunds, 0}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBed(t)
			b.must(b.do(alice, registration(alice, n, container, false)))
			for i, s := range c.steps {
				err := b.do(alice, s.op)
				if s.rule != nil {
					b.refused(err, s.rule)
				} else {
					b.must(err)
				}
				if got, _ := b.stake(n.node()); got.Amount != s.stake {
					t.Errorf("step %d: stake %d, want %d", i, got.Amount, s.stake)
				}
			}
			b.end()
		})
	}
}

func TestOnlyTheOwnerStakes(t *testing.T) {
	b := newBed(t)
	alice, n := who("alice"), who("n")
	b.refused(b.do(alice, &tx.Stake{Node: n.raw(), Amount: 50_000 * frm}), ErrNoNode)
	b.must(b.do(alice, registration(alice, n, container, false)))
	b.refused(b.do(who("v1 owner"), &tx.Stake{Node: n.raw(), Amount: 50_000 * frm}), ErrOwner)
	b.must(b.do(alice, &tx.Stake{Node: n.raw(), Amount: 50_000 * frm}))
	b.refused(b.do(who("v1 owner"), &tx.Unbond{Node: n.raw(), Amount: 1}), ErrOwner)
}

// TestUnbondingLotsMerge: what leaves within one span is one lot, so that an account cannot
// fill the state with slivers.
func TestUnbondingLotsMerge(t *testing.T) {
	b := newBed(t)
	alice, n := who("alice"), who("n")
	need := b.Params().ContainerStake
	b.must(b.do(alice, registration(alice, n, container, false)))
	b.must(b.do(alice, &tx.Stake{Node: n.raw(), Amount: need + 100}))
	free := map[uint64]uint64{}
	for range 9 { // epochs 0 to 8; lots of 4 epochs; 40 epochs to wait
		b.must(b.do(alice, &tx.Unbond{Node: n.raw(), Amount: 3}))
		free[b.Params().Matures(b.Epoch(), 40)] += 3
		b.pass(1)
	}
	if len(free) != 3 || free[40] != 3 || free[44] != 12 || free[48] != 12 {
		t.Fatalf("expected three lots, got %v", free)
	}
	for at, want := range free {
		u, ok, err := load(b.overlay, UnbondingKey(alice.address(), n.node(), at), DecodeUnbonding)
		if err != nil || !ok || u.Amount != want {
			t.Errorf("free in epoch %d: %d %t %v, want %d", at, u.Amount, ok, err, want)
		}
	}
}

func TestTopUpEndsJail(t *testing.T) {
	b := newBed(t)
	owner, v := who("v1 owner"), who("v1")
	s, _ := b.stake(v.node())
	s.Jailed = true
	b.must(b.setStake(v.node(), s))
	b.must(b.move(stakeOf(v.node()), burned, 15_000*frm))
	n, _, _ := b.node(v.node())
	if s, _ = b.stake(v.node()); b.active(&n, s) {
		t.Fatal("active in jail")
	}
	b.refused(b.do(owner, &tx.Stake{Node: v.raw(), Amount: 5_000*frm - 1}), ErrStake)
	b.must(b.do(owner, &tx.Stake{Node: v.raw(), Amount: 5_000 * frm}))
	if s, _ = b.stake(v.node()); s.Jailed || !b.active(&n, s) {
		t.Errorf("still out: %+v", s)
	}
	b.end()
}

// TestStakeIsNeverDust: where roles need no stake, a list of nodes with next to nothing
// bonded, which every epoch reads, is still not for free.
func TestStakeIsNeverDust(t *testing.T) {
	b := newBed(t, func(p *genesis.Plan) { p.Params.ContainerStake = 0 })
	alice, n := who("alice"), who("n")
	b.must(b.do(alice, registration(alice, n, container, false)))
	b.refused(b.do(alice, &tx.Stake{Node: n.raw(), Amount: frm - 1}), ErrStake)
	b.must(b.do(alice, &tx.Stake{Node: n.raw(), Amount: 2 * frm}))
	b.refused(b.do(alice, &tx.Unbond{Node: n.raw(), Amount: frm + 1}), ErrStake)
	b.must(b.do(alice, &tx.Unbond{Node: n.raw(), Amount: 2 * frm}))
	b.end()
}
