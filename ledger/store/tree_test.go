package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/framemesh/framemesh/ledger/store/proof"
)

// opened opens dir for one test. What the libraries log goes to the test's output.
func opened(t testing.TB, dir string, o Options) *DB {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	d, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func tree(t testing.TB, d *DB) *Tree {
	t.Helper()
	s, err := d.Tree()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// account is a key as the ledger has them: a prefix and 32 bytes.
func account(i int) []byte {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(i))
	sum := sha256.Sum256(n[:])
	return append([]byte("acct/"), sum[:]...)
}

// block changes n keys out of the first among, as block number i does, the same always.
func block(t testing.TB, s *Tree, i, n, among int, model map[string]string) {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(i), 1))
	for range n {
		key := account(r.IntN(among))
		if r.IntN(8) == 0 {
			must(t, s.Delete(key))
			delete(model, string(key))
			continue
		}
		value := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(i)), r.Uint64())
		must(t, s.Set(key, value))
		if model != nil {
			model[string(key)] = string(value)
		}
	}
}

func save(t testing.TB, s *Tree) (int64, []byte) {
	t.Helper()
	version, root, err := s.Save()
	must(t, err)
	return version, root
}

type ranger interface {
	Range(from, to []byte, fn func(k, v []byte) bool) error
}

func contents(t testing.TB, s ranger, from, to []byte) (keys []string, all map[string]string) {
	t.Helper()
	all = map[string]string{}
	must(t, s.Range(from, to, func(k, v []byte) bool {
		keys = append(keys, string(k))
		all[string(k)] = string(v)
		return true
	}))
	return keys, all
}

func TestTreeAgainstMap(t *testing.T) {
	dir := t.TempDir()
	d := opened(t, dir, Options{})
	s := tree(t, d)
	if s.Version() != 0 || !bytes.Equal(s.Root(), EmptyRoot()) {
		t.Fatalf("a new tree has version %d, root %x", s.Version(), s.Root())
	}
	model := map[string]string{}
	var history []map[string]string
	var roots [][]byte
	for i := range 30 {
		block(t, s, i, 60, 200, model)
		working := s.WorkingHash()
		version, root := save(t, s)
		if version != int64(i)+1 || !bytes.Equal(root, working) || !bytes.Equal(s.Root(), root) {
			t.Fatalf("version %d has root %x, announced was %x", version, root, working)
		}
		history, roots = append(history, maps.Clone(model)), append(roots, root)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}

	s = tree(t, opened(t, dir, Options{}))
	if s.Version() != 30 || !bytes.Equal(s.Root(), roots[29]) || s.Len() != int64(len(model)) {
		t.Fatalf("after opening again: version %d, root %x, %d keys", s.Version(), s.Root(), s.Len())
	}
	for i, want := range history {
		r, err := s.At(int64(i) + 1)
		must(t, err)
		keys, got := contents(t, r, nil, nil)
		if !maps.Equal(got, want) || !slices.IsSorted(keys) || !bytes.Equal(r.Root(), roots[i]) || r.Version() != int64(i)+1 {
			t.Fatalf("version %d differs: %d keys of %d, root %x of %x", i+1, len(got), len(want), r.Root(), roots[i])
		}
	}
	for _, v := range []int64{-1, 0, 31, 1 << 40} {
		if _, err := s.At(v); !errors.Is(err, ErrVersion) {
			t.Errorf("version %d: %v", v, err)
		}
	}
	for i := range 200 {
		want, there := model[string(account(i))]
		got, err := s.Get(account(i))
		if err != nil || (got != nil) != there || string(got) != want {
			t.Fatalf("key %d: %x, %v, want %x", i, got, err, want)
		}
	}
}

