package key

import (
	"bytes"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
)

// ErrKey is a public key that nobody can sign with: of another length, no point of the
// curve, not in its canonical form, or of small order.
var ErrKey = errors.New("key: no Ed25519 public key")

// rule is the one rule by which every signature on the ledger is judged, on every node,
// one by one and in batches: RFC 8032 with the cofactored equation, canonical encodings of
// A and R, and no A of small order. The cofactored equation is the one under which a batch
// is valid exactly when each of its signatures is; a key of small order would sign every
// message at once, and nobody could be held to it. Whatever an honest signer of RFC 8032
// makes (Go, WebCrypto, libsodium) passes.
var rule = &ed25519.Options{Verify: &ed25519.VerifyOptions{AllowSmallOrderR: true}}

// Verify says whether signature is by the key pub (32 bytes) over payload.
func Verify(pub []byte, chain, kind string, payload, signature []byte) bool {
	return len(pub) == Size && len(signature) == ed25519.SignatureSize &&
		ed25519.VerifyWithOptions(pub, SignBytes(chain, kind, payload), signature, rule)
}

// Expanded is a public key made ready for many verifications: each takes about four
// fifths of the time. It holds some 1.5 KiB.
type Expanded struct {
	key    *ed25519.ExpandedPublicKey
	public [Size]byte
}

// smallOrder are the eight points whose signatures hold for every message, in canonical
// form.
var smallOrder = sync.OnceValue(func() map[[Size]byte]bool {
	all := make(map[[Size]byte]bool, len(curve.EIGHT_TORSION))
	for _, point := range curve.EIGHT_TORSION {
		all[*new(curve.CompressedEdwardsY).SetEdwardsPoint(point)] = true
	}
	return all
})

// Usable says whether signatures of the key can pass at all: ErrKey says why not.
func Usable(pub []byte) error {
	if err := plausible(pub); err != nil {
		return err
	}
	y := curve.CompressedEdwardsY(pub)
	if _, err := new(curve.EdwardsPoint).SetCompressedY(&y); err != nil {
		return noPoint()
	}
	return nil
}

// plausible is the part of Usable that needs no arithmetic on the curve.
func plausible(pub []byte) error {
	if len(pub) != Size {
		return fmt.Errorf("%w: %d bytes", ErrKey, len(pub))
	}
	y := curve.CompressedEdwardsY(pub)
	if !y.IsCanonicalVartime() {
		return noPoint()
	}
	if smallOrder()[y] {
		return fmt.Errorf("%w: of small order", ErrKey)
	}
	return nil
}

func noPoint() error {
	return fmt.Errorf("%w: no point of the curve in its canonical form", ErrKey)
}

// Expand makes a key ready. It returns the error of Usable.
func Expand(pub []byte) (*Expanded, error) {
	if err := plausible(pub); err != nil {
		return nil, err
	}
	k, err := ed25519.NewExpandedPublicKey(pub)
	if err != nil {
		return nil, noPoint()
	}
	return &Expanded{k, [Size]byte(pub)}, nil
}

// Verify is Verify with the expanded key.
func (e *Expanded) Verify(chain, kind string, payload, signature []byte) bool {
	return len(signature) == ed25519.SignatureSize &&
		ed25519.VerifyExpandedWithOptions(e.key, SignBytes(chain, kind, payload), signature, rule)
}

// Signed is one signature to verify in a batch.
type Signed struct {
	Key       []byte // 32 bytes
	Kind      string
	Payload   []byte
	Signature []byte // 64 bytes
	// Expanded is Key made ready, or nil. A batch of keys that are all ready takes half of
	// the time.
	Expanded *Expanded
}

// maxBatch bounds the memory of one batch: about 2 KiB for each entry.
const maxBatch = 512

// VerifyAll says of each entry what Verify says of it alone. When all are good it takes two
// thirds of the time, and with expanded keys down to a third: the more entries, the less
// each. One that is bad makes all be verified once more, one by one.
func VerifyAll(chain string, entries []Signed) []bool {
	ok := make([]bool, 0, len(entries))
	for len(entries) > 0 {
		n := min(len(entries), maxBatch)
		ok = append(ok, verifyBatch(chain, entries[:n])...)
		entries = entries[n:]
	}
	return ok
}

// ready says whether the expanded key is there, and Key's.
func (e *Signed) ready() bool { return e.Expanded != nil && bytes.Equal(e.Key, e.Expanded.public[:]) }

// batches are used again: the table of a batch is its largest piece of memory.
var batches = sync.Pool{New: func() any { return ed25519.NewBatchVerifier() }}

func verifyBatch(chain string, entries []Signed) []bool {
	if len(entries) == 1 {
		e := entries[0]
		if e.ready() {
			return []bool{e.Expanded.Verify(chain, e.Kind, e.Payload, e.Signature)}
		}
		return []bool{Verify(e.Key, chain, e.Kind, e.Payload, e.Signature)}
	}
	batch := batches.Get().(*ed25519.BatchVerifier).Reset()
	defer batches.Put(batch)
	// The batch multiplies each equation by a factor that nobody could choose their
	// signature after. Drawing the factors from a hash of all entries, instead of from the
	// system's randomness, keeps the answer a function of the question.
	draw := sha512.New()
	var size [8]byte
	for _, e := range entries {
		if len(e.Key) != Size || len(e.Signature) != ed25519.SignatureSize {
			// keeps its place and is invalid
			batch.AddWithOptions(make([]byte, Size), nil, nil, rule)
			continue
		}
		message := SignBytes(chain, e.Kind, e.Payload)
		if e.ready() {
			batch.AddExpandedWithOptions(e.Expanded.key, message, e.Signature, rule)
		} else {
			batch.AddWithOptions(e.Key, message, e.Signature, rule)
		}
		binary.BigEndian.PutUint64(size[:], uint64(len(message)))
		for _, part := range [][]byte{size[:], e.Key, e.Signature, message} {
			draw.Write(part)
		}
	}
	_, ok := batch.Verify(&stream{seed: draw.Sum(nil)})
	return ok
}

// stream is SHA-512(counter ‖ seed) for counter 0, 1, ….
type stream struct {
	seed []byte
	next uint64
	left []byte
}

// Read implements io.Reader; it never fails.
func (s *stream) Read(p []byte) (int, error) {
	if len(s.left) == 0 {
		block := binary.BigEndian.AppendUint64(nil, s.next)
		sum := sha512.Sum512(append(block, s.seed...))
		s.next++
		s.left = sum[:]
	}
	n := copy(p, s.left)
	s.left = s.left[n:]
	return n, nil
}
