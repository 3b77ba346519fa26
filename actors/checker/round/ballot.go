package round

import (
	"bytes"
	"crypto/sha256"
	"slices"

	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/proof"
)

// keep is the ballot of a result that this member attests: the votes as they were signed, and
// all that judging them again needs. Nothing where a vote is missing, as it may be after a
// restart.
func (r *Round) keep(d *duty, dr *draft) []Action {
	var votes []*proof.Opened
	for _, m := range d.members {
		v := d.ballots[m].vote
		if v != nil && slices.ContainsFunc(dr.votes, func(named []byte) bool { return bytes.Equal(named, v.Digest[:]) }) {
			votes = append(votes, v)
		}
	}
	if len(votes) != len(dr.votes) {
		return nil
	}
	for _, convicted := range [...]bool{true, false} { // as in agrees
		in := r.input(d, votes, convicted)
		if !bytes.Equal(judge.Judge(in).Bytes, dr.result) {
			continue
		}
		file, err := proof.EncodeFile(judge.BallotFile(r.s.Chain, in, dr.result))
		if err != nil {
			return nil // larger than a file may be: the votes were gossiped, and stay with those who heard them
		}
		return []Action{Ballot{d.batch, sha256.Sum256(dr.result), file}}
	}
	return nil
}
