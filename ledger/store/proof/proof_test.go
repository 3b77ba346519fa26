package proof_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	ics23 "github.com/cosmos/ics23/go"

	"github.com/framemesh/framemesh/ledger/store"
	"github.com/framemesh/framemesh/ledger/store/proof"
)

// state is a saved tree with the keys k000, k002, … k398 at some versions.
func state(t testing.TB, keys int) (*store.Tree, int64, []byte) {
	t.Helper()
	db, err := store.Open(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	tree, err := db.Tree()
	if err != nil {
		t.Fatal(err)
	}
	for i := range keys {
		if err := tree.Set(key(2*i), value(2*i)); err != nil {
			t.Fatal(err)
		}
		if i%50 == 49 {
			if _, _, err := tree.Save(); err != nil {
				t.Fatal(err)
			}
		}
	}
	version, root, err := tree.Save()
	if err != nil {
		t.Fatal(err)
	}
	return tree, version, root
}

func key(i int) []byte   { return fmt.Appendf(nil, "k%03d", i) }
func value(i int) []byte { return fmt.Appendf(nil, "value of %d", i) }

func prove(t testing.TB, tree *store.Tree, version int64, key []byte) (value, p []byte) {
	t.Helper()
	value, p, err := tree.Prove(key, version)
	if err != nil {
		t.Fatal(err)
	}
	return value, p
}

func TestEveryKeyAndEveryGap(t *testing.T) {
	for _, keys := range []int{1, 2, 3, 200} {
		tree, version, root := state(t, keys)
		for i := range 2 * keys {
			got, p := prove(t, tree, version, key(i))
			if there := i%2 == 0; there != (got != nil) || there && !bytes.Equal(got, value(i)) {
				t.Fatalf("key %d of %d: %q", i, keys, got)
			}
			if err := proof.Verify(root, key(i), got, p); err != nil {
				t.Errorf("key %d of %d: %v", i, keys, err)
			}
		}
		for _, outside := range []string{"a", "k", "k000\x00", "z", "\xff"} {
			got, p := prove(t, tree, version, []byte(outside))
			if err := proof.Verify(root, []byte(outside), nil, p); got != nil || err != nil {
				t.Errorf("%q: %q, %v", outside, got, err)
			}
		}
	}
}

func TestStateWithoutKeys(t *testing.T) {
	tree, version, root := state(t, 0)
	if got, p := prove(t, tree, version, []byte("a")); got != nil || p != nil {
		t.Errorf("%q, %q", got, p)
	}
	if err := proof.Verify(root, []byte("a"), nil, nil); err != nil {
		t.Error(err)
	}
	full, v, _ := state(t, 10)
	got, p := prove(t, full, v, key(4))
	for _, bad := range [][2][]byte{{got, p}, {nil, p}, {{}, nil}} {
		if err := proof.Verify(root, key(4), bad[0], bad[1]); !errors.Is(err, proof.ErrProof) {
			t.Errorf("%q: %v", bad[0], err)
		}
	}
}

// Nothing but the truth can be proven, whatever is done to a proof.
func TestTampered(t *testing.T) {
	tree, version, root := state(t, 200)
	other, otherVersion, otherRoot := state(t, 150)
	there, thereProof := prove(t, tree, version, key(100))
	_, goneProof := prove(t, tree, version, key(101))
	_, lastProof := prove(t, tree, version, []byte("z"))
	_, firstProof := prove(t, tree, version, []byte("a"))
	foreign, foreignProof := prove(t, other, otherVersion, key(100))
	old, oldProof := prove(t, tree, 1, key(40))

	parse := func(raw []byte) *ics23.CommitmentProof {
		var p ics23.CommitmentProof
		if err := p.Unmarshal(raw); err != nil {
			t.Fatal(err)
		}
		return &p
	}
	packed := func(p *ics23.CommitmentProof) []byte {
		raw, err := p.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	exist := func(change func(e *ics23.ExistenceProof)) []byte {
		p := parse(thereProof)
		change(p.GetExist())
		return packed(p)
	}
	gone := func(from []byte, change func(n *ics23.NonExistenceProof)) []byte {
		p := parse(from)
		change(p.GetNonexist())
		return packed(p)
	}
	compressed := ics23.Compress(&ics23.CommitmentProof{Proof: &ics23.CommitmentProof_Batch{Batch: &ics23.BatchProof{
		Entries: []*ics23.BatchEntry{{Proof: &ics23.BatchEntry_Exist{Exist: parse(thereProof).GetExist()}}}}}})
	// The neighbours of a wider gap, with a key between them that is there.
	wide := gone(goneProof, func(n *ics23.NonExistenceProof) {
		_, p := prove(t, tree, version, key(103))
		n.Right = parse(p).GetNonexist().Right
	})
	for name, c := range map[string]struct{ root, key, value, proof []byte }{
		"another root":               {otherRoot, key(100), there, thereProof},
		"a root cut off":             {root[:31], key(100), there, thereProof},
		"no root":                    {nil, key(100), there, thereProof},
		"another key":                {root, key(102), there, thereProof},
		"no key":                     {root, nil, there, thereProof},
		"a long key":                 {root, make([]byte, proof.MaxKey+1), there, thereProof},
		"another value":              {root, key(100), value(102), thereProof},
		"an empty value":             {root, key(100), []byte{}, thereProof},
		"a longer value":             {root, key(100), append(slices.Clone(there), 0), thereProof},
		"absent, proven there":       {root, key(100), nil, thereProof},
		"there, proven absent":       {root, key(101), value(101), goneProof},
		"absent, in no gap":          {root, key(103), nil, goneProof},
		"absent, but there":          {root, key(100), nil, goneProof},
		"absent, in a wide gap":      {root, key(102), nil, wide},
		"absent at the end":          {root, key(398), nil, lastProof},
		"absent at the front":        {root, key(0), nil, firstProof},
		"no proof":                   {root, key(100), there, nil},
		"no proof of absence":        {root, key(101), nil, nil},
		"of another state":           {root, key(100), foreign, foreignProof},
		"of an older state":          {root, key(40), old, oldProof},
		"text":                       {root, key(100), there, []byte("a proof, I promise")},
		"huge":                       {root, key(100), there, make([]byte, proof.MaxProof+1)},
		"a batch":                    {root, key(100), there, packed(ics23.Decompress(compressed))},
		"a compressed batch":         {root, key(100), there, packed(compressed)},
		"existence of nothing":       {root, key(100), there, packed(&ics23.CommitmentProof{Proof: &ics23.CommitmentProof_Exist{Exist: &ics23.ExistenceProof{}}})},
		"absence of nothing":         {root, key(101), nil, packed(&ics23.CommitmentProof{Proof: &ics23.CommitmentProof_Nonexist{Nonexist: &ics23.NonExistenceProof{}}})},
		"no leaf":                    {root, key(100), there, exist(func(e *ics23.ExistenceProof) { e.Leaf = nil })},
		"no path":                    {root, key(100), there, exist(func(e *ics23.ExistenceProof) { e.Path = nil })},
		"a step missing":             {root, key(100), there, exist(func(e *ics23.ExistenceProof) { e.Path = e.Path[1:] })},
		"a step twice":               {root, key(100), there, exist(func(e *ics23.ExistenceProof) { e.Path = append(e.Path[:1:1], e.Path...) })},
		"another hash":               {root, key(100), there, exist(func(e *ics23.ExistenceProof) { e.Leaf.Hash = ics23.HashOp_SHA512 })},
		"a value not hashed":         {root, key(100), there, exist(func(e *ics23.ExistenceProof) { e.Leaf.PrehashValue = ics23.HashOp_NO_HASH })},
		"absence, left side missing": {root, key(101), nil, gone(goneProof, func(n *ics23.NonExistenceProof) { n.Left = nil })},
		"absence, right missing":     {root, key(101), nil, gone(goneProof, func(n *ics23.NonExistenceProof) { n.Right = nil })},
		"absence, one side twice":    {root, key(101), nil, gone(goneProof, func(n *ics23.NonExistenceProof) { n.Left = n.Right })},
		"absence, sides swapped":     {root, key(101), nil, gone(goneProof, func(n *ics23.NonExistenceProof) { n.Left, n.Right = n.Right, n.Left })},
		"an inner node as leaf": {root, key(100), there, exist(func(e *ics23.ExistenceProof) {
			e.Key, e.Leaf.Prefix, e.Path = key(100), e.Path[0].Prefix, e.Path[1:]
		})},
	} {
		if err := proof.Verify(c.root, c.key, c.value, c.proof); !errors.Is(err, proof.ErrProof) {
			t.Errorf("%s: %v", name, err)
		}
	}

	// Every byte of every proof matters.
	for name, c := range map[string]struct{ key, value, proof []byte }{
		"there": {key(100), there, thereProof}, "gone": {key(101), nil, goneProof},
		"last": {[]byte("z"), nil, lastProof}, "first": {[]byte("a"), nil, firstProof},
	} {
		if err := proof.Verify(root, c.key, c.value, c.proof); err != nil {
			t.Fatal(name, err)
		}
		for i := range 8 * len(c.proof) {
			bad := slices.Clone(c.proof)
			bad[i/8] ^= 1 << (i % 8)
			if err := proof.Verify(root, c.key, c.value, bad); !errors.Is(err, proof.ErrProof) {
				t.Errorf("%s: bit %d of %d flipped: %v", name, i, 8*len(c.proof), err)
			}
		}
		for i := range c.proof {
			if err := proof.Verify(root, c.key, c.value, c.proof[:i]); !errors.Is(err, proof.ErrProof) {
				t.Errorf("%s cut to %d of %d bytes: %v", name, i, len(c.proof), err)
			}
		}
	}
}

func FuzzVerify(f *testing.F) {
	tree, version, root := state(f, 20)
	for _, k := range []string{"k004", "k005", "a", "z"} {
		v, p := prove(f, tree, version, []byte(k))
		f.Add([]byte(k), v, v != nil, p)
	}
	f.Fuzz(func(t *testing.T, k, v []byte, there bool, p []byte) {
		if !there {
			v = nil
		} else if v == nil {
			v = []byte{}
		}
		if proof.Verify(root, k, v, p) != nil {
			return
		}
		if truth, err := tree.Get(k); err != nil || !bytes.Equal(truth, v) || (truth == nil) != (v == nil) {
			t.Errorf("proven: %q has %q; true is %q, %v", k, v, truth, err)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	tree, version, root := state(b, 500)
	for name, k := range map[string][]byte{"there": key(100), "absent": key(101)} {
		b.Run(name, func(b *testing.B) {
			v, p := prove(b, tree, version, k)
			b.ReportMetric(float64(len(p)), "B/proof")
			for b.Loop() {
				if err := proof.Verify(root, k, v, p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
