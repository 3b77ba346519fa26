package cell

import (
	"math/rand/v2"
	"testing"
)

func picture(w, h int) (l Luma, cb, cr []byte) {
	l = Luma{Y: make([]byte, w*h), Width: w, Height: h, Stride: w}
	for i := range l.Y {
		l.Y[i] = byte(16 + i*31%200)
	}
	return l, make([]byte, w/2*(h/2)), make([]byte, w/2*(h/2))
}

func TestWhatIsDrawnIsRead(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, s := range [][2]int{{640, 360}, {1280, 720}, {160, 160 * 2}, {320, 320}, {512, 288}, {4096, 64}} {
		l, cb, cr := picture(s[0], s[1])
		for range 20 {
			code := r.Uint32()
			if !Draw(l, cb, cr, code) {
				t.Fatalf("%v: no room", s)
			}
			if got, ok := Read(l); !ok || got != code {
				t.Fatalf("%v: read %#x (%v), drew %#x", s, got, ok, code)
			}
		}
	}
	for _, s := range [][2]int{{640, 48}, {8, 600}, {32, 32}, {2, 2}} {
		l, cb, cr := picture(s[0], s[1])
		if Draw(l, cb, cr, 1) || Fits(s[0], s[1]) {
			t.Errorf("%v carries a strip", s)
		}
		if _, ok := Read(l); ok {
			t.Errorf("%v is read", s)
		}
	}
}

func TestAPictureWithoutAStripSaysNothing(t *testing.T) {
	l, cb, cr := picture(640, 360)
	for i := range l.Y {
		l.Y[i] = middle
	}
	if _, ok := Read(l); ok {
		t.Error("grey is a code")
	}
	l.Y = l.Y[:1000]
	if _, ok := Read(l); ok || Draw(l, cb, cr, 7) || Hash(l) != 0 {
		t.Error("a plane that is not all there is used")
	}
}

func TestACodeNeedsTheKeyAndTheNonce(t *testing.T) {
	a := Code([]byte("k"), [NonceSize]byte{1})
	if a == Code([]byte("l"), [NonceSize]byte{1}) || a == Code([]byte("k"), [NonceSize]byte{2}) || a != Code([]byte("k"), [NonceSize]byte{1}) {
		t.Error("codes do not follow key and nonce")
	}
	if !Matches(a, a^0b101) || Matches(a, a^0b111) {
		t.Error("two cells may be wrong, three may not")
	}
}

func TestHashMovesWithThePicture(t *testing.T) {
	l, _, _ := picture(640, 360)
	for y := range 360 {
		for x := range 640 {
			l.Y[y*640+x] = byte(40 + x/8)
		}
	}
	still := Hash(l)
	for i := range l.Y {
		l.Y[i] += byte(i % 2) // noise
	}
	if d := Distance(still, Hash(l)); d != 0 {
		t.Errorf("noise moves %d bits", d)
	}
	for y := range 200 {
		for x := range 320 {
			l.Y[y*640+x] = byte(200 - x/2)
		}
	}
	if d := Distance(still, Hash(l)); d < 8 {
		t.Errorf("a third of the picture changed, %d bits moved", d)
	}
}

func BenchmarkHashAndRead(b *testing.B) {
	l, _, _ := picture(1280, 720)
	for b.Loop() {
		Hash(l)
		Read(l)
	}
}

// Planes of any size and form are read without a panic, and drawing stays inside them.
func FuzzLuma(f *testing.F) {
	f.Add(make([]byte, 64*64), 64, 64, 64)
	f.Add([]byte{1, 2, 3}, 1<<40, 7, 1)
	f.Fuzz(func(t *testing.T, b []byte, w, h, stride int) {
		l := Luma{Y: b, Width: w, Height: h, Stride: stride}
		Hash(l)
		Read(l)
		Draw(l, b, b, 5)
	})
}
