package kernel

import (
	"math"
	"math/bits"
)

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

const both = 1<<32 + 1

// hit returns the nearest hit of the ray from o in direction d: distance and what.
func (sc *scene) hit(ox, oy, oz, dx, dy, dz int32) (best, id int32) {
	best, id = floorHit(ox, oy, oz, dx, dy, dz)
	var bs [Spheres]int32
	var ds [Spheres]int32
	var mask uint32
	x, y, z := int64(dx), int64(dy), int64(dz)
	px, py, pz := 2*int64(ox), 2*int64(oy), 2*int64(oz)
	// both lanes: o·d − c·d, and o·o − 2·o·c + (c·c − r²); 2³¹ added to the lower one
	// keeps it from borrowing of the upper
	od := int64(ox)*x + int64(oy)*y + int64(oz)*z
	od = od*both + 1<<31
	oo := int64(ox*ox+oy*oy+oz*oz)*both + 1<<31
	for i := range sc.pairs {
		p := &sc.pairs[i]
		b := od - (p.x*x + p.y*y + p.z*z)
		c := oo + p.k - (p.x*px + p.y*py + p.z*pz)
		b0 := int32(b>>32) >> 14
		b1 := int32(uint32(b)^1<<31) >> 14
		d0 := b0*b0 - int32(c>>32)
		d1 := b1*b1 - int32(uint32(c)^1<<31)
		bs[2*i&15], bs[(2*i+1)&15] = b0, b1
		ds[2*i&15], ds[(2*i+1)&15] = d0, d1
		mask = mask<<2 | uint32(b0&-d0)>>31<<1 | uint32(b1&-d1)>>31
	}
	for mask <<= 16; mask != 0; {
		i := bits.LeadingZeros32(mask)
		mask &^= 1 << 31 >> i
		t := -bs[i&15] - root(ds[i&15])
		if t > 8 && t < best {
			best, id = t, int32(i)
		}
	}
	return best, id
}

func floorHit(ox, oy, oz, dx, dy, dz int32) (best, id int32) {
	if dy < -16 {
		t := (floorY - oy) * one / dy
		if t > 8 && t < farthest {
			hx, hz := ox+((dx*t)>>14), oz+((dz*t)>>14)
			if hx > -roomX && hx < roomX && hz > -roomX && hz < roomX {
				return t, floorID
			}
		}
	}
	return farthest, missID
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

// tile renders a tile.
func (sc *scene) tile(f *frame, tile uint32, out *[TileWords]uint32) {
	columns := f.size.Width / Tile
	x0, y0 := tile%columns*Tile, tile/columns*Tile
	var see sight
	sc.look(f, x0, y0, Tile, Tile, nil, &see)
	for i := range uint32(Tile * Tile) {
		x, y := x0+i%Tile, y0+i/Tile
		out[2*i], out[2*i+1] = sc.pixel(f, x, y, &see)
	}
}

// pixel renders a pixel whose camera rays can only meet the spheres in see.
func (sc *scene) pixel(f *frame, x, y uint32, tile *sight) (colour, fold uint32) {
	w := &sc.words
	base := pcg(pcg(pcg(pcg(w[0]^(x+y<<16))^w[1])^w[2]) ^ w[3])
	fold = pcg(base ^ w[4])
	see := tile
	var own sight
	if f.size.SPP >= 4 {
		see = &own
		sc.look(f, x, y, 1, 1, tile, see)
	}
	var ar, ag, ab uint32
	for s := range f.size.SPP {
		rng := pcg(base + s*goldenPhi)
		ox, oy, oz := int32(eyeX), int32(eyeY), int32(eyeZ)
		dx, dy, dz := norm(f.divide((x<<8+rng>>24)<<6)-8192, f.top-f.divide((y<<8+rng>>16&255)<<6), 12000)
		tr, tg, tb := int32(256), int32(256), int32(256)
		t, id := see.hit(dx, dy, dz)
		for seg := 0; ; seg++ {
			fold = pcg(fold ^ (uint32(t) + uint32(id)<<16))
			if id == missID {
				k := 160 + dy>>8
				ar += uint32(tr * k >> 8)
				ag += uint32(tg * k >> 8)
				ab += uint32(tb * 220 >> 8)
				break
			}
			ox = min(max(ox+(dx*t)>>14, -roomX), roomX-1)
			oy = min(max(oy+(dy*t)>>14, floorY), roomY)
			oz = min(max(oz+(dz*t)>>14, -roomX), roomX-1)
			nx, ny, nz := int32(0), int32(one), int32(0)
			kind := int32(matt)
			if id == floorID {
				m, mb := int32(200), int32(200)
				if (ox>>10^oz>>10)&1 != 0 {
					m, mb = 60, 70
				}
				tr, tg, tb = tr*m>>8, tg*m>>8, tb*mb>>8
				if seg == Segments-1 {
					break
				}
			} else {
				q := &sc.spheres[id&15]
				kind = q.kind
				if kind == light {
					ar += uint32(tr * q.red >> 6)
					ag += uint32(tg * q.green >> 6)
					ab += uint32(tb * q.blue >> 6)
					break
				}
				if seg == Segments-1 { // where it would fly on to is nobody's business
					break
				}
				tr, tg, tb = tr*q.red>>8, tg*q.green>>8, tb*q.blue>>8
				nx, ny, nz = norm(ox-q.x, oy-q.y, oz-q.z)
			}
			if kind == mirror {
				k := (dx*nx + dy*ny + dz*nz) >> 14 * 2
				dx, dy, dz = norm(dx-(k*nx)>>14, dy-(k*ny)>>14, dz-(k*nz)>>14)
			} else {
				r1 := pcg(rng)
				rng = pcg(r1)
				dx, dy, dz = norm(nx+int32(r1>>18)-8192, ny+int32(r1>>4&16383)-8192, nz+int32(rng>>18)-8192)
			}
			t, id = sc.hit(ox, oy, oz, dx, dy, dz)
		}
	}
	spp := f.size.SPP
	return min(ar/spp, 255) | min(ag/spp, 255)<<8 | min(ab/spp, 255)<<16 | (ar^ag^ab)<<24, fold
}

// RenderTile renders one tile of a frame alone: what checkers do. size must be valid
// and have the tile.
func RenderTile(size Size, seed Seed, tile uint32, words *[TileWords]uint32) {
	var sc scene
	var f frame
	sc.derive(seed)
	f.set(size)
	sc.tile(&f, tile, words)
}
