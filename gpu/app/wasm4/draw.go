package wasm4

// Flags of Blit.
const (
	blit2BPP  = 1
	blitFlipX = 2
	blitFlipY = 4
	blitTurn  = 8 // a quarter turn anticlockwise
)

// point sets one pixel that is known to be on the screen; c is 1…4.
func (m Memory) point(x, y int, c byte) {
	i := offFramebuffer + y*rowSize + x>>2
	s := uint(x&3) * 2
	m[i] = m[i]&^(3<<s) | (c-1)<<s
}

// clip cuts the range [at, at+n) to [0, size).
func clip(at, n, size int64) (from, to int) {
	from, to = int(max(at, 0)), int(min(at+n, size))
	return from, max(to, from)
}

// span fills pixels [x0, x1) of row y, all on the screen; c is 1…4.
func (m Memory) span(x0, x1, y int, c byte) {
	for ; x0 < x1 && x0&3 != 0; x0++ {
		m.point(x0, y, c)
	}
	row := m[offFramebuffer+y*rowSize:]
	for ; x0+4 <= x1; x0 += 4 {
		row[x0>>2] = (c - 1) * 0x55
	}
	for ; x0 < x1; x0++ {
		m.point(x0, y, c)
	}
}

// HLine draws n pixels to the right in draw colour 1.
func (m Memory) HLine(x, y int32, n uint32) { m.hline(int64(x), int64(y), int64(n), m.color(0)) }

func (m Memory) hline(x, y, n int64, c byte) {
	if c == 0 || y < 0 || y >= Height {
		return
	}
	from, to := clip(x, n, Width)
	m.span(from, to, int(y), c)
}

// VLine draws n pixels down in draw colour 1.
func (m Memory) VLine(x, y int32, n uint32) { m.vline(int64(x), int64(y), int64(n), m.color(0)) }

func (m Memory) vline(x, y, n int64, c byte) {
	if c == 0 || x < 0 || x >= Width {
		return
	}
	for from, to := clip(y, n, Height); from < to; from++ {
		m.point(int(x), from, c)
	}
}

// Rect fills a rectangle in draw colour 1 and frames it in draw colour 2.
func (m Memory) Rect(x, y int32, w, h uint32) {
	fill, frame := m.color(0), m.color(1)
	x0, y0, lw, lh := int64(x), int64(y), int64(w), int64(h)
	if fill != 0 {
		left, right := clip(x0, lw, Width)
		for top, bottom := clip(y0, lh, Height); top < bottom; top++ {
			m.span(left, right, top, fill)
		}
	}
	if frame != 0 && lw > 0 && lh > 0 {
		m.hline(x0, y0, lw, frame)
		m.hline(x0, y0+lh-1, lw, frame)
		m.vline(x0, y0, lh, frame)
		m.vline(x0+lw-1, y0, lh, frame)
	}
}

// maxOval is the largest width or height of an oval that is drawn: the time an
// oval takes grows with its size, not with what is seen of it.
const maxOval = 1 << 15

// Oval fills the ellipse that touches the sides of a rectangle in draw colour 1
// and outlines it in draw colour 2. It walks one quarter of the outline, after
// A. Zingl, "A Rasterizing Algorithm for Drawing Curves" (2012), 1.6.
func (m Memory) Oval(x, y int32, width, height uint32) {
	if width == 0 || height == 0 || width > maxOval || height > maxOval {
		return
	}
	fill, line := m.color(0), m.color(1)
	if line == 0 {
		line = fill
	}
	if line == 0 {
		return
	}
	a, b := int64(width)-1, int64(height)-1
	odd := b & 1
	west, east := int64(x), int64(x)+a
	north := int64(y) + int64(height)/2
	south := north - odd
	a2, b2 := a*a, b*b
	dx, dy := 4*(1-a)*b2, 4*(odd+1)*a2
	e := dx + dy + odd*a2
	pair := func(y int64) { // the two ends of a row
		m.hline(west, y, 1, line)
		m.hline(east, y, 1, line)
	}
	for west <= east {
		pair(north)
		pair(south)
		m.hline(west+1, north, east-west-1, fill)
		m.hline(west+1, south, east-west-1, fill)
		e2 := 2 * e
		if e2 <= dy {
			north, south = north+1, south-1
			dy += 8 * a2
			e += dy
		}
		if e2 >= dx || 2*e > dy {
			west, east = west+1, east-1
			dx += 8 * b2
			e += dx
		}
	}
	// A flat oval ends before its tips are drawn.
	for ; north-south < int64(height); north, south = north+1, south-1 {
		m.hline(west-1, north, 1, line)
		m.hline(east+1, north, 1, line)
		m.hline(west-1, south, 1, line)
		m.hline(east+1, south, 1, line)
	}
}

