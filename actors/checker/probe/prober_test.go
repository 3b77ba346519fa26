package probe

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
)

// village is a mesh of three containers whose epochs pass as the fake clock does.
type village struct {
	mu        sync.Mutex
	begin     time.Time
	epoch     time.Duration
	duty      func(epoch uint64) []key.Node
	next      func(Plan) (key.Node, error)
	takes     time.Duration // beyond the plan
	plans     []Plan
	at        []time.Duration // into the epoch, of each visit
	delivered map[uint64][]key.Node
}

func (v *village) now() uint64 { return uint64(time.Since(v.begin) / v.epoch) }

func (v *village) duties(context.Context) (Duty, error) {
	e := v.now()
	return Duty{Epoch: e, Containers: v.duty(e), VoteMS: v.start(e) + uint64(v.epoch.Milliseconds())/2}, nil
}

func (v *village) start(e uint64) uint64 {
	return uint64(v.begin.Add(time.Duration(e) * v.epoch).UnixMilli())
}

func (v *village) deliver(n key.Node, s *proof.Sample) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if s == nil {
		panic("no sample")
	}
	v.delivered[v.now()] = append(v.delivered[v.now()], n)
}

func (v *village) Visit(ctx context.Context, p Plan) (*Visit, error) {
	v.mu.Lock()
	v.plans, v.at = append(v.plans, p), append(v.at, time.Since(v.begin)%v.epoch)
	v.mu.Unlock()
	n, err := v.next(p)
	if err != nil {
		return nil, err
	}
	time.Sleep(p.Length + v.takes)
	return &Visit{Container: n, Sample: &proof.Sample{Seconds: 1}, Paid: 3}, ctx.Err()
}

func node(b byte) key.Node { return key.Node{b} }

func live(t *testing.T, v *village, every uint64, epochs int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		v.begin, v.delivered = time.Now(), map[uint64][]key.Node{}
		p, err := New(Options{Duties: v.duties, EpochStart: v.start, Deliver: v.deliver, Visitor: v, Every: every, Rand: rand.New(rand.NewPCG(1, 2))})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(epochs)*v.epoch - time.Second)
		if err := p.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// Over a day, sessions of 30 to 60 s come at all times of the first half of an epoch, one in
// four epochs, and what they saw is delivered in the epoch in which it was seen.
func TestSessionsComeAtRandom(t *testing.T) {
	v := &village{epoch: 15 * time.Minute, duty: func(uint64) []key.Node { return []key.Node{node(1), node(2)} },
		next: func(Plan) (key.Node, error) { return node(1), nil }}
	live(t, v, 4, 96)
	if n := len(v.plans); n < 14 || n > 36 {
		t.Errorf("%d sessions in 96 epochs", n)
	}
	for i, p := range v.plans {
		if p.Length < 30*time.Second || p.Length > time.Minute || p.FirstCell != 0 || len(p.Avoid) > maxAvoid {
			t.Errorf("%+v", p)
		}
		if v.at[i]+p.Length > v.epoch/2 {
			t.Errorf("a session at %v lasts into the votes", v.at[i])
		}
	}
	slices.Sort(v.at)
	if early, late := v.at[len(v.at)/4], v.at[3*len(v.at)/4]; late-early < time.Minute {
		t.Errorf("half of the sessions begin within %v", late-early)
	}
	n := 0
	for _, d := range v.delivered {
		n += len(d)
	}
	if n != len(v.plans) {
		t.Errorf("%d samples of %d sessions", n, len(v.plans))
	}
}

// What comes too late for its epoch, or is of a container that is judged by others just then,
// waits for the next epoch in which it counts, and not forever.
func TestLateSamplesWait(t *testing.T) {
	v := &village{epoch: 20 * time.Second, takes: 6 * time.Second,
		duty: func(e uint64) []key.Node {
			if e%3 == 0 {
				return []key.Node{node(1)}
			}
			return []key.Node{node(2)}
		},
		next: func(p Plan) (key.Node, error) { return node(1), nil }}
	live(t, v, 1, 30)
	for e, d := range v.delivered {
		if e%3 != 0 {
			t.Errorf("epoch %d: %v, which nobody asked this checker about", e, d)
		}
	}
	if len(v.delivered) < 6 {
		t.Errorf("samples in %d epochs", len(v.delivered))
	}
	v.next = func(Plan) (key.Node, error) { return node(9), nil }
	v.plans = nil
	live(t, v, 1, 30)
	if len(v.delivered) != 0 {
		t.Error("a container nobody asked about is delivered")
	}
	for _, p := range v.plans {
		if p.Length < least || p.Length > 10*time.Second || p.FirstCell == 0 {
			t.Errorf("%+v in epochs of seconds", p)
		}
	}
}

// Who was measured is left out of some of the next matches, so that others are measured too.
func TestOthersAreMeasuredToo(t *testing.T) {
	v := &village{epoch: 15 * time.Minute, duty: func(uint64) []key.Node { return []key.Node{node(1), node(2)} }}
	seen := map[key.Node]int{}
	v.next = func(p Plan) (key.Node, error) {
		best := node(1)
		if slices.Contains(p.Avoid, best) {
			best = node(2)
		}
		seen[best]++
		return best, nil
	}
	live(t, v, 1, 40)
	if seen[node(1)] < 5 || seen[node(2)] < 5 {
		t.Errorf("measured %v", seen)
	}
}

func TestWhatFailsIsNoSample(t *testing.T) {
	v := &village{epoch: 15 * time.Minute, duty: func(uint64) []key.Node { return []key.Node{node(1)} },
		next: func(Plan) (key.Node, error) { return key.Node{}, errors.New("no match") }}
	live(t, v, 1, 10)
	if len(v.plans) < 8 || len(v.delivered) != 0 {
		t.Errorf("%d tries, %v", len(v.plans), v.delivered)
	}
	if _, err := New(Options{}); !errors.Is(err, ErrOptions) {
		t.Error(err)
	}
}
