package worker

import (
	"bytes"
	"errors"
	"testing"
)

func snapshotFile(t *testing.T) *SnapshotFile {
	t.Helper()
	f, err := NewSnapshotFile()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func put1(t *testing.T, s *snapshots, tick uint64, state string) {
	t.Helper()
	if err := s.write(tick, func(b []byte) ([]byte, error) { return append(b, state...), nil }); err != nil {
		t.Fatal(err)
	}
}

// newest is what a successor would restore.
func newest(t *testing.T, f *SnapshotFile, module [32]byte) string {
	t.Helper()
	s := openSnapshots(f.f, module, 1)
	for _, i := range s.candidates() {
		if b, _, err := s.load(i); err == nil {
			return string(b)
		}
	}
	return ""
}

func TestTheNewestWholeSnapshotWins(t *testing.T) {
	f, module := snapshotFile(t), [32]byte{1}
	if _, _, ok := f.Newest(); ok || newest(t, f, module) != "" {
		t.Fatal("an empty file has a snapshot")
	}
	s := openSnapshots(f.f, module, 1)
	for i, state := range []string{"one", "two", "three"} {
		put1(t, s, uint64(i), state)
		if got := newest(t, f, module); got != state {
			t.Fatalf("newest is %q, want %q", got, state)
		}
	}
	// A successor goes on numbering where this one was killed.
	s = openSnapshots(f.f, module, 1)
	s.candidates()
	put1(t, s, 9, "four")
	if tick, n, ok := f.Newest(); !ok || tick != 9 || n != 4 || newest(t, f, module) != "four" {
		t.Error(tick, n, ok)
	}
	// Killed within a write: a header, and half a state behind it.
	slot := int64(s.seq%2) * slotSize
	if _, err := f.f.WriteAt([]byte("fo"), slot+slotHeader); err != nil {
		t.Fatal(err)
	}
	if _, err := f.f.WriteAt([]byte{'X'}, slot+slotHeader+2); err != nil {
		t.Fatal(err)
	}
	if got := newest(t, f, module); got != "three" {
		t.Errorf("after a torn write: %q, want the one before", got)
	}
	if got := newest(t, f, [32]byte{2}); got != "" {
		t.Errorf("another module gets %q", got)
	}
	if err := f.Clear(); err != nil {
		t.Fatal(err)
	}
	if _, _, ok := f.Newest(); ok {
		t.Error("cleared, and still there")
	}
}

func TestSnapshotThatFailsKeepsTheOneBefore(t *testing.T) {
	f, module := snapshotFile(t), [32]byte{1}
	s := openSnapshots(f.f, module, 1)
	put1(t, s, 1, "good")
	boom := errors.New("boom")
	if err := s.write(2, func([]byte) ([]byte, error) { return nil, boom }); !errors.Is(err, boom) {
		t.Error(err)
	}
	if err := s.write(2, func(b []byte) ([]byte, error) { return b, nil }); err == nil {
		t.Error("took an empty state")
	}
	if got := newest(t, f, module); got != "good" {
		t.Errorf("%q", got)
	}
}

// FuzzSlot lets a hostile child leave anything in the file.
func FuzzSlot(f *testing.F) {
	good := slot{seq: 3, tick: 9, length: 5, sum: 7, module: [32]byte{1}, seed: 1}.marshal()
	f.Add(good)
	f.Add(bytes.Repeat([]byte{0xff}, 80))
	f.Add([]byte(slotMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parseSlot(b)
		if err != nil {
			return
		}
		if h.length == 0 || h.length > maxState {
			t.Fatalf("length %d", h.length)
		}
		if !bytes.Equal(h.marshal(), b[:80]) {
			t.Fatal("a slot that does not marshal to itself")
		}
		// The header says how long the state is; the file is as short as this.
		file, err := NewSnapshotFile()
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if _, err := file.f.WriteAt(b[:80], 0); err != nil {
			t.Fatal(err)
		}
		s := openSnapshots(file.f, h.module, h.seed)
		for _, i := range s.candidates() {
			if _, _, err := s.load(i); err == nil {
				t.Fatal("loaded a state that is not there")
			}
		}
	})
}
