package proof

import "errors"

// Kernel recomputes what containers render. The node hands one in; the specification of
// the one there is stands in docs/spec/rp-1.md. Everything here is a pure function.
type Kernel interface {
	// Version is the kernel's name, as commits name it: rp-1.
	Version() string
	// Shape says of a size class how many tiles and samples one frame has; ok is false for
	// a class that is none.
	Shape(size uint32) (tiles uint32, samples uint64, ok bool)
	// RootsRoot is the digest over all frame roots that a commit carries.
	RootsRoot(roots [][32]byte) [32]byte
	// Picks are the k tiles that a nonce draws for a commit, distinct; fewer where there are
	// not so many. More of them begin with the same ones.
	Picks(nonce, commit [32]byte, frames, tiles uint32, k int) []Pick
	// CheckTile is nil when the leaf is what the frame's seed renders, ErrPath when leaf and
	// siblings do not lead to the frame's root, and ErrTile when they do and rendering gives
	// another leaf. Any other error is about the question.
	CheckTile(task, container [32]byte, size uint32, roots [][32]byte, p Pick, leaf [32]byte, siblings [][32]byte) error
	// Work is the digest over the pixels of the picks, which only who rendered them knows.
	Work(task, container, checker [32]byte, size uint32, roots [][32]byte, picks []Pick) ([32]byte, error)
}

// Pick is a tile of a frame; both count from 0.
type Pick struct{ Frame, Tile uint32 }

// What CheckTile finds.
var (
	ErrPath = errors.New("proof: the path does not lead to the frame's root")
	ErrTile = errors.New("proof: the tile does not recompute")
)
