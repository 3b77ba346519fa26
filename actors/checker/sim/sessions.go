package sim

import (
	"encoding/binary"
	"math"

	"github.com/framemesh/framemesh/actors/cheat"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/state"
)

// missMS is how long a player takes to miss its container.
const missMS = 3_000

// watchAsks is how often a checker asks a container that a player misses, as in package checker.
const watchAsks = 6

// play lets somebody play for money on a container in this epoch, who says so when it goes: one
// that was told to goes for good at some moment, an honest one may crash. Some players say so
// without cause. Complaints that come too late for this epoch's votes are left out here.
func (w *World) play(n *container, length uint64) {
	vanishes := n.liar != nil && n.liar.Name == cheat.Vanish
	if !vanishes && !w.chance(w.c.Net.PlayPPM) {
		return
	}
	session := &game{Session: state.Session{Player: key.Address{1}, Seconds: math.MaxUint32, OpenedMS: w.times.Start, Phase: state.PhaseOpen}}
	copy(session.name[:], n.name[:8])
	binary.BigEndian.PutUint64(session.name[8:], w.epoch)
	switch {
	case vanishes:
		n.from, n.to = w.times.Start+w.upTo(length-1), w.times.End
		w.complain(n, session, n.from+missMS)
	case n.to > n.from:
		w.complain(n, session, n.from+missMS)
	case w.chance(w.c.Net.FalsePPM):
		w.report.False++
		w.complain(n, session, w.times.Start+w.upTo(length-1))
	}
}

// game is a paid session as the ledger has it.
type game struct {
	state.Session
	name [16]byte
}

// complain brings a complaint to all who are drawn for a container. The player closes the session
// with it, as pages do. That a container which is there settles what is being closed, and is clear
// by that alone, is left out.
func (w *World) complain(n *container, session *game, at uint64) {
	session.Phase, session.ClosingMS = state.PhaseClosing, at
	b, _, ok := w.plan.Of(n.name)
	if !ok {
		return
	}
	w.report.Complaints++
	for _, panel := range [][]key.Node{w.plan.Batches[b].Committee, w.plan.Batches[b].Reserve} {
		for _, name := range panel {
			c := w.byChecker[name]
			if w.chance(w.c.Net.LossPPM) {
				continue // three times, in truth
			}
			w.q.at(at+w.travel(&n.node, &c.node), func() { c.look(n, session) })
		}
	}
}

// look is a watch.
func (n *checker) look(c *container, session *game) {
	w := n.w
	watch, since := w.c.Params.WatchMS(), w.times.Start-w.c.Params.EpochMS
	if n.round == nil || n.down(w.q.now) || n.clock(w.q.now)+watch+watch/2 > n.round.Votes(c.name) || !session.Awaits(session.Player, 0, w.q.now, since) {
		return
	}
	heard := false
	for i := range uint64(watchAsks) {
		n.later(w.q.now+i*watch/(watchAsks-1), func() {
			if !c.down(w.q.now) && !w.chance(w.c.Net.LossPPM) && !w.chance(w.c.Net.LossPPM) {
				heard = true
			}
		})
	}
	n.later(w.q.now+watch+1, func() {
		if !heard && session.Awaits(session.Player, 0, w.q.now, since) && n.round.Missed(c.name, session.name) {
			n.do(nil)
		}
	})
}

// went enters what a certificate says of a container that went. One that was down for less than
// a watch was accused without cause.
func (w *World) went(n *container) {
	w.report.Dropped++
	n.Fate.Dropped++
	if n.to-n.from < w.c.Params.WatchMS() {
		w.report.Unjust++
	}
}
