package store

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/cosmos/iavl"
	"github.com/klauspost/compress/zstd"
)

// Import builds the state from a snapshot beside the one in use. Nothing of the latter is
// touched before Commit has compared the root; a crash or Abort leaves it as it was.
type Import struct {
	t        *Tree
	m        *Manifest
	from, to byte // generations
	tree     *iavl.MutableTree
	into     *iavl.Importer
	unpack   *zstd.Decoder
	walk     walker
	next     int
	ended    bool
}

// Import begins. The manifest has to come from ParseManifest or Export, and its root has
// to be known from a header: chunks are only checked against the manifest. One import at a
// time, and nobody may write to the tree meanwhile.
func (t *Tree) Import(m *Manifest) (*Import, error) {
	from, err := t.db.current()
	if err != nil {
		return nil, err
	}
	i := &Import{t: t, m: m, from: from, to: from + 1, walk: walker{version: m.Version}}
	space := t.db.generation(i.to)
	space.loose = true // nobody looks here before the switch
	if err := t.db.drop(space); err != nil {
		return nil, err
	}
	i.unpack, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(MaxChunk), zstd.WithDecoderMaxWindow(MaxChunk), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, fmt.Errorf("store: importing: %w", err)
	}
	i.tree = open(space, exportCache, t.log)
	if i.into, err = i.tree.Import(m.Version); err != nil {
		return nil, errors.Join(fmt.Errorf("store: importing: %w", err), i.Abort())
	}
	return i, nil
}

// Add takes the next chunk in order. A chunk that is not the one of the manifest is refused
// with ErrSnapshot and may be offered again from elsewhere; after any other error there is
// only Abort.
func (i *Import) Add(chunk []byte) error {
	switch {
	case i.ended:
		return fmt.Errorf("%w: the import has ended", ErrSnapshot)
	case i.next >= len(i.m.Chunks):
		return fmt.Errorf("%w: more than the %d chunks of the manifest", ErrSnapshot, len(i.m.Chunks))
	case len(chunk) > MaxChunk || sha256.Sum256(chunk) != i.m.Chunks[i.next]:
		return fmt.Errorf("%w: chunk %d is not the one of the manifest; ask another peer", ErrSnapshot, i.next)
	}
	raw, err := i.unpack.DecodeAll(chunk, nil)
	if err != nil {
		return fmt.Errorf("%w: chunk %d: %w", ErrSnapshot, i.next, err)
	}
	for len(raw) > 0 {
		var n *iavl.ExportNode
		if n, raw, err = i.walk.next(raw); err != nil {
			return err
		}
		if err := i.into.Add(n); err != nil {
			return fmt.Errorf("store: importing node %d: %w", i.walk.nodes, err)
		}
	}
	i.next++
	return nil
}

// Missing is how many chunks are still to come.
func (i *Import) Missing() int { return len(i.m.Chunks) - i.next }

// Commit compares the root and makes the imported version the state; the Tree goes on with
// it, and the state before is deleted. With an error nothing has changed.
func (i *Import) Commit() error {
	if i.ended || i.Missing() > 0 {
		return fmt.Errorf("%w: %d chunks are missing", ErrSnapshot, i.Missing())
	}
	if i.walk.nodes != i.m.Nodes || i.m.Nodes > 0 && len(i.walk.stack) != 1 {
		return errors.Join(fmt.Errorf("%w: %d nodes in %d trees instead of %d in one", ErrSnapshot, i.walk.nodes, len(i.walk.stack), i.m.Nodes), i.Abort())
	}
	if err := i.into.Commit(); err != nil {
		return errors.Join(fmt.Errorf("store: importing: %w", err), i.Abort())
	}
	if root := i.tree.Hash(); !bytes.Equal(root, i.m.Root[:]) {
		return errors.Join(fmt.Errorf("%w: the root is %X, promised was %X; ask another peer", ErrSnapshot, root, i.m.Root), i.Abort())
	}
	t := i.t
	t.prune.Lock() // before t.mu, as in Prune
	defer t.prune.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.db.commit([]op{{generationKey, []byte{i.to}}}, false); err != nil {
		return errors.Join(err, i.Abort())
	}
	i.close()
	defer t.space.nodes.release() // of the state before
	t.space = t.db.cached(t.db.generation(i.to))
	if err := errors.Join(t.closePruner(), t.load(0)); err != nil {
		return err
	}
	// The import counts from here on; what is left of the old state goes at the next
	// start if it cannot go now.
	if err := t.db.drop(t.db.generation(i.from)); err != nil {
		t.log.Warn("ledger store: deleting the state before the import", "err", err)
	}
	return nil
}

func (i *Import) close() {
	i.ended = true
	i.unpack.Close()
	if i.into != nil {
		i.into.Close()
	}
}

// Abort drops what was imported. It may be called after Commit and does nothing then.
func (i *Import) Abort() error {
	if i.ended {
		return nil
	}
	i.close()
	return errors.Join(i.tree.Close(), i.t.db.drop(i.t.db.generation(i.to)))
}
