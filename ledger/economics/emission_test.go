package economics_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/framemesh/framemesh/ledger/economics"
)

const (
	edge       = 966_000_000_000_000_000
	enterprise = 504_000_000_000_000_000
	base       = 420_000_000_000_000_000
	bonus      = 210_000_000_000_000_000
	year       = 35_040
)

func TestBaseEmission(t *testing.T) {
	p := economics.DefaultParams()
	if got := p.Emission(economics.PoolCheckerBase, base, 0, 1); got != 2_996_575_342_465 {
		t.Errorf("the first epoch emits %d", got)
	}
	// 420·10^15 / 140 160 is not whole: some epochs emit one more.
	if got := p.Emission(economics.PoolCheckerBase, base, 1, 2); got != 2_996_575_342_466 {
		t.Errorf("the second epoch emits %d", got)
	}
	if got := p.Emission(economics.PoolCheckerBase, base, 140_159, 140_160); got != 2_996_575_342_466 {
		t.Errorf("the last epoch emits %d", got)
	}
	if got := p.Emission(economics.PoolCheckerBase, base, 140_160, 1_000_000); got != 0 {
		t.Errorf("after the end %d", got)
	}
}

// Each year of the table, to the base unit: 40 %, 24.12 %, … of the pool.
func TestDecayTable(t *testing.T) {
	p := economics.DefaultParams()
	for pool, allocation := range map[economics.Pool]uint64{economics.PoolEdge: edge, economics.PoolEnterprise: enterprise} {
		var sum, ppms uint64
		for y, ppm := range []uint64{400_000, 241_200, 145_400, 87_700, 52_900, 31_900, 19_240, 11_600, 6_990, 3_070} {
			got := p.Emission(pool, allocation, uint64(y)*year, uint64(y+1)*year)
			if want := allocation / 1_000_000 * ppm; got != want { // both allocations divide evenly
				t.Errorf("%s, year %d: %d; want %d", pool, y+1, got, want)
			}
			sum, ppms = sum+got, ppms+ppm
		}
		if sum != allocation || ppms != 1_000_000 {
			t.Errorf("%s: ten years emit %d of %d, %d ppm", pool, sum, allocation, ppms)
		}
	}
	if got := p.Emission(economics.PoolEdge, edge, 0, 1); got != 11_027_397_260_273 { // ⌊386.4·10^15 / 35 040⌋
		t.Errorf("the first epoch of the edge pool emits %d", got)
	}
}

func TestBonusQuarters(t *testing.T) {
	p := economics.DefaultParams()
	const quarter = 8_760
	for e := uint64(0); e < 20*quarter; e += quarter {
		if got := p.Emission(economics.PoolCheckerBonus, bonus, e, e+quarter-1); got != 0 {
			t.Fatalf("epoch %d: %d before the quarter's end", e, got)
		}
		want := uint64(13_125_000_000_000_000)
		if e >= 16*quarter {
			want = 0
		}
		if got := p.Emission(economics.PoolCheckerBonus, bonus, e+quarter-1, e+quarter); got != want {
			t.Fatalf("the quarter after epoch %d: %d; want %d", e, got, want)
		}
	}
}

func TestOtherPoolsEmitNothing(t *testing.T) {
	p := economics.DefaultParams()
	emits := map[economics.Pool]bool{}
	for _, pool := range economics.EmittingPools() {
		emits[pool] = true
	}
	for _, pool := range economics.Pools() {
		if got := p.Emission(pool, 1_000_000, 0, 1<<40); (got == 1_000_000) != emits[pool] || (got == 0) == emits[pool] {
			t.Errorf("%s emits %d in all", pool, got)
		}
	}
}

