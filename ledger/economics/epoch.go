package economics

import "math/bits"

// Epoch is the epoch of a block time: ⌊(ms − genesis) / (1000·epochSeconds)⌋ in Unix
// milliseconds, 0 before genesis. An epochSeconds of 0 counts as 1.
func Epoch(genesisMS, epochSeconds, ms uint64) uint64 {
	if ms <= genesisMS {
		return 0
	}
	return (ms - genesisMS) / (max(epochSeconds, 1) * 1000)
}

// EpochStart is the Unix time in ms at which epoch e begins; the largest number where it
// lies beyond the range.
func EpochStart(genesisMS, epochSeconds, e uint64) uint64 {
	hi, lo := bits.Mul64(e, max(epochSeconds, 1)*1000)
	sum, carry := bits.Add64(lo, genesisMS, 0)
	if hi != 0 || carry != 0 {
		return 1<<64 - 1
	}
	return sum
}

// EpochsOf is how many epochs seconds of play touch at most beyond the one they begin in:
// ⌈seconds/epochSeconds⌉.
func EpochsOf(seconds, epochSeconds uint64) uint64 {
	per := max(epochSeconds, 1)
	n := seconds / per
	if seconds%per != 0 {
		n++
	}
	return n
}
