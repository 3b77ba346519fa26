package store

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/cosmos/iavl"
)

// nodeBytes is about what one node takes in iavl's cache, which gets a quarter of the memory
// but not more than decodedMost: the collector follows each. The cache of coded nodes below it
// gets the rest: it holds four times as many in as much, and the pruner finds there what the
// writer has just written.
const (
	nodeBytes   = 512
	decodedMost = 8 << 20
)

// decodedBytes is iavl's share of caches of so many bytes.
func decodedBytes(all int) int { return min(all/4, decodedMost) }

// MaxKey and MaxValue bound what the tree takes, in bytes.
const (
	MaxKey   = 512
	MaxValue = 32 << 10
)

// Tree is the authenticated state: a balanced Merkle tree over all keys, one version per
// saved block. Set, Delete and Save belong to one owner; Get, Range, readers and proofs
// may run beside it.
//
// Changes live in memory until Save: a process that dies before it starts again from the
// version before.
type Tree struct {
	db  *DB
	log *slog.Logger

	mu    sync.RWMutex
	space view
	iavl  *iavl.MutableTree
	root  []byte       // of the last saved version
	bad   error        // why the last save failed; wraps ErrUnsaved
	first atomic.Int64 // the oldest version that is there

	recent recent // values of the last saved version; not used while bad is set
	loads  int    // how often a version was loaded: readers from before know another history

	pins struct {
		sync.Mutex
		held map[int64]int // versions that an export is reading, and by how many
	}
	prune struct {
		sync.Mutex
		tree *iavl.MutableTree // of its own, so that it shares no node with readers
		last int64             // the last version that it knows
	}
}

// Tree loads the last saved version. All calls return the same Tree, which lives until
// Import or Close of the DB.
func (d *DB) Tree() (*Tree, error) {
	d.tree.Lock()
	defer d.tree.Unlock()
	if d.tree.open != nil {
		return d.tree.open, nil
	}
	space, err := d.space()
	if err != nil {
		return nil, err
	}
	t := &Tree{db: d, log: d.opts.Log, space: d.cached(space)}
	t.pins.held = map[int64]int{}
	if err := t.load(0); err != nil {
		return nil, err
	}
	d.tree.open = t
	return t, nil
}

// open makes an iavl tree over a view. Without iavl's fast storage: it would write every
// value twice to save reads that the cache and the overlay above already save. And one
// batch per commit, however large: iavl finds its last version by its last node, so a
// version of which a part is on disk could not be opened again.
func open(space view, nodes int, log *slog.Logger) *iavl.MutableTree {
	return iavl.NewMutableTree(nodesDB{space}, nodes, true, iavlLog{log}, iavl.FlushThresholdOption(math.MaxInt))
}

// cached gives a tree's view a cache of coded nodes.
func (d *DB) cached(v view) view {
	v.nodes = newNodeCache(d.cacheBytes(0) - decodedBytes(d.cacheBytes(0)))
	return v
}

// fit makes the cache of coded nodes as large as the state asks for. t.mu is held.
func (t *Tree) fit() {
	all := t.db.cacheBytes(t.iavl.Size())
	t.space.nodes.grow(all - decodedBytes(all))
}

// Nodes is what the tree has read and written.
func (t *Tree) Nodes() NodeCounts {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.space.nodes.counted()
}

// load (re)opens version, or the last one for 0. It is called by the owner with t.mu held
// or before t is known.
func (t *Tree) load(version int64) error {
	tree := open(t.space, decodedBytes(t.db.cacheBytes(0))/nodeBytes, t.log)
	if _, err := tree.LoadVersion(version); err != nil {
		return errors.Join(fmt.Errorf("store: loading the state of %s: %w; move the directory away and let the node fetch the ledger again", t.db.dir, err), tree.Close())
	}
	if t.iavl != nil {
		if err := t.iavl.Close(); err != nil {
			return errors.Join(err, tree.Close())
		}
	}
	t.recent.forget()
	t.loads++
	t.iavl, t.root, t.bad = tree, slices.Clone(tree.Hash()), nil
	t.fit()
	first, err := t.oldest(tree.Version())
	t.first.Store(first)
	return err
}

// oldest searches the versions up to last for the first one that has a root.
func (t *Tree) oldest(last int64) (int64, error) {
	var failed error
	n := sort.Search(int(last), func(i int) bool {
		root := append([]byte{'s'}, iavl.GetRootKey(int64(i)+1)...)
		has, err := t.space.Has(root)
		failed = errors.Join(failed, err)
		return has
	})
	return min(int64(n)+1, last), failed
}

// exists says whether version is there. t.mu is held.
func (t *Tree) exists(version int64) error {
	if first, last := t.first.Load(), t.iavl.Version(); version < max(first, 1) || version > last {
		return fmt.Errorf("%w: %d; there are %d to %d", ErrVersion, version, first, last)
	}
	return nil
}

// Version is the last saved version, 0 before the first Save.
func (t *Tree) Version() int64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.iavl.Version()
}

