package state

import (
	"testing"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/tx"
)

func (b *bed) stakeOf(i identity) Stake {
	b.tb.Helper()
	s, err := b.stake(i.node())
	b.must(err)
	return s
}

func TestSlashAmounts(t *testing.T) {
	const need = 133_422_000_000 // of a container
	for _, c := range []struct {
		node    string
		offence economics.Offence
		before  uint32 // offences
		want    uint64
		out     bool
	}{
		{"c1", economics.OffenceIdle, 0, 0, false},
		{"c1", economics.OffenceDrop, 0, need / 3, false},
		{"c1", economics.OffenceCapacity, 0, need, false},
		{"c1", economics.OffenceForged, 0, need, false},
		{"c1", economics.OffenceForged, 1, 2_000 * frm, false},
		{"i1", economics.OffenceMatch, 0, 10_000 * frm / 3, false},
		{"i1", economics.OffenceCandidates, 0, 10_000 * frm, false},
		{"k1", economics.OffenceEquivocation, 0, 1_000 * frm, true},
		{"v1", economics.OffenceDoubleSign, 0, 20_000 * frm, true},
	} {
		t.Run(c.offence.String(), func(t *testing.T) {
			b := newPlay(t)
			id := who(c.node)
			s := b.stakeOf(id)
			had := s.Amount
			s.Offences = c.before
			b.must(b.setStake(id.node(), s))
			_, err := b.slash(id.node(), c.offence, key.Address{}, b.network.Supply)
			b.must(err)
			s = b.stakeOf(id)
			n, _, err := b.node(id.node())
			b.must(err)
			short := s.Amount < b.required(&n)
			if had-s.Amount != c.want || s.Tombstoned != c.out || s.Jailed != short || s.Offences != c.before+1 {
				t.Errorf("took %d, now %+v; want %d, out %v, jailed %v", had-s.Amount, s, c.want, c.out, short)
			}
			b.end()
		})
	}
}

func TestSlashedMoneyIsDivided(t *testing.T) {
	for name, victim := range map[string]key.Address{"with a victim": who("alice").address(), "without": {}} {
		t.Run(name, func(t *testing.T) {
			b := newPlay(t)
			before, alice := b.Supply(), b.balance(who("alice"))
			_, err := b.slash(who("c1").node(), economics.OffenceDrop, victim, b.network.Supply)
			b.must(err)
			const all = 133_422_000_000 / 3 // 44 474 000 000
			after := b.Supply()
			harmed := uint64(0)
			if victim != (key.Address{}) {
				harmed = all / 4
			}
			if got := after.Pool(economics.PoolPenalties); got != all/4 {
				t.Errorf("penalties got %d", got)
			}
			if got := b.balance(who("alice")) - alice; got != harmed {
				t.Errorf("the victim got %d", got)
			}
			if got := after.Burned - before.Burned; got != all-all/4-harmed {
				t.Errorf("burned %d", got)
			}
			b.end()
		})
	}
}

