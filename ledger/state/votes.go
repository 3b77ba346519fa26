package state

import "github.com/framemesh/framemesh/ledger/tx"

func (m *Machine) applyVoteCommit(c *txContext, op *tx.VoteCommit) error {
	return refuse(ErrOperation, "votes are not open yet; wait")
}

func (m *Machine) applyCertificate(c *txContext, op *tx.VoteCertificate) error {
	return refuse(ErrOperation, "votes are not open yet; wait")
}

func (m *Machine) applyFraud(c *txContext, op *tx.FraudProof) error {
	return refuse(ErrOperation, "votes are not open yet; wait")
}

func (m *Machine) applyDoubleVote(c *txContext, op *tx.DoubleVote) error {
	return refuse(ErrOperation, "votes are not open yet; wait")
}

func (m *Machine) cleanVotes(subject []byte) ([]Event, error) { return nil, nil }