func TestRange(t *testing.T) {
	s := tree(t, opened(t, t.TempDir(), Options{}))
	var all []string
	for i := range 3000 { // more than one page
		all = append(all, fmt.Sprintf("k%04d", i))
		must(t, s.Set([]byte(all[i]), []byte{1}))
	}
	save(t, s)
	must(t, s.Delete([]byte("k0007")))
	must(t, s.Set([]byte("k0006x"), []byte{}))
	all = slices.Insert(slices.Delete(all, 7, 8), 7, "k0006x")
	for _, c := range []struct {
		from, to string
		want     []string
	}{
		{"", "", all},
		{"k0005", "k0009", []string{"k0005", "k0006", "k0006x", "k0008"}},
		{"k0007", "k0008", nil},
		{"k0008", "k0008", nil},
		{"k0009", "k0001", nil},
		{"", "k0002", []string{"k0000", "k0001"}},
		{"k2998", "", []string{"k2998", "k2999"}},
		{"k0001", "k0001\x00", []string{"k0001"}},
		{"z", "", nil},
		{"k", "l", all},
		{"k0000", "k0016", all[:16]},
		{"k0000", "k0017", all[:17]},
		{"k0000", "k0015", all[:15]},
	} {
		bound := func(s string) []byte {
			if s == "" {
				return nil
			}
			return []byte(s)
		}
		if got, _ := contents(t, s, bound(c.from), bound(c.to)); !slices.Equal(got, c.want) {
			t.Errorf("%s to %s: %d keys %.3q, want %d %.3q", c.from, c.to, len(got), got, len(c.want), c.want)
		}
	}
	for _, stop := range []int{1, 15, 16, 17, 48, 49, 2000} {
		n := 0
		must(t, s.Range(nil, nil, func(_, _ []byte) bool { n++; return n < stop }))
		if n != stop {
			t.Errorf("stopped after %d, not %d", n, stop)
		}
	}
	// The walk may read the tree and even change it behind itself.
	must(t, s.Range(nil, []byte("k0100"), func(k, _ []byte) bool {
		_, err := s.Get(k)
		must(t, err)
		must(t, s.Delete(k))
		return true
	}))
	if got, _ := contents(t, s, nil, []byte("k0100")); got != nil {
		t.Errorf("left after deleting on the walk: %q", got)
	}
}

func TestValuesAreCopies(t *testing.T) {
	s := tree(t, opened(t, t.TempDir(), Options{}))
	key, value := []byte("key"), []byte("value")
	must(t, s.Set(key, value))
	key[0], value[0] = 'X', 'X'
	got, err := s.Get([]byte("key"))
	if err != nil || string(got) != "value" {
		t.Fatalf("%q, %v", got, err)
	}
	got[0] = 'Y'
	if again, _ := s.Get([]byte("key")); string(again) != "value" {
		t.Fatalf("%q", again)
	}
	must(t, s.Set([]byte("empty"), []byte{}))
	save(t, s)
	if got, err := s.Get([]byte("empty")); got == nil || len(got) != 0 || err != nil {
		t.Errorf("an empty value came back as %v, %v", got, err)
	}
	for _, bad := range []struct{ key, value []byte }{
		{nil, []byte{1}}, {[]byte{}, []byte{1}}, {make([]byte, MaxKey+1), []byte{1}}, {[]byte{1}, nil}, {[]byte{1}, make([]byte, MaxValue+1)},
	} {
		if s.Set(bad.key, bad.value) == nil {
			t.Errorf("key of %d, value of %d bytes were taken", len(bad.key), len(bad.value))
		}
	}
}

func TestDiscardAndRollback(t *testing.T) {
	dir := t.TempDir()
	d := opened(t, dir, Options{})
	s := tree(t, d)
	must(t, s.Set([]byte("gone"), []byte{1}))
	must(t, s.Discard()) // before the first version
	if got, _ := s.Get([]byte("gone")); got != nil || s.Len() != 0 {
		t.Errorf("still there: %v, %d keys", got, s.Len())
	}
	var roots [][]byte
	for i := range 10 {
		block(t, s, i, 50, 100, nil)
		_, root := save(t, s)
		roots = append(roots, root)
	}
	block(t, s, 99, 50, 100, nil)
	must(t, s.Discard())
	if !bytes.Equal(s.WorkingHash(), roots[9]) {
		t.Error("discarded changes still count")
	}
	if err := s.Rollback(11); !errors.Is(err, ErrVersion) {
		t.Errorf("rolling forward: %v", err)
	}
	must(t, s.Rollback(6))
	if s.Version() != 6 || !bytes.Equal(s.Root(), roots[5]) {
		t.Fatalf("version %d, root %x", s.Version(), s.Root())
	}
	for i := 6; i < 10; i++ {
		block(t, s, i, 50, 100, nil)
		if version, root := save(t, s); version != int64(i)+1 || !bytes.Equal(root, roots[i]) {
			t.Fatalf("version %d after the rollback has root %x, not %x", version, root, roots[i])
		}
	}
	must(t, d.Close())
	if s := tree(t, opened(t, dir, Options{})); s.Version() != 10 || !bytes.Equal(s.Root(), roots[9]) {
		t.Errorf("after opening again: version %d, root %x", s.Version(), s.Root())
	}
}