// Pending rewards first, then what vests, then stake, then stake that is unbonding. Grants
// that vest evenly stay, and so does what other accounts hold.
func TestSlashTakesInOrder(t *testing.T) {
	b := newPlay(t)
	owner, node := who("c1 owner").address(), who("c1").node()
	rich := balanceOf(who("bob").address())
	b.pass(5)
	for _, lot := range []purse{
		vestingOf(owner, 3, 0), vestingOf(owner, 30, 0), vestingOf(key.Address(node), 4, 0),
		vestingOf(owner, 2, 100), vestingOf(who("c2 owner").address(), 3, 0),
	} {
		b.must(b.move(rich, lot, 100*frm))
	}
	b.must(b.send(who("c1 owner"), &tx.Unbond{Node: node[:], Amount: 600 * frm}))
	// 300 FRM of lots, 1 400 bonded, 600 unbonding: 2 300 in all.
	take := func(frms uint64) map[string]string {
		t.Helper()
		s := b.stakeOf(who("c1"))
		s.Offences = 1 // a repeated forgery costs all that is left, up to the limit
		b.must(b.setStake(node, s))
		events, err := b.slash(node, economics.OffenceForged, key.Address{}, frms*frm)
		b.must(err)
		b.seen = append(b.seen, events...)
		return b.event("slash")
	}
	for _, c := range []struct {
		amount                             uint64
		rewards, vesting, stake, unbonding string
	}{
		{150, "15000000000", "0", "0", "0"},
		{100, "5000000000", "5000000000", "0", "0"},
		{100, "0", "5000000000", "5000000000", "0"},
		{1_400, "0", "0", "135000000000", "5000000000"},
		{1_000, "0", "0", "0", "55000000000"},
		{1_000, "0", "0", "0", "0"},
	} {
		e := take(c.amount)
		if e["rewards"] != c.rewards || e["vesting"] != c.vesting || e["stake"] != c.stake || e["unbonding"] != c.unbonding {
			t.Errorf("slash of %d FRM took %v", c.amount, e)
		}
	}
	if b.lots(who("c1 owner"))[2] != 100*frm || b.lots(who("c2 owner"))[3] != 100*frm {
		t.Error("it took what was not to be taken")
	}
	if b.Supply().Vesting != 200*frm || b.Supply().Unbonding != 0 {
		t.Errorf("left: %+v", b.Supply())
	}
	b.end()
}

// A jailed node is back when its stake covers its roles again, a tombstoned one never.
func TestJailAndTombstone(t *testing.T) {
	b := newPlay(t)
	_, err := b.slash(who("c1").node(), economics.OffenceCapacity, key.Address{}, b.network.Supply)
	b.must(err)
	if !b.stakeOf(who("c1")).Jailed {
		t.Fatal("not jailed")
	}
	b.refused(b.send(who("alice"), b.order(1, 10)), ErrContainer)
	b.must(b.send(who("c1 owner"), &tx.Stake{Node: who("c1").raw(), Amount: 1_400 * frm}))
	b.must(b.send(who("alice"), b.order(1, 10)))

	_, err = b.slash(who("c2").node(), economics.OffenceEquivocation, key.Address{}, b.network.Supply)
	b.must(err)
	b.refused(b.send(who("c2 owner"), &tx.Stake{Node: who("c2").raw(), Amount: 5_000 * frm}), ErrTombstoned)
	b.end()
}

// A validator that consensus has caught loses everything at once, once, and leaves.
func TestDoubleSignersAreSlashed(t *testing.T) {
	b := newPlay(t)
	bad := Misbehavior{Address: ConsensusAddress(who("v2 consensus").key()), Height: 1, Kind: "duplicate_vote"}
	b.next(1000, bad, bad, Misbehavior{Address: [20]byte{1}, Height: 1})
	if s := b.stakeOf(who("v2")); s.Amount != 0 || !s.Tombstoned || !s.Jailed || s.Offences != 1 {
		t.Errorf("got %+v", s)
	}
	if e := b.event("slash"); e["amount"] != "1000000000000" || e["offence"] != "double_sign" {
		t.Errorf("event %v", e)
	}
	res := b.next(1000, bad)
	if len(res.Validators) != 1 || res.Validators[0] != (ValidatorUpdate{who("v2 consensus").key(), 0}) {
		t.Errorf("updates %+v", res.Validators)
	}
	if b.event("slash") != nil {
		t.Error("slashed twice")
	}
	b.end()
}

