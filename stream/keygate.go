package stream

import "time"

// keyInterval is the least time between two key frames that lost packets asked for. A
// key frame is many times the size of another: on a narrow link each one loses packets
// again, and so asks for the next.
const keyInterval = 200 * time.Millisecond

// keyRetry is when a key frame that was asked for and never came is asked for again.
const keyRetry = 500 * time.Millisecond

// keyGate decides when to ask an encoder for a key frame. It is pure state.
type keyGate struct {
	asked   time.Time // of the encoder
	pending bool      // a peer wants one and the encoder has not been asked since
	waiting bool      // the encoder was asked and has not delivered
}

// lost takes in a picture loss and reports whether to ask the encoder now. If it is
// too early, [keyGate.due] will ask later.
func (g *keyGate) lost(now time.Time) bool {
	if !g.asked.IsZero() && now.Sub(g.asked) < keyInterval {
		g.pending = true
		return false
	}
	g.ask(now)
	return true
}

// joined takes in a new peer, for whom the encoder is always asked at once.
func (g *keyGate) joined(now time.Time) { g.ask(now) }

// due reports whether to ask now, for losses that came too early or for a key frame
// that never came.
func (g *keyGate) due(now time.Time) bool {
	if g.pending && now.Sub(g.asked) >= keyInterval || g.waiting && now.Sub(g.asked) >= keyRetry {
		g.ask(now)
		return true
	}
	return false
}

// wrote takes in a key frame on its way to everybody.
func (g *keyGate) wrote() { g.pending, g.waiting = false, false }

func (g *keyGate) ask(now time.Time) { g.asked, g.pending, g.waiting = now, false, true }
