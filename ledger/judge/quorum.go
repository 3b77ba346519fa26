package judge

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/proof"
)

// opinion is what is found of one container.
type opinion struct {
	entry   proof.Entry
	group   []*proof.Finding // the equal findings that decide it
	arrival uint64           // judged, ms after T0; with verdict ok
	byProof bool             // evidence decided, not the number of votes
}

// Tolerances within which a member's measurement agrees with what was judged.
const (
	toleratedOnline = 250_000 // ppm
	toleratedPings  = 4       // fewer of them measure nothing
)

// container decides one container: by proven evidence, else by N + 1 equal findings.
func (j *judgement) container(i int) opinion {
	o, ok := j.byEvidence(i)
	if !ok {
		o = j.byVotes(i)
	}
	if o.entry.Accuses() {
		o.entry.Found = j.found(i, o.entry.Evidence)
	}
	o.entry.OfflinePPM = j.offline(i)
	o.entry.QualityPPM = j.quality(i)
	return o
}

// byEvidence: a finding bad whose evidence convicts outweighs all votes.
func (j *judgement) byEvidence(i int) (o opinion, ok bool) {
	for _, b := range j.ballots {
		if f := b.findings[i]; f.GetVerdict() == proof.VerdictBad && j.proven[string(f.GetEvidence())] {
			o.group = append(o.group, f)
		}
	}
	if len(o.group) == 0 {
		return o, false
	}
	o.byProof = true
	o.entry = proof.Entry{Verdict: proof.VerdictBad, Reason: reason(o.group), Evidence: evidence(o.group)}
	return o, true
}

// byVotes: of the groups of equal findings, the one that has a quorum. Two cannot have one
// where a committee has 2N + 1 members; should they all the same, none has.
func (j *judgement) byVotes(i int) opinion {
	var found *opinion
	several := false
	for n, b := range j.ballots {
		if b.verdicts[i] == proof.VerdictNone || slices.ContainsFunc(j.ballots[:n], func(a ballot) bool { return equal(a, b, i) }) {
			continue // nothing, or counted with the first of its group
		}
		var group []*proof.Finding
		for _, a := range j.ballots[n:] {
			if equal(a, b, i) {
				group = append(group, a.findings[i])
			}
		}
		if len(group) < j.Params.Quorum() {
			continue
		}
		several = several || found != nil
		found = &opinion{group: group, entry: proof.Entry{Verdict: b.verdicts[i], Reason: reason(group)}}
	}
	switch {
	case found == nil && len(j.ballots) < j.Params.Quorum():
		return opinion{entry: proof.Entry{Reason: proof.ReasonTooFew}}
	case found == nil || several:
		return opinion{entry: proof.Entry{Reason: proof.ReasonNoQuorum}}
	}
	switch found.entry.Verdict {
	case proof.VerdictOK:
		j.score(found)
	case proof.VerdictBad:
		found.entry.Evidence = evidence(found.group)
	case proof.VerdictLate:
		found.entry.Reason = proof.ReasonLate
	}
	return *found
}

// equal says whether two members found the same: the verdict, and with it the commit and its
// samples for what was committed in time. What is measured (arrival, pings, quality) is
// never compared for equality.
func equal(a, b ballot, i int) bool {
	if a.verdicts[i] != b.verdicts[i] {
		return false
	}
	switch a.verdicts[i] {
	case proof.VerdictOK, proof.VerdictBad, proof.VerdictBusy:
		return bytes.Equal(a.findings[i].GetCommit(), b.findings[i].GetCommit()) &&
			a.findings[i].GetSamples() == b.findings[i].GetSamples()
	}
	return true
}

// score is milli-RP from the (N + 1)-th smallest elapsed time of the group. At most N of its
// members lie, so at least one honest time is not above it: liars gain nothing for the
// container. Of 2N + 1 it is the median, which N liars cannot push above all honest times;
// and all of them lie between the length of the window and its end.
func (j *judgement) score(o *opinion) {
	type time struct{ elapsed, arrival uint64 }
	var times []time
	for _, f := range o.group {
		times = append(times, time{j.Params.Elapsed(uint64(f.GetArrivalMs()), uint64(f.GetRttMs())), uint64(f.GetArrivalMs())})
	}
	slices.SortFunc(times, func(a, b time) int {
		return cmp.Or(cmp.Compare(a.elapsed, b.elapsed), cmp.Compare(a.arrival, b.arrival))
	})
	t := times[j.Params.Quorum()-1]
	o.arrival = t.arrival
	o.entry.RPMilli = min(proof.MaxScore, Score(j.Params, o.group[0].GetSamples(), t.elapsed, 0))
}

// reason is the one that most of the group give, of as many the smallest; where nobody gives
// one, the first that goes with the verdict.
func reason(group []*proof.Finding) proof.Reason {
	best, most := proof.Reason(0), 0
	for _, f := range group {
		r, n := proof.Reason(f.GetReason()), 0
		for _, g := range group {
			if proof.Reason(g.GetReason()) == r {
				n++
			}
		}
		if r != 0 && (n > most || n == most && r < best) {
			best, most = r, n
		}
	}
	if best != 0 || len(group) == 0 {
		return best
	}
	switch group[0].GetVerdict() {
	case proof.VerdictBad:
		return proof.ReasonTile
	case proof.VerdictAbsent:
		return proof.ReasonAbsent
	case proof.VerdictBusy:
		return proof.ReasonBusy
	case proof.VerdictRefused:
		return proof.ReasonMalformed
	}
	return 0
}

