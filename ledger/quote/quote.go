// Package quote is what oracles say a dollar costs: signed, fixed-size, with an age. An
// order locks the median of several, so that no single oracle sets a price. The package is
// pure: the time comes in as an argument.
package quote

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/key"
)

// Size of an encoded quote in bytes: oracle (32) ‖ per_usd (8) ‖ made_ms (8) ‖ signature
// (64), integers big-endian. The first 48 bytes are what is signed, as key.KindQuote.
const Size = payloadSize + ed25519.SignatureSize

const payloadSize = key.Size + 8 + 8

// Errors of this package.
var (
	ErrDecode    = errors.New("quote: not a quote")
	ErrSignature = errors.New("quote: wrong signature")
	ErrOracle    = errors.New("quote: not by an oracle of this network")
	ErrDouble    = errors.New("quote: two quotes of one oracle")
	ErrStale     = errors.New("quote: too old, or from the future")
	ErrFew       = errors.New("quote: too few quotes")
)

// Quote is one oracle's rate at one moment.
type Quote struct {
	Oracle    key.Address
	PerUSD    uint64 // base units for one US dollar, 1 to the whole supply
	MadeMS    uint64 // Unix time in ms
	Signature [ed25519.SignatureSize]byte
}

// Sign makes the quote of the oracle whose key k is.
func Sign(chain string, k ed25519.PrivateKey, perUSD, madeMS uint64) (Quote, error) {
	if err := inRange(perUSD); err != nil {
		return Quote{}, err
	}
	q := Quote{Oracle: key.Address(k[ed25519.SeedSize:]), PerUSD: perUSD, MadeMS: madeMS}
	q.Signature = [ed25519.SignatureSize]byte(key.Sign(k, chain, key.KindQuote, q.payload()))
	return q, nil
}

// Decode reads an encoded quote; it verifies no signature.
func Decode(b []byte) (q Quote, err error) {
	if len(b) != Size {
		return q, fmt.Errorf("%w: %d bytes, must be %d", ErrDecode, len(b), Size)
	}
	q.Oracle = key.Address(b[:32])
	q.PerUSD = binary.BigEndian.Uint64(b[32:])
	q.MadeMS = binary.BigEndian.Uint64(b[40:])
	q.Signature = [ed25519.SignatureSize]byte(b[48:])
	if err := inRange(q.PerUSD); err != nil {
		return Quote{}, err
	}
	return q, nil
}

func inRange(perUSD uint64) error {
	if perUSD == 0 || amount.Amount(perUSD) > amount.Supply {
		return fmt.Errorf("%w: %d base units per dollar, must be 1 to %d", ErrDecode, perUSD, uint64(amount.Supply))
	}
	return nil
}

// Encode writes what Decode reads.
func (q Quote) Encode() []byte { return append(q.payload(), q.Signature[:]...) }

func (q Quote) payload() []byte {
	b := make([]byte, 0, Size)
	b = append(b, q.Oracle[:]...)
	b = binary.BigEndian.AppendUint64(b, q.PerUSD)
	return binary.BigEndian.AppendUint64(b, q.MadeMS)
}

// Verify checks the oracle's signature for one chain. It returns ErrSignature. Whether the
// signer is an oracle is Median's question.
func (q Quote) Verify(chain string) error {
	if !key.Verify(q.Oracle[:], chain, key.KindQuote, q.payload(), q.Signature[:]) {
		return fmt.Errorf("%w: not by %s for the network %s", ErrSignature, q.Oracle, chain)
	}
	return nil
}
