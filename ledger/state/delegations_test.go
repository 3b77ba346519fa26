package state

import (
	"testing"

	"github.com/framemesh/framemesh/ledger/tx"
)

func TestDelegate(t *testing.T) {
	b := newBed(t)
	alice, n := who("alice"), who("n")
	last := b.Params().DelegationMaxEpochs
	for _, c := range []struct {
		name string
		op   *tx.Delegate
		rule *Rule
	}{
		{"too long", &tx.Delegate{Node: n.raw(), ExpiresEpoch: last + 1}, ErrField},
		{"to itself", &tx.Delegate{Node: alice.raw(), ExpiresEpoch: 3}, ErrDelegation},
		{"to a node of another", &tx.Delegate{Node: who("v1").raw(), ExpiresEpoch: 3}, ErrOwner},
		{"as long as allowed", &tx.Delegate{Node: n.raw(), ExpiresEpoch: last, CutPpm: 1_000_000}, nil},
		{"shorter instead", &tx.Delegate{Node: n.raw(), ExpiresEpoch: 2, CutPpm: 5}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := b.do(alice, c.op)
			if c.rule != nil {
				b.refused(err, c.rule)
				return
			}
			b.must(err)
			d, ok, _ := ReadDelegation(b.overlay, alice.address(), n.node())
			if !ok || d.Expires != c.op.ExpiresEpoch || d.CutPPM != c.op.CutPpm {
				t.Errorf("%+v %t", d, ok)
			}
		})
	}
	t.Run("in the past", func(t *testing.T) {
		b.pass(1)
		b.refused(b.do(alice, &tx.Delegate{Node: n.raw(), ExpiresEpoch: 0}), ErrField)
	})
}

// TestDelegationEnds: it holds in its last epoch, and is gone in the next without anybody
// asking.
func TestDelegationEnds(t *testing.T) {
	b := newBed(t)
	alice, n := who("alice"), who("n")
	b.must(b.do(alice, registration(alice, n, container, false)))
	b.must(b.do(alice, &tx.Delegate{Node: n.raw(), ExpiresEpoch: 1}))
	update := func() *tx.Register {
		return &tx.Register{Node: n.raw(), Roles: uint32(container), PriceMicroUsdPerHour: 3}
	}
	b.must(b.doFor(alice, n, update()))
	b.pass(1)
	b.must(b.doFor(alice, n, update()))
	b.pass(1)
	if _, ok, _ := ReadDelegation(b.overlay, alice.address(), n.node()); ok {
		t.Error("still there after its last epoch")
	}
	if e := b.event("revoke"); e["node"] != n.node().String() {
		t.Errorf("event %v", e)
	}
	b.refused(b.doFor(alice, n, update()), ErrDelegation)

	t.Run("a longer one replaces a shorter", func(t *testing.T) {
		b.must(b.do(alice, &tx.Delegate{Node: n.raw(), ExpiresEpoch: 3}))
		b.must(b.do(alice, &tx.Delegate{Node: n.raw(), ExpiresEpoch: 9}))
		b.pass(4)
		b.must(b.doFor(alice, n, update()))
	})
	t.Run("and it can be revoked at once", func(t *testing.T) {
		b.must(b.do(alice, &tx.Revoke{Node: n.raw()}))
		b.refused(b.doFor(alice, n, update()), ErrDelegation)
		b.refused(b.do(alice, &tx.Revoke{Node: n.raw()}), ErrNoDelegation)
	})
	b.end()
	b.store.Range([]byte(prefixDue), prefixEnd([]byte(prefixDue)), func(k, _ []byte) bool {
		if dueKind(k[len(prefixDue)+9]) == dueUndelegate && string(k[len(prefixDue)+10:][:32]) == string(alice.raw()) {
			t.Errorf("a revoked delegation leaves %q behind", k)
		}
		return true
	})
}

// TestDelegateCannotMoveMoney: the decoder refuses such transactions; the state does not
// rely on it.
func TestDelegateCannotMoveMoney(t *testing.T) {
	b := newBed(t)
	owner, v := who("v1 owner"), who("v1")
	for _, op := range []any{
		&tx.Transfer{To: v.raw(), Amount: 1}, &tx.Stake{Node: v.raw(), Amount: 1}, &tx.Unbond{Node: v.raw(), Amount: 1},
		&tx.Claim{}, &tx.Delegate{Node: v.raw()}, &tx.Revoke{Node: v.raw()}, &tx.Retire{Node: v.raw()},
	} {
		before := b.live
		_, err := b.Apply(&tx.Tx{Body: body(op), Signer: v.address(), Account: owner.address()})
		b.refused(err, ErrDelegation)
		if b.live != before {
			t.Errorf("%T changed something", op)
		}
	}
}
