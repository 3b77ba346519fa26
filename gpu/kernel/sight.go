package kernel

// sight is the part of a scene that the camera rays of some pixels can meet.
type sight struct {
	n    int
	seen [Spheres]target
}

// target is a sphere as camera rays see it: from the eye to its centre, and the part
// of the discriminant that does not depend on the ray.
type target struct{ x, y, z, c, id int32 }

// interval is a range of int32, both ends included.
type interval struct{ lo, hi int32 }

// least returns the least value of v·k with v in a.
func (a interval) least(k int32) int64 { return min(int64(a.lo)*int64(k), int64(a.hi)*int64(k)) }

// over returns all values of v·2¹⁴/l with v in a and l in [near, far], l ≥ 1, cut off
// towards zero: the quotient is monotonic in each, so its ends lie at corners.
func (a interval) over(near, far int32) interval {
	p, q := a.lo*one/near, a.lo*one/far
	r, s := a.hi*one/near, a.hi*one/far
	return interval{min(p, q, r, s), max(p, q, r, s)}
}

// squared returns the ends of v² with v in a.
func (a interval) squared() (lo, hi int32) {
	p, q := a.lo*a.lo, a.hi*a.hi
	if a.lo <= 0 && a.hi >= 0 {
		return 0, max(p, q)
	}
	return min(p, q), max(p, q)
}

// look finds the spheres that a camera ray of the pixels [x, x+w) × [y, y+h) can meet,
// among those in from, or all where that is nil. It is arithmetic on intervals with the
// very operations of the ray's own test, so that a sphere it leaves out has a
// discriminant ≤ 0 or lies behind for each of those rays: results do not change.
func (sc *scene) look(f *frame, x, y, w, h uint32, from *sight, see *sight) {
	vx := interval{f.divide(x<<14) - 8192, f.divide((x+w)<<14-64) - 8192}
	vy := interval{f.top - f.divide((y+h)<<14-64), f.top - f.divide(y<<14)}
	xl, xh := vx.squared()
	yl, yh := vy.squared()
	near, far := root(xl+yl+12000*12000), root(xh+yh+12000*12000)
	dx, dy, dz := vx.over(near, far), vy.over(near, far), interval{12000, 12000}.over(near, far)
	see.n = 0
	add := func(q target) {
		// the largest b² is that of the most negative b
		if lo := (dx.least(q.x) + dy.least(q.y) + dz.least(q.z)) >> 14; lo < 0 && lo*lo > int64(q.c) {
			see.seen[see.n&15] = q
			see.n++
		}
	}
	if from != nil {
		for _, q := range from.seen[:from.n] {
			add(q)
		}
		return
	}
	for i := range sc.spheres {
		q := &sc.spheres[i]
		ex, ey, ez := eyeX-q.x, eyeY-q.y, eyeZ-q.z
		add(target{ex, ey, ez, ex*ex + ey*ey + ez*ez - q.r*q.r, int32(i)})
	}
}
