package player

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/framemesh/framemesh/stream/input"
	"github.com/framemesh/framemesh/stream/ticklock"
)

const (
	displayPeriod = time.Second / 60
	slackEvery    = 250 * time.Millisecond
)

// display is a 60 Hz display that shows nothing: it measures how long each frame would
// wait for its next tick, and reports the mean as a page does.
type display struct {
	dc    *webrtc.DataChannel
	tally *tally
	begun time.Time // a tick

	mu   sync.Mutex
	x, y float64 // sum of the frames' phases
	n    int
	mod  time.Duration
}

func newDisplay(dc *webrtc.DataChannel, t *tally) *display {
	return &display{dc: dc, tally: t, begun: time.Now()}
}

// frame takes in the time at which a frame was ready to be shown.
func (d *display) frame(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mod == 0 {
		return
	}
	wait := displayPeriod - now.Sub(d.begun)%displayPeriod
	a := 2 * math.Pi * float64(wait) / float64(d.mod)
	d.x, d.y, d.n = d.x+math.Cos(a), d.y+math.Sin(a), d.n+1
}

// run reports until the context ends.
func (d *display) run(ctx context.Context) {
	t := time.NewTicker(slackEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if b, ok := d.report(); ok && d.dc.ReadyState() == webrtc.DataChannelStateOpen {
			_ = d.dc.Send(b) // the next one says it anew
		}
	}
}

func (d *display) report() ([]byte, bool) {
	d.tally.mu.Lock()
	fps, role := d.tally.r.Welcome.FPS, d.tally.r.Welcome.Role
	d.tally.mu.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	if fps > 0 {
		d.mod = ticklock.Modulus(displayPeriod, time.Second/time.Duration(fps))
	}
	if d.n == 0 || role != "owner" {
		return nil, false
	}
	mean := math.Atan2(d.y, d.x) / 2 / math.Pi * float64(d.mod) / float64(time.Millisecond)
	s := input.Slack{Samples: uint16(min(d.n, math.MaxUint16)), MS: float32(mean), PeriodMS: float32(displayPeriod) / float32(time.Millisecond)}
	d.x, d.y, d.n = 0, 0, 0
	d.tally.mu.Lock()
	d.tally.r.SlackMS = mean
	d.tally.mu.Unlock()
	return s.Append(nil), true
}
