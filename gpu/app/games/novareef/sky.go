package main

import "github.com/framemesh/framemesh/gpu/app/sdk"

// palettes colour the nebula of each sector, dark to bright.
var palettes = [4][4]uint32{
	{0x03050f, 0x081d38, 0x10506a, 0x57a9b0},
	{0x06030f, 0x240b40, 0x6a1c68, 0xd0709a},
	{0x020a09, 0x062c26, 0x1d6a45, 0x9cbf62},
	{0x0b0306, 0x3a0d18, 0x86321c, 0xe09a4c},
}

// reefColors are the silhouettes of each sector: far and near.
var reefColors = [4][2]uint32{{0x0a2a40, 0x04101c}, {0x2a0c40, 0x12041c}, {0x0a3426, 0x03140e}, {0x401410, 0x180505}}

type star struct {
	x, y, v float64
	col     sdk.Color
	size    int
}

// sky is the background: a nebula that scrolls with one copy, stars at
// three speeds and two reefs.
type sky struct {
	density []uint8  // width×(height+1)
	painted []uint32 // density through the palette
	palette [256]uint32
	row     int // next row to repaint; all rows when height+1
	offset  int
	tick    int
	stars   [150]star
	far     [1024]uint8 // height of the reef per column
	near    [1024]uint8
	colors  [2]sdk.Color
}

// lattice is smooth noise on a grid that closes after period cells.
func lattice(grid []uint8, period int, x, y float64) float64 {
	xi, yi := int(x), int(y)
	fx, fy := x-float64(xi), y-float64(yi)
	fx, fy = fx*fx*(3-2*fx), fy*fy*(3-2*fy)
	at := func(i, j int) float64 { return float64(grid[(j&63)*64+(i%period)&63]) }
	a := at(xi, yi) + (at(xi+1, yi)-at(xi, yi))*fx
	b := at(xi, yi+1) + (at(xi+1, yi+1)-at(xi, yi+1))*fx
	return a + (b-a)*fy
}

// grow makes the shapes; setSector gives them colour.
func (s *sky) grow(rng *sdk.Rand) {
	var grid [64 * 64]uint8
	for i := range grid {
		grid[i] = uint8(rng.Uint32() >> 24)
	}
	s.density = make([]uint8, width*(height+1))
	s.painted = make([]uint32, len(s.density))
	for y := range height + 1 {
		for x := range width {
			fx, fy := float64(x), float64(y)
			v := lattice(grid[:], 4, fx/160, fy/130)*0.5 + lattice(grid[:], 8, fx/80, fy/70+9)*0.3 +
				lattice(grid[:], 16, fx/40, fy/36+21)*0.14 + lattice(grid[:], 40, fx/16, fy/15+37)*0.06
			v = (v - 82) * 2.1
			s.density[y*width+x] = uint8(min(max(v, 0), 255))
		}
	}
	for i := range s.stars {
		depth := float64(i%3+1) / 3
		k := uint8(60 + 150*depth*rng.Range(0.5, 1))
		s.stars[i] = star{rng.Range(0, width), rng.Range(0, height), depth * depth * 2.6, sdk.RGB(k-k/5, k-k/8, k), i % 3}
	}
	profile := func(out []uint8, base, amp float64) {
		for x := range out {
			f := float64(x)
			v := lattice(grid[:], 16, f/64, 3)*0.5 + lattice(grid[:], 64, f/16, 11)*0.35 + lattice(grid[:], 64, float64(x*4%1024)/16, 29)*0.15
			out[x] = uint8(base + amp*v/255)
		}
	}
	profile(s.far[:], 2, 46)
	profile(s.near[:], 0, 30)
}

// setSector starts a change of colours that takes a second.
func (s *sky) setSector(n int) {
	p := palettes[n%4]
	for i := range s.palette {
		at := i * 3
		k := at / 255
		f := at % 255
		if k == 3 {
			k, f = 2, 255
		}
		s.palette[i] = uint32(sdk.Hex(p[k]).Mix(sdk.Hex(p[k+1]), f))
	}
	s.colors = [2]sdk.Color{sdk.Hex(reefColors[n%4][0]), sdk.Hex(reefColors[n%4][1])}
	s.row = 0
}

// repaint colours up to n more rows.
func (s *sky) repaint(n int) {
	for ; n > 0 && s.row <= height; n-- {
		src := s.density[s.row*width:][:width]
		dst := s.painted[s.row*width:][:len(src)]
		for i, d := range src {
			dst[i] = s.palette[d]
		}
		s.row++
	}
}

// drift moves the sky by one tick.
func (s *sky) drift() {
	s.tick++
	if s.tick&1 == 0 {
		s.offset = (s.offset + 1) % width
	}
	for i := range s.stars {
		st := &s.stars[i]
		if st.x -= st.v; st.x < 0 {
			st.x += width
		}
	}
}

func (s *sky) draw(pic *sdk.Canvas) {
	s.repaint(12)
	pic.Scroll(s.painted, s.offset)
	for i := range s.stars {
		st := &s.stars[i]
		x, y := int(st.x), int(st.y)
		if st.size == 2 {
			pic.RectAdd(x, y, 3, 1, st.col)
		} else {
			pic.Add(x, y, st.col)
		}
	}
	s.reef(pic, &s.far, s.tick*3/4, s.colors[0])
	s.reef(pic, &s.near, s.tick*3/2, s.colors[1])
}

// reef draws a silhouette along the bottom, and its mirror image, half as
// tall, along the top. Columns are two pixels wide.
func (s *sky) reef(pic *sdk.Canvas, profile *[1024]uint8, shift int, col sdk.Color) {
	for x := 0; x < width; x += 2 {
		h := int(profile[(x+shift)&1022])
		pic.Rect(x, height-h, 2, h, col)
		pic.Rect(x, 0, 2, int(profile[(x+shift+512)&1022])/2, col)
	}
}
