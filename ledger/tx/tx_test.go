package tx_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/tx"
)

const chain = "testnet"

func testKey(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

func address(k ed25519.PrivateKey) key.Address { return key.Address(k[ed25519.SeedSize:]) }

func TestSignedTransactionDecodesAndVerifiesOnItsChainOnly(t *testing.T) {
	for _, op := range everyOperation(t) {
		k := op.key
		raw, err := tx.Sign(chain, k, op.body)
		if err != nil {
			t.Fatalf("%s: %v", op.name, err)
		}
		got, err := tx.Decode(raw)
		if err != nil {
			t.Fatalf("%s: %v", op.name, err)
		}
		if !proto.Equal(got.Body, op.body) || got.Name() != op.operation || got.Signer != address(k) {
			t.Errorf("%s: came back as %s by %s: %v", op.name, got.Name(), got.Signer, got.Body)
		}
		if got.Hash != sha256.Sum256(raw) {
			t.Errorf("%s: hash is not of the bytes", op.name)
		}
		if err := got.Verify(chain); err != nil {
			t.Errorf("%s: %v", op.name, err)
		}
		if err := got.VerifyEvidence(chain); err != nil {
			t.Errorf("%s: evidence: %v", op.name, err)
		}
		if err := got.Verify("othernet"); !errors.Is(err, tx.ErrSignature) {
			t.Errorf("%s: on another network: %v", op.name, err)
		}
		marshalled, err := proto.MarshalOptions{Deterministic: true}.Marshal(op.body)
		if err != nil {
			t.Fatal(err)
		}
		var s tx.Signed
		if err := proto.Unmarshal(raw, &s); err != nil || !bytes.Equal(s.GetBody(), marshalled) {
			t.Errorf("%s: the protobuf library writes\n%x, we\n%x", op.name, marshalled, s.GetBody())
		}
	}
}

func TestEveryOperationIsNamedAndTested(t *testing.T) {
	have := map[string]bool{}
	for _, op := range everyOperation(t) {
		have[op.operation] = true
	}
	ops := (&tx.Body{}).ProtoReflect().Descriptor().Oneofs().ByName("op").Fields()
	if ops.Len() != len(tx.Names()) || len(have) != len(tx.Names()) {
		t.Fatalf("%d operations in the messages, %d names, %d tested", ops.Len(), len(tx.Names()), len(have))
	}
	for _, name := range tx.Names() {
		if !have[name] {
			t.Errorf("no example of %s", name)
		}
	}
}

// flip returns b with bit n turned over.
func flip(b []byte, n int) []byte {
	out := bytes.Clone(b)
	out[n/8] ^= 1 << (n % 8)
	return out
}

func TestAnyBitOfATransactionCounts(t *testing.T) {
	raw, err := tx.Sign(chain, testKey(1), transfer())
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(raw) * 8 {
		got, err := tx.Decode(flip(raw, n))
		if err == nil {
			err = got.Verify(chain)
		}
		if err == nil {
			t.Errorf("bit %d turned over, and it still passes", n)
		}
	}
}

func TestDecodeRefusesEveryOtherEncoding(t *testing.T) {
	good, err := tx.Sign(chain, testKey(1), transfer())
	if err != nil {
		t.Fatal(err)
	}
	var s tx.Signed
	if err := proto.Unmarshal(good, &s); err != nil {
		t.Fatal(err)
	}
	body := s.GetBody()
	// around signs body bytes as they are, so that only the encoding is wrong.
	around := func(body []byte) []byte {
		out, err := proto.Marshal(&tx.Signed{Body: body, Signer: s.GetSigner(), Signature: key.Sign(testKey(1), chain, key.KindTx, body)})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	field := func(b []byte, num protowire.Number, v uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), v)
	}
	long := func(v uint64) []byte { // one byte more than needed
		b := protowire.AppendVarint(nil, v)
		b[len(b)-1] |= 0x80
		return append(b, 0)
	}
	envelope := func(order ...protowire.Number) []byte {
		parts := map[protowire.Number][]byte{1: s.GetBody(), 2: s.GetSigner(), 3: s.GetSignature()}
		var b []byte
		for _, n := range order {
			b = protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), parts[n])
		}
		return b
	}
	if _, err := tx.Decode(envelope(1, 2, 3)); err != nil {
		t.Fatal("the envelope by hand is not the good one:", err)
	}
	if _, err := tx.Decode(around(body)); err != nil {
		t.Fatal("the body by hand is not the good one:", err)
	}
	claim := func(b []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(b, 25, protowire.BytesType), nil)
	}
	operation := func(num protowire.Number, message []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), message)
	}
	for name, raw := range map[string][]byte{
		"cut off":                      good[:len(good)-1],
		"something after it":           append(bytes.Clone(good), 0),
		"envelope out of order":        envelope(2, 1, 3),
		"envelope with a field twice":  envelope(1, 2, 3, 3),
		"envelope with unknown field":  field(envelope(1, 2, 3), 4, 1),
		"envelope with a long length":  bytes.Join([][]byte{{0x0a}, long(uint64(len(body))), good[1+protowire.SizeVarint(uint64(len(body))):]}, nil),
		"body with unknown field":      around(field(bytes.Clone(body), 99, 1)),
		"body with unknown field 4":    around(field(nil, 4, 1)),
		"nonce after the operation":    around(field(bytes.Clone(body), 1, 7)),
		"nonce spelled out as 0":       around(append(field(nil, 1, 0), body[2:]...)),
		"nonce twice":                  around(append(field(nil, 1, 5), body...)),
		"nonce with a long varint":     around(append(append([]byte{8}, long(7)...), body[2:]...)),
		"a tag with a long varint":     around(append(long(8), body[1:]...)),
		"account spelled out as empty": around(claim(protowire.AppendBytes(protowire.AppendTag(nil, 3, protowire.BytesType), nil))),
		"two operations":               around(claim(bytes.Clone(body))),
		"the operation twice":          around(claim(claim(nil))),
		"no operation":                 around(field(nil, 1, 7)),
		"nonce as fixed64":             around(claim(protowire.AppendFixed64(protowire.AppendTag(nil, 1, protowire.Fixed64Type), 7))),
		"a group":                      around(protowire.AppendTag(protowire.AppendTag(nil, 25, protowire.StartGroupType), 25, protowire.EndGroupType)),
		"field 0":                      around(append([]byte{0, 0}, body...)),
		"batch beyond 32 bits":         around(operation(21, field(field(nil, 1, 1), 2, 1<<32))),
		"memo that is no UTF-8": around(operation(10, protowire.AppendBytes(
			protowire.AppendTag(field(protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), make([]byte, 32)), 2, 1), 3, protowire.BytesType), []byte{0xff}))),
		"a length beyond the end":                around([]byte{0xca, 0x01, 0xff, 0xff, 0xff, 0xff, 0x0f}),
		"a message inside with an unknown field": around(operation(11, field(nil, 15, 1))),
	} {
		_, err := tx.Decode(raw)
		want := tx.ErrEncoding
		if name == "no operation" {
			want = tx.ErrOperation
		}
		if !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
