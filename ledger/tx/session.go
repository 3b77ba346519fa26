package tx

import (
	"crypto/sha256"

	"github.com/framemesh/framemesh/ledger/key"
)

// sessionDomain keeps this hash apart from all others.
const sessionDomain = "framemesh/session-name/1"

// SessionName is the name of a session that only player can open: salt ‖ the first 8 bytes
// of SHA-256("framemesh/session-name/1" ‖ player ‖ salt). The container draws the salt. Were
// any name good for anybody, whoever sees an order on its way into a block could open a
// session under its name first, and nobody would play for money any more.
func SessionName(player key.Address, salt [8]byte) (name [SessionSize]byte) {
	h := sha256.New()
	h.Write([]byte(sessionDomain))
	h.Write(player[:])
	h.Write(salt[:])
	copy(name[:], salt[:])
	copy(name[8:], h.Sum(nil))
	return name
}
