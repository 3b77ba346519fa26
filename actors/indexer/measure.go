package indexer

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/actors/indexer/match"
	"github.com/framemesh/framemesh/actors/supervise"
)

// Figures is the ledger as an indexer reads it: what was measured of containers, which
// counts instead of what their ads claim.
type Figures interface {
	// Mark is the newest block after which anybody can read, and its epoch.
	Mark(ctx context.Context) (epoch, height uint64, err error)
	// Pace waits until n containers may be read in the background.
	Pace(ctx context.Context, n int) error
	// Measured answers each question, in their order.
	Measured(ctx context.Context, asked []match.Asked) ([]match.Measured, error)
}

// When and how much of the ledger is read.
const (
	markTime   = time.Second            // between two looks for a new epoch
	markYoung  = 200 * time.Millisecond // the same while nothing could be read yet
	againTime  = 5 * time.Second        // between two looks at containers that may not stand by
	againMost  = 64                     // of those in one look
	readBatch  = 16                     // containers of one question
	readAtOnce = 4                      // questions on their way
	readTime   = time.Minute            // for one of them, with its wait for its turn
)

// Messages about figures.
type (
	look   struct{} // timer
	marked struct {
		mark
		err error
	}
	measured struct {
		asked []match.Asked
		read  []match.Measured
		err   error
	}
	countProven struct{} // answered with int
)

// mark is a block with its epoch.
type mark struct{ epoch, height uint64 }

// measure is the actor's part that keeps figures up to date. All of an epoch are read after
// the same block, the first that was seen of it, so that whoever checks a certificate asks
// for one block's epoch; containers that are not proven are read again at newer ones, so
// that a newcomer is matched soon after its first certificate.
type measure struct {
	from    Figures // nil = there is no ledger
	at      mark    // of the epoch's figures; height 0 = none yet
	newest  mark
	again   time.Time          // when those that are not proven were read again
	after   peer.ID            // the last of them
	wanted  []match.Asked      // to be read, in this order
	pending map[peer.ID]uint64 // heights that are wanted or on their way
	reading int                // questions on their way
}

func newMeasure(from Figures) measure { return measure{from: from, pending: map[peer.ID]uint64{}} }

// look asks where the ledger is.
func (s *state) look(c *supervise.Ctx) {
	from := s.measure.from
	if from == nil {
		return
	}
	c.Go(func(ctx context.Context) any {
		ctx, cancel := context.WithTimeout(ctx, readTime)
		defer cancel()
		var m marked
		m.epoch, m.height, m.err = from.Mark(ctx)
		return m
	})
}

// mark goes on in the ledger's newest epoch.
func (s *state) mark(c *supervise.Ctx, m marked) {
	x := &s.measure
	switch {
	case m.err != nil:
		s.ix.opts.Log.Debug("indexer: the ledger cannot be read", "err", m.err)
	case x.at.height == 0 || m.epoch > x.at.epoch:
		x.at, x.newest, x.wanted = m.mark, m.mark, nil
		clear(x.pending)
		s.table.Enter(m.epoch)
		for _, id := range s.table.IDs() {
			s.want(id, x.at.height)
		}
	default:
		x.newest = m.mark
		if now := s.ix.opts.Now(); len(x.wanted) == 0 && now.Sub(x.again) >= againTime {
			x.again = now
			for _, id := range s.table.Unmeasured(x.after, againMost) {
				s.want(id, x.newest.height)
				x.after = id
			}
		}
	}
	s.read(c)
	if x.at.height == 0 {
		c.After(markYoung, look{})
	} else {
		c.After(markTime, look{})
	}
}

// want reads a container soon. Each is wanted once, so what waits is bounded by the table.
func (s *state) want(id peer.ID, height uint64) {
	x := &s.measure
	if x.from == nil || height == 0 || x.pending[id] >= height {
		return
	}
	x.pending[id] = height
	x.wanted = append(x.wanted, match.Asked{Container: id, Height: height})
}

// read sends the next questions.
func (s *state) read(c *supervise.Ctx) {
	x := &s.measure
	for x.reading < readAtOnce && len(x.wanted) > 0 {
		n := min(len(x.wanted), readBatch)
		asked, from := x.wanted[:n:n], x.from
		x.wanted = x.wanted[n:]
		x.reading++
		c.Go(func(ctx context.Context) any {
			ctx, cancel := context.WithTimeout(ctx, readTime)
			defer cancel()
			out := measured{asked: asked}
			if out.err = from.Pace(ctx, n); out.err == nil {
				out.read, out.err = from.Measured(ctx, asked)
			}
			return out
		})
	}
}

// take puts what was read into the table. What could not be read is wanted again when the
// ledger is looked at next, at the newest block: the other may be too long ago.
func (s *state) take(c *supervise.Ctx, m measured) {
	x := &s.measure
	x.reading--
	if m.err != nil || len(m.read) != len(m.asked) {
		s.ix.metrics.figures.WithLabelValues("failed").Add(float64(len(m.asked)))
		s.ix.opts.Log.Debug("indexer: what the ledger measured cannot be read", "containers", len(m.asked), "err", m.err)
		for _, a := range m.asked {
			if x.pending[a.Container] == a.Height {
				delete(x.pending, a.Container)
			}
		}
		x.again = time.Time{} // Unmeasured names them at the next look
		return
	}
	s.ix.metrics.figures.WithLabelValues("read").Add(float64(len(m.asked)))
	for i, a := range m.asked {
		if x.pending[a.Container] == a.Height {
			delete(x.pending, a.Container)
		}
		s.table.Measure(a.Container, m.read[i])
	}
	s.ix.metrics.proven.Set(float64(s.table.Proven()))
	s.read(c)
}

// Proven returns how many containers may be matched as far as the ledger says; without a
// ledger that is all of them. It is 0 when the actor does not answer.
func (ix *Indexer) Proven() int {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	n, err := supervise.Ask[int](ctx, ix.ref, countProven{})
	if err != nil {
		return 0
	}
	return n
}