// maxLine bounds the coordinates of a line, so that its error term stays within
// 64 bits; farther ends are moved here.
const maxLine = 1 << 20

// Line draws from one point to another in draw colour 1: Bresenham's line, always
// downwards. The part off the screen is jumped over, not walked.
func (m Memory) Line(ax, ay, bx, by int32) {
	c := m.color(0)
	if c == 0 {
		return
	}
	bound := func(v int32) int64 { return int64(min(max(v, -maxLine), maxLine)) }
	x0, y0, x1, y1 := bound(ax), bound(ay), bound(bx), bound(by)
	if y0 > y1 {
		x0, y0, x1, y1 = x1, y1, x0, y0
	}
	dx, dy, sx := x1-x0, y1-y0, int64(1)
	if dx < 0 {
		dx, sx = -dx, -1
	}
	// Along the longer axis the line takes n steps; after k of them it has taken
	// ceil((k*short - long/2) / long) along the other.
	long, short := dy, dx
	if dx > dy {
		long, short = dx, dy
	}
	at := func(k int64) (x, y int64) {
		var s int64
		if long > 0 {
			if v := k*short - long/2; v > 0 {
				s = (v + long - 1) / long
			}
		}
		if dx > dy {
			return x0 + sx*k, y0 + s
		}
		return x0 + sx*s, y0 + k
	}
	k, last := int64(0), long
	if dx > dy { // columns on the screen
		if sx > 0 {
			k, last = max(k, -x0), min(last, Width-1-x0)
		} else {
			k, last = max(k, x0-(Width-1)), min(last, x0)
		}
	} else {
		k, last = max(k, -y0), min(last, Height-1-y0)
	}
	for ; k <= last; k++ {
		if x, y := at(k); uint64(x) < Width && uint64(y) < Height {
			m.point(int(x), int(y), c)
		}
	}
}

// Sprite is a picture in a cart's memory: from it a part is drawn.
type Sprite struct {
	Data          []byte // from the sprite's address to the end of memory
	Width, Height uint32 // of the part, px
	SrcX, SrcY    uint32 // of the part within the picture, px
	Stride        uint32 // of the picture, px
	Flags         uint32
}

// Blit draws a sprite: each of its values, 0…1 or 0…3, in the draw colour of that
// number. Pixels beyond the end of memory have the value 0.
func (m Memory) Blit(s Sprite, x, y int32) {
	var colors [4]byte
	for i := range colors {
		colors[i] = m.color(uint(i))
	}
	flipX, flipY, turn := s.Flags&blitFlipX != 0, s.Flags&blitFlipY != 0, s.Flags&blitTurn != 0
	// Columns u and rows v of the sprite go to x+u, y+v, or turned to x+v, y+u.
	dx, dy := int64(x), int64(y)
	if turn {
		flipX = !flipX
		dx, dy = dy, dx
	}
	visible := func(at, n int64) (from, to int) {
		return int(max(-at, 0)), int(min(n, Width-at)) // the screen is square
	}
	u0, u1 := visible(dx, int64(s.Width))
	v0, v1 := visible(dy, int64(s.Height))
	shift, mask, step := uint(3), uint64(7), uint(0) // 1 bit per pixel
	if s.Flags&blit2BPP != 0 {
		shift, mask, step = 2, 3, 1
	}
	top := byte(1)<<(step+1) - 1
	for v := v0; v < v1; v++ {
		sy := uint64(v)
		if flipY {
			sy = uint64(s.Height) - 1 - sy
		}
		row := (uint64(s.SrcY)+sy)*uint64(s.Stride) + uint64(s.SrcX)
		for u := u0; u < u1; u++ {
			sx := uint64(u)
			if flipX {
				sx = uint64(s.Width) - 1 - sx
			}
			bit := row + sx
			var value byte
			if i := bit >> shift; i < uint64(len(s.Data)) {
				value = s.Data[i] >> ((mask - bit&mask) << step) & top
			}
			c := colors[value]
			switch {
			case c == 0:
			case turn:
				m.point(int(dy)+v, int(dx)+u, c)
			default:
				m.point(int(dx)+u, int(dy)+v, c)
			}
		}
	}
}
