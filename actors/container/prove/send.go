package prove

import (
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
		todo = append(todo, Wake{next})
	}
	return todo
}

// pause is how long to wait after a try, ms: a few tries fit into the grace period, the
// later ones bring at least what is late.
func (p *Prover) pause(tries int) uint64 {
	return max((p.s.CommitBy-p.s.Until)/4, 20) << min(tries-1, 6)
}

// Answered is a checker's answer to a Send: the digest of the commitment that it has. One
// that says something else is asked again in vain, so it counts as told.
func (p *Prover) Answered(from key.Node) {
	if c := p.checker(from); c != nil {
		c.told = true
	}
}

// Failed is a Send that did not arrive, or whose answer did not.
func (p *Prover) Failed(now uint64, to key.Node) []Action {
	if c := p.checker(to); c != nil && p.stage == committed && !c.told && c.tries < sends {
		return []Action{Wake{max(c.again, now)}}
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
