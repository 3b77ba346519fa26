package judge

import (
	"bytes"
	"math/bits"

	"github.com/framemesh/framemesh/ledger/proof"
)

// dropped is the session from which a container went, by at least a quorum of members that
// name the same one, and who they are, as bits by place; nil for none. It says nothing about the
// round: a container may commit and then go. Of several sessions the one that most name counts,
// of as many the smallest. Those who name it answer for it: others who attest the result attest
// what votes come to.
func (j *judgement) dropped(i int) (best []byte, found uint64) {
	for _, b := range j.ballots {
		s := b.findings[i].GetDropped()
		if len(s) == 0 {
			continue
		}
		by := j.naming(i, s)
		count, most := bits.OnesCount64(by), bits.OnesCount64(found)
		if count >= j.Params.Quorum() && (count > most || count == most && bytes.Compare(s, best) < 0) {
			best, found = s, by
		}
	}
	return best, found
}

// naming are the members who say that the container went from this session, as bits by place.
func (j *judgement) naming(i int, session []byte) (by uint64) {
	for _, b := range j.ballots {
		if bytes.Equal(b.findings[i].GetDropped(), session) {
			by |= 1 << b.member
		}
	}
	return by
}

// Missed says whether a panel's watches show that a container was gone: more than half of all
// who were drawn for it, the reserve included, heard nothing. Answered says that so many heard
// it that they cannot all be lying: 2N + 1, since N may be in the committee and N in its reserve. Watches count once for
// each member; those of others count nothing. asked is the whole panel.
func Missed(asked [][32]byte, watches []*proof.Opened, container [32]byte, session [16]byte, epoch uint64, p Params) (missed, answered bool) {
	silent, heard := 0, 0
	for _, member := range asked {
		for _, o := range watches {
			w := o.Statement.GetWatch()
			if w == nil || o.Signer != member || w.GetEpoch() != epoch || !bytes.Equal(w.GetContainer(), container[:]) || !bytes.Equal(w.GetSession(), session[:]) {
				continue
			}
			if w.GetAnswered() > 0 {
				heard++
			} else {
				silent++
			}
			break
		}
	}
	return 2*silent > len(asked), heard >= p.Members()
}
