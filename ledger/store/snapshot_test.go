package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// grown is a tree of some versions over 5000 keys with values that do not compress.
func grown(t testing.TB, dir string, versions int) (*DB, *Tree, map[string]string) {
	d := opened(t, dir, Options{})
	s := tree(t, d)
	model := map[string]string{}
	for i := range versions {
		block(t, s, i, 2000, 5000, model)
		noise := []byte{}
		for n := range 40 {
			sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i*1000+n)))
			noise = append(noise, sum[:]...)
			key := append([]byte("noise/"), sum[:]...)
			value := bytes.Repeat(noise, 1+n%24)[:min(MaxValue, len(noise)*(1+n%24))]
			must(t, s.Set(key, value))
			model[string(key)] = string(value)
		}
		save(t, s)
	}
	return d, s, model
}

func exported(t testing.TB, s *Tree, version int64) (*Manifest, [][]byte) {
	t.Helper()
	var chunks [][]byte
	m, err := s.Export(version, func(c []byte) error {
		chunks = append(chunks, bytes.Clone(c))
		return nil
	})
	must(t, err)
	return m, chunks
}

func imported(s *Tree, m *Manifest, chunks [][]byte) error {
	i, err := s.Import(m)
	if err != nil {
		return err
	}
	for _, c := range chunks {
		if err := i.Add(c); err != nil {
			return errors.Join(err, i.Abort())
		}
	}
	return i.Commit()
}

func TestSnapshot(t *testing.T) {
	_, s, model := grown(t, t.TempDir(), 6)
	root := s.Root()
	m, chunks := exported(t, s, 6)
	if len(chunks) < 2 || m.Root != [32]byte(root) || m.Nodes != uint64(2*s.Len()-1) {
		t.Fatalf("%d chunks, %d nodes, root %x", len(chunks), m.Nodes, m.Root)
	}
	for i, c := range chunks {
		if len(c) > MaxChunk {
			t.Errorf("chunk %d has %d bytes", i, len(c))
		}
	}
	parsed, err := ParseManifest(m.Marshal())
	must(t, err)
	if parsed.Hash() != m.Hash() {
		t.Error("the manifest changed on the way")
	}

	// The other node has a state of its own that has to give way.
	dir := t.TempDir()
	d := opened(t, dir, Options{})
	other := tree(t, d)
	block(t, other, 77, 300, 1000, nil)
	save(t, other)
	must(t, imported(other, parsed, chunks))
	same := func(s *Tree) {
		t.Helper()
		if s.Version() != 6 || !bytes.Equal(s.Root(), root) {
			t.Fatalf("version %d, root %x, want 6, %x", s.Version(), s.Root(), root)
		}
		if _, got := contents(t, s, nil, nil); !maps.Equal(got, model) {
			t.Fatalf("%d keys, want %d", len(got), len(model))
		}
	}
	same(other)
	must(t, d.Close())
	d = opened(t, dir, Options{})
	other = tree(t, d)
	same(other)
	if again, _ := exported(t, other, 6); again.Hash() != m.Hash() {
		t.Error("the imported state exports as another snapshot")
	}
	if it, err := d.generation(0).Iterator(nil, nil); err != nil || it.Valid() {
		t.Errorf("the old state is still there: %v", err)
	} else {
		it.Close()
	}
	if _, err := other.At(5); !errors.Is(err, ErrVersion) {
		t.Errorf("a version before the snapshot: %v", err)
	}
	// Both go on alike, and the imported one can be pruned.
	for i := 6; i < 12; i++ {
		block(t, s, i, 100, 5000, model)
		block(t, other, i, 100, 5000, nil)
		_, want := save(t, s)
		if v, got := save(t, other); v != int64(i)+1 || !bytes.Equal(got, want) {
			t.Fatalf("version %d: root %x, want %x", v, got, want)
		}
		if _, err := other.Prune(2); err != nil {
			t.Fatal(err)
		}
	}
	if _, got := contents(t, other, nil, nil); !maps.Equal(got, model) {
		t.Error("the contents differ after going on")
	}
}

func TestSnapshotOfNothing(t *testing.T) {
	s := tree(t, opened(t, t.TempDir(), Options{}))
	save(t, s)
	m, chunks := exported(t, s, 1)
	other := tree(t, opened(t, t.TempDir(), Options{}))
	if len(chunks) != 0 {
		t.Fatalf("%d chunks", len(chunks))
	}
	must(t, imported(other, m, nil))
	if other.Version() != 1 || !bytes.Equal(other.Root(), EmptyRoot()) {
		t.Errorf("version %d, root %x", other.Version(), other.Root())
	}
}

