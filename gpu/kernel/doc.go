// Package kernel is rp-1, the seeded path tracer that proves what a machine can
// render: 32-bit integers only, so that processors and graphics cards of any make
// compute the same bits, and whoever doubts a picture recomputes a tile of it.
//
// It holds what both sides of a capacity round share: the renderer's Go twin, the
// tree over a frame's tiles, the chain of frames a container renders, the draw of
// the tiles it must open, their recomputation, and RenderPoints. docs/spec/rp-1.md
// says the same in words complete enough for a second implementation.
//
// The package knows no clock, no key pairs and no network. The only goroutines are
// those of the renderer, started by CPU and ended by Close.
package kernel

// Name is the version of everything here that two machines must agree on. Any change
// of a bit of output needs another name.
const Name = "rp-1"

// Tile is the edge of a tile, pixels; TileWords is what a tile holds: two words for
// each pixel, row by row.
const (
	Tile      = 16
	TileWords = Tile * Tile * 2
)

// Spheres and Segments are the kernel's fixed work: how many spheres a scene has
// beside its floor, and how many straight pieces a camera path has at most.
const (
	Spheres  = 16
	Segments = 4
)
