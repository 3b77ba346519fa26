package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

func TestIdentity(t *testing.T) {
	dir := t.TempDir()
	mine := Options{Chain: "one", Genesis: [32]byte{1}}
	must(t, opened(t, dir, mine).Close())
	must(t, opened(t, dir, mine).Close())
	must(t, opened(t, dir, Options{}).Close()) // asks nothing
	for _, other := range []Options{{Chain: "two", Genesis: [32]byte{1}}, {Chain: "one", Genesis: [32]byte{2}}} {
		_, err := Open(dir, other)
		if !errors.Is(err, ErrForeign) {
			t.Fatalf("%q: %v", other.Chain, err)
		}
		for _, part := range []string{dir, `"one"`, `"` + other.Chain + `"`, "another directory"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q does not name %s", err, part)
			}
		}
	}
	must(t, opened(t, dir, mine).Close())
	fresh := dir + "/new/deep"
	must(t, opened(t, fresh, mine).Close())
	if info, err := os.Stat(fresh); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestLocked(t *testing.T) {
	dir := t.TempDir()
	opened(t, dir, Options{})
	_, err := Open(dir, Options{})
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), dir) {
		t.Errorf("%v", err)
	}
}

func TestUnusableDirectory(t *testing.T) {
	file := t.TempDir() + "/file"
	must(t, os.WriteFile(file, nil, 0o600))
	if _, err := Open(file, Options{}); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("%v", err)
	}
}

// When space runs out, writes say so, reads go on, and what was saved is there when there
// is space again.
func TestDiskFull(t *testing.T) {
	var free atomic.Uint64
	free.Store(1 << 40)
	dir := t.TempDir()
	o := Options{Reserve: 100 << 20, free: func(string) (uint64, error) { return free.Load(), nil }}
	d := opened(t, dir, o)
	db, s := d.Comet("test"), tree(t, d)
	must(t, db.Set([]byte("a"), []byte{1}))
	block(t, s, 1, 100, 200, nil)
	_, root := save(t, s)

	free.Store(99 << 20)
	full := func(err error) {
		t.Helper()
		if !errors.Is(err, ErrDiskFull) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%v", err)
		}
	}
	full(db.Set([]byte("b"), []byte{2}))
	full(db.Delete([]byte("a")))
	b := db.NewBatch()
	must(t, b.Set([]byte("c"), []byte{3}))
	full(b.Write())
	block(t, s, 2, 100, 200, nil)
	_, _, err := s.Save()
	full(err)
	if !errors.Is(err, ErrUnsaved) {
		t.Errorf("%v", err)
	}
	// After a failed save the tree refuses everything that would build on it.
	if _, _, err := s.Save(); !errors.Is(err, ErrUnsaved) {
		t.Errorf("saving again: %v", err)
	}
	if err := s.Set([]byte("x"), []byte{1}); !errors.Is(err, ErrUnsaved) {
		t.Errorf("%v", err)
	}
	if err := s.Delete([]byte("x")); !errors.Is(err, ErrUnsaved) {
		t.Errorf("%v", err)
	}
	full(s.Discard())
	if r, err := s.At(1); err != nil || !bytes.Equal(r.Root(), root) {
		t.Errorf("reading while full: %v", err)
	}
	if _, err := d.Snapshots().Create(s, 1); !errors.Is(err, ErrDiskFull) {
		t.Errorf("a snapshot: %v", err)
	}
	_, err = Open(t.TempDir(), o)
	if !errors.Is(err, ErrDiskFull) {
		t.Errorf("opening: %v", err)
	}

	free.Store(1 << 40)
	must(t, b.Write()) // a batch may be tried again
	if v, err := db.Get([]byte("c")); err != nil || !bytes.Equal(v, []byte{3}) {
		t.Errorf("%v, %v", v, err)
	}
	must(t, s.Discard())
	if s.Version() != 1 || !bytes.Equal(s.Root(), root) {
		t.Fatalf("version %d, root %x", s.Version(), s.Root())
	}
	block(t, s, 2, 100, 200, nil)
	_, after := save(t, s)

	// A node that never ran out of space comes to the same root.
	calm := tree(t, opened(t, t.TempDir(), Options{}))
	for i := 1; i < 3; i++ {
		block(t, calm, i, 100, 200, nil)
		save(t, calm)
	}
	if !bytes.Equal(calm.Root(), after) {
		t.Errorf("root %x, want %x", after, calm.Root())
	}
}

// Space may also run out between the pieces of a large batch: it is finished by the next
// write that succeeds.
func TestDiskFullInALargeBatch(t *testing.T) {
	d := opened(t, t.TempDir(), Options{})
	db := d.Comet("test")
	b := db.NewBatch().(*batch)
	for i := range 60_000 {
		must(t, b.Set(number(i), number(i)))
	}
	chunks := encodeJournal(b.ops)
	if n, err := d.transact(chunks); n != len(chunks) || err != nil {
		t.Fatal(n, err)
	}
	d.pending = true
	must(t, db.Set(number(3), []byte("later")))
	for i, want := range map[int][]byte{0: number(0), 3: []byte("later"), 59_999: number(59_999)} {
		if v, err := db.Get(number(i)); err != nil || !bytes.Equal(v, want) {
			t.Errorf("key %d is %x, %v", i, v, err)
		}
	}
	if d.pending {
		t.Error("still pending")
	}
}

// What a killed process of a version with larger memory tables left is refused in words:
// Badger would end the process.
func TestLargerMemoryTablesAreRefused(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "00001.mem")
	must(t, os.WriteFile(file, nil, 0o600))
	must(t, os.Truncate(file, 2*memTable+1))
	if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "start that version once more") {
		t.Fatalf("%v", err)
	}
}
