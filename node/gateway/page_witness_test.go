package gateway

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/witness"
	"github.com/framemesh/framemesh/stream/control"
	"github.com/framemesh/framemesh/stream/input"
)

// words are what the page has signed so far, decoded as a container decodes it.
func (c *fakeContainer) words(t *testing.T) (in []control.Inputs, receipts []control.Receipt) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, raw := range c.signed {
		m, err := control.FromPage([]byte(raw))
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		switch m := m.(type) {
		case control.Inputs:
			in = append(in, m)
		case control.Receipt:
			receipts = append(receipts, m)
		}
	}
	return in, receipts
}

// The page signs each input that it sends, and each second what it saw; the real
// verifier holds it to that.
func TestPageSignsItsInputsAndReceipts(t *testing.T) {
	r := newRoom(t)
	r.c.proven = true
	r.play()
	root := strings.Repeat("5a", 32)
	r.c.say(map[string]any{"t": "segment", "second": 0, "frames": root})
	r.tab.Key("KeyZ", true)
	waitFor(t, "the key", r.c.held)
	r.tab.Key("KeyZ", false)
	waitFor(t, "its release", func() bool { return !r.c.held() })
	covered := uint32(0)
	waitFor(t, "records of all inputs", func() bool {
		in, receipts := r.c.words(t)
		shown := uint32(0)
		for _, m := range receipts {
			shown += m.Frames
		}
		if len(in) == 0 || len(receipts) < 2 || shown == 0 || receipts[len(receipts)-1].Seen != root {
			return false
		}
		last := in[len(in)-1]
		leaves, _, _ := last.Values()
		covered = last.First + uint32(len(leaves)/witness.LeafSize) - 1
		return covered >= input.Seq(r.c.last())
	})
	node, err := key.NodeOf(r.c.id)
	if err != nil {
		t.Fatal(err)
	}
	id, err := hex.DecodeString(r.c.session)
	if err != nil {
		t.Fatal(err)
	}
	s := witness.Session{Chain: "testnet", Container: node, ID: [16]byte(id), Player: [32]byte(r.lastLaunch().Player)}
	in, receipts := r.c.words(t)
	var records []witness.Inputs
	second := uint32(0)
	for _, m := range in {
		leaves, sig, _ := m.Values()
		x := witness.Inputs{Second: m.Second, First: m.First, Leaves: leaves, Signature: sig}
		if err := x.Verify(s); err != nil || m.Second <= second {
			t.Errorf("record of second %d after %d: %v", m.Second, second, err)
		}
		second = m.Second
		records = append(records, x)
	}
	r.c.mu.Lock()
	sent := append([][]byte(nil), r.c.inputs...)
	r.c.mu.Unlock()
	states := 0
	for _, b := range sent {
		if len(b) != input.StateSize || input.Newer(input.Seq(b), covered) {
			continue
		}
		states++
		ok := false
		for i := range records {
			ok = ok || records[i].Covers(s, b)
		}
		if !ok {
			t.Errorf("input %d is in no record", input.Seq(b))
		}
	}
	if states < 2 || records[0].First != 1 {
		t.Errorf("%d inputs; the first record begins with number %d", states, records[0].First)
	}
	shown := uint32(0)
	for _, m := range receipts {
		seen, sig, _ := m.Values()
		x := witness.Receipt{Second: m.Second, Frames: m.Frames, Lost: m.Lost, Packets: m.Packets, P50MS: m.P50, P95MS: m.P95, Acked: m.Acked, Stalls: m.Stalls, Seen: seen, Signature: sig}
		if err := x.Verify(s); err != nil {
			t.Errorf("receipt %+v: %v", m, err)
		}
		shown += m.Frames
	}
	if last := receipts[len(receipts)-1]; last.Seen != root || shown == 0 {
		t.Errorf("%d frames shown; the newest receipt is %+v", shown, last)
	}
}

// A container that keeps no proof is sent none, and a page without the module plays.
func TestPagePlaysWithoutAWitness(t *testing.T) {
	r := newRoom(t)
	r.play()
	r.tab.Key("KeyZ", true)
	waitFor(t, "the key", r.c.held)
	var fetched bool
	if r.tab.Eval(`performance.getEntriesByType('resource').some(e => e.name.endsWith('/witness.js'))`, &fetched); fetched {
		t.Error("the module was fetched for nothing")
	}
	if in, receipts := r.c.words(t); len(in)+len(receipts) > 0 {
		t.Errorf("%d records and %d receipts for a container that keeps none", len(in), len(receipts))
	}
}
