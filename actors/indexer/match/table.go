package match

import (
	"fmt"
	"slices"

	"github.com/hashicorp/golang-lru/v2/simplelru"
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
	measures bool     // a ledger says what containers can do; their claims count nothing
	epoch    uint64   // of that ledger
	demand   demand
	gone     *simplelru.LRU[peer.ID, lapsed]
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

	account account
}

// NewTable returns an empty table for at most max containers; max ≤ 0 means
// DefaultMaxContainers.
func NewTable(max int) *Table {
	if max <= 0 {
		max = DefaultMaxContainers
	}
	return &Table{max: max, byID: map[peer.ID]*entry{}, byApp: map[[32]byte][]*entry{}, gone: newGone()}
}

// NewMeasuredTable returns an empty table for a network whose ledger measures containers:
// one is matched once Measure has said that it is proven, and never by what its ad claims.
func NewMeasuredTable(max int) *Table {
	t := NewTable(max)
	t.measures = true
	return t
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
		if back, ok := t.gone.Peek(id); ok { // it goes on where it was
			e.account = back.account
			t.demand.goOn(&e.account, back.asked)
			t.gone.Remove(id)
		} else {
			t.demand.began(&e.account)
		}
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
	read := e.read
	e.facts = factsOf(ad)
	e.read = read
	e.seq, e.sealed = ad.GetSeq(), sealed
	t.settle(e)
	return nil
}

// settle makes the facts and the leaf of an entry those of its ad and its figures.
func (t *Table) settle(e *entry) {
	if t.measures {
		m := e.read
		if m != nil && m.Epoch+1 < t.epoch {
			m = nil // too old to count; who checks a certificate would refuse it
		}
		e.measure(m)
	}
	e.leaf = leafOf(e.sealed, e.read)
	if t.tree != nil {
		t.tree.set(t.position(e.id), e.leaf)
	}
}

// Measure says what the ledger measured of a container. It reports whether the table holds
// the container and had no figures as new; others are passed over.
func (t *Table) Measure(id peer.ID, m Measured) bool {
	e, known := t.byID[id]
	if !t.measures || !known || m.check() != nil || e.read != nil && e.read.Height >= m.Height {
		return false
	}
	e.read = &m
	t.settle(e)
	return true
}

// Enter says in which epoch the ledger is. Figures that are of none of the two newest epochs
// count nothing from then on.
func (t *Table) Enter(epoch uint64) {
	t.epoch = epoch
	for _, e := range t.order {
		if e.standing != unread && e.read != nil && e.read.Epoch+1 < epoch {
			e.measure(nil)
		}
	}
}

// Unmeasured are up to n containers that are not known to be proven in the ledger's epoch,
// in the order of their ids beginning behind after: those to read, or to read again. It returns no
// container twice.
func (t *Table) Unmeasured(after peer.ID, n int) []peer.ID {
	var out []peer.ID
	at := t.position(after)
	if at < len(t.order) && t.order[at].id == after {
		at++
	}
	for i := range len(t.order) {
		e := t.order[(at+i)%len(t.order)]
		if len(out) == n {
			break
		}
		if e.standing != proven {
			out = append(out, e.id)
		}
	}
	return out
}

// Measured says whether figures of a container are held, or none are needed.
func (t *Table) Measured(id peer.ID) bool {
	e, known := t.byID[id]
	return !t.measures || known && e.read != nil
}

// Proven returns how many containers of the table may be matched as far as the ledger says.
func (t *Table) Proven() int {
	n := 0
	for _, e := range t.order {
		if e.standing == proven || e.standing == claimed {
			n++
		}
	}
	return n
}

// IDs are all containers of the table, by peer id.
func (t *Table) IDs() []peer.ID {
	out := make([]peer.ID, len(t.order))
	for i, e := range t.order {
		out[i] = e.id
	}
	return out
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
		t.gone.Add(e.id, lapsed{e.expires, e.account, t.demand.since(t.demand.period, &e.account)})
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
