package ledger

import (
	"context"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/state"
)

const (
	maxEntries   = 4096             // of the registry that are remembered
	maxLooking   = 8                // questions for the registry at once
	lookBurst    = 64               // of them without a pause
	lookGap      = time.Second / 10 // between two, over time: full nodes count them against this node
	freshEpochs  = 1                // an entry is good for this epoch and the next
	usableEpochs = 4                // and used while it is read again
	absentFor    = 30 * time.Second // that somebody is not registered
)

// registry remembers entries, so that asking costs no question to the network.
type registry struct {
	now   func() time.Time
	epoch func() uint64
	known *lru.Cache[peer.ID, entry]
}

type entry struct {
	node  state.Node
	ok    bool
	epoch uint64    // in which it was read
	at    time.Time // when
}

func newRegistry(now func() time.Time, epoch func() uint64) *registry {
	c, err := lru.New[peer.ID, entry](maxEntries)
	if err != nil {
		panic(err) // the size is a positive constant
	}
	return &registry{now, epoch, c}
}

// get is what is remembered, and whether it should be read again.
func (r *registry) get(id peer.ID) (e entry, stale bool) {
	e, known := r.known.Get(id)
	now := r.epoch()
	switch {
	case !known:
		return entry{}, true
	case !e.ok:
		return e, r.now().Sub(e.at) > absentFor
	case now > e.epoch+usableEpochs:
		return entry{}, true
	}
	return e, now > e.epoch+freshEpochs
}

// Registered says whether a peer is in the registry, from memory: it never waits. Of
// somebody unknown it says no, and asks the ledger; a moment later the answer is right.
func (l *Ledger) Registered(id peer.ID) bool {
	_, ok := l.Entry(id)
	return ok
}

// Entry is a peer's entry of the registry, from memory as with Registered.
func (l *Ledger) Entry(id peer.ID) (state.Node, bool) {
	e, stale := l.registry.get(id)
	if stale {
		_ = l.ref.Tell(lookUp{id}) // a full mailbox: the next one who asks tries again
	}
	return e.node, e.ok
}

// look reads one entry unless it is being read or too many are: who asked asks again.
func (b *behavior) look(c *supervise.Ctx, id peer.ID) {
	if b.looking[id] || len(b.looking) >= maxLooking {
		return
	}
	if _, stale := b.l.registry.get(id); !stale || !b.spare.AllowN(b.l.o.Now(), 1) {
		return
	}
	b.looking[id] = true
	c.Go(func(ctx context.Context) any {
		b.l.lookUp(ctx, id)
		return lookedUp{id}
	})
}

func (l *Ledger) lookUp(ctx context.Context, id peer.ID) {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	e := entry{epoch: l.Epoch(), at: l.o.Now()}
	if n, err := key.NodeOf(id); err == nil { // others have no key that could be registered
		if e.node, e.ok, err = l.Node(ctx, n); err != nil {
			l.o.Log.Debug("the registry cannot be read", "peer", id, "err", err)
			return
		}
	}
	l.metrics.lookups.Inc()
	l.registry.known.Add(id, e)
}
