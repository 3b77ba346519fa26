package kernel

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
)

// WorkHash gathers the words that a checker recomputed into a digest nobody has who
// did not recompute them: openings carry leaves, never words, and the checker's own key
// keeps a digest from being copied.
type WorkHash struct{ h hash.Hash }

// NewWork begins the digest of a checker, SHA-256(domain ‖ checker ‖ tiles).
func NewWork(checker [32]byte) *WorkHash {
	h := sha256.New()
	h.Write([]byte(workDomain))
	h.Write(checker[:])
	return &WorkHash{h}
}

// Add appends frame ‖ tile ‖ words, all little-endian.
func (w *WorkHash) Add(p Picked, words *[TileWords]uint32) {
	var b [8 + 4*TileWords]byte
	binary.LittleEndian.PutUint32(b[0:], p.Frame)
	binary.LittleEndian.PutUint32(b[4:], p.Tile)
	for i, v := range words {
		binary.LittleEndian.PutUint32(b[8+4*i:], v)
	}
	w.h.Write(b[:])
}

// Sum returns the digest of what was added so far.
func (w *WorkHash) Sum() [32]byte { return [32]byte(w.h.Sum(nil)) }
