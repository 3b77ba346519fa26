package tx

import "testing"

func TestHashesKeepTheLastOnesAndForget(t *testing.T) {
	const size = 10
	h := newHashes(size)
	name := func(i int) [32]byte { return [32]byte{byte(i), byte(i >> 8)} }
	for i := range 1000 {
		h.add(name(i), i%3 == 0)
		for j := max(0, i-size+1); j <= i; j++ {
			if evidence, ok := h.get(name(j)); !ok || evidence != (j%3 == 0) {
				t.Fatalf("after %d, number %d: %v, %v", i, j, evidence, ok)
			}
		}
		if n := len(h.newer) + len(h.older); n > 2*size {
			t.Fatalf("%d are remembered", n)
		}
	}
	if _, ok := h.get(name(0)); ok {
		t.Error("nothing was forgotten")
	}
	h.add(name(999), false)
	if evidence, _ := h.get(name(999)); !evidence && 999%3 == 0 {
		t.Error("a fact was forgotten")
	}
	// A fact moves along when its hash is added again.
	h = newHashes(1)
	h.add(name(1), true)
	h.add(name(2), false)
	h.add(name(1), false)
	if evidence, ok := h.get(name(1)); !ok || !evidence {
		t.Errorf("of the older half: %v, %v", evidence, ok)
	}
}
