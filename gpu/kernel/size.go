package kernel

import (
	"errors"
	"fmt"
)

// ErrSize marks a frame size outside what rp-1 allows.
var ErrSize = errors.New("kernel: size not allowed")

// Size is a frame: its edges in pixels and the samples of each pixel.
type Size struct {
	Width  uint32 `json:"width"` // edges are multiples of Tile, Height ≤ Width ≤ MaxWidth
	Height uint32 `json:"height"`
	SPP    uint32 `json:"spp"` // samples per pixel, 1 … MaxSPP
}

// MaxWidth and MaxSPP keep every intermediate value of the kernel inside 32 bits.
const (
	MaxWidth = 4096
	MaxSPP   = 4096
)

// sizes never change their places: containers commit to an index.
var sizes = [...]Size{
	{64, 64, 4}, {64, 64, 16}, {128, 128, 16}, {256, 256, 16},
	{512, 512, 16}, {1024, 1024, 16}, {1024, 1024, 64}, {1024, 1024, 256},
}

// Sizes returns the frozen table of size classes: the first is for tests and for
// epochs of seconds, 3 suits one processor core, the last ones graphics cards. Each
// has four times the samples of the one before it.
func Sizes() []Size { return append([]Size(nil), sizes[:]...) }

// Class returns the index of the size class that suits a machine of rate samples/s in
// a round of ms milliseconds: the largest whose frame takes at most 200 ms, so that one
// takes 50 ms at least, and at most a sixteenth of the round, so that the frame that is
// cut off at its end is a small part of the whole.
func Class(rate, ms uint64) int {
	limit := min(200, ms/16)
	for i := len(sizes) - 1; i > 0; i-- {
		if sizes[i].Samples()*1000/max(rate, 1) <= limit {
			return i
		}
	}
	return 0
}

// Validate returns ErrSize unless rp-1 defines frames of this size.
func (s Size) Validate() error {
	switch {
	case s.Width == 0 || s.Height == 0 || s.Width%Tile != 0 || s.Height%Tile != 0:
		return fmt.Errorf("%w: %d×%d is not made of tiles of %d×%d", ErrSize, s.Width, s.Height, Tile, Tile)
	case s.Width > MaxWidth || s.Height > s.Width:
		return fmt.Errorf("%w: %d×%d; at most %d wide and no higher than wide", ErrSize, s.Width, s.Height, MaxWidth)
	case s.SPP == 0 || s.SPP > MaxSPP:
		return fmt.Errorf("%w: %d samples per pixel, not 1 to %d", ErrSize, s.SPP, MaxSPP)
	}
	return nil
}

// Tiles returns the number of tiles of a frame; tile t stands at column t mod
// (Width/Tile), row t / (Width/Tile), from the top left.
func (s Size) Tiles() uint32 { return (s.Width / Tile) * (s.Height / Tile) }

// Words returns how many 32-bit words a frame has: tile after tile, TileWords each.
func (s Size) Words() int { return int(s.Tiles()) * TileWords }

// Samples returns the number of camera paths of a frame.
func (s Size) Samples() uint64 { return uint64(s.Width) * uint64(s.Height) * uint64(s.SPP) }

// String is as in "256×256×16".
func (s Size) String() string { return fmt.Sprintf("%d×%d×%d", s.Width, s.Height, s.SPP) }
