//go:build cgo

package decode_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/framemesh/framemesh/gpu/cell"
	"github.com/framemesh/framemesh/gpu/decode"
	"github.com/framemesh/framemesh/gpu/encode"
)

func open(t testing.TB) decode.Decoder {
	t.Helper()
	d, err := decode.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func encoder(t testing.TB, w, h, bitrate int) encode.Video {
	t.Helper()
	v, err := encode.Open(encode.Options{Width: w, Height: h, FPS: 60, Bitrate: bitrate})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	return v
}

// game fills a picture with moving shapes and, from its seed, grain that costs bits.
func game(p *encode.Picture, n int, grain *rand.Rand) {
	for y := range p.Height {
		row := p.Y[y*p.Width:][:p.Width]
		for x := range row {
			row[x] = byte(16 + ((x+3*n)>>4^(y+n)>>3)*9%200)
			if grain != nil && x%4 == 0 {
				row[x] += byte(grain.IntN(24))
			}
		}
	}
	for i := range p.Cb {
		p.Cb[i], p.Cr[i] = byte(100+n%50), byte(i/7)
	}
}

func luma(p *encode.Picture) cell.Luma {
	return cell.Luma{Y: p.Y, Width: p.Width, Height: p.Height, Stride: p.Width}
}

// A strip lives through the coder at all bitrates at which it counts, also in busy pictures,
// in the first of its two pictures or the second; below that mostly.
func TestStripsSurviveTheCoder(t *testing.T) {
	for _, c := range []struct{ w, h, bitrate, least int }{
		{640, 360, 250_000, 6}, {640, 360, 500_000, 8}, {640, 360, 1_000_000, 8}, {640, 360, 4_000_000, 8}, {1280, 720, 2_000_000, 8}, {320, 320, 300_000, 8},
	} {
		t.Run(fmt.Sprintf("%dx%d at %d", c.w, c.h, c.bitrate), func(t *testing.T) {
			v, d := encoder(t, c.w, c.h, c.bitrate), open(t)
			p, err := encode.NewPicture(c.w, c.h)
			if err != nil {
				t.Fatal(err)
			}
			grain := rand.New(rand.NewPCG(1, 2))
			asked, seen, chance, shown := 0, 0, 0, 0
			var code uint32
			found := false
			for n := range 240 {
				game(p, n, grain)
				if n%30 == 10 {
					code, shown, found = cell.Code([]byte("owner"), [8]byte{byte(n)}), cell.Frames, false
					asked++
				}
				with := shown > 0
				if with && !cell.Draw(luma(p), p.Cb, p.Cr, code) {
					t.Fatal("the strip does not fit")
				}
				u, err := v.EncodePicture(p)
				if err != nil {
					t.Fatal(err)
				}
				if len(u.Data) == 0 {
					continue // left out for the bitrate: the strip waits for the next
				}
				l, ok, err := d.Decode(u.Data)
				if err != nil || !ok {
					t.Fatalf("picture %d: %v %v", n, ok, err)
				}
				if l.Width != c.w || l.Height != c.h {
					t.Fatalf("%d×%d", l.Width, l.Height)
				}
				read, ok := cell.Read(l)
				hit := ok && cell.Matches(read, code)
				switch {
				case with && hit && !found:
					found = true
					seen++
				case !with && hit && code != 0 && n%30 > 20:
					chance++
				}
				if with {
					shown--
				}
			}
			if seen < c.least || asked != 8 || chance != 0 {
				t.Errorf("%d of %d strips read, %d where there was none", seen, asked, chance)
			}
		})
	}
}

// What is decoded is what was coded, within the coder's loss.
func TestPicturesComeBack(t *testing.T) {
	v, d := encoder(t, 320, 180, 2_000_000), open(t)
	p, _ := encode.NewPicture(320, 180)
	for n := range 30 {
		game(p, n, nil)
		u, err := v.EncodePicture(p)
		if err != nil {
			t.Fatal(err)
		}
		if len(u.Data) == 0 {
			continue
		}
		l, ok, err := d.Decode(u.Data)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		off := 0
		for y := range 180 {
			for x := range 320 {
				off += max(int(l.Y[y*l.Stride+x])-int(p.Y[y*320+x]), int(p.Y[y*320+x])-int(l.Y[y*l.Stride+x]))
			}
		}
		if mean := float64(off) / (320 * 180); mean > 12 {
			t.Errorf("picture %d: luma off by %.1f on average", n, mean)
		}
		if dist := cell.Distance(cell.Hash(l), cell.Hash(luma(p))); dist > 8 {
			t.Errorf("picture %d: hashes differ in %d bits", n, dist)
		}
	}
}

func TestWhatIsNoPicture(t *testing.T) {
	d := open(t)
	if _, ok, err := d.Decode(nil); ok || err != nil {
		t.Error(ok, err)
	}
	for _, b := range [][]byte{{1, 2, 3}, {0, 0, 0, 1, 0x67, 1}, {0, 0, 1, 0x41, 9, 9, 9}} {
		if _, ok, _ := d.Decode(b); ok {
			t.Errorf("%x is a picture", b)
		}
	}
	if err := errors.Join(d.Close(), d.Close()); err != nil {
		t.Error(err)
	}
	if _, _, err := d.Decode([]byte{1}); !errors.Is(err, decode.ErrClosed) {
		t.Error(err)
	}
}

func BenchmarkDecode(b *testing.B) {
	v, d := encoder(b, 640, 360, 4_000_000), open(b)
	p, _ := encode.NewPicture(640, 360)
	n := 0
	for b.Loop() {
		b.StopTimer()
		game(p, n, nil)
		n++
		u, err := v.EncodePicture(p)
		if err != nil {
			b.Fatal(err)
		}
		au := append([]byte(nil), u.Data...)
		b.StartTimer()
		l, ok, _ := d.Decode(au)
		if ok {
			cell.Hash(l)
			cell.Read(l)
		}
	}
}
