package economics

import (
	"slices"

	"github.com/framemesh/framemesh/ledger/amount"
)

// KeptRounds is how many rounds a container's standing remembers.
const KeptRounds = 8

// CapRound is what a measured score counts beside the rounds before it: at most
// ⌊median·cap/10^6⌋, where cap is the parameter proof_cap_ppm. Without a median (0) the
// score counts whole. A machine that really became faster is believed within some rounds;
// one that borrows a faster machine for one round gains next to nothing. No score is above
// 2^32 milli-RP.
func CapRound(measured, median, capPPM uint64) uint64 {
	measured = min(measured, maxRPMilli)
	if median == 0 {
		return measured
	}
	most, _, err := amount.MulDiv(median, capPPM, amount.PPM)
	if err != nil {
		return measured
	}
	return min(measured, max(most, 1))
}

// MedianRound is the score that rounds stand for: the middle one, of an even number the
// lower of the two in the middle, 0 of none.
func MedianRound(rounds []uint64) uint64 {
	if len(rounds) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(rounds))
	return sorted[(len(sorted)-1)/2]
}

// FirstQuality is the quality in ppm of a container of which nothing has been measured: a
// little under the best, so that being measured is worth something to the good ones.
const FirstQuality = 950_000

// qualityMemory is how slowly quality follows: one new measurement is an eighth of it.
const qualityMemory = 8

// SmoothQuality is the quality after another measurement, both in ppm:
// ⌊(7·old + measured)/8⌋. A measurement of 0 is none and changes nothing.
func SmoothQuality(old, measured uint64) uint64 {
	old, measured = min(old, amount.PPM), min(measured, amount.PPM)
	if measured == 0 {
		return old
	}
	return ((qualityMemory-1)*old + measured) / qualityMemory
}

// OnlineSeconds is the part of an epoch in which a container answered: ⌊s·ppm/10^6⌋.
func OnlineSeconds(epochSeconds, onlinePPM uint64) uint64 {
	return min(epochSeconds, maxSeconds) * min(onlinePPM, amount.PPM) / amount.PPM
}

// Load is milli-RP·seconds of capacity, as Utilisation takes it; saturating.
func Load(rpMilli, seconds uint64) uint64 {
	v, _, err := amount.MulDiv(rpMilli, seconds, 1)
	if err != nil {
		return 1<<64 - 1
	}
	return v
}
