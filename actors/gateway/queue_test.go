package gateway

import (
	"bytes"
	"context"
	"encoding/hex"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
)

// line is a container's queue: the test moves it.
type line struct {
	place   atomic.Int32 // 0 = the slot came
	err     atomic.Pointer[rpc.Error]
	claimed atomic.Bool
}

var ticketID = bytes.Repeat([]byte{0x77}, 16)

// queued makes the only container full, with a queue, and returns the player's ticket.
func (s *scene) queued() (*line, string) {
	s.t.Helper()
	q := &line{}
	q.place.Store(2)
	c := s.container(1, func(a *wire.Ad) { a.SlotsFree = 0 })
	c.reserve = func(r *wire.ReserveRequest) (*wire.ReserveResponse, error) {
		if e := q.err.Load(); e != nil {
			return nil, e
		}
		switch {
		case !r.Queue:
			return nil, rpc.ErrBusy
		case len(r.Ticket) == 0, q.place.Load() > 0:
			return &wire.ReserveResponse{Ticket: ticketID, QueuePosition: uint32(q.place.Load())}, nil
		case q.claimed.Swap(true):
			return nil, rpc.Errorf(wire.Code_EXPIRED, "this place in the queue is gone")
		}
		return leased(c.id), nil
	}
	s.indexer(100)
	_, err := s.launch()
	r := refused(s.t, err, "no-slot")
	if r.Ticket != hex.EncodeToString(ticketID) || r.Position != 2 || r.RetryAfter <= 0 {
		s.t.Fatalf("%+v", r)
	}
	return q, r.Ticket
}

func TestWhereOnlySlotsAreMissingThePlayerWaits(t *testing.T) {
	play(t, func(s *scene) {
		s.queued()
		m := s.calls("match")
		if len(m) != 2 || m[0].req.(*wire.MatchRequest).Wait || !m[1].req.(*wire.MatchRequest).Wait {
			t.Error("the second match is for a player who waits", m)
		}
		if r := s.calls("reserve"); len(r) != 1 || !r[0].req.(*wire.ReserveRequest).Queue {
			t.Error("who waits asks for a place at once", r)
		}
	})
}

// read takes the next event within ten virtual seconds.
func read(t *testing.T, events <-chan QueueEvent) (QueueEvent, bool) {
	t.Helper()
	select {
	case e, ok := <-events:
		return e, ok
	case <-time.After(10 * time.Second):
		t.Fatal("no event")
		return QueueEvent{}, false
	}
}

func TestTheQueueMovesAndThePlayerPlays(t *testing.T) {
	play(t, func(s *scene) {
		q, ticket := s.queued()
		events, err := s.g.Queue(context.Background(), ticket)
		if err != nil {
			t.Fatal(err)
		}
		if e, _ := read(t, events); e.State != "waiting" || e.Position != 2 {
			t.Fatal(e)
		}
		_, err = s.launch(func(r *LaunchRequest) { r.Ticket = ticket })
		if r := refused(t, err, "no-slot"); r.Position != 2 || r.Ticket != ticket {
			t.Errorf("%+v", r)
		}
		// a container that is too busy to say does not move anybody
		q.err.Store(&rpc.Error{Code: wire.Code_BUSY})
		time.Sleep(3 * queueEvery)
		synctest.Wait()
		select {
		case e := <-events:
			t.Fatal("an event without news", e)
		default:
		}
		q.err.Store(nil)
		q.place.Store(1)
		if e, _ := read(t, events); e.State != "waiting" || e.Position != 1 {
			t.Fatal(e)
		}
		q.place.Store(0)
		if e, _ := read(t, events); e.State != "ready" {
			t.Fatal(e)
		}
		if e, ok := read(t, events); ok {
			t.Fatal("after the end", e)
		}
		// the page reloaded: a second reader of the ticket hears the same
		again, err := s.g.Queue(context.Background(), ticket)
		if err != nil {
			t.Fatal(err)
		}
		if e, _ := read(t, again); e.State != "ready" {
			t.Fatal(e)
		}
		l, err := s.launch(func(r *LaunchRequest) { r.Ticket = ticket })
		if err != nil || l.Role != RoleOwner || l.Answer != "answer" {
			t.Fatal(l, err)
		}
		if _, err := s.g.Status(context.Background(), l.Session, l.OwnerToken); err != nil {
			t.Error(err)
		}
		_, err = s.launch(func(r *LaunchRequest) { r.Ticket = ticket }) // it is used up
		refused(t, err, "no-session")
	})
}

func TestATicketIsGone(t *testing.T) {
	play(t, func(s *scene) {
		q, ticket := s.queued()
		_, err := s.g.Queue(context.Background(), hex.EncodeToString(bytes.Repeat([]byte{1}, 16)))
		refused(t, err, "no-session")
		_, err = s.launch(func(r *LaunchRequest) { r.Ticket = "0102" })
		refused(t, err, "no-session")

		events, err := s.g.Queue(context.Background(), ticket)
		if err != nil {
			t.Fatal(err)
		}
		read(t, events)
		q.err.Store(rpc.Errorf(wire.Code_EXPIRED, "this place in the queue is gone"))
		if e, _ := read(t, events); e.State != "gone" || e.Text == "" {
			t.Fatal(e)
		}
		if _, ok := read(t, events); ok {
			t.Error("the stream goes on")
		}
		// who asks again is told that it is gone, not to go on waiting
		_, err = s.launch(func(r *LaunchRequest) { r.Ticket = ticket })
		refused(t, err, "no-session")
	})
}

func TestATicketNobodyAsksAboutIsForgotten(t *testing.T) {
	play(t, func(s *scene) {
		_, ticket := s.queued()
		time.Sleep(ticketKept + 2*tickEvery)
		synctest.Wait()
		_, err := s.g.Queue(context.Background(), ticket)
		refused(t, err, "no-session")
	})
}

// A page that goes away leaves nothing that asks on its behalf.
func TestAReaderThatLeavesEndsTheAsking(t *testing.T) {
	play(t, func(s *scene) {
		_, ticket := s.queued()
		ctx, cancel := context.WithCancel(context.Background())
		events, err := s.g.Queue(ctx, ticket)
		if err != nil {
			t.Fatal(err)
		}
		read(t, events)
		cancel()
		if _, ok := read(t, events); ok {
			t.Error("an event after the reader left")
		}
		asked := len(s.calls("reserve"))
		time.Sleep(10 * queueEvery)
		if n := len(s.calls("reserve")); n != asked {
			t.Errorf("asked %d times more", n-asked)
		}
	})
}
