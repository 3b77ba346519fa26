package wasm4

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
)

func newMemory() Memory {
	m := make(Memory, MemorySize)
	m.Reset()
	return m
}

func (m Memory) colors(c uint16) { binary.LittleEndian.PutUint16(m[offDrawColors:], c) }

func (m Memory) pixel(x, y int) byte { return m[offFramebuffer+y*rowSize+x/4] >> (x % 4 * 2) & 3 }

func (m Memory) screen() []byte { return m[offFramebuffer : offFramebuffer+framebufferSize] }

// slowLine is Bresenham's line as the console's manual has it, one step at a time.
func slowLine(m Memory, x1, y1, x2, y2 int, c byte) {
	if y1 > y2 {
		x1, y1, x2, y2 = x2, y2, x1, y1
	}
	dx, sx, dy := x2-x1, 1, y2-y1
	if dx < 0 {
		dx, sx = -dx, -1
	}
	e := -(dy / 2)
	if dx > dy {
		e = dx / 2
	}
	for {
		if x1 >= 0 && x1 < Width && y1 >= 0 && y1 < Height {
			m.point(x1, y1, c)
		}
		if x1 == x2 && y1 == y2 {
			return
		}
		e2 := e
		if e2 > -dx {
			e -= dy
			x1 += sx
		}
		if e2 < dy {
			e += dx
			y1++
		}
	}
}

func TestLineJumpsToTheSamePixels(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 5000 {
		reach := 200
		if i%10 == 0 {
			reach = 20_000
		}
		c := func() int { return r.IntN(2*reach) - reach/2 }
		x1, y1, x2, y2 := c(), c(), c(), c()
		fast, slow := newMemory(), newMemory()
		fast.colors(4)
		slow.colors(4)
		fast.Line(int32(x1), int32(y1), int32(x2), int32(y2))
		slowLine(slow, x1, y1, x2, y2, 4)
		if !bytes.Equal(fast.screen(), slow.screen()) {
			t.Fatalf("line %d,%d %d,%d differs", x1, y1, x2, y2)
		}
	}
}

func TestBlitTurnsAndFlips(t *testing.T) {
	// F is unlike itself in every turn and mirror.
	f := []byte{0b11110000, 0b10000000, 0b11100000, 0b10000000}
	at := func(x, y int) bool { return f[y]>>(7-x)&1 != 0 }
	const w, h = 8, 4
	for flags := range uint32(8) {
		m := newMemory()
		m.colors(0x0020) // 1 in colour 2, 0 transparent
		m.Blit(Sprite{Data: f, Width: w, Height: h, Stride: w, Flags: flags << 1}, 10, 20)
		n := 0
		for y := range h {
			for x := range w {
				sx, sy := x, y
				dx, dy := x, y
				if flags&1 != 0 {
					dx = w - 1 - x
				}
				if flags&2 != 0 {
					dy = h - 1 - y
				}
				if flags&4 != 0 { // a quarter turn anticlockwise: right becomes up
					dx, dy = dy, w-1-dx
				}
				want := byte(0)
				if at(sx, sy) {
					want = 1
					n++
				}
				if got := m.pixel(10+dx, 20+dy); got != want {
					t.Fatalf("flags %d: sprite pixel %d,%d is %d on the screen", flags<<1, x, y, got)
				}
			}
		}
		if n == 0 {
			t.Fatal("nothing drawn")
		}
	}
}

// TestDrawingStaysOnTheScreen draws anything anywhere: memory outside the
// framebuffer never changes, and nothing panics.
func TestDrawingStaysOnTheScreen(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	m := newMemory()
	odd := []int32{math.MinInt32, -70000, -161, -1, 0, 1, 7, 159, 160, 70000, math.MaxInt32}
	i := func() int32 {
		if r.IntN(2) == 0 {
			return odd[r.IntN(len(odd))]
		}
		return r.Int32N(400) - 120
	}
	before := bytes.Clone(m)
	for range 20_000 {
		m.colors(uint16(r.Uint32()))
		copy(before[offDrawColors:], m[offDrawColors:offDrawColors+2])
		switch r.IntN(7) {
		case 0:
			m.Line(i(), i(), i(), i())
		case 1:
			m.HLine(i(), i(), uint32(i()))
		case 2:
			m.VLine(i(), i(), uint32(i()))
		case 3:
			m.Rect(i(), i(), uint32(i()), uint32(i()))
		case 4:
			m.Oval(i(), i(), uint32(i())&511, uint32(i())&511)
		case 5:
			m.Text(m.Bytes(uint32(r.IntN(MemorySize)), 40), i(), i())
		case 6:
			m.Blit(Sprite{Data: m.From(uint32(i())), Width: uint32(i()), Height: uint32(i()), SrcX: uint32(i()), SrcY: uint32(i()),
				Stride: uint32(i()), Flags: r.Uint32()}, i(), i())
		}
		copy(before[offFramebuffer:], m.screen())
	}
	if !bytes.Equal(m, before) {
		t.Fatal("drawing wrote outside the framebuffer")
	}
}

