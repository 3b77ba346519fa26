package state

import (
	"errors"
	"fmt"
	"testing"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/tx"
)

func emitted(t *bed, pool economics.Pool, to uint64) uint64 {
	return t.Params().Emission(pool, t.Network().Allocated[pool], 0, to)
}

// Without results everything goes to grants and the reserve, and the pools hold what is
// still to come, to the base unit.
func TestEmissionWithoutResultsGoesToTheReserve(t *testing.T) {
	b := newPlay(t)
	b.pass(10) // epoch 10: epochs 0 to 8 are paid for
	var sum, grants uint64
	for _, pool := range economics.EmittingPools() {
		gone := emitted(b, pool, 9)
		if left := b.Supply().Pool(pool); left != b.Network().Allocated[pool]-gone {
			t.Errorf("%s holds %d, want %d", pool, left, b.Network().Allocated[pool]-gone)
		}
		sum += gone
		for e := range uint64(9) {
			grants += b.Params().SplitTake(b.Params().Emission(pool, b.Network().Allocated[pool], e, e+1)).Grants
		}
	}
	if sum == 0 {
		t.Fatal("nothing was emitted")
	}
	if got := b.Supply().Pool(economics.PoolGrants); got != grants {
		t.Errorf("grants got %d, want %d", got, grants)
	}
	if got := b.Supply().Reserve(); got != sum-grants {
		t.Errorf("the reserve has %d, want %d", got, sum-grants)
	}
	if got := b.Supply().Pool(economics.PoolIndexers); got != 0 {
		t.Errorf("indexers have %d that nobody earned", got)
	}
	b.end()
}

// A chain that stood still emits what it would have emitted.
func TestSkippedEpochsAreCaughtUp(t *testing.T) {
	walked, jumped := newPlay(t), newPlay(t)
	walked.pass(60)
	jumped.next(60 * 10_000)
	for _, pool := range economics.EmittingPools() {
		if w, j := walked.Supply().Pool(pool), jumped.Supply().Pool(pool); w != j {
			t.Errorf("%s holds %d after steps and %d after a jump", pool, w, j)
		}
	}
	if e := jumped.event("emission"); e["from_epoch"] != "0" || e["to_epoch"] != "58" {
		t.Errorf("event %v", e)
	}
	walked.end()
	jumped.end()
}

// Results of the epochs before a standstill are paid, those in it have none.
func TestResultsBeforeAStandstillArePaid(t *testing.T) {
	b := newPlay(t)
	b.pass(4)
	b.must(b.AddWeight(3, RewardEdge, who("c1").node(), Weight{Capacity: 1}))
	b.must(b.AddWeight(4, RewardEdge, who("c1").node(), Weight{Capacity: 1}))
	b.next(30 * 10_000)
	var epochs []string
	for _, e := range b.seen {
		if e.Kind == "reward" {
			epochs = append(epochs, e.Attrs[0].Value)
		}
	}
	if fmt.Sprint(epochs) != "[3 4]" {
		t.Errorf("rewards for epochs %v", epochs)
	}
	if emitted(b, economics.PoolEdge, 33) != b.Network().Allocated[economics.PoolEdge]-b.Supply().Pool(economics.PoolEdge) {
		t.Error("the pool is not where the schedule says")
	}
	b.end()
}

