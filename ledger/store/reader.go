package store

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/cosmos/iavl"
)

// Reader is one saved version. It may be used by many at once and needs no closing; once
// Prune has taken the version, its answers are errors.
type Reader struct {
	t       *Tree
	version int64
	at      *iavl.ImmutableTree
	loads   int // of t, when the reader was made
}

// At reads a saved version. It returns ErrVersion for one that is not there.
func (t *Tree) At(version int64) (*Reader, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if err := t.exists(version); err != nil {
		return nil, err
	}
	at, err := t.iavl.GetImmutable(version)
	if errors.Is(err, iavl.ErrVersionDoesNotExist) {
		return nil, fmt.Errorf("%w: %d was pruned; the last is %d", ErrVersion, version, t.iavl.Version())
	}
	if err != nil {
		return nil, t.db.reading(err)
	}
	return &Reader{t: t, version: version, at: at, loads: t.loads}, nil
}

// Version is the version that is read.
func (r *Reader) Version() int64 { return r.version }

// Root is its root.
func (r *Reader) Root() []byte {
	r.t.mu.RLock()
	defer r.t.mu.RUnlock()
	return slices.Clone(r.at.Hash())
}

// Get returns the value of key, or nil when it is absent.
func (r *Reader) Get(key []byte) ([]byte, error) {
	r.t.mu.RLock()
	defer r.t.mu.RUnlock()
	last := r.t.bad == nil && r.loads == r.t.loads && r.version == r.t.iavl.Version()
	if last {
		if value, ok := r.t.recent.get(key, false); ok {
			return value, nil
		}
	}
	value, err := r.t.db.value(r.at, key)
	if last && err == nil {
		r.t.recent.add(key, value, false)
	}
	return value, err
}

// Range calls fn with the keys from from to before to, ascending, until it returns false.
func (r *Reader) Range(from, to []byte, fn func(key, value []byte) bool) error {
	return pages(from, to, fn, func(from []byte, p *page) error {
		r.t.mu.RLock()
		defer r.t.mu.RUnlock()
		return r.t.db.fill(r.at, from, to, p)
	})
}

// Prove returns the value of key (nil when absent) and the proof of either: what
// proof.Verify checks against the root. The proof of a state without keys is empty.
func (r *Reader) Prove(key []byte) (value, proof []byte, err error) {
	if len(key) == 0 || len(key) > MaxKey {
		return nil, nil, fmt.Errorf("store: a key of %d bytes; 1 to %d are possible", len(key), MaxKey)
	}
	r.t.mu.RLock()
	defer r.t.mu.RUnlock()
	if value, err = r.t.db.value(r.at, key); err != nil || r.at.Size() == 0 {
		return nil, nil, err
	}
	p, err := r.at.GetProof(key)
	if err == nil {
		proof, err = p.Marshal()
	}
	if err != nil {
		return nil, nil, r.t.db.reading(err)
	}
	return value, proof, nil
}

// Prove is Prove of the Reader At version.
func (t *Tree) Prove(key []byte, version int64) (value, proof []byte, err error) {
	r, err := t.At(version)
	if err != nil {
		return nil, nil, err
	}
	return r.Prove(key)
}

// EmptyRoot is the root of a tree without keys.
func EmptyRoot() []byte {
	sum := sha256.Sum256(nil)
	return sum[:]
}

// page is a piece of a range, read at one go so that fn runs without the tree's lock.
type page struct {
	keys, values [][]byte
	size         int
}

// pages calls fn for a range, page by page. The first page is small: most ranges are.
func pages(from, to []byte, fn func(key, value []byte) bool, fill func(from []byte, p *page) error) error {
	if from != nil && to != nil && bytes.Compare(from, to) >= 0 {
		return nil
	}
	for p := (page{size: 16}); ; p.size = min(2*p.size, 1024) {
		p.keys, p.values = p.keys[:0], p.values[:0]
		if err := fill(from, &p); err != nil {
			return err
		}
		for i, key := range p.keys {
			if !fn(key, p.values[i]) {
				return nil
			}
		}
		if len(p.keys) < p.size {
			return nil
		}
		from = append(slices.Clone(p.keys[len(p.keys)-1]), 0) // the next possible key
	}
}

func (d *DB) fill(tree *iavl.ImmutableTree, from, to []byte, p *page) error {
	it, err := tree.Iterator(from, to, true)
	if err != nil {
		return d.reading(err)
	}
	defer it.Close()
	for ; it.Valid() && len(p.keys) < p.size; it.Next() {
		p.keys = append(p.keys, bytes.Clone(it.Key()))
		p.values = append(p.values, bytes.Clone(it.Value()))
	}
	return d.reading(it.Error())
}
