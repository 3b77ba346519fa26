package judge_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
)

const (
	chain  = "test-1"
	epoch  = 9
	number = 3 // of the batch
)

var seed = [32]byte{7}

func params() judge.Params { return judge.From(economics.DefaultParams()) }

func testKey(n byte) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, 32)) }

// member is the key of a committee's member by its place.
func member(place int) ed25519.PrivateKey { return testKey(byte(0x40 + place)) }

func node(k ed25519.PrivateKey) key.Node { return key.Node(k[32:]) }

func fill(n byte, size int) []byte { return bytes.Repeat([]byte{n}, size) }

// named is a container's key that nobody has to sign with.
func named(n int) key.Node {
	return sha256.Sum256(binary.BigEndian.AppendUint64([]byte("node"), uint64(n)))
}

// batch is one of so many containers, and a committee of five.
func batch(containers int) *judge.Batch {
	b := new(judge.Batch)
	for i := range containers {
		b.Containers = append(b.Containers, named(i))
	}
	for i := range params().Members() {
		b.Committee = append(b.Committee, node(member(i)))
	}
	return b
}

func input(b *judge.Batch, votes ...*proof.Opened) judge.Input {
	return judge.Input{Seed: seed, Epoch: epoch, Number: number, Batch: b, Params: params(), Votes: votes}
}

func cast(t testing.TB, k ed25519.PrivateKey, findings ...*proof.Finding) *proof.Opened {
	t.Helper()
	return castVote(t, k, &proof.Vote{Epoch: epoch, Batch: number, Salt: fill(1, 32), Findings: findings})
}

func castVote(t testing.TB, k ed25519.PrivateKey, v *proof.Vote) *proof.Opened {
	t.Helper()
	o, err := proof.Sign(chain, k, &proof.Statement{Says: &proof.Statement_Vote{Vote: v}})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// ok is a finding that counts whether or not the container was drawn.
func ok(place int, commit byte, arrival uint32) *proof.Finding {
	return &proof.Finding{Container: uint32(place), Verdict: proof.VerdictOK, Commit: fill(commit, 32), Samples: 100_000_000,
		ArrivalMs: arrival, RttMs: 40, Work: fill(9, 32), Tiles: uint32(params().K)}
}

func bad(place int, commit, evidence byte) *proof.Finding {
	return &proof.Finding{Container: uint32(place), Verdict: proof.VerdictBad, Commit: fill(commit, 32), Samples: 100_000_000,
		ArrivalMs: 13_010, Evidence: fill(evidence, 32), Reason: uint32(proof.ReasonTile)}
}

func absent(place int) *proof.Finding {
	return &proof.Finding{Container: uint32(place), Verdict: proof.VerdictAbsent}
}

func asJSON(t testing.TB, m proto.Message) json.RawMessage {
	t.Helper()
	b, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var compact bytes.Buffer // the library varies its spaces on purpose
	if err := json.Compact(&compact, b); err != nil {
		t.Fatal(err)
	}
	return compact.Bytes()
}
