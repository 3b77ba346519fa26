package state

import (
	"testing"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/tx"
)

// waiting lets a checker's rewards be free after 40 epochs and leave after 10.
func waiting(p *genesis.Plan) { p.Params.EarlyEpochs = 10 }

// rewarded pays a checker's node so much from the pool of checkers.
func (b *bed) rewarded(name string, v uint64) {
	b.tb.Helper()
	paid, err := b.reward(RewardChecker, who(name).node(), v)
	if b.must(err); paid != v {
		b.tb.Fatalf("%s was paid %d of %d", name, paid, v)
	}
}

func (b *bed) lotOf(i identity, free uint64) Lot {
	b.tb.Helper()
	l, _, err := load(b.overlay, VestingKey(i.address(), free, 0), DecodeLot)
	b.must(err)
	return l
}

func TestACheckerMayLeaveEarly(t *testing.T) {
	for _, c := range []struct {
		name  string
		early uint64
		rule  *Rule
		paid  uint64 // the rest of what is taken goes to the reserve
		lots  [2]uint64
	}{
		{"all of it", 1 << 60, nil, (140*frm)/4 - 5*frm, [2]uint64{0, 0}},
		{"of what is free last", 30 * frm, nil, 250_000_000, [2]uint64{100 * frm, 10 * frm}},
		{"of both", 60 * frm, nil, 10 * frm, [2]uint64{80 * frm, 0}},
		{"the remainder is lost", 60*frm + 3, nil, 10 * frm, [2]uint64{80*frm - 3, 0}},
		{"less than the least", 30*frm - 1, ErrTooSoon, 0, [2]uint64{100 * frm, 40 * frm}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newPlay(t, waiting)
			owner := who("k0 owner")
			b.rewarded("k0", 100*frm) // epoch 0: free in 40, may leave in 12, as lots are of 4 epochs
			b.pass(4)
			b.rewarded("k0", 40*frm) // free in 44, may leave in 16
			b.pass(7)
			b.refused(b.do(owner, &tx.Claim{Early: 1 << 60}), ErrTooSoon) // epoch 11
			b.pass(5)                                                     // epoch 16
			before, reserve := b.balance(owner), b.Supply().Reserve()
			err := b.do(owner, &tx.Claim{Early: c.early})
			if c.rule != nil {
				b.refused(err, c.rule)
			} else {
				b.must(err)
			}
			for i, want := range c.lots {
				if got := b.lotOf(owner, uint64(40+4*i)); got.Held != want || got.Early != want {
					t.Errorf("lot %d holds %+v, want %d", i, got, want)
				}
			}
			if got := b.balance(owner) + b.Params().TxFee - before; got != c.paid {
				t.Errorf("paid %d, want %d", got, c.paid)
			}
			taken := 140*frm - c.lots[0] - c.lots[1]
			if got := b.Supply().Reserve() - reserve; got != taken-c.paid {
				t.Errorf("%d went to the reserve, want %d", got, taken-c.paid)
			}
			b.end()
		})
	}
}

// Only rewards of checkers leave early, also where they share a lot with other income; and
// what is free is claimed whole, not at a loss.
func TestOnlyCheckersLeaveEarly(t *testing.T) {
	b := newPlay(t, waiting)
	owner := who("k0 owner")
	b.rewarded("k0", 100*frm)
	b.must(b.move(poolOf(economics.PoolDAO), vestingOf(owner.address(), 40, 0), 1_000*frm))
	b.must(b.move(poolOf(economics.PoolDAO), vestingOf(owner.address(), 44, 0), 1_000*frm))
	b.pass(12)
	b.must(b.do(owner, &tx.Claim{Early: 1 << 60}))
	if e := b.event("claim_early"); e["rewards"] != "10000000000" || e["paid"] != "2000000000" || e["forfeited"] != "8000000000" || e["lots"] != "1" {
		t.Errorf("%v", e)
	}
	if l := b.lotOf(owner, 40); l.Held != 1_000*frm || l.Early != 0 || l.From != 0 || l.Granted != 1_100*frm {
		t.Errorf("what is left: %+v", l)
	}
	b.refused(b.do(owner, &tx.Claim{Early: 1 << 60}), ErrTooSoon)
	b.rewarded("k0", 100*frm) // epoch 12: free in 52
	b.pass(40)
	b.refused(b.do(owner, &tx.Claim{Early: 1 << 60}), ErrTooSoon)
	if got := b.claim(owner); got != 2_100*frm {
		t.Errorf("claimed %s when all was free", amount.Amount(got))
	}
	b.end()
}

// A slash takes of a lot first what may not leave early, and never leaves more that may than
// there is.
func TestASlashKeepsLotsWhole(t *testing.T) {
	b := newPlay(t, waiting)
	owner := who("k0 owner")
	b.rewarded("k0", 100*frm)
	b.must(b.move(poolOf(economics.PoolDAO), vestingOf(owner.address(), 40, 0), 50*frm))
	take := func(v, held, early uint64) {
		t.Helper()
		b.must(b.move(vestingOf(owner.address(), 40, 0), burned, v))
		if l := b.lotOf(owner, 40); l.Held != held || l.Early != early {
			t.Errorf("%+v, want %d of which %d", l, held, early)
		}
	}
	take(40*frm, 110*frm, 100*frm)
	take(40*frm, 70*frm, 70*frm)
	b.pass(12)
	b.must(b.do(owner, &tx.Claim{Early: 70 * frm}))
	if n := b.records(prefixVesting); n != 0 {
		t.Errorf("%d lots are left", n)
	}
	b.end()
}

// Where rewards are free before they might leave early there is nothing to lose.
func TestNoEarlyExitFromShortWaits(t *testing.T) {
	b := newPlay(t, func(p *genesis.Plan) { p.Params.EarlyEpochs = 40 })
	b.rewarded("k0", 100*frm)
	if l := b.lotOf(who("k0 owner"), 40); l.Held != 100*frm || l.Early != 0 {
		t.Errorf("%+v", l)
	}
	b.end()
}
