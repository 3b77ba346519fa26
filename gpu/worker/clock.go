package worker

import "time"

// maxBehind is how many periods late a tick may start before the ones missed are
// left out for good.
const maxBehind = 4

// tickClock decides when ticks are due and what to do about late ones. It is pure:
// times are durations since the worker's first tick and come in as arguments.
type tickClock struct {
	period time.Duration
	due    time.Duration // of the next tick
	wanted time.Duration // shift not applied yet
	moved  time.Duration // shift applied in all
	row    int           // ticks in a row that were run without coding
}

// shift asks for all coming ticks to be d later. Only the phase matters, so whole
// periods drop out and the shorter way round is taken.
func (c *tickClock) shift(d time.Duration) {
	d = (c.wanted + d%c.period) % c.period
	switch {
	case d > c.period/2:
		d -= c.period
	case d < -c.period/2:
		d += c.period
	}
	c.wanted = d
}

// begin is called when a tick starts at now. It says whether the tick's picture
// shall be coded and how many ticks were left out before it.
//
// A tick that starts a whole period or more after it was due runs without coding,
// so that the game catches up and the picture that leaves is the newest one; but
// every fourth is coded, so that a machine that is always late still shows
// something. Beyond maxBehind periods the missed ticks are left out.
func (c *tickClock) begin(now time.Duration) (code bool, left int) {
	if behind := int((now - c.due) / c.period); behind > maxBehind {
		left = behind
		c.due += time.Duration(behind) * c.period
	}
	code = now-c.due < c.period || c.row >= maxBehind-1
	if code {
		c.row = 0
	} else {
		c.row++
	}
	return code, left
}

// end sets when the next tick is due, moving it by at most an eighth of a period of
// the shift that was asked for.
func (c *tickClock) end() {
	step := min(max(c.wanted, -c.period/8), c.period/8)
	c.wanted -= step
	c.moved += step
	c.due += c.period + step
}

// skipTo makes the next tick due at now, after a pause.
func (c *tickClock) skipTo(now time.Duration) { c.due, c.row = now, 0 }

// soundClock gives packets of sound their times. Sound is a steady stream, so each
// packet follows the one before, until it has drifted from the ticks by more than
// soundDrift: then the stream jumps, as it must after a pause.
type soundClock struct {
	next    time.Duration
	started bool
}

const soundDrift = 60 * time.Millisecond

// tick is called before a tick's sound is cut into packets; waiting is the length
// of sound of earlier ticks that is not in a packet yet.
func (c *soundClock) tick(pts, waiting time.Duration) {
	at := pts - waiting
	if d := c.next - at; !c.started || d > soundDrift || d < -soundDrift {
		c.next, c.started = max(at, 0), true
	}
}

// packet returns the time of the next packet of length d.
func (c *soundClock) packet(d time.Duration) time.Duration {
	pts := c.next
	c.next += d
	return pts
}

// snapshotClock spaces snapshots: at least a second apart, and so far apart that
// they cost at most about 3 % of the time, but never more than two seconds.
type snapshotClock struct {
	next time.Duration
}

func (c *snapshotClock) due(now time.Duration) bool { return now >= c.next }

func (c *snapshotClock) took(now, cost time.Duration) {
	c.next = now + min(max(30*cost, time.Second), 2*time.Second)
}
