package sim

import (
	"context"
	"errors"

	"github.com/framemesh/framemesh/actors/cheat"
	"github.com/framemesh/framemesh/actors/checker/round"
	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
)

// checker is one checker over all epochs.
type checker struct {
	node
	w     *World
	cheat *cheat.Cheat
	about []key.Node
	liar  *cheat.Liar

	round *round.Round
	saved []byte
	life  int
	Fate  Fate
}

func (n *checker) cheats(c cheat.Cheat, about ...key.Node) { n.cheat, n.about = &c, about }

func (n *checker) begin() {
	n.saved, n.round = nil, nil
	var c cheat.Cheat
	if n.cheat != nil {
		c = *n.cheat
	}
	n.liar = cheat.NewLiar(c, Chain, n.key, n.about, n.w.c.Params.N)
	n.w.awake(&n.node, n.start)
	n.ping()
}

func (n *checker) start() {
	w := n.w
	if n.down(w.q.now) {
		return
	}
	n.life++
	s := round.Setup{Chain: Chain, Key: n.key, Assignment: w.plan, Times: w.times, Params: w.c.Params, Kernel: w.c.Kernel,
		Standing: w.standing, Secret: round.Secret(n.key, Chain, w.epoch), CrossPPM: w.c.CrossPPM}
	var err error
	if n.saved != nil {
		n.round, err = round.Restore(s, n.saved)
	} else {
		n.round, err = round.New(s)
	}
	if err != nil {
		panic(err)
	}
	n.do(n.round.At(n.clock(w.q.now)))
}

func (n *checker) later(at uint64, do func()) {
	life := n.life
	n.w.q.at(at, func() {
		if n.life == life && !n.down(n.w.q.now) {
			do()
		}
	})
}

// standing is what the ledger holds of a container.
func (w *World) standing(name key.Node) judge.Standing {
	n := w.byNode[name]
	if w.c.Trials && w.c.Established {
		return judge.Standing{Rounds: keptRounds, MedianMilli: w.honestScore()}
	}
	if len(n.rounds) == 0 || w.c.Trials {
		return judge.Standing{}
	}
	return judge.Standing{Rounds: uint32(len(n.rounds)), MedianMilli: median(n.rounds)}
}

// honestScore is what a device of the usual rate shows in a calm round.
func (w *World) honestScore() uint64 {
	_, samples, _ := w.c.Kernel.Shape(0)
	return judge.Score(w.c.Params, samples*uint64(w.c.Frames), w.c.Params.DurMS, 0)
}

// pings is how often each checker asks each of its containers in an epoch whether it is
// there, evenly until votes are made.
const pings = 10

func (n *checker) ping() {
	w := n.w
	if w.c.Containers > 1_000 {
		return // counted, not played
	}
	for i := range uint64(pings) {
		n.w.q.at(w.times.Start+(i+1)*(w.times.OpeningsBy-w.times.Start)/(pings+1), func() {
			if n.down(w.q.now) || n.round == nil {
				return
			}
			for _, name := range n.round.Containers() {
				pongs := uint32(1)
				if w.byNode[name].down(w.q.now) || w.chance(w.c.Net.LossPPM) {
					pongs = 0
				}
				sent, pongs := n.liar.Measured(name, 1, pongs)
				n.round.Measured(name, sent, pongs, nil)
			}
		})
	}
}

// committed takes a commitment and says when, by this checker's clock.
func (n *checker) committed(from *container, o *proof.Opened, rtt uint64) (stamp uint64, ok bool) {
	now := n.clock(n.w.q.now)
	if !n.liar.Takes(from.name) {
		return now, true
	}
	_, todo, err := n.round.Committed(now, from.name, o, uint32(rtt))
	n.refused(err)
	n.do(todo)
	return now, err == nil || errors.Is(err, round.ErrDuplicate)
}

func (n *checker) refused(err error) {
	if err != nil {
		n.w.report.Refused++
	}
}

