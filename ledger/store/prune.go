package store

import (
	"fmt"
	"math"
)

// pruneStep is how many versions one Prune takes at most: about the work of as many
// blocks.
const pruneStep = 4

// pruneCache is how many nodes the pruner remembers between the versions of a step.
const pruneCache = 4096

// Prune deletes the oldest versions, four at most, so that at least keep (and at least
// one) remain, and returns how many there are too many still: call it after each block. It
// does not hold up commits or readers. A version that an export reads, and all later ones,
// stay until it is done.
func (t *Tree) Prune(keep int64) (left int64, err error) {
	t.prune.Lock()
	defer t.prune.Unlock()
	until := t.Version() - max(keep, 1)
	if oldest := t.pinned(); oldest <= until {
		until = oldest - 1
	}
	first := t.first.Load()
	for n := 0; first > 0 && first <= until && n < pruneStep; n++ {
		if err := t.pruner(first); err != nil {
			return 0, err
		}
		// One version at a time: each is one atomic batch.
		if err := t.prune.tree.DeleteVersionsTo(first); err != nil {
			return 0, t.pruning(err)
		}
		first++
		t.first.Store(first)
	}
	return max(until-first+1, 0), nil
}

// pruner opens the tree that deletes version, unless there is one. iavl remembers the last
// version it saw and deletes only older ones, so the pruner is opened anew now and then.
func (t *Tree) pruner(version int64) error {
	if t.prune.tree != nil && version < t.prune.last {
		return nil
	}
	if err := t.closePruner(); err != nil {
		return err
	}
	t.mu.RLock()
	t.prune.tree = open(t.space, pruneCache, t.log)
	t.mu.RUnlock()
	if _, err := t.prune.tree.Load(); err != nil {
		return t.pruning(err)
	}
	t.prune.last = t.prune.tree.Version()
	return nil
}

func (t *Tree) pruning(err error) error {
	if closing := t.closePruner(); closing != nil {
		t.log.Warn("ledger store: giving up a pruner", "err", closing)
	}
	return fmt.Errorf("store: pruning in %s: %w", t.db.dir, err)
}

// closePruner forgets the pruner's tree, with what it has not written. t.prune is held.
func (t *Tree) closePruner() error {
	if t.prune.tree == nil {
		return nil
	}
	err := t.prune.tree.Close()
	t.prune.tree = nil
	return err
}

// pin keeps version from being pruned until unpin is called, and says where it lives.
func (t *Tree) pin(version int64) (space view, unpin func(), err error) {
	t.prune.Lock() // not in the middle of a step
	defer t.prune.Unlock()
	t.mu.RLock()
	defer t.mu.RUnlock()
	if err := t.exists(version); err != nil {
		return view{}, nil, err
	}
	t.pins.Lock()
	defer t.pins.Unlock()
	t.pins.held[version]++
	return t.space, func() {
		t.pins.Lock()
		defer t.pins.Unlock()
		if t.pins.held[version]--; t.pins.held[version] == 0 {
			delete(t.pins.held, version)
		}
	}, nil
}

func (t *Tree) pinned() int64 {
	t.pins.Lock()
	defer t.pins.Unlock()
	oldest := int64(math.MaxInt64)
	for version := range t.pins.held {
		oldest = min(oldest, version)
	}
	return oldest
}
