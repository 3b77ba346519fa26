package indexer

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/actors/indexer/match"
	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
)

// measurer is a ledger that a test writes.
type measurer struct {
	mu     sync.Mutex
	epoch  uint64
	height uint64
	proven map[peer.ID]uint64 // until which epoch; the others are not
	down   error
	asked  []match.Asked
	paced  int
}

var _ Figures = (*measurer)(nil)

func (m *measurer) Mark(context.Context) (epoch, height uint64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.epoch, m.height, m.down
}

func (m *measurer) Pace(_ context.Context, n int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.paced += n
	return nil
}

func (m *measurer) Measured(_ context.Context, asked []match.Asked) (out []match.Measured, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = append(m.asked, asked...)
	for _, a := range asked {
		f := match.Measured{Height: a.Height, Epoch: m.epoch}
		if until := m.proven[a.Container]; until > 0 {
			f.RPMilli, f.QualityPPM, f.PriorityPPM, f.ProvenUntil = 20_000, 950_000, 1_000_000, until
		}
		out = append(out, f)
	}
	return out, m.down
}

func (m *measurer) set(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
}

// reads is how often something was asked since the last time.
func (m *measurer) reads() (n int) {
	m.set(func() { n, m.asked = len(m.asked), nil })
	return n
}

// pass lets virtual time pass.
func (s *scene) pass(d time.Duration) {
	time.Sleep(d)
	s.nowM.Add(d.Milliseconds())
	synctest.Wait()
}

// unproven is how a match fails that fails for want of proven containers alone.
func (s *scene) unproven() bool {
	s.t.Helper()
	_, err := s.match(request())
	var e *rpc.Error
	if !errors.As(err, &e) || e.Code != wire.Code_NO_MATCH {
		return false
	}
	var r wire.MatchRefusal
	if err := proto.Unmarshal(e.Detail, &r); err != nil {
		s.t.Fatal(err)
	}
	for _, x := range r.GetRejections() {
		if x.GetFilter() != "unproven" {
			return false
		}
	}
	return len(r.GetRejections()) > 0
}

// The life of two containers as the ledger sees them: one is known, one is new; the new one is
// proven in the middle of an epoch; both are read again in the next, and lapse.
func TestFiguresFollowTheLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, known := key(t, 2)
		_, fresh := key(t, 3)
		m := &measurer{epoch: 4, height: 10, proven: map[peer.ID]uint64{known: 5}, down: errors.New("no block yet")}
		s := newScene(t, func(o *Options) { o.Figures = m })
		s.publish(2)
		s.publish(3)
		synctest.Wait()
		if !s.unproven() || m.reads() != 0 {
			t.Fatal("matched, or read, before there is a ledger")
		}

		m.set(func() { m.down = nil })
		s.pass(markYoung)
		cert, err := s.match(request())
		if err != nil || len(cert.GetTop()) != 1 || string(cert.GetTop()[0].GetContainer()) != string(known) || cert.GetTop()[0].GetMeasured().GetHeight() != 10 {
			t.Fatalf("got %v, %v", cert, err)
		}
		if n := m.reads(); n != 2 || s.ix.Proven() != 1 {
			t.Errorf("%d reads, %d proven", n, s.ix.Proven())
		}
		if got := s.counter("framemesh_indexer_figures_total", "read"); got != 2 {
			t.Errorf("%v reads are counted", got)
		}

		// A new ad of a container that is known is no reason to read anything.
		s.pass(time.Millisecond)
		s.publish(2)
		synctest.Wait()
		if n := m.reads(); n != 0 {
			t.Errorf("%d reads for an ad", n)
		}

		// The first certificate of the newcomer: it is seen within the epoch.
		m.set(func() { m.proven[fresh], m.height = 5, 20 })
		s.pass(againTime + markTime)
		cert, err = s.match(request())
		if err != nil || len(cert.GetTop()) != 2 {
			t.Fatalf("the newcomer is not matched: %v, %v", cert, err)
		}
		if n := m.reads(); n == 0 || n > 2 {
			t.Errorf("%d reads to see it", n)
		}

		// The next epoch: each is read once, and goes on to be matched.
		m.set(func() { m.epoch, m.height = 5, 30 })
		s.pass(markTime)
		if n := m.reads(); n != 2 || s.ix.Proven() != 2 {
			t.Errorf("%d reads, %d proven", n, s.ix.Proven())
		}
		// And the one after their time.
		m.set(func() { m.epoch, m.height = 6, 40 })
		s.pass(markTime)
		if !s.unproven() {
			t.Error("matched after their time")
		}

		// One that comes in the middle of an epoch is read at once.
		_, late := key(t, 4)
		m.set(func() { m.proven[late] = 9 })
		m.reads()
		s.publish(4)
		synctest.Wait()
		if n := m.reads(); n != 1 || s.ix.Proven() != 1 {
			t.Errorf("%d reads for a container that came, %d proven", n, s.ix.Proven())
		}
	})
}