func TestOvalTouchesItsBox(t *testing.T) {
	for w := uint32(1); w < 40; w++ {
		for h := uint32(1); h < 40; h++ {
			m := newMemory()
			m.colors(0x32)
			m.Oval(50, 60, w, h)
			x0, y0, x1, y1 := Width, Height, -1, -1
			for y := range Height {
				for x := range Width {
					if m.pixel(x, y) != 0 {
						x0, y0, x1, y1 = min(x0, x), min(y0, y), max(x1, x), max(y1, y)
					}
				}
			}
			if x0 != 50 || y0 != 60 || x1 != 50+int(w)-1 || y1 != 60+int(h)-1 {
				t.Fatalf("an oval of %d×%d covers %d,%d to %d,%d", w, h, x0, y0, x1, y1)
			}
		}
	}
}

func TestFontIsWhole(t *testing.T) {
	seen := map[[8]byte]int{}
	for c := fontFirst; c < 256; c++ {
		g := glyphs[c-fontFirst]
		blank := g == [8]byte{}
		if want := c == ' ' || c == 0x7f || c >= 0x88 && c <= 0xa0 || c == 0xad; blank != want {
			t.Errorf("character %#x: blank is %v", c, blank)
		}
		if other, ok := seen[g]; ok && !blank {
			t.Errorf("characters %#x and %#x look the same", other, c)
		}
		seen[g] = c
	}
}

func TestFormat(t *testing.T) {
	m := newMemory()
	copy(m[0x2000:], "%d%% %x %s %c %f %q\x00name\x00")
	args := binary.LittleEndian.AppendUint32(nil, uint32(0xfffffffb))
	for _, v := range []uint32{255, 0x2014, 'z'} {
		args = binary.LittleEndian.AppendUint32(args, v)
	}
	args = binary.LittleEndian.AppendUint64(args, math.Float64bits(1.5))
	copy(m[0x2100:], args)
	if got := string(m.Format(0x2000, 0x2100)); got != "-5% ff name z 1.5 %q" {
		t.Errorf("got %q", got)
	}
	copy(m[MemorySize-4:], "%s%f")
	if got := m.Format(MemorySize-4, MemorySize-2); len(got) > maxTrace {
		t.Errorf("%d bytes from the end of memory", len(got))
	}
}

func TestScreen(t *testing.T) {
	m := newMemory()
	s := NewScreen(2)
	m.colors(4)
	m.HLine(3, 5, 2)
	s.Draw(m)
	at := func(x, y int) uint32 { return binary.LittleEndian.Uint32(s.Pix[y*s.Stride()+x*4:]) }
	const paper, ink = 0xffcff8e0, 0xff211807
	for _, c := range []struct {
		x, y int
		want uint32
	}{{0, 0, paper}, {6, 10, ink}, {9, 11, ink}, {10, 10, paper}, {5, 10, paper}, {6, 9, paper}, {6, 12, paper}} {
		if got := at(c.x, c.y); got != c.want {
			t.Errorf("pixel %d,%d is %08x, not %08x", c.x, c.y, got, c.want)
		}
	}
	m.BeginTick()
	s.Draw(m)
	if at(6, 10) != paper {
		t.Error("a row that changed was not drawn again")
	}
	binary.LittleEndian.PutUint32(m[offPalette:], 0x112233)
	s.Draw(m)
	if at(6, 10) != 0xff332211 || at(0, 319) != 0xff332211 {
		t.Errorf("a new palette shows %08x", at(6, 10))
	}
	m[offFlags] = flagPreserve
	m.HLine(0, 0, 1)
	m.BeginTick()
	if m.pixel(0, 0) != 3 {
		t.Error("a framebuffer to keep was cleared")
	}
}

// BenchmarkBlit draws a 2-bit sprite of the whole screen.
func BenchmarkBlit(b *testing.B) {
	m := newMemory()
	m.colors(0x4321)
	for b.Loop() {
		m.Blit(Sprite{Data: m.From(0x2000), Width: Width, Height: Height, Stride: Width, Flags: blit2BPP}, 0, 0)
	}
}

// BenchmarkScreen enlarges a picture whose every row changed.
func BenchmarkScreen(b *testing.B) {
	m := newMemory()
	s := NewScreen(4)
	for i := 0; b.Loop(); i++ {
		m[offPalette] = byte(i)
		s.Draw(m)
	}
}
