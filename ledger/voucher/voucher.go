// Package voucher is how play is paid by the second: the player's cumulative promises, and
// the meter with which a container decides whether the app may go on. Only the last voucher
// is ever settled on the ledger. The package is pure: seconds come in as calls.
package voucher

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/tx"
)

// Sizes in bytes.
const (
	PayloadSize = key.Size + tx.SessionSize + 8 + 4 + 8 // what is signed
	Size        = 8 + 4 + 8 + ed25519.SignatureSize     // an encoded Voucher
)

// Errors of vouchers, each a reason to refuse one. A voucher that was signed for another
// chain, container or session is forged as far as anyone can tell, since those stand in
// what is signed and not in the voucher.
var (
	ErrDecode     = errors.New("voucher: not a voucher")
	ErrForged     = errors.New("voucher: not signed by the player for this session and network")
	ErrReplay     = errors.New("voucher: its number has been used")
	ErrOlder      = errors.New("voucher: older than the last one")
	ErrOutOfOrder = errors.New("voucher: promises no more than one before it")
	ErrAmount     = errors.New("voucher: amount and seconds do not fit the rate")
	ErrOverdrawn  = errors.New("voucher: more than the escrow holds")
)

// Terms are what one session is played for. They stand in the session's record on the
// ledger once its escrow is locked.
type Terms struct {
	Chain     string
	Container key.Node
	Session   [tx.SessionSize]byte
	Player    key.Address
	PerSecond uint64 // base units, at least 1
	Seconds   uint32 // planned, at least 1
}

// Check says what is wrong with the terms: ErrAmount.
func (t Terms) Check() error {
	if _, err := tx.Escrow(t.PerSecond, t.Seconds); err != nil {
		return fmt.Errorf("%w: %w", ErrAmount, err)
	}
	return nil
}

// Owed is what seconds of play cost, in base units; the largest number when that is beyond
// 64 bits, which terms that pass Check never are.
func (t Terms) Owed(seconds uint32) uint64 {
	hi, lo := bits.Mul64(t.PerSecond, uint64(seconds))
	if hi != 0 {
		return math.MaxUint64
	}
	return lo
}

// Voucher is the promise "so far Seconds of play, for which I owe Paid".
type Voucher struct {
	Seq       uint64 // from 1, rising
	Seconds   uint32 // of play covered so far, at least 1
	Paid      uint64 // base units so far
	Signature [ed25519.SignatureSize]byte
}

// Payload is what a player signs, as key.KindVoucher: container (32) ‖ session (16) ‖ seq
// (8) ‖ seconds (4) ‖ paid (8), integers big-endian.
func Payload(container key.Node, session [tx.SessionSize]byte, seq uint64, seconds uint32, paid uint64) []byte {
	b := make([]byte, 0, PayloadSize)
	b = append(b, container[:]...)
	b = append(b, session[:]...)
	b = binary.BigEndian.AppendUint64(b, seq)
	b = binary.BigEndian.AppendUint32(b, seconds)
	return binary.BigEndian.AppendUint64(b, paid)
}

func (v Voucher) payload(t Terms) []byte {
	return Payload(t.Container, t.Session, v.Seq, v.Seconds, v.Paid)
}

// Sign makes the player's voucher number seq for seconds of play at the rate of the terms.
func Sign(t Terms, player ed25519.PrivateKey, seq uint64, seconds uint32) Voucher {
	v := Voucher{Seq: seq, Seconds: seconds, Paid: t.Owed(seconds)}
	v.Signature = [ed25519.SignatureSize]byte(key.Sign(player, t.Chain, key.KindVoucher, v.payload(t)))
	return v
}

// Verify checks the player's signature under the terms: ErrForged. What the voucher
// promises is a Meter's, and in the end the ledger's, to judge.
func Verify(t Terms, v Voucher) error {
	if !key.Verify(t.Player[:], t.Chain, key.KindVoucher, v.payload(t), v.Signature[:]) {
		return ErrForged
	}
	return nil
}

// Claim is one voucher under its terms.
type Claim struct {
	Terms   Terms
	Voucher Voucher
}

// VerifyAll says of each claim what Verify says, in one batch. All are of one chain, the
// first one's; a claim of another chain is forged.
func VerifyAll(claims []Claim) []error {
	errs := make([]error, len(claims))
	if len(claims) == 0 {
		return errs
	}
	chain := claims[0].Terms.Chain
	entries := make([]key.Signed, len(claims))
	for i, c := range claims {
		entries[i] = key.Signed{
			Key: c.Terms.Player[:], Kind: key.KindVoucher,
			Payload: c.Voucher.payload(c.Terms), Signature: c.Voucher.Signature[:],
		}
	}
	for i, ok := range key.VerifyAll(chain, entries) {
		if !ok || claims[i].Terms.Chain != chain {
			errs[i] = ErrForged
		}
	}
	return errs
}

// Encode writes seq (8) ‖ seconds (4) ‖ paid (8) ‖ signature (64), big-endian: the form in
// which a container keeps its last voucher on disk.
func (v Voucher) Encode() []byte {
	b := make([]byte, 0, Size)
	b = binary.BigEndian.AppendUint64(b, v.Seq)
	b = binary.BigEndian.AppendUint32(b, v.Seconds)
	b = binary.BigEndian.AppendUint64(b, v.Paid)
	return append(b, v.Signature[:]...)
}

// Decode reads what Encode wrote. It wraps ErrDecode.
func Decode(b []byte) (v Voucher, err error) {
	if len(b) != Size {
		return v, fmt.Errorf("%w: %d bytes, must be %d", ErrDecode, len(b), Size)
	}
	v.Seq = binary.BigEndian.Uint64(b)
	v.Seconds = binary.BigEndian.Uint32(b[8:])
	v.Paid = binary.BigEndian.Uint64(b[12:])
	v.Signature = [ed25519.SignatureSize]byte(b[20:])
	if v.Seq == 0 || v.Seconds == 0 || v.Paid == 0 {
		return Voucher{}, fmt.Errorf("%w: number %d for %d seconds and %d base units; none may be 0", ErrDecode, v.Seq, v.Seconds, v.Paid)
	}
	return v, nil
}

// FromTx takes the voucher out of a transaction. It wraps ErrDecode.
func FromTx(p *tx.Voucher) (Voucher, error) {
	if len(p.GetSignature()) != ed25519.SignatureSize {
		return Voucher{}, fmt.Errorf("%w: signature of %d bytes", ErrDecode, len(p.GetSignature()))
	}
	return Voucher{
		Seq: p.GetSeq(), Seconds: p.GetSeconds(), Paid: p.GetPaid(),
		Signature: [ed25519.SignatureSize]byte(p.GetSignature()),
	}, nil
}

// ForTx is the voucher as it stands in a CloseSession.
func (v Voucher) ForTx() *tx.Voucher {
	return &tx.Voucher{Seq: v.Seq, Seconds: v.Seconds, Paid: v.Paid, Signature: bytes.Clone(v.Signature[:])}
}
