package kernel

import (
	"errors"
	"math"
	"testing"
	"time"
)

func TestSizes(t *testing.T) {
	all := Sizes()
	for i, s := range all {
		if err := s.Validate(); err != nil {
			t.Error(err)
		}
		if i > 0 && s.Samples() != 4*all[i-1].Samples() {
			t.Errorf("class %d has not four times the samples of the one before", i)
		}
	}
	for _, s := range []Size{{}, {16, 0, 1}, {0, 16, 1}, {17, 16, 1}, {16, 8, 1}, {16, 32, 1}, {4112, 16, 1}, {16, 16, 0}, {16, 16, 4097}, {math.MaxUint32, math.MaxUint32, 1}} {
		if err := s.Validate(); !errors.Is(err, ErrSize) {
			t.Errorf("%s: %v", s, err)
		}
	}
	Sizes()[0].SPP = 99
	if Sizes()[0].SPP == 99 {
		t.Error("the frozen table can be changed")
	}
}

func TestClass(t *testing.T) {
	for _, c := range []struct {
		rate, ms uint64
		want     int
	}{{0, 10_000, 0}, {10_000_000, 10_000, 3}, {10_000_000, 1_000, 2}, {80_000_000, 10_000, 4}, {1_000_000_000, 10_000, 6}, {5_000_000_000, 10_000, 7}, {1 << 60, 10_000, 7}, {10_000_000, 0, 0}} {
		if got := Class(c.rate, c.ms); got != c.want {
			t.Errorf("%d samples/s for %d ms: class %d, want %d", c.rate, c.ms, got, c.want)
		}
	}
}

// The tree of every number of tiles, each path, and no path of another tile or tree.
func TestPaths(t *testing.T) {
	for n := uint32(1); n <= 40; n++ {
		leaves := make([][32]byte, n)
		for i := range leaves {
			leaves[i] = Leaf(uint32(i), &[TileWords]uint32{n})
		}
		tree := NewTree(leaves)
		for i := range n {
			p := tree.Path(i)
			if len(p) != PathLen(n, i) || tree.Leaf(i) != leaves[i] {
				t.Fatalf("tile %d of %d: %d siblings, %d foretold", i, n, len(p), PathLen(n, i))
			}
			if err := VerifyPath(tree.Root(), n, i, leaves[i], p); err != nil {
				t.Fatal(err)
			}
			for j := range n + 2 {
				if j != i && VerifyPath(tree.Root(), n, j, leaves[i], p) == nil {
					t.Fatalf("the path of tile %d of %d also proves tile %d", i, n, j)
				}
			}
			if VerifyPath(tree.Root(), n, i, leaves[i], append(p[:len(p):len(p)], leaves[0])) == nil {
				t.Fatal("a sibling too many is taken")
			}
			if len(p) > 0 && VerifyPath(tree.Root(), n, i, leaves[i], p[1:]) == nil {
				t.Fatal("a sibling too few is taken")
			}
		}
	}
	if err := VerifyPath([32]byte{}, 0, 0, [32]byte{}, nil); !errors.Is(err, ErrRange) {
		t.Error(err)
	}
}

// Seeds of different things never meet, whatever their parts.
func TestSeedsDiffer(t *testing.T) {
	a, b := [32]byte{1}, [32]byte{2}
	seen := map[[32]byte]int{}
	for i, s := range [][32]byte{First(a, b), First(b, a), Next(a, b, a, 1), Next(a, b, a, 2), Next(a, b, b, 1), Next(b, a, a, 1),
		RootsRoot(nil), RootsRoot([][32]byte{a}), RootsRoot([][32]byte{a, b}), RootsRoot([][32]byte{b, a}), Leaf(0, &[TileWords]uint32{}), Leaf(1, &[TileWords]uint32{}), node(&a, &b), node(&b, &a)} {
		if j, ok := seen[s]; ok {
			t.Errorf("%d and %d are the same", i, j)
		}
		seen[s] = i
	}
}