func (n *checker) do(todo []round.Action) {
	w := n.w
	if n.to > n.from {
		b, err := n.round.Save()
		if err != nil {
			panic(err)
		}
		n.saved = b
	}
	for _, a := range n.liar.Out(todo) {
		switch a := a.(type) {
		case round.Wake:
			n.later(n.when(a.AtMS), func() { n.do(n.round.At(n.clock(w.q.now))) })
		case round.Publish:
			n.gossip(a)
		case round.Ask:
			n.ask(a)
		case round.Verify:
			w.report.Tiles += len(a.Job.Picks())
			n.later(w.q.now+checkMS, func() {
				found := n.liar.Run(a.Job)
				if c := w.byNode[a.Job.Container]; a.Job.Own() && n.cheat == nil {
					c.Fate.Checks++
					if found.Wrong >= 0 {
						c.Fate.Found++
					}
				}
				n.do(n.round.Verified(n.clock(w.q.now), found))
			})
		case round.Submit:
			w.q.at(w.q.now+n.latency+w.upTo(blockMS), func() { w.ledger.submit(a.Certificate) })
		case round.Fraud:
			w.q.at(w.q.now+n.latency+w.upTo(blockMS), func() { w.ledger.accuse(n, a.Proof) })
		}
	}
}

const (
	checkMS = 60    // CPU time of a check
	blockMS = 2_000 // until a transaction stands in a block, at most
)

// gossip brings a statement to everybody who listens.
func (n *checker) gossip(a round.Publish) {
	w := n.w
	kind := a.Opened.Kind().String()
	w.count(kind, "checker", len(a.Opened.Raw))
	for _, other := range w.checkers {
		early := w.q.now <= other.learned // what comes before its round is known waits for it
		if other == n || !early && (other.round == nil || !other.round.Member(n.name) && n.to == n.from && other.to == other.from) {
			continue
		}
		for range 1 + w.times1(w.c.Net.TwicePPM) {
			if w.chance(w.c.Net.GossipPPM) {
				continue
			}
			other.laterAny(max(other.learned, w.q.now+w.travel(&n.node, &other.node)+w.travel(&n.node, &other.node)), func() {
				todo, err := other.round.Heard(other.clock(w.q.now), a.Opened)
				other.refused(err)
				other.do(append(todo, other.liar.Heard(a.Opened)...))
			})
		}
	}
}

// laterAny does something if the node is up by then, in whichever life.
func (n *checker) laterAny(at uint64, do func()) {
	n.w.q.at(at, func() {
		if !n.down(n.w.q.now) && n.round != nil {
			do()
		}
	})
}

func (w *World) times1(ppm int) int {
	if w.chance(ppm) {
		return 1
	}
	return 0
}

// ask brings a question to a container, and its answer back.
func (n *checker) ask(a round.Ask) {
	w := n.w
	c := w.byNode[a.Container]
	there, back := w.travel(&n.node, &c.node), w.travel(&n.node, &c.node)
	failed := func() { n.do(n.round.Failed(n.clock(w.q.now), a.Container)) }
	w.count("question", "checker", 32+5*len(a.Picks)) // digest, then two small numbers each
	if w.chance(w.c.Net.LossPPM) {
		n.later(w.q.now+callMS, failed)
		return
	}
	w.q.at(w.q.now+there, func() {
		var o *proof.Opened
		if !c.down(w.q.now) && c.prover != nil {
			if answer, err := c.prover.Ask(c.clock(w.q.now), n.name, a.Commit, a.Picks); err == nil {
				o, err = answer.Run(context.Background())
				if err != nil {
					panic(err)
				}
				w.count("openings", "container", len(o.Raw))
			}
		}
		if o == nil || w.chance(w.c.Net.LossPPM) {
			n.later(w.q.now+callMS-there, failed)
			return
		}
		n.later(w.q.now+back+w.busy(c), func() {
			todo, err := n.round.Opened(n.clock(w.q.now), a.Container, o)
			n.refused(err)
			n.do(todo)
		})
	})
}
