package round

import (
	"bytes"

	"github.com/framemesh/framemesh/ledger/key"
)

// Missed says that a player missed a container in this session, and that this checker found
// nobody there either. Of several sessions the smallest is told: all who heard of the same ones
// tell the same. It returns false when the vote is made already, or the container is in none of
// this checker's batches.
func (r *Round) Missed(container key.Node, session [16]byte) bool {
	d, place, ok := r.subject(container)
	if !ok || d.vote != nil {
		return false
	}
	s := d.subjects[place]
	if s.dropped == nil || bytes.Compare(session[:], s.dropped) < 0 {
		s.dropped = session[:]
	}
	return true
}
