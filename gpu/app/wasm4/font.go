package wasm4

import (
	_ "embed"
	"strings"
)

// fontText is the font, drawn by hand: blocks of eight characters, first their
// names, then eight rows of their cells, six columns wide and two apart.
//
//go:embed font.txt
var fontText string

// fontFirst is the first character that has a glyph.
const fontFirst = 32

// glyphs holds 8 rows for each of the characters 32…255 of ISO 8859-1; the
// highest bit is the leftmost pixel.
var glyphs = buildFont(fontText)

// accented lists letters that are made of a base letter and an accent.
var accented = []struct {
	letters, bases string
	accent         [2]byte
}{
	{"ÀÈÌÒÙàèìòù", "AEIOUaeıou", [2]byte{0x20, 0x10}},
	{"ÁÉÍÓÚÝáéíóúý", "AEIOUYaeıouy", [2]byte{0x10, 0x20}},
	{"ÂÊÎÔÛâêîôû", "AEIOUaeıou", [2]byte{0x20, 0x50}},
	{"ÃÑÕãñõ", "ANOano", [2]byte{0x28, 0x50}},
	{"ÄËÏÖÜäëïöüÿ", "AEIOUaeıouy", [2]byte{0x50, 0x00}},
	{"Åå", "Aa", [2]byte{0x70, 0x50}},
}

// Characters 0x80…0x87 are the console's buttons.
var buttonGlyphs = [8][8]byte{
	{0x7c, 0xfe, 0xba, 0xd6, 0xee, 0xd6, 0xba, 0x7c}, // button 1 (X)
	{0x7c, 0xfe, 0x82, 0xf6, 0xee, 0xde, 0x82, 0x7c}, // button 2 (Z)
	{0x7c, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0x7c},
	{0x7c, 0x82, 0x82, 0x82, 0x82, 0x82, 0x82, 0x7c},
	{0x10, 0x30, 0x7e, 0xfe, 0x7e, 0x30, 0x10, 0x00}, // left
	{0x10, 0x18, 0xfc, 0xfe, 0xfc, 0x18, 0x10, 0x00}, // right
	{0x10, 0x38, 0x7c, 0xfe, 0x38, 0x38, 0x38, 0x00}, // up
	{0x38, 0x38, 0x38, 0xfe, 0x7c, 0x38, 0x10, 0x00}, // down
}

func buildFont(text string) (g [256 - fontFirst][8]byte) {
	lines := strings.Split(text, "\n")
	for at := 0; at+9 <= len(lines); at += 9 {
		for i, name := range []rune(lines[at]) {
			for row := range 8 {
				line := lines[at+1+row]
				for col := range 6 {
					if x := i*8 + col; x < len(line) && line[x] == '#' {
						g[name-fontFirst][row] |= 0x80 >> col
					}
				}
			}
		}
	}
	dotless := g['i'-fontFirst]
	dotless[0] = 0
	for _, set := range accented {
		bases := []rune(set.bases)
		for i, letter := range []rune(set.letters) {
			base := dotless
			if bases[i] != 'ı' {
				base = g[bases[i]-fontFirst]
			}
			if bases[i] < 'a' { // a capital gives up a row and moves down to make room
				base = [8]byte{0, 0, base[0], base[1], base[2] | base[3], base[4], base[5], base[6]}
			}
			base[0], base[1] = set.accent[0], base[1]|set.accent[1]
			g[letter-fontFirst] = base
		}
	}
	for _, c := range [][2]rune{{'Ç', 'C'}, {'ç', 'c'}} {
		g[c[0]-fontFirst] = g[c[1]-fontFirst]
		g[c[0]-fontFirst][7] = 0x30
	}
	copy(g[0x80-fontFirst:], buttonGlyphs[:])
	return g
}

// maxText is the most characters that one call draws.
const maxText = 8192

// Text draws ISO 8859-1 characters of 8×8 px, ink in draw colour 1 on paper in
// draw colour 2. A line feed goes back to x and 8 px down.
func (m Memory) Text(s []byte, x, y int32) {
	ink, paper := m.color(0), m.color(1)
	atX, atY := int64(x), int64(y)
	for _, c := range s[:min(len(s), maxText)] {
		if c == '\n' {
			atX, atY = int64(x), atY+8
			continue
		}
		if c >= fontFirst {
			m.glyph(&glyphs[c-fontFirst], atX, atY, ink, paper)
		}
		atX += 8
	}
}

func (m Memory) glyph(g *[8]byte, x, y int64, ink, paper byte) {
	left, right := clip(x, 8, Width)
	for top, bottom := clip(y, 8, Height); top < bottom; top++ {
		row := g[int64(top)-y]
		for px := left; px < right; px++ {
			c := paper
			if row<<(int64(px)-x)&0x80 != 0 {
				c = ink
			}
			if c != 0 {
				m.point(px, top, c)
			}
		}
	}
}
