package economics

import (
	"math/bits"

	"github.com/framemesh/framemesh/ledger/amount"
)

// Payout is one recipient's part of a pool: ⌊pool·w/sum⌋, where sum is that of all weights.
// The remainder of all payouts together goes to the reserve, and so does the whole pool
// when sum is 0. A weight above sum counts as sum.
func Payout(pool, w, sum uint64) uint64 {
	if sum == 0 {
		return 0
	}
	v, _, _ := amount.MulDiv(pool, min(w, sum), sum)
	return v
}

// Utilisation is the part of the offered capacity that was paid for, in bps: 0 when nothing
// was offered, at most 10 000. Both are milli-RP·seconds of one class and epoch.
func Utilisation(paid, offered uint64) uint64 {
	if offered == 0 {
		return 0
	}
	if paid >= offered {
		return amount.BPS
	}
	u, _, _ := amount.MulDiv(paid, amount.BPS, offered)
	return u
}

// The capacity share of a class pool at no and at full utilisation, in bps.
const (
	shareIdle = 8_000
	shareSpan = 6_000
)

// SplitPool divides a class pool between readiness and work. The capacity share is
// c = 8000 − ⌊6000·u/10^4⌋ bps for the utilisation u of the last epoch: capacity is
// ⌊pool·c/10^4⌋, work is the rest with the remainder.
func SplitPool(pool, utilisation uint64) (capacity, work uint64) {
	c := shareIdle - shareSpan*min(utilisation, amount.BPS)/amount.BPS
	capacity = part(pool, c)
	return capacity, pool - capacity
}

// Bounds of weights: a node's weight fits in 40 bits, so that the sum over 2^24 nodes fits
// in 64.
const (
	MaxWeight  = 1<<40 - 1
	maxRPMilli = 1 << 32
	maxSeconds = 86_400
)

// OfflineLimit is for how many seconds of a UTC day a container may be offline and still be
// paid for readiness.
const OfflineLimit = 1_800

// Readiness is what the network measured of a container in one epoch.
type Readiness struct {
	RPMilli       uint64 // measured median score, RenderPoints × 1000; never a claim
	OnlineSeconds uint64 // of the epoch
	OfflineToday  uint64 // seconds of the UTC day so far
	QualityPPM    uint64 // at most 10^6
	Stake         uint64 // bonded base units
	Required      uint64 // base units
	Failed        bool   // a challenge of the epoch
	Jailed        bool
}

// CapacityWeight is the container's weight in the capacity share (PoRC):
// ⌊RP·online·⌊q·s/10^6⌋/10^6⌋ with the quality q and the stake factor s in ppm, at most
// MaxWeight. It is 0 when the container was offline for more than OfflineLimit today,
// failed a challenge, is jailed, or stakes less than required.
func CapacityWeight(r Readiness) uint64 {
	if r.OfflineToday > OfflineLimit || r.Failed || r.Jailed {
		return 0
	}
	factor := min(r.QualityPPM, amount.PPM) * StakeFactor(r.Stake, r.Required) / amount.PPM
	return weight(r.RPMilli, r.OnlineSeconds, factor)
}

// WorkWeight is what one paid interval adds to the weight in the work share (PoRW):
// ⌊RP·seconds·qos/10^6⌋, at most MaxWeight. An interval without a fee counts nothing.
func WorkWeight(rpMilli, seconds, qosPPM, fee uint64) uint64 {
	if fee == 0 {
		return 0
	}
	return weight(rpMilli, seconds, min(qosPPM, amount.PPM))
}

// WorkReward is a work payout bounded by the fee that the same work paid: who rents from
// itself gets back 80 % and at most the other 20 %. Over is what the bound leaves, for the
// reserve.
func WorkReward(payout, feesPaid uint64) (reward, over uint64) {
	reward = min(payout, feesPaid)
	return reward, payout - reward
}

// weight is ⌊rp·seconds·ppm/10^6⌋, saturating.
func weight(rp, seconds, ppm uint64) uint64 {
	// 2^32 · 86 400 < 2^49, so the first product fits; the quotient may not pass MaxWeight.
	w, _, err := amount.MulDiv(min(rp, maxRPMilli)*min(seconds, maxSeconds), ppm, amount.PPM)
	if err != nil {
		return MaxWeight
	}
	return min(w, MaxWeight)
}

// Sum adds weights, saturating at the largest number: payouts then stay below the pool.
func Sum(weights ...uint64) uint64 {
	var sum uint64
	for _, w := range weights {
		s, carry := bits.Add64(sum, w, 0)
		if carry != 0 {
			return 1<<64 - 1
		}
		sum = s
	}
	return sum
}
