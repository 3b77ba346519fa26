package kernel

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
)

// Backend renders frames. Its methods are called by one goroutine at a time.
type Backend interface {
	// Name is the kind of backend, such as "go" or "webgpu".
	Name() string
	// Device is what it runs on, as its maker calls it.
	Device() string
	// Render fills out, which holds size.Words() words, with the frame of seed: tile
	// after tile, each TileWords words. It returns ctx's error if that ends first.
	Render(ctx context.Context, size Size, seed Seed, out []uint32) error
	// Close gives back what the backend holds.
	Close() error
}

// Leafer is a Backend that can hand out a frame's leaves without its words.
type Leafer interface {
	// Leaves fills leaves, of which there are size.Tiles().
	Leaves(ctx context.Context, size Size, seed Seed, leaves [][32]byte) error
}

// Errors of Check and Render.
var (
	ErrEmpty  = errors.New("kernel: the device runs no shaders")
	ErrWrong  = errors.New("kernel: the device computes wrong pictures")
	ErrBuffer = errors.New("kernel: the buffer does not have the frame's size")
)

// wrongHint ends the refusals of Check.
const wrongHint = "update its driver, or prove with the processor instead"

// Check renders known frames on b and compares every word with the Go twin and the
// twin with the committed roots. It returns ErrEmpty if b left the buffer as it was
// or wrote only zeros, ErrWrong if a word differs, and b's own error. A device that
// fails must not stand by; nobody is punished for that.
func Check(b Backend) error {
	var want [TileWords]uint32
	for _, known := range knownAnswers {
		out := make([]uint32, known.size.Words())
		for i := range out {
			out[i] = untouched
		}
		seed := First([32]byte{}, [32]byte{0: known.seed})
		if err := b.Render(context.Background(), known.size, seed, out); err != nil {
			return fmt.Errorf("kernel: known answer on %s: %w", b.Device(), err)
		}
		if empty(out) {
			return fmt.Errorf("%w: %s; install a Vulkan driver (apt-get install mesa-vulkan-drivers), or prove with the processor instead", ErrEmpty, b.Device())
		}
		leaves := make([][32]byte, known.size.Tiles())
		for t := range known.size.Tiles() {
			RenderTile(known.size, seed, t, &want)
			got := (*[TileWords]uint32)(out[int(t)*TileWords:])
			if *got != want {
				return fmt.Errorf("%w: %s, tile %d of %s; %s", ErrWrong, b.Device(), t, known.size, wrongHint)
			}
			leaves[t] = Leaf(t, got)
		}
		if root := Root(leaves); hex.EncodeToString(root[:]) != known.root {
			return fmt.Errorf("%w: %s, with this build of the program; take another build", ErrWrong, b.Device())
		}
	}
	return nil
}

// untouched fills buffers before a backend gets them: not a value that drivers clear
// memory to.
const untouched = 0x6e6f6e65

func empty(out []uint32) bool {
	for _, w := range out {
		if w != untouched && w != 0 {
			return false
		}
	}
	return true
}
