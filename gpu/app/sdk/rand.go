package sdk

import "math/bits"

// Rand is a small deterministic generator (PCG-XSH-RR 64/32). The zero value
// works; NewRand spreads a seed. Never use it for secrets.
type Rand struct{ state uint64 }

// NewRand starts a generator; equal seeds give equal sequences.
func NewRand(seed uint64) Rand {
	r := Rand{seed*0x9e3779b97f4a7c15 + 0x632be59bd9b4e019}
	r.Uint32()
	return r
}

// Uint32 returns 32 random bits.
func (r *Rand) Uint32() uint32 {
	s := r.state
	r.state = s*6364136223846793005 + 1442695040888963407
	return bits.RotateLeft32(uint32((s>>18^s)>>27), -int(s>>59))
}

// Intn returns a number in 0..n-1, or 0 when n < 1.
func (r *Rand) Intn(n int) int {
	if n < 1 {
		return 0
	}
	return int(uint64(r.Uint32()) * uint64(uint32(n)) >> 32)
}

// Float returns a number in [0,1).
func (r *Rand) Float() float64 { return float64(r.Uint32()>>8) / (1 << 24) }

// Range returns a number in [lo,hi).
func (r *Rand) Range(lo, hi float64) float64 { return lo + (hi-lo)*r.Float() }
