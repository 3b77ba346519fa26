package witness

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write the vectors of the specification anew")

const vectorsFile = "../../docs/spec/vectors/work.json"

// vectors are what docs/spec/work.md describes, for other implementations.
type vectors struct {
	Chain     string   `json:"chain"`
	Container string   `json:"container"` // hex, as everything that is bytes
	Session   string   `json:"session"`
	Seed      string   `json:"seed"` // of the player's key
	Player    string   `json:"player"`
	Second    uint32   `json:"second"`
	First     uint32   `json:"first"`
	Messages  []string `json:"messages"`
	Leaves    string   `json:"leaves"`
	Payload   string   `json:"payload"`
	Signature string   `json:"signature"`
	Batch     string   `json:"batch"` // seat 1, local player 0 in use with a shift of 7
	Receipt   struct {
		Second    uint32 `json:"second"`
		Frames    uint32 `json:"frames"`
		Lost      uint32 `json:"lost"`
		Packets   uint32 `json:"packets"`
		P50       uint32 `json:"p50"`
		P95       uint32 `json:"p95"`
		Acked     uint32 `json:"acked"`
		Stalls    uint32 `json:"stalls"`
		Seen      string `json:"seen"`
		Payload   string `json:"payload"`
		Signature string `json:"signature"`
	} `json:"receipt"`
	Gone struct {
		Seconds   uint32 `json:"seconds"`
		AtMS      uint64 `json:"at_ms"`
		Payload   string `json:"payload"`
		Signature string `json:"signature"`
	} `json:"gone"`
	Taken struct { // of the container whose key has the seed, for the player's session
		Seed      string `json:"seed"`
		Container string `json:"container"`
		PerSecond uint64 `json:"per_second"`
		OpenedMS  uint64 `json:"opened_ms"`
		Payload   string `json:"payload"`
		Signature string `json:"signature"`
	} `json:"taken"`
}

func makeVectors(t *testing.T) vectors {
	t.Helper()
	k := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{5}, 32))
	s := Session{Chain: "demo", Container: [32]byte(bytes.Repeat([]byte{1}, 32)), ID: [16]byte(bytes.Repeat([]byte{2}, 16)), Player: [32]byte(k.Public().(ed25519.PublicKey))}
	v := vectors{Chain: s.Chain, Container: hex.EncodeToString(s.Container[:]), Session: hex.EncodeToString(s.ID[:]), Seed: hex.EncodeToString(k.Seed()),
		Player: hex.EncodeToString(s.Player[:]), Second: 1_800_000_000, First: 1<<32 - 1}
	var leaves []byte
	for i := range 3 {
		m := message(v.First+uint32(i), 0, byte(4+i))
		l := s.Leaf(m)
		leaves, v.Messages = append(leaves, l[:]...), append(v.Messages, hex.EncodeToString(m))
	}
	in, err := s.SignInputs(k, v.Second, v.First, leaves)
	if err != nil {
		t.Fatal(err)
	}
	b := Batch{Player: s.Player, Seat: 1, Shift: [Pads]uint32{7}, Used: [Pads]bool{true}, Inputs: *in}
	v.Leaves, v.Payload, v.Signature, v.Batch = hex.EncodeToString(leaves), hex.EncodeToString(in.Payload(s)), hex.EncodeToString(in.Signature[:]), hex.EncodeToString(b.Append(nil))
	r := Receipt{Second: v.Second + 1, Frames: 60, Lost: 1, Packets: 250, P50MS: 17, P95MS: 33, Acked: 1, Stalls: 2, Seen: [32]byte(bytes.Repeat([]byte{9}, 32))}
	s.SignReceipt(k, &r)
	o := &v.Receipt
	o.Second, o.Frames, o.Lost, o.Packets, o.P50, o.P95, o.Acked, o.Stalls = r.Second, r.Frames, r.Lost, r.Packets, r.P50MS, r.P95MS, r.Acked, r.Stalls
	o.Seen, o.Payload, o.Signature = hex.EncodeToString(r.Seen[:]), hex.EncodeToString(r.Payload(s)), hex.EncodeToString(r.Signature[:])
	g := Gone{Seconds: 61, AtMS: 1_800_000_061_999}
	s.SignGone(k, &g)
	v.Gone.Seconds, v.Gone.AtMS, v.Gone.Payload, v.Gone.Signature = g.Seconds, g.AtMS, hex.EncodeToString(g.Payload(s)), hex.EncodeToString(g.Signature[:])
	s, h := host(s)
	w := Taken{PerSecond: 20_000, OpenedMS: 1_800_000_000_250}
	s.SignTaken(h, &w)
	v.Taken.Seed, v.Taken.Container, v.Taken.PerSecond, v.Taken.OpenedMS = hex.EncodeToString(h.Seed()), hex.EncodeToString(s.Container[:]), w.PerSecond, w.OpenedMS
	v.Taken.Payload, v.Taken.Signature = hex.EncodeToString(w.Payload(s)), hex.EncodeToString(w.Signature[:])
	return v
}

// The vectors are what this package makes; -update writes them.
func TestVectors(t *testing.T) {
	want, err := json.MarshalIndent(makeVectors(t), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.WriteFile(vectorsFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(vectorsFile)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("the vectors are stale (%v); go test ./ledger/witness -run TestVectors -update", err)
	}
}
