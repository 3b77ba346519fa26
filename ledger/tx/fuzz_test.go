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
// if each attestation is right alone and of a place that the panel has.
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
		x := got.Body.GetCertificate()
		want := true
		for _, a := range x.Attestations() {
			alone := &tx.VoteCertificate{Epoch: x.GetEpoch(), Batch: x.GetBatch(), Result: x.GetResult()}
			alone.AddAttestation(a.Place, a.Signature)
			if alone.Attested() != 1 {
				t.Fatalf("the attestation of place %d is none", a.Place)
			}
			want = want && alone.VerifyBy(chain, panel()) == nil
		}
		if len(x.Attestations()) != x.Attested() || (x.VerifyBy(chain, panel()) == nil) != want {
			t.Fatalf("together %v, one by one %v", x.VerifyBy(chain, panel()), want)
		}
	})
}
