package state

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/tx"
)

// panel is who may certify a batch: the committee, its reserve, or an appeal's.
type panel struct {
	containers []key.Node
	members    []key.Node // by their places: the bits of a result and of a certificate
	quorum     int        // attestations that make a certificate
}

// applyCertificate judges what a committee found. The result is about a batch that the seed
// drew, in its order; a majority of the committee, or of the reserve once its turn has come,
// attests it. The first such certificate counts for good, whoever brings it: the fee comes
// back to its sender with a small reward.
func (m *Machine) applyCertificate(c *txContext, op *tx.VoteCertificate) error {
	if err := m.voteEpoch(op.GetEpoch()); err != nil {
		return err
	}
	k := CertificateKey(op.GetEpoch(), op.GetBatch())
	if b, err := m.overlay.Get(k); err != nil {
		return err
	} else if b != nil {
		return refuse(ErrCertified, "batch %d of epoch %d; the first one counts", op.GetBatch(), op.GetEpoch())
	}
	res, err := proof.DecodeResult(op.GetResult())
	if err != nil {
		return refuse(ErrResult, "%v; send what the committee attested", err)
	}
	if res.Epoch != op.GetEpoch() || res.Batch != op.GetBatch() {
		return refuse(ErrResult, "it is about batch %d of epoch %d; send it under these", res.Batch, res.Epoch)
	}
	var appeal [32]byte
	var p panel
	if op.GetBatch()&appealBit != 0 {
		p, appeal, err = m.appealPanel(res)
	} else {
		p, err = m.roundPanel(res)
	}
	if err != nil {
		return err
	}
	if len(res.Entries) != len(p.containers) {
		return refuse(ErrResult, "%d entries on %d containers; one for each, in the batch's order", len(res.Entries), len(p.containers))
	}
	if (res.Correct|res.Wrong)>>len(p.members) != 0 {
		return refuse(ErrResult, "it names a member beyond the %d that were drawn", len(p.members))
	}
	for i := range res.Entries {
		if res.Entries[i].Found>>len(p.members) != 0 {
			return refuse(ErrResult, "entry %d was found by a member beyond the %d that were drawn", i+1, len(p.members))
		}
	}
	if res.Attempt == 0 && !settled(res) {
		return refuse(ErrResult, "it settles nothing; the reserve tries again")
	}
	signers, err := m.attested(c.Tx, op, p)
	if err != nil {
		return err
	}
	if err := m.cleanLater(cleanCertificatesOf, u64(op.GetEpoch())); err != nil {
		return err
	}
	cert := Certificate{sha256.Sum256(op.GetResult()), c.Account, m.head.Height, uint8(len(signers)), uint8(res.Attempt)}
	if err := m.overlay.Set(k, cert.Encode()); err != nil {
		return err
	}
	reward, err := m.rewardCertificate(c.Account)
	if err != nil {
		return err
	}
	c.emit("certificate_judged", "epoch", op.GetEpoch(), "batch", op.GetBatch(), "attempt", res.Attempt,
		"result", hex.EncodeToString(cert.Result[:]), "submitter", c.Account, "signers", len(signers), "reward", reward)
	if op.GetBatch()&appealBit != 0 {
		if err := m.answerAppeal(c, appeal, res.Entries[0].Verdict); err != nil {
			return err
		}
		return m.reranCheckers(c, res, signers)
	}
	for i, n := range p.containers {
		if err := m.judged(c, res, n, &res.Entries[i], p.members, signers); err != nil {
			return err
		}
	}
	return m.judgedCheckers(c, res, p.members)
}

// settled says whether there was a quorum on any container.
func settled(res *proof.Result) bool {
	return slices.ContainsFunc(res.Entries, func(e proof.Entry) bool { return e.Verdict != proof.VerdictNone })
}

// roundPanel finds the batch and who may speak for it.
func (m *Machine) roundPanel(res *proof.Result) (panel, error) {
	p := panel{quorum: int(m.params.ProofN) + 1}
	a, err := m.assignment(res.Epoch)
	if err != nil {
		return p, err
	}
	if int(res.Batch) >= len(a.Batches) {
		return p, refuse(ErrBatch, "number %d of epoch %d, which has %d", res.Batch, res.Epoch, len(a.Batches))
	}
	batch := a.Batches[res.Batch]
	p.containers, p.members = batch.Containers, batch.Committee
	if res.Attempt == 0 {
		return p, nil
	}
	p.members = batch.Reserve
	if from := m.times(res.Epoch).AttestBy; m.head.TimeMS < from {
		return p, refuse(ErrEarly, "until %s it is the committee's; wait for it", clock(from))
	}
	return p, nil
}

