package kernel

import (
	"crypto/sha256"
	"encoding/binary"
)

// Picked is a tile that a container must open.
type Picked struct{ Frame, Tile uint32 }

// MaxPicks bounds what one checker asks for.
const MaxPicks = 1024

// Pick draws k distinct tiles of a chain of frames × tiles: from a checker's nonce,
// which the container did not know when it committed, and from the commitment, which
// the checker did not know when it chose the nonce. Every tile is equally likely. It
// returns all tiles, in drawn order, where there are no more than k, and at most
// MaxPicks.
//
// Block i of the stream is SHA-256(domain ‖ nonce ‖ commit ‖ i), read as four 64-bit
// numbers; those at or above the largest multiple of frames·tiles are passed over,
// as are repetitions.
func Pick(nonce, commit [32]byte, frames, tiles uint32, k int) []Picked {
	all := uint64(frames) * uint64(tiles)
	if all == 0 || k <= 0 {
		return nil
	}
	k = int(min(uint64(k), all, MaxPicks))
	head := append(make([]byte, 0, 96), pickDomain...)
	head = append(append(head, nonce[:]...), commit[:]...)
	skew := -all % all // 2⁶⁴ mod all: numbers from 2⁶⁴−skew up are passed over
	seen := make(map[uint64]bool, k)
	out := make([]Picked, 0, k)
	for i := uint32(0); ; i++ {
		block := sha256.Sum256(binary.LittleEndian.AppendUint32(head, i))
		for j := 0; j < len(block); j += 8 {
			v := binary.LittleEndian.Uint64(block[j:])
			if v > ^skew {
				continue
			}
			v %= all
			if seen[v] {
				continue
			}
			seen[v] = true
			if out = append(out, Picked{uint32(v / uint64(tiles)), uint32(v % uint64(tiles))}); len(out) == k {
				return out
			}
		}
	}
}
