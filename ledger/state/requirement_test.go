package state

import (
	"testing"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/tx"
)

const sc = 100 * frm

// scaling makes a stake of 100 FRM for a container of reference score, requirements of 30
// epochs, a grace of 4, and a coefficient that is made anew every 7.
func scaling(p *genesis.Plan) {
	p.Params.ContainerStake, p.Params.ContainerStakeMinBps, p.Params.ContainerStakeMaxBps = sc, 5_000, 40_000
	p.Params.RequirementEpochs, p.Params.CoefficientEpochs, p.Params.StakeGraceEpochs = 30, 7, 4
	p.Params.ProofCapPPM = 4_000_000 // scores as they are measured
	for i := range p.Nodes {
		p.Nodes[i].RPMilli = 0
	}
}

// measure lets n epochs pass in each of which both containers are measured with a score.
func (b *bed) measure(n int, rpMilli uint64) {
	b.tb.Helper()
	for range n {
		b.pass(1)
		b.certify(b.Epoch(), func(r *proof.Result) {
			for i := range r.Entries {
				r.Entries[i].RPMilli = rpMilli
			}
		})
	}
}

func (b *bed) needOf(name string) Requirement {
	b.tb.Helper()
	n, ok, err := b.node(who(name).node())
	if b.must(err); !ok {
		b.tb.Fatalf("%s is not registered", name)
	}
	return n.Need
}

func (b *bed) stands(name string) bool {
	b.tb.Helper()
	n, _, err := b.node(who(name).node())
	b.must(err)
	s, err := b.stake(who(name).node())
	b.must(err)
	return b.active(&n, s)
}

func TestRequirementFollowsTheScore(t *testing.T) {
	for _, c := range []struct {
		name    string
		rpMilli uint64
		want    uint64 // base units, once eight rounds have measured it
	}{
		{"the reference", 100_000, sc},
		{"half of it", 50_000, sc / 2},
		{"a third, rounded down", 33_333, sc * 333_330 / 1_000_000},
		{"ten times", 1_000_000, 10 * sc},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newRounds(t, scaling)
			if got := b.needOf("c1"); got.At(0) != sc || got.Measured {
				t.Fatalf("unmeasured: %+v", got)
			}
			b.measure(7, c.rpMilli)
			if got := b.needOf("c1"); got.At(7) != sc || got.Measured || got.Peak != c.rpMilli {
				t.Fatalf("seven rounds: %+v", got)
			}
			b.measure(1, c.rpMilli)
			got := b.needOf("c1")
			if got.Amount != c.want || !got.Measured || got.Set != 8 || got.Until(b.Params()) != 38 {
				t.Fatalf("eight rounds: %+v, want %d", got, c.want)
			}
			now, later := c.want, c.want
			if c.want > sc {
				now = sc
			}
			if got.At(8) != now || got.At(11) != now || got.At(12) != later {
				t.Errorf("a rise must wait for the grace and a fall must not: %+v", got)
			}
			e := b.event("requirement")
			if e == nil && c.rpMilli != 100_000 {
				t.Error("nobody was told")
			}
			b.end()
		})
	}
}

// A container without the stake for its new requirement works on for the grace, and is out
// until it has staked what is missing.
func TestAfterTheGraceARiseIsDue(t *testing.T) {
	b := newRounds(t, scaling)
	b.measure(8, 2_500_000) // 25 times: 2,500 FRM, and both have 2,000
	b.pass(3)
	if !b.stands("c1") {
		t.Fatal("out before the grace is over")
	}
	b.must(b.send(who("alice"), b.orderOf(who("alice"), 1, 10)))
	b.pass(1)
	if b.stands("c1") {
		t.Fatal("a container stands without its stake")
	}
	b.refused(b.send(who("alice"), b.orderOf(who("alice"), 2, 10)), ErrContainer)
	b.pass(3)
	all, ok, err := ReadCandidates(b.Reader(), b.Epoch(), economics.RoleContainer)
	if err != nil || !ok || len(all) != 0 {
		t.Errorf("drawn all the same: %v %t %v", all, ok, err)
	}
	b.refused(b.send(who("c1 owner"), &tx.Stake{Node: who("c1").raw(), Amount: 500*frm - 1}), ErrStake)
	b.must(b.send(who("c1 owner"), &tx.Stake{Node: who("c1").raw(), Amount: 500 * frm}))
	if !b.stands("c1") || b.stands("c2") {
		t.Error("who staked what was missing must stand, and nobody else")
	}
	b.refused(b.send(who("c1 owner"), &tx.Unbond{Node: who("c1").raw(), Amount: 1}), ErrStake)
	b.end()
}

