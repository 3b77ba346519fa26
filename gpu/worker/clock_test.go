package worker

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

const ms = time.Millisecond

func TestTicksKeepTheirPeriod(t *testing.T) {
	c := tickClock{period: 16 * ms}
	for n := range 100 {
		if want := time.Duration(n) * 16 * ms; c.due != want {
			t.Fatalf("tick %d is due at %v, want %v", n, c.due, want)
		}
		// Late wake-ups within the period do not move the ticks after.
		if code, left := c.begin(c.due + 3*ms); !code || left != 0 {
			t.Fatal("a tick 3 ms late is not coded")
		}
		c.end()
	}
}

func TestLateTicksAreNotCodedAndLateOnesLeftOut(t *testing.T) {
	c := tickClock{period: 10 * ms}
	c.begin(0)
	c.end()
	// At 35 ms the ticks of 10, 20 and 30 ms are due: the first two run uncoded.
	var coded []bool
	for range 3 {
		code, left := c.begin(35 * ms)
		if left != 0 {
			t.Fatalf("%d left out", left)
		}
		coded = append(coded, code)
		c.end()
	}
	if coded[0] || coded[1] || !coded[2] || c.due != 40*ms {
		t.Fatalf("coded %v, next due at %v", coded, c.due)
	}
	// A second late: no burst, and the phase stays.
	code, left := c.begin(1044 * ms)
	if !code || left != 100 || c.due != 1040*ms {
		t.Errorf("coded %v, %d left out, due %v", code, left, c.due)
	}
}

func TestAlwaysLateStillShowsSomething(t *testing.T) {
	c := tickClock{period: 10 * ms}
	now, shown := time.Duration(0), 0
	for range 100 {
		if now < c.due {
			now = c.due
		}
		code, _ := c.begin(now)
		now += 15 * ms // draw alone takes longer than a period
		if code {
			shown++
			now += 20 * ms
		}
		c.end()
	}
	if shown < 20 {
		t.Errorf("%d of 100 pictures shown", shown)
	}
}

func TestShiftIsSmoothAndComplete(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := tickClock{period: 16 * ms}
		asked := time.Duration(rapid.Int64Range(-int64(time.Minute), int64(time.Minute)).Draw(t, "shift"))
		c.shift(asked)
		for range 8 {
			before := c.due
			c.begin(c.due)
			c.end()
			if step := c.due - before - c.period; step > c.period/8 || step < -c.period/8 {
				t.Fatalf("one tick moved by %v", step)
			}
		}
		if rest := (c.moved - asked) % c.period; rest != 0 || c.wanted != 0 {
			t.Fatalf("asked for %v, moved %v, %v left", asked, c.moved, c.wanted)
		}
		if c.moved > c.period/2 || c.moved < -c.period/2 {
			t.Fatalf("moved %v, the long way round", c.moved)
		}
	})
}

func TestSoundFollowsItselfUntilItDrifts(t *testing.T) {
	var c soundClock
	c.tick(0, 0)
	if a, b := c.packet(10*ms), c.packet(10*ms); a != 0 || b != 10*ms {
		t.Error(a, b)
	}
	c.tick(17*ms, 0) // jitter of the tick: sound goes on evenly
	if p := c.packet(10 * ms); p != 20*ms {
		t.Errorf("%v after jitter", p)
	}
	c.tick(3*time.Second, 4*ms) // a pause: sound jumps with the picture
	if p := c.packet(10 * ms); p != 3*time.Second-4*ms {
		t.Errorf("%v after a pause", p)
	}
}

func TestSnapshotsCostLittle(t *testing.T) {
	for _, c := range []struct{ cost, gap time.Duration }{
		{ms, time.Second}, {50 * ms, 1500 * ms}, {time.Second, 2 * time.Second},
	} {
		var s snapshotClock
		if !s.due(0) {
			t.Error("the first is not due at once")
		}
		s.took(5*time.Second, c.cost)
		if s.due(5*time.Second+c.gap-1) || !s.due(5*time.Second+c.gap) {
			t.Errorf("cost %v: next at %v", c.cost, s.next)
		}
	}
}
