package seal_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/record"
	recordpb "github.com/libp2p/go-libp2p/core/record/pb"
	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/p2p/seal"
	"github.com/framemesh/framemesh/p2p/wire"
)

var update = flag.Bool("update", false, "rewrite docs/spec/vectors/seal/vectors.json")

var vectorsFile = filepath.Join("..", "..", "docs", "spec", "vectors", "seal", "vectors.json")

// vector is one case that every implementation of sealed messages has to agree on.
type vector struct {
	Name        string `json:"name"`
	Network     string `json:"network"` // to open with
	Type        string `json:"type"`    // to open with
	MaxSize     int    `json:"max_size"`
	Domain      string `json:"domain"`               // that network and type give
	PayloadType string `json:"payload_type"`         // that type gives
	Seed        string `json:"seed,omitempty"`       // hex, Ed25519 private seed of the signer
	PublicKey   string `json:"public_key,omitempty"` // hex, 32 bytes
	PeerID      string `json:"peer_id,omitempty"`    // base58, of public_key
	PeerIDHex   string `json:"peer_id_hex,omitempty"`
	Payload     string `json:"payload,omitempty"` // hex, the exact bytes that were signed
	Envelope    string `json:"envelope"`          // hex
	Valid       bool   `json:"valid"`
	Error       string `json:"error,omitempty"` // too_large, decode, key, type, signature
}

var errorNames = map[string]error{
	"too_large": seal.ErrTooLarge, "decode": seal.ErrDecode, "key": seal.ErrKey,
	"type": seal.ErrType, "signature": seal.ErrSignature,
}

