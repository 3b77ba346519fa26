package economics_test

import (
	"math/bits"
	"testing"

	"pgregory.net/rapid"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/economics"
)

func TestStakeFor(t *testing.T) {
	p := economics.DefaultParams()
	const frm = uint64(amount.FRM)
	const container = 133_422_000_000 // 1 334.22 FRM
	for _, c := range []struct {
		roles     economics.Role
		validates bool
		want      uint64
	}{
		{0, false, 0},
		{economics.RoleContainer, false, container},
		{economics.RoleIndexer, false, 10_000 * frm},
		{economics.RoleChecker, false, 1_000 * frm},
		{economics.RoleChecker, true, 10_000 * frm},
		{economics.RoleContainer | economics.RoleChecker, false, container + 1_000*frm},
		{economics.RoleContainer | economics.RoleIndexer | economics.RoleChecker, true, container + 20_000*frm},
	} {
		if got := p.StakeFor(c.roles, c.validates, container); got != c.want {
			t.Errorf("roles %b, validates %v: %d; want %d", c.roles, c.validates, got, c.want)
		}
	}
}

func TestRequirement(t *testing.T) {
	for _, c := range [][3]uint64{
		{133_422_000_000, 1_000_000, 133_422_000_000},
		{133_422_000_000, 250_000, 33_355_500_000},
		{133_422_000_000, 0, 0},
		{3, 500_000, 1},
		{1 << 63, 1 << 63, uint64(amount.Supply)},
		{uint64(amount.Supply), 2_000_000, uint64(amount.Supply)},
	} {
		if got := economics.Requirement(c[0], c[1]); got != c[2] {
			t.Errorf("SC %d, K %d ppm: %d; want %d", c[0], c[1], got, c[2])
		}
	}
}

// wide are parameters whose bounds let SC move as it wants to.
func wide(sc uint64) economics.Params {
	p := economics.DefaultParams()
	p.ContainerStake, p.ContainerStakeMinBps, p.ContainerStakeMaxBps = sc, 0, 1_000_000
	return p
}

func TestScale(t *testing.T) {
	for rp, want := range map[uint64]uint64{0: 1_000_000, 1: 10, 100_000: 1_000_000, 250_000: 2_500_000, 1 << 32: 42_949_672_960, 1<<64 - 1: 42_949_672_960} {
		if got := economics.Scale(rp); got != want {
			t.Errorf("%d milli-RP: K %d ppm; want %d", rp, got, want)
		}
	}
}

// SC stays within its parts of container_stake, also where these have moved past it.
func TestCoefficientIsBounded(t *testing.T) {
	p := economics.DefaultParams()
	p.ContainerStake, p.ContainerStakeMinBps, p.ContainerStakeMaxBps = 1_000, 2_500, 20_000
	for _, c := range [][4]uint64{ // old, revenue, ΣK, new
		{1_000, 0, 1_000_000, 800},
		{300, 0, 1_000_000, 250},
		{250, 0, 1_000_000, 250},
		{100, 0, 1_000_000, 250},
		{0, 0, 0, 250},
		{1_900, 1 << 60, 1_000_000, 2_000},
		{5_000, 5_000, 1_000_000, 2_000},
		{5_000, 0, 0, 2_000},
		{1<<64 - 1, 1<<64 - 1, 1, 2_000},
	} {
		if got := p.Coefficient(c[0], c[1], c[2]); got != c[3] {
			t.Errorf("from %d by %d of %d: %d; want %d", c[0], c[1], c[2], got, c[3])
		}
	}
	for epoch, want := range map[uint64]uint64{0: 0, 95: 0, 96: 1, 2_880: 30} {
		if got := economics.DefaultParams().RevenueDay(epoch); got != want {
			t.Errorf("epoch %d is of day %d; want %d", epoch, got, want)
		}
	}
}

func TestCoefficient(t *testing.T) {
	for name, c := range map[string][4]uint64{
		"as it was":            {1_000, 50_000, 50_000_000, 1_000},
		"10 % more":            {1_000, 55_000, 50_000_000, 1_100},
		"20 % more at most":    {1_000, 90_000, 50_000_000, 1_200},
		"20 % less at most":    {1_000, 0, 50_000_000, 800},
		"15 % less":            {1_000, 42_500, 50_000_000, 850},
		"nobody is active":     {1_000, 50_000, 0, 1_000},
		"moves towards old":    {1_004, 0, 50_000_000, 804}, // 803.2
		"beyond numbers":       {1_000, 1<<64 - 1, 1, 1_200},
		"too small for a step": {4, 0, 1_000_000, 4},
	} {
		if got := wide(c[0]).Coefficient(c[0], c[1], c[2]); got != c[3] {
			t.Errorf("%s: %d; want %d", name, got, c[3])
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		old := rapid.Uint64Range(0, 1_000_000_000*uint64(amount.FRM)).Draw(t, "old")
		sc := wide(old).Coefficient(old, rapid.Uint64().Draw(t, "revenue"), rapid.Uint64().Draw(t, "k"))
		if max(sc, old)-min(sc, old) > old/5 {
			t.Fatalf("%d moved to %d", old, sc)
		}
	})
}

