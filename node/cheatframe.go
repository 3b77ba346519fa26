package node

import (
	"context"
	"slices"

	"github.com/framemesh/framemesh/actors/cheat"
	"github.com/framemesh/framemesh/actors/checker"
	"github.com/framemesh/framemesh/actors/checker/audit"
	"github.com/framemesh/framemesh/gpu/segment"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
)

// FrameCheat is the name of a checker's lie that no command offers: it says of every session
// that it audits that a second does not replay, with that second as its proof, which shows
// nothing of the kind.
const FrameCheat = "frame"

func (c *Cheat) lies(about key.Node) bool {
	return len(c.About) == 0 || slices.Contains(c.About, about)
}

// cheatingAudits lets a checker find every session of those whom its lies are about false.
func (n *Node) cheatingAudits(o *checker.AuditOptions) *checker.AuditOptions {
	c := n.o.Cheat
	if c == nil || c.Who != cheat.Checker || c.Name != FrameCheat || o == nil {
		return o
	}
	lying, honest := *o, o.Judge
	lying.Judge = func(ctx context.Context, t audit.Terms, answer *proof.Opened, code []byte) (audit.Finding, *proof.File, error) {
		f, file, err := honest(ctx, t, answer, code)
		if err != nil || f.Outcome != audit.Equal && f.Outcome != audit.Unproven || !c.lies(t.Container) {
			return f, file, err
		}
		a := answer.Statement.GetAudit()
		w, err := segment.ParseWindow(a.GetWindow())
		if err != nil || len(w.Seconds) == 0 {
			return f, file, err
		}
		w.Seconds = w.Seconds[:1:1]
		segments := a.GetSegments()[:1]
		if w.Seconds[0].Number > 0 {
			segments = a.GetSegments()[:2]
		}
		f.Outcome, f.Reason, f.FirstBad, f.Field = audit.Wrong, proof.ReasonSegment, w.Seconds[0].Number, segment.FieldState
		return f, &proof.File{Version: 1, Chain: t.Chain, Epoch: t.Epoch, Seed: t.Seed[:], Holds: &proof.File_Second{
			Second: &proof.Second{Subject: t.Container[:], Segments: segments, Proof: w.Append(nil)}}}, nil
	}
	return &lying
}
