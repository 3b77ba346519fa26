package kernel

import (
	"math"
	"math/bits"
	"time"
)

// Reference is the rate in samples/s that is worth 100 RenderPoints. It is frozen with
// rp-1: a round number below what one core of an AMD EPYC of the fifth generation
// (Zen 5) did with this package's twin when rp-1 was fixed, 14.5 million.
const Reference = 10_000_000

// RP returns RenderPoints in thousandths for samples rendered in d, rounded down:
//
//	milliRP = ⌊samples · 100 000 · 1 000 / (Reference · ms)⌋
//
// with ms the whole milliseconds of d, 1 … 2⁶⁴/Reference (58 years). It saturates at the
// largest uint64.
func RP(samples uint64, d time.Duration) (milli uint64) {
	div := Reference * min(uint64(max(d.Milliseconds(), 1)), math.MaxUint64/Reference)
	hi, lo := bits.Mul64(samples, 100_000*1_000)
	if hi >= div {
		return math.MaxUint64
	}
	q, _ := bits.Div64(hi, lo, div)
	return q
}
