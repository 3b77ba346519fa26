package ticklock

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// world is an app that ticks and a display that shows: it makes the reports that a
// page would, from the phases of single frames.
type world struct {
	display, app time.Duration
	phase        float64 // ms by which the tick is late; the unknown
	jitter       float64 // ms, standard deviation per frame
	drift        float64 // ms per second that the tick gains on the display
	delay        float64 // ms until a shift reaches the frames that the page sees
	rng          *rand.Rand
	t            float64 // ms
	pending      []change
}

type change struct{ at, by float64 }

// report runs 250 ms and returns what the page says of it.
func (w *world) report(l *Lock) (Report, time.Time) {
	m := ms(Modulus(w.display, w.app))
	if m == 0 {
		m = ms(w.display)
	}
	var x, y float64
	n := 0
	for end := w.t + 250; w.t < end; w.t += ms(w.app) {
		for len(w.pending) > 0 && w.pending[0].at <= w.t {
			w.phase += w.pending[0].by
			w.pending = w.pending[1:]
		}
		w.phase -= w.drift * ms(w.app) / 1000
		a := w.slackOf(w.phase+w.rng.NormFloat64()*w.jitter, m) / m * 2 * math.Pi
		x, y, n = x+math.Cos(a), y+math.Sin(a), n+1
	}
	mean := math.Atan2(y, x) / 2 / math.Pi * m
	return Report{Samples: n, Slack: time.Duration(mean * 1e6), Display: w.display, App: w.app}, time.Unix(1000, 0).Add(time.Duration(w.t * 1e6))
}

func (w *world) slackOf(late, m float64) float64 { return wrap(-late, m) }

func (w *world) step(l *Lock) time.Duration {
	r, now := w.report(l)
	d := l.Update(now, r)
	if d != 0 {
		w.pending = append(w.pending, change{w.t + w.delay, ms(d)})
	}
	return d
}

// err is how far the tick really is from its target, in ms.
func (w *world) err() float64 {
	m := ms(Modulus(w.display, w.app))
	p := w.phase
	for _, c := range w.pending {
		p += c.by
	}
	return wrap(w.slackOf(p, m)-ms(Target), m)
}

func hz(f float64) time.Duration { return time.Duration(float64(time.Second) / f) }

func TestModulus(t *testing.T) {
	for _, c := range []struct {
		display, app float64
		parts        int // of the display period; 0 = none
	}{{60, 60, 1}, {60, 30, 1}, {120, 60, 1}, {59.94, 60, 1}, {144, 60, 5}, {90, 60, 2}, {75, 60, 4}, {165, 60, 4}, {60, 50, 5}, {60, 61.7, 0}, {60, 120, 2}} {
		got, want := Modulus(hz(c.display), hz(c.app)), time.Duration(0)
		if c.parts > 0 {
			want = hz(c.display) / time.Duration(c.parts)
		}
		if got != want {
			t.Errorf("%v on %v: %v, want %v", c.app, c.display, got, want)
		}
	}
	if Modulus(0, hz(60)) != 0 || Modulus(hz(60), -1) != 0 {
		t.Error("a period of nothing has a phase")
	}
}

// From any phase the lock is there within 1.5 s: six reports.
func TestConverges(t *testing.T) {
	for _, c := range []struct{ display, app float64 }{{60, 60}, {60, 30}, {120, 60}, {144, 60}, {59.94, 60}, {90, 60}, {50, 50}, {240, 60}} {
		m := ms(Modulus(hz(c.display), hz(c.app)))
		for i := range 16 {
			w := &world{display: hz(c.display), app: hz(c.app), phase: m * float64(i) / 16, jitter: min(0.3, m/10), delay: 40, rng: rand.New(rand.NewPCG(uint64(i), 1))}
			if c.display == 59.94 {
				w.drift = 1
			}
			var l Lock
			for range 6 {
				w.step(&l)
			}
			if e := w.err(); math.Abs(e) > 1 {
				t.Errorf("%v on %v from phase %d/16: still %.2f ms off after 1.5 s", c.app, c.display, i, e)
			}
		}
	}
}

