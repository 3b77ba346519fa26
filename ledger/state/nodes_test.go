package state

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/tx"
)

const (
	container = economics.RoleContainer
	indexer   = economics.RoleIndexer
	checker   = economics.RoleChecker
)

func TestRegister(t *testing.T) {
	b := newBed(t)
	alice, mallory, n := who("alice"), who("v1 owner"), who("n")
	b.must(b.do(alice, registration(alice, n, container|checker, true)))
	got, ok, err := b.node(n.node())
	if err != nil || !ok || got.Owner != alice.address() || got.Roles != container|checker || got.Region != "eu" || got.Price != 500_000 {
		t.Fatalf("%+v %t %v", got, ok, err)
	}
	if got.Keys != (Keys{}) || got.NextFrom != 2 || got.KeysAt(1) != (Keys{}) || got.KeysAt(2) != got.Next || got.Next == (Keys{}) {
		t.Errorf("keys must count after one full epoch: %+v", got)
	}
	if a, _ := b.account(alice.address()); a.Nodes != 1 {
		t.Errorf("alice has %d nodes", a.Nodes)
	}

	t.Run("another account cannot take it", func(t *testing.T) {
		b.refused(b.do(mallory, registration(mallory, n, container, false)), ErrOwner)
	})
	t.Run("a consent to another account does not count", func(t *testing.T) {
		r := registration(alice, who("m"), container, false)
		b.refused(b.do(mallory, r), ErrEvidence)
	})
	t.Run("an update keeps the keys", func(t *testing.T) {
		r := registration(alice, n, container|checker, true)
		r.PriceMicroUsdPerHour, r.Region = 7, "us"
		r.Consent(chainName, n.private, alice.address())
		b.pass(1)
		b.must(b.do(alice, r))
		after, _, _ := b.node(n.node())
		if after.Price != 7 || after.Region != "us" || after.NextFrom != 2 || after.Next != got.Next {
			t.Errorf("%+v", after)
		}
		if a, _ := b.account(alice.address()); a.Nodes != 1 {
			t.Errorf("an update counts as another node: %d", a.Nodes)
		}
	})
	t.Run("keys of another node", func(t *testing.T) {
		for _, keys := range [][2]identity{{who("v1 consensus"), who("m vrf")}, {who("m consensus"), who("v1 vrf")}} {
			m := who("m")
			r := registration(mallory, m, checker, true)
			possess(r, mallory, keys[0], keys[1])
			r.Consent(chainName, m.private, mallory.address())
			b.refused(b.do(mallory, r), ErrKeyTaken)
			if _, ok, _ := b.node(m.node()); ok {
				t.Error("registered all the same")
			}
			if a, _ := b.account(mallory.address()); a.Nodes != 1 {
				t.Errorf("counted all the same: %d", a.Nodes)
			}
		}
	})
	t.Run("keys that another is about to register", func(t *testing.T) {
		// Mallory sees the keys in a transaction that waits, and hers comes first.
		m, seen := who("m"), registration(alice, who("later"), checker, true)
		r := registration(mallory, m, checker, false)
		r.ConsensusKey, r.VrfKey = seen.ConsensusKey, seen.VrfKey
		r.Consent(chainName, m.private, mallory.address())
		b.refused(b.do(mallory, r), ErrUnproven)
		r.ConsensusSignature, r.VrfProof = seen.ConsensusSignature, seen.VrfProof
		b.refused(b.do(mallory, r), ErrEvidence)
		b.must(b.do(alice, seen))
	})
	t.Run("keys that nobody can hold", func(t *testing.T) {
		for _, bad := range [][]byte{make([]byte, 32), append([]byte{1}, make([]byte, 31)...), bytes.Repeat([]byte{0xff}, 32)} {
			m := who("m")
			r := registration(mallory, m, checker, true)
			r.VrfKey, r.ConsensusSignature, r.VrfProof = bad, nil, nil
			r.Consent(chainName, m.private, mallory.address())
			b.refused(b.do(mallory, r), ErrField)
		}
	})
	t.Run("a node is no account", func(t *testing.T) {
		b.must(b.do(alice, &tx.Transfer{To: n.raw(), Amount: frm}))
		b.refused(b.do(n, &tx.Register{Node: n.raw(), Roles: 1}), ErrOwner)
	})
	b.end()
}

