package store

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/dgraph-io/badger/v4"
)

// What CometBFT and iavl expect of a database, in their words.
var (
	errKeyEmpty    = errors.New("store: key cannot be empty")
	errValueNil    = errors.New("store: value cannot be nil")
	errBatchClosed = errors.New("store: batch has been written or closed")
)

// view is the part of the database whose keys begin with prefix; one core for CometBFT's
// stores and for the tree. Prefixes are of one family per first byte: 'c' name 0 for
// CometBFT, 't' and a generation for the tree, '!' for the store's own records.
type view struct {
	db     *DB
	prefix []byte
	loose  bool       // large batches may be split: see commit
	nodes  *nodeCache // nodes that were read or written last, or nil
}

func (v view) key(k []byte) []byte {
	out := make([]byte, 0, len(v.prefix)+len(k))
	return append(append(out, v.prefix...), k...)
}

func (d *DB) reading(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("store: reading from %s: %w", d.dir, err)
}

// get returns nil for an absent key and an empty slice for an empty value.
func (d *DB) get(key []byte) (value []byte, err error) {
	if err := d.enter(); err != nil {
		return nil, err
	}
	defer d.mu.RUnlock()
	txn := d.bad.NewTransaction(false)
	defer txn.Discard()
	item, err := txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, nil
	}
	if err == nil {
		value, err = item.ValueCopy(nil)
	}
	if err != nil {
		return nil, d.reading(err)
	}
	if value == nil {
		value = []byte{}
	}
	return value, nil
}

// Get implements the database of CometBFT and iavl.
func (v view) Get(key []byte) ([]byte, error) {
	if len(key) == 0 {
		return nil, errKeyEmpty
	}
	if v.nodes == nil {
		return v.db.get(v.key(key))
	}
	if value := v.nodes.get(key); value != nil {
		return value, nil
	}
	value, err := v.db.get(v.key(key))
	if value != nil {
		v.nodes.add(key, value)
	}
	return value, err
}

// Has implements the database of CometBFT and iavl.
func (v view) Has(key []byte) (bool, error) {
	if len(key) == 0 {
		return false, errKeyEmpty
	}
	if err := v.db.enter(); err != nil {
		return false, err
	}
	defer v.db.mu.RUnlock()
	txn := v.db.bad.NewTransaction(false)
	defer txn.Discard()
	_, err := txn.Get(v.key(key))
	if errors.Is(err, badger.ErrKeyNotFound) {
		return false, nil
	}
	return err == nil, v.db.reading(err)
}

// Iterator implements the database of CometBFT and iavl: ascending, from start to before
// end, nil is the end of the range.
func (v view) Iterator(start, end []byte) (*iterator, error) { return v.iterate(start, end, false) }

// ReverseIterator is Iterator descending.
func (v view) ReverseIterator(start, end []byte) (*iterator, error) {
	return v.iterate(start, end, true)
}

func (v view) iterate(start, end []byte, reverse bool) (*iterator, error) {
	if start != nil && len(start) == 0 || end != nil && len(end) == 0 {
		return nil, errKeyEmpty
	}
	if err := v.db.enter(); err != nil {
		return nil, err
	}
	defer v.db.mu.RUnlock()
	v.db.iterators.Add(1)
	it := &iterator{v: v, start: start, end: end, low: v.key(start), reverse: reverse}
	if end != nil {
		it.high = v.key(end)
	} else {
		it.high = successor(v.prefix)
	}
	it.txn = v.db.bad.NewTransaction(false)
	// Without prefetching: Badger starts a goroutine for each value it fetches ahead.
	opts := badger.IteratorOptions{Reverse: reverse}
	if !reverse {
		opts.Prefix = v.prefix
	}
	it.it = it.txn.NewIterator(opts)
	if !reverse {
		it.it.Seek(it.low)
	} else if it.it.Seek(it.high); it.it.Valid() && bytes.Equal(it.it.Item().Key(), it.high) {
		it.it.Next() // the end is not part of the range
	}
	it.load()
	return it, nil
}

// successor is the first key after all keys with prefix. Prefixes never are all 0xff.
func successor(prefix []byte) []byte {
	out := slices.Clone(prefix)
	for i := len(out) - 1; i >= 0; i-- {
		if out[i]++; out[i] != 0 {
			return out[:i+1]
		}
	}
	return nil
}

// iterator walks over a range as it was when the iterator was made.
type iterator struct {
	v          view
	start, end []byte // as asked for
	low, high  []byte // with the prefix
	reverse    bool
	txn        *badger.Txn
	it         *badger.Iterator
	key        []byte // of the current item, without the prefix; nil when there is none
	err        error
	closed     bool
}

// load takes the current item in, or finds the end.
func (i *iterator) load() {
	i.key = nil
	if i.closed || i.err != nil || !i.it.Valid() {
		return
	}
	key := i.it.Item().Key()
	if bytes.Compare(key, i.low) < 0 || bytes.Compare(key, i.high) >= 0 {
		return
	}
	i.key = slices.Clone(key[len(i.v.prefix):])
}

// Domain is the range as asked for.
func (i *iterator) Domain() (start, end []byte) { return i.start, i.end }

// Valid says whether there is a current item. Once false it stays so.
func (i *iterator) Valid() bool { return i.key != nil }

func (i *iterator) must() {
	if !i.Valid() {
		panic("store: iterator is invalid") // as the interface of CometBFT demands
	}
}

// Next moves on; it panics when there is no current item.
func (i *iterator) Next() {
	i.must()
	i.it.Next()
	i.load()
}

// Key is the current key; it panics when there is none.
func (i *iterator) Key() []byte {
	i.must()
	return i.key
}

// Value is the current value; it panics when there is none. After a failed read it is nil
// and Error says why.
func (i *iterator) Value() []byte {
	i.must()
	value, err := i.it.Item().ValueCopy(nil)
	if err != nil {
		i.err = i.v.db.reading(err)
		return nil
	}
	if value == nil {
		value = []byte{}
	}
	return value
}

// Error is the first read that failed.
func (i *iterator) Error() error { return i.err }

// Close gives the iterator back. It may be called twice.
func (i *iterator) Close() error {
	if !i.closed {
		i.closed, i.key = true, nil
		i.it.Close()
		i.txn.Discard()
		i.v.db.iterators.Add(-1)
	}
	return nil
}
