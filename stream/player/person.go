package player

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/framemesh/framemesh/stream/input"
)

// person presses keys as somebody at a keyboard does: the arrows are held, the others are
// tapped, both for times that are log-normal as people's are; now and then the hands rest.
// Medians and spreads are those that studies of typing and of games give for keys held and
// for the time between two. It is pure but for its randomness.
type person struct {
	rng    *rand.Rand
	held   uint8 // an arrow, 0 = none
	tapped uint8
	rest   time.Duration // until the next rest
}

const (
	tapMedian, tapSpread   = 95 * time.Millisecond, 0.35
	holdMedian, holdSpread = 320 * time.Millisecond, 0.7
	gapMedian, gapSpread   = 170 * time.Millisecond, 0.75
	restMedian, restSpread = 1400 * time.Millisecond, 0.55
	restEvery              = 6 * time.Second // mean, exponential

	quickest, longest = 28 * time.Millisecond, 8 * time.Second
)

var (
	arrows = []uint8{0x4F, 0x50, 0x51, 0x52}
	taps   = []uint8{0x2C, 0x1D, 0x1B, 0x1D, 0x28} // Z twice: it does the most in most games
)

func newPerson(seed uint64) *person {
	p := &person{rng: rand.New(rand.NewPCG(seed, 2))}
	p.tire()
	return p
}

func (p *person) tire() {
	p.rest = time.Duration(p.rng.ExpFloat64() * float64(restEvery))
}

// takes is a log-normal time.
func (p *person) takes(median time.Duration, spread float64) time.Duration {
	d := time.Duration(float64(median) * math.Exp(p.rng.NormFloat64()*spread))
	return min(max(d, quickest), longest)
}

// next changes the state of the keys and says how long that stays so.
func (p *person) next(s *input.State) time.Duration {
	d := p.move(s)
	p.rest -= d
	return d
}

func (p *person) move(s *input.State) time.Duration {
	switch {
	case p.tapped != 0:
		s.Hold(p.tapped, false)
		p.tapped = 0
		return p.takes(gapMedian, gapSpread)
	case p.rest <= 0:
		p.tire()
		p.letGo(s)
		return p.takes(restMedian, restSpread)
	case p.held == 0 || p.rng.IntN(3) == 0:
		was := p.held
		p.letGo(s)
		if p.held = arrows[p.rng.IntN(len(arrows))]; p.held == was {
			p.held = 0 // stopped
			return p.takes(gapMedian, gapSpread)
		}
		s.Hold(p.held, true)
		return p.takes(holdMedian, holdSpread)
	default:
		p.tapped = taps[p.rng.IntN(len(taps))]
		s.Hold(p.tapped, true)
		return p.takes(tapMedian, tapSpread)
	}
}

func (p *person) letGo(s *input.State) {
	if p.held != 0 {
		s.Hold(p.held, false)
		p.held = 0
	}
}
