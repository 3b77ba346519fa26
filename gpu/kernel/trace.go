package kernel

import "math"

// root returns ⌊√v⌋. The square root of a float64 is the nearest one to the true root,
// and below 2³² no root lies closer to the next integer than floats lie to each
// other, so that cutting it off is exact.
func root(v int32) int32 { return int32(math.Sqrt(float64(v))) }

// norm returns v in length one (Q14), or straight up where v is too short to have
// a direction. It divides by the length l through a reciprocal: with m·l = 2⁴⁸ + e,
// 0 < e ≤ 2l, and |x| ≤ l < 2¹⁵·⁵, the error x·2¹⁴·e stays below 2⁴⁸ and the quotient,
// cut off towards zero, is the exact one.
func norm(x, y, z int32) (int32, int32, int32) {
	s := x*x + y*y + z*z
	if s < 4096 {
		return 0, one, 0
	}
	m := int64((1<<48)/float64(root(s))) + 1
	return int32(int64(x) * m / (1 << 34)), int32(int64(y) * m / (1 << 34)), int32(int64(z) * m / (1 << 34))
}

// frame is what a tile's renderer needs of the size, with division by the width
// turned into a product: exact for all n < 2²⁸ and widths up to MaxWidth.
type frame struct {
	size   Size
	across uint64 // ⌈2⁴⁰ / width⌉
	top    int32
}

func (f *frame) set(size Size) {
	f.size = size
	f.across = (1<<40 + uint64(size.Width) - 1) / uint64(size.Width)
	f.top = 8192 * int32(size.Height) / int32(size.Width)
}

func (f *frame) divide(n uint32) int32 { return int32(uint64(n) * f.across >> 40) }

// tile renders a tile, wave by wave.
func (sc *scene) tile(f *frame, w *wave, tile uint32, out *[TileWords]uint32) {
	columns := f.size.Width / Tile
	x0, y0 := tile%columns*Tile, tile/columns*Tile
	var all, some sight
	sc.look(f, x0, y0, Tile, Tile, nil, &all)
	s := &sc.words
	n, near := 0, 0
	for i := range uint32(Tile * Tile) {
		x, y := x0+i%Tile, y0+i/Tile
		base := pcg(pcg(pcg(pcg(s[0]^(x+y<<16))^s[1])^s[2]) ^ s[3])
		p := uint8(i)
		w.fold[p] = pcg(base ^ s[4])
		w.red[p], w.green[p], w.blue[p] = 0, 0, 0
		see := &all
		if f.size.SPP >= 4 { // else it costs more than it spares
			see = &some
			sc.look(f, x, y, 1, 1, &all, see)
		}
		for sample := range f.size.SPP {
			rng := pcg(base + sample*goldenPhi)
			r := n & (waveRays - 1)
			w.pixel[r], w.rng[r] = p, rng
			w.ox[r], w.oy[r], w.oz[r] = eyeX, eyeY, eyeZ
			w.tr[r], w.tg[r], w.tb[r] = 256, 256, 256
			w.dx[r], w.dy[r], w.dz[r] = norm(f.divide((x<<8+rng>>24)<<6)-8192, f.top-f.divide((y<<8+rng>>16&255)<<6), 12000)
			near = w.meetFirst(see, uint8(r), near)
			if n++; n == waveRays {
				w.trace(sc, n, near)
				n, near = 0, 0
			}
		}
	}
	w.trace(sc, n, near)
	spp := f.size.SPP
	for i := range out[:TileWords/2] {
		p := uint8(i)
		r, g, b := w.red[p], w.green[p], w.blue[p]
		out[2*i] = min(r/spp, 255) | min(g/spp, 255)<<8 | min(b/spp, 255)<<16 | (r^g^b)<<24
		out[2*i+1] = w.fold[p]
	}
}

// RenderTile renders one tile of a frame alone: what checkers do. size must be valid
// and have the tile.
func RenderTile(size Size, seed Seed, tile uint32, words *[TileWords]uint32) {
	var sc scene
	var f frame
	var w wave
	sc.derive(seed)
	f.set(size)
	sc.tile(&f, &w, tile, words)
}
