package control

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
)

// Types of the messages about money. Pages of the owner alone send the first three.
const (
	TOpen    = "open"
	TTopUp   = "topup"
	TVoucher = "voucher"
	TEscrow  = "escrow"
	TPay     = "pay"
)

// NoticeUnpaid says that the app waits for money: it is a pause like [NoticePaused], that
// ends with [NoticeResumed].
const NoticeUnpaid = "unpaid"

// ByeUnpaid ends a session that nobody paid for long enough.
const ByeUnpaid = "unpaid"

// MaxTx bounds a transaction in a message, in bytes: with its base64 it fits a message.
const MaxTx = 2816

// States of an escrow.
const (
	EscrowSent    = "sent"    // the ledger has taken the transaction in
	EscrowLocked  = "locked"  // the money is set aside
	EscrowRefused = "refused" // the text says why
)

// CodeMoney says that the account did not have the money: it may be on its way.
const CodeMoney = "money"

// States of payment.
const (
	PayOK         = "ok"          // what was played is covered, or within the credit
	PayWaiting    = "waiting"     // the credit runs and the escrow is not locked yet
	PayUnpaid     = "unpaid"      // the app is paused for want of a voucher
	PayEmpty      = "empty"       // the app is paused because the escrow is used up
	PayEndingSoon = "ending-soon" // the escrow has a minute left or less
)

// Open carries the player's signed transaction that locks the escrow, in base64.
type Open struct {
	Tx string `json:"tx"`
}

// TopUp carries the one that adds to it.
type TopUp struct {
	Tx string `json:"tx"`
}

// Voucher is the player's cumulative promise for the session. Paid is in base units, a
// decimal string because JSON numbers of pages end at 2⁵³.
type Voucher struct {
	Seq     uint64 `json:"seq"` // from 1, at most 2⁵³
	Seconds uint32 `json:"seconds"`
	Paid    string `json:"paid"`
	Sig     string `json:"sig"` // 64 bytes in hex
}

// Escrow says how the ledger took an Open or a TopUp.
type Escrow struct {
	State   string `json:"state"`
	Text    string `json:"text,omitempty"` // for people
	Code    string `json:"code,omitempty"` // of a refusal that a page acts on by itself
	Total   string `json:"total"`          // base units set aside so far
	Seconds uint32 `json:"seconds"`        // of play that these pay for
	// Of a locked one: the container's signature that it plays for it (64 bytes in hex), and the
	// time of the block that it names. Without it nobody can say later that the container went.
	Taken    string `json:"taken,omitempty"`
	OpenedMS uint64 `json:"opened_ms,omitempty"`
}

// Pay is where payment stands, once a second while the app runs and with each change.
type Pay struct {
	State   string `json:"state"`
	Served  uint32 `json:"served"`  // seconds of play that the container counted
	Covered uint32 `json:"covered"` // of them, those that good vouchers pay
	Paid    string `json:"paid"`    // base units of the newest good voucher
	Seq     uint64 `json:"seq"`     // its number, 0 without one
}

func (Open) kind() string    { return TOpen }
func (TopUp) kind() string   { return TTopUp }
func (Voucher) kind() string { return TVoucher }
func (Escrow) kind() string  { return TEscrow }
func (Pay) kind() string     { return TPay }

// payFromPage reads a page's message about money; ok is false when t is none.
func payFromPage(t string, b []byte) (m Message, ok bool, err error) {
	switch t {
	case TOpen:
		v, err := decode[Open](b)
		if err == nil {
			_, err = DecodeTx(v.Tx)
		}
		return v, true, err
	case TTopUp:
		v, err := decode[TopUp](b)
		if err == nil {
			_, err = DecodeTx(v.Tx)
		}
		return v, true, err
	case TVoucher:
		v, err := decode[Voucher](b)
		if err == nil {
			_, _, err = v.Values()
		}
		return v, true, err
	}
	return nil, false, nil
}

// payFromContainer reads a container's message about money; ok is false when t is none.
func payFromContainer(t string, b []byte) (m Message, ok bool, err error) {
	switch t {
	case TEscrow:
		v, err := decode[Escrow](b)
		if err == nil {
			_, err = parseAmount(v.Total)
		}
		if err == nil && v.Taken != "" {
			_, err = v.Signature()
		}
		return v, true, err
	case TPay:
		v, err := decode[Pay](b)
		if err == nil {
			_, err = parseAmount(v.Paid)
		}
		if err == nil && v.Seq > maxPingN {
			err = fmt.Errorf("%w: voucher number over 2^53", ErrValue)
		}
		return v, true, err
	}
	return nil, false, nil
}

// DecodeTx reads the transaction of an Open or a TopUp: 1 to MaxTx bytes.
func DecodeTx(s string) ([]byte, error) {
	if len(s) > base64.StdEncoding.EncodedLen(MaxTx) {
		return nil, fmt.Errorf("%w: a transaction of %d characters", ErrSize, len(s))
	}
	b, err := base64.StdEncoding.DecodeString(s)
	switch {
	case err != nil || len(b) == 0 || EncodeTx(b) != s: // one form only: no line breaks, no loose ends
		return nil, fmt.Errorf("%w: a transaction is 1 to %d bytes in base64", ErrValue, MaxTx)
	case len(b) > MaxTx:
		return nil, fmt.Errorf("%w: a transaction of %d bytes, at most %d", ErrSize, len(b), MaxTx)
	}
	return b, nil
}

// EncodeTx writes it.
func EncodeTx(raw []byte) string { return base64.StdEncoding.EncodeToString(raw) }

// Values returns the amount and the signature of a voucher.
func (v Voucher) Values() (paid uint64, sig [64]byte, err error) {
	if v.Seq == 0 || v.Seq > maxPingN {
		return 0, sig, fmt.Errorf("%w: voucher number %d, 1 to 2^53", ErrValue, v.Seq)
	}
	if paid, err = parseAmount(v.Paid); err != nil {
		return 0, sig, err
	}
	if len(v.Sig) != 2*len(sig) {
		return 0, sig, fmt.Errorf("%w: a signature of %d characters", ErrValue, len(v.Sig))
	}
	if _, err := hex.Decode(sig[:], []byte(v.Sig)); err != nil {
		return 0, sig, fmt.Errorf("%w: the signature is not hexadecimal", ErrValue)
	}
	return paid, sig, nil
}

// Amount writes base units as these messages do.
func Amount(v uint64) string { return strconv.FormatUint(v, 10) }

// parseAmount reads a decimal without sign, space or leading zeros.
func parseAmount(s string) (uint64, error) {
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil || Amount(v) != s {
		return 0, fmt.Errorf("%w: %.24q is no amount", ErrValue, s)
	}
	return v, nil
}

// Signature is a container's word that it plays for a locked escrow, of 64 bytes.
func (e Escrow) Signature() ([]byte, error) {
	b, err := hex.DecodeString(e.Taken)
	if err != nil || len(b) != 64 {
		return nil, fmt.Errorf("%w: taken has %d characters, must be 128 hex digits", ErrValue, len(e.Taken))
	}
	return b, nil
}
