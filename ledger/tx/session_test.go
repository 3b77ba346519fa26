package tx_test

import (
	"encoding/hex"
	"testing"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/tx"
)

func TestSessionName(t *testing.T) {
	salt := [8]byte{1, 2, 3, 4, 5, 6, 7, 8}
	name := tx.SessionName(key.Address(pub(player)), salt)
	// from sha256sum, over framemesh/session-name/1, the key and the salt
	const want = "0102030405060708b491963675b4943e"
	if got := hex.EncodeToString(name[:]); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if other := tx.SessionName(key.Address(pub(alice)), salt); other == name {
		t.Error("two players share a name")
	}
}
