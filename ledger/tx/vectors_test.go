package tx_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/ledger/vrf"
)

var update = flag.Bool("update", false, "rewrite docs/spec/vectors/ledger-tx.json")

var vectorsFile = filepath.Join("..", "..", "docs", "spec", "vectors", "ledger-tx.json")

// vector is one transaction that every implementation of the ledger has to agree on.
type vector struct {
	Name      string          `json:"name"`
	Chain     string          `json:"chain"`             // to verify with
	Message   json.RawMessage `json:"message,omitempty"` // the Body as protobuf's JSON
	Seed      string          `json:"seed,omitempty"`    // hex, Ed25519 private seed of the signer
	Signer    string          `json:"signer,omitempty"`  // hex
	Address   string          `json:"address,omitempty"` // of signer
	Body      string          `json:"body,omitempty"`    // hex, the marshalled Body
	SignBytes string          `json:"sign_bytes,omitempty"`
	Signature string          `json:"signature,omitempty"`
	Raw       string          `json:"raw"` // hex, the marshalled Signed
	Hash      string          `json:"hash"`
	Operation string          `json:"operation,omitempty"`
	Valid     bool            `json:"valid"`
	Error     string          `json:"error,omitempty"` // encoding, operation, field, delegate, signature, evidence
}

var errorNames = map[string]error{
	"encoding": tx.ErrEncoding, "operation": tx.ErrOperation, "field": tx.ErrField,
	"delegate": tx.ErrDelegate, "signature": tx.ErrSignature, "evidence": tx.ErrEvidence,
}

// judge is what a node does with bytes from outside.
func judge(chain string, raw []byte) (*tx.Tx, error) {
	got, err := tx.Decode(raw)
	if err != nil {
		return nil, err
	}
	if err := got.Verify(chain); err != nil {
		return got, err
	}
	return got, got.VerifyEvidence(chain)
}

func makeVectors(t *testing.T) []vector {
	var out []vector
	for _, e := range everyOperation(t) {
		raw, err := tx.Sign(chain, e.key, e.body)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, describeVector(t, e, chain, raw))
	}
	bad := func(name, want, chain string, raw []byte) {
		out = append(out, vector{Name: name, Chain: chain, Raw: hex.EncodeToString(raw), Error: want})
	}
	spoiled := func(name, want, example string, spoil func(*tx.Body)) {
		e := find(t, example)
		spoil(e.body)
		body, err := proto.MarshalOptions{Deterministic: true}.Marshal(e.body)
		if err != nil {
			t.Fatal(err)
		}
		bad(name, want, chain, envelope(t, e.key, body))
	}
	e := find(t, "transfer")
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(e.body)
	if err != nil {
		t.Fatal(err)
	}
	good := envelope(t, e.key, body)
	varint := func(b []byte, num protowire.Number, v uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), v)
	}
	bad("another network", "signature", "othernet", good)
	bad("a byte of the signature changed", "signature", chain, flip(good, len(good)*8-30))
	bad("cut off", "encoding", chain, good[:len(good)-1])
	bad("an unknown field behind the envelope", "encoding", chain, varint(bytes.Clone(good), 4, 1))
	bad("an unknown field in the body", "encoding", chain, envelope(t, e.key, varint(bytes.Clone(body), 99, 1)))
	bad("the nonce spelled out as 0", "encoding", chain, envelope(t, e.key, append(varint(nil, 1, 0), body[2:]...)))
	bad("the nonce twice", "encoding", chain, envelope(t, e.key, append(varint(nil, 1, 5), body...)))
	bad("the nonce behind the operation", "encoding", chain, envelope(t, e.key, varint(bytes.Clone(body[2:]), 1, 7)))
	bad("the nonce in two bytes", "encoding", chain, envelope(t, e.key, append([]byte{8, 0x87, 0}, body[2:]...)))
	bad("two operations", "encoding", chain, envelope(t, e.key, protowire.AppendBytes(protowire.AppendTag(bytes.Clone(body), 25, protowire.BytesType), nil)))
	bad("no operation", "operation", chain, envelope(t, e.key, body[:2]))
	spoiled("an amount of nothing", "field", "transfer", func(b *tx.Body) { b.GetTransfer().Amount = 0 })
	spoiled("a delegate that spends", "delegate", "transfer", func(b *tx.Body) { b.Account = pub(player) })
	spoiled("a batch with a session twice", "field", "close three", func(b *tx.Body) {
		b.GetBatchClose().GetSessions()[1].Session = b.GetBatchClose().GetSessions()[0].GetSession()
	})
	spoiled("two quotes of one oracle", "field", "open a session", func(b *tx.Body) {
		b.GetOpen().Quotes[2] = b.GetOpen().GetQuotes()[0]
	})
	spoiled("a quote that was changed", "evidence", "open a session", func(b *tx.Body) { b.GetOpen().GetQuotes()[1][39]++ })
	spoiled("a node that did not consent", "evidence", "register a validator", func(b *tx.Body) { b.GetRegister().NodeSignature[0]++ })
	spoiled("a consensus key of another", "evidence", "register a validator", func(b *tx.Body) { b.GetRegister().ConsensusSignature[0]++ })
	spoiled("a VRF key of another", "evidence", "register a validator", func(b *tx.Body) { b.GetRegister().VrfProof[79]++ })
	spoiled("the proofs for another account", "evidence", "register a validator", func(b *tx.Body) {
		r := b.GetRegister()
		prover, err := vrf.GenerateKey(bytes.NewReader(fill(0x11, 32)))
		if err != nil {
			t.Fatal(err)
		}
		r.Possess(chain, key.Address(pub(player)), ed25519.NewKeyFromSeed(fill(0x22, 32)), prover)
	})
	spoiled("a certificate with a place beyond its signatures", "field", "certificate", func(b *tx.Body) { b.GetCertificate().Signers |= 1 << 7 })
	return out
}

