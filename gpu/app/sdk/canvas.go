package sdk

import "math"

// Color is a pixel as it lies in memory: red in the low byte, alpha on top.
type Color uint32

// RGB makes an opaque colour.
func RGB(r, g, b uint8) Color { return 0xff000000 | Color(b)<<16 | Color(g)<<8 | Color(r) }

// Hex makes an opaque colour from 0xRRGGBB.
func Hex(v uint32) Color { return RGB(uint8(v>>16), uint8(v>>8), uint8(v)) }

// Parts returns red, green and blue.
func (c Color) Parts() (r, g, b uint8) { return uint8(c), uint8(c >> 8), uint8(c >> 16) }

// Scale dims a colour by k/256 (k in 0..256); alpha stays.
func (c Color) Scale(k int) Color {
	u := uint32(k)
	rb := (uint32(c) & 0xff00ff * u >> 8) & 0xff00ff
	g := (uint32(c) & 0x00ff00 * u >> 8) & 0x00ff00
	return Color(uint32(c)&0xff000000 | rb | g)
}

// Mix goes from c (k = 0) to d (k = 256).
func (c Color) Mix(d Color, k int) Color { return Color(blend(uint32(c), uint32(d), uint32(k))) }

// blend lays s over d with weight a in 0..256; the result is opaque.
func blend(d, s, a uint32) uint32 {
	rb := ((s&0xff00ff)*a + (d&0xff00ff)*(256-a)) >> 8 & 0xff00ff
	g := ((s&0x00ff00)*a + (d&0x00ff00)*(256-a)) >> 8 & 0x00ff00
	return 0xff000000 | rb | g
}

// add sums two pixels byte by byte and stops at 255: light upon light. All
// four bytes are done in one word, carries kept apart.
func add(d, s uint32) uint32 {
	low := d&0x7f7f7f7f + s&0x7f7f7f7f
	sum := low ^ (d^s)&0x80808080
	over := (d&s | (d|s)&low) & 0x80808080
	return sum | (over<<1 - over>>7)
}

// Canvas is a picture in memory: W×H pixels, rows from the top, no padding.
type Canvas struct {
	Pix    []uint32
	W, H   int
	OX, OY int // added to every coordinate: screen shake, split screens
}

// NewCanvas makes an opaque black canvas.
func NewCanvas(w, h int) *Canvas {
	c := &Canvas{Pix: make([]uint32, w*h), W: w, H: h}
	c.Clear(RGB(0, 0, 0))
	return c
}

// fill stores v everywhere in p; after a short start it doubles by copying,
// which the runtime does at memory speed.
func fill(p []uint32, v uint32) {
	n := min(len(p), 16)
	for i := range n {
		p[i] = v
	}
	for n > 0 && n < len(p) {
		n += copy(p[n:], p[:n])
	}
}

// Clear paints the whole canvas.
func (c *Canvas) Clear(col Color) { fill(c.Pix, uint32(col)) }

// CopyFrom takes over a picture of the same size, whatever OX and OY are.
func (c *Canvas) CopyFrom(src *Canvas) { copy(c.Pix, src.Pix) }

// Scroll takes over a picture that is endless to the right: src must be at
// least W×(H+1) pixels at width W, and offset runs in 0..W-1. One copy moves
// everything; what leaves on the left comes back on the right one row
// higher, which a soft background hides.
func (c *Canvas) Scroll(src []uint32, offset int) { copy(c.Pix, src[offset:]) }

// clip cuts a rectangle to the canvas and applies the origin.
func (c *Canvas) clip(x, y, w, h int) (x0, y0, x1, y1 int, ok bool) {
	x, y = x+c.OX, y+c.OY
	x0, y0 = max(x, 0), max(y, 0)
	x1, y1 = min(x+w, c.W), min(y+h, c.H)
	return x0, y0, x1, y1, x0 < x1 && y0 < y1
}

