package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cosmos/iavl"
	"github.com/klauspost/compress/zstd"
)

// rawChunk is the most that is put into a chunk before compression: what zstd cannot
// compress stays below MaxChunk.
const rawChunk = MaxChunk - 4096

// exportCache is how many nodes an export remembers: it walks the tree once.
const exportCache = 1024

// Export writes the state of a saved version as chunks, in order, and returns what
// describes them. Nodes come children first. A leaf is 0, version, length of the key, key,
// length of the value, value; an inner node is its height and version alone, for its key is
// the least one of its right child. Heights are one byte, other numbers unsigned varints;
// no node is split; each chunk is one zstd frame. The memory it takes does not depend on
// the state. Commits go on meanwhile; the version is not pruned.
func (t *Tree) Export(version int64, emit func(chunk []byte) error) (*Manifest, error) {
	space, unpin, err := t.pin(version)
	if err != nil {
		return nil, err
	}
	defer unpin()
	// A tree of its own, so that it shares no node with the writer.
	space.nodes = nil // a walk over everything would only wash the cache out
	own := open(space, exportCache, t.log)
	defer own.Close()
	at, err := own.GetImmutable(version)
	if err != nil {
		return nil, fmt.Errorf("%w: %d: %w", ErrVersion, version, err)
	}
	m := &Manifest{Version: version}
	copy(m.Root[:], at.Hash())
	if at.Size() == 0 {
		return m, nil
	}
	nodes, err := at.Export()
	if err != nil {
		return nil, t.db.reading(err)
	}
	defer nodes.Close()
	packer, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(MaxChunk), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("store: exporting: %w", err)
	}
	defer packer.Close()
	var raw, packed []byte
	flush := func() error {
		packed = packer.EncodeAll(raw, packed[:0])
		m.Chunks = append(m.Chunks, sha256.Sum256(packed))
		raw = raw[:0]
		return emit(packed)
	}
	for {
		n, err := nodes.Next()
		if errors.Is(err, iavl.ErrorExportDone) {
			break
		}
		if err != nil {
			return nil, t.db.reading(err)
		}
		if len(raw)+len(n.Key)+len(n.Value)+32 > rawChunk {
			if err := flush(); err != nil {
				return nil, err
			}
		}
		raw = append(raw, byte(n.Height))
		raw = binary.AppendUvarint(raw, uint64(n.Version))
		if n.Height == 0 {
			raw = binary.AppendUvarint(raw, uint64(len(n.Key)))
			raw = append(raw, n.Key...)
			raw = binary.AppendUvarint(raw, uint64(len(n.Value)))
			raw = append(raw, n.Value...)
		}
		m.Nodes++
	}
	// iavl ends its walk in silence at a node that it cannot read.
	if want := uint64(2*at.Size() - 1); m.Nodes != want {
		return nil, fmt.Errorf("store: exporting version %d of %s: %d of %d nodes could be read; start the node again, and if this repeats let it fetch the ledger again", version, t.db.dir, m.Nodes, want)
	}
	if len(raw) > 0 {
		if err := flush(); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// walker checks the nodes of a snapshot one by one before iavl sees them: iavl trusts what
// it imports.
type walker struct {
	version int64 // of the snapshot
	stack   []walked
	last    []byte // the last leaf's key
	seen    bool
	nodes   uint64
}

// walked is a subtree without a parent yet.
type walked struct {
	height  int8
	version int64
	least   []byte // its least key
}

// next reads the node at the head of raw and returns the rest.
func (w *walker) next(raw []byte) (n *iavl.ExportNode, rest []byte, err error) {
	bad := func(what string) (*iavl.ExportNode, []byte, error) {
		return nil, nil, fmt.Errorf("%w: node %d has %s", ErrSnapshot, w.nodes, what)
	}
	height := int8(raw[0])
	version, size := binary.Uvarint(raw[1:])
	if size <= 0 || version == 0 || version > uint64(w.version) {
		return bad("no version of before")
	}
	raw = raw[1+size:]
	n = &iavl.ExportNode{Version: int64(version), Height: height}
	field := func(limit uint64) ([]byte, bool) {
		length, size := binary.Uvarint(raw)
		if size <= 0 || length > limit || length > uint64(len(raw)-size) {
			return nil, false
		}
		f := bytes.Clone(raw[size : size+int(length)])
		raw = raw[size+int(length):]
		return f, true
	}
	top := walked{height: height, version: n.Version}
	if height == 0 {
		var ok bool
		if n.Key, ok = field(MaxKey); !ok || len(n.Key) == 0 {
			return bad("no usable key")
		}
		if n.Value, ok = field(MaxValue); !ok {
			return bad("no usable value")
		}
		if n.Value == nil {
			n.Value = []byte{}
		}
		if w.seen && bytes.Compare(n.Key, w.last) <= 0 {
			return bad("a key out of order")
		}
		w.last, w.seen, top.least = n.Key, true, n.Key
	} else {
		if len(w.stack) < 2 {
			return bad("no children")
		}
		left, right := w.stack[len(w.stack)-2], w.stack[len(w.stack)-1]
		if height != max(left.height, right.height)+1 || left.height-right.height > 1 || right.height-left.height > 1 || n.Version < max(left.version, right.version) {
			return bad("children that do not fit")
		}
		n.Key, top.least = right.least, left.least
		w.stack = w.stack[:len(w.stack)-2]
	}
	w.stack = append(w.stack, top)
	w.nodes++
	return n, raw, nil
}
