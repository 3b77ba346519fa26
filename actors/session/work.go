package session

import (
	"time"

	"github.com/framemesh/framemesh/gpu/segment"
	"github.com/framemesh/framemesh/stream"
)

// Work keeps the proof of a session: what its worker rendered second by second, and what
// the players signed. Its methods are called from several goroutines, some of them on the
// way of pictures and input: they must not block.
type Work interface {
	// Second is one second of play as the worker recorded it.
	Second(s segment.Second)
	// State is the app's state between two seconds, as the worker hands it over for
	// audits; it is the receiver's to keep.
	State(b []byte)
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
