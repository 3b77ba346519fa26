package tx_test

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/ledger/tx"
)

// FuzzDecode: no input makes Decode panic, and what it takes has one encoding and can be
// told to people.
func FuzzDecode(f *testing.F) {
	for _, e := range everyOperation(f) {
		raw, err := tx.Sign(chain, e.key, e.body)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := tx.Decode(raw)
		if err != nil {
			return
		}
		if len(raw) > tx.MaxSize {
			t.Fatalf("%d bytes were taken", len(raw))
		}
		var s tx.Signed
		if err := proto.Unmarshal(raw, &s); err != nil {
			t.Fatal(err)
		}
		again, err := proto.MarshalOptions{Deterministic: true}.Marshal(&s)
		if err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("another encoding of the envelope: %x\n%x", raw, again)
		}
		body, err := proto.MarshalOptions{Deterministic: true}.Marshal(got.Body)
		if err != nil || !bytes.Equal(body, s.GetBody()) {
			t.Fatalf("another encoding of the body: %x\n%x", s.GetBody(), body)
		}
		if err := got.Verify(chain); err == nil {
			_ = got.VerifyEvidence(chain)
		}
		if len(got.Describe().Fields) == 0 && got.Name() != tx.NameClaim {
			t.Fatalf("%s is described by nothing", got.Name())
		}
	})
}

// FuzzCertificate: a body around any certificate is refused or verified, and verified only
// if each attestation is right alone.
func FuzzCertificate(f *testing.F) {
	good, err := proto.Marshal(certificate())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	for n := 0; n < len(good)*8; n += 97 {
		f.Add(flip(good, n))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var c tx.VoteCertificate
		if proto.Unmarshal(b, &c) != nil {
			return
		}
		raw, err := tx.Sign(chain, testKey(indexer), &tx.Body{Op: &tx.Body_Certificate{Certificate: &c}})
		if err != nil {
			return
		}
		got, err := tx.Decode(raw)
		if err != nil {
			t.Fatal("signed, but not to be decoded:", err)
		}
		want := true
		for _, a := range c.GetAttestations() {
			one := &tx.Body{Op: &tx.Body_Certificate{Certificate: &tx.VoteCertificate{
				Epoch: c.GetEpoch(), Batch: c.GetBatch(), Result: c.GetResult(), Attestations: []*tx.Attestation{a}}}}
			raw, err := tx.Sign(chain, testKey(indexer), one)
			if err != nil {
				t.Fatal(err)
			}
			alone, err := tx.Decode(raw)
			if err != nil {
				t.Fatal(err)
			}
			want = want && alone.VerifyEvidence(chain) == nil
		}
		if (got.VerifyEvidence(chain) == nil) != want {
			t.Fatalf("together %v, one by one %v", got.VerifyEvidence(chain), want)
		}
	})
}
