package encode

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
)

// randomFrame is a frame of noise with extremes, with a stride of its own.
func randomFrame(r *rand.Rand, w, h, stride int) Frame {
	pix := make([]byte, stride*(h-1)+4*w)
	for i := range pix {
		switch pix[i] = byte(r.Uint32()); r.IntN(6) {
		case 0:
			pix[i] = 0
		case 1:
			pix[i] = 255
		}
	}
	return Frame{Pix: pix, Width: w, Height: h, Stride: stride}
}

func TestConvertIsTheSameEverywhere(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		w, h := 16+2*r.IntN(80), 16+2*r.IntN(10)
		f := randomFrame(r, w, h, 4*w+r.IntN(37))
		want, _ := NewPicture(w, h)
		convertGo(want, f)
		for name, conv := range map[string]func(*Picture, Frame){"best": convert, "plain": convertPlainC} {
			got, _ := NewPicture(w, h)
			conv(got, f)
			if !bytes.Equal(got.Y, want.Y) || !bytes.Equal(got.Cb, want.Cb) || !bytes.Equal(got.Cr, want.Cr) {
				t.Fatalf("%s differs from Go at %d×%d, stride %d", name, w, h, f.Stride)
			}
		}
	}
}

func TestConvertKnownColours(t *testing.T) {
	for _, c := range []struct {
		name             string
		r, g, b, y, u, v byte
	}{
		{"black", 0, 0, 0, 16, 128, 128},
		{"white", 255, 255, 255, 235, 128, 128},
		{"red", 255, 0, 0, 82, 90, 240},
		{"green", 0, 255, 0, 144, 54, 34},
		{"blue", 0, 0, 255, 41, 240, 110},
	} {
		pix := bytes.Repeat([]byte{c.r, c.g, c.b, 7}, 16*16)
		p, err := NewPicture(16, 16)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Convert(Frame{Pix: pix, Width: 16, Height: 16, Stride: 64}); err != nil {
			t.Fatal(err)
		}
		if p.Y[5] != c.y || p.Cb[5] != c.u || p.Cr[5] != c.v {
			t.Errorf("%s: %d %d %d, want %d %d %d", c.name, p.Y[5], p.Cb[5], p.Cr[5], c.y, c.u, c.v)
		}
	}
}

func TestConvertRefusesWhatDoesNotFit(t *testing.T) {
	p, _ := NewPicture(32, 32)
	full := make([]byte, 32*32*4)
	for name, f := range map[string]Frame{
		"odd":       {full, 31, 32, 128},
		"short":     {full[:len(full)-1], 32, 32, 128},
		"stride":    {full, 32, 32, 127},
		"size":      {full, 16, 16, 64},
		"too small": {full, 2, 2, 8},
		"empty":     {},
	} {
		if err := p.Convert(f); !errors.Is(err, ErrSize) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func BenchmarkConvert(b *testing.B) {
	for _, size := range [][2]int{{640, 360}, {1280, 720}, {1920, 1080}} {
		w, h := size[0], size[1]
		f := randomFrame(rand.New(rand.NewPCG(3, 4)), w, h, 4*w)
		p, _ := NewPicture(w, h)
		for _, impl := range []struct {
			name string
			run  func(*Picture, Frame)
		}{{"best", convert}, {"plain", convertPlainC}, {"go", convertGo}} {
			b.Run(fmt.Sprintf("%dx%d/%s", w, h, impl.name), func(b *testing.B) {
				b.SetBytes(int64(4 * w * h))
				for b.Loop() {
					impl.run(p, f)
				}
			})
		}
	}
}
