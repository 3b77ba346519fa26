package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"

	dbm "github.com/cometbft/cometbft-db"
)

func number(i int) []byte { return binary.BigEndian.AppendUint64(nil, uint64(i)) }

func wants(t *testing.T, db dbm.DB, want map[string][]byte) {
	t.Helper()
	it, err := db.Iterator(nil, nil)
	must(t, err)
	defer it.Close()
	n := 0
	for ; it.Valid(); it.Next() {
		if value, ok := want[string(it.Key())]; !ok || !bytes.Equal(value, it.Value()) {
			t.Errorf("key %q has %q", it.Key(), it.Value())
		}
		n++
	}
	if n != len(want) {
		t.Errorf("%d keys, want %d", n, len(want))
	}
}

// What CometBFT demands of a database: the rules of cometbft-db.
func TestCometGetSetDelete(t *testing.T) {
	db := opened(t, t.TempDir(), Options{}).Comet("test")
	for _, empty := range [][]byte{nil, {}} {
		if _, err := db.Get(empty); err == nil {
			t.Error("Get of no key")
		}
		if _, err := db.Has(empty); err == nil {
			t.Error("Has of no key")
		}
		if db.Set(empty, []byte{1}) == nil || db.SetSync(empty, []byte{1}) == nil {
			t.Error("Set of no key")
		}
		if db.Delete(empty) == nil || db.DeleteSync(empty) == nil {
			t.Error("Delete of no key")
		}
	}
	if db.Set([]byte("a"), nil) == nil || db.SetSync([]byte("a"), nil) == nil {
		t.Error("a nil value was taken")
	}
	if v, err := db.Get([]byte("a")); v != nil || err != nil {
		t.Errorf("absent: %q, %v", v, err)
	}
	if has, err := db.Has([]byte("a")); has || err != nil {
		t.Errorf("absent: %t, %v", has, err)
	}
	must(t, db.Set([]byte("a"), []byte{}))
	if v, err := db.Get([]byte("a")); v == nil || len(v) != 0 || err != nil {
		t.Errorf("empty: %v, %v", v, err)
	}
	must(t, db.SetSync([]byte("b"), []byte{2}))
	if has, err := db.Has([]byte("b")); !has || err != nil {
		t.Errorf("there: %t, %v", has, err)
	}
	must(t, db.Set([]byte("b"), []byte{3}))
	must(t, db.Delete([]byte("a")))
	must(t, db.Delete([]byte("never there")))
	must(t, db.DeleteSync([]byte("never there")))
	wants(t, db, map[string][]byte{"b": {3}})
	must(t, db.Print())
	must(t, db.Compact(nil, nil))
	if db.Stats()["database.type"] == "" {
		t.Error("no stats")
	}
	must(t, db.Close())
	if v, err := db.Get([]byte("b")); err != nil || !bytes.Equal(v, []byte{3}) {
		t.Errorf("closing one store closed all: %v, %v", v, err)
	}
}

