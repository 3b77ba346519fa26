package player

import (
	"slices"
	"testing"
	"time"

	"github.com/framemesh/framemesh/stream/input"
)

// Ten minutes of a person: keys go down and up again, never all at once, with the times that
// people need and with rests.
func TestAPersonPlays(t *testing.T) {
	p, s := newPerson(1), input.State{}
	var total time.Duration
	var waits []time.Duration
	presses, rests := 0, 0
	for total < 10*time.Minute {
		idle := s.Idle()
		d := p.next(&s)
		if d < quickest || d > longest {
			t.Fatalf("a move takes %v", d)
		}
		held := 0
		for k := range 0x60 {
			if s.Held(uint8(k)) {
				held++
			}
		}
		if held > 2 {
			t.Fatalf("%d keys at once", held)
		}
		if !s.Idle() && (idle || held == 2) {
			presses++
		}
		if s.Idle() && d > 700*time.Millisecond {
			rests++
		}
		total += d
		waits = append(waits, d)
	}
	slices.Sort(waits)
	if perSecond := float64(presses) / total.Seconds(); perSecond < 0.8 || perSecond > 4 {
		t.Errorf("%.1f keys a second", perSecond)
	}
	if rests < 20 || rests > 200 {
		t.Errorf("%d rests in ten minutes", rests)
	}
	if m := waits[len(waits)/2]; m < 90*time.Millisecond || m > 300*time.Millisecond {
		t.Errorf("median of %v", m)
	}
	other := newPerson(2)
	var a, b input.State
	p = newPerson(1)
	same := 0
	for range 100 {
		if p.next(&a) == other.next(&b) {
			same++
		}
	}
	if same > 5 {
		t.Errorf("two people move alike %d times in 100", same)
	}
}

func TestCellsAreAskedForAsPagesDo(t *testing.T) {
	for _, r := range []float64{0, 0.5, 0.999} {
		if d := cellAfter(true, r); d < 3*time.Second || d > 20*time.Second {
			t.Errorf("first after %v", d)
		}
		if d := cellAfter(false, r); d < 5*time.Minute || d > 10*time.Minute {
			t.Errorf("next after %v", d)
		}
	}
}

func TestQuantile(t *testing.T) {
	w := []time.Duration{40 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond, 300 * time.Microsecond}
	if quantile(nil, 0.5) != 0 || quantile(w, 0.5) != 20 || quantile(w, 0.95) != 40 || quantile(w, 0) != 1 {
		t.Error(quantile(w, 0.5), quantile(w, 0.95), quantile(w, 0))
	}
}
