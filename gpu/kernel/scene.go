package kernel

// What things are made of.
const (
	matt = iota
	mirror
	light
)

// Fixed points: positions Q10, directions Q14, colours Q8.
const (
	one       = 16384
	floorID   = 16
	missID    = 31
	farthest  = 32767
	floorY    = -2048
	roomX     = 12288 // the room is −roomX … roomX−1 in x and z,
	roomY     = 8191  // floorY … roomY in y
	eyeX      = 0
	eyeY      = 1024
	eyeZ      = -10240
	goldenPhi = 2654435769
)

// sphere is centre, radius and colour.
type sphere struct {
	x, y, z, r       int32
	red, green, blue int32
	kind             int32
}

// pair holds two spheres in one word each: the even one above bit 32, the odd one
// below. One 64-bit product then is two 32-bit ones, exactly, as long as the lower sum
// keeps inside 32 bits, which docs/spec/rp-1.md shows.
type pair struct{ x, y, z, k int64 }

// scene is what a frame's seed decides.
type scene struct {
	words   [8]uint32
	spheres [Spheres]sphere
	pairs   [Spheres / 2]pair
	kinds   [Spheres + 1]uint8 // by code: the floor's, then the spheres'
}

func pcg(v uint32) uint32 {
	s := v*747796405 + 2891336453
	w := ((s >> ((s >> 28) + 4)) ^ s) * 277803737
	return (w >> 22) ^ w
}

func (sc *scene) derive(seed Seed) {
	sc.words = seed.words()
	s, j := uint32(0x72702d31), 0
	next := func(m uint32) int32 {
		s = pcg(s ^ sc.words[j&7])
		j++
		return int32(s % m)
	}
	for i := range sc.spheres {
		q := &sc.spheres[i]
		q.r = 300 + next(1200)
		q.x = next(14000) - 7000
		q.y = next(5000) - 1500
		q.z = next(14000) - 5000
		q.red, q.green, q.blue = 90+next(160), 90+next(160), 90+next(160)
		q.kind = [4]int32{matt, mirror, matt, light}[i&3]
	}
	sc.kinds[0] = meetsFloor
	for i := range sc.spheres {
		sc.kinds[i+1] = [3]uint8{meetsMatt, meetsMirror, meetsLight}[sc.spheres[i].kind]
	}
	k := func(q *sphere) int64 { return int64(q.x*q.x + q.y*q.y + q.z*q.z - q.r*q.r) }
	for i := range sc.pairs {
		a, b := &sc.spheres[2*i], &sc.spheres[2*i+1]
		sc.pairs[i] = pair{int64(a.x)<<32 + int64(b.x), int64(a.y)<<32 + int64(b.y), int64(a.z)<<32 + int64(b.z), k(a)<<32 + k(b)}
	}
}

// Scene returns the 16 spheres of a seed as backends want them, eight numbers each:
// centre x, y, z and radius in Q10, red, green, blue in Q8, and the kind of surface
// (0 matt, 1 mirror, 2 light).
func Scene(seed Seed) (out [8 * Spheres]int32) {
	var sc scene
	sc.derive(seed)
	for i := range sc.spheres {
		q := &sc.spheres[i]
		copy(out[8*i:], []int32{q.x, q.y, q.z, q.r, q.red, q.green, q.blue, q.kind})
	}
	return out
}
