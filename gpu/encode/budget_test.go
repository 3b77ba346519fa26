package encode

import "testing"

func TestBudgetHoldsTheRate(t *testing.T) {
	// Pictures of any size, as long as single ones fit: what passes in ten seconds is
	// the rate plus at most the brim and one picture.
	for _, size := range []int{500, 9_000, 60_000} {
		b := newBudget(4_000_000, 60)
		passed := 0
		for range 600 {
			if b.full() {
				b.spend(0)
				continue
			}
			b.spend(size)
			passed += size
		}
		limit := 10*4_000_000/8 + b.brim() + size
		if passed > limit {
			t.Errorf("pictures of %d bytes: %d passed, limit %d", size, passed, limit)
		}
		if want := min(600*size, 10*4_000_000/8*9/10); passed < want {
			t.Errorf("pictures of %d bytes: only %d passed of %d", size, passed, want)
		}
	}
}

func TestBudgetForgivesAHugeKeyFrame(t *testing.T) {
	b := newBudget(1_000_000, 60)
	b.spend(10_000_000)
	n := 0
	for b.full() {
		b.spend(0)
		n++
	}
	if n == 0 || n > 31 {
		t.Fatalf("a huge key frame stops %d pictures, want at most half a second", n)
	}
}