func TestKeysChange(t *testing.T) {
	b := newBed(t)
	owner, v := who("v1 owner"), who("v1")
	was, _, _ := b.node(v.node())
	fresh := Keys{who("c2").key(), who("r2").key()}
	r := registration(owner, v, checker, false)
	r.ConsensusKey, r.VrfKey = fresh.Consensus[:], fresh.VRF[:]
	r.Consent(chainName, v.private, owner.address())
	b.refused(b.do(owner, r), ErrUnproven)
	possess(r, owner, who("c2"), who("r2"))
	r.Consent(chainName, v.private, owner.address())
	b.must(b.do(owner, r))
	n, _, _ := b.node(v.node())
	for e, want := range []Keys{was.Keys, was.Keys, fresh, fresh} {
		if n.KeysAt(uint64(e)) != want {
			t.Errorf("wrong keys in epoch %d", e)
		}
	}
	b.pass(1)
	if got := b.end().Validators; len(got) != 0 {
		t.Errorf("in epoch 1: %v", got)
	}
	b.begin(10_000)
	got := b.end().Validators
	if len(got) != 2 {
		t.Fatalf("in epoch 2: %v", got)
	}
	for _, u := range got {
		if want := map[[32]byte]uint64{was.Keys.Consensus: 0, fresh.Consensus: 20_000}[u.Key]; u.Power != want {
			t.Errorf("power %d, want %d", u.Power, want)
		}
	}
	old, ok, _ := ReadValidator(b.store, ConsensusAddress(was.Keys.Consensus))
	if !ok || old.Power != 0 || old.Keys != was.Keys {
		t.Errorf("who has left may still propose: %+v %t", old, ok)
	}
	b.begin(10_000)
	b.end()
	if _, ok, _ := ReadValidator(b.store, ConsensusAddress(was.Keys.Consensus)); ok {
		t.Error("still there an epoch later")
	}
	if o, ok, _ := MisbehaviorNode(b.store, ConsensusAddress(was.Keys.Consensus)); !ok || o != v.node() {
		t.Error("a former key no longer leads to its node")
	}
}

// TestKeysCanBeGivenBack: a checker that no longer wants to validate needs a checker's
// stake only.
func TestKeysCanBeGivenBack(t *testing.T) {
	b := newBed(t)
	owner, v := who("v1 owner"), who("v1")
	p := b.Params()
	b.refused(b.do(owner, &tx.Unbond{Node: v.raw(), Amount: 20_000*frm - p.CheckerStake}), ErrStake)
	b.must(b.do(owner, registration(owner, v, checker, false)))
	b.must(b.do(owner, &tx.Unbond{Node: v.raw(), Amount: 20_000*frm - p.CheckerStake}))
	b.pass(1)
	if got := b.powers("v1", "v2"); got["v1"] != 0 || got["v2"] == 0 {
		t.Errorf("validators %v", got)
	}
	b.pass(3)
	n, _, _ := b.node(v.node())
	if s, _ := b.stake(v.node()); n.Validates() || !b.active(&n, s) {
		t.Errorf("%+v with %+v is no checker", n, s)
	}
	b.end()
}

