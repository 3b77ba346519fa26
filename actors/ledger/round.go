package ledger

import (
	"context"
	"fmt"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/state"
)

// Roll is who checks whom in an epoch of Proof of Render, and when. Nothing in it is to be
// changed.
type Roll struct {
	Epoch      uint64
	Seed       [32]byte
	Params     judge.Params
	Times      judge.Times
	Assignment *judge.Assignment
}

// rolls are what was read for rounds: the newest epochs' rolls, and who may be drawn, which
// is known before an epoch begins.
type rolls struct {
	mu      sync.Mutex
	all     []*Roll
	drawn   []*drawn
	reading sync.Mutex // one reader at a time: a container and a checker may share a node
}

// drawn are who may be drawn in one epoch.
type drawn struct {
	epoch                uint64
	containers, checkers []judge.Candidate
	ids                  map[peer.ID]struct{} // of the checkers
}

const (
	keptRolls = 2
	keptDrawn = 3
)

func (r *rolls) get(epoch uint64) *Roll {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range r.all {
		if one.Epoch == epoch {
			return one
		}
	}
	return nil
}

func (r *rolls) put(one *Roll) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, one)
	if len(r.all) > keptRolls {
		r.all = r.all[1:]
	}
}

func (r *rolls) drawnIn(epoch uint64) *drawn {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.drawn {
		if c.epoch == epoch {
			return c
		}
	}
	return nil
}

func (r *rolls) putDrawn(c *drawn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drawn = append(r.drawn, c)
	if len(r.drawn) > keptDrawn {
		r.drawn = r.drawn[1:]
	}
}

// EpochAt is the epoch at a unix time in ms, by the clock of whoever asks.
func (l *Ledger) EpochAt(ms uint64) uint64 { return l.o.Genesis.Epoch(ms) }

// EpochStart is when an epoch begins, in unix ms.
func (l *Ledger) EpochStart(epoch uint64) uint64 { return l.o.Genesis.EpochStart(epoch) }

// Roll is who checks whom in an epoch: drawn from the candidates that were frozen before it
// and the seed that its first block shows, all read with proof where the source proves and
// remembered. Errors: ErrNoBeacon and ErrNoCandidates while the epoch is young, and those
// of reading.
func (l *Ledger) Roll(ctx context.Context, epoch uint64) (*Roll, error) {
	if r := l.rolls.get(epoch); r != nil {
		return r, nil
	}
	l.rolls.reading.Lock()
	defer l.rolls.reading.Unlock()
	if r := l.rolls.get(epoch); r != nil {
		return r, nil
	}
	seed, ok, err := l.seedOf(ctx, epoch)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, ErrNoBeacon
	}
	who, err := l.candidatesIn(ctx, epoch)
	if err != nil {
		return nil, err
	}
	p := judge.From(l.Params())
	r := &Roll{Epoch: epoch, Seed: seed.value, Params: p, Times: judge.Schedule(p, epoch, l.o.Genesis.TimeMS()),
		Assignment: judge.Assign(l.chain, seed.value, epoch, who.containers, who.checkers, p)}
	l.rolls.put(r)
	_ = l.ref.Tell(rollDrawn{epoch}) // a busy actor does not read ahead, and nothing is lost by it
	return r, nil
}

// readAhead reads who may be drawn in an epoch before it begins: whoever speaks first in it
// is known by then, and nothing but its seed is left to be read.
func (l *Ledger) readAhead(ctx context.Context, epoch uint64) {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	if _, err := l.candidatesIn(ctx, epoch); err != nil {
		l.o.Log.Debug("the candidates of the next epoch cannot be read yet", "err", err)
	}
}

// candidatesIn are the containers and checkers that may be drawn in an epoch.
func (l *Ledger) candidatesIn(ctx context.Context, epoch uint64) (*drawn, error) {
	if c := l.rolls.drawnIn(epoch); c != nil {
		return c, nil
	}
	c := &drawn{epoch: epoch}
	var err error
	if c.containers, err = l.candidatesOf(ctx, epoch, economics.RoleContainer); err != nil {
		return nil, err
	}
	if c.checkers, err = l.candidatesOf(ctx, epoch, economics.RoleChecker); err != nil {
		return nil, err
	}
	c.ids = make(map[peer.ID]struct{}, len(c.checkers))
	for _, one := range c.checkers {
		if id, err := one.Node.Peer(); err == nil {
			c.ids[id] = struct{}{}
		}
	}
	l.rolls.putDrawn(c)
	return c, nil
}

// candidatesOf are the candidates of a role in an epoch.
func (l *Ledger) candidatesOf(ctx context.Context, epoch uint64, role economics.Role) ([]judge.Candidate, error) {
	all, ok, err := state.ReadCandidates(pages{ctx, l}, epoch, role)
	if err != nil {
		return nil, fmt.Errorf("ledger: candidates of epoch %d: %w", epoch, err)
	}
	if !ok {
		return nil, ErrNoCandidates
	}
	return state.Drawable(all), nil
}

// MayVote says whether a peer may gossip about an epoch's round: it is one of the checkers
// that were frozen for it or, while those are not known here, registered as a checker. It
// answers from memory.
func (l *Ledger) MayVote(id peer.ID, epoch uint64) bool {
	if c := l.rolls.drawnIn(epoch); c != nil {
		_, ok := c.ids[id]
		return ok
	}
	e, ok := l.Entry(id)
	return ok && e.Roles.Has(economics.RoleChecker)
}

// Standing is what rounds have shown of a container so far; ok is false for one of which
// nothing was ever said.
func (l *Ledger) Standing(ctx context.Context, container key.Node) (s state.Standing, ok bool, err error) {
	return read(ctx, l, state.StandingKey(container), state.DecodeStanding)
}

// Certified says whether a batch of an epoch has its certificate.
func (l *Ledger) Certified(ctx context.Context, epoch uint64, batch uint32) (bool, error) {
	_, ok, err := read(ctx, l, state.CertificateKey(epoch, batch), state.DecodeCertificate)
	return ok, err
}
