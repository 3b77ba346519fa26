package tx_test

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/ledger/tx"
)

// Payments are read without the protobuf library, and mean what it reads in them.
func TestPaymentsAreReadAsTheLibraryReadsThem(t *testing.T) {
	to := bytes.Repeat([]byte{7}, 32)
	for name, body := range map[string]*tx.Body{
		"least":      {Op: &tx.Body_Transfer{Transfer: &tx.Transfer{To: to, Amount: 1}}},
		"with all":   {Nonce: 1 << 40, ValidUntilMs: 1 << 41, Op: &tx.Body_Transfer{Transfer: &tx.Transfer{To: to, Amount: 1 << 60, Memo: "für gestern"}}},
		"by another": {Nonce: 3, Account: to, Op: &tx.Body_Close{Close: &tx.CloseSession{Container: to, Session: to[:16]}}},
		"no payment": {Nonce: 3, Op: &tx.Body_Claim{Claim: &tx.Claim{}}},
	} {
		raw, err := tx.Sign(chain, testKey(1), body)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := tx.Decode(raw)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var s tx.Signed
		want := new(tx.Body)
		if err := proto.Unmarshal(raw, &s); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := proto.Unmarshal(s.GetBody(), want); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !proto.Equal(got.Body, want) || !proto.Equal(want, body) {
			t.Errorf("%s: read as %v, the library says %v", name, got.Body, want)
		}
		if !bytes.Equal(got.Signer[:], s.GetSigner()) {
			t.Errorf("%s: signed by %s", name, got.Signer)
		}
		if err := got.Verify(chain); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
