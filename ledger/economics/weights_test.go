package economics_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/framemesh/framemesh/ledger/economics"
)

func TestSplitPool(t *testing.T) {
	for _, c := range []struct{ pool, utilisation, capacity uint64 }{
		{10_000, 0, 8_000},      // nothing rented: 80 % for readiness
		{10_000, 10_000, 2_000}, // all rented: 20 %
		{10_000, 5_000, 5_000},
		{10_000, 1, 8_000}, // ⌊0.6⌋ = 0
		{10_000, 2, 7_999},
		{9_999, 0, 7_999}, // the remainder goes to work
		{10_000, 1 << 63, 2_000},
	} {
		capacity, work := economics.SplitPool(c.pool, c.utilisation)
		if capacity != c.capacity || work != c.pool-c.capacity {
			t.Errorf("%d at %d bps: %d and %d; want %d", c.pool, c.utilisation, capacity, work, c.capacity)
		}
	}
	for _, c := range [][3]uint64{{0, 0, 0}, {5, 0, 0}, {0, 5, 0}, {1, 3, 3_333}, {3, 3, 10_000}, {4, 3, 10_000}} {
		if got := economics.Utilisation(c[0], c[1]); got != c[2] {
			t.Errorf("%d paid of %d offered: %d bps; want %d", c[0], c[1], got, c[2])
		}
	}
}

func TestCapacityWeight(t *testing.T) {
	good := economics.Readiness{RPMilli: 150_000, OnlineSeconds: 900, QualityPPM: 1_000_000, Stake: 400, Required: 400}
	for name, c := range map[string]struct {
		change func(*economics.Readiness)
		want   uint64
	}{
		"a good epoch":                {func(*economics.Readiness) {}, 135_000_000},
		"half the time":               {func(r *economics.Readiness) { r.OnlineSeconds = 450 }, 67_500_000},
		"90 % quality":                {func(r *economics.Readiness) { r.QualityPPM = 900_000 }, 121_500_000},
		"quality is at most all":      {func(r *economics.Readiness) { r.QualityPPM = 3_000_000 }, 135_000_000},
		"stake 10 % above":            {func(r *economics.Readiness) { r.Stake = 440 }, 138_375_000}, // +2.5 %
		"stake double":                {func(r *economics.Readiness) { r.Stake = 800 }, 168_750_000}, // +25 %
		"stake tenfold is no more":    {func(r *economics.Readiness) { r.Stake = 4_000 }, 168_750_000},
		"stake of everything":         {func(r *economics.Readiness) { r.Stake = 1<<64 - 1 }, 168_750_000},
		"nothing required":            {func(r *economics.Readiness) { r.Required = 0 }, 135_000_000},
		"a unit of stake short":       {func(r *economics.Readiness) { r.Stake = 399 }, 0},
		"offline for 30 minutes":      {func(r *economics.Readiness) { r.OfflineToday = 1_800 }, 135_000_000},
		"offline for a second longer": {func(r *economics.Readiness) { r.OfflineToday = 1_801 }, 0},
		"a failed challenge":          {func(r *economics.Readiness) { r.Failed = true }, 0},
		"jailed":                      {func(r *economics.Readiness) { r.Jailed = true }, 0},
		"absurd score": {func(r *economics.Readiness) { r.RPMilli, r.OnlineSeconds = 1<<64-1, 1<<64-1 },
			economics.MaxWeight},
	} {
		r := good
		c.change(&r)
		if got := economics.CapacityWeight(r); got != c.want {
			t.Errorf("%s: %d; want %d", name, got, c.want)
		}
	}
}

func TestWork(t *testing.T) {
	for _, c := range []struct{ rp, seconds, qos, fee, want uint64 }{
		{150_000, 60, 1_000_000, 1, 9_000_000},
		{150_000, 60, 500_000, 1, 4_500_000},
		{150_000, 60, 1_000_000, 0, 0}, // free play earns nothing
		{1, 1, 999_999, 1, 0},
	} {
		if got := economics.WorkWeight(c.rp, c.seconds, c.qos, c.fee); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
	for _, c := range [][4]uint64{{50, 20, 20, 30}, {20, 50, 20, 0}, {0, 5, 0, 0}, {5, 0, 0, 5}} {
		if reward, over := economics.WorkReward(c[0], c[1]); reward != c[2] || over != c[3] {
			t.Errorf("a payout of %d for fees of %d: %d, over %d", c[0], c[1], reward, over)
		}
	}
}

// Who rents from itself never gains, whatever the pool holds.
func TestSelfRentIsNoProfit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := params(t)
		gross := rapid.Uint64().Draw(t, "gross")
		s := p.Settle(gross)
		reward, over := economics.WorkReward(rapid.Uint64().Draw(t, "payout"), s.Fee)
		if s.Host+reward > gross || (over == 0 && reward > s.Fee) {
			t.Fatalf("%d paid, %d + %d came back", gross, s.Host, reward)
		}
	})
}

