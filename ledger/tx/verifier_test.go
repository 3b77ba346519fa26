package tx_test

import (
	"bytes"
	"errors"
	"sync"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/tx"
)

// signed decodes an example after spoil.
func signed(t testing.TB, e example, spoil func(*tx.Signed)) *tx.Tx {
	t.Helper()
	raw, err := tx.Sign(chain, e.key, e.body)
	if err != nil {
		t.Fatalf("%s: %v", e.name, err)
	}
	if spoil != nil {
		var s tx.Signed
		if err := proto.Unmarshal(raw, &s); err != nil {
			t.Fatal(err)
		}
		spoil(&s)
		if raw, err = proto.Marshal(&s); err != nil {
			t.Fatal(err)
		}
	}
	got, err := tx.Decode(raw)
	if err != nil {
		t.Fatalf("%s: %v", e.name, err)
	}
	return got
}

func TestEvidenceInsideIsVerified(t *testing.T) {
	other := testKey(99)
	for _, c := range []struct {
		example string
		spoil   func(*tx.Body)
	}{
		{"register a validator", func(b *tx.Body) { b.GetRegister().VrfKey = fill(0x99, 32) }},
		{"register a validator", func(b *tx.Body) { b.GetRegister().ConsensusKey = fill(0x99, 32) }},
		{"register a validator", func(b *tx.Body) { b.GetRegister().Consent(chain, testKey(container), key.Address(pub(player))) }},
		{"register a validator", func(b *tx.Body) { b.GetRegister().Consent("othernet", testKey(container), key.Address(pub(alice))) }},
		{"register a validator", func(b *tx.Body) {
			b.GetRegister().NodeSignature = key.Sign(other, chain, key.KindNode,
				tx.NodePayload(key.Address(pub(alice)), key.Node(pub(container)), fill(0x11, 32), fill(0x22, 32)))
		}},
		{"open a session", func(b *tx.Body) { b.GetOpen().GetQuotes()[1][39]++ }},
		{"open a session", func(b *tx.Body) { b.GetOpen().GetQuotes()[2][111] ^= 1 }},
		{"fraud proof", func(b *tx.Body) { b.GetFraud().Statement = []byte("something else") }},
		{"fraud proof", func(b *tx.Body) { b.GetFraud().Subject = pub(checker) }},
		{"double vote", func(b *tx.Body) { b.GetDoubleVote().ResultB = fill(1, 32) }},
		{"double vote", func(b *tx.Body) { b.GetDoubleVote().SignatureA = b.GetDoubleVote().GetSignatureB() }},
		{"double vote", func(b *tx.Body) { b.GetDoubleVote().Epoch++ }},
	} {
		e := find(t, c.example)
		c.spoil(e.body)
		got := signed(t, e, nil)
		if err := got.Verify(chain); err != nil {
			t.Errorf("%s: the signer's own signature: %v", e.name, err)
		}
		if err := got.VerifyEvidence(chain); !errors.Is(err, tx.ErrEvidence) {
			t.Errorf("%s: %v", e.name, err)
		}
		v := tx.NewVerifier(chain, 10)
		if err := v.Verify(got); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := v.VerifyEvidence(got); !errors.Is(err, tx.ErrEvidence) {
				t.Errorf("%s through a Verifier: %v", e.name, err)
			}
		}
	}
}

func TestVerifierAnswersAsVerifyDoes(t *testing.T) {
	v := tx.NewVerifier(chain, 100)
	var all []*tx.Tx
	var want []bool
	for _, e := range everyOperation(t) {
		all = append(all,
			signed(t, e, nil),
			signed(t, e, func(s *tx.Signed) { s.Signature[40] ^= 1 }),
			signed(t, e, func(s *tx.Signed) {
				s.Signature = key.Sign(e.key, "othernet", key.KindTx, s.GetBody())
			}))
		want = append(want, true, false, false)
	}
	for round := range 3 {
		for i, err := range v.VerifyAll(all) {
			if (err == nil) != want[i] || (err != nil && !errors.Is(err, tx.ErrSignature)) {
				t.Errorf("round %d, %s, in a batch: %v", round, all[i].Name(), err)
			}
			if one := v.Verify(all[i]); (one == nil) != want[i] {
				t.Errorf("round %d, %s, alone: %v", round, all[i].Name(), one)
			}
			if one := all[i].Verify(chain); (one == nil) != want[i] {
				t.Errorf("round %d, %s, without memory: %v", round, all[i].Name(), one)
			}
		}
	}
	if errs := v.VerifyAll(nil); len(errs) != 0 {
		t.Errorf("of nothing: %v", errs)
	}
}

func TestVerifierRemembersOnlyWhatItVerified(t *testing.T) {
	e := find(t, "double vote")
	good := signed(t, e, nil)
	v := tx.NewVerifier(chain, 1)
	if err := v.Verify(good); err != nil {
		t.Fatal(err)
	}
	// A transaction made by hand cannot borrow the hash of one that was verified.
	forged := &tx.Tx{Raw: good.Raw, Hash: good.Hash, Body: good.Body, Signer: good.Signer, Account: good.Account}
	if err := v.Verify(forged); !errors.Is(err, tx.ErrSignature) {
		t.Errorf("a transaction made by hand: %v", err)
	}
	if err := forged.Verify(chain); !errors.Is(err, tx.ErrSignature) {
		t.Errorf("a transaction made by hand, without memory: %v", err)
	}
	// Evidence that was found right for one chain is not for another.
	if err := v.VerifyEvidence(good); err != nil {
		t.Fatal(err)
	}
	if err := good.VerifyEvidence("othernet"); !errors.Is(err, tx.ErrEvidence) {
		t.Errorf("evidence on another chain: %v", err)
	}
	again, err := tx.Decode(good.Raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.VerifyEvidence(again); err != nil {
		t.Errorf("the same, decoded again: %v", err)
	}
	// A full memory forgets and verifies again.
	if err := v.Verify(signed(t, find(t, "transfer"), nil)); err != nil {
		t.Fatal(err)
	}
	if err := v.Verify(good); err != nil {
		t.Error(err)
	}
	if tx.NewVerifier(chain, 0).Chain() != chain {
		t.Error("a Verifier forgot its chain")
	}
}

func TestVerifierIsForManyAtOnce(t *testing.T) {
	v := tx.NewVerifier(chain, 4) // forgets while others remember
	raws := map[string][]byte{}
	for _, e := range everyOperation(t)[:8] {
		raws[e.name] = signed(t, e, nil).Raw
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for name, raw := range raws {
				got, err := tx.Decode(raw)
				if err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
				if err := errors.Join(v.Verify(got), v.VerifyEvidence(got), v.VerifyAll([]*tx.Tx{got})[0]); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestSmallElementsCannotFillTheMemory(t *testing.T) {
	sessions := bytes.Repeat([]byte{0x0a, 0}, 30_000) // field 1, empty
	raw := envelope(t, testKey(alice), protowire.AppendBytes(protowire.AppendTag(nil, 20, protowire.BytesType), sessions))
	if got, err := tx.Decode(raw); !errors.Is(err, tx.ErrField) {
		t.Fatalf("%v, %v", got, err)
	}
	if n := testing.AllocsPerRun(10, func() { _, _ = tx.Decode(raw) }); n > 100 {
		t.Errorf("%d allocations", int(n))
	}
}
