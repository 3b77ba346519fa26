// Package ticklock keeps an app's tick in phase with its player's display.
//
// A frame that is ready just after the display's tick waits for the next one: up to
// a whole display period, 8 ms on average at 60 Hz, and for as long as the session
// lasts, because both clocks run at the same rate. The player's page measures that
// wait (the slack) and reports its mean; the [Lock] turns reports into shifts of the
// app's tick, so that frames are ready [Target] before they are shown.
//
// The law of motion is that of a phase-locked loop. A report's error, on the circle
// of one common phase, is corrected almost at once while the lock is being acquired
// and more gently when it holds; a slow integral follows the drift of two quartz
// clocks. The report after a large shift is thrown away, since half of its frames
// were drawn before it, and a lone report that contradicts a held lock has to be
// confirmed by the next one.
//
// The package is pure: the time comes as an argument.
package ticklock

import (
	"math"
	"time"
)

// Constants of the loop. Times are in ms unless they are a Duration.
const (
	// Target is the slack aimed at. Measured in Chromium: less, and single frames
	// miss their display tick; more is latency.
	Target = time.Millisecond

	acquireGain = 0.9
	holdGain    = 0.3
	driftGain   = 0.02 // of the error per report, into the drift estimate
	lockBand    = 1.0  // errors below count as locked
	lockAfter   = 2    // consecutive reports within lockBand
	confirmBand = 1.5  // two contradicting reports that agree this well are believed
	settleAbove = 0.75 // a shift above it spoils the next report
	maxDrift    = 3.0  // ms per second; quartz is a hundred times better, odd refresh rates are not
	minSamples  = 4    // frames in a report
	maxCycle    = 8    // display ticks : app ticks as a fraction with at most this denominator
	fitPPM      = 3000 // how well the fraction must fit
	staleAfter  = 2 * time.Second
)

// Report is what a page measured since its last report.
type Report struct {
	Samples int           // frames averaged
	Slack   time.Duration // mean wait of a finished frame for the display tick, on the circle of Modulus
	Display time.Duration // period of the display
	App     time.Duration // period of the app's tick
}

// Modulus is the common phase of a display and an app: shifting the app's tick by it
// changes nothing. It is one display period when the app's period is a multiple of it
// (60 on 60, 30 on 60, 60 on 120) and a fraction of it otherwise (60 on 144: 12 display
// ticks for 5 app ticks, so frames land on 5 phases of the display, 1.4 ms apart, and
// only that much can be gained). It is 0 when no small fraction fits: then frames
// drift through all phases and nothing can be locked.
func Modulus(display, app time.Duration) time.Duration {
	if display <= 0 || app <= 0 {
		return 0
	}
	ratio := float64(app) / float64(display)
	for q := 1; q <= maxCycle; q++ {
		p := math.Round(ratio * float64(q))
		if p >= 1 && math.Abs(ratio*float64(q)-p) <= p*fitPPM/1e6 {
			return display / time.Duration(q)
		}
	}
	return 0
}

// Lock is the loop's state. The zero value is ready for use. It has one owner.
type Lock struct {
	last    time.Time // of the last report taken in
	skip    bool      // the next report is spoiled by a shift
	doubt   float64   // error of a report that contradicted the lock
	doubted bool
	good    int     // consecutive reports within lockBand
	drift   float64 // ms per second that the app's tick must move later
	modulus float64 // ms
}

// Locked reports whether the tick is in phase.
func (l *Lock) Locked() bool { return l.good >= lockAfter }

// Update takes in a report and returns by how much to move the tick, later if
// positive, at most half the modulus. Reports with few frames, or of clocks that
// cannot be locked, return 0.
func (l *Lock) Update(now time.Time, r Report) time.Duration {
	m := ms(Modulus(r.Display, r.App))
	if m == 0 || r.Samples < minSamples {
		l.good = 0
		return 0
	}
	if math.Abs(m-l.modulus) > 0.02*m || now.Sub(l.last) > staleAfter {
		*l = Lock{modulus: m, last: now} // another display, or a page that was away
	}
	dt := max(0, now.Sub(l.last).Seconds())
	l.last, l.modulus = now, m

	feed := l.drift * dt // what the clocks have drifted apart since
	if l.skip {
		l.skip = false
		return duration(feed)
	}
	e := wrap(ms(r.Slack)-ms(Target), m)
	if l.Locked() && math.Abs(e) > max(2*lockBand, m/4) {
		// A locked tick does not jump by itself: a stalled tab does.
		if !l.doubted || math.Abs(wrap(e-l.doubt, m)) > confirmBand {
			l.doubt, l.doubted = e, true
			return duration(feed)
		}
		l.good = 0 // confirmed: acquire anew
	}
	l.doubted = false

	gain := acquireGain
	if l.Locked() {
		gain = holdGain
		// Only a held lock learns the drift: before, the error is phase.
		if dt > 0 {
			l.drift = min(maxDrift, max(-maxDrift, l.drift+driftGain*e/dt))
		}
	}
	if math.Abs(e) <= lockBand {
		l.good = min(l.good+1, lockAfter)
	} else {
		l.good = max(l.good-1, 0)
	}
	shift := min(m/2, max(-m/2, feed+gain*e))
	l.skip = math.Abs(shift) > settleAbove
	return duration(shift)
}

// wrap maps x to the circle of circumference m, into [-m/2, m/2].
func wrap(x, m float64) float64 { return x - m*math.Round(x/m) }

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// duration drops shifts below 10 µs, which no timer keeps.
func duration(x float64) time.Duration {
	d := time.Duration(x * float64(time.Millisecond))
	if d.Abs() < 10*time.Microsecond {
		return 0
	}
	return d
}
