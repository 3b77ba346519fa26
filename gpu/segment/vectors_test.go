package segment

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/framemesh/framemesh/gpu/app"
)

var update = flag.Bool("update", false, "rewrite docs/spec/vectors/segment.json")

const vectorsFile = "../../docs/spec/vectors/segment.json"

type rootsVector struct {
	State string `json:"state"`
	Input string `json:"input"`
	Frame string `json:"frame"`
	Audio string `json:"audio"`
	Ticks uint32 `json:"ticks"`
}

type vectors struct {
	Memory struct {
		ZeroPage  string `json:"zero_page"`   // leaf
		ZeroRoot  string `json:"zero_root"`   // of no memory
		OnePage   string `json:"one_page"`    // leaf of page 3, whose byte i is i mod 251
		Root      string `json:"root"`        // of 64 KiB in which only that page is not zero
		GrownRoot string `json:"grown_root"`  // and of 128 KiB with byte 131071 set to 1
		StateRoot string `json:"state_root"`  // with params below, "rest" as rest, seats below
		Params    string `json:"params"`      // encoding
		ParamsSum string `json:"params_hash"` // digest
	} `json:"memory"`
	Inputs struct {
		Block    string   `json:"block"` // of tick 7: seat 1 holds KeyA
		Leaf     string   `json:"leaf"`
		Roots    []string `json:"tick_roots"` // of that leaf 0, 1, 2 and 3 times
		Seats    string   `json:"seats"`      // after the second's events, no tick in between
		SeatHash string   `json:"seat_hash"`  // of seat 3's messages in the second
		Source   string   `json:"source"`
		Second   string   `json:"second"` // encoding
		Root     string   `json:"root"`   // what its Input should be
	} `json:"inputs"`
	Picture struct {
		Size  [2]int `json:"size"`
		Chain string `json:"chain"` // after one tick with the leaf above, byte i of the picture is i mod 253
		Audio string `json:"audio"` // of that tick with the samples below
		PCM   []int  `json:"samples"`
	} `json:"picture"`
	Session struct {
		App    string        `json:"app"` // SHA-256 of gpu/app/testdata/ball.wasm
		Seed   uint64        `json:"seed"`
		Save   string        `json:"save"` // hex
		Start  string        `json:"start"`
		Roots  []rootsVector `json:"seconds"`
		Honest string        `json:"honest_proof"` // of the second second
		Fraud  string        `json:"fraud_proof"`  // of the third: one byte of memory was changed
		Field  string        `json:"fraud_field"`
	} `json:"session"`
}

func hx(b [32]byte) string { return hex.EncodeToString(b[:]) }

func rootsOf(r Roots) rootsVector {
	return rootsVector{hx(r.State), hx(r.Input), hx(r.Frame), hx(r.Audio), r.Ticks}
}

