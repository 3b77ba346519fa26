package sdk

import "math"

// Image is a sprite: W×H pixels with straight alpha in the top byte.
type Image struct {
	W, H int
	Pix  []uint32
}

// NewImage makes an empty, fully transparent image.
func NewImage(w, h int) *Image { return &Image{W: w, H: h, Pix: make([]uint32, w*h)} }

// Paint makes an image by asking for the colour and the alpha (0..1) of each
// pixel; u and v run from -1 to 1 across the image. Games paint their art
// with it in Init. Each pixel is sampled at four points, so edges are smooth.
func Paint(w, h int, at func(u, v float64) (r, g, b, a float64)) *Image {
	img := NewImage(w, h)
	img.PaintRows(0, h, at)
	return img
}

// PaintRows paints the rows y0 to y1-1 of an image like Paint: for art that
// is made a little with each tick instead of all at the start.
func (m *Image) PaintRows(y0, y1 int, at func(u, v float64) (r, g, b, a float64)) {
	w, h := m.W, m.H
	for y := max(y0, 0); y < min(y1, h); y++ {
		for x := range w {
			m.Pix[y*w+x] = 0
			var sr, sg, sb, sa float64
			for k := range 4 {
				u := (float64(x)+0.25+0.5*float64(k&1))/float64(w)*2 - 1
				v := (float64(y)+0.25+0.5*float64(k>>1))/float64(h)*2 - 1
				r, g, b, a := at(u, v)
				if a > 0 {
					a = min(a, 1)
					sr, sg, sb, sa = sr+unit(r)*a, sg+unit(g)*a, sb+unit(b)*a, sa+a
				}
			}
			if sa > 0 {
				m.Pix[y*w+x] = uint32(sa/4*255+0.5)<<24 | uint32(sb/sa*255+0.5)<<16 | uint32(sg/sa*255+0.5)<<8 | uint32(sr/sa*255+0.5)
			}
		}
	}
}

func unit(v float64) float64 { return min(max(v, 0), 1) }

// Glow makes a round spot of light for DrawAdd: brightest in the middle,
// nothing at radius r. hard in 0..1 makes the core wider.
func Glow(r int, col Color, hard float64) *Image {
	img := NewImage(2*r+1, 2*r+1)
	cr, cg, cb := col.Parts()
	for y := range img.H {
		for x := range img.W {
			d := math.Sqrt(float64((x-r)*(x-r)+(y-r)*(y-r))) / float64(r+1)
			if d >= 1 {
				continue
			}
			k := (1 - d) * (1 - d)
			white := 0.0
			if hard > 0 && d < hard {
				k = 1
				white = 1 - d/hard
			}
			mix := func(c uint8) uint32 { return uint32(min(float64(c)*k+white*(255-float64(c)*k), 255)) }
			img.Pix[y*img.W+x] = mix(cb)<<16 | mix(cg)<<8 | mix(cr)
		}
	}
	return img
}

// Rotated returns the image turned by an angle in radians, clockwise on the
// screen, on a square large enough for every angle.
func (m *Image) Rotated(angle float64) *Image {
	size := int(math.Ceil(math.Sqrt(float64(m.W*m.W+m.H*m.H)))) | 1
	out := NewImage(size, size)
	s, c := math.Sin(angle), math.Cos(angle)
	for y := range size {
		for x := range size {
			dx, dy := float64(x)-float64(size-1)/2, float64(y)-float64(size-1)/2
			sx := int(math.Floor(dx*c + dy*s + float64(m.W)/2))
			sy := int(math.Floor(-dx*s + dy*c + float64(m.H)/2))
			if uint(sx) < uint(m.W) && uint(sy) < uint(m.H) {
				out.Pix[y*size+x] = m.Pix[sy*m.W+sx]
			}
		}
	}
	return out
}

// Flat returns the image's shape in one colour: hit flashes, shadows.
func (m *Image) Flat(col Color) *Image {
	out := NewImage(m.W, m.H)
	for i, p := range m.Pix {
		out.Pix[i] = p&0xff000000 | uint32(col)&0xffffff
	}
	return out
}

// Outlined returns the image with an edge of r pixels in a colour around it
// and a shadow of the same colour below, on a picture 2r wider and 4r taller.
func (m *Image) Outlined(r int, col Color) *Image {
	out := NewImage(m.W+2*r, m.H+4*r)
	edge := uint32(col) | 0xff000000
	for y := range m.H {
		for x := range m.W {
			if m.Pix[y*m.W+x]>>24 < 128 {
				continue
			}
			for dy := -r; dy <= 2*r; dy++ {
				for dx := -r; dx <= r; dx++ {
					out.Pix[(y+r+dy)*out.W+x+r+dx] = edge
				}
			}
		}
	}
	for y := range m.H {
		for x := range m.W {
			if p := m.Pix[y*m.W+x]; p>>24 >= 128 {
				out.Pix[(y+r)*out.W+x+r] = p
			}
		}
	}
	return out
}

// Draw lays an image over the canvas with its top left corner at x, y.
func (c *Canvas) Draw(m *Image, x, y int) {
	x0, y0, x1, y1, ok := c.clip(x, y, m.W, m.H)
	if !ok {
		return
	}
	sx, sy := x0-x-c.OX, y0-y-c.OY
	for y := y0; y < y1; y++ {
		src := m.Pix[sy*m.W+sx:][:x1-x0]
		dst := c.Pix[y*c.W+x0:][:len(src)]
		for i, s := range src {
			if s < 0x02000000 {
				continue
			}
			if s >= 0xfe000000 {
				dst[i] = s | 0xff000000
				continue
			}
			dst[i] = blend(dst[i], s, s>>24+s>>31)
		}
		sy++
	}
}

// DrawCentered lays an image over the canvas with its middle at x, y.
func (c *Canvas) DrawCentered(m *Image, x, y int) { c.Draw(m, x-m.W/2, y-m.H/2) }

// DrawAdd adds an image's light with its middle at x, y. The image must have
// no alpha (Glow makes such images).
func (c *Canvas) DrawAdd(m *Image, x, y int) {
	x, y = x-m.W/2, y-m.H/2
	x0, y0, x1, y1, ok := c.clip(x, y, m.W, m.H)
	if !ok {
		return
	}
	sx, sy := x0-x-c.OX, y0-y-c.OY
	for y := y0; y < y1; y++ {
		src := m.Pix[sy*m.W+sx:][:x1-x0]
		dst := c.Pix[y*c.W+x0:][:len(src)]
		for i, s := range src {
			if s != 0 {
				dst[i] = add(dst[i], s)
			}
		}
		sy++
	}
}

// DrawAddScaled is DrawAdd with the light dimmed to k/256, k in 0..256.
func (c *Canvas) DrawAddScaled(m *Image, x, y, k int) {
	if k <= 0 {
		return
	}
	x, y = x-m.W/2, y-m.H/2
	x0, y0, x1, y1, ok := c.clip(x, y, m.W, m.H)
	if !ok {
		return
	}
	a := uint32(min(k, 256))
	sx, sy := x0-x-c.OX, y0-y-c.OY
	for y := y0; y < y1; y++ {
		src := m.Pix[sy*m.W+sx:][:x1-x0]
		dst := c.Pix[y*c.W+x0:][:len(src)]
		for i, s := range src {
			if s != 0 {
				dst[i] = add(dst[i], (s&0xff00ff)*a>>8&0xff00ff|(s&0x00ff00)*a>>8&0x00ff00)
			}
		}
		sy++
	}
}
