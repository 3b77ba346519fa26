package round

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/tx"
)

// errUnheard is a draft that names a vote which may still come.
var errUnheard = errors.New("round: names a vote not heard yet")

// draftsOfOne bounds the results that one member may attest before it is not listened to:
// a draft of its own, and the one that it joined.
const draftsOfOne = 2

// drafting publishes this member's own draft when its turn has come and it attests nothing.
func (r *Round) drafting(now uint64, d *duty) []Action {
	if !d.revealed || d.draftAt == 0 || now < d.draftAt || now > d.windows.attestBy || d.attested != [32]byte{} {
		return nil
	}
	var votes []*proof.Opened
	for _, m := range d.members {
		if b := d.ballots[m]; b.vote != nil && !b.double {
			votes = append(votes, b.vote)
		}
	}
	result, ok := r.judge(d, votes, true)
	if !ok {
		// Too few votes yet; more may come.
		d.draftAt = now + d.windows.slot(len(d.members))
		return nil
	}
	return r.join(now, d, r.draft(d, result, digests(votes)))
}

// digests are those of the votes, rising.
func digests(votes []*proof.Opened) (all [][]byte) {
	for _, v := range votes {
		all = append(all, v.Digest[:])
	}
	slices.SortFunc(all, bytes.Compare)
	return all
}

// judge computes the result of votes; ok is false when they settle nothing. With convicted,
// it weighs what the ledger has convicted, too.
func (r *Round) judge(d *duty, votes []*proof.Opened, convicted bool) (result []byte, ok bool) {
	if len(votes) < r.s.Params.Quorum() {
		return nil, false
	}
	out := judge.Judge(r.input(d, votes, convicted))
	return out.Bytes, out.Settled()
}

// input is what the votes on a batch are judged with.
func (r *Round) input(d *duty, votes []*proof.Opened, convicted bool) judge.Input {
	in := judge.Input{Seed: r.seed, Epoch: r.epoch, Number: d.batch, Attempt: d.attempt,
		Batch: &r.s.Assignment.Batches[d.batch], Params: r.s.Params, Votes: votes}
	if convicted {
		in.Proven, in.Refuted = r.proven, r.refuted
	}
	return in
}

// draft finds or begins the record of a result.
func (r *Round) draft(d *duty, result []byte, votes [][]byte) *draft {
	digest := sha256.Sum256(result)
	for _, dr := range d.drafts {
		if dr.digest == digest {
			return dr
		}
	}
	dr := &draft{digest, result, votes, map[key.Node][]byte{}}
	d.drafts = append(d.drafts, dr)
	return dr
}

// join attests a result, the only one on this batch.
func (r *Round) join(now uint64, d *duty, dr *draft) []Action {
	d.attested = dr.digest
	dr.by[r.me] = r.attest(d, dr.result)
	o := r.sign(&proof.Statement{Says: &proof.Statement_Draft{Draft: &proof.Draft{
		Epoch: r.epoch, Batch: d.batch, Attempt: d.attempt, Result: dr.result, Votes: dr.votes, Attestation: dr.by[r.me]}}})
	todo := append([]Action{Publish{d.batch, o}}, r.keep(d, dr)...)
	return append(todo, r.submit(now, d)...)
}

func (r *Round) hearDraft(now uint64, o *proof.Opened, x *proof.Draft) ([]Action, error) {
	d, _, err := r.ballot(o, x.GetEpoch(), x.GetBatch(), x.GetAttempt())
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(x.GetResult())
	others := 0
	for _, dr := range d.drafts {
		if dr.by[o.Signer] != nil {
			if dr.digest == digest {
				return nil, fmt.Errorf("%w: draft of %s on batch %d", ErrDuplicate, o.Signer, d.batch)
			}
			others++
		}
	}
	if others >= draftsOfOne || len(d.drafts) > draftsOfOne*len(d.members) {
		return nil, fmt.Errorf("%w: %s attests %d results on batch %d", ErrDuplicate, o.Signer, others+1, d.batch)
	}
	if !key.Verify(o.Signer[:], r.s.Chain, key.KindCertificate, tx.VotePayload(r.epoch, d.batch, digest), x.GetAttestation()) {
		return nil, fmt.Errorf("%w: the attestation is not by %s", ErrDraft, o.Signer)
	}
	dr := r.draft(d, x.GetResult(), x.GetVotes())
	dr.by[o.Signer] = x.GetAttestation()
	switch {
	case d.attested == digest && dr.by[r.me] == nil:
		// Attested before a restart; whether that went out nobody knows.
		return r.join(now, d, dr), nil
	case d.attested == [32]byte{}:
		switch err := r.agrees(now, d, x); {
		case err == nil:
			return r.join(now, d, dr), nil
		case errors.Is(err, errUnheard):
			if !slices.ContainsFunc(d.waiting, func(w *proof.Opened) bool { return w.Signer == o.Signer }) {
				d.waiting = append(d.waiting, o)
			}
		default:
			return r.submit(now, d), err
		}
	}
	return r.submit(now, d), nil
}