// appealPanel finds the accusation that an epoch's wider committee answers.
func (m *Machine) appealPanel(res *proof.Result) (p panel, id [32]byte, err error) {
	all, err := ReadAppeals(m.overlay, res.Epoch)
	if err != nil {
		return p, id, err
	}
	at := slices.IndexFunc(all, func(a Appealed) bool { return a.Batch == res.Batch })
	if at < 0 || res.Attempt != 0 {
		return p, id, refuse(ErrBatch, "no appeal %d in epoch %d, attempt %d", res.Batch, res.Epoch, res.Attempt)
	}
	if res.Correct|res.Wrong != 0 {
		return p, id, refuse(ErrResult, "the result of an appeal names members; who attests it was right")
	}
	for i := range res.Entries {
		if res.Entries[i].Found != 0 {
			return p, id, refuse(ErrResult, "the result of an appeal names who found it; who attests it has found it")
		}
	}
	id = all[at].Accusation
	a, ok, err := ReadAccusation(m.overlay, id)
	if err != nil {
		return p, id, err
	}
	if !ok {
		return p, id, refuse(ErrBatch, "the accusation of appeal %d is not there any more", res.Batch)
	}
	members, err := m.appealCommittee(res.Epoch, id, a)
	return panel{[]key.Node{a.Node}, members, 2*int(m.params.ProofN) + 2}, id, err
}

// attested are the signers that count, rising by key: members of the panel in good standing,
// enough of them. One that lost its standing since it was drawn counts nothing and spoils
// nothing, or a member could undo its colleagues' work by leaving. The signatures are verified
// last, when nothing else is left to refuse.
func (m *Machine) attested(t *tx.Tx, op *tx.VoteCertificate, p panel) ([]key.Node, error) {
	if n := op.Attested(); n < p.quorum || n > tx.MaxAttestations {
		return nil, refuse(ErrQuorum, "%d attest, %d to %d are needed; collect more", n, p.quorum, tx.MaxAttestations)
	}
	if op.GetSigners()>>len(p.members) != 0 {
		return nil, refuse(ErrMember, "it names a place beyond the %d that were drawn; leave its attestation out", len(p.members))
	}
	signers := make([]key.Node, 0, op.Attested())
	for i, n := range p.members {
		if op.GetSigners()>>i&1 == 0 {
			continue
		}
		switch _, err := m.checker(n); {
		case err == nil:
			signers = append(signers, n)
		case !errors.Is(err, ErrChecker):
			return nil, err
		}
	}
	if len(signers) < p.quorum {
		return nil, refuse(ErrQuorum, "%d of those who attest are checkers in good standing, %d are needed; collect more", len(signers), p.quorum)
	}
	if err := m.verifyAttested(t, op, p.members); err != nil {
		return nil, refuse(ErrEvidence, "%v; have it signed again for this network", err)
	}
	slices.SortFunc(signers, compareNodes)
	return signers, nil
}

// verifyAttested asks who remembers, or else does all the work.
func (m *Machine) verifyAttested(t *tx.Tx, op *tx.VoteCertificate, members []key.Node) error {
	if m.attests != nil {
		return m.attests.VerifyBy(t, members)
	}
	return op.VerifyBy(m.network.Chain, members)
}

// rewardCertificate gives the fee of this transaction back, which was burned a moment ago,
// and certificate_reward as far as penalties reach, or else the grants: no base unit comes
// from anywhere else.
func (m *Machine) rewardCertificate(to key.Address) (uint64, error) {
	if err := m.unburn(to, m.params.TxFee); err != nil {
		return 0, err
	}
	var paid uint64
	for _, pool := range []economics.Pool{economics.PoolPenalties, economics.PoolGrants} {
		v := min(m.params.CertificateReward-paid, m.totals.Pools[pool])
		if err := m.move(poolOf(pool), balanceOf(to), v); err != nil {
			return 0, err
		}
		paid += v
	}
	return paid, nil
}
