package proof

import (
	"encoding/binary"
	"fmt"

	"github.com/framemesh/framemesh/ledger/economics"
)

// pairKind says which kind of fraud a second statement on the same question is.
func pairKind(o *Opened) (uint32, error) {
	switch o.Kind() {
	case KindCapCommit:
		return FraudCommits, nil
	case KindSegCommit:
		return FraudSeconds, nil
	case KindNonceCommit, KindNonce, KindVoteCommit, KindVote:
		return FraudVotes, nil
	}
	return 0, fmt.Errorf("%w: two statements of kind %s may stand side by side", ErrKind, o.Kind())
}

// pair: two statements where one is allowed. There is nothing to render.
func (r Rules) pair(kind uint32, o *Opened, evidence []byte) (*Case, error) {
	var e PairEvidence
	if err := decode(evidence, shapePair(), &e); err != nil {
		return nil, err
	}
	other, err := r.inside("other", e.GetOther())
	if err != nil {
		return nil, err
	}
	if k, err := pairKind(o); err != nil {
		return nil, err
	} else if k != kind {
		return nil, fmt.Errorf("%w: two statements of kind %s are a fraud of kind %d", ErrKind, o.Kind(), k)
	}
	switch {
	case other.Signer != o.Signer:
		return nil, innocent("two nodes signed the two statements")
	case other.Digest == o.Digest:
		return nil, innocent("it is the same statement twice")
	case o.question() != other.question():
		return nil, innocent("the two statements answer two questions")
	}
	epoch, _ := o.Epoch()
	c := conviction(o.Signer, epoch, economics.OffenceForged, ReasonTwoCommits)
	switch kind {
	case FraudSeconds:
		c = conviction(o.Signer, 0, economics.OffenceForged, ReasonTwoSeconds)
		s := o.Statement.GetSegment()
		c.Name = name(o.Signer, FraudSeconds, 0, s.GetSession())
	case FraudVotes:
		c = conviction(o.Signer, epoch, economics.OffenceEquivocation, ReasonTwoVotes)
	}
	return &Case{conviction: c}, nil
}

// question is what a statement answers: a node may answer each only once.
func (o *Opened) question() string {
	q := []byte{byte(o.Kind())}
	epoch, _ := o.Epoch()
	q = binary.BigEndian.AppendUint64(q, epoch)
	switch s := o.Statement.GetSays().(type) {
	case *Statement_VoteCommit:
		q = binary.BigEndian.AppendUint32(q, s.VoteCommit.GetBatch())
		q = binary.BigEndian.AppendUint32(q, s.VoteCommit.GetAttempt())
	case *Statement_Vote:
		q = binary.BigEndian.AppendUint32(q, s.Vote.GetBatch())
		q = binary.BigEndian.AppendUint32(q, s.Vote.GetAttempt())
	case *Statement_Segment:
		q = append(q, s.Segment.GetSession()...)
		q = binary.BigEndian.AppendUint32(q, s.Segment.GetSecond())
	}
	return string(q)
}