// A block without changes has a version and a root of its own all the same.
func TestUnchangedBlocks(t *testing.T) {
	dir := t.TempDir()
	d := opened(t, dir, Options{})
	s := tree(t, d)
	for range 3 {
		if _, root := save(t, s); !bytes.Equal(root, EmptyRoot()) {
			t.Fatalf("root of nothing: %x", root)
		}
	}
	must(t, s.Set([]byte("a"), []byte("1")))
	_, root := save(t, s)
	for range 5 {
		if _, same := save(t, s); !bytes.Equal(same, root) {
			t.Fatalf("root %x became %x without a change", root, same)
		}
	}
	if _, err := s.Prune(2); err != nil {
		t.Fatal(err)
	}
	must(t, d.Close())
	d = opened(t, dir, Options{})
	s = tree(t, d)
	if s.Version() != 9 || !bytes.Equal(s.Root(), root) {
		t.Fatalf("version %d, root %x", s.Version(), s.Root())
	}
	for left := int64(1); left > 0; {
		var err error
		left, err = s.Prune(1)
		must(t, err)
	}
	must(t, s.Set([]byte("b"), []byte("2")))
	save(t, s)
	if _, err := s.Prune(1); err != nil {
		t.Fatal(err)
	}
	if _, got := contents(t, s, nil, nil); !maps.Equal(got, map[string]string{"a": "1", "b": "2"}) {
		t.Errorf("contents %q", got)
	}
}

func TestPrune(t *testing.T) {
	dir := t.TempDir()
	d := opened(t, dir, Options{})
	s := tree(t, d)
	model := map[string]string{}
	for i := range 60 {
		block(t, s, i, 40, 300, model)
		save(t, s)
		left, err := s.Prune(10)
		must(t, err)
		if left != 0 {
			t.Fatalf("block %d: %d versions too many after one step each", i, left)
		}
		if want := max(1, int64(i)+1-9); s.first.Load() != want {
			t.Fatalf("block %d: the oldest is %d, want %d", i, s.first.Load(), want)
		}
	}
	keys := func() (n int) {
		it, err := s.space.Iterator(nil, nil)
		must(t, err)
		defer it.Close()
		for ; it.Valid(); it.Next() {
			n++
		}
		return n
	}
	if _, err := s.At(50); !errors.Is(err, ErrVersion) {
		t.Errorf("version 50: %v", err)
	}
	if r, err := s.At(51); err != nil {
		t.Error(err)
	} else if _, got := contents(t, r, nil, nil); len(got) == 0 {
		t.Error("version 51 is empty")
	}

	// What is left is what a tree of one version needs: 2n - 1 nodes, and a root record.
	must(t, d.Close())
	d = opened(t, dir, Options{})
	s = tree(t, d)
	if s.first.Load() != 51 {
		t.Fatalf("after opening again the oldest is %d", s.first.Load())
	}
	steps := 0
	for left := int64(1); left > 0; steps++ {
		var err error
		left, err = s.Prune(0)
		must(t, err)
	}
	if steps != 3 {
		t.Errorf("9 versions took %d steps of %d", steps, pruneStep)
	}
	if got, want := keys(), 2*len(model)-1; got != want && got != want+1 {
		t.Errorf("%d records are left of a tree of %d keys", got, len(model))
	}
	if _, got := contents(t, s, nil, nil); !maps.Equal(got, model) {
		t.Error("pruning changed the last version")
	}
	must(t, s.Rollback(60))
	if left, err := s.Prune(1); left != 0 || err != nil {
		t.Errorf("%d, %v", left, err)
	}
}

// Readers, proofs and pruning beside a writer: run with -race.
func TestBesideTheWriter(t *testing.T) {
	s := tree(t, opened(t, t.TempDir(), Options{CacheMiB: 1}))
	block(t, s, 0, 500, 500, nil)
	save(t, s)
	stop := make(chan struct{})
	var all sync.WaitGroup
	for w := range 3 {
		all.Go(func() {
			for i := w; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				version := s.Version()
				r, err := s.At(version)
				if errors.Is(err, ErrVersion) {
					continue // pruned since
				}
				if err != nil {
					t.Error(err)
					return
				}
				key := account(i % 500)
				value, p, err := r.Prove(key)
				if err != nil {
					if version > s.Version()-10 {
						t.Errorf("proving in version %d: %v", version, err)
					}
					continue
				}
				if err := proof.Verify(r.Root(), key, value, p); err != nil {
					t.Error(err)
					return
				}
				n := 0
				if err := r.Range(nil, nil, func(_, _ []byte) bool { n++; return n < 50 }); err != nil && version > s.Version()-10 {
					t.Error(err)
				}
			}
		})
	}
	for i := 1; i < 60; i++ {
		block(t, s, i, 100, 500, nil)
		working := s.WorkingHash()
		if _, root := save(t, s); !bytes.Equal(root, working) {
			t.Error("the root changed on saving")
		}
		if _, err := s.Prune(20); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	all.Wait()
}
