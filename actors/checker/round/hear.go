package round

import (
	"bytes"
	"fmt"

	"github.com/framemesh/framemesh/ledger/proof"
)

// Heard takes a gossiped statement, whose signature holds. It returns one of the refusals
// for what does not fit; ErrDuplicate is also what was heard before.
func (r *Round) Heard(now uint64, o *proof.Opened) ([]Action, error) {
	todo, err := r.heard(now, o)
	if err != nil {
		return todo, r.refuse(err)
	}
	return todo, nil
}

func (r *Round) heard(now uint64, o *proof.Opened) ([]Action, error) {
	if r.peers[o.Signer] == nil {
		return nil, fmt.Errorf("%w: %s is in none of this checker's committees", ErrMember, o.Signer)
	}
	if now >= r.end {
		return nil, fmt.Errorf("%w: epoch %d is over", ErrClosed, r.epoch)
	}
	switch says := o.Statement.GetSays().(type) {
	case *proof.Statement_NonceCommit:
		return r.hearNonceCommit(now, o, says.NonceCommit)
	case *proof.Statement_Nonce:
		return nil, r.hearNonce(o, says.Nonce)
	case *proof.Statement_VoteCommit:
		return r.hearVoteCommit(now, o, says.VoteCommit)
	case *proof.Statement_Vote:
		return r.hearVote(now, o, says.Vote)
	case *proof.Statement_Draft:
		return r.hearDraft(now, o, says.Draft)
	}
	return nil, fmt.Errorf("%w: a statement that is not gossiped", ErrForeign)
}

func (r *Round) hearNonceCommit(now uint64, o *proof.Opened, c *proof.NonceCommit) ([]Action, error) {
	p := r.peers[o.Signer]
	switch {
	case c.GetEpoch() != r.epoch:
		return nil, fmt.Errorf("%w: nonce of epoch %d, it is %d", ErrForeign, c.GetEpoch(), r.epoch)
	case p.bound != nil:
		return r.twice(p.bound, o), fmt.Errorf("%w: nonce of %s", ErrDuplicate, o.Signer)
	case now >= r.s.Times.NonceBy+r.s.Params.GraceMS:
		return nil, fmt.Errorf("%w: %s bound a nonce %d ms late", ErrClosed, o.Signer, now-r.s.Times.NonceBy)
	}
	p.bound = o
	return nil, nil
}

// twice accuses the signer of two statements where one is allowed; the same one again is
// nothing.
func (r *Round) twice(had, o *proof.Opened) []Action {
	if had.Digest == o.Digest {
		return nil
	}
	todo, _ := r.accuse(proof.PairFraud(had, o))
	return todo
}

func (r *Round) hearNonce(o *proof.Opened, n *proof.Nonce) error {
	p := r.peers[o.Signer]
	switch {
	case n.GetEpoch() != r.epoch:
		return fmt.Errorf("%w: nonce of epoch %d, it is %d", ErrForeign, n.GetEpoch(), r.epoch)
	case p.nonce != nil:
		return fmt.Errorf("%w: nonce of %s", ErrDuplicate, o.Signer)
	case p.bound == nil:
		return fmt.Errorf("%w: nonce of %s", ErrReveal, o.Signer)
	}
	if digest := proof.NonceDigest(o.Signer, r.epoch, [32]byte(n.GetNonce())); !bytes.Equal(digest[:], p.bound.Statement.GetNonceCommit().GetDigest()) {
		return fmt.Errorf("%w: another nonce than the one of %s", ErrReveal, o.Signer)
	}
	p.nonce = o
	return nil
}

// ballot finds what a member may say on a batch.
func (r *Round) ballot(o *proof.Opened, epoch uint64, batch, attempt uint32) (*duty, *ballot, error) {
	if epoch != r.epoch {
		return nil, nil, fmt.Errorf("%w: epoch %d, it is %d", ErrForeign, epoch, r.epoch)
	}
	for _, d := range r.duties {
		if d.batch == batch && d.attempt == attempt {
			if b := d.ballots[o.Signer]; b != nil {
				return d, b, nil
			}
			return nil, nil, fmt.Errorf("%w: %s on batch %d", ErrMember, o.Signer, batch)
		}
	}
	return nil, nil, fmt.Errorf("%w: batch %d, attempt %d is none of this checker's", ErrForeign, batch, attempt)
}

func (r *Round) hearVoteCommit(now uint64, o *proof.Opened, c *proof.VoteCommit) ([]Action, error) {
	d, b, err := r.ballot(o, c.GetEpoch(), c.GetBatch(), c.GetAttempt())
	switch {
	case err != nil:
		return nil, err
	case b.bound != nil:
		b.double = b.double || b.bound.Digest != o.Digest
		return r.twice(b.bound, o), fmt.Errorf("%w: %s is bound on batch %d", ErrDuplicate, o.Signer, d.batch)
	case now > d.windows.bound:
		return nil, fmt.Errorf("%w: %s bound itself %d ms late on batch %d", ErrClosed, o.Signer, now-d.windows.voteBy, d.batch)
	}
	b.bound, b.wanted = o, now <= d.windows.voteBy
	return nil, nil
}

func (r *Round) hearVote(now uint64, o *proof.Opened, v *proof.Vote) ([]Action, error) {
	d, b, err := r.ballot(o, v.GetEpoch(), v.GetBatch(), v.GetAttempt())
	if err != nil {
		return nil, err
	}
	for _, had := range [...]*proof.Opened{b.vote, b.stray} {
		switch {
		case had == nil:
		case had.Digest == o.Digest:
			return nil, fmt.Errorf("%w: vote of %s on batch %d", ErrDuplicate, o.Signer, d.batch)
		default:
			b.double = true
			todo, _ := r.accuse(proof.PairFraud(had, o))
			return todo, fmt.Errorf("%w: %s voted otherwise on batch %d", ErrDuplicate, o.Signer, d.batch)
		}
	}
	if now > d.windows.attestBy {
		return nil, fmt.Errorf("%w: vote of %s on batch %d", ErrClosed, o.Signer, d.batch)
	}
	if b.bound == nil || !bytes.Equal(o.Digest[:], b.bound.Statement.GetVoteCommit().GetDigest()) {
		b.stray = o
		return nil, fmt.Errorf("%w: vote of %s on batch %d", ErrReveal, o.Signer, d.batch)
	}
	if len(v.GetFindings()) > len(d.subjects) {
		return nil, fmt.Errorf("%w: %d findings on %d containers", ErrMalformed, len(v.GetFindings()), len(d.subjects))
	}
	b.vote, b.missed = o, now > d.windows.revealBy
	return r.again(now, d), nil
}
