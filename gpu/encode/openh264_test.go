//go:build cgo

package encode

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// scroll draws a moving picture of large flat shapes, as games do.
func scroll(pix []byte, w, h, n int) Frame {
	for y := range h {
		row := pix[4*w*y:][: 4*w : 4*w]
		for x := range w {
			v := byte(((x+2*n)>>4 ^ y>>4) * 16)
			row[4*x], row[4*x+1], row[4*x+2] = v, byte(x/3), byte(y/2)
		}
	}
	return Frame{Pix: pix, Width: w, Height: h, Stride: 4 * w}
}

// noise draws what no encoder can predict.
func noise(pix []byte, w, h int, r *rand.Rand) Frame {
	for i := 0; i+8 <= len(pix); i += 8 {
		v := r.Uint64()
		for k := range 8 {
			pix[i+k] = byte(v >> (8 * k))
		}
	}
	return Frame{Pix: pix, Width: w, Height: h, Stride: 4 * w}
}

func open(t testing.TB, w, h, bitrate int) Video {
	t.Helper()
	v, err := Open(Options{Width: w, Height: h, FPS: 60, Bitrate: bitrate})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

// nals lists the NAL unit types of an access unit.
func nals(au []byte) (types []int) {
	for i := 0; i+3 < len(au); i++ {
		if au[i] == 0 && au[i+1] == 0 && au[i+2] == 1 {
			types = append(types, int(au[i+3]&31))
			i += 3
		}
	}
	return types
}

func TestKeyFramesComeOnlyWhenAskedFor(t *testing.T) {
	const w, h = 320, 180
	v := open(t, w, h, 2_000_000)
	pix := make([]byte, 4*w*h)
	for n := range 120 {
		if n == 30 || n == 77 {
			v.ForceKeyframe()
		}
		if n == 50 {
			if err := v.SetBitrate(500_000); err != nil {
				t.Fatal(err)
			}
		}
		u, err := v.Encode(scroll(pix, w, h, n))
		if err != nil {
			t.Fatal(err)
		}
		want := n == 0 || n == 30 || n == 77
		types := nals(u.Data)
		if u.Key != want {
			t.Fatalf("picture %d: key %v, NAL units %v", n, u.Key, types)
		}
		switch {
		case want && fmt.Sprint(types) != "[7 8 5]":
			t.Fatalf("key frame %d has NAL units %v, want its parameter sets and one slice", n, types)
		case !want && len(types) > 0 && fmt.Sprint(types) != "[1]":
			t.Fatalf("picture %d has NAL units %v, want one slice", n, types)
		}
	}
}

func TestStreamIsConstrainedBaseline(t *testing.T) {
	const w, h = 320, 180
	u, err := open(t, w, h, 1_000_000).Encode(scroll(make([]byte, 4*w*h), w, h, 0))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+6 < len(u.Data); i++ {
		if u.Data[i] == 0 && u.Data[i+1] == 0 && u.Data[i+2] == 1 && u.Data[i+3]&31 == 7 {
			if profile, constraints := u.Data[i+4], u.Data[i+5]; profile != 66 || constraints&0x40 == 0 {
				t.Fatalf("profile %d, constraints %#x", profile, constraints)
			}
			return
		}
	}
	t.Fatal("no sequence parameter set")
}

func TestBitrateHoldsOnNoise(t *testing.T) {
	const w, h, fps = 320, 180, 60
	v := open(t, w, h, 2_000_000)
	r := rand.New(rand.NewPCG(5, 6))
	pix := make([]byte, 4*w*h)
	for _, target := range []int{2_000_000, 600_000, 3_000_000} {
		if err := v.SetBitrate(target); err != nil {
			t.Fatal(err)
		}
		var bytes, shown int
		for n := range 5 * fps {
			u, err := v.Encode(noise(pix, w, h, r))
			if err != nil {
				t.Fatal(err)
			}
			if n >= fps { // one second to settle
				bytes += len(u.Data)
				shown += int(bit(len(u.Data) > 0))
			}
		}
		rate := bytes * 8 / 4
		if rate > target*6/5 || rate < target*3/5 {
			t.Errorf("asked for %d bit/s, got %d", target, rate)
		}
		if shown < 4 { // of four seconds
			t.Errorf("%d pictures in four seconds at %d bit/s", shown, target)
		}
	}
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func TestForcedKeyFrameIsNeverLeftOut(t *testing.T) {
	const w, h = 320, 180
	v := open(t, w, h, 100_000)
	r := rand.New(rand.NewPCG(7, 8))
	pix := make([]byte, 4*w*h)
	empty := false
	for range 60 {
		u, err := v.Encode(noise(pix, w, h, r))
		if err != nil {
			t.Fatal(err)
		}
		if len(u.Data) == 0 {
			empty = true
			break
		}
	}
	if !empty {
		t.Fatal("no picture was left out at 100 kbit/s of noise: the test tests nothing")
	}
	v.ForceKeyframe()
	if u, err := v.Encode(noise(pix, w, h, r)); err != nil || !u.Key {
		t.Fatalf("key %v, err %v", u.Key, err)
	}
}

func TestAnyBitrateCodesNoise(t *testing.T) {
	const w, h = 160, 120
	r := rand.New(rand.NewPCG(9, 10))
	pix := make([]byte, 4*w*h)
	for _, rate := range []int{0, 1, 12_000_000, 1 << 30} {
		v := open(t, w, h, 4_000_000)
		if err := v.SetBitrate(rate); err != nil {
			t.Fatal(err)
		}
		for n := range 60 {
			if _, err := v.Encode(noise(pix, w, h, r)); err != nil {
				t.Fatalf("picture %d at %d bit/s: %v", n, rate, err)
			}
		}
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	for name, o := range map[string]Options{
		"odd":     {Width: 321, Height: 180, FPS: 60},
		"nothing": {},
		"slow":    {Width: 320, Height: 180, FPS: 60, Bitrate: 5},
	} {
		if _, err := Open(o); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	if _, err := Open(Options{Width: 320, Height: 180, FPS: 60, Name: "nvenc"}); !errors.Is(err, ErrNoEncoder) {
		t.Error(err)
	}
	v := open(t, 320, 180, 0)
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Error("closing twice:", err)
	}
	if _, err := v.Encode(scroll(make([]byte, 4*320*180), 320, 180, 0)); !errors.Is(err, ErrClosed) {
		t.Error("after Close:", err)
	}
}

func TestProbeCodesAPicture(t *testing.T) {
	ok := 0
	for _, p := range Probe(context.Background(), time.Now) {
		if p.Err == nil {
			ok++
		}
	}
	if ok == 0 {
		t.Fatal("no encoder works")
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, size := range [][2]int{{640, 360}, {1280, 720}} {
		w, h := size[0], size[1]
		b.Run(fmt.Sprintf("%dx%d", w, h), func(b *testing.B) {
			v := open(b, w, h, 4_000_000)
			var pics []*Picture
			for n := range 8 {
				p, _ := NewPicture(w, h)
				if err := p.Convert(scroll(make([]byte, 4*w*h), w, h, n)); err != nil {
					b.Fatal(err)
				}
				pics = append(pics, p)
			}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				if _, err := v.EncodePicture(pics[n%8]); err != nil {
					b.Fatal(err)
				}
				n++
			}
		})
	}
}
