package checker

import (
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/actors/supervise"
)

const (
	// maxContainers bounds the table; others are not taken in until some expire.
	maxContainers = 16384
	sweepEvery    = 5 * time.Second
)

// Messages of the checker's actor.
type (
	heard struct {
		from    peer.ID
		expires time.Time
	}
	list  struct{}
	sweep struct{}
)

// state is the checker's actor.
type state struct {
	c     *Checker
	alive map[peer.ID]time.Time // until when
}

func newState(c *Checker) *state { return &state{c: c, alive: map[peer.ID]time.Time{}} }

// Receive implements supervise.Behavior.
func (s *state) Receive(c *supervise.Ctx, msg any) {
	switch m := msg.(type) {
	case supervise.Started:
		c.After(sweepEvery, sweep{})
	case heard:
		if _, known := s.alive[m.from]; known || len(s.alive) < maxContainers {
			s.alive[m.from] = m.expires
		}
		s.count()
	case list:
		s.expire(s.c.o.Now())
		ids := make([]peer.ID, 0, len(s.alive))
		for id := range s.alive {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		c.Reply(ids)
	case sweep:
		s.expire(s.c.o.Now())
		s.count()
		c.After(sweepEvery, sweep{})
	}
}

func (s *state) expire(now time.Time) {
	for id, until := range s.alive {
		if !now.Before(until) {
			delete(s.alive, id)
		}
	}
}

func (s *state) count() { s.c.seen.WithLabelValues(s.c.o.Region).Set(float64(len(s.alive))) }
