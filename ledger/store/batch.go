package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/dgraph-io/badger/v4"
)

// op is one write of a batch; a nil value deletes.
type op struct{ key, value []byte }

// The journal makes a batch atomic that is larger than one transaction of Badger: the
// whole batch is written under journalPrefix in one transaction (its values are large, so
// they only count as pointers), then applied in pieces, then the journal is removed. A
// crash in between is finished by redo.
var (
	journalPrefix = []byte("!journal/")
	errJournal    = errors.New("store: damaged journal")
)

const journalChunk = 1 << 20 // bytes of one value of the journal, about

// commit writes all of ops or none of them; in order, so that the last one of a key
// counts. With loose the caller does not care for "or none": nobody looks at these keys
// before a later write names them.
func (d *DB) commit(ops []op, loose bool) error {
	if len(ops) == 0 {
		return nil
	}
	if err := d.enter(); err != nil {
		return err
	}
	defer d.mu.RUnlock()
	if err := d.room(); err != nil {
		return err
	}
	d.journal.Lock()
	pending := d.pending
	d.journal.Unlock()
	if pending {
		if err := d.redo(); err != nil {
			return err
		}
	}
	if n, err := d.transact(ops); err != nil || n == len(ops) {
		return err
	}
	if loose {
		return d.pieces(ops)
	}
	d.journal.Lock()
	defer d.journal.Unlock()
	if d.pending { // of a batch that failed while this one waited
		if err := d.redoLocked(); err != nil {
			return err
		}
	}
	chunks := encodeJournal(ops)
	if n, err := d.transact(chunks); err != nil {
		return err
	} else if n < len(chunks) {
		return fmt.Errorf("store: a batch of %d writes is too large even for the journal; use smaller blocks", len(ops))
	}
	d.pending = true
	return d.applyLocked(ops, len(chunks))
}

// transact writes ops in one transaction and returns len(ops), or writes nothing and
// returns how many would fit.
func (d *DB) transact(ops []op) (int, error) {
	if int64(len(ops)) >= d.bad.MaxBatchCount() {
		return int(d.bad.MaxBatchCount()) - 1, nil
	}
	n, err := d.some(ops, true)
	return n, d.writing(err)
}

// pieces writes ops in as many transactions as it takes.
func (d *DB) pieces(ops []op) error {
	for len(ops) > 0 {
		n, err := d.some(ops, false)
		if err != nil {
			return d.writing(err)
		}
		ops = ops[n:]
	}
	return nil
}

// some puts as many of ops as fit into one transaction and commits it, unless all is set
// and not all fit. It returns how many fit.
func (d *DB) some(ops []op, all bool) (n int, err error) {
	txn := d.bad.NewTransaction(true)
	defer txn.Discard()
	for n < len(ops) {
		o := ops[n]
		if o.value == nil {
			err = txn.Delete(o.key)
		} else {
			err = txn.Set(o.key, o.value)
		}
		if errors.Is(err, badger.ErrTxnTooBig) && n > 0 {
			break
		}
		if err != nil {
			return 0, err
		}
		n++
	}
	if all && n < len(ops) {
		return n, nil
	}
	return n, txn.Commit()
}

func (d *DB) writing(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("store: writing to %s: %w", d.dir, err)
}

// finish is redo for a database in use.
func (d *DB) finish() error {
	if err := d.enter(); err != nil {
		return err
	}
	defer d.mu.RUnlock()
	if err := d.room(); err != nil {
		return err
	}
	return d.redo()
}

// redo finishes the batch that the journal holds, if any.
func (d *DB) redo() error {
	d.journal.Lock()
	defer d.journal.Unlock()
	return d.redoLocked()
}