func TestPayoutsStayInThePool(t *testing.T) {
	if got := economics.Payout(100, 5, 0); got != 0 {
		t.Errorf("without weights %d", got)
	}
	if got := economics.Payout(100, 9, 5); got != 100 {
		t.Errorf("a weight above the sum gets %d", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		pool := rapid.Uint64().Draw(t, "pool")
		weights := rapid.SliceOfN(rapid.Uint64Range(0, economics.MaxWeight), 0, 50).Draw(t, "weights")
		sum := economics.Sum(weights...)
		var paid, some uint64
		for _, w := range weights {
			v := economics.Payout(pool, w, sum)
			if v > pool-paid {
				t.Fatalf("%v of %d: over the pool", weights, pool)
			}
			if (v > 0) && w == 0 {
				t.Fatal("no weight is paid")
			}
			paid += v
			if w > 0 {
				some++
			}
		}
		// The remainder is less than a base unit a head, or the whole pool without weights.
		if sum > 0 && pool-paid >= max(some, 1) {
			t.Fatalf("%v of %d: %d left over", weights, pool, pool-paid)
		}
		if sum == 0 && paid != 0 {
			t.Fatal("paid nobody something")
		}
	})
}

func TestSumSaturates(t *testing.T) {
	if economics.Sum() != 0 || economics.Sum(1, 2) != 3 || economics.Sum(1<<63, 1<<63, 5) != 1<<64-1 {
		t.Error("sum")
	}
	// Even then payouts stay in the pool: 2^63/(2^64−1) twice is less than 1.
	if v := economics.Payout(1_000, 1<<63, economics.Sum(1<<63, 1<<63)); v != 500 {
		t.Errorf("half is %d", v)
	}
}

func TestCheckers(t *testing.T) {
	for _, c := range []struct{ base, uptime, bans, want uint64 }{
		{700_000, 9_500, 0, 7}, {799_999, 10_000, 0, 7}, {700_000, 9_499, 0, 0}, {700_000, 10_000, 1, 0},
		{base / 16, 10_000, 0, 262_500_000_000}, {1<<64 - 1, 10_000, 0, economics.MaxWeight},
	} {
		if got := economics.BonusWeight(c.base, c.uptime, c.bans); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
	for _, c := range []struct {
		wrong []uint64
		until uint64
	}{
		{nil, 0},
		{[]uint64{100}, 0},
		{[]uint64{100, 100}, 2_980},
		{[]uint64{100, 771}, 3_651},
		{[]uint64{100, 772}, 0}, // the first is seven days old
		{[]uint64{100, 700, 1_300}, 4_180},
		{[]uint64{100, 700, 5_000}, 3_580},
	} {
		if got := economics.Suspended(c.wrong); got != c.until {
			t.Errorf("wrong in %v: suspended until %d; want %d", c.wrong, got, c.until)
		}
	}
}

func TestEarlyExit(t *testing.T) {
	const frm = 100_000_000
	for _, c := range []struct {
		v, paid, forfeited uint64
		ok                 bool
	}{
		{0, 0, 0, false},
		{30*frm - 1, 0, 0, false},
		{30 * frm, 2_50000000, 27_50000000, true},
		{30*frm + 1, 2_50000000, 27_50000001, true}, // the remainder is forfeited
		{100 * frm, 20 * frm, 80 * frm, true},       // 25 less the fee of 5
		{1<<64 - 1, 1<<62 - 1 - 5*frm, 1<<64 - 1 - (1<<62 - 1 - 5*frm), true},
	} {
		paid, forfeited, ok := economics.EarlyExit(c.v)
		if paid != c.paid || forfeited != c.forfeited || ok != c.ok {
			t.Errorf("%d: %d, %d, %v", c.v, paid, forfeited, ok)
		}
	}
}