// Whatever the phase, jitter, drift and delay of the loop: once settled the lock
// stays, and it does not hunt.
func TestHoldsAndNeverOscillates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rates := rapid.SampledFrom([][2]float64{{60, 60}, {60, 30}, {120, 60}, {59.94, 60}}).Draw(t, "rates")
		w := &world{
			display: hz(rates[0]), app: hz(rates[1]),
			phase:  rapid.Float64Range(0, 16).Draw(t, "phase"),
			jitter: rapid.Float64Range(0, 1).Draw(t, "jitter"),
			drift:  rapid.Float64Range(-1, 1).Draw(t, "drift"),
			delay:  rapid.Float64Range(10, 200).Draw(t, "delay"),
			rng:    rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 2)),
		}
		var l Lock
		for range 16 {
			w.step(&l)
		}
		var travelled, worst float64
		for range 80 { // 20 s
			d := w.step(&l)
			travelled += math.Abs(ms(d))
			worst = max(worst, math.Abs(w.err()))
		}
		if worst > 1.6 {
			t.Fatalf("was %.2f ms off once locked", worst)
		}
		// The drift alone takes |drift|·20 s; the rest is the answer to noise.
		if limit := math.Abs(w.drift)*20*1.25 + 80*0.15; travelled > limit {
			t.Fatalf("moved the tick by %.1f ms in 20 s, more than %.1f", travelled, limit)
		}
	})
}

func TestWithoutNoiseALockDoesNothing(t *testing.T) {
	w := &world{display: hz(60), app: hz(60), phase: 7, delay: 30, rng: rand.New(rand.NewPCG(1, 1))}
	var l Lock
	for range 24 {
		w.step(&l)
	}
	if !l.Locked() {
		t.Fatal("not locked after 6 s")
	}
	for i := range 100 {
		if d := w.step(&l); d.Abs() > 80*time.Microsecond {
			t.Fatalf("report %d: a lock that holds moved by %v", i, d)
		}
	}
}

func TestOutlierIsIgnoredAndAJumpIsFollowed(t *testing.T) {
	w := &world{display: hz(60), app: hz(60), delay: 30, jitter: 0.1, rng: rand.New(rand.NewPCG(1, 1))}
	var l Lock
	for range 12 {
		w.step(&l)
	}
	w.phase += 6 // for one report
	if d := w.step(&l); d.Abs() > 100*time.Microsecond {
		t.Errorf("one contradicting report moved the tick by %v", d)
	}
	w.phase -= 6
	if w.step(&l); math.Abs(w.err()) > 0.8 {
		t.Errorf("off by %.2f ms after an outlier", w.err())
	}
	w.phase += 6 // for good: the window moved to another display
	for range 7 {
		w.step(&l)
	}
	if math.Abs(w.err()) > 1 {
		t.Errorf("off by %.2f ms after a jump", w.err())
	}
}

func TestNothingToLock(t *testing.T) {
	var l Lock
	now := time.Unix(1, 0)
	for name, r := range map[string]Report{
		"few frames":   {Samples: minSamples - 1, Slack: 9 * time.Millisecond, Display: hz(60), App: hz(60)},
		"no fraction":  {Samples: 15, Slack: 9 * time.Millisecond, Display: hz(60), App: hz(61.7)},
		"no app clock": {Samples: 15, Slack: 9 * time.Millisecond, Display: hz(60)},
	} {
		if d := l.Update(now, r); d != 0 || l.Locked() {
			t.Errorf("%s: moved by %v", name, d)
		}
	}
}

func TestShiftIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l Lock
		now := time.Unix(1, 0)
		for range 20 {
			now = now.Add(time.Duration(rapid.Int64Range(-1e8, 4e9).Draw(t, "dt")))
			r := Report{Samples: 15, Slack: time.Duration(rapid.Int64Range(-1e9, 1e9).Draw(t, "slack")), Display: hz(60), App: hz(60)}
			if d := l.Update(now, r); d.Abs() > r.Display/2 {
				t.Fatalf("moved by %v", d)
			}
		}
	})
}

func BenchmarkUpdate(b *testing.B) {
	var l Lock
	now := time.Unix(1, 0)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		now = now.Add(250 * time.Millisecond)
		l.Update(now, Report{Samples: 15, Slack: time.Duration(i%17) * time.Millisecond, Display: hz(60), App: hz(60)})
	}
}