func (d *DB) redoLocked() error {
	var ops []op
	chunks := 0
	err := d.bad.View(func(txn *badger.Txn) error {
		it := txn.NewIterator(badger.IteratorOptions{Prefix: journalPrefix})
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			raw, err := it.Item().ValueCopy(nil)
			if err != nil {
				return err
			}
			if ops, err = decodeJournal(ops, raw); err != nil {
				return err
			}
			chunks++
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store: reading the journal of %s: %w", d.dir, err)
	}
	d.pending = chunks > 0
	if !d.pending {
		return nil
	}
	return d.applyLocked(ops, chunks)
}

// applyLocked writes what the journal holds and removes it.
func (d *DB) applyLocked(ops []op, chunks int) error {
	if err := d.pieces(ops); err != nil {
		return err
	}
	gone := make([]op, chunks)
	for i := range gone {
		gone[i].key = journalKey(i)
	}
	if n, err := d.transact(gone); err != nil {
		return err
	} else if n < chunks {
		return fmt.Errorf("%w: %d chunks", errJournal, chunks)
	}
	d.pending = false
	return nil
}

func journalKey(i int) []byte {
	return binary.BigEndian.AppendUint32(slices.Clone(journalPrefix), uint32(i))
}

// encodeJournal packs ops: each is the length of the key, the key, 0 for a deletion or
// 1 + the length of the value and the value. An op is never split.
func encodeJournal(ops []op) []op {
	var chunks []op
	var buf []byte
	flush := func() {
		if len(buf) > 0 {
			// Padded over the threshold, so that it counts as a pointer.
			if short := valueThreshold - len(buf); short > 0 {
				buf = append(buf, make([]byte, short)...)
			}
			chunks = append(chunks, op{journalKey(len(chunks)), buf})
			buf = nil
		}
	}
	for _, o := range ops {
		if len(buf) > 0 && len(buf)+len(o.key)+len(o.value) > journalChunk {
			flush()
		}
		buf = binary.AppendUvarint(buf, uint64(len(o.key)))
		buf = append(buf, o.key...)
		if o.value == nil {
			buf = append(buf, 0)
			continue
		}
		buf = binary.AppendUvarint(buf, uint64(len(o.value))+1)
		buf = append(buf, o.value...)
	}
	flush()
	return chunks
}

// decodeJournal appends the ops of one chunk. A key of length 0 is padding.
func decodeJournal(ops []op, raw []byte) ([]op, error) {
	field := func(less uint64) ([]byte, bool) {
		n, size := binary.Uvarint(raw)
		if size <= 0 || n < less || n-less > uint64(len(raw)-size) {
			return nil, false
		}
		field := raw[size : size+int(n-less)]
		raw = raw[size+int(n-less):]
		return field, true
	}
	for len(raw) > 0 && raw[0] != 0 {
		key, ok := field(0)
		if !ok || len(raw) == 0 {
			return ops, errJournal
		}
		o := op{key: key}
		if raw[0] == 0 {
			raw = raw[1:]
		} else if o.value, ok = field(1); !ok {
			return ops, errJournal
		}
		ops = append(ops, o)
	}
	if len(bytes.Trim(raw, "\x00")) != 0 {
		return ops, errJournal
	}
	return ops, nil
}

// batch collects writes for a view; it serves CometBFT and iavl.
type batch struct {
	v    view
	ops  []op
	size int
	done bool
}

// Set implements the batch of CometBFT and iavl.
func (b *batch) Set(key, value []byte) error {
	switch {
	case len(key) == 0:
		return errKeyEmpty
	case value == nil:
		return errValueNil
	}
	return b.add(key, value)
}

// Delete implements the batch of CometBFT and iavl.
func (b *batch) Delete(key []byte) error {
	if len(key) == 0 {
		return errKeyEmpty
	}
	return b.add(key, nil)
}

func (b *batch) add(key, value []byte) error {
	if b.done {
		return errBatchClosed
	}
	b.ops = append(b.ops, op{b.v.key(key), value})
	b.size += len(key) + len(value)
	return nil
}

// Write writes all or nothing, once. After an error it may be tried again.
func (b *batch) Write() error {
	if b.done {
		return errBatchClosed
	}
	if err := b.v.db.commit(b.ops, b.v.loose); err != nil {
		return err
	}
	if b.v.nodes != nil {
		for _, o := range b.ops {
			if key := o.key[len(b.v.prefix):]; o.value == nil {
				b.v.nodes.remove(key)
			} else {
				b.v.nodes.wrote(key, o.value)
			}
		}
	}
	return b.Close()
}

// WriteSync is Write: whether the disk is waited for is an option of the database.
func (b *batch) WriteSync() error { return b.Write() }

// Close drops what was not written.
func (b *batch) Close() error {
	b.ops, b.done = nil, true
	return nil
}

// GetByteSize implements the batch of iavl. A closed batch has no size.
func (b *batch) GetByteSize() (int, error) {
	if b.done {
		return 0, errBatchClosed
	}
	return b.size, nil
}
