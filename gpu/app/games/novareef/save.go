package main

import "github.com/framemesh/framemesh/gpu/app/sdk"

// saveBytes is the size of a save: "NRf1", then the best score as eight
// little-endian bytes, then the XOR of all twelve.
const saveBytes = 13

const saveMagic = "NRf1"

// loadBest reads the best score; a save that does not check counts as none.
func loadBest(buf []byte) int {
	if n := sdk.Load(buf); n != saveBytes || string(buf[:4]) != saveMagic {
		return 0
	}
	var best uint64
	var sum byte
	for i := range 12 {
		sum ^= buf[i]
	}
	for i := range 8 {
		best |= uint64(buf[4+i]) << (8 * i)
	}
	if sum != buf[12] || best > 1<<40 {
		return 0
	}
	return int(best)
}

func storeBest(buf []byte, best int) {
	copy(buf, saveMagic)
	for i := range 8 {
		buf[4+i] = byte(best >> (8 * i))
	}
	buf[12] = 0
	for i := range 12 {
		buf[12] ^= buf[i]
	}
	if !sdk.Save(buf[:saveBytes]) {
		sdk.Log("the host did not keep the high score")
	}
}
