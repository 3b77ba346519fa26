package state

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/tx"
)

// maxSamplesPerBlock is how many samples the fraud proofs of one block may have rendered: one
// proof of the costliest kind, 128 tiles of the largest size, which is about half a second
// of a processor core; or many of the others, which are one tile. More wait for the next
// block. A pool counts the same, so it never holds more of them than a block can judge.
const maxSamplesPerBlock = 1 << 23

// FraudID names a fraud proof: the SHA-256 of kind (4) ‖ subject (32) ‖ epoch (8) ‖ length
// of the statement (4) ‖ statement ‖ evidence, integers big-endian.
func FraudID(op *tx.FraudProof) [32]byte {
	h := sha256.New()
	h.Write(u32(op.GetKind()))
	h.Write(op.GetSubject())
	h.Write(u64(op.GetEpoch()))
	h.Write(u32(uint32(len(op.GetStatement()))))
	h.Write(op.GetStatement())
	h.Write(op.GetEvidence())
	return [32]byte(h.Sum(nil))
}

// applyFraud judges what somebody says to prove, or keeps it for a committee where it does
// not recompute: a wrong segment is shown by replaying a session. The statement is the
// accused's, as its signature shows, which is verified with the transaction's or, of a match,
// with the seal. The same proof counts once; another proof of the same statement
// is another, or a false one could shut out the true one.
//
// The order makes work expensive for who asks for it: who signs can pay, the signatures are
// right, forms and digests fit, nobody was convicted of the same before, the reporter has
// the bond that a false proof costs, and only then tiles are rendered. A fork, on which
// transactions are only tried, never renders: it holds the bond instead, so that a pool
// admits no more proofs than can be paid for.
func (m *Machine) applyFraud(c *txContext, op *tx.FraudProof) error {
	subject := key.Node(op.GetSubject())
	if _, ok, err := m.node(subject); err != nil {
		return err
	} else if !ok {
		return refuse(ErrAccused, "%s; nobody has anything to lose there", subject)
	}
	if op.GetEpoch() > m.head.Epoch || op.GetEpoch()+KeptEpochs < m.head.Epoch {
		return refuse(ErrVoteEpoch, "%d, it is %d; report within %d epochs", op.GetEpoch(), m.head.Epoch, KeptEpochs)
	}
	id := FraudID(op)
	if b, err := m.overlay.Get(FraudKey(id)); err != nil {
		return err
	} else if b != nil {
		return refuse(ErrReported, "%x; wait for the judgement", id[:8])
	}
	if err := m.cleanLater(cleanFraud, id[:]); err != nil {
		return err
	}
	f := Fraud{op.GetKind(), subject, op.GetEpoch(), c.Account, m.head.Height}
	if err := m.overlay.Set(FraudKey(id), f.Encode()); err != nil {
		return err
	}
	if op.GetKind() == tx.FraudSegment {
		c.emit("fraud_reported", "proof", hex.EncodeToString(id[:]), "kind", f.Kind, "subject", subject,
			"epoch", f.Epoch, "reporter", c.Account)
		return nil
	}
	return m.judgeFraud(c, op, f, id)
}

func (m *Machine) judgeFraud(c *txContext, op *tx.FraudProof, f Fraud, id [32]byte) error {
	if m.kernel == nil || m.matcher == nil {
		return fmt.Errorf("%w: fraud proofs cannot be judged without a kernel and the rules of matches", ErrState)
	}
	var bad error
	facts := m.matchFacts()
	rules := proof.Rules{Chain: m.network.Chain, Kernel: m.kernel, Matcher: m.matcher, Facts: facts, Seed: func(epoch uint64) ([32]byte, bool) {
		seed, ok, err := ReadSeed(m.overlay, epoch)
		if err != nil {
			bad = err
		}
		return seed, ok && err == nil
	}}
	held, err := proof.Prepare(rules, op)
	if bad != nil || facts.bad != nil {
		return errors.Join(bad, facts.bad)
	}
	if err != nil {
		return refuse(ErrInnocent, "%v; rerun it with `framemesh proof verify`", err)
	}
	if err := m.firstTime(held.Name(), f.Subject); err != nil {
		return err
	}
	if held.Samples() > 0 {
		if err := m.mayRender(c, held.Samples()); err != nil || m.quiet {
			return err
		}
	}
	if m.quiet {
		return nil
	}
	conviction, err := held.Judge()
	if facts.bad != nil {
		return facts.bad
	}
	if errors.Is(err, proof.ErrOld) {
		return refuse(ErrInnocent, "%v; report within %d epochs, and after the blocks that it names", err, MatchEpochs)
	}
	if err != nil {
		c.forfeit = m.params.AppealBond
		return refuse(ErrInnocent, "%v; rerun it with `framemesh proof verify`", err)
	}
	if conviction.Name != held.Name() { // what it convicts of was not known before
		if err := m.firstTime(conviction.Name, f.Subject); err != nil {
			return err
		}
	}
	if err := m.overlay.Set(GuiltKey(conviction.Name), f.Encode()); err != nil {
		return err
	}
	return m.convict(c, f, conviction, id)
}