// evidence names what has the digest that most of the group give, of as many the smallest. All
// who audit the same seconds write the same file, so one member cannot put another in its place.
func evidence(group []*proof.Finding) proof.Name {
	var best []byte
	most := 0
	for _, f := range group {
		e, n := f.GetEvidence(), 0
		for _, g := range group {
			if bytes.Equal(g.GetEvidence(), e) {
				n++
			}
		}
		if len(e) != 0 && (n > most || n == most && bytes.Compare(e, best) < 0) {
			best, most = e, n
		}
	}
	return proof.NameOf(best)
}

// found are the members who found a container bad and name this evidence, as bits by place. It is
// they who answer for it: others who attest the result attest what votes come to.
func (j *judgement) found(i int, evidence proof.Name) (bits uint64) {
	for _, b := range j.ballots {
		if f := b.findings[i]; b.verdicts[i] == proof.VerdictBad && !evidence.IsZero() && proof.NameOf(f.GetEvidence()) == evidence {
			bits |= 1 << b.member
		}
	}
	return bits
}

// offline is the lower median of what members measured, 0 where fewer than a quorum did: in
// doubt a container was there.
func (j *judgement) offline(i int) uint32 {
	var all []uint32
	for _, b := range j.ballots {
		if f := b.findings[i]; f.GetPings() > 0 {
			all = append(all, offlinePPM(f))
		}
	}
	if len(all) < j.Params.Quorum() {
		return 0
	}
	slices.Sort(all)
	return all[(len(all)-1)/2]
}

func offlinePPM(f *proof.Finding) uint32 {
	missed := uint64(f.GetPings()) - uint64(min(f.GetPongs(), f.GetPings()))
	return uint32(missed * amount.PPM / uint64(f.GetPings()))
}

// quality is the median of the samples that members bring, 0 where there are none; of an
// even number the higher of the two in the middle. Fewer than a quorum are mixed with
// neutralQuality for those that are missing, so that one liar moves it a little only.
func (j *judgement) quality(i int) uint32 {
	var all []uint32
	for _, b := range j.ballots {
		if s := b.findings[i].GetQuality(); s != nil {
			all = append(all, QualityPPM(s))
		}
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	median, n, quorum := uint64(all[len(all)/2]), uint64(len(all)), uint64(j.Params.Quorum())
	if n < quorum {
		median = (median*n + neutralQuality*(quorum-n)) / quorum
	}
	return uint32(max(median, 1))
}

// comparison of a member's finding with what was found.
type comparison int

const (
	same    comparison = iota
	differs            // no reward for the batch, no blame: networks and clocks differ
	lies               // what no honest member can say
)

// compare says how a ballot stands to what was found of one container. Nobody is blamed for
// what an honest member may see differently: containers may send one commit to some and
// another to others, lose their way to some, or be wrong only in tiles that others drew.
// What is left is arithmetic, such as the samples of a commit that the quorum knows.
func (j *judgement) compare(b ballot, i int, o opinion) comparison {
	if !settled(o) {
		return same
	}
	f := b.findings[i]
	if f == nil {
		return differs
	}
	if len(o.group[0].GetCommit()) != 0 && bytes.Equal(f.GetCommit(), o.group[0].GetCommit()) &&
		f.GetSamples() != o.group[0].GetSamples() && f.GetSamples() != 0 && o.group[0].GetSamples() != 0 && !o.byProof {
		return lies
	}
	if o.byProof {
		// Others may have drawn right tiles of a wrong commit.
		if b.verdicts[i] == proof.VerdictBad || b.verdicts[i] == proof.VerdictOK && bytes.Equal(f.GetCommit(), o.group[0].GetCommit()) {
			return j.measured(f, o)
		}
		return differs
	}
	if b.verdicts[i] != o.entry.Verdict {
		return differs
	}
	switch o.entry.Verdict {
	case proof.VerdictOK, proof.VerdictBad, proof.VerdictBusy:
		if !bytes.Equal(f.GetCommit(), o.group[0].GetCommit()) {
			return differs
		}
	}
	return j.measured(f, o)
}

// measured says whether a member's measurements are within the tolerance of what was judged.
func (j *judgement) measured(f *proof.Finding, o opinion) comparison {
	if o.entry.Verdict == proof.VerdictOK && !near(uint64(f.GetArrivalMs()), o.arrival, j.Params.DurMS/2+j.Params.GraceMS) {
		return differs
	}
	if f.GetPings() >= toleratedPings && !near(uint64(offlinePPM(f)), uint64(o.entry.OfflinePPM), toleratedOnline) {
		return differs
	}
	return same
}

func near(a, b, tolerance uint64) bool { return max(a, b)-min(a, b) <= tolerance }
