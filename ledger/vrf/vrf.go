// Package vrf is the lottery of the block proposers: a verifiable random function on
// Ed25519 keys (ECVRF-EDWARDS25519-SHA512-ELL2 of RFC 9381). A proposer cannot choose its
// output, only compute it; everybody else checks the proof. It knows nothing of blocks
// beyond the layout of what is put in.
package vrf

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519/extra/ecvrf"
)

// Sizes in bytes.
const (
	ProofSize  = ecvrf.ProofSize  // of a proof: 32 of a point, 16 of a challenge, 32 of a scalar
	OutputSize = ecvrf.OutputSize // of the output
	KeySize    = ed25519.PublicKeySize
)

// Errors of this package.
var (
	ErrProof = errors.New("vrf: proof does not hold")
	ErrKey   = errors.New("vrf: no usable key")
)

// PrivateKey proves. Its zero value proves nothing; take one from GenerateKey or Load.
type PrivateKey struct {
	secret ed25519.PrivateKey
}

// PublicKey is what the ledger registers for a validator.
type PublicKey [KeySize]byte

// Public is the other half of k.
func (k PrivateKey) Public() (p PublicKey) {
	copy(p[:], k.secret[len(k.secret)-KeySize:])
	return p
}

// Prove computes the proof for alpha. The same key and alpha always give the same proof.
// It panics on the zero PrivateKey, which is a defect of the caller.
func Prove(k PrivateKey, alpha []byte) (proof [ProofSize]byte) {
	copy(proof[:], ecvrf.Prove(k.secret, alpha))
	return proof
}

// Verify checks that proof is the one of the key p for alpha and returns its output. The
// key must be in its canonical form and not of small order, so that no key has two outputs
// for one alpha. It wraps ErrProof.
func Verify(p PublicKey, alpha, proof []byte) (out [OutputSize]byte, err error) {
	if len(proof) != ProofSize {
		return out, fmt.Errorf("%w: %d bytes, not %d", ErrProof, len(proof), ProofSize)
	}
	ok, beta := ecvrf.Verify(p[:], proof, alpha)
	if !ok {
		return out, fmt.Errorf("%w for key %x", ErrProof, p[:8])
	}
	copy(out[:], beta)
	return out, nil
}

// Alpha is what a proposer proves at one height: the length of the domain
// framemesh/<chain>/vrf/1 as an unsigned varint, the domain, the height (8 bytes, big
// endian), the seed before this block. Chains and heights never share an input.
func Alpha(chain string, height uint64, seed [32]byte) []byte {
	domain := "framemesh/" + chain + "/vrf/1"
	out := binary.AppendUvarint(make([]byte, 0, 2+len(domain)+8+len(seed)), uint64(len(domain)))
	out = append(out, domain...)
	out = binary.BigEndian.AppendUint64(out, height)
	return append(out, seed[:]...)
}
