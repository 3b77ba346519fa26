package prove

import (
	"slices"

	"github.com/framemesh/framemesh/ledger/key"
)

// send sends the commitment to whoever should have it by now and does not.
func (p *Prover) send(now uint64) (todo []Action) {
	var next uint64
	for _, c := range p.checkers {
		if c.told || c.tries >= sends || now > p.s.Close {
			continue
		}
		if c.again <= now {
			c.tries++
			c.again = now + p.pause(c.tries)
			todo = append(todo, Send{c.node, p.commit})
		}
		if next == 0 || c.again < next {
			next = c.again
		}
	}
	if next != 0 {
		todo = append(todo, Wake{p.local(next)})
	}
	return todo
}

// pause is how long to wait after a try, ms: a second one fits into the grace period, the
// later ones bring at least what is late.
func (p *Prover) pause(tries int) uint64 {
	return max((p.s.CommitBy-p.s.Until)/2, 20) << min(tries-1, 6)
}

// Answered is a checker's answer to a Send. One that has another commitment is asked again
// in vain, so it counts as told.
func (p *Prover) Answered(from key.Node) {
	if c := p.checker(from); c != nil {
		c.told = true
	}
}

// Stamped is Answered by a checker that says when, by its own clock, it got the commitment
// that left at sent and whose answer was back at now, both by this machine's clock.
func (p *Prover) Stamped(from key.Node, sent, now, stamp uint64) {
	p.Answered(from)
	if c := p.checker(from); c != nil && now >= sent {
		c.ahead, c.clock = int64(stamp)-int64(sent+(now-sent)/2), true
	}
}

// maxAhead bounds how far a container believes that its clock is off, ms: a minute.
const maxAhead = 60_000

// Ahead is by how much the checkers' clocks are ahead of this machine's, ms: the median of
// their stamps, so that a minority that lies moves it no further than an honest one does.
// Without enough answers it is what the Prover began with.
func (p *Prover) Ahead() int64 {
	var all []int64
	for _, c := range p.checkers {
		if c.clock {
			all = append(all, c.ahead)
		}
	}
	if len(all) == 0 || 2*len(all) < len(p.checkers) {
		return p.s.Ahead
	}
	slices.Sort(all)
	return min(max(all[len(all)/2], -maxAhead), maxAhead)
}

// Failed is a Send that did not arrive, or whose answer did not.
func (p *Prover) Failed(now uint64, to key.Node) []Action {
	if c := p.checker(to); c != nil && p.stage == committed && !c.told && c.tries < sends {
		return []Action{Wake{max(p.local(c.again), now)}}
	}
	return nil
}

// Told is how many of the checkers have the commitment.
func (p *Prover) Told() (n int) {
	for _, c := range p.checkers {
		if c.told {
			n++
		}
	}
	return n
}

func (p *Prover) checker(n key.Node) *checker {
	for _, c := range p.checkers {
		if c.node == n {
			return c
		}
	}
	return nil
}
