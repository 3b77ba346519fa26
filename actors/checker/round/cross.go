package round

import (
	"bytes"
	"encoding/binary"

	"github.com/framemesh/framemesh/ledger/proof"
)

// Whoever votes on tiles must have rendered them. Once votes are revealed, so are nonces,
// and a member that holds a container's roots can render the tiles that another claims to
// have rendered: a vote that was copied, or made up, is proven false.

// cross draws which of the others' work is rendered again.
func (r *Round) cross(d *duty) (todo []Action) {
	for _, m := range d.members {
		b := d.ballots[m]
		if m == r.me || b.vote == nil || r.peers[m].nonce == nil {
			continue
		}
		nonce := [32]byte(r.peers[m].nonce.Statement.GetNonce().GetNonce())
		for _, f := range b.vote.Statement.GetVote().GetFindings() {
			if int(f.GetContainer()) >= len(d.subjects) || len(f.GetWork()) == 0 {
				continue
			}
			s := d.subjects[f.GetContainer()]
			if s.roots == nil || !bytes.Equal(f.GetCommit(), s.commit.Digest[:]) || !r.chance(d.batch, f.GetContainer(), m[:]) {
				continue
			}
			c := s.commit.Statement.GetCommit()
			tiles, _, _ := r.s.Kernel.Shape(c.GetSize())
			picks := r.s.Kernel.Picks(nonce, s.commit.Digest, c.GetFrames(), tiles, r.s.Params.K)
			if int(f.GetTiles()) > len(picks) {
				continue
			}
			todo = append(todo, Verify{&Job{Container: s.node, Checker: m, kernel: r.s.Kernel, task: r.s.Assignment.Task,
				size: c.GetSize(), roots: s.roots, picks: picks[:f.GetTiles()], vote: b.vote, finding: f}})
		}
	}
	return todo
}

// chance draws, in a way nobody else can foresee, whether to look at a member's word.
func (r *Round) chance(batch, container uint32, member []byte) bool {
	lot := r.derive("cross"+string(member), batch, container)
	return binary.BigEndian.Uint64(lot[:])%1_000_000 < r.s.CrossPPM
}

// crossed takes what rendering another's tiles again showed.
func (r *Round) crossed(found Checked) []Action {
	j := found.Job
	d, place, ok := r.subject(j.Container)
	if found.Err != nil || !ok || bytes.Equal(found.Work[:], j.finding.GetWork()) {
		return nil
	}
	s := d.subjects[place]
	nth := 0
	for i, f := range j.vote.Statement.GetVote().GetFindings() {
		if f.GetContainer() == j.finding.GetContainer() {
			nth = i
		}
	}
	todo, _ := r.accuse(proof.WorkFraud(j.vote, nth, s.commit, s.roots, r.peers[j.Checker].nonce, nil))
	return todo
}