func TestContainersShareByWeight(t *testing.T) {
	b := newPlay(t)
	c1, c2 := who("c1").node(), who("c2").node()
	b.must(b.addLoad(0, RewardEdge, 2, 1)) // half used: half of the pool for readiness, half for work
	b.must(b.AddWeight(0, RewardEdge, c1, Weight{Capacity: 1}))
	b.must(b.AddWeight(0, RewardEdge, c2, Weight{Capacity: 1, Work: 10, Fees: 777}))
	b.must(b.AddWeight(0, RewardEdge, c2, Weight{Capacity: 1}))
	before := b.balance(who("c1 owner"))
	b.pass(2)
	share := b.Params().SplitTake(emitted(b, economics.PoolEdge, 1)).Rest
	capacity, _ := economics.SplitPool(share, 5_000)
	one := capacity / 3
	lots := b.Params().RewardLots(one)
	if got := b.balance(who("c1 owner")) - before; got != lots[0].Amount {
		t.Errorf("%d free at once, want %d", got, lots[0].Amount)
	}
	// In epoch 2, 20 and 40 epochs on, rounded up to lots of 4.
	if got := b.lots(who("c1 owner")); got[24] != lots[1].Amount || got[44] != lots[2].Amount || len(got) != 2 {
		t.Errorf("vesting %v, want %v", got, lots)
	}
	// Work never earns more than its fees.
	two := economics.Payout(capacity, 2, 3) + 777
	lots = b.Params().RewardLots(two)
	if got := sumOfLots(b.lots(who("c2 owner"))); got != lots[1].Amount+lots[2].Amount {
		t.Errorf("c2 vests %d, want %d", got, lots[1].Amount+lots[2].Amount)
	}
	if b.Supply().Pool(economics.PoolEdge) != b.Network().Allocated[economics.PoolEdge]-emitted(b, economics.PoolEdge, 1) {
		t.Error("what nobody earned stayed in the pool")
	}
	if b.records(prefixWeight)+b.records(prefixWeightSum)+b.records(prefixPayout) != 0 {
		t.Error("records of a paid epoch are left")
	}
	b.end()
}

// Nodes that are gone, jailed or out get nothing; it goes to the reserve.
func TestRewardsNeedGoodStanding(t *testing.T) {
	b := newPlay(t)
	for i, id := range []key.Node{who("c1").node(), who("c2").node(), who("nobody").node()} {
		b.must(b.AddWeight(0, RewardEdge, id, Weight{Capacity: uint64(i) + 1}))
	}
	b.must(b.send(who("c1 owner"), &tx.Unbond{Node: who("c1").raw(), Amount: 2_000 * frm}))
	s, err := b.stake(who("c2").node())
	b.must(err)
	s.Jailed = true
	b.must(b.setStake(who("c2").node(), s))
	b.pass(2)
	if b.event("reward") != nil {
		t.Errorf("paid: %v", b.event("reward"))
	}
	if e := b.event("payout_ended"); e["reserve"] == "0" || e["reserve"] == "" {
		t.Errorf("reserve got %v", e)
	}
	b.end()
}

func TestCheckersWaitForTheirRewards(t *testing.T) {
	b := newPlay(t)
	for i := range 3 {
		b.must(b.AddWeight(0, RewardChecker, who(fmt.Sprintf("k%d", i)).node(), Weight{Capacity: uint64(i)}))
	}
	b.pass(2)
	share := b.Params().SplitTake(emitted(b, economics.PoolCheckerBase, 1)).Rest
	for i := range uint64(3) {
		lots := b.lots(who(fmt.Sprintf("k%d owner", i)))
		if want := share * i / 3; sumOfLots(lots) != want || lots[44] != want {
			t.Errorf("checker %d vests %v, want %d in epoch 44", i, lots, want)
		}
	}
	b.end()
}

// The bonus of a quarter is its emission and all penalties.
func TestQuarterBonus(t *testing.T) {
	b := newPlay(t, func(p *genesis.Plan) { p.Params.YearEpochs = 40 })
	_, err := b.slash(who("k3").node(), economics.OffenceEquivocation, key.Address{}, b.network.Supply)
	b.must(err)
	penalties := b.Supply().Pool(economics.PoolPenalties)
	if penalties != 250*frm {
		t.Fatalf("penalties hold %d", penalties)
	}
	b.pass(9)
	for name, answered := range map[string]uint32{"k0": 19, "k1": 18} { // of 20: k1 is below 95 %
		b.must(b.AddWeight(9, RewardBonus, who(name).node(), Weight{Capacity: 5}))
		b.must(b.overlay.Set(ConductKey(who(name).node()), Conduct{Now: Duties{20, answered}}.Encode()))
	}
	b.must(b.AddWeight(9, RewardBonus, who("k2").node(), Weight{Capacity: 5})) // suspended in that quarter
	b.must(b.overlay.Set(ConductKey(who("k2").node()), Conduct{BannedUntil: 7, Now: Duties{20, 20}}.Encode()))
	b.pass(2)
	want := b.Params().SplitTake(b.Network().Allocated[economics.PoolCheckerBonus]/16).Rest + penalties
	if got := sumOfLots(b.lots(who("k0 owner"))); got != want/3 {
		t.Errorf("the bonus is %d, want a third of %d", got, want)
	}
	for _, name := range []string{"k1 owner", "k2 owner"} {
		if got := sumOfLots(b.lots(who(name))); got != 0 {
			t.Errorf("%s has %d", name, got)
		}
	}
	if b.Supply().Pool(economics.PoolPenalties) != 0 {
		t.Error("penalties stayed")
	}
	b.end()
}