func makeVectors(t *testing.T) (v vectors) {
	m := &v.Memory
	m.ZeroPage, m.ZeroRoot = hx(emptyNodes[0]), hx(emptyNodes[treeDepth])
	mem := make([]byte, 64<<10)
	for i := range PageSize {
		mem[3*PageSize+i] = byte(i % 251)
	}
	var tr tree
	tr.mark(mem)
	tr.work(len(tr.dirty))
	root := tr.root()
	m.OnePage, m.Root = hx(tr.nodes[0][3]), hx(root)
	grown := append(bytes.Clone(mem), make([]byte, 64<<10)...)
	grown[len(grown)-1] = 1
	tr.mark(grown)
	tr.work(len(tr.dirty))
	m.GrownRoot = hx(tr.root())
	p := Params{App: sum(cart(t)), Arch: "amd64", Seed: 5, Memory: app.DefaultMemory, Save: []byte("save")}
	m.Params, m.ParamsSum = hex.EncodeToString(p.append(nil)), hx(p.Digest())

	in := &v.Inputs
	input := app.Input{Tick: 7}
	input.Seats[1].Flags = app.SeatConnected
	input.Seats[1].SetKey(4, true)
	var block [app.InputSize]byte
	input.MarshalTo(block[:])
	leaf := InputLeaf(7, block[:])
	in.Block, in.Leaf = hex.EncodeToString(block[:]), hx(leaf)
	for n := range 4 {
		in.Roots = append(in.Roots, hx(TickRoot([][32]byte{leaf, leaf, leaf}[:n])))
	}
	sec := aSecond()
	var seats Seats
	for i := range sec.Events[:2] {
		seats.Apply(&sec.Events[i])
	}
	in.Seats = hex.EncodeToString(seats.Append(nil))
	in.SeatHash, in.Source = hx(SeatDigest(3, sec.Messages(3))), hx(SourceRoot(sec.Events, sec.Wall))
	in.Second, in.Root = hex.EncodeToString(sec.Append(nil)), hx(sec.InputRoot())
	m.StateRoot = hx(stateRoot(p.Digest(), root, sum([]byte("rest")), sum(seats.Append(nil))))

	s := play(t, cart(t), 5, []byte("save"))
	s.p = p
	s.record(0, false)
	v.Session.Start = hx(s.rec.Start())
	pic := make([]byte, 64*32*4)
	for i := range pic {
		pic[i] = byte(i % 253)
	}
	s.rec.picture(&leaf, app.Frame{Pix: pic, Width: 64, Height: 32, Stride: 256})
	s.rec.sound([]int16{1, -1, 32767, -32768})
	v.Picture.Size, v.Picture.PCM = [2]int{64, 32}, []int{1, -1, 32767, -32768}
	v.Picture.Chain = hx(s.rec.chain)
	var audio [32]byte
	s.rec.audio.Sum(audio[:0])
	v.Picture.Audio = hx(audio)

	s.record(0, false)
	w := s.play(2)
	mem, _, err := s.rt.(app.Viewer).View(nil)
	if err != nil {
		t.Fatal(err)
	}
	mem[len(mem)-1] ^= 1
	w.Seconds = append(w.Seconds, s.second())
	for _, r := range w.Claimed() {
		v.Session.Roots = append(v.Session.Roots, rootsOf(r))
	}
	v.Session.App, v.Session.Seed, v.Session.Save = hx(p.App), 5, hex.EncodeToString(p.Save)
	for k, to := range map[int]*string{1: &v.Session.Honest, 2: &v.Session.Fraud} {
		proof, err := auditor().Prove(context.Background(), cart(t), w, w.Claimed(), k)
		if err != nil {
			t.Fatal(err)
		}
		*to = hex.EncodeToString(proof.Append(nil))
	}
	v.Session.Field = FieldState
	return v
}

func TestVectors(t *testing.T) {
	got := makeVectors(t)
	if *update {
		b, err := json.MarshalIndent(got, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorsFile, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	var want vectors
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	// How well a state is packed is the packer's affair; that it can be read is not.
	got.Session.Honest, got.Session.Fraud = want.Session.Honest, want.Session.Fraud
	x, _ := json.Marshal(got)
	y, _ := json.Marshal(want)
	if !bytes.Equal(x, y) {
		t.Errorf("got  %s\nwant %s", x, y)
	}
	for name, c := range map[string]struct{ proof, field string }{
		"honest": {want.Session.Honest, ""}, "fraud": {want.Session.Fraud, want.Session.Field},
	} {
		b, err := hex.DecodeString(c.proof)
		if err != nil {
			t.Fatal(err)
		}
		w, err := ParseWindow(b)
		if err != nil {
			t.Fatal(err)
		}
		v, err := auditor().VerifySecond(context.Background(), cart(t), w)
		if err != nil || v.Bad() != (c.field != "") || v.Field != c.field {
			t.Errorf("%s: %v %v", name, v, err)
		}
	}
}
