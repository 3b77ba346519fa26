package state

// Reader is a state that can be read: a store, an overlay, or one saved version.
type Reader interface {
	// Get returns the value of key, nil when there is none. The caller must not change it.
	Get(key []byte) ([]byte, error)
	// Range calls fn for each key k with from ≤ k < to in rising order until fn returns
	// false. A nil to means no upper end. fn must neither keep nor change k and v, and must
	// not write to what is being read.
	Range(from, to []byte, fn func(k, v []byte) bool) error
}

// Store is what a Machine flushes to at the end of each block.
type Store interface {
	Reader
	// Set stores value under key. The store may keep both slices.
	Set(key, value []byte) error
	// Delete removes key; a key that is not there is no error.
	Delete(key []byte) error
}

// prefixEnd is the first key after all keys that begin with p, nil when there is none.
func prefixEnd(p []byte) []byte {
	for i := len(p) - 1; i >= 0; i-- {
		if p[i] < 0xff {
			end := append([]byte(nil), p[:i+1]...)
			end[i]++
			return end
		}
	}
	return nil
}
