package state

import (
	"encoding/hex"

	"github.com/framemesh/framemesh/ledger/proof"
)

// Evidence is what a record gives as the reason of a verdict: the hash of a fraud proof
// (FraudID), of the votes that a committee judged, or, with zeros behind it, the proof.Name
// that a certificate has. Zero is none.
type Evidence [32]byte

// named is the evidence of a certificate's entry.
func named(n proof.Name) (e Evidence) {
	copy(e[:], n[:])
	return e
}

// String is 64 hex digits, or the 40 of a name; "" for none. `framemesh proof show` finds what
// is kept by either.
func (e Evidence) String() string {
	n := proof.NameOf(e[:])
	if e == named(n) {
		return n.String()
	}
	return hex.EncodeToString(e[:])
}
