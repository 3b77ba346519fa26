package player

import (
	"net/http"
	"time"

	"github.com/framemesh/framemesh/stream/control"
)

// Witness signs what the player sent and saw, as the page in a browser does. Its methods
// are called from several goroutines and must not block.
type Witness interface {
	// Begin reads the headers of a verified answer; false signs nothing.
	Begin(header http.Header) bool
	// Sent takes each message of the input channel as it goes out.
	Sent(message []byte)
	// Told takes the container's newest frame root.
	Told(m control.Segment)
	// Second returns what is signed for the last second.
	Second(s Seen) []control.Message
}

// Seen is what a player saw in one second.
type Seen struct {
	Frames  uint32 // complete and decodable
	Lost    uint32 // packets
	Packets uint32 // of video that came
	Stalls  uint32 // 1 when the longest gap so far grew beyond 250 ms
	Acked   uint32 // newest input that the app has seen
}

// stall is a gap between two frames that counts.
const stall = 250 * time.Millisecond

// attest signs each second until the player stops.
func (p *Player) attest() {
	select {
	case <-p.talking:
	case <-p.ctx.Done():
		return
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var before Seen
	var longest time.Duration
	for {
		select {
		case <-p.ctx.Done():
			return
		case <-tick.C:
		}
		now, gap, proven := p.tally.seen()
		s := Seen{Frames: now.Frames - before.Frames, Lost: now.Lost - before.Lost, Packets: now.Packets - before.Packets, Acked: now.Acked}
		if gap > longest && gap > stall {
			s.Stalls = 1
		}
		before, longest = now, max(gap, longest)
		for _, m := range p.opt.Witness.Second(s) {
			if proven {
				p.say(m)
			}
		}
	}
}

// seen is what came so far, the longest gap, and whether the container keeps what is
// signed.
func (t *tally) seen() (s Seen, gap time.Duration, proven bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return Seen{Frames: uint32(t.r.Decodable), Lost: uint32(t.r.PacketsLost), Packets: uint32(t.packets), Acked: t.acked}, t.r.LongestGap, t.r.Welcome.Proven
}
