package tx

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/ledger/key"
)

// MaxSize bounds a transaction on the wire, in bytes.
const MaxSize = 64 << 10

// Errors of this package. What Decode and Verify return wraps one of them.
var (
	ErrTooLarge  = errors.New("tx: too large")
	ErrEncoding  = errors.New("tx: not encoded as the specification says")
	ErrOperation = errors.New("tx: no such operation, or none")
	ErrField     = errors.New("tx: a field is out of range")
	ErrDelegate  = errors.New("tx: only the account itself may do this")
	ErrSignature = errors.New("tx: wrong signature")
	ErrEvidence  = errors.New("tx: a signature inside is wrong")
)

// Tx is a transaction as it came, decoded. Decode and Sign make it; its fields are not to
// be changed.
type Tx struct {
	Raw     []byte      // marshalled Signed
	Hash    [32]byte    // SHA-256 of Raw: the name of the transaction
	Body    *Body       // decoded from the bytes that are signed
	Signer  key.Address // whose nonce counts
	Account key.Address // for whom: the signer, or the account that delegated to it

	signed    []byte // the body's bytes, inside Raw
	signature []byte // inside Raw

	// What verifiers have found out. The copies of a transaction that one node holds are one
	// Tx, so these are written and read by many goroutines.
	verified atomic.Pointer[Verifier] // by which the signature is known to be right
	evidence atomic.Pointer[string]   // chain for which the signatures inside are known to be right
}

// Delegated says whether a node key acts for an account.
func (t *Tx) Delegated() bool { return t.Account != t.Signer }

// Name is the operation's name in texts and JSON, such as open_session.
func (t *Tx) Name() string { return Name(t.Body) }

// Decode reads a marshalled Signed. It checks size, encoding and the limits of every
// field, but no signature. Two different inputs that it takes never mean the same
// transaction. The result keeps raw and refers to it.
func Decode(raw []byte) (*Tx, error) {
	if len(raw) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(raw), MaxSize)
	}
	if err := checkEncoding(raw, shapeSigned()); err != nil {
		return nil, err
	}
	signed, signer, signature := envelope(raw)
	switch {
	case len(signer) != key.Size:
		return nil, wrong("signer", "%d bytes, must be %d", len(signer), key.Size)
	case len(signature) != ed25519.SignatureSize:
		return nil, wrong("signature", "%d bytes, must be %d", len(signature), ed25519.SignatureSize)
	}
	if err := checkEncoding(signed, shapeBody()); err != nil {
		return nil, err
	}
	body := payment(signed)
	if body == nil {
		body = new(Body)
		if err := (proto.UnmarshalOptions{RecursionLimit: maxDepth}).Unmarshal(signed, body); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrEncoding, err)
		}
	}
	t := &Tx{
		Raw: raw, Hash: sha256.Sum256(raw), Body: body,
		Signer: key.Address(signer), Account: key.Address(signer),
		signed: signed, signature: signature,
	}
	if a := body.GetAccount(); len(a) != 0 {
		if len(a) != key.Size {
			return nil, wrong("account", "%d bytes, must be %d, or none for the signer's own", len(a), key.Size)
		}
		if t.Account = key.Address(a); t.Account == t.Signer {
			return nil, wrong("account", "is the signer; leave it out")
		}
	}
	if err := t.check(); err != nil {
		return nil, err
	}
	return t, nil
}

// Verify checks the signer's signature for one chain. It returns ErrSignature; signatures
// inside the operation are VerifyEvidence's.
func (t *Tx) Verify(chain string) error {
	if len(t.signature) == 0 || !key.Verify(t.Signer[:], chain, key.KindTx, t.signed, t.signature) {
		return badSignature(t, chain)
	}
	return nil
}

func badSignature(t *Tx, chain string) error {
	return fmt.Errorf("%w: not by %s for the network %s; sign it with that key for this network", ErrSignature, t.Signer, chain)
}

// Sign makes the transaction that says body, for one chain. The result is one that Decode
// takes: limits are checked here, where whoever made the mistake can mend it.
func Sign(chain string, k ed25519.PrivateKey, body *Body) (raw []byte, err error) {
	if len(k) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("%w: a private key has %d bytes, not %d", ErrField, ed25519.PrivateKeySize, len(k))
	}
	payload, err := appendMessage(nil, body.ProtoReflect())
	if err != nil {
		return nil, err
	}
	raw, err = appendMessage(nil, (&Signed{
		Body: payload, Signer: k[ed25519.SeedSize:], Signature: key.Sign(k, chain, key.KindTx, payload),
	}).ProtoReflect())
	if err != nil {
		return nil, err
	}
	if _, err := Decode(raw); err != nil {
		return nil, err
	}
	return raw, nil
}
