package chain

import (
	"crypto/sha256"
	"testing"

	"github.com/framemesh/framemesh/ledger/tx"
)

func TestDecoderRemembersAndForgets(t *testing.T) {
	const size = 8
	d := newDecoder(size)
	raws := make([][]byte, 5*size)
	for i := range raws {
		raws[i] = transfer(t, "test-1", seeded("player", 0), uint64(i), public(seeded("player", 1)), 1)
		for range 2 {
			got, hash, err := d.decode(raws[i])
			if err != nil || hash != sha256.Sum256(raws[i]) || got.Hash != hash || got.Body.GetNonce() != uint64(i) {
				t.Fatalf("number %d: %v, %x, %v", i, got, hash, err)
			}
		}
		if n := len(d.newer) + len(d.older); n > 2*size {
			t.Fatalf("%d are remembered", n)
		}
	}
	last := raws[len(raws)-1]
	one, _, _ := d.decode(last)
	other, _, _ := d.decode(last)
	if one != other {
		t.Error("one transaction was decoded twice")
	}
	d.forget(one)
	if again, _, err := d.decode(last); err != nil || again.Body == one.Body {
		t.Errorf("it was not forgotten: %v", err)
	}
	junk := []byte("junk")
	if got, hash, err := d.decode(junk); got != nil || hash != sha256.Sum256(junk) || err == nil {
		t.Errorf("junk: %v, %x, %v", got, hash, err)
	}
	big, err := tx.Sign("test-1", seeded("player", 0), &tx.Body{Op: &tx.Body_Fraud{Fraud: &tx.FraudProof{
		Kind: tx.FraudTile, Subject: make([]byte, 32), Statement: []byte{1}, Signature: make([]byte, 64), Evidence: make([]byte, maxRemembered),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	before := len(d.newer) + len(d.older)
	if _, _, err := d.decode(big); err != nil || len(d.newer)+len(d.older) != before {
		t.Errorf("a large one: %v", err)
	}
}
