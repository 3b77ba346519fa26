package light

import (
	"testing"
	"time"
)

// What looks follow from: a clock that the test turns, and no peer.
func TestPace(t *testing.T) {
	t0 := time.UnixMilli(1_780_000_000_000)
	const poll, gap = 2 * time.Second, 200 * time.Millisecond
	after := func(p *pace) time.Duration { return p.next.Sub(p.last) }

	p := newPace(poll, gap, t0)
	for i, want := range []time.Duration{3 * time.Second, 4500 * time.Millisecond, 6750 * time.Millisecond, 10125 * time.Millisecond, 15187500 * time.Microsecond, 16 * time.Second, 16 * time.Second} {
		p.looked(p.next, false, false, false)
		if after(p) != want {
			t.Errorf("look %d without news: the next after %v, want %v", i+1, after(p), want)
		}
	}
	p.looked(p.next, true, false, false)
	if after(p) != poll {
		t.Errorf("after news: %v", after(p))
	}
	if at := p.nudged(false, false); at != p.next {
		t.Error("what is known already brings a look")
	}
	if at := p.nudged(true, false); at.Sub(p.last) != gap {
		t.Errorf("an announcement: after %v, want %v", at.Sub(p.last), gap)
	}

	// One that was not true: announcements count for nothing for a while, those who wait do.
	p.looked(p.next, false, true, false)
	last := p.last
	if at := p.nudged(true, false); at.Sub(last) != deafTime {
		t.Errorf("an announcement after a false one: after %v, want %v", at.Sub(last), deafTime)
	}
	if at := p.nudged(false, true); at.Sub(last) != gap {
		t.Errorf("somebody waits after a false one: after %v, want %v", at.Sub(last), gap)
	}
	if at := p.nudged(true, false); at.Sub(last) != gap {
		t.Error("a look that is due soon was put off")
	}
}

// While somebody waits looks are frequent, less so the longer nothing comes, and never
// rarer than they would be otherwise.
func TestPaceOfThoseWhoWait(t *testing.T) {
	t0 := time.UnixMilli(1_780_000_000_000)
	const poll, gap = 2 * time.Second, 200 * time.Millisecond
	p := newPace(poll, gap, t0)
	looks := 0
	for p.next.Before(t0.Add(2 * time.Second)) {
		p.looked(p.next, false, false, true)
		looks++
	}
	if looks != 10 {
		t.Errorf("%d looks in the first two seconds, want 10", looks)
	}
	for p.next.Before(t0.Add(time.Minute)) {
		p.looked(p.next, false, false, true)
		if d := p.next.Sub(p.last); d < gap || d > poll {
			t.Fatalf("%v between looks", d)
		}
		looks++
	}
	if looks > 70 {
		t.Errorf("%d looks in a minute without news", looks)
	}
	p.looked(p.next, true, false, true)
	if d := p.next.Sub(p.last); d != gap {
		t.Errorf("after news: %v, want %v", d, gap)
	}
}