// While the ledger cannot be read, figures of the epoch before count for one epoch more, and
// it is asked now and then; many containers are read in batches, each once.
func TestAnOutageAndACrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &measurer{epoch: 1, height: 5, proven: map[peer.ID]uint64{}}
		s := newScene(t, func(o *Options) { o.Figures = m })
		for n := range byte(100) {
			m.set(func() { _, id := key(t, n+1); m.proven[id] = 100 })
			s.publish(n + 1)
		}
		s.pass(markYoung)
		if n := m.reads(); n != 100 || m.paced != 100 || s.ix.Proven() != 100 {
			t.Fatalf("%d reads, %d paced, %d proven", n, m.paced, s.ix.Proven())
		}
		m.set(func() { m.down = errors.New("nobody answers") })
		s.pass(20 * time.Second)
		if n := m.reads(); n != 0 || s.ix.Proven() != 100 {
			t.Errorf("an outage of the head: %d reads, %d proven", n, s.ix.Proven())
		}

		// The epoch is known, the figures are not to be had.
		s.ix.opts.Figures.(*measurer).set(func() { m.epoch, m.height = 2, 15 })
		broken := errors.New("too busy")
		m.set(func() { m.down = nil })
		s.pass(markTime)
		m.set(func() { m.down = broken })
		m.set(func() { m.epoch, m.height = 3, 25 })
		s.pass(10 * time.Second)
		if s.ix.Proven() != 100 {
			t.Errorf("%d proven with figures of the epoch before", s.ix.Proven())
		}
		m.set(func() { m.down = nil })
		m.reads()
		s.pass(2 * markTime)
		if n := m.reads(); n < 100 || n > 200 || s.ix.Proven() != 100 {
			t.Errorf("%d reads after the outage, %d proven", n, s.ix.Proven())
		}
	})
}

// What fails to be read is tried again, and nobody is matched by it meanwhile.
func TestFiguresThatFailAreReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, id := key(t, 2)
		m := &flaky{measurer: measurer{epoch: 1, height: 5, proven: map[peer.ID]uint64{id: 9}}, fails: 3}
		s := newScene(t, func(o *Options) { o.Figures = m })
		s.publish(2)
		s.pass(markYoung)
		if !s.unproven() || s.counter("framemesh_indexer_figures_total", "failed") == 0 {
			t.Fatal("matched without figures, or nothing failed")
		}
		s.pass(5 * markTime)
		if s.ix.Proven() != 1 {
			t.Error("never read again")
		}
	})
}

// flaky fails to read a few times.
type flaky struct {
	measurer
	fails int
}

func (f *flaky) Measured(ctx context.Context, asked []match.Asked) ([]match.Measured, error) {
	f.mu.Lock()
	f.fails--
	failed := f.fails >= 0
	f.mu.Unlock()
	if failed {
		return nil, errors.New("no answer")
	}
	return f.measurer.Measured(ctx, asked)
}
