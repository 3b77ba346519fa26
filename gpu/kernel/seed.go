package kernel

import (
	"crypto/sha256"
	"encoding/binary"
)

// Seed decides a frame, all 256 bits of it.
type Seed [32]byte

// words returns the seed as the shader gets it.
func (s Seed) words() (w [8]uint32) {
	for i := range w {
		w[i] = binary.LittleEndian.Uint32(s[4*i:])
	}
	return w
}

// Words returns the seed as eight little-endian words, the form backends work with.
func (s Seed) Words() [8]uint32 { return s.words() }

const (
	firstDomain = "framemesh/rp-1/first"
	nextDomain  = "framemesh/rp-1/next"
	leafDomain  = "framemesh/rp-1/leaf"
	nodeDomain  = "framemesh/rp-1/node"
	rootsDomain = "framemesh/rp-1/roots"
	pickDomain  = "framemesh/rp-1/pick"
	workDomain  = "framemesh/rp-1/work"
)

// First returns the seed of a container's first frame:
// SHA-256(domain ‖ task ‖ container). The container's key makes it useless to others.
func First(task, container [32]byte) Seed {
	b := append(make([]byte, 0, 96), firstDomain...)
	b = append(append(b, task[:]...), container[:]...)
	return sha256.Sum256(b)
}

// Next returns the seed of frame n ≥ 1 from the root of frame n−1:
// SHA-256(domain ‖ task ‖ container ‖ root ‖ n). No frame can be begun before the one
// before it is whole.
func Next(task, container, previousRoot [32]byte, n uint32) Seed {
	b := append(make([]byte, 0, 160), nextDomain...)
	b = append(append(append(b, task[:]...), container[:]...), previousRoot[:]...)
	return sha256.Sum256(binary.LittleEndian.AppendUint32(b, n))
}

// SeedOf returns the seed of a frame of a chain with these roots; frame ≤ len(roots).
func SeedOf(task, container [32]byte, roots [][32]byte, frame uint32) Seed {
	if frame == 0 {
		return First(task, container)
	}
	return Next(task, container, roots[frame-1], frame)
}

// RootsRoot returns what a commitment signs for a whole chain:
// SHA-256(domain ‖ count ‖ roots).
func RootsRoot(roots [][32]byte) [32]byte {
	h := sha256.New()
	h.Write(binary.LittleEndian.AppendUint32([]byte(rootsDomain), uint32(len(roots))))
	for i := range roots {
		h.Write(roots[i][:])
	}
	return [32]byte(h.Sum(nil))
}
