package state

import (
	"testing"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/proof"
)

func TestDutiesOfQuarters(t *testing.T) {
	var c Conduct
	for _, s := range []struct {
		quarter  uint64
		answered bool
	}{{0, true}, {0, false}, {1, true}, {0, true}, {1, true}} {
		c.asked(s.quarter, s.answered)
	}
	if c.Previous != (Duties{3, 2}) || c.Now != (Duties{2, 2}) || c.Quarter != 1 {
		t.Errorf("got %+v", c)
	}
	if c.uptime(0) != 6_666 || c.uptime(1) != 10_000 || c.uptime(2) != 0 {
		t.Errorf("up %d, %d, %d", c.uptime(0), c.uptime(1), c.uptime(2))
	}
	c.asked(3, true)
	c.asked(1, true) // too long ago
	if c.Previous != (Duties{}) || c.Now != (Duties{1, 1}) || c.uptime(1) != 0 {
		t.Errorf("got %+v", c)
	}
}

// What checkers earn by rounds is their share of the quarter's bonus.
func TestRoundsEarnTheBonus(t *testing.T) {
	b := newRounds(t, func(p *genesis.Plan) { p.Params.YearEpochs = 40 })
	idle := b.drawn(0).Batches[0].Committee[0]
	for range 10 {
		b.certify(b.Epoch(), func(r *proof.Result) {
			for i, n := range b.drawn(b.Epoch()).Batches[0].Committee {
				if n == idle {
					r.Correct &^= 1 << i
				}
			}
		})
		b.pass(1)
	}
	b.next(1_000)
	before := map[string]uint64{}
	for _, name := range kitNames {
		before[name] = sumOfLots(b.lots(who(name + " owner")))
	}
	b.next(9_000)
	paid := 0
	for b.event("payout_ended") != nil && paid == 0 {
		for _, e := range b.seen {
			if e.Kind == "reward" && e.Attrs[1].Value == RewardBonus.String() {
				if e.Attrs[2].Value == idle.String() {
					t.Error("who never answered has a bonus")
				}
				paid++
			}
		}
		b.next(1_000)
	}
	if paid < 3 {
		t.Errorf("%d checkers have a bonus", paid)
	}
	sum, err := b.weightSum(19, RewardBonus)
	if b.must(err); sum.Capacity == 0 {
		t.Error("the next quarter has begun with nothing")
	}
	if b.Supply().Pool(economics.PoolCheckerBonus) >= b.Network().Allocated[economics.PoolCheckerBonus] {
		t.Error("nothing left the pool")
	}
	b.end()
}
