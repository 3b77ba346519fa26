package chain

import (
	"encoding/binary"
	"fmt"

	dbm "github.com/cometbft/cometbft-db"
)

// index finds a transaction by its hash. It lives beside the engine's stores and forgets
// with them:
//
//	t ‖ hash (32)    → height (8) ‖ index (4), big-endian
//	h ‖ height (8)   → the hashes of that block, one after the other
type index struct{ db dbm.DB }

func indexTxKey(hash [32]byte) []byte { return append([]byte{'t'}, hash[:]...) }
func indexHeightKey(h uint64) []byte  { return binary.BigEndian.AppendUint64([]byte{'h'}, h) }

// add writes the transactions of a block. Doing it twice changes nothing.
func (x *index) add(height uint64, hashes [][32]byte) error {
	if len(hashes) == 0 {
		return nil
	}
	b := x.db.NewBatch()
	defer b.Close()
	all := make([]byte, 0, 32*len(hashes))
	for i, hash := range hashes {
		at := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(nil, height), uint32(i))
		if err := b.Set(indexTxKey(hash), at); err != nil {
			return fmt.Errorf("chain: index: %w", err)
		}
		all = append(all, hash[:]...)
	}
	if err := b.Set(indexHeightKey(height), all); err != nil {
		return fmt.Errorf("chain: index: %w", err)
	}
	if err := b.Write(); err != nil {
		return fmt.Errorf("chain: index: %w", err)
	}
	return nil
}

// find says where a transaction is. ErrNotFound for one that no kept block has.
func (x *index) find(hash [32]byte) (height uint64, i uint32, err error) {
	at, err := x.db.Get(indexTxKey(hash))
	switch {
	case err != nil:
		return 0, 0, fmt.Errorf("chain: index: %w", err)
	case len(at) != 12:
		return 0, 0, fmt.Errorf("%w: no block that is kept here has transaction %x", ErrNotFound, hash)
	}
	return binary.BigEndian.Uint64(at), binary.BigEndian.Uint32(at[8:]), nil
}

// indexPruneStep bounds the work of one prune, in blocks.
const indexPruneStep = 100

// prune forgets blocks below retain, at most indexPruneStep of them.
func (x *index) prune(retain uint64) error {
	it, err := x.db.Iterator(indexHeightKey(0), indexHeightKey(retain))
	if err != nil {
		return fmt.Errorf("chain: index: %w", err)
	}
	var gone [][]byte
	for n := 0; it.Valid() && n < indexPruneStep; it.Next() {
		gone = append(gone, append([]byte(nil), it.Key()...))
		for hashes := it.Value(); len(hashes) >= 32; hashes = hashes[32:] {
			gone = append(gone, indexTxKey([32]byte(hashes)))
		}
		n++
	}
	err = it.Error()
	if cerr := it.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("chain: index: %w", err)
	}
	if len(gone) == 0 {
		return nil
	}
	b := x.db.NewBatch()
	defer b.Close()
	for _, k := range gone {
		if err := b.Delete(k); err != nil {
			return fmt.Errorf("chain: index: %w", err)
		}
	}
	if err := b.Write(); err != nil {
		return fmt.Errorf("chain: index: %w", err)
	}
	return nil
}
