package ledger

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/state"
)

// Bounds on reading what was measured.
const (
	maxFigures   = 8192 // containers at a height that are remembered
	maxHeights   = 64   // blocks whose epochs are remembered
	aheadOf      = 8    // blocks that somebody else may know sooner: light clients look now and then
	markBelow    = 5    // blocks from the head to a mark, where there are so many
	behindOf     = 8192 // blocks: about an hour, in which epochs of 15 min fit thrice
	figuresAtOne = 8    // questions on their way at once, of each caller
	paceGap      = time.Second / 25
	paceBurst    = 100
)

// ErrNoBlock means that there is no block yet after which everybody can read.
var ErrNoBlock = errors.New("ledger: nothing can be read yet; try again in a few seconds")

// Figures is what the ledger says of a container after a block. It is a fact: it never
// changes.
type Figures struct {
	Height   uint64 // of the block
	Epoch    uint64 // of the block
	Standing state.Standing
	Known    bool // something was ever said of it; else Standing has only zeros
}

// figures remembers what was read.
type figures struct {
	known   *lru.Cache[figureOf, Figures]
	heights *lru.Cache[uint64, uint64] // epochs of blocks
	pace    *rate.Limiter
}

type figureOf struct {
	node   key.Node
	height uint64
}

func newFigures() *figures {
	known, err := lru.New[figureOf, Figures](maxFigures)
	if err != nil {
		panic(err) // the size is a positive constant
	}
	heights, err := lru.New[uint64, uint64](maxHeights)
	if err != nil {
		panic(err)
	}
	return &figures{known, heights, rate.NewLimiter(rate.Every(paceGap), paceBurst)}
}

// EpochOf reads the epoch of a block below the head.
func EpochOf(ctx context.Context, s Source, height uint64) (uint64, error) {
	b, err := s.ValueAt(ctx, state.HeadKey(), height)
	if err != nil {
		return 0, fmt.Errorf("ledger: block %d: %w", height, err)
	}
	h, err := state.DecodeHead(b)
	if err != nil {
		return 0, fmt.Errorf("ledger: block %d: %w", height, err)
	}
	return h.Epoch, nil
}

// StandingAt reads what stood of a container after a block below the head; ok is false when
// nothing did.
func StandingAt(ctx context.Context, s Source, container key.Node, height uint64) (out state.Standing, ok bool, err error) {
	b, err := s.ValueAt(ctx, state.StandingKey(container), height)
	if err != nil || b == nil {
		return out, false, err
	}
	if out, err = state.DecodeStanding(b); err != nil {
		return out, false, fmt.Errorf("ledger: %w; this program is older than the network's state, update it", err)
	}
	return out, true, nil
}

// Near says whether a beacon is the seed of an epoch, or of the one before or after it, as
// it can be read in s.
func Near(ctx context.Context, s Source, beacon [32]byte, epoch uint64) (bool, error) {
	near := []uint64{epoch}
	if epoch < math.MaxUint64 {
		near = append(near, epoch+1)
	}
	if epoch > 0 {
		near = append(near, epoch-1)
	}
	for _, e := range near {
		b, _, err := s.Value(ctx, state.SeedKey(e))
		if err != nil {
			return false, err
		}
		if string(b) == string(beacon[:]) {
			return true, nil
		}
	}
	return false, nil
}

// Near says whether a beacon is the seed of an epoch or of one next to it. The beacons that
// count now are answered from memory.
func (l *Ledger) Near(ctx context.Context, beacon [32]byte, epoch uint64) (bool, error) {
	if e, ok := l.beacons.epochOf(beacon); ok {
		return e <= epoch+1 && epoch <= e+1, nil
	}
	return Near(ctx, l.o.Source, beacon, epoch)
}

// epochOf is the epoch whose seed this is, when it is one of those that count now.
func (b *beacons) epochOf(s [32]byte) (uint64, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.known && b.now.value == s:
		return b.now.epoch, true
	case b.lastKnown && b.last.value == s:
		return b.last.epoch, true
	}
	return 0, false
}

