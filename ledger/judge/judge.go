package judge

import (
	"bytes"
	"slices"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
)

// Input is what is known of a batch when it is judged.
type Input struct {
	Seed    [32]byte // of the epoch
	Epoch   uint64
	Number  uint32 // of the batch
	Attempt uint32 // 0 the committee, 1 its reserve
	Batch   *Batch
	Params  Params

	// Votes are the votes known, in any order: signatures verified, each bound by its
	// VoteCommit in time. Those of others than members, or about another batch, count
	// nothing. Two different ones of one member make both count nothing.
	Votes []*proof.Opened
	// Proven are digests of evidence that the caller has recomputed and that convicts: a
	// finding bad that names one of them needs no other vote.
	Proven [][32]byte
	// Refuted are digests of votes that the caller has recomputed and found false: they
	// count nothing, and whoever cast them is wrong.
	Refuted [][32]byte
}

// Outcome is what a batch comes to.
type Outcome struct {
	*proof.Result
	Bytes   []byte   // the one encoding of the Result: what members attest to
	Doubles []Double // by member, in the order of the committee
}

// Double is two votes of one member on one batch: evidence (proof.PairFraud).
type Double struct{ A, B *proof.Opened }

// Settled says whether there is a quorum on at least one container.
func (o Outcome) Settled() bool {
	return slices.ContainsFunc(o.Entries, func(e proof.Entry) bool { return e.Verdict != proof.VerdictNone })
}

// ballot is one member's vote as it counts.
type ballot struct {
	member   int
	vote     *proof.Opened
	findings []*proof.Finding // by place in the batch, nil for none
	verdicts []uint32         // as they count; VerdictNone for none
}

// Judge says what votes come to. It is a pure function: whoever knows the same votes comes to
// the same bytes, in whatever order they came.
func Judge(in Input) Outcome {
	j := newJudgement(in)
	out := Outcome{Result: &proof.Result{Epoch: in.Epoch, Batch: in.Number, Attempt: in.Attempt}, Doubles: j.doubles}
	out.Votes = proof.VotesDigest(j.digests)
	verdicts := make([]opinion, len(j.containers))
	for i := range j.containers {
		verdicts[i] = j.container(i)
		if e := &verdicts[i].entry; !e.Accuses() {
			if e.Dropped, e.Found = j.dropped(i); e.Dropped != nil {
				e.Evidence = proof.Name{} // there is room for one of the two
			}
		}
		out.Entries = append(out.Entries, verdicts[i].entry)
	}
	out.Wrong = j.wrong
	for _, b := range j.ballots {
		agrees := true
		for i, v := range verdicts {
			switch j.compare(b, i, v) {
			case differs:
				agrees = false
			case lies:
				agrees = false
				out.Wrong |= 1 << b.member
			}
		}
		if agrees && out.Wrong>>b.member&1 == 0 && slices.ContainsFunc(verdicts, settled) {
			out.Correct |= 1 << b.member
		}
	}
	// The limits of a Result are those of its parts, so this cannot fail but for an empty
	// batch, which nobody can attest to.
	out.Bytes, _ = proof.EncodeResult(out.Result)
	return out
}

func settled(o opinion) bool { return o.entry.Verdict != proof.VerdictNone }

// judgement is the votes of a batch, sorted out.
type judgement struct {
	Input
	containers []key.Node
	drawn      []bool   // containers that each member had to check
	ballots    []ballot // that count, by member
	wrong      uint64   // members whose vote is refuted or double
	digests    [][32]byte
	doubles    []Double
	proven     map[string]bool
}

func newJudgement(in Input) *judgement {
	j := &judgement{Input: in, proven: make(map[string]bool, len(in.Proven))}
	if in.Batch == nil {
		return j
	}
	j.containers = in.Batch.Containers[:min(len(in.Batch.Containers), proof.MaxBatch)]
	for _, c := range j.containers {
		j.drawn = append(j.drawn, Drawn(in.Seed, in.Epoch, c, in.Params))
	}
	for _, d := range in.Proven {
		j.proven[string(d[:])] = true
	}
	members := in.Batch.Members(in.Attempt)
	for place, member := range members[:min(len(members), proof.MaxMembers)] {
		j.member(place, member)
	}
	slices.SortFunc(j.digests, func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) })
	return j
}

// member finds what a member said. Its votes are put in the order of their digests, so that
// which of two different ones came first makes no difference.
func (j *judgement) member(place int, member key.Node) {
	var own []*proof.Opened
	for _, o := range j.Input.Votes {
		if o == nil || o.Signer != member || o.Statement.GetVote() == nil {
			continue
		}
		if v := o.Statement.GetVote(); v.GetEpoch() == j.Epoch && v.GetBatch() == j.Number && v.GetAttempt() == j.Attempt {
			own = append(own, o)
		}
	}
	slices.SortFunc(own, func(a, b *proof.Opened) int { return bytes.Compare(a.Digest[:], b.Digest[:]) })
	own = slices.CompactFunc(own, func(a, b *proof.Opened) bool { return a.Digest == b.Digest })
	switch {
	case len(own) == 0:
		return
	case len(own) > 1:
		own = own[:2] // two are enough, and whoever signs a hundred makes no larger result
		j.doubles = append(j.doubles, Double{own[0], own[1]})
		j.wrong |= 1 << place
	case slices.Contains(j.Refuted, own[0].Digest):
		j.wrong |= 1 << place
	default:
		j.ballots = append(j.ballots, j.ballot(place, own[0]))
	}
	for _, o := range own {
		j.digests = append(j.digests, o.Digest)
	}
}

func (j *judgement) ballot(place int, vote *proof.Opened) ballot {
	b := ballot{member: place, vote: vote,
		findings: make([]*proof.Finding, len(j.containers)), verdicts: make([]uint32, len(j.containers))}
	for _, f := range vote.Statement.GetVote().GetFindings() {
		if i := int(f.GetContainer()); i < len(j.containers) {
			b.findings[i], b.verdicts[i] = f, j.counts(i, f)
		}
	}
	return b
}

// counts is the verdict that a finding counts as. What contradicts itself counts as none:
// ok and late are told apart by the arrival alone, and ok where the lot asked for a check
// needs the work of one.
func (j *judgement) counts(i int, f *proof.Finding) uint32 {
	inTime := uint64(f.GetArrivalMs()) <= j.Params.Window()
	switch f.GetVerdict() {
	case proof.VerdictOK:
		if !inTime {
			return proof.VerdictLate
		}
		if j.drawn[i] && int(f.GetTiles()) < j.Params.K {
			return proof.VerdictNone
		}
	case proof.VerdictLate:
		if inTime {
			return proof.VerdictNone
		}
	}
	return f.GetVerdict()
}
