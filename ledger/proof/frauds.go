package proof

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/ledger/tx"
)

// TileFraud proves that a commit holds a wrong tile: the opening leads to the root of its
// frame among roots, and does not recompute.
func TileFraud(commit *Opened, roots [][32]byte, wrong *Opening) (*tx.FraudProof, error) {
	return fraud(FraudTile, commit, &TileEvidence{Roots: join(roots), Opening: wrong})
}

// PathFraud proves that item number item of signed openings does not lead to its root, or
// that their roots are not the commit's.
func PathFraud(openings, commit *Opened, item int) (*tx.FraudProof, error) {
	if item < 0 {
		return nil, wrong("item", "%d; items count from 0", item)
	}
	return fraud(FraudPath, openings, &PathEvidence{Commit: commit.Signed, Item: uint32(item)})
}

// PairFraud proves that one node signed two statements where one is allowed: commits,
// segments, or nonces and votes. Which of the two comes first makes no difference.
func PairFraud(a, b *Opened) (*tx.FraudProof, error) {
	kind, err := pairKind(a)
	if err != nil {
		return nil, err
	}
	if string(b.Digest[:]) < string(a.Digest[:]) { // one form of each pair
		a, b = b, a
	}
	return fraud(kind, a, &PairEvidence{Other: b.Signed})
}

// WorkFraud proves that finding number finding of a vote claims work that was not done; or,
// with an opening, that one of the voter's own picks was wrong where it voted ok. nonce is
// the voter's of that epoch.
func WorkFraud(vote *Opened, finding int, commit *Opened, roots [][32]byte, nonce *Opened, opening *Opening) (*tx.FraudProof, error) {
	if finding < 0 {
		return nil, wrong("finding", "%d; findings count from 0", finding)
	}
	return fraud(FraudWork, vote, &WorkEvidence{
		Finding: uint32(finding), Commit: commit.Signed, Roots: join(roots), Nonce: nonce.Signed, Opening: opening,
	})
}

func fraud(kind uint32, o *Opened, evidence proto.Message) (*tx.FraudProof, error) {
	b, err := encode(evidence)
	if err != nil {
		return nil, err
	}
	if len(b) > MaxEvidence {
		return nil, fmt.Errorf("%w: evidence: %d bytes, at most %d", ErrTooLarge, len(b), MaxEvidence)
	}
	epoch, _ := o.Epoch()
	return &tx.FraudProof{
		Kind: kind, Subject: append([]byte(nil), o.Signer[:]...), Epoch: epoch,
		Statement: o.Signed.GetStatement(), Signature: o.Signed.GetSignature(), Evidence: b,
	}, nil
}
