package proof

import (
	"bytes"
	"encoding/hex"
)

// Name is how a certificate names a piece of evidence: the first 160 bits of its SHA-256.
// Votes and ballots name it by all 256; a certificate has one for each container, and the
// others pay for its bytes for good. What is known by a name is fetched and hashed as a
// whole. docs/spec/proof.md section 7 says what the cut leaves to an attacker.
type Name [20]byte

// NameOf is the name of what has this digest; zero for none.
func NameOf(digest []byte) (n Name) {
	if len(digest) >= len(n) {
		copy(n[:], digest)
	}
	return n
}

// IsZero says that nothing is named.
func (n Name) IsZero() bool { return n == Name{} }

// Names says whether a file with this SHA-256 is what is named.
func (n Name) Names(sha [32]byte) bool { return !n.IsZero() && bytes.Equal(sha[:len(n)], n[:]) }

// String is 40 hex digits, the first of the file's name; "" for none.
func (n Name) String() string {
	if n.IsZero() {
		return ""
	}
	return hex.EncodeToString(n[:])
}