// The root of the exported version may be older than the version.
func TestSnapshotOfAnUnchangedVersion(t *testing.T) {
	s := tree(t, opened(t, t.TempDir(), Options{}))
	block(t, s, 0, 100, 100, nil)
	for range 4 {
		save(t, s)
	}
	m, chunks := exported(t, s, 4)
	dir := t.TempDir()
	d := opened(t, dir, Options{})
	other := tree(t, d)
	must(t, imported(other, m, chunks))
	must(t, d.Close())
	other = tree(t, opened(t, dir, Options{}))
	if other.Version() != 4 || !bytes.Equal(other.Root(), s.Root()) {
		t.Fatalf("version %d, root %x, want %x", other.Version(), other.Root(), s.Root())
	}
	for i := 1; i < 9; i++ {
		block(t, other, i, 50, 100, nil)
		block(t, s, i, 50, 100, nil)
		save(t, s)
		save(t, other)
		if _, err := other.Prune(1); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(s.Root(), other.Root()) {
		t.Errorf("root %x, want %x", other.Root(), s.Root())
	}
}

// Whatever a peer serves, the state in use stays as it is.
func TestWrongSnapshots(t *testing.T) {
	_, s, _ := grown(t, t.TempDir(), 3)
	m, chunks := exported(t, s, 3)
	packer, err := zstd.NewWriter(nil)
	must(t, err)
	unpacker, err := zstd.NewReader(nil)
	must(t, err)
	raw, err := unpacker.DecodeAll(chunks[0], nil)
	must(t, err)
	// sealed is a snapshot whose manifest matches its chunks, as a liar makes one.
	sealed := func(raws ...[]byte) (*Manifest, [][]byte) {
		m := *m
		m.Chunks = nil
		var packed [][]byte
		for _, r := range raws {
			c := packer.EncodeAll(r, nil)
			packed, m.Chunks = append(packed, c), append(m.Chunks, sha256.Sum256(c))
		}
		return &m, packed
	}
	changed := func(f func([]byte) []byte) (*Manifest, [][]byte) {
		raws := [][]byte{f(bytes.Clone(raw))}
		for _, c := range chunks[1:] {
			r, err := unpacker.DecodeAll(c, nil)
			must(t, err)
			raws = append(raws, r)
		}
		return sealed(raws...)
	}
	leaf := func(version uint64, key, value string) []byte {
		out := binary.AppendUvarint([]byte{0}, version)
		out = append(binary.AppendUvarint(out, uint64(len(key))), key...)
		return append(binary.AppendUvarint(out, uint64(len(value))), value...)
	}
	inner := func(height byte, version uint64) []byte { return binary.AppendUvarint([]byte{height}, version) }
	huge := binary.AppendUvarint([]byte{0, 1}, 1<<62)
	wrongRoot := *m
	wrongRoot.Root[0]++
	fewer := *m
	fewer.Nodes--
	cases := map[string]func() (*Manifest, [][]byte){
		"another root":     func() (*Manifest, [][]byte) { return &wrongRoot, chunks },
		"another count":    func() (*Manifest, [][]byte) { return &fewer, chunks },
		"a chunk missing":  func() (*Manifest, [][]byte) { return m, chunks[:len(chunks)-1] },
		"chunks swapped":   func() (*Manifest, [][]byte) { return m, [][]byte{chunks[1], chunks[0]} },
		"a chunk too many": func() (*Manifest, [][]byte) { return m, append(slices.Clone(chunks), chunks[0]) },
		"a flipped bit":    func() (*Manifest, [][]byte) { c := bytes.Clone(chunks[0]); c[99]++; return m, [][]byte{c} },
		"a changed value":  func() (*Manifest, [][]byte) { return changed(func(r []byte) []byte { r[60]++; return r }) },
		"cut in a node":    func() (*Manifest, [][]byte) { return changed(func(r []byte) []byte { return r[:len(r)-1] }) },
		"a node left out": func() (*Manifest, [][]byte) {
			return changed(func(r []byte) []byte { return r[len(leaf(1, "", "")):] })
		},
		"nothing":     func() (*Manifest, [][]byte) { return sealed([]byte{}) },
		"only a leaf": func() (*Manifest, [][]byte) { return sealed(leaf(1, "a", "b")) },
		"two trees":   func() (*Manifest, [][]byte) { return sealed(slices.Concat(leaf(1, "a", ""), leaf(1, "b", ""))) },
		"no children": func() (*Manifest, [][]byte) { return sealed(inner(1, 1)) },
		"one child":   func() (*Manifest, [][]byte) { return sealed(slices.Concat(leaf(1, "a", ""), inner(1, 1))) },
		"wrong height": func() (*Manifest, [][]byte) {
			return sealed(slices.Concat(leaf(1, "a", ""), leaf(1, "b", ""), inner(2, 1)))
		},
		"negative height": func() (*Manifest, [][]byte) {
			return sealed(slices.Concat(leaf(1, "a", ""), leaf(1, "b", ""), inner(0x81, 1)))
		},
		"older than its child": func() (*Manifest, [][]byte) {
			return sealed(slices.Concat(leaf(2, "a", ""), leaf(1, "b", ""), inner(1, 1)))
		},
		"not balanced": func() (*Manifest, [][]byte) {
			return sealed(slices.Concat(leaf(1, "a", ""), leaf(1, "b", ""), leaf(1, "c", ""), leaf(1, "d", ""), inner(1, 1), inner(2, 1), inner(3, 1)))
		},
		"keys not in order": func() (*Manifest, [][]byte) { return sealed(slices.Concat(leaf(1, "b", ""), leaf(1, "a", ""))) },
		"a key twice":       func() (*Manifest, [][]byte) { return sealed(slices.Concat(leaf(1, "a", ""), leaf(1, "a", ""))) },
		"version 0":         func() (*Manifest, [][]byte) { return sealed(leaf(0, "a", "")) },
		"a later version":   func() (*Manifest, [][]byte) { return sealed(leaf(4, "a", "")) },
		"version over 64":   func() (*Manifest, [][]byte) { return sealed(leaf(1<<63, "a", "")) },
		"a huge length":     func() (*Manifest, [][]byte) { return sealed(huge) },
		"no key":            func() (*Manifest, [][]byte) { return sealed(leaf(1, "", "x")) },
		"a long key":        func() (*Manifest, [][]byte) { return sealed(leaf(1, string(make([]byte, MaxKey+1)), "")) },
		"a long value":      func() (*Manifest, [][]byte) { return sealed(leaf(1, "a", string(make([]byte, MaxValue+1)))) },
		"a zip bomb":        func() (*Manifest, [][]byte) { return sealed(make([]byte, 256<<20)) },
	}
	d := opened(t, t.TempDir(), Options{})
	mine := tree(t, d)
	model := map[string]string{}
	block(t, mine, 5, 300, 300, model)
	_, root := save(t, mine)
	for name, make := range cases {
		m, chunks := make()
		if err := imported(mine, m, chunks); !errors.Is(err, ErrSnapshot) {
			t.Errorf("%s: %v", name, err)
		}
		if mine.Version() != 1 || !bytes.Equal(mine.Root(), root) {
			t.Fatalf("%s: the state changed", name)
		}
	}
	if _, got := contents(t, mine, nil, nil); !maps.Equal(got, model) {
		t.Fatal("the contents changed")
	}
	// The right one is still welcome, with a wrong chunk offered in between.
	i, err := mine.Import(m)
	must(t, err)
	for n, c := range chunks {
		if err := i.Add(append(bytes.Clone(c), 0)); !errors.Is(err, ErrSnapshot) {
			t.Error(err)
		}
		must(t, i.Add(c))
		if i.Missing() != len(chunks)-n-1 {
			t.Errorf("%d are missing", i.Missing())
		}
	}
	must(t, i.Commit())
	must(t, i.Abort())
	if !bytes.Equal(mine.Root(), s.Root()) {
		t.Error("another root")
	}
}

// A node that dies in an import starts with what it had.
func TestInterruptedImport(t *testing.T) {
	_, s, _ := grown(t, t.TempDir(), 2)
	m, chunks := exported(t, s, 2)
	dir := t.TempDir()
	d := opened(t, dir, Options{})
	mine := tree(t, d)
	block(t, mine, 5, 300, 300, nil)
	_, root := save(t, mine)
	i, err := mine.Import(m)
	must(t, err)
	for _, c := range chunks {
		must(t, i.Add(c))
	}
	must(t, i.into.Commit()) // the last instant before the switch
	must(t, d.Close())
	d = opened(t, dir, Options{})
	mine = tree(t, d)
	if !bytes.Equal(mine.Root(), root) {
		t.Fatal("the state changed")
	}
	if it, err := d.generation(1).Iterator(nil, nil); err != nil || it.Valid() {
		t.Errorf("the unfinished import was left: %v", err)
	} else {
		it.Close()
	}
	must(t, imported(mine, m, chunks))
}

func TestSnapshotFiles(t *testing.T) {
	d, s, _ := grown(t, t.TempDir(), 5)
	shots := d.Snapshots()
	if all, err := shots.List(); err != nil || len(all) != 0 {
		t.Fatalf("%v, %v", all, err)
	}
	for v := int64(1); v <= 5; v++ {
		m, err := shots.Create(s, v)
		must(t, err)
		if again, err := shots.Create(s, v); err != nil || again.Hash() != m.Hash() {
			t.Errorf("made twice: %v", err)
		}
	}
	if _, err := shots.Create(s, 6); !errors.Is(err, ErrVersion) {
		t.Errorf("a version to come: %v", err)
	}
	must(t, shots.Retain(2))
	if all, err := shots.List(); err != nil || !slices.Equal(all, []int64{5, 4}) {
		t.Fatalf("%v, %v", all, err)
	}
	m, err := shots.Manifest(5)
	must(t, err)
	var chunks [][]byte
	for i := range m.Chunks {
		c, err := shots.Chunk(5, i)
		must(t, err)
		chunks = append(chunks, c)
	}
	other := tree(t, opened(t, t.TempDir(), Options{}))
	must(t, imported(other, m, chunks))
	if !bytes.Equal(other.Root(), s.Root()) {
		t.Error("another root")
	}
	for _, i := range []int{-1, len(m.Chunks)} {
		if _, err := shots.Chunk(5, i); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("chunk %d: %v", i, err)
		}
	}
	if _, err := shots.Chunk(3, 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a snapshot that is gone: %v", err)
	}
	must(t, os.WriteFile(filepath.Join(d.Dir(), "snapshots", "5", "0"), []byte("rust"), 0o600))
	if _, err := shots.Chunk(5, 0); !errors.Is(err, ErrSnapshot) {
		t.Errorf("a damaged chunk: %v", err)
	}
}

