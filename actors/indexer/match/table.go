package match

import (
	"fmt"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/p2p/wire"
)

// DefaultMaxContainers is how many containers a table holds unless told otherwise:
// about 20 MB of ads.
const DefaultMaxContainers = 20_000

// Table holds the newest ad of each container, with an index by app and a Merkle
// tree over all of them. It has one owner and is not safe for concurrent use.
type Table struct {
	max      int
	byID     map[peer.ID]*entry
	byApp    map[[32]byte][]*entry
	fetchers []*entry // who fetches apps they lack
	order    []*entry // by peer id: the leaves of the tree
	tree     *tree    // nil after a container came or went
	pass     uint64   // of Match, so that a pass sees each entry once
}

// entry is one container. It stays the same over new ads of its container.
type entry struct {
	facts
	id     peer.ID
	seq    uint64
	apps   [][32]byte // as in the index
	sealed []byte
	leaf   hash
	seen   uint64 // the last pass that looked at it
}

// NewTable returns an empty table for at most max containers; max ≤ 0 means
// DefaultMaxContainers.
func NewTable(max int) *Table {
	if max <= 0 {
		max = DefaultMaxContainers
	}
	return &Table{max: max, byID: map[peer.ID]*entry{}, byApp: map[[32]byte][]*entry{}}
}

// Len returns the number of containers, with those whose ad expired and that Expire
// has not removed yet.
func (t *Table) Len() int { return len(t.order) }

// Put takes an ad that id sealed and whose signature was verified; the table keeps
// sealed. It returns ErrAd when the ad breaks a rule or is expired, ErrStale when it
// is not newer than the one held, ErrFull for a container too many.
func (t *Table) Put(nowMS uint64, id peer.ID, ad *wire.Ad, sealed []byte) error {
	if err := CheckAd(id, ad); err != nil {
		return err
	}
	if len(sealed) > MaxAdBytes {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrAd, len(sealed), MaxAdBytes)
	}
	if ad.GetExpiresMs() <= nowMS {
		return fmt.Errorf("%w: it expired %d ms ago", ErrAd, nowMS-ad.GetExpiresMs())
	}
	e, known := t.byID[id]
	switch {
	case known && ad.GetSeq() <= e.seq:
		return ErrStale
	case !known && len(t.order) >= t.max:
		return fmt.Errorf("%w: %d containers", ErrFull, t.max)
	case !known:
		e = &entry{id: id}
		t.byID[id] = e
		t.order = slices.Insert(t.order, t.position(id), e)
		t.tree = nil
	}
	if apps := appsOf(ad); !slices.Equal(apps, e.apps) {
		t.unindex(e)
		e.apps = apps
		for _, app := range apps {
			t.byApp[app] = append(t.byApp[app], e)
		}
	}
	if e.fetches != ad.GetFetchesApps() {
		if e.fetches {
			t.fetchers = without(t.fetchers, e)
		} else {
			t.fetchers = append(t.fetchers, e)
		}
	}
	e.facts = factsOf(ad)
	e.seq, e.sealed, e.leaf = ad.GetSeq(), sealed, leafHash(sealed)
	if t.tree != nil {
		t.tree.set(t.position(id), e.leaf)
	}
	return nil
}

// Expire removes the ads that expired and returns how many.
func (t *Table) Expire(nowMS uint64) int {
	return t.removeAll(func(e *entry) bool { return e.expires <= nowMS })
}

// Remove takes one container out; it reports whether it was there.
func (t *Table) Remove(id peer.ID) bool {
	return t.removeAll(func(e *entry) bool { return e.id == id }) == 1
}

func (t *Table) removeAll(gone func(*entry) bool) int {
	before := len(t.order)
	t.order = slices.DeleteFunc(t.order, func(e *entry) bool {
		if !gone(e) {
			return false
		}
		delete(t.byID, e.id)
		t.unindex(e)
		if e.fetches {
			t.fetchers = without(t.fetchers, e)
		}
		return true
	})
	if len(t.order) != before {
		t.tree = nil
	}
	return before - len(t.order)
}

// Sealed returns the sealed ad held of a container, or nil.
func (t *Table) Sealed(id peer.ID) []byte {
	if e, ok := t.byID[id]; ok {
		return e.sealed
	}
	return nil
}

// Root returns the Merkle root over all ads held, sorted by peer id.
func (t *Table) Root() [32]byte {
	if t.tree == nil {
		leaves := make([]hash, len(t.order))
		for i, e := range t.order {
			leaves[i] = e.leaf
		}
		t.tree = newTree(leaves)
	}
	return t.tree.root()
}

// position is where an id is, or belongs, in order.
func (t *Table) position(id peer.ID) int {
	i, _ := slices.BinarySearchFunc(t.order, id, func(e *entry, id peer.ID) int {
		switch {
		case e.id < id:
			return -1
		case e.id > id:
			return 1
		}
		return 0
	})
	return i
}

func (t *Table) unindex(e *entry) {
	for _, app := range e.apps {
		if rest := without(t.byApp[app], e); len(rest) > 0 {
			t.byApp[app] = rest
		} else {
			delete(t.byApp, app)
		}
	}
	e.apps = nil
}

// without removes one entry; the order of an index does not matter.
func without(list []*entry, e *entry) []*entry {
	i := slices.Index(list, e)
	if i < 0 {
		return list
	}
	last := len(list) - 1
	list[i] = list[last]
	list[last] = nil
	return list[:last]
}

func appsOf(ad *wire.Ad) [][32]byte {
	out := make([][32]byte, len(ad.GetApps()))
	for i, app := range ad.GetApps() {
		out[i] = [32]byte(app.GetSha256())
	}
	return out
}
