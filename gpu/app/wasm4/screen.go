package wasm4

import "encoding/binary"

// Screen turns framebuffers into RGBA pictures, enlarged by a whole factor. It
// keeps the last picture and redraws only the rows that changed.
type Screen struct {
	Pix   []byte // RGBA, Width×Height times scale
	scale int
	shown [framebufferSize]byte
	color [4]uint32
}

// NewScreen returns a black screen, enlarged by scale.
func NewScreen(scale int) *Screen {
	return &Screen{Pix: make([]byte, Width*Height*4*scale*scale), scale: scale}
}

// Stride is the length of a row of Pix in bytes.
func (s *Screen) Stride() int { return Width * 4 * s.scale }

// Draw brings Pix up to date with a cart's framebuffer and palette.
func (s *Screen) Draw(m Memory) {
	all := false
	for i := range s.color {
		c := binary.LittleEndian.Uint32(m[offPalette+4*i:])
		rgba := 0xff000000 | c>>16&0xff | c&0xff00 | c&0xff<<16
		all = all || rgba != s.color[i] // at first too: 0 is no opaque colour
		s.color[i] = rgba
	}
	stride := s.Stride()
	for y := range Height {
		row := m[offFramebuffer+y*rowSize:][:rowSize]
		if !all && string(row) == string(s.shown[y*rowSize:][:rowSize]) {
			continue
		}
		out := s.Pix[y*s.scale*stride:][:s.scale*stride]
		at := 0
		for _, four := range row {
			for range 4 {
				c := s.color[four&3]
				four >>= 2
				for range s.scale {
					binary.LittleEndian.PutUint32(out[at:], c)
					at += 4
				}
			}
		}
		for i := 1; i < s.scale; i++ {
			copy(out[i*stride:][:stride], out)
		}
	}
	copy(s.shown[:], m[offFramebuffer:])
}