// Versions that are being exported stay.
func TestExportPinsItsVersion(t *testing.T) {
	_, s, _ := grown(t, t.TempDir(), 3)
	m, err := s.Export(2, func([]byte) error {
		if s.Version() < 30 {
			for i := int(s.Version()); i < 30; i++ {
				block(t, s, i, 50, 5000, nil)
				save(t, s)
				if _, err := s.Prune(1); err != nil {
					t.Error(err)
				}
			}
		}
		return nil
	})
	must(t, err)
	if m.Nodes == 0 || s.first.Load() != 2 {
		t.Errorf("%d nodes, the oldest is %d", m.Nodes, s.first.Load())
	}
	if _, err := s.Prune(1); err != nil || s.first.Load() != 6 {
		t.Errorf("afterwards the oldest is %d, %v", s.first.Load(), err)
	}
	stop := errors.New("enough")
	if _, err := s.Export(30, func([]byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the error of emit got lost: %v", err)
	}
}

func FuzzManifest(f *testing.F) {
	f.Add((&Manifest{Version: 7, Nodes: 3, Chunks: [][32]byte{{1}, {2}}}).Marshal())
	f.Add((&Manifest{Version: 1}).Marshal())
	f.Add([]byte(manifestMagic))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := ParseManifest(raw)
		if err != nil {
			if !errors.Is(err, ErrSnapshot) {
				t.Error(err)
			}
			return
		}
		if !bytes.Equal(m.Marshal(), raw) {
			t.Error("two encodings of one manifest")
		}
	})
}

// Nodes of a snapshot come from strangers.
func FuzzNodes(f *testing.F) {
	f.Add([]byte("\x00\x01\x01a\x01x\x00\x02\x01b\x00\x01\x02"))
	f.Add([]byte("\x00\x01\x01a\x00\x00\x01\x01b\x00\x00\x01\x01c\x00\x01\x01\x02\x01"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		w := walker{version: 3}
		for len(raw) > 0 {
			n, rest, err := w.next(raw)
			if err != nil {
				if !errors.Is(err, ErrSnapshot) {
					t.Error(err)
				}
				return
			}
			if len(rest) >= len(raw) || n.Version < 1 || n.Version > 3 || len(n.Key) == 0 {
				t.Fatalf("node %+v, %d bytes after %d", n, len(rest), len(raw))
			}
			raw = rest
		}
	})
}
