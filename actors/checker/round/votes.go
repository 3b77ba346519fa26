package round

import (
	"github.com/framemesh/framemesh/ledger/proof"
)

// makeVote says what this checker found out about the containers of a batch.
func (r *Round) makeVote(d *duty) *proof.Vote {
	salt := r.derive("salt", d.batch, d.attempt)
	v := &proof.Vote{Epoch: r.epoch, Batch: d.batch, Attempt: d.attempt, Salt: salt[:], Checker: r.me[:]}
	for i, s := range d.subjects {
		f := r.finding(s)
		f.Container = uint32(i)
		v.Findings = append(v.Findings, f)
	}
	return v
}

func (r *Round) finding(s *subject) *proof.Finding {
	f := &proof.Finding{Verdict: proof.VerdictAbsent, Pings: s.pings, Pongs: s.pongs, Quality: s.sample, Dropped: s.dropped}
	if s.commit == nil {
		return f
	}
	f.Commit, f.ArrivalMs, f.RttMs = s.commit.Digest[:], uint32(s.arrival), s.rtt
	if b := s.commit.Statement.GetCommit().GetBusy(); b != nil {
		f.Verdict = proof.VerdictBusy
		if s.verdict == proof.VerdictBad && s.reason.OfSession() {
			f.Verdict, f.Reason, f.Evidence = s.verdict, uint32(s.reason), s.evidence
			return f
		}
		if r.s.InSession != nil && !r.s.InSession(s.node, b.GetSession()) {
			f.Verdict, f.Reason = proof.VerdictRefused, uint32(proof.ReasonNoSession)
		}
		return f
	}
	f.Samples = s.samples
	switch {
	case s.verdict == proof.VerdictBad:
		f.Verdict, f.Reason, f.Evidence = s.verdict, uint32(s.reason), s.evidence
	case r.late(s):
		f.Verdict = proof.VerdictLate
	case s.checked && s.stage != settled && s.stage != verifying:
		// Asked for tiles, again and again, it showed none. What speaks against it is its own
		// commitment.
		f.Verdict, f.Reason, f.Evidence = proof.VerdictBad, uint32(proof.ReasonUnopened), s.commit.Digest[:]
	default:
		f.Verdict = proof.VerdictOK
		if s.work != nil {
			f.Work, f.Tiles = s.work, uint32(len(s.picks))
		}
	}
	return f
}
