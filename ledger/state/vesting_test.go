package state

import (
	"strconv"
	"testing"

	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/tx"
)

func (b *bed) claim(i identity) uint64 {
	b.tb.Helper()
	before := b.balance(i)
	b.must(b.send(i, &tx.Claim{}))
	return b.balance(i) + b.Params().TxFee - before
}

func TestIncomeVestsAndIsClaimed(t *testing.T) {
	b := newPlay(t)
	earn := func(n uint64) {
		o := b.open(b.order(n, 60))
		b.must(b.send(who("c1 owner"), closing(o, promise(who("alice"), o, 1, 10))))
	}
	earn(1) // epoch 0: free in 20
	b.pass(1)
	earn(2) // epochs 1 to 4: free in 24
	b.pass(3)
	earn(3)
	if lots := b.lots(who("c1 owner")); len(lots) != 2 || lots[20] != 8_000 || lots[24] != 16_000 {
		t.Fatalf("lots %v", lots)
	}
	b.next(15 * 10_000) // epoch 19
	b.refused(b.send(who("c1 owner"), &tx.Claim{}), ErrNothing)
	b.refused(b.send(who("bob"), &tx.Claim{}), ErrNothing)
	b.pass(1)
	if got := b.claim(who("c1 owner")); got != 8_000 {
		t.Errorf("claimed %d", got)
	}
	b.refused(b.send(who("c1 owner"), &tx.Claim{}), ErrNothing)
	b.pass(4)
	if got := b.claim(who("c1 owner")); got != 16_000 {
		t.Errorf("claimed %d", got)
	}
	if b.Supply().Vesting != 0 || b.records(prefixVesting) != 0 {
		t.Error("lots are left")
	}
	b.end()
}

// What vests evenly is claimed in parts that sum to the whole, however often one claims.
func TestGrantsVestEvenly(t *testing.T) {
	grant := func(p *genesis.Plan) {
		p.Accounts = append(p.Accounts,
			genesis.Account{Address: who("often").address(), Amount: frm, Vest: []genesis.Vest{{Amount: 1_000_003, CliffEpochs: 5, LinearEpochs: 7}}},
			genesis.Account{Address: who("once").address(), Amount: frm, Vest: []genesis.Vest{{Amount: 1_000_003, CliffEpochs: 5, LinearEpochs: 7}}},
		)
	}
	b := newPlay(t, grant)
	b.pass(4)
	b.refused(b.send(who("often"), &tx.Claim{}), ErrNothing)
	b.pass(1) // the cliff itself frees nothing of what is even
	b.refused(b.send(who("often"), &tx.Claim{}), ErrNothing)
	var got uint64
	for range 7 {
		b.pass(1)
		got += b.claim(who("often"))
		b.refused(b.send(who("often"), &tx.Claim{}), ErrNothing)
	}
	if got != 1_000_003 {
		t.Errorf("claimed %d in all", got)
	}
	b.pass(3)
	if got := b.claim(who("once")); got != 1_000_003 {
		t.Errorf("claimed %d at once", got)
	}
	if b.Supply().Vesting != 0 {
		t.Error("something is left")
	}
	b.end()
}

// One claim does a bounded part and says that there is more.
func TestClaimIsBounded(t *testing.T) {
	b := newPlay(t, func(p *genesis.Plan) { p.Params.VestLotEpochs = 1 })
	const lots = 2*maxClaims + 30
	for e := range uint64(lots) {
		b.must(b.move(balanceOf(who("bob").address()), vestingOf(who("c1 owner").address(), e+1, 0), 10))
	}
	b.next(lots * 10_000)
	for _, want := range []struct {
		amount uint64
		more   string
	}{{10 * maxClaims, "true"}, {10 * maxClaims, "true"}, {300, "false"}} {
		if got := b.claim(who("c1 owner")); got != want.amount || b.event("claim")["more"] != want.more {
			t.Errorf("claimed %d, more %s; want %+v", got, b.event("claim")["more"], want)
		}
	}
	b.refused(b.send(who("c1 owner"), &tx.Claim{}), ErrNothing)
	b.end()
}

func TestUnbondedStakeIsClaimed(t *testing.T) {
	b := newPlay(t)
	b.must(b.send(who("c1 owner"), &tx.Unbond{Node: who("c1").raw(), Amount: 500 * frm}))
	b.pass(4)
	b.must(b.send(who("c1 owner"), &tx.Unbond{Node: who("c1").raw(), Amount: 100 * frm}))
	b.next(35 * 10_000) // epoch 39
	b.refused(b.send(who("c1 owner"), &tx.Claim{}), ErrNothing)
	b.pass(1)
	if got := b.claim(who("c1 owner")); got != 500*frm || b.event("claim")["unbonded"] != "50000000000" {
		t.Errorf("claimed %d, %v", got, b.event("claim"))
	}
	b.pass(4)
	if got := b.claim(who("c1 owner")); got != 100*frm || b.Supply().Unbonding != 0 {
		t.Errorf("claimed %d", got)
	}
	b.end()
}

func TestDelegatesDoNotClaim(t *testing.T) {
	w := wrap(&tx.Claim{})
	w.Account = who("c1 owner").raw()
	if _, err := tx.Sign(chainName, who("c1").private, w); err == nil {
		t.Error("a delegate's claim was signed")
	}
}

// counting is a store that counts what it shows of a prefix.
type counting struct {
	*memory
	shown *int
}

func (c counting) Range(from, to []byte, fn func(k, v []byte) bool) error {
	return c.memory.Range(from, to, func(k, v []byte) bool { *c.shown++; return fn(k, v) })
}

// A claim costs one fee, however much stake of an account is unbonding: what is not free yet
// is passed over unread.
func TestClaimPassesOverWhatIsNotFree(t *testing.T) {
	b := newBed(t)
	alice, nodes, lots := who("alice"), 30, 40
	var want uint64
	for i := range nodes {
		n := who(strconv.Itoa(i)).node()
		for lot := range lots {
			free := uint64(100 + lot)
			if i%2 == 1 && lot == 0 {
				free, want = 1, want+frm
			}
			b.must(b.move(poolOf(0), unbondingOf(alice.address(), n, free), frm))
		}
	}
	b.pass(1)
	b.end()
	shown := 0
	b.Machine.overlay = NewOverlay(counting{b.store, &shown})
	b.begin(1000)
	before := b.balance(alice)
	shown = 0
	b.must(b.do(alice, &tx.Claim{}))
	if got := b.balance(alice) + b.Params().TxFee - before; got != want {
		t.Errorf("claimed %d of %d", got, want)
	}
	if shown > 4*nodes {
		t.Errorf("read %d of %d records", shown, nodes*lots)
	}
	b.end()
}
