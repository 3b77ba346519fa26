package state

import (
	"testing"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/tx"
)

// TestNobodyAppealsForWhoHadTheKeyBefore: an accusation is about the node as its owner had it.
// Whoever registers the key next is not slashed for it, so an appeal would only cost a bond.
func TestNobodyAppealsForWhoHadTheKeyBefore(t *testing.T) {
	b, id, _ := segmentAccused(t)
	owner, c1, alice := who("c1 owner"), who("c1"), who("alice")
	b.must(b.move(stakeOf(c1.node()), balanceOf(owner.address()), b.stakeOf(c1).Amount))
	b.must(b.send(owner, &tx.Retire{Node: c1.raw()}))
	b.must(b.send(alice, registration(alice, c1, economics.RoleContainer, false)))
	balance := b.balance(alice)
	b.refused(b.send(alice, &tx.Appeal{Accusation: id[:]}), ErrNoAppeal)
	if got := b.balance(alice); got != balance-b.Params().TxFee {
		t.Errorf("it cost %d", balance-got)
	}
	b.refused(b.send(owner, &tx.Appeal{Accusation: id[:]}), ErrOwner)
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
