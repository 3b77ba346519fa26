package chain

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"testing"

	dbm "github.com/cometbft/cometbft-db"

	"github.com/framemesh/framemesh/ledger/store"
)

// hashesOf are the hashes of a block's entries; the first is the proposer's proof, which is
// not to be found.
func hashesOf(height uint64, n int) [][32]byte {
	out := make([][32]byte, n+1)
	for i := 1; i <= n; i++ {
		out[i] = hashOf(height, i)
	}
	return out
}

func hashOf(height uint64, i int) [32]byte {
	return sha256.Sum256(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, height), uint64(i)))
}

// indexed is an index of some blocks on a database that can be opened again.
type indexed struct {
	t  *testing.T
	db dbm.DB
	*index
}

func newIndexed(t *testing.T) *indexed {
	x := &indexed{t: t, db: dbm.NewMemDB()}
	x.reopen()
	return x
}

func (x *indexed) reopen() {
	x.t.Helper()
	var err error
	if x.index, err = openIndex(x.db); err != nil {
		x.t.Fatal(err)
	}
}

func (x *indexed) block(height uint64, n int) {
	x.t.Helper()
	if err := x.add(height, hashesOf(height, n)); err != nil {
		x.t.Fatal(err)
	}
}

func (x *indexed) forget(retain uint64) {
	x.t.Helper()
	if err := x.prune(retain); err != nil {
		x.t.Fatal(err)
	}
}

// has asks for the first and the last transaction of a block of n.
func (x *indexed) has(height uint64, n int) {
	x.t.Helper()
	for _, i := range []int{1, n} {
		if h, at, err := x.find(hashOf(height, i)); err != nil || h != height || at != uint32(i) {
			x.t.Errorf("entry %d of block %d: found at %d, %d: %v", i, height, h, at, err)
		}
	}
}

func (x *indexed) lacks(hash [32]byte) {
	x.t.Helper()
	if h, i, err := x.find(hash); !errors.Is(err, ErrNotFound) {
		x.t.Errorf("%x found at %d, %d: %v", hash, h, i, err)
	}
}

// keys is how many there are on disk under a prefix.
func (x *indexed) keys(prefix byte) (n int) {
	x.t.Helper()
	if err := x.each([]byte{prefix}, []byte{prefix + 1}, func(_, _ []byte) bool { n++; return true }); err != nil {
		x.t.Fatal(err)
	}
	return n
}

// A transaction is found while it is in memory, after a restart, and in a run.
func TestIndexFinds(t *testing.T) {
	const many = runLength / 3
	x := newIndexed(t)
	x.block(1, 0) // empty: the proof alone
	for h := range uint64(7) {
		x.block(h+2, many)
	}
	for range 2 {
		for h := range uint64(7) {
			x.has(h+2, many)
		}
		x.lacks(hashOf(2, 0))
		x.lacks(hashOf(9, 1))
		x.lacks([32]byte{})
		x.lacks([32]byte{31: 1}) // half of it is zero, like the name of a proof
		if len(x.runs) != 1 || len(x.recent) != 3*many {
			t.Errorf("%d runs, %d in memory", len(x.runs), len(x.recent))
		}
		x.reopen()
	}
	if n := x.keys('b'); n != 7 {
		t.Errorf("the names of %d blocks are on disk; the empty one needs none", n)
	}
	x.forget(0)
	if n := x.keys('b'); n != 3 {
		t.Errorf("the names of %d blocks are on disk beside the run", n)
	}
	x.reopen()
	x.has(2, many)
	x.has(8, many)
}

// A crash between index and state makes the node execute a block again, also the one that
// ended a run.
func TestIndexIsWrittenTwice(t *testing.T) {
	x := newIndexed(t)
	x.block(1, runLength/2)
	x.block(2, runLength/2)
	for range 2 {
		x.reopen()
		x.block(2, runLength/2)
		x.has(1, runLength/2)
		x.has(2, runLength/2)
	}
	if len(x.runs) != 1 || len(x.recent) != 0 {
		t.Errorf("%d runs, %d in memory", len(x.runs), len(x.recent))
	}
}

// The last of two blocks with the same transaction counts: before it, it did not apply.
func TestIndexNamesTheLastBlock(t *testing.T) {
	x := newIndexed(t)
	again := hashOf(1, 1)
	x.block(1, runLength)
	if err := x.add(2, [][32]byte{{}, {}, again}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if h, i, err := x.find(again); err != nil || h != 2 || i != 2 {
			t.Errorf("found at %d, %d: %v", h, i, err)
		}
		x.reopen()
	}
}

// What is pruned leaves nothing behind on disk; a run goes once all of it may.
func TestIndexForgets(t *testing.T) {
	x := newIndexed(t)
	x.block(1, runLength)
	x.block(2, runLength)
	for h := uint64(3); h < 503; h++ {
		x.block(h, 1)
	}
	x.forget(2)
	if x.keys('m') != 1 || x.keys('r') != 256 {
		t.Errorf("%d runs in %d pieces", x.keys('m'), x.keys('r'))
	}
	x.lacks(hashOf(1, 1))
	x.has(2, runLength)
	for range 10 {
		x.forget(503)
	}
	if x.keys('m')+x.keys('r')+x.keys('b') != 0 {
		t.Errorf("%d runs, %d pieces, %d blocks are left", x.keys('m'), x.keys('r'), x.keys('b'))
	}
	x.block(600, 2)
	x.forget(503)
	x.reopen()
	x.has(600, 2)
	x.lacks(hashOf(502, 1))
}

// Who asks hears the right answer while blocks become runs.
func TestIndexIsReadBesideTheLine(t *testing.T) {
	x := newIndexed(t)
	x.block(1, 100)
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		readers.Go(func() {
			for i := 1; ; i = i%100 + 1 {
				if h, _, err := x.find(hashOf(1, i)); err != nil || h != 1 {
					t.Errorf("entry %d: %d, %v", i, h, err)
					return
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	for h := uint64(2); h < 6; h++ {
		x.block(h, runLength/2)
		x.forget(1)
	}
	close(stop)
	readers.Wait()
}

func FuzzIndexPiece(f *testing.F) {
	_, pieces := encodeRun(map[name]place{{7}: {1, 2}, {7, 1}: {3, 4}})
	f.Add(pieces[7], make([]byte, 16))
	f.Add(pieces[7], slices.Concat([]byte{7, 1}, make([]byte, 14)))
	f.Add(pieces[7][:recordSize+5], bytes.Repeat([]byte{0xff}, 16))
	f.Fuzz(func(t *testing.T, piece, of []byte) {
		if len(of) < len(name{}) {
			return
		}
		n := name(of)
		if _, ok := findInPiece(piece, n); ok && !bytes.Contains(piece, n[:]) {
			t.Errorf("%x found in %x", n, piece)
		}
	})
}

// BenchmarkIndexMiss is a search for what is not there, beside so many runs.
func BenchmarkIndexMiss(b *testing.B) {
	db, err := store.Open(b.TempDir(), store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	x, err := openIndex(db.Comet("txindex"))
	if err != nil {
		b.Fatal(err)
	}
	const runs = 16
	for h := range uint64(runs) {
		if err := x.add(h+1, hashesOf(h+1, runLength)); err != nil {
			b.Fatal(err)
		}
	}
	i := 0
	for b.Loop() {
		i++
		if _, _, err := x.find(hashOf(1000, i)); !errors.Is(err, ErrNotFound) {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/runs, "ns/run")
}