// Root is the root of the last saved version; of the empty tree it is SHA-256 of nothing.
func (t *Tree) Root() []byte {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.Clone(t.root)
}

// Len is how many keys there are, unsaved ones too.
func (t *Tree) Len() int64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.iavl.Size()
}

// Get returns the value of key, unsaved changes too, or nil when it is absent.
func (t *Tree) Get(key []byte) ([]byte, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.bad == nil {
		if value, ok := t.recent.get(key, true); ok {
			return value, nil
		}
	}
	value, err := t.db.value(t.iavl.ImmutableTree, key)
	if err == nil && t.bad == nil {
		t.recent.add(key, value, true)
	}
	return value, err
}

// value reads one key of one version.
func (d *DB) value(tree *iavl.ImmutableTree, key []byte) ([]byte, error) {
	if tree == nil {
		return nil, ErrClosed
	}
	value, err := tree.Get(key)
	if err != nil {
		return nil, d.reading(err)
	}
	return bytes.Clone(value), nil
}

// Set writes a key. Neither the key nor the value is kept by reference.
func (t *Tree) Set(key, value []byte) error {
	switch {
	case len(key) == 0 || len(key) > MaxKey:
		return fmt.Errorf("store: a key of %d bytes; 1 to %d are possible", len(key), MaxKey)
	case value == nil || len(value) > MaxValue:
		return fmt.Errorf("store: a value of %d bytes (nil: %t); 0 to %d are possible", len(value), value == nil, MaxValue)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.bad != nil {
		return t.bad
	}
	t.recent.change(key)
	_, err := t.iavl.Set(bytes.Clone(key), bytes.Clone(value))
	return t.db.reading(err)
}

// Delete removes a key, or does nothing when it is absent.
func (t *Tree) Delete(key []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.bad != nil {
		return t.bad
	}
	t.recent.change(key)
	_, _, err := t.iavl.Remove(key)
	return t.db.reading(err)
}

// Range calls fn with the keys from from to before to, ascending, unsaved changes too,
// until it returns false. nil is the end of the range on either side. fn may read the
// tree; a key that it sets or deletes ahead of the walk may be seen or not.
func (t *Tree) Range(from, to []byte, fn func(key, value []byte) bool) error {
	return pages(from, to, fn, func(from []byte, p *page) error {
		t.mu.RLock()
		defer t.mu.RUnlock()
		return t.db.fill(t.iavl.ImmutableTree, from, to, p)
	})
}

// WorkingHash is the root that Save will return: it covers the unsaved changes.
func (t *Tree) WorkingHash() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.iavl.WorkingHash())
}

// Save writes the changes as the next version, whole or not at all. After an error the
// changes are lost in memory too, and every write returns it: Discard goes back to what is
// on disk, after which the block has to be executed again.
func (t *Tree) Save() (version int64, root []byte, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.bad != nil {
		return 0, nil, t.bad
	}
	t.fit() // before the new nodes come into it
	root, version, err = t.iavl.SaveVersion()
	if err == nil && t.first.Load() == 0 {
		t.first.Store(version)
	}
	if err != nil {
		// iavl has marked the new nodes as saved: from here it would write a root that
		// refers to itself.
		t.bad = fmt.Errorf("%w: %w; the state is that of version %d, start the node again once there is room", ErrUnsaved, err, t.iavl.Version())
		return 0, nil, t.bad
	}
	t.recent.saved()
	t.space.nodes.replaced(version-1, version)
	t.root = slices.Clone(root)
	return version, slices.Clone(root), nil
}

// Discard drops the changes since the last Save. After a failed Save it first finishes
// what that had begun, so Version tells what is there.
func (t *Tree) Discard() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.recent.forget()
	if t.bad == nil {
		t.iavl.Rollback()
		return nil
	}
	if err := t.db.finish(); err != nil {
		return err
	}
	return t.load(0)
}

// Rollback makes version the last one and deletes the later ones: for repair.
func (t *Tree) Rollback(version int64) error {
	t.prune.Lock() // before t.mu, as in Prune
	defer t.prune.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.exists(version); err != nil {
		return err
	}
	if err := t.load(version); err != nil {
		return err
	}
	if err := t.iavl.LoadVersionForOverwriting(version); err != nil {
		t.bad = fmt.Errorf("%w: rolling back to version %d: %w", ErrUnsaved, version, err)
		return t.bad
	}
	return errors.Join(t.closePruner(), t.load(version))
}

// close ends the tree; its methods then return ErrClosed or the zero value.
func (t *Tree) close() error {
	t.prune.Lock()
	err := t.closePruner()
	t.prune.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bad = ErrClosed
	t.space.nodes.release()
	return err
}

// iavlLog hands on what iavl warns of; it writes a line per node otherwise.
type iavlLog struct{ log *slog.Logger }

func (l iavlLog) Info(string, ...any)           {}
func (l iavlLog) Debug(string, ...any)          {}
func (l iavlLog) Warn(msg string, args ...any)  { l.log.Warn("ledger tree: "+msg, args...) }
func (l iavlLog) Error(msg string, args ...any) { l.log.Error("ledger tree: "+msg, args...) }
