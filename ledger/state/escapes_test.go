package state

import (
	"testing"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/subnet"
	"github.com/framemesh/framemesh/ledger/tx"
)

// What somebody who has done wrong, or wants others to pay, may try with what the ledger lets
// everybody do.

// TestWhoUnbondsFirstPaysTheSame: a third of the stake is a third of it wherever it lies.
func TestWhoUnbondsFirstPaysTheSame(t *testing.T) {
	b := newMatches(t)
	x := b.matched()
	x.Wrong = "order"
	stake := b.stakeOf(who("i1")).Amount
	b.must(b.do(who("i1 owner"), &tx.Unbond{Node: who("i1").raw(), Amount: stake}))
	b.must(b.accuse(x, x.Choices[0].Figures.Epoch))
	if e := b.event("slash"); e["amount"] != text(int(stake/3)) || e["unbonding"] != e["amount"] {
		t.Errorf("got %v of %d", e, stake)
	}
	b.end()
}

// TestARoleLaidDownIsJudgedAllTheSame, be it before the certificate comes or after.
func TestARoleLaidDownIsJudgedAllTheSame(t *testing.T) {
	layDown := func(b *bed) {
		b.must(b.do(who("c1 owner"), registration(who("c1 owner"), who("c1"), economics.RoleIndexer, false)))
	}
	for name, when := range map[string]int{"before the certificate": 0, "before it is carried out": 1, "never": 2} {
		t.Run(name, func(t *testing.T) {
			b := newRounds(t)
			b.pass(1)
			o := b.open(b.order(1, 600))
			b.next(6_500)
			need := b.needOf("c1").Amount
			if when == 0 {
				layDown(b)
			}
			b.certify(1, b.on(1, "c1", gone(o.Session)))
			if a, ok := b.accusation(droppedID(1)); !ok || a.Amount < need/3 {
				t.Errorf("accused: %t, of %d", ok, a.Amount)
			}
			if when == 1 {
				layDown(b)
			}
			weight := b.weightOf(1, RewardEdge, who("c1").node())
			before := b.stakeOf(who("c1")).Amount
			b.pass(4)
			if s := b.stakeOf(who("c1")); s.Offences != 1 || before-s.Amount < need/3 {
				t.Errorf("lost %d of %d: %+v", before-s.Amount, need, s)
			}
			if p := b.standingOf("c1").PriorityPPM; p != 500_000 {
				t.Errorf("priority %d", p)
			}
			if weight != (Weight{}) {
				t.Errorf("weighs %+v", weight)
			}
			b.end()
		})
	}
}

// TestACheckerThatLaysItsRoleDownWasWrong, and earns nothing.
func TestACheckerThatLaysItsRoleDownWasWrong(t *testing.T) {
	b := newRounds(t)
	b.pass(1)
	members := b.drawn(1).Batches[0].Committee
	r := b.result(1, 0, func(r *proof.Result) { r.Correct, r.Wrong = 6, 1 })
	for _, n := range members[:2] {
		i := b.identity(n)
		e, ok, err := ReadNode(b.Reader(), n)
		if b.must(err); !ok {
			t.Fatal("who is that?")
		}
		b.must(b.do(ownerOf(e.Owner, i), registration(ownerOf(e.Owner, i), i, economics.RoleIndexer, false)))
	}
	b.judgedCheckersOf(r, members)
	if got := b.conductOf(members[0]).WrongTotal; got != 1 {
		t.Errorf("wrong %d times", got)
	}
	if b.weightOf(1, RewardChecker, members[1]) != (Weight{}) || b.weightOf(1, RewardChecker, members[2]) == (Weight{}) {
		t.Error("paid for a role that it has no more")
	}
	b.end()
}

// judgedCheckersOf is what a certificate says of the members, without who attests it.
func (b *bed) judgedCheckersOf(r *proof.Result, members []key.Node) {
	b.tb.Helper()
	b.must(b.judgedCheckers(&txContext{}, r, members))
}

// TestTheAccusedDoesNotChooseItsJudges: it declares to live where all the others do, before it
// appeals, and long enough before for the next sets to have it.
func TestTheAccusedDoesNotChooseItsJudges(t *testing.T) {
	b := newRounds(t, manyCheckers, func(p *genesis.Plan) {
		p.Params.AppealEpochs = 20
		for i := range p.Nodes { // the checkers in two subnets, the containers nowhere
			if !economics.Role(p.Nodes[i].Roles).Has(economics.RoleContainer) {
				p.Nodes[i].Subnets = []subnet.Subnet{subnet.Subnet([]byte{11, 1, byte(i % 2)})}
			}
		}
	})
	b.pass(1)
	committee := b.drawn(1).Batches[0].Committee
	b.must(b.send(who("alice"), b.certificateBy(b.result(1, 0, b.on(1, "c1", bad(proof.ReasonSegment))), committee[:2]...)))
	b.must(b.do(who("c1 owner"), b.lives(who("c1 owner"), who("c1"), "11.1.0.0/24", "11.1.1.0/24")))
	b.pass(int(b.Params().CandidateLead) + 2)
	id := AccusationID(who("c1").node(), 1, 0, economics.OffenceForged)
	b.must(b.do(who("c1 owner"), &tx.Appeal{Accusation: id[:]}))
	b.pass(1)
	r, members := b.appealAnswer(b.Epoch(), id, bad(proof.ReasonSegment))
	if len(members) != 7 {
		t.Fatalf("%d are left to judge it", len(members))
	}
	r.Entries[0].Found = 0
	b.must(b.send(who("alice"), b.certificateBy(r, members[:4]...)))
	if s := b.stakeOf(who("c1")); s.Offences != 1 {
		t.Errorf("got %+v", s)
	}
	b.end()
}