// What rests on the word of others waits for an appeal; what anybody can recompute does not.
func TestAccusationsWait(t *testing.T) {
	b := newPlay(t)
	c1 := who("c1").node()
	accuse := func(name byte, o economics.Offence) {
		t.Helper()
		events, err := b.Accuse([32]byte{name}, c1, o, who("alice").address())
		b.must(err)
		b.seen = append(b.seen, events...)
	}
	accuse(1, economics.OffenceDrop)
	accuse(1, economics.OffenceCapacity) // the name is taken: nothing happens
	accuse(2, economics.OffenceDrop)
	if b.event("accused")["final_epoch"] != "35" || b.stakeOf(who("c1")).Offences != 0 {
		t.Errorf("event %v", b.event("accused"))
	}
	if _, ok, err := b.Acquit([32]byte{2}); !ok || err != nil {
		t.Fatal("not acquitted", err)
	}
	if _, ok, err := b.Acquit([32]byte{2}); ok || err != nil {
		t.Error("acquitted twice", err)
	}
	b.next(34 * 10_000)
	if b.stakeOf(who("c1")).Amount != 2_000*frm {
		t.Error("carried out before its time")
	}
	b.pass(1)
	if s := b.stakeOf(who("c1")); s.Amount != 2_000*frm-44_474_000_000 || s.Offences != 1 {
		t.Errorf("got %+v", s)
	}
	if _, ok, _ := b.Acquit([32]byte{1}); ok {
		t.Error("acquitted after the slash")
	}
	accuse(3, economics.OffenceForged) // repeated: all that is left, at once
	if s := b.stakeOf(who("c1")); s.Amount != 0 {
		t.Errorf("got %+v", s)
	}
	if b.records(prefixAccusation) != 0 {
		t.Error("accusations are left")
	}
	b.end()
}

// Leaving does not help: stake that is unbonding is slashed, and the node cannot retire.
func TestNobodyEscapesByUnbonding(t *testing.T) {
	b := newPlay(t)
	b.must(b.send(who("k1 owner"), &tx.Unbond{Node: who("k1").raw(), Amount: 1_000 * frm}))
	b.refused(b.send(who("k1 owner"), &tx.Retire{Node: who("k1").raw()}), ErrRetire)
	_, err := b.slash(who("k1").node(), economics.OffenceEquivocation, key.Address{}, b.network.Supply)
	b.must(err)
	if b.Supply().Unbonding != 0 {
		t.Error("it kept what was unbonding")
	}
	b.end()
}

// An offence that costs all takes the node's stake whole, bonded and unbonding, and leaves
// the owner's income, which may be that of other nodes.
func TestAllIsTheNodesStake(t *testing.T) {
	b := newPlay(t)
	owner := who("c1 owner").address()
	b.must(b.move(balanceOf(who("bob").address()), vestingOf(owner, 8, 0), 100*frm))
	b.must(b.send(who("c1 owner"), &tx.Unbond{Node: who("c1").raw(), Amount: 600 * frm}))
	events, err := b.slash(who("c1").node(), economics.OffenceEquivocation, key.Address{}, b.network.Supply)
	b.must(err)
	b.seen = append(b.seen, events...)
	if e := b.event("slash"); e["stake"] != "140000000000" || e["unbonding"] != "60000000000" || e["vesting"] != "0" {
		t.Errorf("took %v", e)
	}
	if lots := b.lots(who("c1 owner")); lots[8] != 100*frm {
		t.Errorf("its owner has %v", lots)
	}
	b.end()
}

// What is due late makes no cut longer: the delegation's last epoch counts.
func TestLateWorkProlongsNoDelegation(t *testing.T) {
	b := newPlay(t, func(p *genesis.Plan) { p.Params.MaxDuePerBlock = 10 })
	for n := range uint64(40) { // settled by themselves in epoch 3, before delegations of that epoch end
		o := b.open(b.order(n, 10))
		b.must(b.send(who("alice"), closing(o, nil)))
	}
	o := b.open(b.order(99, 60))
	b.must(b.send(who("c1 owner"), &tx.Delegate{Node: who("c1").raw(), ExpiresEpoch: 3, CutPpm: 1_000_000}))
	b.next(4 * 10_000)
	if _, ok, err := ReadDelegation(b.Reader(), who("c1 owner").address(), who("c1").node()); !ok || err != nil {
		t.Fatal("the delegation went in time; the test shows nothing")
	}
	b.must(b.send(who("c1 owner"), closing(o, promise(who("alice"), o, 1, 10))))
	if e := b.event("session_settled"); e["cut"] != "0" {
		t.Errorf("settled %v", e)
	}
	b.end()
}
