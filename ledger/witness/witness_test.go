package witness

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"testing"
)

// message is what a page sends for a local player that holds a key.
func message(seq uint32, pad, key byte) []byte {
	b := make([]byte, MessageSize)
	b[0], b[1], b[2] = 1, pad, 1
	binary.LittleEndian.PutUint32(b[4:], seq)
	b[20+key/8] = 1 << (key % 8)
	return b
}

func player(seed byte) (Session, ed25519.PrivateKey) {
	k := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, 32))
	return Session{Chain: "demo", Container: [32]byte{1}, ID: [16]byte{2}, Player: [32]byte(k.Public().(ed25519.PublicKey))}, k
}

func record(t *testing.T, s Session, k ed25519.PrivateKey, first uint32, messages ...[]byte) *Inputs {
	t.Helper()
	var leaves []byte
	for _, m := range messages {
		l := s.Leaf(m)
		leaves = append(leaves, l[:]...)
	}
	in, err := s.SignInputs(k, 100, first, leaves)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestARecordCoversWhatWasSentAndNothingElse(t *testing.T) {
	s, k := player(7)
	const first = 1<<32 - 2 // numbers wrap within the record
	in := record(t, s, k, first, message(first, 0, 4), message(first+1, 1, 5), message(0, 0, 6))
	if err := in.Verify(s); err != nil {
		t.Fatal(err)
	}
	for _, m := range [][]byte{message(first, 0, 4), message(first+1, 1, 5), message(0, 0, 6)} {
		if !in.Covers(s, m) {
			t.Errorf("message %d is not covered", Seq(m))
		}
	}
	for name, m := range map[string][]byte{
		"another key": message(first, 0, 5), "another number": message(first+1, 0, 4), "another player": message(first, 1, 4),
		"number after": message(1, 0, 6), "number before": message(first-1, 0, 4), "too short": message(first, 0, 4)[:71], "nothing": nil, "too long": append(message(first, 0, 4), 0),
	} {
		if in.Covers(s, m) {
			t.Errorf("covered: %s", name)
		}
	}
	other := s
	other.ID[0]++
	if in.Covers(other, message(first, 0, 4)) {
		t.Error("covered in another session")
	}
}

func TestARecordIsOfOnePlayerSessionAndNetwork(t *testing.T) {
	s, k := player(7)
	in := record(t, s, k, 1, message(1, 0, 4))
	for name, change := range map[string]func(*Session, *Inputs){
		"chain": func(s *Session, _ *Inputs) { s.Chain = "other" }, "container": func(s *Session, _ *Inputs) { s.Container[3]++ },
		"session": func(s *Session, _ *Inputs) { s.ID[3]++ }, "player": func(s *Session, _ *Inputs) { p, _ := player(8); s.Player = p.Player },
		"second": func(_ *Session, in *Inputs) { in.Second++ }, "first": func(_ *Session, in *Inputs) { in.First++ },
		"leaf": func(_ *Session, in *Inputs) { in.Leaves[0]++ }, "signature": func(_ *Session, in *Inputs) { in.Signature[9]++ },
	} {
		o, i := s, *in
		i.Leaves = bytes.Clone(in.Leaves)
		if change(&o, &i); !errors.Is(i.Verify(o), ErrForged) {
			t.Errorf("%s: %v", name, i.Verify(o))
		}
	}
	for _, n := range []int{0, 7, LeafSize*MaxMessages + LeafSize} {
		if _, err := s.SignInputs(k, 1, 1, make([]byte, n)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%d bytes of leaves: %v", n, err)
		}
	}
	if key := record(t, s, k, 1, message(1, 0, 4)); key.Digest(s) != in.Digest(s) {
		t.Error("the same record has two digests")
	}
}

func TestReceipt(t *testing.T) {
	s, k := player(7)
	r := Receipt{Second: 9, Frames: 60, Lost: 2, Packets: 300, P50MS: 12, P95MS: 40, Acked: 77, Seen: [32]byte{5}}
	s.SignReceipt(k, &r)
	if err := r.Verify(s); err != nil {
		t.Fatal(err)
	}
	for i, v := range r.figures() {
		*v++
		if err := r.Verify(s); !errors.Is(err, ErrForged) {
			t.Errorf("figure %d changed: %v", i, err)
		}
		*v--
	}
	r.Seen[31]++
	if err := r.Verify(s); !errors.Is(err, ErrForged) {
		t.Errorf("frame root changed: %v", err)
	}
	for _, bad := range []Receipt{{Frames: 1001}, {P50MS: 2, P95MS: 1}, {P95MS: 60_001}, {Lost: 1<<20 + 1}} {
		s.SignReceipt(k, &bad)
		if err := bad.Verify(s); !errors.Is(err, ErrMalformed) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	kept := KeptReceipt{s.Player, r}
	if got, err := ParseReceipt(kept.Append(nil)); err != nil || got != kept {
		t.Errorf("kept as %+v, %v", got, err)
	}
}

func TestBatchFindsMessagesInTheContainersNumbering(t *testing.T) {
	s, k := player(7)
	x := Batch{Player: s.Player, Seat: 1, Shift: [Pads]uint32{1000, 5}, Used: [Pads]bool{true, true}, Inputs: *record(t, s, k, 1, message(1, 0, 4), message(2, 1, 9))}
	got, err := ParseBatch(x.Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	if seq, ok := got.Sent(s, 1, message(1001, 0, 4)); !ok || seq != 1 {
		t.Errorf("first player: %d, %v", seq, ok)
	}
	if seq, ok := got.Sent(s, 2, message(7, 1, 9)); !ok || seq != 2 {
		t.Errorf("second player: %d, %v", seq, ok)
	}
	unused := got
	unused.Used[1] = false
	for name, ok := range map[string]bool{
		"another seat":   second(got.Sent(s, 2, message(1001, 0, 4))),
		"another number": second(got.Sent(s, 1, message(1002, 0, 4))),
		"another key":    second(got.Sent(s, 1, message(1001, 0, 5))),
		"no such player": second(got.Sent(s, 5, message(1001, 4, 4))),
		"short":          second(got.Sent(s, 1, nil)),
		"not in use":     second(unused.Sent(s, 2, message(7, 1, 9))),
	} {
		if ok {
			t.Errorf("passed: %s", name)
		}
	}
	other, _ := player(8)
	if _, ok := got.Sent(other, 1, message(1001, 0, 4)); ok {
		t.Error("passed as another player's")
	}
}

func second(_ uint32, ok bool) bool { return ok }

func FuzzParseBatch(f *testing.F) {
	x := Batch{Seat: 3, Shift: [Pads]uint32{1, 2, 3, 4}, Inputs: Inputs{Second: 5, First: 6, Leaves: make([]byte, 16)}}
	f.Add(x.Append(nil))
	f.Add([]byte{})
	f.Add((&KeptReceipt{}).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if x, err := ParseBatch(b); err == nil {
			if !bytes.Equal(x.Append(nil), b) {
				t.Fatalf("%x became %x", b, x.Append(nil))
			}
			x.Sent(Session{}, 0, b)
			if err := x.Verify(Session{Player: x.Player}); !errors.Is(err, ErrForged) {
				t.Fatalf("verified: %v", err)
			}
		} else if !errors.Is(err, ErrMalformed) {
			t.Fatal(err)
		}
		if r, err := ParseReceipt(b); err == nil && !bytes.Equal(r.Append(nil), b) {
			t.Fatalf("%x became %x", b, r.Append(nil))
		}
	})
}

func BenchmarkVerifyInputs(b *testing.B) {
	s, k := player(7)
	in, err := s.SignInputs(k, 1, 1, make([]byte, LeafSize*60))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := in.Verify(s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLeaf(b *testing.B) {
	s, _ := player(7)
	m := message(1, 0, 4)
	for b.Loop() {
		s.Leaf(m)
	}
}