// makeVectors builds the cases anew; Ed25519 signatures are deterministic, so they
// come out the same each time.
func makeVectors(t *testing.T) []vector {
	const network, size = "testnet", 8 << 10
	key := testKey(t, 1)
	id := testID(t, key)
	pub, err := key.GetPublic().Raw()
	if err != nil {
		t.Fatal(err)
	}
	base := func(name, typ string) vector {
		domain, err := seal.Domain(network, typ)
		if err != nil {
			t.Fatal(err)
		}
		return vector{
			Name: name, Network: network, Type: typ, MaxSize: size, Domain: domain, PayloadType: seal.PayloadType(typ),
			Seed: hex.EncodeToString(bytes.Repeat([]byte{1}, 32)), PublicKey: hex.EncodeToString(pub),
			PeerID: id.String(), PeerIDHex: hex.EncodeToString([]byte(id)),
		}
	}
	valid := func(name, typ string, msg proto.Message) vector {
		v := base(name, typ)
		env, err := seal.Seal(network, typ, msg, key)
		if err != nil {
			t.Fatal(err)
		}
		payload, err := seal.Payload(env)
		if err != nil {
			t.Fatal(err)
		}
		v.Envelope, v.Payload, v.Valid = hex.EncodeToString(env), hex.EncodeToString(payload), true
		return v
	}
	answer := valid("answer", seal.TypeAnswer, &wire.AnswerProof{
		Container: []byte(id), SessionId: bytes.Repeat([]byte{2}, 16), OfferSha256: bytes.Repeat([]byte{3}, 32),
		Fingerprint: bytes.Repeat([]byte{4}, 32), MadeMs: 1_790_000_000_000,
	})
	out := []vector{
		answer,
		valid("ad", seal.TypeAd, testAd(t, key)),
		valid("node", seal.TypeNode, &wire.NodeRecord{PeerId: []byte(id), Seq: 7, ExpiresMs: 9, Roles: []string{"container"}, Region: "eu-west", Agent: "framemesh/0.1.0"}),
		valid("match", seal.TypeMatch, &wire.Certificate{Indexer: []byte(id), Request: []byte{10, 0}, Candidates: 2, MadeMs: 5, Beacon: make([]byte, 32)}),
		valid("empty payload", seal.TypeAd, &wire.Ad{}),
	}
	env := func() []byte {
		b, err := hex.DecodeString(answer.Envelope)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	broken := func(name, why string, change func(v *vector, env *recordpb.Envelope)) {
		v := base(name, seal.TypeAnswer)
		var e recordpb.Envelope
		if err := proto.Unmarshal(env(), &e); err != nil {
			t.Fatal(err)
		}
		v.Payload, v.Error = answer.Payload, why
		change(&v, &e)
		b, err := proto.Marshal(&e)
		if err != nil {
			t.Fatal(err)
		}
		v.Envelope = hex.EncodeToString(b)
		out = append(out, v)
	}
	broken("signature with a flipped bit", "signature", func(_ *vector, e *recordpb.Envelope) { e.Signature[0] ^= 1 })
	broken("signature missing", "signature", func(_ *vector, e *recordpb.Envelope) { e.Signature = nil })
	broken("signature one byte longer", "signature", func(_ *vector, e *recordpb.Envelope) { e.Signature = append(e.Signature, 0) })
	broken("payload with a flipped bit", "signature", func(_ *vector, e *recordpb.Envelope) { e.Payload[5] ^= 1 })
	broken("payload with a byte appended", "signature", func(_ *vector, e *recordpb.Envelope) { e.Payload = append(e.Payload, 0) })
	broken("key of somebody else", "signature", func(_ *vector, e *recordpb.Envelope) {
		other, err := testKey(t, 2).GetPublic().Raw()
		if err != nil {
			t.Fatal(err)
		}
		e.PublicKey.Data = other
	})
	broken("sealed for another network", "signature", func(v *vector, _ *recordpb.Envelope) {
		v.Network, v.Domain = "othernet", "framemesh/othernet/answer/1"
	})
	broken("relabelled as another type", "signature", func(v *vector, e *recordpb.Envelope) {
		v.Type, v.Domain, v.PayloadType = "ad", "framemesh/testnet/ad/1", "/framemesh/ad/1"
		e.PayloadType = []byte(v.PayloadType)
	})
	broken("opened as another type", "type", func(v *vector, _ *recordpb.Envelope) {
		v.Type, v.Domain, v.PayloadType = "match", "framemesh/testnet/match/1", "/framemesh/match/1"
	})
	broken("larger than the limit", "too_large", func(v *vector, _ *recordpb.Envelope) { v.MaxSize = len(env()) - 1 })
	broken("Secp256k1 key", "key", func(_ *vector, e *recordpb.Envelope) { *e.PublicKey.Type = 2 })
	broken("key one byte short", "key", func(_ *vector, e *recordpb.Envelope) { e.PublicKey.Data = e.PublicKey.Data[:31] })
	raw := func(name, why string, b []byte) {
		v := base(name, seal.TypeAnswer)
		v.Error, v.Envelope = why, hex.EncodeToString(b)
		out = append(out, v)
	}
	raw("nothing", "key", nil)
	raw("cut in the middle", "decode", env()[:len(env())/2])
	raw("unknown field appended", "decode", append(env(), 0x7a, 0x01, 0x00))
	raw("not protobuf", "decode", bytes.Repeat([]byte{0xff}, 40))
	out = append(out, badPayload(t, base("signed, but the payload is not the message", seal.TypeAnswer), key))
	return out
}

// badPayload signs bytes that are not a protobuf message.
func badPayload(t *testing.T, v vector, key crypto.PrivKey) vector {
	payload := []byte{0x0a, 0x7f, 0x01}
	b, err := seal.SealPayload(v.Network, v.Type, payload, key)
	if err != nil {
		t.Fatal(err)
	}
	v.Payload, v.Envelope, v.Error = hex.EncodeToString(payload), hex.EncodeToString(b), "decode"
	return v
}

// The committed vectors are what this package makes, and what it answers.
func TestVectors(t *testing.T) {
	vectors := makeVectors(t)
	want, err := json.MarshalIndent(vectors, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.MkdirAll(filepath.Dir(vectorsFile), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorsFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, want) {
		t.Errorf("%s is not what Seal makes; the wire format changed, or run: go test ./p2p/seal -update", vectorsFile)
	}
	if err := json.Unmarshal(have, &vectors); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]proto.Message{"answer": &wire.AnswerProof{}, "ad": &wire.Ad{}, "node": &wire.NodeRecord{}, "match": &wire.Certificate{}}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			env, err := hex.DecodeString(v.Envelope)
			if err != nil {
				t.Fatal(err)
			}
			signer, err := seal.Open(v.Network, v.Type, env, v.MaxSize, kinds[v.Type])
			switch {
			case v.Valid && err != nil:
				t.Errorf("refused: %v", err)
			case v.Valid && signer.String() != v.PeerID:
				t.Errorf("signer %s, want %s", signer, v.PeerID)
			case !v.Valid && !errors.Is(err, errorNames[v.Error]):
				t.Errorf("got %v, want %q", err, v.Error)
			}
		})
	}
}

// Any libp2p implementation can open what Seal makes.
func TestEnvelopeIsLibp2p(t *testing.T) {
	key := testKey(t, 1)
	b, err := seal.Seal("testnet", seal.TypeAd, testAd(t, key), key)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = record.ConsumeEnvelope(b, "framemesh/testnet/ad/1")
	if !errors.Is(err, record.ErrPayloadTypeNotRegistered) { // verified, and no Go type is registered for it
		t.Errorf("got %v", err)
	}
}
