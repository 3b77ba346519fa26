package probe

import (
	"math"
	"slices"
	"time"

	"github.com/framemesh/framemesh/gpu/cell"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/stream/player"
)

// Look is one picture of a session as it was read.
type Look struct {
	At    time.Time
	Hash  uint64 // perceptual, see cell.Hash
	Strip bool
	Code  uint32
}

// Asked is a challenge: when it was asked for, and what it spells.
type Asked struct {
	At   time.Time
	Code uint32
}

// Trace is all that was seen of one session.
type Trace struct {
	App    [32]byte // that was asked for; zero = not known
	Report player.Report
	Inputs []time.Time // changes of keys, rising
	Looks  []Look      // pictures, rising; none where nothing reads them
	Cells  []Asked
	// Blind says that reading stopped early, so that a challenge may have gone unseen.
	Blind bool
}

// How a key's way to the picture is found.
const (
	stillFor   = 100 * time.Millisecond // before the key, in which the picture must not move
	stillLeast = 3                      // pictures in that time
	stillBits  = 1                      // that may flicker
	moveBits   = 4                      // that say that the picture moved
	moveFor    = 500 * time.Millisecond // after which the key changed nothing to be seen
	keysLeast  = 5                      // such keys, for their median to say something

	cellFor   = time.Second // in which a strip must be seen
	cellKbps  = 500         // below which the coder may blur a strip
	ackBeatMS = 100         // between two words of a container on what its app has seen
)

// Sample is what a session comes to, with all figures inside the limits of a vote. Seconds is
// 0 when no picture came.
func Sample(t *Trace) *proof.Sample {
	r := &t.Report
	s := &proof.Sample{LaunchMs: ms(r.Stages.Post), AskedFps: uint32(min(max(r.Welcome.FPS, 0), 1000)),
		Seconds: uint32(min(r.Playing/time.Second, math.MaxUint32)), Stalls: uint32(min(r.Stalls, math.MaxUint32))}
	if t.App != ([32]byte{}) {
		s.App = t.App[:]
	}
	if r.Decodable == 0 {
		s.FirstFrameMs = proof.MaxTimeMS
		return s
	}
	s.FirstFrameMs = ms(r.Stages.Total)
	s.FpsMilli = uint32(min(max(r.FPS, 0)*1000, proof.MaxRate))
	if all := r.VideoPackets + r.PacketsLost; all > 0 {
		s.LostPpm = uint32(r.PacketsLost * proof.PPM / all)
	}
	p50, p95 := t.photon()
	s.P50Ms, s.P95Ms = ms(p50), ms(p95)
	s.CellsAsked, s.CellsSeen = t.cells()
	return s
}

// ms is a time in whole ms, at least 1 when it is any, at most what a vote takes.
func ms(d time.Duration) uint32 {
	if d <= 0 {
		return 0
	}
	return uint32(min(max(d.Milliseconds(), 1), proof.MaxTimeMS))
}

// photon is the time from a key to the picture that it changed: of keys before which the
// picture stood still, else of challenges, which go the same way, else from the container's
// own word on when its app had seen a key. 0 means not measured.
func (t *Trace) photon() (p50, p95 time.Duration) {
	var all []time.Duration
	for _, at := range t.Inputs {
		if d, ok := t.moved(at); ok {
			all = append(all, d)
		}
	}
	if len(all) < keysLeast {
		all = all[:0]
		for _, c := range t.Cells {
			if d, ok := t.strip(c); ok {
				all = append(all, d)
			}
		}
	}
	if len(all) > 0 {
		return quantiles(all)
	}
	if len(t.Report.Latencies) < keysLeast {
		return 0, 0
	}
	p50, p95 = quantiles(slices.Clone(t.Report.Latencies))
	// An answer waits for the container's next beat: half of one in the median, all of one
	// at the worst.
	p50 = max(p50-ackBeatMS/2*time.Millisecond, time.Millisecond)
	return p50, max(p95-ackBeatMS*95/100*time.Millisecond, p50)
}

func quantiles(d []time.Duration) (p50, p95 time.Duration) {
	slices.Sort(d)
	at := func(share float64) time.Duration { return d[min(len(d)-1, int(float64(len(d))*share))] }
	return at(0.5), at(0.95)
}

// moved is how long after a key the picture moved, if it stood still before.
func (t *Trace) moved(key time.Time) (time.Duration, bool) {
	i, _ := slices.BinarySearchFunc(t.Looks, key, func(l Look, at time.Time) int { return l.At.Compare(at) })
	still := 0
	for j := i - 1; j > 0 && key.Sub(t.Looks[j-1].At) <= stillFor; j-- {
		if cell.Distance(t.Looks[j].Hash, t.Looks[j-1].Hash) > stillBits {
			return 0, false
		}
		still++
	}
	if still < stillLeast {
		return 0, false
	}
	for _, l := range t.Looks[i:] {
		if l.At.Sub(key) > moveFor {
			break
		}
		if cell.Distance(l.Hash, t.Looks[i-1].Hash) >= moveBits {
			return l.At.Sub(key), true
		}
	}
	return 0, false
}

// strip is how long after a challenge its strip was seen.
func (t *Trace) strip(c Asked) (time.Duration, bool) {
	for _, l := range t.Looks {
		if d := l.At.Sub(c.At); d > 0 && d <= cellFor && l.Strip && cell.Matches(l.Code, c.Code) {
			return d, true
		}
	}
	return 0, false
}

// cells counts the challenges that could have been seen, and those that were. One does not
// count that the network or the coder may have hidden: a container is not to blame for it.
func (t *Trace) cells() (asked, seen uint32) {
	for _, c := range t.Cells {
		if _, ok := t.strip(c); ok {
			asked, seen = asked+1, seen+1
			continue
		}
		if t.Blind || t.Report.PacketsLost > 0 || t.Report.BitrateKbps < cellKbps || len(t.Looks) == 0 || t.Looks[len(t.Looks)-1].At.Sub(c.At) < cellFor {
			continue
		}
		asked++
	}
	return asked, seen
}
