package quote

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/framemesh/framemesh/ledger/key"
)

// Median is the rate that quotes give at nowMS: the middle PerUSD, of an even number the
// lower of the two in the middle (the player pays less). Every quote must count: each by
// another of oracles, none more than maxAgeMS from nowMS, and at least min of them. The
// order of quotes does not matter. Signatures are the caller's to check. It returns
// ErrOracle, ErrDouble, ErrStale or ErrFew.
//
// A quote may lie ahead of nowMS as far as behind it: the time of a block is that of the
// votes on the block before, which in a quiet network can be long ago.
func Median(quotes []Quote, oracles []key.Address, nowMS, maxAgeMS uint64, min int) (perUSD uint64, err error) {
	rates := make([]uint64, 0, len(quotes))
	for i, q := range quotes {
		if !slices.Contains(oracles, q.Oracle) {
			return 0, fmt.Errorf("%w: %s", ErrOracle, q.Oracle)
		}
		if slices.ContainsFunc(quotes[:i], func(p Quote) bool { return p.Oracle == q.Oracle }) {
			return 0, fmt.Errorf("%w: %s; send its newest only", ErrDouble, q.Oracle)
		}
		if !fresh(q, nowMS, maxAgeMS) {
			return 0, fmt.Errorf("%w: made at %d ms by %s, it is %d ms and %d are allowed; ask for a new price", ErrStale, q.MadeMS, q.Oracle, nowMS, maxAgeMS)
		}
		rates = append(rates, q.PerUSD)
	}
	if len(rates) == 0 || len(rates) < min {
		return 0, fmt.Errorf("%w: %d of at least %d; new orders wait until more oracles speak", ErrFew, len(rates), max(min, 1))
	}
	slices.Sort(rates)
	return rates[(len(rates)-1)/2], nil
}

// Fresh picks what Median would count: of each oracle the newest quote that is fresh, by
// rising oracle, at most limit of them. Of two with the same time the one with the lower
// rate counts.
func Fresh(quotes []Quote, oracles []key.Address, nowMS, maxAgeMS uint64, limit int) []Quote {
	var out []Quote
	for _, q := range quotes {
		if !slices.Contains(oracles, q.Oracle) || !fresh(q, nowMS, maxAgeMS) {
			continue
		}
		at := slices.IndexFunc(out, func(p Quote) bool { return p.Oracle == q.Oracle })
		switch {
		case at < 0:
			out = append(out, q)
		case q.MadeMS > out[at].MadeMS || (q.MadeMS == out[at].MadeMS && q.PerUSD < out[at].PerUSD):
			out[at] = q
		}
	}
	slices.SortFunc(out, func(a, b Quote) int { return bytes.Compare(a.Oracle[:], b.Oracle[:]) })
	return out[:min(len(out), max(limit, 0))]
}

func fresh(q Quote, nowMS, maxAgeMS uint64) bool {
	if q.MadeMS > nowMS {
		return q.MadeMS-nowMS <= maxAgeMS
	}
	return nowMS-q.MadeMS <= maxAgeMS
}