// Any way to cut time into epochs gives the same sum, and in the end exactly the pool.
func TestEmissionTelescopes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := economics.DefaultParams()
		p.YearEpochs = 4 * rapid.Uint64Range(1, 50).Draw(t, "quarter")
		pool := rapid.SampledFrom(economics.EmittingPools()).Draw(t, "pool")
		allocation := rapid.OneOf(rapid.Uint64Range(0, 1_000), rapid.Uint64()).Draw(t, "allocation")
		end := 10 * p.YearEpochs
		var sum, at uint64
		for at < end {
			to := min(end, at+rapid.OneOf(rapid.Just(uint64(1)), rapid.Uint64Range(1, 300)).Draw(t, "epochs"))
			var single uint64
			for e := at; e < to; e++ {
				single += p.Emission(pool, allocation, e, e+1)
			}
			step := p.Emission(pool, allocation, at, to)
			if step != single {
				t.Fatalf("epochs %d to %d: at once %d, one by one %d", at, to, step, single)
			}
			sum, at = sum+step, to
			if sum != p.Emitted(pool, allocation, at) {
				t.Fatalf("at %d: %d summed, %d emitted", at, sum, p.Emitted(pool, allocation, at))
			}
		}
		if sum != allocation {
			t.Fatalf("%d of %d", sum, allocation)
		}
		if p.Emission(pool, allocation, end, 1<<64-1) != 0 || p.Emission(pool, allocation, 5, 5) != 0 || p.Emission(pool, allocation, 6, 5) != 0 {
			t.Fatal("emission without time or after the end")
		}
	})
}

func TestTake(t *testing.T) {
	p := economics.DefaultParams()
	// ⌊2 996 575 342 465 · 5 %⌋ = 149 828 767 123, halves of which differ by one.
	got := p.SplitTake(2_996_575_342_465)
	if want := (economics.Take{Indexers: 74_914_383_561, Grants: 74_914_383_562, Rest: 2_846_746_575_342}); got != want {
		t.Errorf("%+v; want %+v", got, want)
	}
	rapid.Check(t, func(t *rapid.T) {
		q := p
		q.TakeBps = rapid.Uint64Range(0, 2_000).Draw(t, "take")
		q.TakeIndexerBps = rapid.Uint64Range(0, 10_000).Draw(t, "indexers")
		v := rapid.Uint64().Draw(t, "emitted")
		s := q.SplitTake(v)
		if s.Rest > v || s.Indexers+s.Grants != v-s.Rest || s.Rest < v-v/5 {
			t.Fatalf("%d is divided into %+v", v, s)
		}
	})
}

func TestEpochs(t *testing.T) {
	const start = 1_700_000_000_000
	for _, c := range []struct{ seconds, ms, epoch uint64 }{
		{900, 0, 0},
		{900, start, 0},
		{900, start + 899_999, 0},
		{900, start + 900_000, 1},
		{900, start + 86_400_000, 96},
		{2, start + 5_000, 2},
		{0, start + 5_000, 5},
		{86_400, 1<<64 - 1, (1<<64 - 1 - start) / 86_400_000},
	} {
		if got := economics.Epoch(start, c.seconds, c.ms); got != c.epoch {
			t.Errorf("epochs of %d s at %d: %d; want %d", c.seconds, c.ms, got, c.epoch)
		}
	}
	if got := economics.EpochStart(start, 900, 96); got != start+86_400_000 {
		t.Errorf("epoch 96 begins at %d", got)
	}
	if got := economics.EpochStart(start, 900, 1<<63); got != 1<<64-1 {
		t.Errorf("an epoch beyond time begins at %d", got)
	}
	for seconds, want := range map[uint64]uint64{0: 0, 1: 1, 900: 1, 901: 2, 86_400: 96} {
		if got := economics.EpochsOf(seconds, 900); got != want {
			t.Errorf("%d s are %d epochs; want %d", seconds, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		seconds := rapid.Uint64Range(1, 86_400).Draw(t, "seconds")
		e := rapid.Uint64Range(0, 10_000_000).Draw(t, "epoch")
		at := economics.EpochStart(start, seconds, e)
		if economics.Epoch(start, seconds, at) != e || (e > 0 && economics.Epoch(start, seconds, at-1) != e-1) {
			t.Fatalf("epoch %d of %d s begins at %d", e, seconds, at)
		}
	})
}
