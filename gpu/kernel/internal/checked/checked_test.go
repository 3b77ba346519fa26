package checked

import (
	"math/rand/v2"
	"testing"

	"github.com/framemesh/framemesh/gpu/kernel/internal/plain"
)

// watch fails the test with the operation that left its range.
func watch(t *testing.T, what string, args ...any) {
	if r := recover(); r != nil {
		o, ok := r.(Overflow)
		if !ok {
			panic(r)
		}
		t.Fatalf("%s %v: %v", what, args, o)
	}
}

func words(r *rand.Rand) (w [8]uint32) {
	for i := range w {
		w[i] = r.Uint32()
	}
	return w
}

// Every size that rp-1 allows has its edges here: the narrowest, widest, flattest and
// highest frames, few and many samples, the pixels of the corners among them.
func TestNoOverflowInFrames(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	shapes := [][3]uint32{{16, 16, 1}, {16, 16, 4096}, {64, 64, 4}, {64, 64, 16}, {128, 128, 16}, {256, 256, 16}, {512, 512, 16},
		{1024, 1024, 16}, {1024, 1024, 64}, {4096, 16, 3}, {4096, 4096, 2}, {2032, 1008, 5}, {4080, 4080, 8}, {48, 32, 7}}
	for n := range 420 {
		s := shapes[n%len(shapes)]
		w := words(r)
		if n < 8 { // seeds that look least like random ones
			w = [8]uint32{0: uint32(n) - 4}
		}
		sc, pl := Scene(w), plain.Scene(w)
		pixels := [][2]uint32{{0, 0}, {s[0] - 1, 0}, {0, s[1] - 1}, {s[0] - 1, s[1] - 1}, {s[0] / 2, s[1] / 2}}
		for len(pixels) < 64 {
			pixels = append(pixels, [2]uint32{r.Uint32N(s[0]), r.Uint32N(s[1])})
		}
		if s[2] > 64 {
			pixels = pixels[:6]
		}
		for _, p := range pixels {
			func() {
				defer watch(t, "frame", w, s, p)
				c, f := Pixel(w, &sc, s[0], s[1], s[2], p[0], p[1])
				if pc, pf := plain.Pixel(w, &pl, s[0], s[1], s[2], p[0], p[1]); c != pc || f != pf {
					t.Fatalf("the checked copy computes something else: %v %v %v", w, s, p)
				}
			}()
		}
	}
}

// direction returns a vector that norm can return, the longest it can among them.
func direction(r *rand.Rand) Vec {
	span := []int32{37, 38, 64, 65, 66, 130, 1000, 12000, 24576}[r.IntN(9)]
	v := Vec{r.Int32N(2*span+1) - span, r.Int32N(2*span+1) - span, r.Int32N(2*span+1) - span}
	switch r.IntN(8) {
	case 0:
		v = Vec{span, span, span}
	case 1:
		v = Vec{-span, span, -span}
	case 2:
		v = Vec{64, 11, 2} // 64² + 125: as far above its root as can be
	case 3:
		v = Vec{-64, -8, -8}
	}
	return norm(v)
}

func corner(r *rand.Rand, lo, hi int32) int32 {
	switch r.IntN(4) {
	case 0:
		return lo
	case 1:
		return hi
	}
	return lo + r.Int32N(hi-lo+1)
}

// Rays that no frame has: from and to the corners of the room, past spheres in the
// corners of what scenes can be, in every direction that norm can return.
func TestNoOverflowAtTheLimits(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	longest := int64(0)
	for range 60_000 {
		var sc [spheres]Sphere
		for i := range sc {
			sc[i] = Sphere{Centre: Vec{corner(r, -7000, 6999), corner(r, -1500, 3499), corner(r, -5000, 8999)}, Radius: corner(r, 300, 1499)}
		}
		o := Vec{corner(r, -12288, 12287), corner(r, -2048, 8191), corner(r, -12288, 12287)}
		func() {
			d, n := direction(r), direction(r)
			defer watch(t, "ray", o, d, n, sc)
			longest = max(longest, int64(d.X)*int64(d.X)+int64(d.Y)*int64(d.Y)+int64(d.Z)*int64(d.Z))
			dist, id := Hit(&sc, o, d)
			if dist <= 8 || dist > farthest || (id == missID) != (dist == farthest) {
				t.Fatalf("distance %d to %d", dist, id)
			}
			p := Land(o, d, dist)
			Land(o, d, farthest)
			if p.X < -12288 || p.X > 12287 || p.Y < -2048 || p.Y > 8191 || p.Z < -12288 || p.Z > 12287 {
				t.Fatalf("landed outside the room: %v", p)
			}
			for i := range sc {
				norm(minus(p, sc[i].Centre))
			}
			Mirror(d, n)
			Mirror(d, d)
			Mirror(d, Vec{neg(d.X), neg(d.Y), neg(d.Z)})
			Scatter(n, r.Uint32(), r.Uint32())
			Scatter(n, 0, 0)
			Scatter(n, 1<<32-1, 1<<32-1)
		}()
	}
	// the bound that the specification's reasoning stands on: 16384²·(1 + 2/64)
	if longest != 276_824_064 {
		t.Errorf("the longest direction met is √%d, not √276824064", longest)
	}
}

func TestOverflowIsSeen(t *testing.T) {
	for name, f := range map[string]func(){
		"sum":        func() { add(1<<30, 1<<30) },
		"difference": func() { sub(-1<<31, 1) },
		"product":    func() { mul(1<<16, 1<<15) },
		"negation":   func() { neg(-1 << 31) },
		"quotient":   func() { quo(5, -16) },
		"signed":     func() { signed(1 << 31) },
		"unsigned":   func() { unsigned(-1) },
		"shift":      func() { shr(1, 32) },
	} {
		func() {
			defer func() {
				if o, ok := recover().(Overflow); !ok || o.Op != name || o.Error() == "" {
					t.Errorf("%s passed unseen: %v", name, o)
				}
			}()
			f()
		}()
	}
}
