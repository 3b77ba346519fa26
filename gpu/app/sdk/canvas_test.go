package sdk

import "testing"

func TestAddIsPerByteAndStopsAt255(t *testing.T) {
	rng := NewRand(1)
	edge := [...]uint32{0, 1, 0x7f, 0x80, 0x81, 0xfe, 0xff}
	check := func(d, s uint32) {
		t.Helper()
		var want uint32
		for sh := 0; sh < 32; sh += 8 {
			want |= min(d>>sh&0xff+s>>sh&0xff, 255) << sh
		}
		if got := add(d, s); got != want {
			t.Fatalf("add(%08x, %08x) = %08x, want %08x", d, s, got, want)
		}
	}
	for _, a := range edge {
		for _, b := range edge {
			check(a|b<<8|a<<16|b<<24, b|a<<8|b<<16|a<<24)
			check(a<<24, b<<24)
		}
	}
	for range 10000 {
		check(rng.Uint32(), rng.Uint32())
	}
}

func TestMixAndScaleReachBothEnds(t *testing.T) {
	a, b := RGB(10, 200, 30), RGB(250, 0, 255)
	if a.Mix(b, 0) != a || a.Mix(b, 256) != b {
		t.Errorf("mix: %08x and %08x", a.Mix(b, 0), a.Mix(b, 256))
	}
	if a.Scale(256) != a || a.Scale(0) != RGB(0, 0, 0) {
		t.Errorf("scale: %08x and %08x", a.Scale(256), a.Scale(0))
	}
	if got := RGB(100, 50, 200).Mix(RGB(200, 150, 0), 128); got != RGB(150, 100, 100) {
		t.Errorf("half way: %08x", got)
	}
}

// painted counts the pixels that are not black.
func painted(c *Canvas) (n int) {
	for _, p := range c.Pix {
		if p != 0xff000000 {
			n++
		}
	}
	return n
}

func TestShapesPaintWhatTheyCover(t *testing.T) {
	white := RGB(255, 255, 255)
	cases := []struct {
		name string
		draw func(*Canvas)
		want int
	}{
		{"rect", func(c *Canvas) { c.Rect(5, 6, 10, 4, white) }, 40},
		{"rect cut at the corner", func(c *Canvas) { c.Rect(-5, -5, 10, 10, white) }, 25},
		{"rect outside", func(c *Canvas) { c.Rect(64, 0, 10, 10, white) }, 0},
		{"rect shifted by the origin", func(c *Canvas) { c.OX = 60; c.Rect(0, 0, 10, 10, white) }, 40},
		{"rect without width", func(c *Canvas) { c.Rect(5, 5, 0, 10, white) }, 0},
		{"frame", func(c *Canvas) { c.Frame(0, 0, 10, 10, white) }, 36},
		{"level line", func(c *Canvas) { c.Line(3, 3, 12, 3, white) }, 10},
		{"steep line backwards", func(c *Canvas) { c.Line(5, 30, 9, 11, white) }, 20},
		{"point", func(c *Canvas) { c.Line(5, 5, 5, 5, white) }, 1},
		{"line through and beyond", func(c *Canvas) { c.Line(-10, 8, 100, 8, white) }, 64},
		{"disc", func(c *Canvas) { c.Disc(20, 20, 2, white) }, 21},
		{"set outside", func(c *Canvas) { c.Set(-1, 0, white); c.Set(0, 48, white) }, 0},
		{"all of it", func(c *Canvas) { c.Clear(white) }, 64 * 48},
		{"blend with no weight", func(c *Canvas) { c.RectBlend(0, 0, 9, 9, white, 0) }, 0},
		{"text", func(c *Canvas) { c.Text(1, 1, 1, "I", white) }, 3 + 5 + 3},
		{"text twice as large", func(c *Canvas) { c.Text(1, 1, 2, "I", white) }, 44},
	}
	for _, tc := range cases {
		c := NewCanvas(64, 48)
		tc.draw(c)
		if got := painted(c); got != tc.want {
			t.Errorf("%s paints %d pixels, want %d", tc.name, got, tc.want)
		}
	}
}

func TestDrawHonoursAlphaAndEdges(t *testing.T) {
	img := NewImage(2, 1)
	img.Pix[0] = 0x80ffffff
	img.Pix[1] = 0xff0000ff
	c := NewCanvas(4, 4)
	c.Draw(img, 0, 0)
	if r, _, _ := Color(c.Pix[0]).Parts(); r < 120 || r > 136 {
		t.Errorf("half white over black is %08x", c.Pix[0])
	}
	if c.Pix[1] != 0xff0000ff {
		t.Errorf("opaque red is %08x", c.Pix[1])
	}
	for _, at := range [][2]int{{-1, 0}, {3, 3}, {-2, 0}, {4, 0}, {0, -1}, {0, 4}} {
		c.Draw(img, at[0], at[1])
		c.DrawAdd(img, at[0], at[1])
		c.DrawAddScaled(img, at[0], at[1], 100)
	}
	if c.Pix[3*4+3] == 0xff000000 {
		t.Error("the visible half of a sprite at the edge is missing")
	}
}

func TestScrollMovesByOnePixel(t *testing.T) {
	c := NewCanvas(8, 4)
	src := make([]uint32, 8*5)
	for i := range src {
		src[i] = uint32(i)
	}
	c.Scroll(src, 3)
	if c.Pix[0] != 3 || c.Pix[8] != 11 || c.Pix[31] != 34 {
		t.Errorf("scrolled picture: %v", c.Pix)
	}
}

func TestEveryPrintableCharacterHasItsOwnGlyph(t *testing.T) {
	seen := map[string]byte{}
	for ch := byte(' '); ch <= '~'; ch++ {
		var rows [8]byte
		for r := range rows {
			rows[r] = byte(glyphRow(ch, r))
		}
		if was, ok := seen[string(rows[:])]; ok {
			t.Errorf("%q looks like %q", ch, was)
		}
		seen[string(rows[:])] = ch
	}
	if glyphRow(0xe4, 0) != glyphRow('?', 0) {
		t.Error("what has no glyph does not show as a question mark")
	}
}

func TestNumbers(t *testing.T) {
	read := func(n, digits int) string {
		// Draw the number and the same text, and compare the pictures.
		c := NewCanvas(200, 8)
		end := c.Number(0, 0, 1, n, digits, RGB(255, 255, 255))
		for _, s := range []string{"0", "7", "007", "-12", "1234567890123456789", "-9223372036854775808"} {
			d := NewCanvas(200, 8)
			d.Text(0, 0, 1, s, RGB(255, 255, 255))
			same := len(s)*GlyphW == end
			for i := range c.Pix {
				same = same && c.Pix[i] == d.Pix[i]
			}
			if same {
				return s
			}
		}
		return "something else"
	}
	for _, c := range []struct {
		n, digits int
		want      string
	}{{0, 0, "0"}, {0, 1, "0"}, {7, 1, "7"}, {7, 3, "007"}, {-12, 1, "-12"}, {1234567890123456789, 2, "1234567890123456789"}, {-1 << 63, 1, "-9223372036854775808"}} {
		if got := read(c.n, c.digits); got != c.want {
			t.Errorf("Number(%d, %d digits) shows %s, want %s", c.n, c.digits, got, c.want)
		}
	}
}
