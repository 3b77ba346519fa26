package kernel

import (
	"math/rand/v2"
	"testing"

	"github.com/framemesh/framemesh/gpu/kernel/internal/plain"
)

func randomSeed(r *rand.Rand) (s Seed) {
	for i := range s {
		s[i] = byte(r.Uint32())
	}
	return s
}

// plainTile renders a tile as the specification says it.
func plainTile(size Size, seed Seed, tile uint32, out *[TileWords]uint32) {
	w := seed.Words()
	sc := plain.Scene(w)
	columns := size.Width / Tile
	for i := range uint32(Tile * Tile) {
		x, y := tile%columns*Tile+i%Tile, tile/columns*Tile+i/Tile
		out[2*i], out[2*i+1] = plain.Pixel(w, &sc, size.Width, size.Height, size.SPP, x, y)
	}
}

func TestTwinIsThePlainKernel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var got, want [TileWords]uint32
	shapes := append(Sizes()[:6], Size{16, 16, 1}, Size{16, 16, 3}, Size{48, 32, 5}, Size{4096, 16, 2}, Size{4096, 4096, 1}, Size{2000, 1008, 1})
	for n := range 300 {
		size := shapes[n%len(shapes)]
		seed := randomSeed(r)
		for range 2 {
			tile := r.Uint32N(size.Tiles())
			RenderTile(size, seed, tile, &got)
			plainTile(size, seed, tile, &want)
			if got != want {
				t.Fatalf("seed %x, %s, tile %d differs", seed, size, tile)
			}
		}
	}
}