// Rect fills a rectangle.
func (c *Canvas) Rect(x, y, w, h int, col Color) {
	x0, y0, x1, y1, ok := c.clip(x, y, w, h)
	if !ok {
		return
	}
	if x1-x0 < 6 { // too narrow for copying to pay
		for y := y0; y < y1; y++ {
			row := c.Pix[y*c.W+x0 : y*c.W+x1]
			for i := range row {
				row[i] = uint32(col)
			}
		}
		return
	}
	first := c.Pix[y0*c.W+x0 : y0*c.W+x1]
	fill(first, uint32(col))
	for y := y0 + 1; y < y1; y++ {
		copy(c.Pix[y*c.W+x0:y*c.W+x1], first)
	}
}

// RectBlend lays a colour over a rectangle with weight k in 0..256.
func (c *Canvas) RectBlend(x, y, w, h int, col Color, k int) {
	x0, y0, x1, y1, ok := c.clip(x, y, w, h)
	if !ok || k <= 0 {
		return
	}
	a := uint32(min(k, 256))
	rb, g := uint32(col)&0xff00ff*a, uint32(col)&0x00ff00*a
	for y := y0; y < y1; y++ {
		row := c.Pix[y*c.W+x0 : y*c.W+x1]
		for i, d := range row {
			row[i] = 0xff000000 | (rb+(d&0xff00ff)*(256-a))>>8&0xff00ff | (g+(d&0x00ff00)*(256-a))>>8&0x00ff00
		}
	}
}

// RectAdd adds light to a rectangle.
func (c *Canvas) RectAdd(x, y, w, h int, col Color) {
	x0, y0, x1, y1, ok := c.clip(x, y, w, h)
	if !ok {
		return
	}
	s := uint32(col) & 0xffffff
	for y := y0; y < y1; y++ {
		row := c.Pix[y*c.W+x0 : y*c.W+x1]
		for i, d := range row {
			row[i] = add(d, s)
		}
	}
}

// Frame draws the outline of a rectangle, one pixel wide.
func (c *Canvas) Frame(x, y, w, h int, col Color) {
	c.Rect(x, y, w, 1, col)
	c.Rect(x, y+h-1, w, 1, col)
	c.Rect(x, y, 1, h, col)
	c.Rect(x+w-1, y, 1, h, col)
}

// Set paints one pixel.
func (c *Canvas) Set(x, y int, col Color) {
	x, y = x+c.OX, y+c.OY
	if uint(x) < uint(c.W) && uint(y) < uint(c.H) {
		c.Pix[y*c.W+x] = uint32(col)
	}
}

// Add adds light to one pixel.
func (c *Canvas) Add(x, y int, col Color) {
	x, y = x+c.OX, y+c.OY
	if uint(x) < uint(c.W) && uint(y) < uint(c.H) {
		p := &c.Pix[y*c.W+x]
		*p = add(*p, uint32(col)&0xffffff)
	}
}

// Line draws a straight line of light, one pixel wide, both ends included.
func (c *Canvas) Line(x0, y0, x1, y1 int, col Color) {
	dx, dy := x1-x0, y1-y0
	n := max(max(dx, -dx), max(dy, -dy))
	if n > 4*(c.W+c.H) {
		return
	}
	x, y := x0<<16+1<<15, y0<<16+1<<15
	sx, sy := 0, 0
	if n > 0 {
		sx, sy = dx<<16/n, dy<<16/n
	}
	for range n + 1 {
		c.Add(x>>16, y>>16, col)
		x, y = x+sx, y+sy
	}
}

// Disc fills a circle of radius r around x, y.
func (c *Canvas) Disc(x, y, r int, col Color) {
	for dy := -r; dy <= r; dy++ {
		w := int(math.Sqrt(float64(r*r+r-dy*dy)) + 0.5)
		c.Rect(x-w, y+dy, 2*w+1, 1, col)
	}
}

// Circle draws the outline of a circle of radius r with light.
func (c *Canvas) Circle(x, y, r int, col Color) {
	px, py, e := r, 0, 1-r
	for px >= py {
		c.Add(x+px, y+py, col)
		c.Add(x-px, y+py, col)
		c.Add(x+px, y-py, col)
		c.Add(x-px, y-py, col)
		c.Add(x+py, y+px, col)
		c.Add(x-py, y+px, col)
		c.Add(x+py, y-px, col)
		c.Add(x-py, y-px, col)
		py++
		if e < 0 {
			e += 2*py + 1
		} else {
			px--
			e += 2 * (py - px + 1)
		}
	}
}
