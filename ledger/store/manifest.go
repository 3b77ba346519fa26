package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// Limits of a snapshot.
const (
	MaxChunk    = 1 << 20 // bytes of a chunk, compressed and not
	maxChunks   = 1 << 16
	maxVersion  = 1 << 28 // iavl sets 4 bytes aside for each version when it imports
	MaxManifest = len(manifestMagic) + 8 + 32 + 8 + 4 + maxChunks*32
)

const manifestMagic = "framemesh state 1\n"

// Manifest describes a snapshot: the state of one version in chunks.
type Manifest struct {
	Version int64
	Root    [32]byte   // of the version; whoever imports has to know it from elsewhere
	Nodes   uint64     // of the tree, leaves and inner ones
	Chunks  [][32]byte // SHA-256 of each chunk
}

// Marshal encodes m: the magic line, version, root, nodes, number of chunks (8, 32, 8 and
// 4 bytes, big endian), the hashes.
func (m *Manifest) Marshal() []byte {
	out := append(make([]byte, 0, len(manifestMagic)+52+32*len(m.Chunks)), manifestMagic...)
	out = binary.BigEndian.AppendUint64(out, uint64(m.Version))
	out = append(out, m.Root[:]...)
	out = binary.BigEndian.AppendUint64(out, m.Nodes)
	out = binary.BigEndian.AppendUint32(out, uint32(len(m.Chunks)))
	for _, c := range m.Chunks {
		out = append(out, c[:]...)
	}
	return out
}

// Hash names the snapshot: SHA-256 of Marshal.
func (m *Manifest) Hash() [32]byte { return sha256.Sum256(m.Marshal()) }

// ParseManifest reads what Marshal wrote. It wraps ErrSnapshot.
func ParseManifest(raw []byte) (*Manifest, error) {
	bad := func(what string) (*Manifest, error) {
		return nil, fmt.Errorf("%w: a manifest with %s", ErrSnapshot, what)
	}
	if len(raw) > MaxManifest {
		return bad(fmt.Sprintf("%d bytes, over %d", len(raw), MaxManifest))
	}
	raw, ok := bytes.CutPrefix(raw, []byte(manifestMagic))
	if !ok || len(raw) < 52 {
		return bad("another format; take a snapshot of the same release")
	}
	m := &Manifest{
		Version: int64(binary.BigEndian.Uint64(raw)),
		Root:    [32]byte(raw[8:40]),
		Nodes:   binary.BigEndian.Uint64(raw[40:]),
	}
	count := binary.BigEndian.Uint32(raw[48:])
	raw = raw[52:]
	switch {
	case m.Version <= 0 || m.Version > maxVersion:
		return bad(fmt.Sprintf("version %d", m.Version))
	case uint64(count)*32 != uint64(len(raw)):
		return bad(fmt.Sprintf("%d chunks and %d bytes of hashes", count, len(raw)))
	case (m.Nodes == 0) != (count == 0):
		return bad(fmt.Sprintf("%d nodes in %d chunks", m.Nodes, count))
	}
	m.Chunks = make([][32]byte, count)
	for i := range m.Chunks {
		copy(m.Chunks[i][:], raw[32*i:])
	}
	return m, nil
}
