package economics_test

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/framemesh/framemesh/ledger/economics"
)

func TestCliffLinear(t *testing.T) {
	for _, c := range []struct{ total, cliff, linear, t, want uint64 }{
		{100, 10, 30, 0, 0},
		{100, 10, 30, 9, 0},
		{100, 10, 30, 10, 0}, // the cliff releases nothing by itself
		{100, 10, 30, 11, 3},
		{100, 10, 30, 39, 96},
		{100, 10, 30, 40, 100},
		{100, 10, 30, 1 << 63, 100},
		{100, 10, 0, 9, 0},
		{100, 10, 0, 10, 100},
		{100, 0, 0, 0, 100},
		// The team: 18 months of nothing, then 36 months, of 735·10^15.
		{735_000_000_000_000_000, 52_560, 105_120, 52_561, 6_992_009_132_420},
		{735_000_000_000_000_000, 52_560, 105_120, 105_120, 367_500_000_000_000_000},
		{735_000_000_000_000_000, 52_560, 105_120, 157_680, 735_000_000_000_000_000},
	} {
		if got := economics.CliffLinear(c.total, c.cliff, c.linear, c.t); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		total, cliff, linear := rapid.Uint64().Draw(t, "total"), rapid.Uint64Range(0, 50).Draw(t, "cliff"), rapid.Uint64Range(0, 50).Draw(t, "linear")
		var last uint64
		for at := range cliff + linear + 2 {
			now := economics.CliffLinear(total, cliff, linear, at)
			if now < last || now > total || (at < cliff && now != 0) || (at >= cliff+linear && now != total) {
				t.Fatalf("at %d: %d after %d", at, now, last)
			}
			last = now
		}
	})
}

func TestRelease(t *testing.T) {
	p := economics.DefaultParams()
	const month = 2_920
	for pool, want := range map[economics.Pool][]economics.Tranche{
		economics.PoolTeam:      {{Amount: 1_001, CliffEpochs: 18 * month, LinearEpochs: 36 * month}},
		economics.PoolInvestors: {{Amount: 1_001, CliffEpochs: 12 * month, LinearEpochs: 24 * month}},
		economics.PoolEcosystem: {{Amount: 501, LinearEpochs: 24 * month}},
		economics.PoolDAO:       {{Amount: 1_001, LinearEpochs: 48 * month}},
		economics.PoolAirdrop:   {{Amount: 250, CliffEpochs: 8 * month}, {Amount: 501, CliffEpochs: 16 * month}},
		economics.PoolReserve:   nil,
		economics.PoolEdge:      nil,
	} {
		if got := economics.Release(p, pool, 1_001); len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v; want %+v", pool, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		pool := rapid.SampledFrom(economics.Pools()).Draw(t, "pool")
		q := p
		q.YearEpochs = 4 * rapid.Uint64Range(1, 100).Draw(t, "quarter")
		free := rapid.Uint64().Draw(t, "total")
		for _, tranche := range economics.Release(q, pool, free) {
			if tranche.Amount == 0 || tranche.Amount > free || tranche.CliffEpochs+tranche.LinearEpochs == 0 {
				t.Fatalf("%s: %+v of %d", pool, tranche, free)
			}
			free -= tranche.Amount
		}
	})
}

func TestRewardLots(t *testing.T) {
	p := economics.DefaultParams()
	for reward, want := range map[uint64][3]economics.Lot{
		0:   {{0, 0}, {0, 8_640}, {0, 17_280}},
		100: {{30, 0}, {30, 8_640}, {40, 17_280}},
		109: {{32, 0}, {32, 8_640}, {45, 17_280}}, // both remainders are in the last lot
		3:   {{0, 0}, {0, 8_640}, {3, 17_280}},
	} {
		if got := p.RewardLots(reward); got != want {
			t.Errorf("%d: %+v; want %+v", reward, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		p := params(t)
		reward := rapid.Uint64().Draw(t, "reward")
		left := reward
		for _, lot := range p.RewardLots(reward) {
			if lot.Amount > left {
				t.Fatalf("%d: %+v", reward, p.RewardLots(reward))
			}
			left -= lot.Amount
		}
		if left != 0 {
			t.Fatalf("%d of %d lost", left, reward)
		}
	})
}

func TestMatures(t *testing.T) {
	p := economics.DefaultParams()
	for _, c := range [][3]uint64{
		{0, 0, 0}, {1_234, 0, 1_234},
		{0, 4_320, 4_320}, {1, 4_320, 4_416}, {95, 4_320, 4_416}, {96, 4_320, 4_416}, {97, 4_320, 4_512},
	} {
		if got := p.Matures(c[0], c[1]); got != c[2] {
			t.Errorf("earned in %d with %d to wait: %d; want %d", c[0], c[1], got, c[2])
		}
	}
	if got := p.Matures(7, p.UnbondEpochs); got != 17_376 {
		t.Errorf("stake that leaves in epoch 7 is free in %d", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		p.VestLotEpochs = rapid.Uint64Range(1, 8_640).Draw(t, "lot")
		e, delay := rapid.Uint64Range(0, 1<<40).Draw(t, "epoch"), rapid.Uint64Range(1, 1<<20).Draw(t, "delay")
		at := p.Matures(e, delay)
		if at < e+delay || at >= e+delay+p.VestLotEpochs || at%p.VestLotEpochs != 0 {
			t.Fatalf("earned in %d with %d to wait, lots of %d: %d", e, delay, p.VestLotEpochs, at)
		}
	})
}
