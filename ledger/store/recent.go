package store

import (
	"bytes"
	"sync"
)

// recent remembers values of the last saved version by their key: between its arrival and
// its block a transaction makes its node read the same few keys four times, and each time
// the way through the tree is as long as the tree is high. What has changed and is not saved
// yet is looked up in the tree.
type recent struct {
	mu      sync.Mutex
	values  map[string][]byte // nil = known to be absent
	changed map[string]bool   // keys that were written since the last save; looked up only
}

const (
	recentMost  = 8192 // values
	recentValue = 256  // bytes of one that is remembered
)

// get is for readers of the last saved version; with unsaved for those of the working one.
func (r *recent) get(key []byte, unsaved bool) (value []byte, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if unsaved && r.changed[string(key)] {
		return nil, false
	}
	value, ok = r.values[string(key)]
	return bytes.Clone(value), ok
}

// add remembers what the last saved version says; with unsaved, what the working one says
// of a key, unless that has changed.
func (r *recent) add(key, value []byte, unsaved bool) {
	if len(value) > recentValue {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if unsaved && r.changed[string(key)] {
		return
	}
	r.put(string(key), value)
}

func (r *recent) put(key string, value []byte) {
	if r.values == nil || len(r.values) >= recentMost {
		r.values = make(map[string][]byte)
	}
	r.values[key] = bytes.Clone(value)
}

// change says that a key is written.
func (r *recent) change(key []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.changed == nil {
		r.changed = make(map[string]bool)
	}
	r.changed[string(key)] = true
}

// saved makes the working version the last saved one: what was said of the keys that it
// changed no longer holds.
func (r *recent) saved() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key := range r.changed { // in any order: each is forgotten
		delete(r.values, key)
	}
	r.changed = nil
}

// forget begins anew, after a version was discarded or loaded.
func (r *recent) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.values, r.changed = nil, nil
}