func TestCometIterators(t *testing.T) {
	d := opened(t, t.TempDir(), Options{})
	// Neighbours on both sides must not be seen, whatever the bounds.
	for _, name := range []string{"tes", "tesu", "test\x01", "tess"} {
		must(t, d.Comet(name).Set([]byte{0}, []byte("stranger")))
		must(t, d.Comet(name).Set([]byte{0xff, 0xff}, []byte("stranger")))
	}
	db := d.Comet("test")
	for i := range 10 {
		if i != 6 { // a gap
			must(t, db.Set(number(i), number(i)))
		}
	}
	all := []int{0, 1, 2, 3, 4, 5, 7, 8, 9}
	for _, c := range []struct {
		start, end int // -1 is nil
		want       []int
	}{
		{-1, -1, all},
		{-1, 0, nil},
		{-1, 1, []int{0}},
		{-1, 10, all},
		{0, -1, all},
		{1, -1, []int{1, 2, 3, 4, 5, 7, 8, 9}},
		{10, -1, nil},
		{5, 6, []int{5}},
		{5, 7, []int{5}},
		{5, 8, []int{5, 7}},
		{6, 7, nil},
		{6, 8, []int{7}},
		{6, -1, []int{7, 8, 9}},
		{7, 7, nil},
		{8, 5, nil},
		{-1, 6, []int{0, 1, 2, 3, 4, 5}},
		{9, 20, []int{9}},
	} {
		bound := func(i int) []byte {
			if i < 0 {
				return nil
			}
			return number(i)
		}
		for _, reverse := range []bool{false, true} {
			make, want := db.Iterator, slices.Clone(c.want)
			if reverse {
				make = db.ReverseIterator
				slices.Reverse(want)
			}
			it, err := make(bound(c.start), bound(c.end))
			must(t, err)
			var got []int
			for ; it.Valid(); it.Next() {
				if !bytes.Equal(it.Key(), it.Value()) {
					t.Errorf("key %x has %x", it.Key(), it.Value())
				}
				got = append(got, int(binary.BigEndian.Uint64(it.Key())))
			}
			if !slices.Equal(got, want) {
				t.Errorf("%d to %d, reverse %t: %v, want %v", c.start, c.end, reverse, got, want)
			}
			start, end := it.Domain()
			if !bytes.Equal(start, bound(c.start)) || !bytes.Equal(end, bound(c.end)) || it.Error() != nil {
				t.Errorf("domain %x to %x, error %v", start, end, it.Error())
			}
			for name, f := range map[string]func(){"Next": it.Next, "Key": func() { it.Key() }, "Value": func() { it.Value() }} {
				func() {
					defer func() {
						if recover() == nil {
							t.Errorf("%s of an iterator at its end does not panic", name)
						}
					}()
					f()
				}()
			}
			must(t, it.Close())
			must(t, it.Close())
			if it.Valid() {
				t.Error("valid after closing")
			}
		}
	}
	for _, bad := range [][2][]byte{{{}, nil}, {nil, {}}, {{}, {}}} {
		if _, err := db.Iterator(bad[0], bad[1]); err == nil {
			t.Errorf("%v was taken", bad)
		}
		if _, err := db.ReverseIterator(bad[0], bad[1]); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
	empty := d.Comet("empty")
	for _, make := range []func(a, b []byte) (dbm.Iterator, error){empty.Iterator, empty.ReverseIterator} {
		it, err := make(nil, nil)
		must(t, err)
		if it.Valid() {
			t.Errorf("an empty store holds %q", it.Key())
		}
		must(t, it.Close())
	}
}

// An iterator sees what was there when it began.
func TestCometIteratorIsASnapshot(t *testing.T) {
	db := opened(t, t.TempDir(), Options{}).Comet("test")
	for i := range 100 {
		must(t, db.Set(number(i), number(i)))
	}
	it, err := db.Iterator(nil, nil)
	must(t, err)
	defer it.Close()
	n := 0
	for ; it.Valid(); it.Next() {
		must(t, db.Delete(it.Key()))
		must(t, db.Set(number(1000+n), []byte{1}))
		n++
	}
	if n != 100 {
		t.Errorf("%d items", n)
	}
}

func TestCometBatch(t *testing.T) {
	db := opened(t, t.TempDir(), Options{}).Comet("test")
	must(t, db.Set([]byte("d"), []byte{9}))
	b := db.NewBatch()
	must(t, b.Set([]byte("a"), []byte{1}))
	must(t, b.Set([]byte("b"), []byte{2}))
	must(t, b.Set([]byte("a"), []byte{3}))
	must(t, b.Delete([]byte("b")))
	must(t, b.Set([]byte("c"), []byte{}))
	must(t, b.Delete([]byte("d")))
	wants(t, db, map[string][]byte{"d": {9}})
	must(t, b.Write())
	wants(t, db, map[string][]byte{"a": {3}, "c": {}})
	if b.Write() == nil || b.WriteSync() == nil || b.Set([]byte("x"), []byte{1}) == nil || b.Delete([]byte("a")) == nil {
		t.Error("a written batch was used again")
	}
	must(t, b.Close())
	must(t, b.Close())

	b = db.NewBatch()
	must(t, b.Set([]byte("x"), []byte{1}))
	must(t, b.Close())
	if b.Write() == nil || b.Set([]byte("x"), []byte{1}) == nil {
		t.Error("a closed batch was used")
	}
	wants(t, db, map[string][]byte{"a": {3}, "c": {}})

	b = db.NewBatch()
	for _, empty := range [][]byte{nil, {}} {
		if b.Set(empty, []byte{1}) == nil || b.Delete(empty) == nil {
			t.Error("a batch took no key")
		}
	}
	if b.Set([]byte("x"), nil) == nil {
		t.Error("a batch took no value")
	}
	must(t, b.WriteSync()) // empty
}

// Batches over the size of a transaction are atomic through the journal.
func TestLargeBatches(t *testing.T) {
	dir := t.TempDir()
	d := opened(t, dir, Options{})
	db := d.Comet("test")
	for _, c := range []struct{ count, size int }{
		{60_000, 8},    // too many for a transaction
		{3_000, 4000},  // too large together, each small
		{40, 64 << 10}, // the parts of a block: values in the value log
		{3, 4 << 20},
	} {
		if int64(c.count) > d.bad.MaxBatchCount() || c.size < valueThreshold && int64(c.count*c.size) > d.bad.MaxBatchSize() {
			t.Logf("%d writes of %d bytes need the journal", c.count, c.size)
		}
		b := db.NewBatch()
		value := bytes.Repeat([]byte{byte(c.count)}, c.size)
		for i := range c.count {
			must(t, b.Set(number(i), value))
		}
		must(t, b.Delete(number(1)))
		must(t, b.Write())
		for _, i := range []int{0, 2, c.count - 1} {
			if v, err := db.Get(number(i)); err != nil || !bytes.Equal(v, value) {
				t.Fatalf("%d writes of %d: write %d is %d bytes, %v", c.count, c.size, i, len(v), err)
			}
		}
		if has, err := db.Has(number(1)); has || err != nil {
			t.Errorf("%t, %v", has, err)
		}
		if d.pending {
			t.Error("the journal is still pending")
		}
	}
	if it, err := (view{db: d, prefix: journalPrefix}).Iterator(nil, nil); err != nil || it.Valid() {
		t.Errorf("the journal is not empty, %v", err)
	} else {
		it.Close()
	}
}

// Whatever of a journaled batch was applied when the process died, the rest follows.
func TestJournalIsFinished(t *testing.T) {
	for _, applied := range []int{0, 1, 20_000, 59_999} {
		dir := t.TempDir()
		d := opened(t, dir, Options{})
		must(t, d.Comet("test").Set(number(5), []byte("before")))
		b := d.Comet("test").NewBatch().(*batch)
		for i := range 60_000 {
			must(t, b.Set(number(i), number(i)))
		}
		must(t, b.Delete(number(7)))
		chunks := encodeJournal(b.ops)
		if n, err := d.transact(chunks); n != len(chunks) || err != nil {
			t.Fatal(n, err)
		}
		must(t, d.pieces(b.ops[:applied]))
		must(t, d.Close())

		d = opened(t, dir, Options{})
		for i, want := range map[int][]byte{0: number(0), 5: number(5), 7: nil, 59_999: number(59_999)} {
			if v, err := d.Comet("test").Get(number(i)); err != nil || !bytes.Equal(v, want) {
				t.Errorf("%d applied: key %d is %x, %v", applied, i, v, err)
			}
		}
	}
}

func FuzzJournal(f *testing.F) {
	f.Add(encodeJournal([]op{{[]byte("a"), []byte("b")}, {[]byte("c"), nil}, {[]byte("d"), []byte{}}})[0].value[:32])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		ops, err := decodeJournal(nil, raw)
		if err != nil || len(ops) == 0 {
			return
		}
		var again []op
		for _, c := range encodeJournal(ops) {
			if again, err = decodeJournal(again, c.value); err != nil {
				t.Fatal(err)
			}
		}
		equal := func(a, b op) bool {
			return bytes.Equal(a.key, b.key) && bytes.Equal(a.value, b.value) && (a.value == nil) == (b.value == nil)
		}
		if !slices.EqualFunc(ops, again, equal) {
			t.Errorf("%v became %v", ops, again)
		}
	})
}

func TestClosed(t *testing.T) {
	d := opened(t, t.TempDir(), Options{})
	db, s := d.Comet("test"), tree(t, d)
	must(t, db.Set([]byte("a"), []byte{1}))
	block(t, s, 0, 10, 10, nil)
	save(t, s)
	it, err := db.Iterator(nil, nil)
	must(t, err)
	closed := make(chan error)
	go func() { closed <- d.Close() }()
	for d.enter() == nil { // until Close waits for the iterator
		d.mu.RUnlock()
	}
	if !it.Valid() || !bytes.Equal(it.Value(), []byte{1}) {
		t.Error("an open iterator broke on closing")
	}
	must(t, it.Close())
	must(t, <-closed)
	must(t, d.Close())
	if err := db.Set([]byte("b"), []byte{1}); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := db.Get([]byte("a")); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := db.Has([]byte("a")); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := db.Iterator(nil, nil); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if err := s.Set([]byte("x"), []byte{1}); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, _, err := s.Save(); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := s.Prune(1); err != nil {
		t.Error(err) // nothing to do
	}
	if db.Stats()["database.tables"] != fmt.Sprint(0) {
		t.Error("sizes of closed files")
	}
}
