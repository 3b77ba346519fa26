package quote

import (
	"slices"

	"github.com/framemesh/framemesh/ledger/economics"
)

// Deviation is a quote that a majority of all oracles contradicts.
type Deviation struct {
	Quote  Quote
	Median uint64 // of the quotes made within the same time, base units for one dollar
}

// Off finds the quotes of one order that are off: of those made within withinMS of it, itself
// among them, at least three, their median is more than 5 % away from it, and more than half
// of all the network's oracles stand within 5 % of that median. Quotes further apart in time
// are not compared, so a quick market is no lie; and who chooses what an order carries can
// show that a quote is off only with a majority that says so. The order of quotes is kept.
func Off(quotes []Quote, oracles int, withinMS uint64) (off []Deviation) {
	for _, q := range quotes {
		var rates []uint64
		for _, p := range quotes {
			if fresh(p, q.MadeMS, withinMS) {
				rates = append(rates, p.PerUSD)
			}
		}
		if len(rates) < 3 {
			continue
		}
		slices.Sort(rates)
		median := rates[(len(rates)-1)/2]
		agree := 0
		for _, r := range rates {
			if !economics.OracleOff(r, median) {
				agree++
			}
		}
		if economics.OracleOff(q.PerUSD, median) && 2*agree > oracles {
			off = append(off, Deviation{q, median})
		}
	}
	return off
}