// Mark is the newest block after which everybody can read at once, with its epoch: a few
// below the head, since light clients look for a head only now and then. Whoever were to
// check figures of the newest block might have to wait for the one after it.
func (l *Ledger) Mark(ctx context.Context) (epoch, height uint64, err error) {
	h := l.heads.get().Height
	if h < 2 {
		return 0, 0, ErrNoBlock
	}
	height = h - min(h-1, markBelow)
	epoch, err = l.epochOf(ctx, height)
	return epoch, height, err
}

func (l *Ledger) epochOf(ctx context.Context, height uint64) (uint64, error) {
	if e, ok := l.figures.heights.Get(height); ok {
		return e, nil
	}
	e, err := EpochOf(ctx, l.o.Source, height)
	if err == nil {
		l.figures.heights.Add(height, e)
	}
	return e, err
}

// Pace waits until n figures may be read in the background: a light client leaves room for
// other questions to the peers that it asks. Who keeps the chain reads as it likes.
func (l *Ledger) Pace(ctx context.Context, n int) error {
	if l.o.Source.Head().Full {
		return nil
	}
	if err := l.figures.pace.WaitN(ctx, min(n, paceBurst)); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	return nil
}

// FiguresAt reads what stood of a container after a block, with proof where the source
// proves, once. For a block that is a little ahead of what is known here it waits a moment;
// ErrUnknown means that there is none, ErrPast that the block is too long ago.
func (l *Ledger) FiguresAt(ctx context.Context, container key.Node, height uint64) (Figures, error) {
	of := figureOf{container, height}
	if f, ok := l.figures.known.Get(of); ok {
		return f, nil
	}
	f := Figures{Height: height}
	if err := l.awaitAbove(ctx, height); err != nil {
		return f, err
	}
	var err error
	if f.Epoch, err = l.epochOf(ctx, height); err != nil {
		return f, err
	}
	if f.Standing, f.Known, err = StandingAt(ctx, l.o.Source, container, height); err != nil {
		return f, err
	}
	l.figures.known.Add(of, f)
	return f, nil
}

// awaitAbove waits up to one block's time for a head above a block.
func (l *Ledger) awaitAbove(ctx context.Context, height uint64) error {
	h := l.heads.get()
	switch {
	case height > 0 && height+behindOf < h.Height:
		// A light client would have to find its way back to that header, for a stranger.
		return fmt.Errorf("%w: block %d, the head is %d", ErrPast, height, h.Height)
	case height > 0 && height < h.Height:
		return nil
	}
	if height == 0 || height > h.Height+aheadOf {
		return fmt.Errorf("%w: block %d, the head is %d", ErrUnknown, height, h.Height)
	}
	if err := l.awaitHead(ctx, height, beaconWait); err != nil {
		return err
	}
	if head := l.heads.get().Height; height >= head {
		return fmt.Errorf("%w: block %d, the head is %d", ErrUnknown, height, head)
	}
	return nil
}

// Read is one question of FiguresOf.
type Read struct {
	Container key.Node
	Height    uint64
}

// FiguresOf is FiguresAt for several, a few at a time. The answers are in the order of the
// questions; the error is the first of any.
func (l *Ledger) FiguresOf(ctx context.Context, all []Read) ([]Figures, error) {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	out, errs := make([]Figures, len(all)), make([]error, len(all))
	seats := make(chan struct{}, figuresAtOne)
	var wg sync.WaitGroup
	for i, q := range all {
		if f, ok := l.figures.known.Get(figureOf{q.Container, q.Height}); ok {
			out[i] = f
			continue
		}
		seats <- struct{}{}
		wg.Go(func() {
			defer func() { <-seats }()
			out[i], errs[i] = l.FiguresAt(ctx, q.Container, q.Height)
		})
	}
	wg.Wait()
	return out, errors.Join(errs...)
}