// An indexer earns by the sessions it led to, never more than half of their fees; together
// with what the container can earn by them it is the fee.
func TestIndexersEarnByPaidSessions(t *testing.T) {
	b := newPlay(t)
	for n := range uint64(3) {
		o := b.order(n, 60)
		o.Indexer = who("i1").raw()
		b.open(o)
		seconds := uint32(n * 10) // the first one paid nothing
		if seconds == 0 {
			b.must(b.send(who("c1 owner"), closing(o, nil)))
			continue
		}
		b.must(b.send(who("c1 owner"), closing(o, promise(who("alice"), o, 1, seconds))))
	}
	w, _, err := load(b.Reader(), WeightKey(0, RewardIndexer, who("i1").node()), DecodeWeight)
	b.must(err)
	// fees of 2 000 and 4 000
	if w != (Weight{Work: 2, Fees: 3_000}) {
		t.Errorf("the indexer's weight is %+v", w)
	}
	c, _, err := load(b.Reader(), WeightKey(0, RewardEdge, who("c1").node()), DecodeWeight)
	b.must(err)
	if c != (Weight{Fees: 3_000}) {
		t.Errorf("the container's weight is %+v", c)
	}
	before := b.balance(who("i1 owner"))
	b.pass(2)
	got := b.balance(who("i1 owner")) - before + sumOfLots(b.lots(who("i1 owner")))
	if got != 3_000 { // the take is far more
		t.Errorf("the indexer earned %d", got)
	}
	// The fees' own part stays with the indexers' pool; the rest of the take is the reserve's.
	if left := b.Supply().Pool(economics.PoolIndexers); left != 500+1_000 {
		t.Errorf("the indexers' pool holds %d", left)
	}
	b.end()
}

// Many recipients are paid over several blocks, each once.
func TestPayoutIsSpreadOverBlocks(t *testing.T) {
	const many = 3*payoutStep + 7
	b := newPlay(t, func(p *genesis.Plan) {
		p.Params.ContainerStake = 0
		for i := range many {
			p.Nodes = append(p.Nodes, genesis.Node{
				Node: who(fmt.Sprintf("n%d", i)).node(), Owner: who("many").address(),
				Roles: genesis.Roles(economics.RoleContainer), Class: genesis.Class(economics.ClassEnterprise), Stake: 1,
			})
		}
	})
	for i := range many {
		b.must(b.AddWeight(0, RewardEnterprise, who(fmt.Sprintf("n%d", i)).node(), Weight{Capacity: 1}))
	}
	paid := 0
	b.pass(2)
	for blocks := 1; ; blocks++ {
		for _, e := range b.seen {
			if e.Kind == "reward" {
				paid++
			}
		}
		if b.event("payout_ended") != nil {
			if blocks != 4 {
				t.Errorf("%d blocks", blocks)
			}
			break
		}
		if blocks > 10 {
			t.Fatal("the payout does not end")
		}
		b.next(1000)
	}
	if paid != many {
		t.Errorf("%d paid of %d", paid, many)
	}
	b.end()
}

func TestPaidEpochsTakeNoMoreWeights(t *testing.T) {
	b := newPlay(t)
	b.pass(3)
	if err := b.AddWeight(1, RewardEdge, who("c1").node(), Weight{Capacity: 1}); !errors.Is(err, ErrRecord) {
		t.Errorf("got %v", err)
	}
	b.must(b.AddWeight(2, RewardEdge, who("c1").node(), Weight{Capacity: 1}))
	if err := b.AddWeight(2, rewardEnd, who("c1").node(), Weight{}); !errors.Is(err, ErrRecord) {
		t.Errorf("got %v", err)
	}
	if err := b.AddWeight(2, RewardEdge, who("c1").node(), Weight{Work: economics.MaxWeight + 1}); !errors.Is(err, ErrRecord) {
		t.Errorf("got %v", err)
	}
}
