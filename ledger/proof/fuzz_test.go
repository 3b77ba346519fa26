package proof_test

import (
	"bytes"
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/tx"
)

// FuzzDecode: no input makes Decode panic, and what it takes has one encoding.
func FuzzDecode(f *testing.F) {
	for _, e := range everyStatement(f) {
		f.Add(sign(f, e.by, e.st).Raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		o, err := proof.Decode(raw)
		if err != nil {
			if !errors.Is(err, proof.ErrMalformed) && !errors.Is(err, proof.ErrTooLarge) {
				t.Fatal("another error:", err)
			}
			return
		}
		again, err := proto.MarshalOptions{Deterministic: true}.Marshal(o.Signed)
		if err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("another encoding of the envelope: %x\n%x", raw, again)
		}
		inner, err := proto.MarshalOptions{Deterministic: true}.Marshal(o.Statement)
		if err != nil || !bytes.Equal(inner, o.Signed.GetStatement()) {
			t.Fatalf("another encoding of the statement: %x\n%x", o.Signed.GetStatement(), inner)
		}
		if len(inner) > o.Kind().Limit() || o.Kind().String() == "" {
			t.Fatalf("%d bytes of a %s were taken", len(inner), o.Kind())
		}
		o.Epoch()
		_ = o.Verify(chain)
	})
}

// FuzzStatement: the same behind an envelope, where mutations reach every field.
func FuzzStatement(f *testing.F) {
	for _, e := range everyStatement(f) {
		f.Add(sign(f, e.by, e.st).Signed.GetStatement())
	}
	f.Fuzz(func(t *testing.T, statement []byte) {
		o, err := proof.Decode(seal(t, container, statement))
		if err != nil {
			return
		}
		made, err := proof.Sign(chain, testKey(container), o.Statement)
		if err != nil || made.Digest != o.Digest {
			t.Fatalf("taken, but not to be said again: %v", err)
		}
	})
}

// FuzzResult: results that are taken have one encoding.
func FuzzResult(f *testing.F) {
	f.Add(mustResult(f, goodResult()))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := proof.DecodeResult(b)
		if err != nil {
			return
		}
		if again, err := proof.EncodeResult(r); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("another encoding: %x\n%x, %v", b, again, err)
		}
	})
}

// FuzzFile: no file makes ParseFile or what reads it panic.
func FuzzFile(f *testing.F) {
	for _, x := range []*proof.File{fraudFile(f), secondFile(f)} {
		b, err := proof.EncodeFile(x)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := proof.ParseFile(b)
		if err != nil {
			return
		}
		if again, err := proof.EncodeFile(x); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("another form: %v", err)
		}
		_, _ = x.Convict(proof.Rules{Kernel: hashKernel{}})
		if s := x.GetSecond(); s != nil {
			_, _ = proof.OpenSecond(x.GetChain(), s)
		}
	})
}

// FuzzEvidence: whatever stands as evidence beside an honest container's statements, it is
// never convicted.
func FuzzEvidence(f *testing.F) {
	honest, liar := render(f, container, 3, nil), render(f, other, 3, skips)
	statements := []*proof.Opened{honest.commit, honest.openings(f, container, []proof.Pick{{Frame: 1, Tile: 2}}, nil)}
	for _, fraud := range []func() (*tx.FraudProof, error){
		func() (*tx.FraudProof, error) {
			return proof.TileFraud(honest.commit, honest.roots, honest.open(proof.Pick{Frame: 1, Tile: 5}))
		},
		func() (*tx.FraudProof, error) {
			return proof.TileFraud(honest.commit, liar.roots, liar.open(proof.Pick{Frame: 1, Tile: 5}))
		},
		func() (*tx.FraudProof, error) { return proof.PathFraud(statements[1], honest.commit, 0) },
		func() (*tx.FraudProof, error) { return proof.PairFraud(honest.commit, liar.commit) },
	} {
		x, err := fraud()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(x.GetKind(), x.GetEvidence())
	}
	f.Fuzz(func(t *testing.T, kind uint32, evidence []byte) {
		for _, o := range statements {
			x := &tx.FraudProof{Kind: kind, Subject: o.Signer[:], Epoch: epoch, Statement: o.Signed.GetStatement(),
				Signature: o.Signed.GetSignature(), Evidence: evidence}
			if c, err := proof.Check(rules(), x); err == nil {
				t.Fatalf("an honest container is convicted of %s", c.Reason)
			}
		}
	})
}