// envelope signs body bytes as they are.
func envelope(t *testing.T, k ed25519.PrivateKey, body []byte) []byte {
	t.Helper()
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(&tx.Signed{
		Body: body, Signer: k[ed25519.SeedSize:], Signature: key.Sign(k, chain, key.KindTx, body)})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func describeVector(t *testing.T, e example, chain string, raw []byte) vector {
	t.Helper()
	got, err := judge(chain, raw)
	if err != nil {
		t.Fatalf("%s: %v", e.name, err)
	}
	var s tx.Signed
	if err := proto.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	message, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(e.body)
	if err != nil {
		t.Fatal(err)
	}
	var compact bytes.Buffer // the library varies its spaces on purpose
	if err := json.Compact(&compact, message); err != nil {
		t.Fatal(err)
	}
	return vector{
		Name: e.name, Chain: chain, Message: compact.Bytes(), Seed: hex.EncodeToString(e.key.Seed()),
		Signer: hex.EncodeToString(got.Signer[:]), Address: got.Signer.String(),
		Body: hex.EncodeToString(s.GetBody()), SignBytes: hex.EncodeToString(key.SignBytes(chain, key.KindTx, s.GetBody())),
		Signature: hex.EncodeToString(s.GetSignature()), Raw: hex.EncodeToString(raw),
		Hash: hex.EncodeToString(got.Hash[:]), Operation: got.Name(), Valid: true,
	}
}

func TestVectors(t *testing.T) {
	made, err := json.MarshalIndent(makeVectors(t), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	made = append(made, '\n')
	if *update {
		if err := os.WriteFile(vectorsFile, made, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(file, made) {
		t.Error("the vectors are not what the code makes; if the format was meant to change, run this test with -update")
	}
	var vectors []vector
	if err := json.Unmarshal(file, &vectors); err != nil {
		t.Fatal(err)
	}
	for _, v := range vectors {
		raw, err := hex.DecodeString(v.Raw)
		if err != nil {
			t.Fatal(err)
		}
		got, err := judge(v.Chain, raw)
		if !v.Valid {
			if want := errorNames[v.Error]; want == nil || !errors.Is(err, want) {
				t.Errorf("%s: %v, want %s", v.Name, err, v.Error)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", v.Name, err)
			continue
		}
		if hex.EncodeToString(got.Hash[:]) != v.Hash || got.Name() != v.Operation || got.Signer.String() != v.Address {
			t.Errorf("%s: %s %s by %s", v.Name, got.Name(), hex.EncodeToString(got.Hash[:]), got.Signer)
		}
	}
}

func TestDescribeIsExactAndForPeople(t *testing.T) {
	for _, c := range [][2]string{
		{"transfer", `"fields":{"to":"frm1`},
		{"transfer of all there is", `"amount":"42000000000"`},
		{"first transfer without memo", `"amount":"0.00000001"`},
		{"register a validator", `"roles":"container checker"`},
		{"open a session", `"escrow":"0.25002"`},
		{"a node that says where it lives", `"subnet.1":"11.1.1.0/24","subnet.2":"2a00:1:2::/48"`},
		{"open a session", `"quote.1":"995 per dollar by frm1`},
		{"open a session", `"quote.3":"1010 per dollar by frm1`},
		{"the container closes", `"paid":"0.20835"`},
		{"the player closes, nothing paid", `"paid":"0"`},
		{"close three", `"3.paid":"0.04167"`},
		{"fraud proof", `"kind":"tile"`},
		{"claim", `"fields":{}`},
		{"a node updates itself", `"account":"frm1`},
	} {
		name, want := c[0], c[1]
		d := signed(t, find(t, name), nil).Describe()
		b, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(b) || !bytes.Contains(b, []byte(want)) {
			t.Errorf("%s: %s is not in %s", name, want, b)
		}
		for _, f := range d.Fields {
			if !bytes.Contains([]byte(d.String()), []byte(f.Name)) {
				t.Errorf("%s: %s is not in the text", name, f.Name)
			}
		}
	}
}
