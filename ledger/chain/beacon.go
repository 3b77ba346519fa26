package chain

import (
	"bytes"
	"errors"
)

// The first entry of every block is no transaction of anybody: it is the proposer's VRF
// proof for this height, from which the seed goes on. It starts with a byte that no signed
// transaction starts with, so neither can be taken for the other.
var beaconMark = []byte{0x00, 'v', 'r', 'f', 0x01}

// beaconSize is the length of the whole entry in bytes.
const beaconSize = 5 + proofSize

// proofSize is the length of an ECVRF proof in bytes.
const proofSize = 80

var errBeacon = errors.New("chain: no VRF entry")

// encodeBeacon makes the entry of a proof.
func encodeBeacon(proof [proofSize]byte) []byte {
	return append(bytes.Clone(beaconMark), proof[:]...)
}

// decodeBeacon reads the entry back. Anything else than exactly one entry is an error.
func decodeBeacon(entry []byte) (proof [proofSize]byte, err error) {
	if !isBeacon(entry) || len(entry) != beaconSize {
		return proof, errBeacon
	}
	return [proofSize]byte(entry[len(beaconMark):]), nil
}

// isBeacon says whether an entry claims to be one, whatever follows.
func isBeacon(entry []byte) bool { return bytes.HasPrefix(entry, beaconMark) }