func TestDelegateMayChangePriceAndRegionOnly(t *testing.T) {
	b := newBed(t)
	owner, v := who("v1 owner"), who("v1")
	entry := func() *tx.Register {
		return &tx.Register{
			Node: v.raw(), Roles: uint32(checker), Region: "us", PriceMicroUsdPerHour: 9,
			VrfKey: who("v1 vrf").raw(), ConsensusKey: who("v1 consensus").raw(),
		}
	}
	fee := b.balance(owner)
	b.must(b.doFor(owner, v, entry()))
	if n, _, _ := b.node(v.node()); n.Price != 9 || n.Region != "us" || n.NextFrom != 0 {
		t.Errorf("%+v", n)
	}
	if got := fee - b.balance(owner); got != b.Params().TxFee {
		t.Errorf("the account paid %d", got)
	}
	for name, change := range map[string]func(*tx.Register){
		"roles":   func(r *tx.Register) { r.Roles |= uint32(container) },
		"class":   func(r *tx.Register) { r.HardwareClass = 1 },
		"keys":    func(r *tx.Register) { r.VrfKey = who("x").raw() },
		"no keys": func(r *tx.Register) { r.VrfKey, r.ConsensusKey = nil, nil },
	} {
		r := entry()
		change(r)
		if err := b.doFor(owner, v, r); err == nil {
			t.Errorf("%s: allowed", name)
		} else {
			b.refused(err, ErrDelegation)
		}
	}
	// Nor can it speak for another node of the account, or register a new one.
	other := who("other")
	b.must(b.do(owner, registration(owner, other, container, false)))
	r := registration(owner, other, container, false)
	b.refused(b.doFor(owner, v, r), ErrDelegation)
	b.refused(b.doFor(owner, v, registration(owner, who("third"), container, false)), ErrDelegation)
	b.end()
}

func TestRetire(t *testing.T) {
	b := newBed(t)
	alice, n := who("alice"), who("n")
	need := b.Params().ContainerStake
	b.refused(b.do(alice, &tx.Retire{Node: n.raw()}), ErrNoNode)
	b.must(b.do(alice, registration(alice, n, container, false)))
	b.refused(b.do(who("v1 owner"), &tx.Retire{Node: n.raw()}), ErrOwner)
	b.must(b.do(alice, &tx.Stake{Node: n.raw(), Amount: need}))
	b.refused(b.do(alice, &tx.Retire{Node: n.raw()}), ErrRetire)
	b.must(b.do(alice, &tx.Unbond{Node: n.raw(), Amount: need}))
	b.refused(b.do(alice, &tx.Retire{Node: n.raw()}), ErrRetire)
	b.must(b.move(unbondingOf(alice.address(), n.node(), 40), balanceOf(alice.address()), need))
	b.must(b.do(alice, &tx.Retire{Node: n.raw()}))
	if _, ok, _ := b.node(n.node()); ok {
		t.Error("still registered")
	}
	if a, _ := b.account(alice.address()); a.Nodes != 0 {
		t.Errorf("alice has %d nodes", a.Nodes)
	}
	b.end()

	t.Run("a new owner can take it then", func(t *testing.T) {
		b.begin(10)
		bob := who("v1 owner")
		b.must(b.do(bob, registration(bob, n, indexer, false)))
	})
	t.Run("not after double signing", func(t *testing.T) {
		b.must(b.setStake(n.node(), Stake{Tombstoned: true}))
		b.refused(b.do(who("v1 owner"), &tx.Retire{Node: n.raw()}), ErrTombstoned)
		b.refused(b.do(who("v1 owner"), &tx.Stake{Node: n.raw(), Amount: 50_000 * frm}), ErrTombstoned)
	})
}

func TestNodesOfAnAccountAreBounded(t *testing.T) {
	b := newBed(t)
	alice := who("alice")
	a, _ := b.account(alice.address())
	a.Nodes = maxNodes - 1
	b.must(b.setAccount(alice.address(), a))
	b.must(b.do(alice, registration(alice, who("last"), container, false)))
	b.refused(b.do(alice, registration(alice, who("one more"), container, false)), ErrTooMany)
}

func TestRegions(t *testing.T) {
	for s, want := range map[string]bool{
		"": true, "eu": true, "eu-west-1": true, "-eu": false, "EU": false, "e u": false, "ü": false,
		fmt.Sprintf("%032d", 0): true, fmt.Sprintf("%033d", 0): false,
	} {
		if regionValid(s) != want {
			t.Errorf("%q: %t", s, !want)
		}
	}
}
