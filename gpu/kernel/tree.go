package kernel

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// Errors of openings.
var (
	ErrPath  = errors.New("kernel: the path does not lead to the root")
	ErrRange = errors.New("kernel: frame or tile out of range")
)

const leafHead = len(leafDomain) + 4

// Leaf returns the hash of a tile: SHA-256(domain ‖ tile ‖ words), integers
// little-endian.
func Leaf(tile uint32, words *[TileWords]uint32) [32]byte {
	var b [leafHead + 4*TileWords]byte
	copy(b[:], leafDomain)
	binary.LittleEndian.PutUint32(b[len(leafDomain):], tile)
	for i, w := range words {
		binary.LittleEndian.PutUint32(b[leafHead+4*i:], w)
	}
	return sha256.Sum256(b[:])
}

func node(left, right *[32]byte) [32]byte {
	var b [len(nodeDomain) + 64]byte
	copy(b[:], nodeDomain)
	copy(b[len(nodeDomain):], left[:])
	copy(b[len(nodeDomain)+32:], right[:])
	return sha256.Sum256(b[:])
}

// Tree is the Merkle tree over a frame's leaves. A node without a sibling rises
// unchanged.
type Tree struct{ levels [][][32]byte }

// NewTree builds the tree over leaves, of which there is at least one; it keeps them.
func NewTree(leaves [][32]byte) *Tree {
	t := &Tree{levels: [][][32]byte{leaves}}
	for l := leaves; len(l) > 1; {
		up := make([][32]byte, (len(l)+1)/2)
		for i := range up {
			if 2*i+1 < len(l) {
				up[i] = node(&l[2*i], &l[2*i+1])
			} else {
				up[i] = l[2*i]
			}
		}
		t.levels = append(t.levels, up)
		l = up
	}
	return t
}

// Root returns the root over leaves, of which there is at least one.
func Root(leaves [][32]byte) [32]byte { return NewTree(leaves).Root() }

// Root returns the tree's root.
func (t *Tree) Root() [32]byte { return t.levels[len(t.levels)-1][0] }

// Leaf returns the leaf of a tile of the frame.
func (t *Tree) Leaf(tile uint32) [32]byte { return t.levels[0][tile] }

// Path returns the siblings of a tile of the frame, from the leaf upwards.
func (t *Tree) Path(tile uint32) [][32]byte {
	var p [][32]byte
	for _, l := range t.levels[:len(t.levels)-1] {
		if s := tile ^ 1; int(s) < len(l) {
			p = append(p, l[s])
		}
		tile /= 2
	}
	return p
}

// PathLen returns how many siblings the path of a tile has in a frame of tiles tiles.
func PathLen(tiles, tile uint32) int {
	n := 0
	for ; tiles > 1; tiles, tile = (tiles+1)/2, tile/2 {
		if tile^1 < tiles {
			n++
		}
	}
	return n
}

// VerifyPath checks that leaf stands at tile in the tree of tiles leaves whose root is
// root. It returns ErrRange for a tile that the frame does not have, ErrPath for
// another number of siblings than PathLen says and for another root.
func VerifyPath(root [32]byte, tiles, tile uint32, leaf [32]byte, siblings [][32]byte) error {
	if tile >= tiles {
		return fmt.Errorf("%w: tile %d of %d", ErrRange, tile, tiles)
	}
	if want := PathLen(tiles, tile); len(siblings) != want {
		return fmt.Errorf("%w: %d siblings, tile %d of %d has %d", ErrPath, len(siblings), tile, tiles, want)
	}
	at := leaf
	for ; tiles > 1; tiles, tile = (tiles+1)/2, tile/2 {
		if tile^1 >= tiles {
			continue
		}
		if tile&1 == 0 {
			at = node(&at, &siblings[0])
		} else {
			at = node(&siblings[0], &at)
		}
		siblings = siblings[1:]
	}
	if at != root {
		return fmt.Errorf("%w: tile %d", ErrPath, tile)
	}
	return nil
}
