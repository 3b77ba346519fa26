package tx

import (
	"sync"

	"github.com/framemesh/framemesh/ledger/key"
)

// keyring keeps the keys ready that signed last, in two halves: once the newer one is full
// the older is forgotten, as far as nobody has asked for its keys since.
type keyring struct {
	mu           sync.RWMutex
	newer, older map[key.Address]*key.Expanded
}

// halfRing is how many keys a half holds, some 1.5 KiB each.
const halfRing = 2048

// get is nil for a key that is not kept.
func (r *keyring) get(signer key.Address) *key.Expanded {
	r.mu.RLock()
	x := r.newer[signer]
	old := r.older[signer]
	r.mu.RUnlock()
	if x == nil && old != nil {
		r.add(signer, old)
		return old
	}
	return x
}

func (r *keyring) add(signer key.Address, x *key.Expanded) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.newer[signer] != nil {
		return
	}
	if r.newer == nil || len(r.newer) >= halfRing {
		r.newer, r.older = make(map[key.Address]*key.Expanded), r.newer
	}
	r.newer[signer] = x
}
