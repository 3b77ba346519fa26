package light

import "time"

const (
	slowdown = 8               // times Poll between looks while nothing is new
	eager    = 10              // part of the time without news between looks while somebody waits
	deafTime = 2 * time.Second // for announcements, after one that was not true

	hurryTime = 1500 * time.Millisecond // that a call of Hurry counts
)

// pace decides when the next look for a head is due. It is pure: time comes as an argument.
type pace struct {
	poll, gap time.Duration
	next      time.Time     // look, unless somebody asks for it earlier
	last      time.Time     // look
	news      time.Time     // when the head grew last
	deaf      time.Time     // until when announcements count for nothing
	pause     time.Duration // between looks that nobody asked for
}

func newPace(poll, gap time.Duration, now time.Time) *pace {
	return &pace{poll: poll, gap: gap, next: now, news: now, pause: poll}
}

// nudged says when the next look is due now that somebody announced a newer head or waits
// for one. It is never later than it was.
func (p *pace) nudged(announced, waited bool) time.Time {
	at := p.last.Add(p.gap)
	switch {
	case waited:
	case announced:
		at = latest(at, p.deaf)
	default:
		return p.next // what was announced is there already
	}
	if at.Before(p.next) {
		p.next = at
	}
	return p.next
}

// looked takes what a look at now brought. untrue: a height was announced that nobody could
// show. hurry: somebody waits, or there is no state to prove anything by yet.
func (p *pace) looked(now time.Time, grown, untrue, hurry bool) {
	p.last = now
	if grown {
		p.news, p.pause = now, p.poll
	} else {
		p.pause = min(p.pause+p.pause/2, slowdown*p.poll)
		if untrue {
			p.deaf = now.Add(min(deafTime, slowdown*p.poll))
		}
	}
	wait := p.pause
	if hurry { // five looks a second by default at first, fewer the longer nothing comes
		wait = min(wait, max(p.gap, min(now.Sub(p.news)/eager, p.poll)))
	}
	p.next = now.Add(wait)
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
