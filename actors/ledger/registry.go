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
	maxWanted    = 256              // that wait to be asked, or to be asked again
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
	stake uint64    // base units that count for it: 0 when it is jailed or out for good
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
		_ = l.ref.Tell(lookUp{id: id}) // a full mailbox: the next one who asks tries again
	}
	return e.node, e.ok
}

// Stake is what a registered peer has at stake, in base units, from memory as with
// Registered; 0 for everybody else, and for nodes that are jailed.
func (l *Ledger) Stake(id peer.ID) uint64 {
	e, stale := l.registry.get(id)
	if stale {
		_ = l.ref.Tell(lookUp{id: id})
	}
	return e.stake
}

// Meet looks a peer up that may soon have something to say, so that it is known by then.
func (l *Ledger) Meet(id peer.ID) { l.Entry(id) }

// ReadAgain looks a peer up although it is known: what it says does not fit what is known.
func (l *Ledger) ReadAgain(id peer.ID) { _ = l.ref.Tell(lookUp{id: id, again: true}) }

// look reads one entry, or remembers that it is wanted when too many are being read.
func (b *behavior) look(c *supervise.Ctx, m lookUp) {
	if b.looking[m.id] {
		return
	}
	if _, stale := b.l.registry.get(m.id); !stale && !m.again {
		delete(b.wanted, m.id)
		return
	}
	if len(b.looking) >= maxLooking || !b.spare.AllowN(b.l.o.Now(), 1) {
		b.want(m)
		return
	}
	delete(b.wanted, m.id)
	b.looking[m.id] = true
	c.Go(func(ctx context.Context) any { return lookedUp{m, b.l.lookUp(ctx, m.id)} })
}

// want keeps a question for later. What is too much is forgotten: who asked asks again.
func (b *behavior) want(m lookUp) {
	if _, known := b.wanted[m.id]; known || len(b.wanted) < maxWanted {
		b.wanted[m.id] = m
	}
}

// looked goes on with what waits, after an answer. A question that failed waits for the
// next head, which may be the first one that anything can be read by.
func (b *behavior) looked(c *supervise.Ctx, m lookedUp) {
	delete(b.looking, m.id)
	if m.err != nil {
		b.want(m.lookUp)
		return
	}
	b.lookWanted(c)
}

// lookWanted asks what waits to be asked, as far as the bounds allow.
func (b *behavior) lookWanted(c *supervise.Ctx) {
	for _, m := range b.wanted {
		if len(b.looking) >= maxLooking {
			return
		}
		b.look(c, m)
	}
}

// lookUp reads one entry; an error means that nothing was learned.
func (l *Ledger) lookUp(ctx context.Context, id peer.ID) error {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	e := entry{epoch: l.Epoch(), at: l.o.Now()}
	if n, err := key.NodeOf(id); err == nil { // others have no key that could be registered
		if e.node, e.ok, err = l.Node(ctx, n); err == nil && e.ok {
			e.stake, err = l.stakeOf(ctx, n)
		}
		if err != nil {
			l.o.Log.Debug("the registry cannot be read", "peer", id, "err", err)
			return err
		}
	}
	l.metrics.lookups.Inc()
	l.registry.known.Add(id, e)
	return nil
}

// stakeOf is what counts of a node's stake.
func (l *Ledger) stakeOf(ctx context.Context, n key.Node) (uint64, error) {
	s, _, err := read(ctx, l, state.StakeKey(n), state.DecodeStake)
	if err != nil || s.Jailed || s.Tombstoned {
		return 0, err
	}
	return s.Amount, nil
}
