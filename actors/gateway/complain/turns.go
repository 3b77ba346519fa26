package complain

import (
	"context"
	"slices"
	"sync"

	"github.com/framemesh/framemesh/ledger/key"
)

// turns are so many seats, which containers take in turn and the complaints about one of them in
// the order in which they came: however much is said of one, it waits for none of the others'.
type turns struct {
	mu      sync.Mutex
	free    int
	ring    []key.Node // whose turn it is next; each that waits stands here once
	waiting map[key.Node][]chan struct{}
}

func newTurns(seats int) *turns {
	return &turns{free: seats, waiting: map[key.Node][]chan struct{}{}}
}

// take waits for a seat; false when ctx ends before.
func (t *turns) take(ctx context.Context, n key.Node) bool {
	t.mu.Lock()
	if t.free > 0 {
		t.free--
		t.mu.Unlock()
		return true
	}
	mine := make(chan struct{})
	if len(t.waiting[n]) == 0 {
		t.ring = append(t.ring, n)
	}
	t.waiting[n] = append(t.waiting[n], mine)
	t.mu.Unlock()
	select {
	case <-mine:
		return true
	case <-ctx.Done():
	}
	t.mu.Lock()
	i := slices.Index(t.waiting[n], mine)
	if i >= 0 {
		t.left(n, slices.Delete(t.waiting[n], i, i+1))
	}
	t.mu.Unlock()
	if i < 0 {
		t.give() // it came at the same moment
	}
	return false
}

// give gives a seat to whoever is next.
func (t *turns) give() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.ring) == 0 {
		t.free++
		return
	}
	n := t.ring[0]
	next := t.waiting[n][0]
	t.ring = append(t.ring[1:], n) // behind all others, if there is more
	t.left(n, t.waiting[n][1:])
	close(next)
}

// left are those of a container who still wait.
func (t *turns) left(n key.Node, all []chan struct{}) {
	if t.waiting[n] = all; len(all) > 0 {
		return
	}
	delete(t.waiting, n)
	t.ring = slices.DeleteFunc(t.ring, func(o key.Node) bool { return o == n })
}
