package economics

import "github.com/framemesh/framemesh/ledger/amount"

// decayPPM is how the compute pools are emitted: parts per million of the pool for each of
// the ten years. The first five are published figures of the Edge programme, the others go
// on at about ×0.603, and the last closes the sum at 10^6.
var decayPPM = [10]uint64{400_000, 241_200, 145_400, 87_700, 52_900, 31_900, 19_240, 11_600, 6_990, 3_070}

// LinearYears is how long the checkers' pools last.
const LinearYears = 4

// quarters of the checkers' bonus.
const quarters = 4 * LinearYears

// Emitted is what a pool that held allocation at genesis has released after the first n
// epochs, in base units. It never falls, is 0 at n = 0 and allocation from the pool's last
// epoch on, so nothing is ever left over: what one epoch rounds away is in the next.
//
//   - edge and enterprise: by year as decayPPM, ⌊allocation·Σppm/10^6⌋ at the end of each
//     year and evenly inside it
//   - checker_base: evenly over LinearYears
//   - checker_bonus: a sixteenth at the end of each quarter of a year
//   - all others: nothing
func (p Params) Emitted(pool Pool, allocation, n uint64) uint64 {
	year := p.year()
	switch pool {
	case PoolEdge, PoolEnterprise:
		return decayed(allocation, n, year)
	case PoolCheckerBase:
		return CliffLinear(allocation, 0, LinearYears*year, n)
	case PoolCheckerBonus:
		return CliffLinear(allocation, 0, quarters, n/p.Quarter())
	}
	return 0
}

// Emission is what a pool releases in the epochs from, …, to−1: the difference of two
// Emitted, so that a chain that stood still for n epochs catches up by one call with
// exactly what n calls give. It is 0 for to ≤ from.
func (p Params) Emission(pool Pool, allocation, from, to uint64) uint64 {
	if to <= from {
		return 0
	}
	return p.Emitted(pool, allocation, to) - p.Emitted(pool, allocation, from)
}

// EmittingPools are the pools that Emitted releases, in the order in which an epoch works
// them off.
func EmittingPools() []Pool {
	return []Pool{PoolEdge, PoolEnterprise, PoolCheckerBase, PoolCheckerBonus}
}

func decayed(allocation, n, year uint64) uint64 {
	var before, ppm uint64 // released by the end of the last whole year
	for _, rate := range decayPPM {
		ppm += rate
		end, _, _ := amount.MulDiv(allocation, ppm, amount.PPM) // ppm ≤ 10^6: fits
		if n < year {
			return before + CliffLinear(end-before, 0, year, n)
		}
		before, n = end, n-year
	}
	return allocation
}

func (p Params) year() uint64 { return max(p.YearEpochs, 4) }

// Quarter is a quarter of a year in epochs, ≥ 1: with the last one of each, checker_bonus is
// released and penalties are paid out.
func (p Params) Quarter() uint64 { return p.year() / 4 }

// Take is how an emission is divided before anybody is rewarded.
type Take struct {
	Indexers uint64 // ⌊take·take_indexer_bps/10^4⌋, by count of paid matches
	Grants   uint64 // the rest of the take, with its remainder
	Rest     uint64 // for those whom the pool rewards, with the take's remainder
}

// SplitTake takes ⌊emitted·take_bps/10^4⌋ off. The parts sum to emitted.
func (p Params) SplitTake(emitted uint64) Take {
	take := part(emitted, p.TakeBps)
	indexers := part(take, p.TakeIndexerBps)
	return Take{Indexers: indexers, Grants: take - indexers, Rest: emitted - take}
}

// part is ⌊v·bps/10^4⌋; bps above the whole count as the whole.
func part(v, bps uint64) uint64 {
	q, _, _ := amount.MulDiv(v, min(bps, amount.BPS), amount.BPS)
	return q
}
