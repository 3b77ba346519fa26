// Package plain is rp-1 written down as docs/spec/rp-1.md says it and as the shader
// does it: 32-bit words and nothing clever. It is what the fast twin is compared with
// in tests, and the source of the checked copy that watches every operation.
package plain

const (
	spheres  = 16
	segments = 4
	floorID  = 16
	missID   = 31
	farthest = 32767 // no hit is farther, Q10
	unit     = 16384 // one, Q14
)

// Sphere is centre and radius in Q10, colour in Q8, and what its surface is.
type Sphere struct {
	Centre  Vec
	Radius  int32
	R, G, B int32
	Kind    int32 // 0 matt, 1 mirror, 2 light
}

// Vec is a position in Q10 or a direction in Q14.
type Vec struct{ X, Y, Z int32 }

func pcg(v uint32) uint32 {
	s := v*747796405 + 2891336453
	w := ((s >> ((s >> 28) + 4)) ^ s) * 277803737
	return (w >> 22) ^ w
}

func isqrt(v uint32) uint32 {
	r := uint32(0)
	b := uint32(1) << 30
	for i := 0; i < 16; i++ {
		q := r + b
		r = r >> 1
		if v >= q {
			v = v - q
			r = r + b
		}
		b = b >> 2
	}
	return r
}

func dot(a, b Vec) int32 { return a.X*b.X + a.Y*b.Y + a.Z*b.Z }

func minus(a, b Vec) Vec { return Vec{a.X - b.X, a.Y - b.Y, a.Z - b.Z} }

func norm(v Vec) Vec {
	s := dot(v, v)
	if s < 4096 {
		return Vec{0, unit, 0}
	}
	l := int32(isqrt(uint32(s)))
	return Vec{v.X * unit / l, v.Y * unit / l, v.Z * unit / l}
}

// Scene returns the spheres of a seed.
func Scene(w [8]uint32) [spheres]Sphere {
	var sc [spheres]Sphere
	s := uint32(0x72702d31)
	j := uint32(0)
	next := func(m uint32) int32 {
		s = pcg(s ^ w[j&7])
		j = j + 1
		return int32(s % m)
	}
	for i := range sc {
		q := &sc[i]
		q.Radius = 300 + next(1200)
		q.Centre.X = next(14000) - 7000
		q.Centre.Y = next(5000) - 1500
		q.Centre.Z = next(14000) - 5000
		q.R = 90 + next(160)
		q.G = 90 + next(160)
		q.B = 90 + next(160)
		switch i & 3 {
		case 1:
			q.Kind = 1
		case 3:
			q.Kind = 2
		}
	}
	return sc
}

// Hit returns the nearest hit of a ray: its distance in Q10 and what was hit.
func Hit(sc *[spheres]Sphere, o, d Vec) (int32, int32) {
	best := int32(farthest)
	id := int32(missID)
	if d.Y < -16 {
		t := (-2048 - o.Y) * unit / d.Y
		if t > 8 && t < best {
			hx := o.X + ((d.X * t) >> 14)
			hz := o.Z + ((d.Z * t) >> 14)
			if hx > -12288 && hx < 12288 && hz > -12288 && hz < 12288 {
				best = t
				id = floorID
			}
		}
	}
	for i := range sc {
		q := &sc[i]
		oc := minus(o, q.Centre)
		b := dot(oc, d) >> 14
		disc := b*b - (dot(oc, oc) - q.Radius*q.Radius)
		if b < 0 && disc > 0 {
			t := -b - int32(isqrt(uint32(disc)))
			if t > 8 && t < best {
				best = t
				id = int32(i)
			}
		}
	}
	return best, id
}

// Land returns the point at distance t on a ray, kept inside the room.
func Land(o, d Vec, t int32) Vec {
	x := o.X + ((d.X * t) >> 14)
	y := o.Y + ((d.Y * t) >> 14)
	z := o.Z + ((d.Z * t) >> 14)
	return Vec{min(max(x, -12288), 12287), min(max(y, -2048), 8191), min(max(z, -12288), 12287)}
}

// Mirror returns the direction d thrown back by a surface with normal n.
func Mirror(d, n Vec) Vec {
	k := 2 * (dot(d, n) >> 14)
	return norm(Vec{d.X - ((k * n.X) >> 14), d.Y - ((k * n.Y) >> 14), d.Z - ((k * n.Z) >> 14)})
}

// Scatter returns a direction around n from two random words.
func Scatter(n Vec, r1, r2 uint32) Vec {
	return norm(Vec{
		n.X + int32(r1>>18) - 8192,
		n.Y + int32((r1>>4)&16383) - 8192,
		n.Z + int32(r2>>18) - 8192,
	})
}

// Pixel renders one pixel of a frame of width × height with spp samples: a colour and
// the fold of every hit.
func Pixel(w [8]uint32, sc *[spheres]Sphere, width, height, spp, x, y uint32) (uint32, uint32) {
	base := pcg(w[0] ^ (x + y*65536))
	base = pcg(base ^ w[1])
	base = pcg(base ^ w[2])
	base = pcg(base ^ w[3])
	fold := pcg(base ^ w[4])
	ar := uint32(0)
	ag := uint32(0)
	ab := uint32(0)
	for s := uint32(0); s < spp; s++ {
		rng := pcg(base + s*2654435769)
		jx := int32(rng >> 24)
		jy := int32((rng >> 16) & 255)
		d := norm(Vec{
			(int32(x)*256+jx)*64/int32(width) - 8192,
			8192*int32(height)/int32(width) - (int32(y)*256+jy)*64/int32(width),
			12000,
		})
		o := Vec{0, 1024, -10240}
		tr := int32(256)
		tg := int32(256)
		tb := int32(256)
		for seg := 0; seg < segments; seg++ {
			t, id := Hit(sc, o, d)
			fold = pcg(fold ^ (uint32(t) + uint32(id)*65536))
			if id == missID {
				k := 160 + (d.Y >> 8)
				ar = ar + uint32((tr*k)>>8)
				ag = ag + uint32((tg*k)>>8)
				ab = ab + uint32((tb*220)>>8)
				break
			}
			o = Land(o, d, t)
			n := Vec{0, unit, 0}
			m := Sphere{R: 200, G: 200, B: 200}
			if id == floorID {
				if ((o.X>>10)^(o.Z>>10))&1 != 0 {
					m = Sphere{R: 60, G: 60, B: 70}
				}
			} else {
				m = sc[id]
				n = norm(minus(o, m.Centre))
			}
			if m.Kind == 2 {
				ar = ar + uint32((tr*m.R)>>6)
				ag = ag + uint32((tg*m.G)>>6)
				ab = ab + uint32((tb*m.B)>>6)
				break
			}
			tr = (tr * m.R) >> 8
			tg = (tg * m.G) >> 8
			tb = (tb * m.B) >> 8
			if m.Kind == 1 {
				d = Mirror(d, n)
			} else {
				r1 := pcg(rng)
				rng = pcg(r1)
				d = Scatter(n, r1, rng)
			}
		}
	}
	r := min(ar/spp, 255)
	g := min(ag/spp, 255)
	b := min(ab/spp, 255)
	return r + g*256 + b*65536 + (ar^ag^ab)<<24, fold
}