// Each of the eight words of a seed changes the picture and the fold of a tile.
func TestEveryBitOfTheSeedCounts(t *testing.T) {
	var want, got [TileWords]uint32
	size := Size{64, 64, 1}
	RenderTile(size, Seed{}, 5, &want)
	for bit := range 256 {
		s := Seed{}
		s[bit/8] ^= 1 << (bit % 8)
		RenderTile(size, s, 5, &got)
		same := 0
		for i := 1; i < TileWords; i += 2 {
			if got[i] == want[i] {
				same++
			}
		}
		if same > 224 {
			t.Errorf("bit %d leaves %d of 256 folds as they were", bit, same)
		}
	}
}

// χ² of 60,000 picks over 100 tiles; 99 degrees of freedom, so 160 is six deviations
// off. The draw is fixed, so that this either always passes or never.
func TestPicksAreEven(t *testing.T) {
	var count [100]int
	n := 0
	for i := range 6000 {
		ps := Pick([32]byte{byte(i), byte(i >> 8)}, [32]byte{7}, 10, 10, 10)
		seen := map[Picked]bool{}
		for _, p := range ps {
			if p.Frame >= 10 || p.Tile >= 10 || seen[p] {
				t.Fatalf("%v", p)
			}
			seen[p] = true
			count[p.Frame*10+p.Tile]++
			n++
		}
	}
	chi := 0.0
	for _, c := range count {
		d := float64(c) - float64(n)/100
		chi += d * d / (float64(n) / 100)
	}
	if n != 60_000 || chi > 160 {
		t.Errorf("χ² is %.1f over %d picks", chi, n)
	}
}

func TestPickAtItsLimits(t *testing.T) {
	if p := Pick([32]byte{}, [32]byte{}, 0, 5, 3); p != nil {
		t.Error(p)
	}
	if p := Pick([32]byte{}, [32]byte{}, 5, 0, 3); p != nil {
		t.Error(p)
	}
	if p := Pick([32]byte{}, [32]byte{}, 5, 5, -1); p != nil {
		t.Error(p)
	}
	if p := Pick([32]byte{}, [32]byte{}, 5, 5, 1<<30); len(p) != 25 {
		t.Errorf("%d of 25", len(p))
	}
	if p := Pick([32]byte{}, [32]byte{}, 1<<20, 1<<20, 1<<30); len(p) != MaxPicks {
		t.Errorf("%d, not %d", len(p), MaxPicks)
	}
}

func TestRP(t *testing.T) {
	for _, c := range []struct {
		samples uint64
		d       time.Duration
		want    uint64
	}{
		{Reference * 10, 10 * time.Second, 100_000},
		{Reference, 2 * time.Second, 50_000},
		{0, time.Second, 0},
		{1, time.Hour, 0},
		{99_999, 10 * time.Second, 99},
		{Reference, 0, 100_000_000}, // less than a millisecond counts as one
		{Reference, -time.Second, 100_000_000},
		{math.MaxUint64, time.Millisecond, math.MaxUint64},
		{1 << 62, math.MaxInt64, 25_000_000}, // 292 years count as 58
	} {
		if got := RP(c.samples, c.d); got != c.want {
			t.Errorf("%d samples in %v: %d, want %d", c.samples, c.d, got, c.want)
		}
	}
}

type named struct{ Backend }

func (named) Device() string { return "the device" }

func TestCheck(t *testing.T) {
	b := twin(t)
	if err := Check(b); err != nil {
		t.Fatal(err)
	}
	one := 0
	for name, c := range map[string]struct {
		b    Backend
		want error
	}{
		"no shaders":      {faker{b, func(uint32) bool { return true }}, ErrEmpty},
		"a tile wrong":    {faker{b, func(tile uint32) bool { return tile == 60 }}, ErrWrong},
		"lost":            {failing{b, 1, &one}, errLost},
		"nothing written": {idle{b}, ErrEmpty},
	} {
		if err := Check(named{c.b}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}
