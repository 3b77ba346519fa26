package checker

import (
	"bytes"
	"context"
	"slices"

	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/ledger/key"
)

// Report is what one checker did in one epoch.
type Report struct {
	Epoch      uint64
	Batches    int        // that it judges in the committee, not the reserve
	Challenged []key.Node // the containers of those batches
	Committed  []key.Node // those whose commitment came, in the order of their keys
	Busy       int        // of them, in a session
	Opened     int        // containers that opened the tiles asked for
	Right      int        // whose tiles recompute
	Wrong      int
	Votes      int // of this checker
	Audited    int // sessions of which it audited some seconds
	// AuditsWrong are those of them that are not what their container says.
	AuditsWrong int
	Missed      int // containers that went while a player paid for a session
	Refused     int // statements and commitments that were turned away
	Frauds      int // that it can prove
	Sent        int // certificates that it brought to the ledger first
}

// keptReports is for how many epochs a checker remembers what it did.
const keptReports = 16

type askReports struct{}

// Reports are what this checker did in its last epochs, oldest first, the one that runs
// included.
func (r *Rounds) Reports(ctx context.Context) ([]Report, error) {
	return supervise.Ask[[]Report](ctx, r.ref, askReports{})
}

// newReport begins the report of an epoch.
func (s *rounds) newReport(epoch uint64) {
	if n := len(s.reports); n > 0 && s.reports[n-1].Epoch == epoch {
		return
	}
	s.reports = append(s.reports, &Report{Epoch: epoch})
	if len(s.reports) > keptReports {
		s.reports = s.reports[1:]
	}
}

// report is that of an epoch; one that is not kept any more is nobody's.
func (s *rounds) report(epoch uint64) *Report {
	for _, r := range slices.Backward(s.reports) {
		if r.Epoch == epoch {
			return r
		}
	}
	return new(Report)
}

func (s *rounds) replyReports(c *supervise.Ctx) {
	out := make([]Report, 0, len(s.reports))
	for _, r := range s.reports {
		one := *r
		one.Challenged, one.Committed = slices.Clone(r.Challenged), slices.Clone(r.Committed)
		slices.SortFunc(one.Committed, func(a, b key.Node) int { return bytes.Compare(a[:], b[:]) })
		out = append(out, one)
	}
	c.Reply(out)
}
