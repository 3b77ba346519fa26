package session

import (
	"time"

	"github.com/framemesh/framemesh/gpu/segment"
	"github.com/framemesh/framemesh/stream"
	"github.com/framemesh/framemesh/stream/control"
)

// Work keeps the proof of a session: what its worker rendered second by second, and what
// the players signed. Its methods are called from several goroutines, some of them on the
// way of pictures and input: they must not block.
type Work interface {
	// Attach is called once and first: tell sends a message to the owner's page, and does
	// not block.
	Attach(tell func(control.Message))
	// Second is one second of play as the worker recorded it.
	Second(s segment.Second)
	// State tells that read gives the app's state between two seconds, for about ten
	// seconds. It copies some MiB, so the receiver reads elsewhere.
	State(read func() ([]byte, error))
	// Signed is a page's word on what it sent and saw; nobody has checked its signature.
	Signed(m stream.Signed)
	// End says that the session is over, and why. Nothing is called after it.
	End(e Ended)
}

// Ended is a session as its container saw it, from the request to the exit.
type Ended struct {
	Requested  time.Time // of the reservation
	Offered    time.Time // zero: no page of the owner ever came
	FirstFrame time.Time // that was sent to a page; zero: none was
	At         time.Time
	FPS        int // of the app
	Why        string
}

// endWork says the session's last word to whoever keeps its proof.
func (s *state) endWork() {
	if s.o.Work == nil || s.o.Abrupt() {
		return
	}
	e := Ended{Requested: s.sum.Started, Offered: s.offered, At: time.Now(), FPS: s.info.FPS, Why: s.sum.Why}
	if s.b != nil {
		if ns := s.b.firstFrame.Load(); ns != 0 {
			e.FirstFrame = time.Unix(0, ns)
		}
	}
	s.o.Work.End(e)
}
