package container

import (
	"errors"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// Rules of the queue.
const (
	maxWaiting  = 256
	pollWithin  = 10 * time.Second // or the place is lost
	claimWithin = 15 * time.Second // of a slot that came
)

// Errors of the queue.
var (
	errTicketGone  = errors.New("container: no such ticket")
	errTicketOther = errors.New("container: the ticket is another's")
	errQueueFull   = errors.New("container: queue full")
)

// nonce names a reservation; ticket a place in the queue.
type (
	nonce  [16]byte
	ticket [16]byte
)

// waiter is one place in the queue.
type waiter struct {
	ticket ticket
	nonce  nonce
	from   peer.ID // who asks for the player
	app    [32]byte
	title  string // of the app
	player []byte // its key; nil without
	polled time.Time
	ready  time.Time // when a slot was held for it; zero before
}

// queue is who waits for a slot, first come first served. It is pure: time comes as
// an argument.
type queue struct{ waiting []*waiter }

// enter adds a waiter, or finds the one with this nonce, and returns it with its
// place, 1 = next.
func (q *queue) enter(w waiter, now time.Time) (*waiter, int, error) {
	place := 0
	for _, have := range q.waiting {
		if have.ready.IsZero() {
			place++
		}
		if have.nonce == w.nonce {
			if have.from != w.from {
				return nil, 0, errTicketOther
			}
			have.polled = now
			return have, place, nil
		}
	}
	if len(q.waiting) >= maxWaiting {
		return nil, 0, errQueueFull
	}
	w.polled, w.ready = now, time.Time{}
	q.waiting = append(q.waiting, &w)
	return &w, place + 1, nil
}

// poll finds a waiter and its place; place 0 means that a slot is held for it.
func (q *queue) poll(t ticket, n nonce, from peer.ID, now time.Time) (*waiter, int, error) {
	place := 0
	for _, w := range q.waiting {
		if w.ready.IsZero() {
			place++
		}
		if w.ticket != t {
			continue
		}
		if w.nonce != n || w.from != from {
			return nil, 0, errTicketOther
		}
		w.polled = now
		if !w.ready.IsZero() {
			return w, 0, nil
		}
		return w, place, nil
	}
	return nil, 0, errTicketGone
}

// has says whether somebody with this nonce waits.
func (q *queue) has(n nonce) bool {
	return slices.ContainsFunc(q.waiting, func(w *waiter) bool { return w.nonce == n })
}

// take removes a waiter.
func (q *queue) take(t ticket) {
	q.waiting = slices.DeleteFunc(q.waiting, func(w *waiter) bool { return w.ticket == t })
}

// promote holds free slots for those who wait longest and says for how many.
func (q *queue) promote(free int, now time.Time) int {
	n := 0
	for _, w := range q.waiting {
		if n >= free {
			break
		}
		if w.ready.IsZero() {
			w.ready = now
			n++
		}
	}
	return n
}

// expire drops those who stopped asking and those who did not claim.
func (q *queue) expire(now time.Time) int {
	n := len(q.waiting)
	q.waiting = slices.DeleteFunc(q.waiting, func(w *waiter) bool {
		if !w.ready.IsZero() {
			return now.Sub(w.ready) >= claimWithin
		}
		return now.Sub(w.polled) >= pollWithin
	})
	return n - len(q.waiting)
}

// held counts the slots that wait to be claimed.
func (q *queue) held() int {
	n := 0
	for _, w := range q.waiting {
		if !w.ready.IsZero() {
			n++
		}
	}
	return n
}