// again looks once more at drafts that waited for a vote.
func (r *Round) again(now uint64, d *duty) []Action {
	if d.attested != [32]byte{} {
		return nil
	}
	waiting := d.waiting
	d.waiting = nil
	for i, o := range waiting {
		x := o.Statement.GetDraft()
		switch err := r.agrees(now, d, x); {
		case err == nil:
			return r.join(now, d, r.draft(d, x.GetResult(), x.GetVotes()))
		case errors.Is(err, errUnheard):
			d.waiting = append(d.waiting, waiting[i])
		}
	}
	return nil
}

// agrees says whether this member would have drafted the same from the votes that the
// draft names, and whether it names those that it must: this member's own, and while one
// of the first N + 1 in rank drafts, of whom at least one is honest where N are not, every
// vote that came in time.
func (r *Round) agrees(now uint64, d *duty, x *proof.Draft) error {
	if !d.revealed || now > d.windows.attestBy {
		return fmt.Errorf("%w: this checker did not vote on batch %d, or it is too late", ErrClosed, d.batch)
	}
	strict := now < d.windows.draft+uint64(r.s.Params.Quorum())*d.windows.slot(len(d.members))
	var votes []*proof.Opened
	named := 0
	for _, m := range d.members {
		b := d.ballots[m]
		in := b.vote != nil && slices.ContainsFunc(x.GetVotes(), func(v []byte) bool { return bytes.Equal(v, b.vote.Digest[:]) })
		if in {
			named++
			votes = append(votes, b.vote)
			continue
		}
		if m == r.me || strict && b.vote != nil && b.wanted && !b.missed && !b.double {
			return fmt.Errorf("%w: it leaves out the vote of %s", ErrDraft, m)
		}
	}
	if named != len(x.GetVotes()) {
		return errUnheard
	}
	// Who drafted may have heard of a conviction before or after this member.
	for _, convicted := range [...]bool{true, false} {
		if result, ok := r.judge(d, votes, convicted); ok && bytes.Equal(result, x.GetResult()) {
			return nil
		}
	}
	return fmt.Errorf("%w: batch %d", ErrDraft, d.batch)
}

// submit brings a result that a quorum attests to the ledger, the members one after the
// other, so that mostly one does. Whoever comes after the first brings all attestations that
// it has: of those of the first one may not count any more.
func (r *Round) submit(now uint64, d *duty) []Action {
	if d.certified || d.sent {
		return nil
	}
	for _, dr := range d.drafts {
		if len(dr.by) < r.s.Params.Quorum() {
			continue
		}
		rank := judge.Rank(r.seed, d.batch, d.attempt, d.members, r.me)
		if d.submitAt == 0 {
			d.submitAt = now + uint64(rank)*d.windows.slot(len(d.members))/2
		}
		if now < d.submitAt {
			return []Action{Wake{d.submitAt}}
		}
		d.sent = true
		most := tx.MaxAttestations
		if rank == 0 {
			most = r.s.Params.Quorum()
		}
		c := &tx.VoteCertificate{Epoch: r.epoch, Batch: d.batch, Result: dr.result}
		for place, m := range d.members {
			if sig := dr.by[m]; sig != nil && c.Attested() < most {
				c.AddAttestation(place, sig)
			}
		}
		return []Action{Submit{d.batch, c}}
	}
	return nil
}
