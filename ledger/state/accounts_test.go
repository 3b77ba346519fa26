package state

import (
	"errors"
	"testing"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/tx"
)

func TestTransfer(t *testing.T) {
	alice, bob := who("alice"), who("bob")
	all := 1_000_000 * frm
	for _, c := range []struct {
		name         string
		to           identity
		amount       uint64
		rule         *Rule
		alice, bob   uint64 // after
		burned, next uint64
	}{
		{"some", bob, 5 * frm, nil, all - 5*frm - 1000, 5 * frm, 1000, 1},
		{"to itself", alice, 5 * frm, nil, all - 1000, 0, 1000, 1},
		{"all but the fee", bob, all - 1000, nil, 0, all - 1000, 1000, 1},
		{"all: the fee is missing", bob, all, ErrFunds, all - 1000, 0, 1000, 1},
		{"more than there is", bob, uint64(amount.Supply), ErrFunds, all - 1000, 0, 1000, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBed(t)
			err := b.do(alice, &tx.Transfer{To: c.to.raw(), Amount: c.amount})
			if c.rule != nil {
				b.refused(err, c.rule)
			} else {
				b.must(err)
				if e := b.event("transfer"); e["from"] != alice.address().String() || e["to"] != c.to.address().String() || e["amount"] == "" {
					t.Errorf("event %v", e)
				}
			}
			if got := b.balance(alice); got != c.alice {
				t.Errorf("alice has %d, want %d", got, c.alice)
			}
			if got := b.balance(bob); got != c.bob {
				t.Errorf("bob has %d, want %d", got, c.bob)
			}
			if got := b.Supply().Burned; got != c.burned {
				t.Errorf("burned %d, want %d", got, c.burned)
			}
			if a, _ := b.account(alice.address()); a.Nonce != c.next {
				t.Errorf("nonce %d, want %d", a.Nonce, c.next)
			}
			b.end()
		})
	}
}

// TestAdmission: what is refused before the fee is taken changes nothing at all.
func TestAdmission(t *testing.T) {
	b := newBed(t)
	alice, poor := who("alice"), who("poor")
	b.must(b.do(alice, &tx.Transfer{To: poor.raw(), Amount: 999}))
	pay := func() *tx.Body { return body(&tx.Transfer{To: poor.raw(), Amount: 1}) }
	valid := func(nonce, until uint64) *tx.Body {
		p := pay()
		p.Nonce, p.ValidUntilMs = nonce, until
		return p
	}
	acting := func(account identity, op any) *tx.Body {
		p := body(op)
		p.Account = account.raw()
		return p
	}
	now := b.Head().TimeMS
	for _, c := range []struct {
		name   string
		signer identity
		body   *tx.Body
		rule   *Rule
	}{
		{"a nonce used before", alice, valid(0, 0), ErrNonce},
		{"a nonce too far", alice, valid(2, 0), ErrNonce},
		{"too late by a millisecond", alice, valid(1, now-1), ErrExpired},
		{"no money for the fee", poor, valid(0, 0), ErrFee},
		{"nothing at all", who("nobody"), valid(0, 0), ErrFee},
		{"no delegation", who("nobody"), acting(alice, &tx.ApproveChange{}), ErrDelegation},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := len(b.overlay.cache)
			live := b.live
			signer, _ := b.account(c.signer.address())
			_, err := b.Apply(b.sign(c.signer, c.body))
			b.refused(err, c.rule)
			if after, _ := b.account(c.signer.address()); after != signer || b.live != live {
				t.Errorf("something changed (%d keys before): %+v", before, after)
			}
		})
	}
	if _, err := b.Apply(b.sign(alice, valid(1, now))); err != nil {
		t.Errorf("in its last millisecond: %v", err)
	}
	if _, err := b.Apply(b.sign(alice, valid(2, 0))); err != nil {
		t.Errorf("the next: %v", err)
	}
}

// TestRefusedOperationCostsTheFee: junk that names a real account is paid by it, and
// nothing else of it stays.
func TestRefusedOperationCostsTheFee(t *testing.T) {
	b := newBed(t)
	alice := who("alice")
	before := b.balance(alice)
	b.refused(b.do(alice, &tx.Retire{Node: who("unknown").raw()}), ErrNoNode)
	forged := registration(alice, who("n"), 1, false)
	forged.NodeSignature[3] ^= 1
	b.refused(b.do(alice, forged), ErrEvidence)
	if _, ok, _ := b.node(who("n").node()); ok {
		t.Error("a forged consent registered a node")
	}
	if got := b.balance(alice); got != before-2*b.Params().TxFee {
		t.Errorf("%d left of %d", got, before)
	}
	b.end()
}

// TestMoveCannotMakeMoney: the one primitive that moves money refuses to overdraw any
// purse, and totals that do not sum stop the node.
// TestTryLeavesNothingOfARefusal: whoever mends a transaction that was refused at the door
// sends it again under the same number.
func TestTryLeavesNothingOfARefusal(t *testing.T) {
	b := newBed(t)
	b.end()
	alice, to := who("alice"), who("v1 owner").raw()
	b.begin(1000)
	f := b.Fork()
	refused := b.signed(alice, body(&tx.Transfer{To: to, Amount: 2_000_000 * frm}))
	mended := b.signed(alice, body(&tx.Transfer{To: to, Amount: frm}))
	before := f.Supply()
	b.refused(f.Try(refused), ErrFunds)
	if f.Supply() != before {
		t.Error("a refusal cost something")
	}
	b.must(f.Admits(mended))
	b.must(f.Try(mended))
	if got := f.Supply().Burned - before.Burned; got != b.Params().TxFee {
		t.Errorf("burned %d", got)
	}
	b.refused(f.Admits(mended), ErrNonce)
	b.refused(f.Try(mended), ErrNonce)
}

