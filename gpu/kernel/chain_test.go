package kernel

import (
	"context"
	"errors"
	"slices"
	"testing"
)

var small = Size{32, 32, 1}

// faker skips some tiles of each frame, as one does who wants more frames.
type faker struct {
	Backend
	skip func(tile uint32) bool
}

func (f faker) Render(ctx context.Context, size Size, seed Seed, out []uint32) error {
	err := f.Backend.Render(ctx, size, seed, out)
	for t := range size.Tiles() {
		if f.skip(t) {
			clear(out[t*TileWords : (t+1)*TileWords])
		}
	}
	return err
}

// idle leaves the buffer as it was.
type idle struct{ Backend }

func (idle) Render(context.Context, Size, Seed, []uint32) error { return nil }

func twin(t testing.TB) *Twin {
	c := CPU(2)
	t.Cleanup(func() { c.Close() })
	return c
}

func TestChainOpensWhatItCommitted(t *testing.T) {
	var told [][32]byte
	c, err := Run(t.Context(), twin(t), small, [32]byte{1}, [32]byte{2}, 5, func(n uint32, root [32]byte) {
		if int(n) != len(told) {
			t.Errorf("frame %d told after %d others", n, len(told))
		}
		told = append(told, root)
	})
	if err != nil || !slices.Equal(told, c.Roots()) || len(told) != 5 || c.Samples() != 5*small.Samples() || c.Commitment() != RootsRoot(told) {
		t.Fatal(err, len(told), c.Samples())
	}
	picks := Pick([32]byte{3}, c.Commitment(), 5, small.Tiles(), 20)
	if len(picks) != 20 {
		t.Fatalf("%d tiles, not all 20", len(picks))
	}
	items, err := c.Open(t.Context(), picks)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Audit([32]byte{9}, small, [32]byte{1}, [32]byte{2}, told, picks, items)
	if err != nil || len(f.Bad) > 0 {
		t.Fatal(err, f.Bad)
	}
	seeds := make([]Seed, len(picks))
	for i, p := range picks {
		seeds[i] = SeedOf([32]byte{1}, [32]byte{2}, told, p.Frame)
	}
	if f.Work != Work([32]byte{9}, small, seeds, picks) {
		t.Error("the audit's digest is not that of its tiles")
	}
	if f.Work == Work([32]byte{8}, small, seeds, picks) {
		t.Error("two checkers have one digest")
	}
	// another container cannot show them as its own
	f, err = Audit([32]byte{9}, small, [32]byte{1}, [32]byte{3}, told, picks, items)
	if err != nil || len(f.Bad) != len(picks) {
		t.Errorf("%v, %d tiles of another's chain are bad, not all", err, len(f.Bad))
	}
	for _, p := range []Picked{{5, 0}, {0, small.Tiles()}} {
		if _, err := c.Open(t.Context(), []Picked{p}); !errors.Is(err, ErrRange) {
			t.Errorf("%v: %v", p, err)
		}
	}
}

func TestFramesBeyondTheMemoryAreRenderedAgain(t *testing.T) {
	b := twin(t)
	c, err := Run(t.Context(), b, small, [32]byte{1}, [32]byte{2}, 4, nil)
	if err != nil {
		t.Fatal(err)
	}
	picks := []Picked{{0, 1}, {3, 2}, {3, 0}, {2, 3}}
	want, err := c.Open(t.Context(), picks)
	if err != nil {
		t.Fatal(err)
	}
	c.leaves = c.leaves[:1]
	got, err := c.Open(t.Context(), picks)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if got[i].Leaf != want[i].Leaf || !slices.Equal(got[i].Siblings, want[i].Siblings) {
			t.Errorf("opening %d differs", i)
		}
	}
	c.backend = faker{b, func(tile uint32) bool { return tile == 3 }}
	if _, err := c.Open(t.Context(), picks); !errors.Is(err, ErrWrong) {
		t.Errorf("a device that does not repeat itself: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Open(ctx, picks); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want the context's error", err)
	}
}

func TestSkippedTilesAreFound(t *testing.T) {
	c, err := Run(t.Context(), faker{twin(t), func(tile uint32) bool { return tile == 2 }}, small, [32]byte{1}, [32]byte{2}, 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	picks := Pick([32]byte{3}, c.Commitment(), 3, small.Tiles(), 12)
	items, err := c.Open(t.Context(), picks)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Audit([32]byte{9}, small, [32]byte{1}, [32]byte{2}, c.Roots(), picks, items)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Bad) != 3 {
		t.Fatalf("%d bad tiles, not 3", len(f.Bad))
	}
	for _, p := range f.Bad {
		if p.Tile != 2 {
			t.Errorf("%v is right and called bad", p)
		}
	}
}

