package session

import (
	"time"

	"github.com/framemesh/framemesh/gpu/worker"
)

// meter counts seconds of play and how many of them were good.
type meter struct{ good, seconds int }

// goodShare of the nominal rate makes a second good, in percent. A lost picture or
// two in a second is not seen.
const goodShare = 95

// add counts one second's report of a worker. Seconds in which the app was paused
// for a part say nothing and are left out by the caller.
func (m *meter) add(s worker.Stats, fps int) {
	m.seconds++
	// Pictures that the encoder left out to hold the bitrate are the network's doing.
	if fps > 0 && (s.FPS+float64(s.Skipped))*100 >= float64(fps*goodShare) {
		m.good++
	}
}

// gap counts a time without pictures, such as a worker's restart, as bad.
func (m *meter) gap(d time.Duration) { m.seconds += int((d + time.Second - 1) / time.Second) }

// crashes decides when a worker is not worth another start.
type crashes []time.Time

// A worker is given up at the third crash within half a minute.
const (
	crashLimit  = 3
	crashWindow = 30 * time.Second
)

// add notes a crash and says whether it was one too many.
func (c *crashes) add(now time.Time) (tooMany bool) {
	kept := (*c)[:0]
	for _, t := range *c {
		if now.Sub(t) < crashWindow {
			kept = append(kept, t)
		}
	}
	*c = append(kept, now)
	return len(*c) >= crashLimit
}

// freeSeat returns the lowest seat of 1..seats-1 that is not taken; the owner holds
// seat 0. ok is false when there is none.
func freeSeat(taken [worker.Seats]bool, seats int) (seat int, ok bool) {
	for i := 1; i < min(seats, worker.Seats); i++ {
		if !taken[i] {
			return i, true
		}
	}
	return 0, false
}
