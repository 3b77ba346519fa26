package round

import (
	"crypto/sha256"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/tx"
)

// accuse brings a fraud proof to the ledger, one for each accused, and returns the digest
// of its proof file. What cannot be proven is not said.
func (r *Round) accuse(f *tx.FraudProof, err error) (todo []Action, digest []byte) {
	if err != nil {
		return nil, nil
	}
	file, err := proof.EncodeFile(proof.FraudFile(r.s.Chain, r.epoch, r.seed, f))
	if err != nil {
		return nil, nil
	}
	sum := sha256.Sum256(file)
	accused := key.Node(f.GetSubject())
	if r.accused[accused] {
		return nil, sum[:]
	}
	r.accused[accused] = true
	return []Action{Fraud{accused, f, file}}, sum[:]
}

// Convicted says that the ledger accepted a fraud proof of this epoch: what it shows
// outweighs votes.
func (r *Round) Convicted(f *tx.FraudProof) {
	if f.GetEpoch() != r.epoch {
		return
	}
	r.accused[key.Node(f.GetSubject())] = true
	if f.GetKind() == proof.FraudWork {
		r.refuted = append(r.refuted, sha256.Sum256(f.GetStatement()))
		return
	}
	if file, err := proof.EncodeFile(proof.FraudFile(r.s.Chain, r.epoch, r.seed, f)); err == nil {
		r.proven = append(r.proven, sha256.Sum256(file))
	}
}

// convict finds a container bad, for this reason and by this proof.
func (r *Round) convict(s *subject, why proof.Reason) func(*tx.FraudProof, error) []Action {
	return func(f *tx.FraudProof, err error) []Action {
		todo, digest := r.accuse(f, err)
		if digest == nil {
			digest = s.commit.Digest[:]
		}
		s.verdict, s.reason, s.evidence = proof.VerdictBad, why, digest
		return todo
	}
}
