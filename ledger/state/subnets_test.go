package state

import (
	"slices"
	"testing"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/subnet"
	"github.com/framemesh/framemesh/ledger/tx"
)

func homes(b *bed, text ...string) (list []subnet.Subnet) {
	b.tb.Helper()
	for _, s := range text {
		one, err := subnet.Parse(s)
		b.must(err)
		list = append(list, one)
	}
	return subnet.Sorted(list)
}

// lives is a registration that says where the node lives.
func (b *bed) lives(owner, n identity, text ...string) *tx.Register {
	r := registration(owner, n, container, false)
	r.Subnets = subnet.Bytes(homes(b, text...))
	return r
}

func TestANodeSaysWhereItLives(t *testing.T) {
	b := newBed(t)
	alice, n := who("alice"), who("n")
	at := func() []subnet.Subnet { e, _, err := b.node(n.node()); b.must(err); return e.Subnets }
	b.must(b.do(alice, b.lives(alice, n)))
	if len(at()) != 0 {
		t.Fatal(at())
	}
	b.must(b.do(alice, b.lives(alice, n, "11.1.1.0/24"))) // the first at any time
	if !slices.Equal(at(), homes(b, "11.1.1.0/24")) {
		t.Fatal(at())
	}
	b.refused(b.do(alice, b.lives(alice, n, "11.1.2.0/24")), ErrMoved)
	b.refused(b.do(alice, b.lives(alice, n)), ErrMoved) // nor may it say nothing any more
	b.must(b.do(alice, b.lives(alice, n, "11.1.1.0/24")))
	b.pass(int(b.Params().SubnetEpochs) - 1)
	b.refused(b.do(alice, b.lives(alice, n, "11.1.2.0/24")), ErrMoved)
	b.pass(1)
	b.must(b.do(alice, b.lives(alice, n, "11.1.2.0/24", "2a00:1:2::/48")))
	if e, _, _ := b.node(n.node()); !slices.Equal(at(), homes(b, "11.1.2.0/24", "2a00:1:2::/48")) || e.Moved != b.Epoch() {
		t.Errorf("%v, moved in epoch %d", at(), e.Moved)
	}
	bad := b.lives(alice, who("other"))
	bad.Subnets = [][]byte{{10, 0, 0}}
	if _, err := tx.Sign(chainName, alice.private, body(bad)); err == nil {
		t.Error("a private subnet is signed for")
	}
}

// TestANodeMovesByItself: where the owner has delegated to the node's key, it may say where
// it lives now, and change nothing else that way.
func TestANodeMovesByItself(t *testing.T) {
	b := newBed(t)
	alice, n := who("alice"), who("n")
	b.must(b.do(alice, b.lives(alice, n, "11.1.1.0/24")))
	b.must(b.do(alice, &tx.Delegate{Node: n.raw(), ExpiresEpoch: 40}))
	b.pass(int(b.Params().SubnetEpochs))
	moved := b.lives(alice, n, "11.1.2.0/24")
	moved.NodeSignature = nil
	b.must(b.doFor(alice, n, moved))
	e, _, err := b.node(n.node())
	b.must(err)
	if !slices.Equal(e.Subnets, homes(b, "11.1.2.0/24")) {
		t.Errorf("%v", e.Subnets)
	}
	b.pass(int(b.Params().SubnetEpochs))
	moved = b.lives(alice, n, "11.1.3.0/24")
	moved.NodeSignature, moved.Roles = nil, uint32(container|checker)
	b.refused(b.doFor(alice, n, moved), ErrDelegation)
}

// TestCandidatesKeepWhereTheyLived: what counts in an epoch is what was declared when its
// candidates were frozen, of the genesis file too.
func TestCandidatesKeepWhereTheyLived(t *testing.T) {
	first := []subnet.Subnet{"\x0b\x01\x01"}
	b := newBed(t, func(p *genesis.Plan) { p.Nodes[0].Subnets = first })
	of := func(epoch uint64) []subnet.Subnet {
		all, ok, err := ReadCandidates(b.Reader(), epoch, economics.RoleChecker)
		if err != nil || !ok {
			t.Fatalf("epoch %d: %v %v", epoch, ok, err)
		}
		for _, c := range all {
			if c.Node == who("v1").node() {
				return c.Subnets
			}
		}
		t.Fatalf("v1 is no candidate of epoch %d", epoch)
		return nil
	}
	b.pass(int(b.Params().SubnetEpochs))
	e, _, err := b.node(who("v1").node())
	b.must(err)
	owner := who("v1 owner")
	move := &tx.Register{Node: who("v1").raw(), Roles: uint32(e.Roles), Region: e.Region, ConsensusKey: e.Keys.Consensus[:], VrfKey: e.Keys.VRF[:], Subnets: [][]byte{{12, 1, 1}}}
	move.Consent(chainName, who("v1").private, owner.address())
	b.must(b.do(owner, move))
	last := b.Head().Frozen
	b.pass(1)
	if got := of(last); !slices.Equal(got, first) {
		t.Errorf("frozen before it moved: %v", got)
	}
	if got := of(last + 1); !slices.Equal(got, []subnet.Subnet{"\x0c\x01\x01"}) {
		t.Errorf("frozen after it moved: %v", got)
	}
	a, ok, err := DrawnFor(b.Reader(), chainName, b.Epoch(), b.Params())
	if err != nil || !ok || a == nil {
		t.Errorf("the draw: %v %v", ok, err)
	}
}