func TestSlashAmount(t *testing.T) {
	e := economics.Exposure{Required: 1_000, Stake: 1_500, Slashable: 2_000}
	for _, c := range []struct {
		offence  economics.Offence
		repeated bool
		want     uint64
		proven   bool
	}{
		{economics.OffenceIdle, false, 0, false},
		{economics.OffenceDrop, false, 333, false},
		{economics.OffenceDrop, true, 333, false},
		{economics.OffenceCapacity, false, 1_000, false},
		{economics.OffenceForged, false, 1_000, true},
		{economics.OffenceForged, true, 2_000, true},
		{economics.OffenceMatch, false, 500, true},
		{economics.OffenceCandidates, false, 2_000, true},
		{economics.OffenceOracle, false, 150, true},
		{economics.OffenceEquivocation, false, 2_000, true},
		{economics.OffenceDoubleSign, false, 2_000, true},
		{0, true, 0, false},
		{99, true, 0, false},
	} {
		if got := economics.SlashAmount(c.offence, e, c.repeated); got != c.want {
			t.Errorf("%s, repeated %v: %d; want %d", c.offence, c.repeated, got, c.want)
		}
		if c.offence.Deterministic() != c.proven {
			t.Errorf("%s deterministic: %v", c.offence, !c.proven)
		}
		if known := c.offence > 0 && c.offence < 99; (c.offence.String() != "") != known {
			t.Errorf("offence %d is called %q", c.offence, c.offence)
		}
	}
	poor := economics.Exposure{Required: 1_000, Stake: 10, Slashable: 15}
	if got := economics.SlashAmount(economics.OffenceCapacity, poor, false); got != 15 {
		t.Errorf("more than there is: %d", got)
	}
}

func TestDraw(t *testing.T) {
	have := economics.Sources{Rewards: 10, Vesting: 20, Stake: 30, Unbonding: 40}
	for _, c := range []struct {
		amount uint64
		taken  economics.Sources
		short  uint64
	}{
		{0, economics.Sources{}, 0},
		{7, economics.Sources{Rewards: 7}, 0},
		{25, economics.Sources{Rewards: 10, Vesting: 15}, 0},
		{60, economics.Sources{Rewards: 10, Vesting: 20, Stake: 30}, 0},
		{61, economics.Sources{Rewards: 10, Vesting: 20, Stake: 30, Unbonding: 1}, 0},
		{105, have, 5},
	} {
		if taken, short := economics.Draw(c.amount, have); taken != c.taken || short != c.short {
			t.Errorf("%d: %+v, short %d", c.amount, taken, short)
		}
	}
}

func TestSplitSlash(t *testing.T) {
	p := economics.DefaultParams()
	for _, c := range []struct {
		v, most uint64
		want    economics.Forfeit
	}{
		{100, 100, economics.Forfeit{Bonus: 25, Victim: 25, Burned: 50}},
		{100, 25, economics.Forfeit{Bonus: 25, Victim: 25, Burned: 50}},
		{100, 24, economics.Forfeit{Bonus: 25, Victim: 24, Burned: 51}},
		{100, 0, economics.Forfeit{Bonus: 25, Burned: 75}},
		{103, 1 << 60, economics.Forfeit{Bonus: 25, Victim: 25, Burned: 53}},
		{3, 3, economics.Forfeit{Burned: 3}},
	} {
		if got := p.SplitSlash(c.v, c.most); got != c.want {
			t.Errorf("%d, at most %d to the victim: %+v; want %+v", c.v, c.most, got, c.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		p := params(t)
		v := rapid.Uint64().Draw(t, "slash")
		most := rapid.Uint64().Draw(t, "most")
		f := p.SplitSlash(v, most)
		if f.Victim > most {
			t.Fatalf("%d to somebody to whom %d are due", f.Victim, most)
		}
		sum, c1 := bits.Add64(f.Bonus, f.Victim, 0)
		sum, c2 := bits.Add64(sum, f.Burned, 0)
		if sum != v || c1+c2 != 0 {
			t.Fatalf("%d is divided into %+v", v, f)
		}
	})
}

func TestMeasures(t *testing.T) {
	for _, c := range []struct {
		measured, claimed uint64
		failed            bool
	}{{80, 100, false}, {79, 100, true}, {80, 101, true}, {81, 101, false}, {0, 0, false}, {1 << 63, 1<<64 - 1, true}} {
		if got := economics.CapacityFailed(c.measured, c.claimed, 8_000); got != c.failed {
			t.Errorf("%d of %d failed: %v", c.measured, c.claimed, got)
		}
	}
	for _, c := range []struct {
		quote, median uint64
		off           bool
	}{{105, 100, false}, {106, 100, true}, {95, 100, false}, {94, 100, true}, {10, 10, false}, {11, 10, true}, {0, 0, false}} {
		if got := economics.OracleOff(c.quote, c.median); got != c.off {
			t.Errorf("%d at a median of %d is off: %v", c.quote, c.median, got)
		}
	}
}

func TestPriority(t *testing.T) {
	p := economics.Demote(economics.Demote(1_000_000))
	if p != 250_000 || economics.Demote(1) != 0 || economics.Demote(1<<63) != 500_000 {
		t.Errorf("two offences leave %d", p)
	}
	for days, want := range map[uint64]uint64{0: 250_000, 1: 260_000, 75: 1_000_000, 76: 1_000_000, 1 << 63: 1_000_000} {
		if got := economics.Restore(p, days); got != want {
			t.Errorf("after %d clean days %d; want %d", days, got, want)
		}
	}
}

func TestVotes(t *testing.T) {
	for _, c := range []struct {
		yes, all uint64
		passed   bool
	}{{2, 3, false}, {3, 3, true}, {67, 100, true}, {66, 100, false}, {0, 0, false}, {1, 1, true}, {1 << 63, 1<<64 - 1, false}, {1<<64 - 1, 1<<64 - 1, true}} {
		if got := economics.Passed(c.yes, c.all); got != c.passed {
			t.Errorf("%d of %d passed: %v", c.yes, c.all, got)
		}
	}
}
