package chain

import (
	"bytes"
	"crypto/sha256"
	"hash/maphash"
	"sync"

	"github.com/framemesh/framemesh/ledger/tx"
)

// decoder decodes transactions and remembers them: on its way from the pool into a block
// one is looked at half a dozen times. It remembers in two halves, and forgets the older
// one when the newer is full.
type decoder struct {
	seed maphash.Seed // nobody outside can make two transactions fall on each other
	half int

	mu           sync.RWMutex
	newer, older map[uint64]*tx.Tx
}

// maxRemembered bounds the transactions that are remembered by their size, in bytes: large
// ones are rare and are decoded again.
const maxRemembered = 2 << 10

// newDecoder remembers at least the last size transactions.
func newDecoder(size int) *decoder {
	return &decoder{seed: maphash.MakeSeed(), half: max(size, 1), newer: map[uint64]*tx.Tx{}}
}

// decode is tx.Decode. The result is shared by all who decode the same bytes, and nobody may
// change it. The hash is valid with any error.
func (d *decoder) decode(raw []byte) (*tx.Tx, [32]byte, error) {
	name := maphash.Bytes(d.seed, raw)
	if t := d.find(name); t != nil && bytes.Equal(t.Raw, raw) {
		return t, t.Hash, nil
	}
	t, err := tx.Decode(raw)
	if err != nil {
		return nil, sha256.Sum256(raw), err
	}
	if len(raw) <= maxRemembered {
		d.keep(name, t)
	}
	return t, t.Hash, nil
}

func (d *decoder) find(name uint64) *tx.Tx {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if t := d.newer[name]; t != nil {
		return t
	}
	return d.older[name]
}

func (d *decoder) keep(name uint64, t *tx.Tx) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.newer) >= d.half {
		d.newer, d.older = map[uint64]*tx.Tx{}, d.newer
	}
	d.newer[name] = t
}

// forget is for a transaction that is in a block: nobody asks for it again, and what is
// remembered costs the garbage collector work.
func (d *decoder) forget(t *tx.Tx) {
	name := maphash.Bytes(d.seed, t.Raw)
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.newer, name)
	delete(d.older, name)
}
