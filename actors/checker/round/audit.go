package round

import (
	"crypto/sha256"

	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
)

// Busy is a container that committed to a session instead of frames.
type Busy struct {
	Container key.Node
	Session   [16]byte
	// Segment is the newest second that the container has signed, by its own commitment; nil
	// where it names none, or none of this session.
	Segment *proof.Opened
	// Lot is the same for all members of a committee that heard the same nonces, and known to
	// nobody before the last of them was revealed: it draws which seconds are audited.
	Lot [32]byte
	// Reserve: this checker is in the reserve, which is asked only where the committee does not
	// agree.
	Reserve bool
}

// Busy lists the containers of this checker's batches that are in a session.
func (r *Round) Busy() (all []Busy) {
	for _, d := range r.duties {
		lot := r.lot(d)
		for _, s := range d.subjects {
			if s.commit == nil {
				continue
			}
			named := s.commit.Statement.GetCommit().GetBusy()
			if named == nil || len(named.GetSession()) != proof.SessionSize {
				continue
			}
			h := sha256.Sum256(append(lot[:], s.node[:]...))
			b := Busy{Container: s.node, Session: [16]byte(named.GetSession()), Lot: h, Reserve: d.attempt != 0}
			if o, err := proof.OpenSigned(r.s.Chain, named.GetSegment()); err == nil && o.Signer == s.node &&
				string(o.Statement.GetSegment().GetSession()) == string(named.GetSession()) {
				b.Segment = o
			}
			all = append(all, b)
		}
	}
	return all
}

// lot mixes what the members of a committee or a reserve have revealed, in their order.
func (r *Round) lot(d *duty) [32]byte {
	h := sha256.New()
	h.Write([]byte("framemesh/audit/1"))
	for _, m := range d.members {
		if n := r.peers[m].nonce; n != nil {
			h.Write(n.Statement.GetNonce().GetNonce())
		}
	}
	return [32]byte(h.Sum(nil))
}

// Votes is when this checker makes its vote on a container, in unix ms: what is found out
// later does not go into it. 0 for a container of no batch of its.
func (r *Round) Votes(container key.Node) uint64 {
	d, _, ok := r.subject(container)
	if !ok {
		return 0
	}
	return d.windows.vote
}

// Accuse finds a container bad for what an audit of a session showed, by the digest of what
// shows it. It returns false when the vote is made already, when the container has handed
// in nothing that the finding could be about, or when it is found bad for something else.
func (r *Round) Accuse(container key.Node, why proof.Reason, evidence [32]byte) bool {
	d, place, ok := r.subject(container)
	if !ok || d.vote != nil || !why.OfSession() {
		return false
	}
	s := d.subjects[place]
	if s.commit == nil || s.verdict == proof.VerdictBad {
		return false
	}
	s.verdict, s.reason, s.evidence = proof.VerdictBad, why, evidence[:]
	return true
}

// TwoSeconds takes two commitments of a container for one second of a session, which
// convict it wherever they meet.
func (r *Round) TwoSeconds(container key.Node, a, b *proof.Opened) []Action {
	d, place, ok := r.subject(container)
	x, y := a.Statement.GetSegment(), b.Statement.GetSegment()
	if !ok || a.Signer != container || b.Signer != container || x == nil || y == nil || a.Digest == b.Digest ||
		x.GetSecond() != y.GetSecond() || string(x.GetSession()) != string(y.GetSession()) {
		return nil
	}
	f, err := proof.PairFraud(a, b)
	if err != nil {
		return nil
	}
	todo, digest := r.accuse(f, nil)
	if s := d.subjects[place]; d.vote == nil && s.commit != nil && s.verdict != proof.VerdictBad {
		s.verdict, s.reason, s.evidence = proof.VerdictBad, proof.ReasonTwoSeconds, digest
	}
	return todo
}

// merge puts what a new sample says beside what was known: an audit and what a player saw
// are found out apart from each other.
func merge(had, got *proof.Sample) *proof.Sample {
	switch {
	case had == nil:
		return got
	case got.GetAudit() != proof.AuditNone && got.GetSeconds() == 0:
		all := proto.Clone(had).(*proof.Sample)
		all.Audit, all.AuditedSeconds = got.GetAudit(), got.GetAuditedSeconds()
		if len(all.App) == 0 {
			all.App = got.GetApp()
		}
		return all
	case got.GetAudit() == proof.AuditNone && had.GetAudit() != proof.AuditNone:
		all := proto.Clone(got).(*proof.Sample)
		all.Audit, all.AuditedSeconds = had.GetAudit(), had.GetAuditedSeconds()
		return all
	}
	return got
}
