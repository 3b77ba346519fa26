package match

import (
	"math/bits"

	"github.com/framemesh/framemesh/p2p/wire"
)

// Weights of the parts of a score, in thousandths of the whole. A part is its weight
// times a share in ppm, so a score lies in 0 … 1,000,000,000.
const (
	weightPrice   = 300
	weightLatency = 350
	weightQuality = 200
	weightIdle    = 100
	weightStake   = 50
)

const million = 1_000_000 // a whole share, in ppm

// Points where a share is one half, or full.
const (
	halfPrice   = 250_000         // µUSD per hour at which the price's share is one half
	halfLatency = 20_000          // µs at which the latency's share is one half
	fullIdleMS  = 600_000         // idle this long or longer counts in full
	fullStake   = 100_000_000_000 // base units; stake beyond it buys nothing: it must not buy the market
	maxPrice    = 1 << 40         // µUSD per hour; dearer is treated as this
	maxAxis     = 1_000_000_000   // µs; coordinates further apart on an axis are treated as this
	maxDistance = 2 * maxAxis     // µs; what follows from it in MaxCoordinates dimensions
)

// facts are the figures of an ad that filters and scores read, side by side in
// memory: a match looks at those of every container that has the app.
type facts struct {
	expires   uint64 // unix ms
	price     uint64 // µUSD per hour
	idleSince uint64 // unix ms
	coord     [MaxCoordinates]int32
	coords    int32 // values set in coord; 0 = the container does not know its place
	score     uint32
	free      uint32
	total     uint32
	fetches   bool
	standing  standing
	region    string
	priority  int64 // ppm; the sum of the parts is multiplied by it

	// Parts of the score that do not depend on the request.
	pricePart, qualityPart, stakePart int64

	read *Measured // what the ledger says; nil = not read, or there is no ledger
}

// factsOf reads the ad alone, as on a network without a ledger; see measure.
func factsOf(ad *wire.Ad) facts {
	f := facts{
		expires: ad.GetExpiresMs(), price: ad.GetPriceMicroUsdPerHour(), idleSince: ad.GetIdleSinceMs(),
		score: ad.GetScoreRpMilli(), free: ad.GetSlotsFree(), total: ad.GetSlotsTotal(),
		fetches: ad.GetFetchesApps(), region: ad.GetRegion(), priority: million,
		pricePart:   weightPrice * half(int64(min(ad.GetPriceMicroUsdPerHour(), maxPrice)), halfPrice),
		qualityPart: weightQuality * int64(min(ad.GetQualityPpm(), million)),
		stakePart:   weightStake * (int64(min(ad.GetStake(), fullStake)) * million / fullStake),
	}
	f.coords = int32(copy(f.coord[:], ad.GetCoordinateUs()))
	return f
}

// half is the share, in ppm, of a figure where less is better: a whole at 0, one half
// at the given point, falling towards 0. x must not be negative.
func half(x, at int64) int64 { return million * at / (at + x) }

// parts returns the five parts of a candidate's score at a time. distance2 is the
// squared distance to the player in µs², negative when it is not known; an unknown
// place earns nothing.
func (f *facts) parts(nowMS uint64, distance2 int64) *wire.ScoreParts {
	p := f.split(nowMS, distance2)
	return p.Wire()
}

// split is parts as it is kept.
func (f *facts) split(nowMS uint64, distance2 int64) Parts {
	return Parts{Price: f.pricePart, Latency: latencyPart(distance2), Quality: f.qualityPart, Idle: f.idlePart(nowMS), Stake: f.stakePart}
}

// points is the sum of parts, without making them, times the container's priority.
func (f *facts) points(nowMS uint64, distance2 int64) int64 {
	sum := f.pricePart + latencyPart(distance2) + f.qualityPart + f.idlePart(nowMS) + f.stakePart
	if f.priority == million {
		return sum
	}
	return sum * f.priority / million // at most 10⁹ · 10⁶
}

func latencyPart(distance2 int64) int64 {
	if distance2 < 0 {
		return 0
	}
	return weightLatency * half(int64(sqrt(uint64(distance2))), halfLatency)
}

// idlePart spreads work: who waited longer is a little more likely. An idle time in
// the future counts as none.
func (f *facts) idlePart(nowMS uint64) int64 {
	if f.idleSince >= nowMS {
		return 0
	}
	return weightIdle * (int64(min(nowMS-f.idleSince, fullIdleMS)) * million / fullIdleMS)
}

// distance2 is the squared Euclidean distance of two network coordinates, in µs²; it
// is -1 when either is not known. Missing values of the shorter are 0. It is at most
// 4·10¹⁸ and so fits.
func distance2(a *[MaxCoordinates]int32, na int32, b *[MaxCoordinates]int32, nb int32) int64 {
	if na == 0 || nb == 0 {
		return -1
	}
	var sum int64
	for i := range a {
		d := min(max(int64(a[i])-int64(b[i]), -maxAxis), maxAxis)
		sum += d * d
	}
	return sum
}

// sqrt is the integer square root, rounded down: Newton's iteration from above.
func sqrt(n uint64) uint64 {
	if n < 2 {
		return n
	}
	x := uint64(1) << ((bits.Len64(n) + 1) / 2)
	for {
		y := (x + n/x) / 2
		if y >= x {
			return x
		}
		x = y
	}
}