// TestAdmitsIsWhatApplyAsksFirst: it refuses what Apply refuses for nothing, with the same
// code, and nothing else.
func TestAdmitsIsWhatApplyAsksFirst(t *testing.T) {
	b := newBed(t)
	alice, pauper, to := who("alice"), who("pauper"), who("v1 owner").raw()
	send := func(v uint64) *tx.Body { return body(&tx.Transfer{To: to, Amount: v}) }
	late, early := send(1), send(1)
	late.ValidUntilMs, early.Nonce = b.now-1, 1
	for name, c := range map[string]struct {
		t    *tx.Tx
		want *Rule
	}{
		"late":    {b.signed(alice, late), ErrExpired},
		"nonce":   {b.sign(alice, early), ErrNonce},
		"no fee":  {b.signed(pauper, send(1)), ErrFee},
		"no node": {b.signed(who("n"), &tx.Body{Account: alice.raw(), Op: &tx.Body_Propose{Propose: &tx.ProposeChange{Parameter: "tx_fee"}}}), ErrDelegation},
	} {
		before := b.Supply()
		b.refused(b.Admits(c.t), c.want)
		_, err := b.Apply(c.t)
		if b.refused(err, c.want); b.Supply() != before {
			t.Errorf("%s: it cost something", name)
		}
	}
	b.must(b.Admits(b.signed(alice, send(2_000_000*frm))))
	b.end()
}

func TestMoveCannotMakeMoney(t *testing.T) {
	b := newBed(t)
	n, a := who("v1").node(), who("alice").address()
	for _, c := range []struct {
		name string
		from purse
		take uint64
	}{
		{"stake", stakeOf(n), 20_000*frm + 1},
		{"stake of nobody", stakeOf(who("x").node()), 1},
		{"unbonding", unbondingOf(a, n, 5), 1},
		{"vesting", vestingOf(a, 5, 0), 1},
		{"escrow", escrowOf(n, [16]byte{}), 1},
		{"pool", poolOf(0), b.Supply().Pool(0) + 1},
		{"burned", burned, 1},
	} {
		if err := b.move(c.from, balanceOf(a), c.take); !errors.Is(err, ErrInvariant) || refused(err) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if err := b.move(balanceOf(a), escrowOf(n, [16]byte{}), 1); !errors.Is(err, ErrInvariant) {
		t.Errorf("escrow without a session: %v", err)
	}

	b = newBed(t)
	b.totals.Balances++
	if _, err := b.EndBlock(); !errors.Is(err, ErrInvariant) {
		t.Errorf("one base unit too many: %v", err)
	}
	b = newBed(t)
	b.totals.Escrow -= 2 // wraps around
	if _, err := b.EndBlock(); !errors.Is(err, ErrInvariant) {
		t.Errorf("a purse below nothing: %v", err)
	}
}

// TestMovesBetweenAllPurses moves one amount through every kind and back.
func TestMovesBetweenAllPurses(t *testing.T) {
	b := newBed(t)
	a, n, id := who("alice").address(), who("v1").node(), [16]byte{7}
	b.must(b.overlay.Set(SessionKey(n, id), Session{Phase: PhaseOpen}.Encode()))
	purses := []purse{
		balanceOf(a), stakeOf(n), unbondingOf(a, n, 9), vestingOf(a, 9, 0), vestingOf(a, 9, 4),
		escrowOf(n, id), poolOf(3), balanceOf(a), burned,
	}
	before := b.Supply()
	for i := range len(purses) - 1 {
		b.must(b.move(purses[i], purses[i+1], 12_345))
	}
	b.must(b.overlay.Delete(SessionKey(n, id)))
	after := b.Supply()
	before.Balances -= 12_345
	before.Burned += 12_345
	if after != before {
		t.Errorf("got %+v, want %+v", after, before)
	}
	b.end()
	for _, k := range [][]byte{UnbondingKey(a, n, 9), VestingKey(a, 9, 0), VestingKey(a, 9, 4)} {
		if v, _ := b.store.Get(k); v != nil {
			t.Errorf("%q is empty and still there", k)
		}
	}
}

func TestParseKeysOfLots(t *testing.T) {
	a, n := who("a").address(), who("n").node()
	if ga, free, linear, ok := ParseVestingKey(VestingKey(a, 3, 4)); !ok || ga != a || free != 3 || linear != 4 {
		t.Errorf("vesting: %v %d %d %t", ga, free, linear, ok)
	}
	if ga, gn, free, ok := ParseUnbondingKey(UnbondingKey(a, n, 3)); !ok || ga != a || gn != n || free != 3 {
		t.Errorf("unbonding: %v %v %d %t", ga, gn, free, ok)
	}
	for _, k := range [][]byte{nil, AccountKey(a), VestingKey(a, 1, 2)[1:], append(UnbondingKey(a, n, 1), 0)} {
		_, _, _, v := ParseVestingKey(k)
		_, _, _, u := ParseUnbondingKey(k)
		if v || u {
			t.Errorf("%q passes for a lot", k)
		}
	}
}
