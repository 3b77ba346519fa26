// Package rate decides the bitrate that a session's encoder is asked for, from what
// the bandwidth estimators of its peers say.
//
// One coded stream goes to everybody, so somebody has to yield. The rule: the owner's
// link decides; the links of others may lower the rate to no less than [WatcherFloor]
// of what the owner's link carries, and who cannot follow that loses frames and is
// told so. Without an owner (a page being reloaded) the others decide among themselves.
//
// Congestion control proper is done by Google's algorithm (delay gradient and loss)
// in each peer's estimator. Two things it gets wrong for games are mended here. An app
// that shows a still menu sends little, and the estimator, which trusts only what it
// has seen arrive, then allows little: when the fight begins the picture is mud for
// half a minute. So a low estimate is not believed while the app itself sends far less
// than it may. And the estimator climbs by 8 % a second only; where a link has carried
// the current rate for a while without delay or loss, the rate rises regardless.
//
// The package is pure: the time comes as an argument.
package rate

import "time"

// Constants of the law.
const (
	// WatcherFloor is the share of the owner's rate below which the other peers
	// cannot push the encoder.
	WatcherFloor = 0.75

	appLimited   = 0.5  // sent below this share of the rate: the app, not the link, is the limit
	lossHigh     = 0.10 // loss from which the rate is cut whatever the delay says
	lossClear    = 0.02 // loss below which a link counts as clear
	cut          = 0.85 // of the rate, at least, on congestion
	climb        = 0.10 // of the rate per second while clear
	climbFast    = 0.35 // the same well below where the link last gave in
	nearCut      = 0.85 // of the rate at the last cut: from here on, gently
	stepUp       = 0.05 // smallest change upward that is worth telling an encoder
	stepDown     = 0.03 // and downward
	clearFor     = 1500 * time.Millisecond
	betweenCuts  = 500 * time.Millisecond
	betweenRises = 500 * time.Millisecond
)

// Limits bound the rate, in bits per second: 0 < Min ≤ Start ≤ Max.
type Limits struct{ Min, Start, Max int }

// Peer is what one peer's link says.
type Peer struct {
	Owner    bool
	Estimate int     // of its bandwidth estimator, bits per second; 0 = none yet
	Loss     float64 // 0..1, over about a second, before repeats
	Overuse  bool    // the delay grows: a queue is building up
}

// Controller holds the rate of one session. It has one owner.
type Controller struct {
	limits     Limits
	rate       float64 // wanted
	told       int     // to the encoder
	last       time.Time
	lastCut    time.Time
	cutAt      float64 // rate at the last cut
	lastTold   time.Time
	clearSince time.Time
}

// New returns a controller at limits.Start.
func New(limits Limits) *Controller {
	return &Controller{limits: limits, rate: float64(limits.Start), told: limits.Start}
}

// Target is the rate last told, bits per second.
func (c *Controller) Target() int { return c.told }

// Step takes in what all links say and what was sent over the last second (bits per
// second, one copy). It returns the rate for the encoder and whether it has changed.
// Call it about ten times a second.
func (c *Controller) Step(now time.Time, sent int, peers []Peer) (bps int, changed bool) {
	dt := min(max(now.Sub(c.last).Seconds(), 0), 1)
	if c.last.IsZero() {
		dt = 0
	}
	c.last = now
	if len(peers) == 0 {
		c.clearSince = time.Time{}
		return c.told, false
	}
	idle := float64(sent) < appLimited*c.rate
	allowed, congested, clear := c.allowed(peers, idle)
	if !clear {
		c.clearSince = time.Time{}
	} else if c.clearSince.IsZero() {
		c.clearSince = now
	}
	switch {
	case congested:
		if now.Sub(c.lastCut) >= betweenCuts {
			c.cutAt, c.lastCut = c.rate, now
			c.rate = min(c.rate*cut, max(allowed, c.rate*cut*cut))
		}
	case idle:
		// Nothing is learnt from a link that is not used.
	case clear && now.Sub(c.clearSince) >= clearFor:
		c.rate *= 1 + c.pace()*dt
	case allowed > c.rate:
		c.rate = min(allowed, c.rate*(1+climb*dt))
	}
	c.rate = min(max(c.rate, float64(c.limits.Min)), float64(c.limits.Max))
	return c.tell(now)
}

// pace is how fast to climb, as a share of the rate per second.
func (c *Controller) pace() float64 {
	if c.cutAt > 0 && c.rate < nearCut*c.cutAt {
		return climbFast
	}
	return climb
}

// allowed folds the links into one: what they carry, whether the rate must be cut,
// and whether all is clear.
func (c *Controller) allowed(peers []Peer, idle bool) (bps float64, congested, clear bool) {
	floor, hasOwner := 0.0, false
	for _, p := range peers {
		if p.Owner {
			est := min(max(c.carries(p), float64(c.limits.Min)), float64(c.limits.Max))
			floor, hasOwner = WatcherFloor*est, true
		}
	}
	bps, clear = float64(c.limits.Max), true
	for _, p := range peers {
		// Above the floor everybody counts, at the floor only the owner.
		counts := p.Owner || !hasOwner || c.rate > floor
		est := c.carries(p)
		if !p.Owner && hasOwner {
			est = max(est, floor)
		}
		bps = min(bps, est)
		if !counts {
			continue
		}
		if p.Loss >= lossHigh || p.Overuse && !idle && est < c.rate {
			congested = true
		}
		if p.Loss >= lossClear || p.Overuse {
			clear = false
		}
	}
	// A rate that rose above the floor would be pushed back by the same watcher.
	if clear && hasOwner && bps <= floor {
		clear = false
	}
	return bps, congested, clear
}

// carries is what a link is good for by its own account.
func (c *Controller) carries(p Peer) float64 {
	est := float64(p.Estimate)
	if p.Estimate <= 0 {
		est = c.rate
	}
	if p.Loss >= lossHigh {
		est = min(est, c.rate*(1-p.Loss/2))
	}
	return est
}

// tell applies the hysteresis: encoders hunt when their target trembles.
func (c *Controller) tell(now time.Time) (int, bool) {
	want := int(c.rate)
	atEdge := (want == c.limits.Max || want == c.limits.Min) && want != c.told
	up := float64(want) >= float64(c.told)*(1+stepUp) || atEdge && want > c.told
	down := float64(want) <= float64(c.told)*(1-stepDown) || atEdge && want < c.told
	if down || up && now.Sub(c.lastTold) >= betweenRises {
		c.told, c.lastTold = want, now
		return want, true
	}
	return c.told, false
}
