package state

import (
	"testing"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/tx"
)

// TestWhoIsAccusedStays: a node whose stake is gone cannot leave the registry before all that it
// is accused of is settled, since what its owner has earned answers for that. Then it can.
func TestWhoIsAccusedStays(t *testing.T) {
	owner, c1, alice := who("c1 owner"), who("c1"), who("alice")
	const earned = 5_000 * frm
	for name, c := range map[string]struct {
		appeal  bool
		verdict uint32 // of the wider committee; 0 where none answers
		guilty  bool
	}{
		"not appealed":           {guilty: true},
		"appealed, acquitted":    {appeal: true, verdict: proof.VerdictOK},
		"appealed, not answered": {appeal: true},
		"appealed, confirmed":    {appeal: true, verdict: proof.VerdictBad, guilty: true},
	} {
		t.Run(name, func(t *testing.T) {
			b, id, _ := segmentAccused(t)
			b.must(b.move(poolOf(economics.PoolDAO), vestingOf(owner.address(), 400, 0), earned))
			b.must(b.move(stakeOf(c1.node()), balanceOf(alice.address()), b.stakeOf(c1).Amount))
			a, _, err := ReadAccusation(b.Reader(), id)
			b.must(err)
			balance := b.balance(owner)
			stays := func() {
				b.refused(b.send(owner, &tx.Retire{Node: c1.raw()}), ErrRetire)
				b.must(b.send(alice, &tx.Transfer{To: owner.raw(), Amount: b.Params().TxFee}))
			}
			stays()
			if c.appeal {
				b.must(b.send(alice, &tx.Transfer{To: owner.raw(), Amount: b.Params().TxFee}))
				b.must(b.send(owner, &tx.Appeal{Accusation: id[:]}))
				stays()
				b.pass(1)
			}
			switch {
			case c.verdict != 0:
				e := proof.Entry{Verdict: c.verdict}
				if c.verdict == proof.VerdictBad {
					e.Reason, e.Evidence = proof.ReasonSegment, a.Evidence
				}
				stays()
				r, members := b.appealAnswer(2, id, e)
				b.must(b.send(who("bob"), b.certificateBy(r, members[:4]...)))
			case c.appeal:
				b.pass(1)
				stays()
				b.pass(1)
			default:
				b.pass(int(a.Final) - 2)
				stays()
				b.pass(1)
			}
			if _, ok, err := ReadAccusation(b.Reader(), id); err != nil || ok {
				t.Fatalf("still accused: %v", err)
			}
			want, back := uint64(0), balance
			if c.guilty {
				want = a.Amount
			}
			if c.guilty && c.appeal {
				back -= b.Params().AppealBond
			}
			if took := earned - b.lotOf(owner, 400).Held; took != want || b.balance(owner) != back {
				t.Errorf("it cost %d of what was earned, want %d; the owner has %d, want %d", took, want, b.balance(owner), back)
			}
			b.must(b.send(alice, &tx.Transfer{To: owner.raw(), Amount: b.Params().TxFee}))
			b.must(b.send(owner, &tx.Retire{Node: c1.raw()}))
			if s := b.stakeOf(c1); s != (Stake{}) {
				t.Errorf("left behind: %+v", s)
			}
			b.end()
		})
	}
}

// TestEachAccusationCounts: with two of them a node stays until the second is settled, too.
func TestEachAccusationCounts(t *testing.T) {
	b, _, _ := segmentAccused(t)
	c1 := who("c1")
	if _, err := b.Accuse([32]byte{1}, c1.node(), economics.OffenceDrop, key.Address{}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Accuse([32]byte{1}, c1.node(), economics.OffenceDrop, key.Address{}); err != nil {
		t.Fatal(err)
	}
	if s := b.stakeOf(c1); s.Accused != 2 {
		t.Errorf("two accusations, one of them told twice: %+v", s)
	}
	if _, ok, err := b.Acquit([32]byte{1}); err != nil || !ok {
		t.Fatal(ok, err)
	}
	if s := b.stakeOf(c1); s.Accused != 1 {
		t.Errorf("one is left: %+v", s)
	}
	b.end()
}

// TestWhoLeftIsNotAccused: what is found about a node that is not in the registry any more is
// remembered nowhere, and nothing falls due.
func TestWhoLeftIsNotAccused(t *testing.T) {
	b := newRounds(t)
	id, n := [32]byte{1}, who("nobody").node()
	for _, o := range []economics.Offence{economics.OffenceDrop, economics.OffenceCapacity} {
		events, err := b.Accuse(id, n, o, key.Address{})
		if err != nil || len(events) != 0 {
			t.Errorf("%v: %v, %v", o, events, err)
		}
	}
	if _, ok, err := ReadAccusation(b.Reader(), id); err != nil || ok {
		t.Errorf("accused: %v, %v", ok, err)
	}
	b.end()
}
