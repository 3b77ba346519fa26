package sim

import (
	"fmt"

	"github.com/framemesh/framemesh/ledger/proof"
)

// Rough is a network as bad as networks of volunteers get.
func Rough() Net {
	return Net{LatencyMS: 80, JitterMS: 60, LossPPM: 10_000, GossipPPM: 2_000, TwicePPM: 10_000,
		LearnMS: 2_100, SkewMS: 2_000, Skewed: 2, LoadPPM: 100_000, CrashPPM: 10_000, PlayPPM: 300_000, FalsePPM: 500_000}
}

// Honest is how honest nodes fared.
type Honest struct {
	Report
	World *World
	// Container-epochs by what became of them. Excused are those unpaid in which the
	// container was down during the round, or that were its first with a wrong clock.
	All, Verified, Excused int
	WrongVotes             int
}

// HonestEpochs lets eight containers and ten checkers, all honest, live through epochs of a
// rough network.
func HonestEpochs(epochs int) Honest {
	c := Default()
	c.Containers, c.Checkers, c.Frames, c.Net = 8, 10, 16, Rough()
	w := New(c)
	h := Honest{Report: *w.Run(epochs), World: w}
	for i := range w.containers {
		f := w.Container(i)
		h.All += f.Epochs
		h.Verified += f.Verdicts[proof.VerdictOK]
		h.Excused += min(f.Epochs-f.Verdicts[proof.VerdictOK], f.CutOff+1)
	}
	for i := range w.checkers {
		h.WrongVotes += w.Checker(i).Wrong
	}
	return h
}

// String says it in a paragraph.
func (h Honest) String() string {
	n := h.World.c.Net
	return fmt.Sprintf(`%d epochs of %d containers and %d checkers: messages %d–%d ms under way, %.1f %% of them and %.1f %% of gossip
lost, %.1f %% doubled, the block that begins an epoch seen after %.1f to %.1f s, containers' clocks off by up to %.0f s and those of %d checkers by as much, %.0f %% of containers under another
load, %.0f %% of nodes down for a part of an epoch. **%d of %d batches were certified (%d by the reserve), %d of %d containers' epochs
verified and paid; the other %d were cut off while the round ran or began with a wrong clock. Convicted: %d. Called wrong: %d.**
On %.0f %% of containers somebody played for money; %d players said that theirs went, %d of them without cause. **Said to have gone: %d, of which
%d were there or back within a minute.**`,
		h.Epochs, len(h.World.containers), len(h.World.checkers), n.LatencyMS*2/5, 2*n.LatencyMS+n.JitterMS, float64(n.LossPPM)/1e4, float64(n.GossipPPM)/1e4,
		float64(n.TwicePPM)/1e4, float64(n.LearnMS)/2e3, float64(n.LearnMS)/1e3, float64(n.SkewMS)/1e3, n.Skewed, float64(n.LoadPPM)/1e4, float64(n.CrashPPM)/1e4,
		h.Certified, h.Batches, h.ByReserve, h.Verified, h.All, h.All-h.Verified, len(h.Convictions), h.WrongVotes,
		float64(n.PlayPPM)/1e4, h.Complaints, h.False, h.Dropped, h.Unjust)
}
