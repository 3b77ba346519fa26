package tx

import "sync"

// hashes remembers transactions by their hash, with one fact of each. When the newer half
// is full the older is forgotten, as a whole: nothing is kept in order of use, and the
// garbage collector has nothing to follow.
type hashes struct {
	half int

	mu           sync.RWMutex
	newer, older map[[32]byte]bool // true: the evidence is right, too
}

func newHashes(size int) *hashes { return &hashes{half: size, newer: map[[32]byte]bool{}} }

func (h *hashes) get(hash [32]byte) (evidence, ok bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if evidence, ok = h.newer[hash]; !ok {
		evidence, ok = h.older[hash]
	}
	return evidence, ok
}

// add remembers a hash. A fact that is known already stays known.
func (h *hashes) add(hash [32]byte, evidence bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if known, ok := h.newer[hash]; ok && (known || !evidence) {
		return
	}
	evidence = evidence || h.older[hash]
	if len(h.newer) >= h.half {
		h.newer, h.older = map[[32]byte]bool{}, h.newer
	}
	h.newer[hash] = evidence
}
