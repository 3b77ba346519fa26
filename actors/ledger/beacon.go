package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/framemesh/framemesh/ledger/state"
)

const (
	readTime   = 15 * time.Second        // for the records of a new epoch
	beaconWait = 1500 * time.Millisecond // for a block, when somebody may be one ahead
)

// ErrNoBeacon means that no seed can be read yet.
var ErrNoBeacon = errors.New("ledger: the randomness of the epoch is not known yet; try again in a few seconds")

// seed is the randomness of one epoch.
type seed struct {
	epoch uint64
	value [32]byte
}

// beacons are the seeds that count now.
type beacons struct {
	mu        sync.Mutex
	now, last seed
	known     bool // now is set
	lastKnown bool
	read      uint64 // head at which they were read
}

// covers says whether the seed of an epoch is known.
func (b *beacons) covers(epoch uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.known && b.now.epoch >= epoch
}

// at is the seed in force when nothing newer can be read at this head.
func (b *beacons) at(epoch, height uint64) (s [32]byte, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now.value, b.known && (b.now.epoch >= epoch || b.read >= height)
}

// holds says whether a seed is that of this epoch or the one before.
func (b *beacons) holds(s [32]byte) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.known && b.now.value == s || b.lastKnown && b.last.value == s
}

// put takes what was read at a head.
func (b *beacons) put(now seed, last *seed, height uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.read = max(b.read, height)
	switch {
	case b.known && now.epoch < b.now.epoch:
		return
	case last != nil:
		b.last, b.lastKnown = *last, true
	case b.known && now.epoch > b.now.epoch:
		b.last, b.lastKnown = b.now, true
	}
	b.now, b.known = now, true
}

// Beacon is the randomness in force: the seed of the current epoch, read with proof where
// the source proves, once for each epoch.
func (l *Ledger) Beacon(ctx context.Context) ([32]byte, error) {
	h := l.heads.get()
	if s, ok := l.beacons.at(l.Epoch(), h.Height); ok {
		return s, nil
	}
	if err := l.readBeacon(ctx, h.Height); err != nil {
		return [32]byte{}, err
	}
	s, _ := l.beacons.at(0, 0)
	return s, nil
}

// readBeacon reads the seeds of the epoch in which the readable state is, and of the one
// with a block before it when none is known.
func (l *Ledger) readBeacon(ctx context.Context, height uint64) error {
	head, ok, err := read(ctx, l, state.HeadKey(), state.DecodeHead)
	if err != nil {
		return err
	}
	if !ok {
		return ErrNoBeacon
	}
	now, ok, err := l.seedOf(ctx, head.Epoch)
	if err != nil {
		return err
	}
	if !ok {
		return ErrNoBeacon
	}
	var last *seed
	if !l.beacons.covers(0) && head.Epoch > 0 {
		before, ok, err := l.seedOf(ctx, head.Epoch-1)
		if err != nil {
			return err
		}
		if ok {
			last = &before
		}
	}
	l.beacons.put(now, last, height)
	return nil
}

func (l *Ledger) seedOf(ctx context.Context, epoch uint64) (seed, bool, error) {
	value, ok, err := read(ctx, l, state.SeedKey(epoch), func(b []byte) (v [32]byte, err error) {
		if len(b) != len(v) {
			return v, fmt.Errorf("%w: a seed of %d bytes", state.ErrRecord, len(b))
		}
		return [32]byte(b), nil
	})
	return seed{epoch, value}, ok, err
}

// Accepts says whether somebody may have drawn with that beacon now: it is the seed of this
// epoch or the one before. Nodes see a block at slightly different times, so an unknown
// beacon gets one more block's time before it is refused.
func (l *Ledger) Accepts(ctx context.Context, beacon [32]byte) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*beaconWait)
	defer cancel()
	for try := range 2 {
		h := l.heads.get()
		if _, ok := l.beacons.at(l.Epoch(), h.Height); !ok {
			if err := l.readBeacon(ctx, h.Height); err != nil {
				l.o.Log.Debug("the seed of the epoch cannot be read", "err", err)
			}
		}
		if l.beacons.holds(beacon) {
			return true
		}
		if try > 0 || l.awaitHead(ctx, h.Height, beaconWait) != nil {
			return false
		}
	}
	return false
}
