package economics_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/framemesh/framemesh/ledger/economics"
)

// TestTenYears runs the whole emission with whatever containers, checkers and indexers
// there happen to be, standing still now and then. Every base unit that a pool held ends
// with somebody or in the reserve, and no epoch pays more than it emits.
func TestTenYears(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := params(t)
		p.YearEpochs = 4 * rapid.Uint64Range(1, 4).Draw(t, "quarter")
		p.TakeBps = rapid.Uint64Range(0, 2_000).Draw(t, "take")
		held := map[economics.Pool]uint64{}
		var all uint64
		for _, pool := range economics.EmittingPools() {
			held[pool] = rapid.Uint64Range(0, 1_000_000_000_000_000_000).Draw(t, pool.String())
			all += held[pool]
		}
		allocated := map[economics.Pool]uint64{}
		for pool, v := range held {
			allocated[pool] = v
		}
		var people, grants, reserve uint64
		// divide pays out by weight and leaves the rest to the reserve.
		divide := func(v uint64, weights []uint64) {
			sum, left := economics.Sum(weights...), v
			for _, w := range weights {
				got := economics.Payout(v, w, sum)
				for _, lot := range p.RewardLots(got) {
					people += lot.Amount
				}
				left -= got
			}
			reserve += left
		}
		for e := uint64(0); e < 10*p.YearEpochs; {
			to := e + rapid.OneOf(rapid.Just(uint64(1)), rapid.Uint64Range(1, p.YearEpochs)).Draw(t, "epochs")
			for _, pool := range economics.EmittingPools() {
				v := p.Emission(pool, allocated[pool], e, to)
				if v > held[pool] {
					t.Fatalf("%s holds %d and emits %d", pool, held[pool], v)
				}
				held[pool] -= v
				take := p.SplitTake(v)
				grants += take.Grants
				counts := weights(t, "indexers")
				divide(take.Indexers, counts)
				if pool != economics.PoolEdge && pool != economics.PoolEnterprise {
					divide(take.Rest, weights(t, "checkers"))
					continue
				}
				capacity, work := economics.SplitPool(take.Rest, rapid.Uint64Range(0, 10_000).Draw(t, "utilisation"))
				divide(capacity, weights(t, "containers"))
				rest, paid := work, weights(t, "sessions")
				for _, w := range paid {
					reward, _ := economics.WorkReward(economics.Payout(work, w, economics.Sum(paid...)), rapid.Uint64().Draw(t, "fee"))
					people, rest = people+reward, rest-reward
				}
				reserve += rest
			}
			e = to
		}
		for pool, left := range held {
			if left != 0 {
				t.Fatalf("%s still holds %d", pool, left)
			}
		}
		if people+grants+reserve != all {
			t.Fatalf("%d of %d came out", people+grants+reserve, all)
		}
	})
}

func weights(t *rapid.T, name string) []uint64 {
	return rapid.SliceOfN(rapid.Uint64Range(0, economics.MaxWeight), 0, 3).Draw(t, name)
}
