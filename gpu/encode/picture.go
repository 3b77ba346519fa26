package encode

import "fmt"

// Picture is a picture as encoders take it: I420, planes without padding. Y is
// Width·Height bytes, Cb and Cr a quarter of that each.
type Picture struct {
	Y, Cb, Cr     []byte
	Width, Height int // px, both even
}

// NewPicture makes a black one. Its planes lie one after the other in one piece of
// memory.
func NewPicture(width, height int) (*Picture, error) {
	if err := checkSides(width, height); err != nil {
		return nil, err
	}
	n := width * height
	b := make([]byte, n+n/2)
	for i := range b {
		b[i] = 128
		if i < n {
			b[i] = 16
		}
	}
	return &Picture{Y: b[:n:n], Cb: b[n : n+n/4 : n+n/4], Cr: b[n+n/4:], Width: width, Height: height}, nil
}

// Convert fills the picture from an RGBA frame of the same size.
//
// BT.601 limited range in integers, with 8 fractional bits:
//
//	Y  = ((66 R + 129 G +  25 B + 128) >> 8) + 16
//	Cb = ((-38 R -  74 G + 112 B + 128) >> 8) + 128
//	Cr = ((112 R -  94 G -  18 B + 128) >> 8) + 128
//
// where Cb and Cr take the rounded mean of each 2×2 block's R, G and B. All
// implementations give the same bits.
func (p *Picture) Convert(f Frame) error {
	if err := f.Check(); err != nil {
		return err
	}
	if f.Width != p.Width || f.Height != p.Height {
		return fmt.Errorf("%w: a frame of %d×%d into a picture of %d×%d", ErrSize, f.Width, f.Height, p.Width, p.Height)
	}
	convert(p, f)
	return nil
}

// convertGo is the plain implementation, and the reference for the others.
func convertGo(p *Picture, f Frame) {
	w := f.Width
	for y := 0; y < f.Height; y += 2 {
		top := f.Pix[y*f.Stride:][:4*w]
		low := f.Pix[(y+1)*f.Stride:][:4*w]
		y0 := p.Y[y*w:][:w]
		y1 := p.Y[(y+1)*w:][:w]
		cb := p.Cb[y/2*(w/2):][:w/2]
		cr := p.Cr[y/2*(w/2):][:w/2]
		for c := range cb {
			a, b := top[8*c:8*c+8:8*c+8], low[8*c:8*c+8:8*c+8]
			y0[2*c], y0[2*c+1] = luma(a[0], a[1], a[2]), luma(a[4], a[5], a[6])
			y1[2*c], y1[2*c+1] = luma(b[0], b[1], b[2]), luma(b[4], b[5], b[6])
			r := (int32(a[0]) + int32(a[4]) + int32(b[0]) + int32(b[4]) + 2) >> 2
			g := (int32(a[1]) + int32(a[5]) + int32(b[1]) + int32(b[5]) + 2) >> 2
			bl := (int32(a[2]) + int32(a[6]) + int32(b[2]) + int32(b[6]) + 2) >> 2
			cb[c] = byte((-38*r-74*g+112*bl+128)>>8 + 128)
			cr[c] = byte((112*r-94*g-18*bl+128)>>8 + 128)
		}
	}
}

func luma(r, g, b byte) byte {
	return byte((66*uint32(r)+129*uint32(g)+25*uint32(b)+128)>>8 + 16)
}
