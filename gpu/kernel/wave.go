package kernel

// waveRays is how many camera paths are traced together: enough for the processor to
// have something to do while a root or a quotient is on its way, few enough to stay in
// its nearest cache.
const waveRays = 64

// The kinds of what a ray can meet; each has a list of its own, so that the code for
// one kind runs over many rays without guessing.
const (
	meetsMatt = iota
	meetsMirror
	meetsLight
	meetsFloor
	meetsNothing
	kinds
)

// The nearest hit of a ray is the least of numbers (t−9)·32 + code: code 0 for the floor
// and for nothing, 1 … 16 for the spheres, the order in which equal distances count.
// A t ≤ 8 is a huge one, as it is unsigned.
const nothing = (farthest - 9) << 5

// wave is some camera paths under way at one time, ray by ray in arrays.
type wave struct {
	ox, oy, oz [waveRays]int32
	dx, dy, dz [waveRays]int32
	tr, tg, tb [waveRays]int32
	rng        [waveRays]uint32
	nearest    [waveRays]uint32
	pixel      [waveRays]uint8
	keys       [waveRays][Segments]uint32
	length     [waveRays]uint8
	active     [waveRays]uint8
	lists      [kinds][waveRays]uint8
	filled     [kinds]int
	near       [2 * waveRays * Spheres]line
	// of the tile
	red, green, blue, fold [Tile * Tile]uint32
}

// line is a sphere whose line a ray meets, if it is one: b and the discriminant, and the
// ray above the code.
type line struct {
	b, d int32
	tag  uint32
}

// lines masks the index of a line; there is room for twice as many as there can be, so
// that the mask never bites.
const lines = 2*waveRays*Spheres - 1

// met is 1 if b < 0 and d > 0.
func met(b, d int32) int { return int(uint32(b&-d) >> 31) }

// choose computes the distances of the n entries in near.
func (w *wave) choose(n int) {
	for i := range w.near[:n] {
		e := &w.near[i]
		r := e.tag >> 8 & (waveRays - 1)
		t := -e.b - root(e.d)
		w.nearest[r] = min(w.nearest[r], uint32(t-9)<<5|e.tag&31)
	}
}

// floorKey returns what a ray meets before any sphere was looked at.
func floorKey(ox, oy, oz, dx, dy, dz int32) uint32 {
	if dy < -16 {
		t := (floorY - oy) * one / dy
		if t > 8 && t < farthest {
			hx, hz := ox+((dx*t)>>14), oz+((dz*t)>>14)
			if hx > -roomX && hx < roomX && hz > -roomX && hz < roomX {
				return uint32(t-9) << 5
			}
		}
	}
	return nothing
}

// meetFirst finds what ray from the eye meets and returns how many entries near has then.
func (w *wave) meetFirst(see *sight, ray uint8, n int) int {
	r := ray & (waveRays - 1)
	dx, dy, dz := w.dx[r], w.dy[r], w.dz[r]
	w.nearest[r] = floorKey(eyeX, eyeY, eyeZ, dx, dy, dz)
	for i := range see.n {
		q := &see.seen[i&15]
		b := (q.x*dx + q.y*dy + q.z*dz) >> 14
		d := b*b - q.c
		w.near[n&lines] = line{b, d, uint32(ray)<<8 + uint32(q.id) + 1}
		n += met(b, d)
	}
	return n
}

const both = 1<<32 + 1

// meet is meetFirst for any ray of the scene.
func (w *wave) meet(sc *scene, ray uint8, n int) int {
	r := ray & (waveRays - 1)
	ox, oy, oz := w.ox[r], w.oy[r], w.oz[r]
	w.nearest[r] = floorKey(ox, oy, oz, w.dx[r], w.dy[r], w.dz[r])
	x, y, z := int64(w.dx[r]), int64(w.dy[r]), int64(w.dz[r])
	px, py, pz := 2*int64(ox), 2*int64(oy), 2*int64(oz)
	// both lanes: o·d − c·d, and o·o − 2·o·c + (c·c − r²); 2³¹ added to the lower one
	// keeps it from borrowing of the upper
	od := (int64(ox)*x+int64(oy)*y+int64(oz)*z)*both + 1<<31
	oo := int64(ox*ox+oy*oy+oz*oz)*both + 1<<31
	tag := uint32(ray)<<8 + 1
	for i := range sc.pairs {
		p := &sc.pairs[i]
		b := od - (p.x*x + p.y*y + p.z*z)
		c := oo + p.k - (p.x*px + p.y*py + p.z*pz)
		b0 := int32(b>>32) >> 14
		d0 := b0*b0 - int32(c>>32)
		w.near[n&lines] = line{b0, d0, tag}
		n += met(b0, d0)
		b1 := int32(uint32(b)^1<<31) >> 14
		d1 := b1*b1 - int32(uint32(c)^1<<31)
		w.near[n&lines] = line{b1, d1, tag + 1}
		n += met(b1, d1)
		tag += 2
	}
	return n
}

// sort puts the first n active rays on the lists of what they met and notes that.
func (w *wave) sort(sc *scene, n int) {
	w.filled = [kinds]int{}
	for _, ray := range w.active[:n] {
		r := ray & (waveRays - 1)
		key := w.nearest[r]
		code := key & 31
		id := uint32(floorID)
		if code > 0 {
			id = code - 1
		}
		kind := sc.kinds[min(code, Spheres)]
		if key == nothing {
			id, kind = missID, meetsNothing
		}
		w.keys[r][w.length[r]&3] = key>>5 + 9 + id<<16
		w.length[r]++
		at := &w.filled[kind]
		w.lists[kind][*at&(waveRays-1)] = ray
		*at++
	}
}

