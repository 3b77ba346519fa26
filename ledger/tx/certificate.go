package tx

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"github.com/framemesh/framemesh/ledger/canonical"
	"github.com/framemesh/framemesh/ledger/key"
)

// ErrPlace is an attestation by a place that the panel does not have.
var ErrPlace = errors.New("tx: the panel has no such place")

// Attestation is what one member of a panel signs about a result.
type Attestation struct {
	Place     int    // in the panel, from 0
	Signature []byte // 64 bytes
}

// Attest signs that the batch of the epoch has this result: a signature of key.KindCertificate
// over VotePayload, for AddAttestation.
func Attest(chain string, node ed25519.PrivateKey, epoch uint64, batch uint32, result []byte) []byte {
	return key.Sign(node, chain, key.KindCertificate, VotePayload(epoch, batch, sha256.Sum256(result)))
}

// VotePayload is what a member signs about a result, as key.KindCertificate: epoch (8 bytes) ‖
// batch (4) ‖ SHA-256 of the result (32), big-endian.
func VotePayload(epoch uint64, batch uint32, result [32]byte) []byte {
	b := make([]byte, 0, 8+4+32)
	b = binary.BigEndian.AppendUint64(b, epoch)
	b = binary.BigEndian.AppendUint32(b, batch)
	return append(b, result[:]...)
}

// AddAttestation enters a member's signature behind those that stand there already. Places come
// in rising order, below MaxMembers; any other is left out, and so is a signature of another
// size: a certificate with it would be none.
func (x *VoteCertificate) AddAttestation(place int, signature []byte) {
	if place < bits.Len64(x.GetSigners()) || place >= MaxMembers || len(signature) != ed25519.SignatureSize {
		return
	}
	x.Signers |= 1 << place
	x.Signatures = append(x.Signatures, signature...)
}

// Attested is how many members attest the result.
func (x *VoteCertificate) Attested() int { return bits.OnesCount64(x.GetSigners()) }

// Attestations are the signatures with the places that they are of, rising. The certificate is
// one that Decode took, or whose parts AddAttestation entered.
func (x *VoteCertificate) Attestations() []Attestation {
	all := make([]Attestation, 0, x.Attested())
	rest := x.GetSignatures()
	for left := x.GetSigners(); left != 0 && len(rest) >= ed25519.SignatureSize; left &= left - 1 {
		all = append(all, Attestation{bits.TrailingZeros64(left), rest[:ed25519.SignatureSize]})
		rest = rest[ed25519.SignatureSize:]
	}
	return all
}

// VerifyBy checks the signatures for one chain by the members of the panel, in its order. It
// returns ErrPlace or ErrEvidence. It costs up to MaxAttestations verifications, so whoever
// sheds load calls it last.
func (x *VoteCertificate) VerifyBy(chain string, panel []key.Node) error {
	payload := VotePayload(x.GetEpoch(), x.GetBatch(), sha256.Sum256(x.GetResult()))
	all := x.Attestations()
	entries := make([]key.Signed, len(all))
	for i, a := range all {
		if a.Place >= len(panel) {
			return fmt.Errorf("%w: number %d, of %d members", ErrPlace, a.Place, len(panel))
		}
		entries[i] = key.Signed{Key: panel[a.Place][:], Kind: key.KindCertificate, Payload: payload, Signature: a.Signature}
	}
	for i, ok := range key.VerifyAll(chain, entries) {
		if !ok {
			return fmt.Errorf("%w: certificate: the attestation of place %d is not by %s", ErrEvidence, all[i].Place, panel[all[i].Place])
		}
	}
	return nil
}

func (x *VoteCertificate) check() error {
	if err := canonical.First(
		within("result", uint64(len(x.GetResult())), 1, MaxResult),
		within("signers", uint64(x.Attested()), 1, MaxAttestations),
		sized("signatures", x.GetSignatures(), x.Attested()*ed25519.SignatureSize),
	); err != nil {
		return err
	}
	if bits.Len64(x.GetSigners()) > MaxMembers {
		return wrong("signers", "names place %d; no panel has more than %d members", bits.Len64(x.GetSigners())-1, MaxMembers)
	}
	return nil
}
