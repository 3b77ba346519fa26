package state

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/tx"
)

// Codes from 60: votes and evidence.
var (
	ErrChecker   = rule(60, "checker", "not a checker that may vote")
	ErrVoteEpoch = rule(61, "vote_epoch", "the epoch is not open for votes")
	ErrVoted     = rule(62, "voted", "the checker has voted on it")
	ErrCertified = rule(63, "certified", "the batch has a certificate")
	ErrQuorum    = rule(64, "quorum", "too few checkers")
	ErrAccused   = rule(65, "accused", "the accused is not registered")
	ErrReported  = rule(66, "reported", "reported before")
	ErrPunished  = rule(67, "punished", "punished before")
	ErrNoOffence = rule(68, "no_offence", "that is no offence")
	ErrBatch     = rule(69, "batch", "no such batch was drawn")
	ErrResult    = rule(70, "result", "not a result of that batch")
	ErrMember    = rule(71, "member", "not drawn for the batch")
	ErrEarly     = rule(72, "early", "it is not the reserve's turn yet")
	ErrInnocent  = rule(73, "innocent", "the proof convicts nobody")
	ErrProofs    = rule(74, "proofs", "too many proofs wait to be recomputed")
	ErrNoAppeal  = rule(75, "no_appeal", "no such accusation can be appealed")
)

// KeptEpochs is for how long votes, certificates and fraud proofs can be looked up: 30 days
// of 900 s epochs. The blocks keep them as long as blocks are kept.
const KeptEpochs = 2_880

// cleanedVotes is how many records one piece of due work takes away.
const cleanedVotes = 200

// Subjects of dueVoteCleanup: an epoch's votes, its certificates, one fraud proof, or
// the figures of one node that left.
const (
	cleanVotesOf        = 1
	cleanCertificatesOf = 2
	cleanFraud          = 3
	cleanFiguresOf      = 4
)

// voteEpoch refuses an epoch that is neither the current one nor the one before.
func (m *Machine) voteEpoch(epoch uint64) error {
	if now := m.head.Epoch; epoch > now || epoch+1 < now {
		return refuse(ErrVoteEpoch, "%d, it is %d; vote in the same epoch or the next", epoch, now)
	}
	return nil
}

// checker refuses a node that is no checker in good standing.
func (m *Machine) checker(id key.Node) (Node, error) {
	n, ok, err := m.node(id)
	if err != nil {
		return n, err
	}
	if !ok || !n.Roles.Has(economics.RoleChecker) {
		return n, refuse(ErrChecker, "%s is not registered as a checker; register it first", id)
	}
	s, err := m.stake(id)
	if err != nil {
		return n, err
	}
	if !m.active(&n, s) {
		return n, refuse(ErrChecker, "%s lacks the stake its roles need, or is jailed; stake more", id)
	}
	return n, nil
}

// applyVoteCommit binds a checker to a vote. The signer is the checker's own node key: an
// account with several checkers says by it which one votes.
func (m *Machine) applyVoteCommit(c *txContext, op *tx.VoteCommit) error {
	id := key.Node(c.Signer)
	n, err := m.checker(id)
	if err != nil {
		return err
	}
	if !c.actsFor(id, n.Owner) {
		return refuse(ErrChecker, "%s belongs to %s; let that account delegate to it", id, n.Owner)
	}
	if err := m.voteEpoch(op.GetEpoch()); err != nil {
		return err
	}
	k := VoteKey(op.GetEpoch(), op.GetBatch(), id)
	if b, err := m.overlay.Get(k); err != nil {
		return err
	} else if b != nil {
		return refuse(ErrVoted, "%s on batch %d of epoch %d; reveal that vote", id, op.GetBatch(), op.GetEpoch())
	}
	if err := m.cleanLater(cleanVotesOf, u64(op.GetEpoch())); err != nil {
		return err
	}
	v := Vote{[32]byte(op.GetDigest()), m.head.Height}
	c.emit("vote", "checker", id, "epoch", op.GetEpoch(), "batch", op.GetBatch(), "digest", hex.EncodeToString(v.Digest[:]))
	return m.overlay.Set(k, v.Encode())
}

// applyDoubleVote punishes a checker for two results on one question. Both signatures are
// verified with the transaction's, so there is nothing to judge.
func (m *Machine) applyDoubleVote(c *txContext, op *tx.DoubleVote) error {
	id := key.Node(op.GetChecker())
	if string(op.GetResultA()) == string(op.GetResultB()) {
		return refuse(ErrNoOffence, "both votes say the same; show two that differ")
	}
	if _, ok, err := m.node(id); err != nil {
		return err
	} else if !ok {
		return refuse(ErrAccused, "%s; nobody has anything to lose there", id)
	}
	s, err := m.stake(id)
	if err != nil {
		return err
	}
	if s.Tombstoned {
		return refuse(ErrPunished, "%s is out for good; there is nothing more to take", id)
	}
	events, err := m.slash(id, economics.OffenceEquivocation, key.Address{}, m.network.Supply)
	if err != nil {
		return err
	}
	c.emit("double_vote", "checker", id, "epoch", op.GetEpoch(), "batch", op.GetBatch(), "reporter", c.Account)
	c.events = append(c.events, events...)
	return nil
}

// cleanLater asks for records to go when nobody needs them any more.
func (m *Machine) cleanLater(what byte, subject []byte) error {
	at := m.head.Epoch
	if what != cleanFraud {
		at = binary.BigEndian.Uint64(subject) // votes of one epoch go together
	}
	return m.schedule(at+KeptEpochs, dueVoteCleanup, with("", []byte{what}, subject))
}

// cleanVotes takes old votes away, some at a time.
func (m *Machine) cleanVotes(subject []byte) ([]Event, error) {
	bad := fmt.Errorf("%w: votes that are due to go", ErrRecord)
	if len(subject) == 0 {
		return nil, bad
	}
	what, rest := subject[0], subject[1:]
	prefix := prefixVote
	switch {
	case what == cleanFraud && len(rest) == 32:
		return nil, m.overlay.Delete(FraudKey([32]byte(rest)))
	case what == cleanFiguresOf && len(rest) == 32:
		return nil, m.cleanFigures(key.Node(rest))
	case what == cleanCertificatesOf && len(rest) == 8:
		prefix = prefixCertificate
	case what == cleanVotesOf && len(rest) == 8:
	default:
		return nil, bad
	}
	from := with(prefix, rest)
	var old [][]byte
	err := m.overlay.Range(from, prefixEnd(from), func(k, _ []byte) bool {
		old = append(old, append([]byte(nil), k...))
		return len(old) < cleanedVotes
	})
	if err != nil {
		return nil, err
	}
	for _, k := range old {
		if err := m.overlay.Delete(k); err != nil {
			return nil, err
		}
	}
	if len(old) == cleanedVotes {
		return nil, m.schedule(m.head.Epoch, dueVoteCleanup, subject)
	}
	return nil, nil
}