func TestMalformedOpeningsAreNoVerdict(t *testing.T) {
	c, err := Run(t.Context(), twin(t), Size{48, 48, 1}, [32]byte{1}, [32]byte{2}, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	size := c.Size()
	picks := []Picked{{0, 4}, {1, 8}}
	for name, spoil := range map[string]struct {
		want error
		do   func(items []Opening) []Opening
	}{
		"one too few":       {ErrRange, func(o []Opening) []Opening { return o[:1] }},
		"one too many":      {ErrRange, func(o []Opening) []Opening { return append(o, o[0]) }},
		"swapped":           {ErrRange, func(o []Opening) []Opening { return []Opening{o[1], o[0]} }},
		"another leaf":      {ErrPath, func(o []Opening) []Opening { o[0].Leaf[0] ^= 1; return o }},
		"a sibling":         {ErrPath, func(o []Opening) []Opening { o[1].Siblings[0][31] ^= 1; return o }},
		"no siblings":       {ErrPath, func(o []Opening) []Opening { o[0].Siblings = nil; return o }},
		"a sibling more":    {ErrPath, func(o []Opening) []Opening { o[0].Siblings = append(o[0].Siblings, [32]byte{}); return o }},
		"inner as leaf":     {ErrPath, func(o []Opening) []Opening { o[0].Leaf = o[0].Siblings[0]; return o }},
		"thousands of them": {ErrPath, func(o []Opening) []Opening { o[0].Siblings = make([][32]byte, 5000); return o }},
	} {
		items, err := c.Open(t.Context(), picks)
		if err != nil {
			t.Fatal(err)
		}
		f, err := Audit([32]byte{9}, size, [32]byte{1}, [32]byte{2}, c.Roots(), picks, spoil.do(items))
		if !errors.Is(err, spoil.want) || len(f.Bad) > 0 || f.Work != ([32]byte{}) {
			t.Errorf("%s: %v, want %v", name, err, spoil.want)
		}
	}
	o := Opening{Picked: Picked{2, 0}}
	if err := o.Verify(size, c.Roots()); !errors.Is(err, ErrRange) {
		t.Error(err)
	}
	if err := o.Verify(Size{1, 1, 1}, c.Roots()); !errors.Is(err, ErrSize) {
		t.Error(err)
	}
}

func TestChainEndsWithItsTime(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c, err := Run(ctx, twin(t), small, [32]byte{1}, [32]byte{2}, MaxFrames, func(n uint32, _ [32]byte) {
		if n == 6 {
			cancel()
		}
	})
	if err != nil || len(c.Roots()) != 7 {
		t.Fatalf("%v, %d frames, want the 7 whole ones", err, len(c.Roots()))
	}
	for _, limit := range []int{0, -1, MaxFrames + 1} {
		if _, err := Run(t.Context(), twin(t), small, [32]byte{}, [32]byte{}, limit, nil); !errors.Is(err, ErrRange) {
			t.Errorf("%d frames: %v", limit, err)
		}
	}
	if _, err := Run(t.Context(), twin(t), Size{8, 8, 1}, [32]byte{}, [32]byte{}, 1, nil); !errors.Is(err, ErrSize) {
		t.Error(err)
	}
}

type failing struct {
	Backend
	after int
	n     *int
}

var errLost = errors.New("device lost")

func (f failing) Render(ctx context.Context, size Size, seed Seed, out []uint32) error {
	if *f.n++; *f.n > f.after {
		return errLost
	}
	return f.Backend.Render(ctx, size, seed, out)
}

func TestChainOfADeviceThatIsLost(t *testing.T) {
	c, err := Run(t.Context(), failing{twin(t), 2, new(int)}, small, [32]byte{1}, [32]byte{2}, 9, nil)
	if !errors.Is(err, errLost) || len(c.Roots()) != 2 {
		t.Fatalf("%v, %d frames", err, len(c.Roots()))
	}
	if _, err := c.Open(t.Context(), []Picked{{1, 0}}); err != nil {
		t.Error("what was rendered before cannot be opened:", err)
	}
}

func TestTwinIsOneForAnyNumberOfWorkers(t *testing.T) {
	size := Size{80, 48, 3}
	want := make([]uint32, size.Words())
	for tile := range size.Tiles() {
		RenderTile(size, Seed{5}, tile, (*[TileWords]uint32)(want[tile*TileWords:]))
	}
	for _, b := range []*Twin{CPU(1), CPU(3, Idle()), CPU(40), CPU(0)} {
		got := make([]uint32, size.Words())
		for range 2 {
			clear(got)
			if err := b.Render(t.Context(), size, Seed{5}, got); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: %v", b.Device(), err)
			}
		}
		if n := testing.AllocsPerRun(3, func() { b.Render(context.Background(), size, Seed{5}, got) }); n > 0 {
			t.Errorf("%s: %v allocations for a frame", b.Device(), n)
		}
		if err := b.Render(t.Context(), size, Seed{}, got[1:]); !errors.Is(err, ErrBuffer) {
			t.Error(err)
		}
		if err := b.Render(t.Context(), Size{}, Seed{}, nil); !errors.Is(err, ErrSize) {
			t.Error(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := b.Render(ctx, size, Seed{}, got); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		for range 2 {
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