// firstTime refuses a deed that somebody was convicted of before.
func (m *Machine) firstTime(deed [32]byte, who key.Node) error {
	b, err := m.overlay.Get(GuiltKey(deed))
	if err == nil && b != nil {
		err = refuse(ErrPunished, "%s was convicted of this before; another deed needs another proof", who)
	}
	return err
}

// mayRender refuses a proof that this block has no time for, or whose reporter could not pay
// for it should it be false: every node renders it.
func (m *Machine) mayRender(c *txContext, samples uint64) error {
	if m.samples+samples > maxSamplesPerBlock {
		return refuse(ErrProofs, "%d samples are rendered in this block already; send it again", m.samples)
	}
	bond := m.params.AppealBond
	if m.quiet {
		if err := m.move(balanceOf(c.Account), poolOf(economics.PoolReserve), bond); err != nil {
			return err
		}
	} else if a, err := m.account(c.Account); err != nil {
		return err
	} else if a.Balance < bond {
		return refuse(ErrFunds, "%s has %s %s; a fraud proof needs %s, which a true one does not cost",
			c.Account, amount.Amount(a.Balance), Symbol, amount.Amount(bond))
	}
	m.samples += samples
	return nil
}

// convict punishes who was proven guilty, at once: anybody can recompute it. The reporter
// gets the part of the slash that else goes to the checkers, unless it reports itself.
func (m *Machine) convict(c *txContext, f Fraud, v proof.Conviction, id [32]byte) error {
	offence := v.Offence
	byChecker := offence == economics.OffenceEquivocation
	if v.Reason == proof.ReasonWork || v.Reason == proof.ReasonSawWrong {
		offence, byChecker = economics.OffenceVote, true
	}
	epoch := v.Epoch
	if f.Kind == tx.FraudSecond {
		epoch = m.head.Epoch // a second of a session stands in no epoch; it is known from now on
	}
	c.emit("fraud_proven", "proof", hex.EncodeToString(id[:]), "kind", f.Kind, "node", v.Guilty, "epoch", epoch,
		"reason", uint32(v.Reason), "offence", offence.String(), "reporter", c.Account)
	n, ok, err := m.node(v.Guilty)
	if err != nil || !ok {
		return err
	}
	reporter := c.Account
	if reporter == n.Owner {
		reporter = key.Address{}
	}
	events, err := m.slashFor(v.Guilty, offence, loot{reporter: reporter}, m.network.Supply)
	if err != nil {
		return err
	}
	c.events = append(c.events, events...)

	remark := Verdict{Epoch: epoch, Verdict: VerdictConvicted, Reason: uint32(v.Reason), Evidence: id}
	if f.Kind == tx.FraudMatch {
		return m.remarkIndexer(v.Guilty, remark)
	}
	if byChecker {
		if err := m.dropWeight(epoch, RewardChecker, v.Guilty); err != nil {
			return err
		}
		return m.disgrace(c, v.Guilty, remark)
	}
	for _, class := range []RewardClass{RewardEdge, RewardEnterprise} {
		if err := m.dropWeight(epoch, class, v.Guilty); err != nil {
			return err
		}
	}
	s, err := m.standing(v.Guilty)
	if err != nil {
		return err
	}
	s.RPMilli, s.Rounds, s.ProvenUntil, s.Slow, s.Busy = 0, nil, 0, 0, 0
	s.GuiltyUntil = max(s.GuiltyUntil, epoch+1)
	s.LastEpoch, s.LastVerdict, s.LastReason, s.Evidence = max(s.LastEpoch, epoch), VerdictConvicted, uint32(v.Reason), id
	return m.remark(v.Guilty, s, remark)
}

// disgrace suspends a checker whose vote recomputation contradicts: that is worth as many
// wrong answers as it takes.
func (m *Machine) disgrace(c *txContext, n key.Node, v Verdict) error {
	conduct, err := m.conduct(n)
	if err != nil {
		return err
	}
	if err := m.remarkChecker(n, conduct, v); err != nil {
		return err
	}
	for range economics.WrongLimit {
		if err := m.wrong(c, n, Verdict{Epoch: m.head.Epoch, Reason: v.Reason, Evidence: v.Evidence}); err != nil {
			return err
		}
	}
	return nil
}
