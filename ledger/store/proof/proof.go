// Package proof checks that a key has a value, or none, in the state that a root names.
// It is all that a light client needs of the store: no database comes with it.
package proof

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"

	ics23 "github.com/cosmos/ics23/go"
)

// Limits of what is looked at, in bytes.
const (
	MaxProof = 64 << 10 // a tree of 2^40 keys needs about 7 KiB beside the values at hand
	MaxKey   = 512
)

// ErrProof is the answer to everything that does not hold.
var ErrProof = errors.New("proof: does not hold")

// empty is the root of the state with no key.
var empty = sha256.Sum256(nil)

// Verify checks that under root key has exactly value, or is absent when value is nil. The
// proof is a marshalled ics23 CommitmentProof with one proof of existence or of absence;
// it has to be empty for a state without keys. It wraps ErrProof.
func Verify(root, key, value, proof []byte) (err error) {
	// The library panics on paths of impossible shape.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrProof, p)
		}
	}()
	switch {
	case len(root) != sha256.Size:
		return fmt.Errorf("%w: a root of %d bytes", ErrProof, len(root))
	case len(key) == 0 || len(key) > MaxKey:
		return fmt.Errorf("%w: a key of %d bytes", ErrProof, len(key))
	case len(proof) > MaxProof || len(value) > MaxProof:
		return fmt.Errorf("%w: over %d bytes", ErrProof, MaxProof)
	case bytes.Equal(root, empty[:]):
		if value != nil || len(proof) != 0 {
			return fmt.Errorf("%w: the state has no keys", ErrProof)
		}
		return nil
	}
	var p ics23.CommitmentProof
	if err := p.Unmarshal(proof); err != nil {
		return fmt.Errorf("%w: %w", ErrProof, err)
	}
	if one, err := p.Marshal(); err != nil || !bytes.Equal(one, proof) {
		return fmt.Errorf("%w: not in its one encoding", ErrProof)
	}
	// Batches and compressed batches can prove nothing more: they are refused unread.
	switch part := p.Proof.(type) {
	case *ics23.CommitmentProof_Exist:
		if value == nil {
			return fmt.Errorf("%w: the key is said to be absent and proven to be there", ErrProof)
		}
		if part.Exist == nil || !bytes.Equal(part.Exist.Key, key) {
			return fmt.Errorf("%w: it is for another key", ErrProof)
		}
		if err := part.Exist.Verify(ics23.IavlSpec, root, key, value); err != nil {
			return fmt.Errorf("%w: %w", ErrProof, err)
		}
	case *ics23.CommitmentProof_Nonexist:
		if value != nil {
			return fmt.Errorf("%w: the key is said to have a value and proven to be absent", ErrProof)
		}
		if part.Nonexist == nil || !bytes.Equal(part.Nonexist.Key, key) {
			return fmt.Errorf("%w: it is for another key", ErrProof)
		}
		if err := part.Nonexist.Verify(ics23.IavlSpec, root, key); err != nil {
			return fmt.Errorf("%w: %w", ErrProof, err)
		}
	default:
		return fmt.Errorf("%w: neither existence nor absence", ErrProof)
	}
	return nil
}