// step carries the first n active rays over one piece of their paths and returns how
// many fly on; last ends all of them.
func (w *wave) step(sc *scene, n int, last bool) int {
	w.sort(sc, n)
	for _, ray := range w.lists[meetsNothing][:w.filled[meetsNothing]] {
		r := ray & (waveRays - 1)
		p := w.pixel[r]
		k := 160 + w.dy[r]>>8
		w.red[p] += uint32(w.tr[r] * k >> 8)
		w.green[p] += uint32(w.tg[r] * k >> 8)
		w.blue[p] += uint32(w.tb[r] * 220 >> 8)
	}
	for _, ray := range w.lists[meetsLight][:w.filled[meetsLight]] {
		r := ray & (waveRays - 1)
		p := w.pixel[r]
		q := &sc.spheres[(w.nearest[r]-1)&15]
		w.red[p] += uint32(w.tr[r] * q.red >> 6)
		w.green[p] += uint32(w.tg[r] * q.green >> 6)
		w.blue[p] += uint32(w.tb[r] * q.blue >> 6)
	}
	if last {
		return 0
	}
	on := 0
	for _, ray := range w.lists[meetsFloor][:w.filled[meetsFloor]] {
		r := ray & (waveRays - 1)
		ox, _, oz := w.land(r)
		m, mb := int32(200), int32(200)
		if (ox>>10^oz>>10)&1 != 0 {
			m, mb = 60, 70
		}
		w.tr[r], w.tg[r], w.tb[r] = w.tr[r]*m>>8, w.tg[r]*m>>8, w.tb[r]*mb>>8
		w.scatter(r, 0, one, 0)
		w.active[on&(waveRays-1)] = ray
		on++
	}
	for _, ray := range w.lists[meetsMatt][:w.filled[meetsMatt]] {
		r := ray & (waveRays - 1)
		nx, ny, nz := w.strike(sc, r)
		w.scatter(r, nx, ny, nz)
		w.active[on&(waveRays-1)] = ray
		on++
	}
	for _, ray := range w.lists[meetsMirror][:w.filled[meetsMirror]] {
		r := ray & (waveRays - 1)
		nx, ny, nz := w.strike(sc, r)
		dx, dy, dz := w.dx[r], w.dy[r], w.dz[r]
		k := (dx*nx + dy*ny + dz*nz) >> 14 * 2
		w.dx[r], w.dy[r], w.dz[r] = norm(dx-(k*nx)>>14, dy-(k*ny)>>14, dz-(k*nz)>>14)
		w.active[on&(waveRays-1)] = ray
		on++
	}
	return on
}

// land moves a ray to what it met.
func (w *wave) land(r uint8) (x, y, z int32) {
	r &= waveRays - 1
	t := int32(w.nearest[r]>>5) + 9
	x = min(max(w.ox[r]+(w.dx[r]*t)>>14, -roomX), roomX-1)
	y = min(max(w.oy[r]+(w.dy[r]*t)>>14, floorY), roomY)
	z = min(max(w.oz[r]+(w.dz[r]*t)>>14, -roomX), roomX-1)
	w.ox[r], w.oy[r], w.oz[r] = x, y, z
	return x, y, z
}

// strike lands a ray on its sphere, colours it, and returns the surface's normal.
func (w *wave) strike(sc *scene, r uint8) (nx, ny, nz int32) {
	r &= waveRays - 1
	q := &sc.spheres[(w.nearest[r]-1)&15]
	x, y, z := w.land(r)
	w.tr[r], w.tg[r], w.tb[r] = w.tr[r]*q.red>>8, w.tg[r]*q.green>>8, w.tb[r]*q.blue>>8
	return norm(x-q.x, y-q.y, z-q.z)
}

// scatter sends a ray into a random direction around a normal.
func (w *wave) scatter(r uint8, nx, ny, nz int32) {
	r &= waveRays - 1
	r1 := pcg(w.rng[r])
	r2 := pcg(r1)
	w.rng[r] = r2
	w.dx[r], w.dy[r], w.dz[r] = norm(nx+int32(r1>>18)-8192, ny+int32(r1>>4&16383)-8192, nz+int32(r2>>18)-8192)
}

// trace carries the first n rays, fresh from the eye, to their ends; near has entries
// of their first pieces.
func (w *wave) trace(sc *scene, n, near int) {
	rays := n
	for r := range uint8(waveRays) {
		w.active[r] = r
	}
	w.length = [waveRays]uint8{}
	w.choose(near)
	for seg := 0; ; seg++ {
		if n = w.step(sc, n, seg == Segments-1); n == 0 {
			break
		}
		near = 0
		for _, ray := range w.active[:n] {
			near = w.meet(sc, ray, near)
		}
		w.choose(near)
	}
	for r := range rays {
		f := &w.fold[w.pixel[r&(waveRays-1)]]
		for _, k := range w.keys[r&(waveRays-1)][:w.length[r&(waveRays-1)]] {
			*f = pcg(*f ^ k)
		}
	}
}
