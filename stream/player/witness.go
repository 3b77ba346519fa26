package player

import (
	"net/http"
	"slices"
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
	P50     uint32 // ms from an input to hearing of its use; 0 = none
	P95     uint32
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
		now, gap, waits, said, proven := p.tally.seen()
		if !said {
			continue // what was sent by now is signed when the welcome says whether that is kept
		}
		s := Seen{P50: quantile(waits, 0.5), P95: quantile(waits, 0.95), Frames: now.Frames - before.Frames, Lost: now.Lost - before.Lost, Packets: now.Packets - before.Packets, Acked: now.Acked}
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

// quantile is the value that a share of the waits are at or below, in whole ms as the page
// counts them; 0 of none.
func quantile(waits []time.Duration, share float64) uint32 {
	if len(waits) == 0 {
		return 0
	}
	slices.Sort(waits)
	at := waits[min(len(waits)-1, int(float64(len(waits))*share))]
	return uint32(min(max(at.Round(time.Millisecond).Milliseconds(), 1), 60_000))
}

// seen is what came so far, the longest gap, what was waited for inputs since the last time,
// and whether the container has said that it keeps what is signed.
func (t *tally) seen() (s Seen, gap time.Duration, waits []time.Duration, said, proven bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.r.Welcome.V == 0 {
		return
	}
	waits, t.waits = t.waits, nil
	return Seen{Frames: uint32(t.r.Decodable), Lost: uint32(t.r.PacketsLost), Packets: uint32(t.packets), Acked: t.acked}, t.r.LongestGap, waits, true, t.r.Welcome.Proven
}