// A requirement is fixed, and the next one goes by the best score of that time: slow rounds
// at its end save nothing.
func TestRequirementIsFixed(t *testing.T) {
	b := newRounds(t, scaling)
	b.measure(8, 100_000)
	b.measure(9, 150_000)
	b.measure(9, 20_000)
	if got := b.needOf("c1"); got.Amount != sc || got.Set != 8 || b.standingOf("c1").RPMilli != 20_000 {
		t.Fatalf("moved while it was fixed: %+v", got)
	}
	b.coefficient.SC, b.coefficient.Next = sc, 1_000 // or it would fall meanwhile
	b.pass(11)
	b.measure(1, 20_000) // epoch 38
	if got := b.needOf("c1"); got.Amount != sc*3/2 || got.Set != 38 || got.Peak != 20_000 || got.At(41) != sc || got.At(42) != sc*3/2 {
		t.Fatalf("the next one: %+v", got)
	}
	b.pass(29)
	b.measure(1, 20_000) // epoch 68
	if got := b.needOf("c1"); got.Amount != sc/5 || got.At(68) != sc/5 {
		t.Errorf("thirty slow epochs later: %+v", got)
	}
	b.end()
}

// Laying the role down and taking it up again sets nothing back.
func TestRolesDoNotResetTheRequirement(t *testing.T) {
	b := newRounds(t, scaling)
	b.measure(8, 300_000)
	before := b.needOf("c1")
	for _, role := range []economics.Role{indexer, container, container | indexer} {
		b.must(b.do(who("c1 owner"), registration(who("c1 owner"), who("c1"), role, false)))
	}
	if got := b.needOf("c1"); got != before || got.Amount != 3*sc {
		t.Errorf("%+v became %+v", before, got)
	}
	b.end()
}

func TestCoefficientFollowsRevenue(t *testing.T) {
	b := newRounds(t, scaling)
	current := func() Coefficient {
		t.Helper()
		b.end()
		c, _, err := load(b.store, CoefficientKey(), DecodeCoefficient)
		b.must(err)
		b.begin(1)
		return c
	}
	if c := current(); c != (Coefficient{SC: sc, Next: 30}) {
		t.Fatalf("at genesis %+v", c)
	}

	// A session that is settled counts with what its container earns, on its day.
	o := b.orderOf(who("alice"), 1, 100)
	b.must(b.send(who("alice"), o))
	b.must(b.sendFor(who("c1 owner"), who("c1"), closing(o, promised(chainName, who("alice"), o, 1, 10, 10*testRate))))
	const host = 8 * testRate
	if c := current(); c.Day != 0 || c.Revenue[0] != host || c.Sum() != host {
		t.Fatalf("after a session: %+v", c)
	}

	b.pass(29)
	b.earnedBySession(1_000 * frm) // two containers of K = 1: 500 FRM each would be right
	b.pass(1)
	want := Coefficient{SC: sc * 6 / 5, Next: 37, Day: 30}
	want.Revenue[29] = 1_000 * frm // the first day is gone
	if c := current(); c != want {
		t.Fatalf("in epoch 30: %+v", c)
	}
	if e := b.event("coefficient"); e != nil {
		t.Errorf("told in a later block: %v", e)
	}
	for range 5 {
		b.pass(7)
	}
	if c := current(); c.Sum() != 0 || c.Next != 72 {
		t.Fatalf("thirty days later: %+v", c)
	}
	b.pass(70)
	if c := current(); c.SC != sc/2 {
		t.Errorf("without revenue it falls to its floor: %+v", c)
	}
	// A new container is required what holds now.
	b.must(b.do(who("alice"), registration(who("alice"), who("new1"), container, false)))
	if got := b.needOf("new1"); got.At(b.Epoch()) != sc/2 {
		t.Errorf("a new one: %+v", got)
	}
	b.end()
}

// Days on which nothing was earned are empty, however many they are.
func TestRevenueDays(t *testing.T) {
	var c Coefficient
	for i := range c.Revenue {
		c.Revenue[i] = 1
	}
	c.Day = 29
	if c.roll(29); c.Sum() != 30 {
		t.Errorf("the same day: %d", c.Sum())
	}
	if c.roll(31); c.Sum() != 28 || c.Revenue[0]+c.Revenue[1] != 0 {
		t.Errorf("two days later: %+v", c)
	}
	if c.roll(30); c.Day != 31 {
		t.Error("days go back")
	}
	if c.roll(1 << 60); c.Sum() != 0 || c.Day != 1<<60 {
		t.Errorf("long after: %+v", c)
	}
}
