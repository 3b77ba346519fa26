package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/state"
)

// ErrNoCandidates means that the ledger does not say who may be drawn in an epoch.
var ErrNoCandidates = errors.New("ledger: the indexers that may be drawn are not known yet; try again in a few seconds")

// maxDrawable bounds the indexers of an epoch that are remembered. They all have stake, so
// that many are there only when that much was paid; who comes later in the list cannot be
// drawn through this node.
const maxDrawable = 20_000

// drawable is who may be drawn as an indexer, of the newest two epochs that were asked for.
type drawable struct {
	mu   sync.Mutex
	sets [2]*candidates // the newer first
}

// candidates are those of one epoch. Nothing in it changes later.
type candidates struct {
	epoch uint64
	ids   map[peer.ID]struct{}
}

func (d *drawable) get(epoch uint64) *candidates {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.sets {
		if s != nil && s.epoch == epoch {
			return s
		}
	}
	return nil
}

func (d *drawable) put(c *candidates) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch a, b := d.sets[0], d.sets[1]; {
	case a == nil || c.epoch > a.epoch:
		d.sets[0], d.sets[1] = c, a
	case c.epoch < a.epoch && (b == nil || c.epoch > b.epoch):
		d.sets[1] = c
	}
}

// Drawable says whether an indexer may be drawn now: it is a candidate of the current epoch
// or of the one before, for which somebody may just have drawn. The sets were frozen long
// before anybody knew the epoch's randomness. They are read once for each epoch, with proof
// where the source proves. Errors: ErrNoCandidates and those of reading.
func (l *Ledger) Drawable(ctx context.Context, indexer peer.ID) (bool, error) {
	epoch := l.Epoch()
	now, err := l.indexers(ctx, epoch)
	if err != nil {
		return false, err
	}
	if _, ok := now.ids[indexer]; ok || epoch == 0 {
		return ok, nil
	}
	last, err := l.indexers(ctx, epoch-1)
	if err != nil {
		return false, err
	}
	_, ok := last.ids[indexer]
	return ok, nil
}

// indexers are the candidates of an epoch.
func (l *Ledger) indexers(ctx context.Context, epoch uint64) (*candidates, error) {
	if c := l.drawable.get(epoch); c != nil {
		return c, nil
	}
	all, ok, err := state.ReadCandidates(pages{ctx, l}, epoch, economics.RoleIndexer)
	if err != nil {
		return nil, fmt.Errorf("ledger: indexers of epoch %d: %w", epoch, err)
	}
	if !ok {
		return nil, ErrNoCandidates
	}
	c := &candidates{epoch, make(map[peer.ID]struct{}, len(all))}
	for _, one := range all[:min(len(all), maxDrawable)] {
		if id, err := key.Node(one.Node).Peer(); err == nil {
			c.ids[id] = struct{}{}
		}
	}
	l.drawable.put(c)
	return c, nil
}

// Records reads single records of the newest readable state, with proof where the source
// proves, for as long as ctx lasts.
func (l *Ledger) Records(ctx context.Context) state.Reader { return pages{ctx, l} }

// pages reads records of the source, one by one.
type pages struct {
	ctx context.Context
	l   *Ledger
}

var _ state.Reader = pages{}

func (p pages) Get(k []byte) ([]byte, error) {
	v, _, err := p.l.o.Source.Value(p.ctx, k)
	return v, err
}

// Range implements state.Reader; a source proves single records only.
func (pages) Range(_, _ []byte, _ func(k, v []byte) bool) error {
	return errors.New("ledger: a range cannot be read")
}
