package chain

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"sync"

	dbm "github.com/cometbft/cometbft-db"
)

// index finds a transaction by its hash. It lives beside the engine's stores and forgets
// with them.
//
// An entry of the database for each transaction would cost as much as the transaction's
// execution, and would scatter them over all its tables. So the newest are in memory and, for
// the next start, block by block on disk; once there are runLength of them they become one
// run, sorted by their names and cut by the first byte of these. A block then writes one
// entry, and to find one transaction takes one piece of each run, newest first: some ten
// microseconds for each 65,536 transactions that are kept.
//
//	b ‖ height (8)              → the names of the block's entries, one after the other
//	m ‖ last height (8)         → first height (8) of a run
//	r ‖ last height (8) ‖ byte  → the run's records whose names begin with the byte, rising
//
// A name is the first half of a hash: whoever wants two transactions of one name has to try
// 2⁶⁴, and then has hidden one of its own. The name of what is not to be found is zero.
//
// add and prune belong to the consensus line; find may run beside them.
type index struct {
	db  dbm.DB
	low uint64 // no block below has its names on disk

	mu     sync.RWMutex   // held by the consensus line only while it writes what follows
	recent map[name]place // in no run yet
	runs   []run          // rising; what is in it never changes
}

// name is the first half of a transaction's hash.
type name [16]byte

// place is where a transaction is.
type place struct {
	height uint64
	i      uint32 // entry of the block
}

// run is a sorted piece of the index that is on disk.
type run struct{ first, last uint64 } // heights

// runLength is from how many transactions on they become a run. In memory each takes some
// fifty bytes.
const runLength = 1 << 16

func indexBlockKey(h uint64) []byte  { return binary.BigEndian.AppendUint64([]byte{'b'}, h) }
func indexRunKey(last uint64) []byte { return binary.BigEndian.AppendUint64([]byte{'m'}, last) }
func indexPieceKey(r run, b int) []byte {
	return append(binary.BigEndian.AppendUint64([]byte{'r'}, r.last), byte(b))
}

// openIndex reads what is not in a run: at most runLength names and those of one block.
func openIndex(db dbm.DB) (*index, error) {
	x := &index{db: db, recent: make(map[name]place)}
	err := x.each(indexRunKey(0), []byte{'m' + 1}, func(key, value []byte) bool {
		if len(key) == 9 && len(value) == 8 {
			x.runs = append(x.runs, run{binary.BigEndian.Uint64(value), binary.BigEndian.Uint64(key[1:])})
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	return x, x.each(indexBlockKey(x.sorted()+1), []byte{'b' + 1}, func(key, names []byte) bool {
		x.remember(binary.BigEndian.Uint64(key[1:]), names)
		return true
	})
}

// sorted is the last height that is in a run.
func (x *index) sorted() uint64 {
	if len(x.runs) == 0 {
		return 0
	}
	return x.runs[len(x.runs)-1].last
}

// each calls fn with what is on disk from one key to before another, until it returns false.
func (x *index) each(from, to []byte, fn func(key, value []byte) bool) error {
	it, err := x.db.Iterator(from, to)
	if err != nil {
		return fmt.Errorf("chain: index: %w", err)
	}
	for ; it.Valid() && fn(it.Key(), it.Value()); it.Next() {
	}
	err = it.Error()
	if cerr := it.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("chain: index: %w", err)
	}
	return nil
}

// add writes the entries of a block, by their hashes; a zero hash is not to be found. Doing
// it twice changes nothing.
func (x *index) add(height uint64, hashes [][32]byte) error {
	if height <= x.sorted() {
		return nil // executed again after a crash
	}
	names, some := make([]byte, 0, len(name{})*len(hashes)), false
	for _, hash := range hashes {
		names = append(names, hash[:len(name{})]...)
		some = some || hash != [32]byte{}
	}
	if !some {
		return nil
	}
	if err := x.db.Set(indexBlockKey(height), names); err != nil {
		return fmt.Errorf("chain: index: %w", err)
	}
	x.mu.Lock()
	x.remember(height, names)
	x.mu.Unlock()
	if len(x.recent) < runLength {
		return nil
	}
	return x.sort(height)
}

// remember takes the names of a block into memory. x.mu is held, or nobody else has x.
func (x *index) remember(height uint64, names []byte) {
	for i := uint32(0); len(names) >= len(name{}); i, names = i+1, names[len(name{}):] {
		if n := name(names); n != (name{}) {
			x.recent[n] = place{height, i}
		}
	}
}

// sort makes what is in memory a run that ends with height.
func (x *index) sort(height uint64) error {
	first, pieces := encodeRun(x.recent)
	r := run{first, height}
	b := x.db.NewBatch()
	defer b.Close()
	err := b.Set(indexRunKey(height), binary.BigEndian.AppendUint64(nil, first))
	for i, piece := range pieces {
		if err == nil && len(piece) > 0 {
			err = b.Set(indexPieceKey(r, i), piece)
		}
	}
	if err == nil {
		err = b.Write()
	}
	if err != nil {
		return fmt.Errorf("chain: index: %w", err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.runs, x.recent = append(x.runs, r), make(map[name]place)
	return nil
}

// find says where a transaction was last put. ErrNotFound for one that no kept block has.
func (x *index) find(hash [32]byte) (height uint64, i uint32, err error) {
	n := name(hash[:])
	x.mu.RLock()
	at, ok := x.recent[n]
	runs := x.runs
	x.mu.RUnlock()
	for k := len(runs) - 1; !ok && k >= 0; k-- {
		piece, err := x.db.Get(indexPieceKey(runs[k], int(n[0])))
		if err != nil {
			return 0, 0, fmt.Errorf("chain: index: %w", err)
		}
		at, ok = findInPiece(piece, n)
	}
	if !ok || n == (name{}) {
		return 0, 0, fmt.Errorf("%w: no block that is kept here has transaction %x", ErrNotFound, hash)
	}
	return at.height, at.i, nil
}

// indexPruneStep bounds the work of one prune, in blocks.
const indexPruneStep = 100

// prune forgets blocks below retain, and those names of blocks that are in a run: a step of
// each. What is in memory goes when its run goes.
func (x *index) prune(retain uint64) error {
	b := x.db.NewBatch()
	defer b.Close()
	low, runs := x.low, x.runs
	if until := max(retain, x.sorted()+1); low < until {
		var gone [][]byte
		err := x.each(indexBlockKey(low), indexBlockKey(until), func(key, _ []byte) bool {
			gone = append(gone, bytes.Clone(key))
			return len(gone) < indexPruneStep
		})
		if err != nil {
			return err
		}
		for _, key := range gone {
			if err := b.Delete(key); err != nil {
				return fmt.Errorf("chain: index: %w", err)
			}
		}
		if low = until; len(gone) == indexPruneStep {
			low = binary.BigEndian.Uint64(gone[len(gone)-1][1:]) + 1
		}
	}
	if len(runs) > 0 && runs[0].last < retain {
		err := b.Delete(indexRunKey(runs[0].last))
		for i := range 256 {
			if err == nil {
				err = b.Delete(indexPieceKey(runs[0], i))
			}
		}
		if err != nil {
			return fmt.Errorf("chain: index: %w", err)
		}
		runs = runs[1:]
	}
	if err := b.Write(); err != nil {
		return fmt.Errorf("chain: index: %w", err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.low, x.runs = low, runs
	return nil
}
