package sdk

// glyphs is the library's own typeface: printable ASCII from the space on,
// eight characters a glyph, each one row of five pixels as a base-32 digit
// (leftmost pixel 16). Capitals stand on row 6, row 7 is for descenders.
const glyphs = "" +
	"0000000044444040aaa00000aavavaa04fke5u40op248j30cik8lid044800000" +
	"248884208422248004lel400044v440000000c48000e000000000cc001248g00" +
	"ehjlphe04c4444e0eh1248v0v2421he026aiv220vgu11he068guhhe0v1248880" +
	"ehhehhe0ehhf12c00cc0cc000cc0c480248g842000v0v00084212480eh124040" +
	"eh1dlle0ehhvhhh0uhhuhhu0ehggghe0uhhhhhu0vgguggv0vgguggg0ehgnhhf0" +
	"hhhvhhh0e44444e072222ic0hikokih0ggggggv0hrllhhh0hhpljhh0ehhhhhe0" +
	"uhhuggg0ehhhlid0uhhukih0fgge11u0v4444440hhhhhhe0hhhhha40hhhllla0" +
	"hha4ahh0hha44440v1248gv0e88888e00g842100e22222e04ah000000000000v" +
	"8420000000e1fhf0ggmphhu000egghe011djhhf000ehvge0698s888000fhhf1e" +
	"ggmphhh040c444e0206222icggikoki0c44444e000qllhh000mphhh000ehhhe0" +
	"00uhhugg00fhhf1100mpggg000ege1u088s8896000hhhjd000hhha4000hhlla0" +
	"00ha4ah000hhhf1e00v248v0244844204444444084424480008l2000"

// Size of a character cell at scale 1, in pixels.
const (
	GlyphW = 6
	GlyphH = 8
)

// glyphRow returns one row of five pixels; what has no glyph shows as '?'.
func glyphRow(ch byte, row int) int {
	if ch < ' ' || ch > '~' {
		ch = '?'
	}
	d := glyphs[int(ch-' ')*8+row]
	if d >= 'a' {
		return int(d-'a') + 10
	}
	return int(d - '0')
}

// TextWidth is the width of a text in pixels at a scale.
func TextWidth(s string, scale int) int { return max(0, len(s)*GlyphW-1) * scale }

// Text writes a line with its top left corner at x, y.
func (c *Canvas) Text(x, y, scale int, s string, col Color) {
	for i := range len(s) {
		c.glyph(x+i*GlyphW*scale, y, scale, s[i], col)
	}
}

// TextCentered writes a line with its middle at x.
func (c *Canvas) TextCentered(x, y, scale int, s string, col Color) {
	c.Text(x-TextWidth(s, scale)/2, y, scale, s, col)
}

// TextShadow writes a line with a dark edge, readable on anything.
func (c *Canvas) TextShadow(x, y, scale int, s string, col Color) {
	c.Text(x+scale, y+scale, scale, s, RGB(0, 0, 0))
	c.Text(x, y, scale, s, col)
}

// Number writes n with at least digits digits (leading zeros) and returns
// the x after it. It does not allocate.
func (c *Canvas) Number(x, y, scale, n, digits int, col Color) int {
	var buf [20]byte
	u, at := uint64(n), len(buf)
	if n < 0 {
		u = -u
	}
	for at > 1 && (u > 0 || digits > 0 || at == len(buf)) {
		at--
		digits--
		buf[at] = '0' + byte(u%10)
		u /= 10
	}
	if n < 0 {
		at--
		buf[at] = '-'
	}
	for _, ch := range buf[at:] {
		c.glyph(x, y, scale, ch, col)
		x += GlyphW * scale
	}
	return x
}

func (c *Canvas) glyph(x, y, scale int, ch byte, col Color) {
	if x+c.OX >= c.W || y+c.OY >= c.H || x+c.OX+GlyphW*scale <= 0 || y+c.OY+GlyphH*scale <= 0 {
		return
	}
	for row := range 8 {
		bits := glyphRow(ch, row)
		for i := 0; bits != 0; i++ {
			if bits&16 != 0 {
				if scale == 1 {
					c.Set(x+i, y+row, col)
				} else {
					c.Rect(x+i*scale, y+row*scale, scale, scale, col)
				}
			}
			bits = bits << 1 & 31
		}
	}
}

// TextImage makes an image of a line for a logo. shade gives the colour at u
// (0..1 along the line) and v (0..1 down the capitals).
func TextImage(s string, scale int, shade func(u, v float64) Color) *Image {
	img := NewImage(TextWidth(s, scale), 7*scale)
	for y := range img.H {
		for x := range img.W {
			cell := x / scale
			ch, col := cell/GlyphW, cell%GlyphW
			if col < 5 && glyphRow(s[ch], y/scale)>>(4-col)&1 != 0 {
				img.Pix[y*img.W+x] = uint32(shade(float64(x)/float64(img.W), float64(y)/float64(img.H)))
			}
		}
	}
	return img
}
