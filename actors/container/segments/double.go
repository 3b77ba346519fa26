package segments

import "github.com/framemesh/framemesh/gpu/segment"

// Double is a way in which a container can cheat on a session, for tests and
// demonstrations: no configuration file can name one.
type Double string

// The doubles.
const (
	Honest Double = ""
	// Module runs another module than the container advertises.
	Module Double = "module"
	// Drop leaves out ticks when the machine is busy, and says that it has not.
	Drop Double = "drop"
	// Invent tells the game inputs that nobody sent.
	Invent Double = "inputs"
	// Poke changes a byte of the game's memory for a second, every ten seconds.
	Poke Double = "state"
)

// The second of every ten in which the game's memory is changed.
const (
	pokedIn    = 3
	pokedEvery = 10
)

// fullRate is what a container that hides its dropped ticks claims: that of our games.
const fullRate = 60

// second changes what is signed of a second.
func (d Double) second(s *segment.Second) {
	switch d {
	case Drop:
		s.Roots.Ticks = max(s.Roots.Ticks, fullRate)
	case Poke:
		switch s.Number % pokedEvery {
		case pokedIn:
			s.Roots.State[31] ^= 1
		case pokedIn + 1:
			s.Start[31] ^= 1
		}
	default:
		return
	}
	s.Roots.Input = s.InputRoot() // or the lie would not even be an answer
}

// window changes what an auditor is shown. app is the module that the container has
// signed for.
func (d Double) window(w *segment.Window, app []byte) {
	if d == Module {
		copy(w.Params.App[:], app)
	}
}
