package player

import (
	"slices"
	"sync"
	"time"

	"github.com/framemesh/framemesh/stream/control"
)

// Stages are what a launch is made of. Match, Reserve and Signal are as the gateway
// measured them and 0 when it did not say; the rest is this player's clock.
type Stages struct {
	Match, Reserve, Signal time.Duration
	Post                   time.Duration // the whole HTTP request, the three above within it
	Connect                time.Duration // from the answer until ICE and DTLS are done
	FirstFrame             time.Duration // from then until the first complete key frame
	Total                  time.Duration // from Play until the first complete key frame
}

// Report is a snapshot of what a player has seen.
type Report struct {
	Stages       Stages
	Frames       uint64 // complete coded pictures
	Decodable    uint64 // of them, those with all they refer to
	KeyFrames    uint64
	PacketsLost  uint64 // for good, repeats did not help
	VideoPackets uint64 // that came
	AudioPackets uint64
	VideoBytes   uint64 // RTP payload
	AudioBytes   uint64
	Playing      time.Duration // since the first frame
	FPS          float64       // complete pictures per second of Playing
	BitrateKbps  float64       // pictures and sound, of Playing
	LongestGap   time.Duration // between two frames
	Stalls       uint64        // gaps over 250 ms between two frames
	// Latencies are from an input to hearing that the app has seen it, which is said ten
	// times a second.
	Latencies     []time.Duration
	InputsSent    uint64  // states, repeats not counted
	InputsAcked   uint64  // of them, those that the app has seen
	SlackMS       float64 // last reported
	Connected     bool
	Connections   int // times that the connection came up: more than one after a restart
	Welcome       control.Welcome
	ContainerSays control.Stats // the newest
	Notices       []control.Notice
	Chat          []control.Chat
	Bye           *control.Bye
	Pongs         uint64
	Escrow        control.Escrow // the container's newest word on it; zero in a free session
	Payment       control.Pay    // as above
	Errors        []string
}

// tally is what the player's goroutines count into.
type tally struct {
	mu       sync.Mutex
	r        Report
	begun    time.Time // Play
	answered time.Time
	up       time.Time
	first    time.Time
	last     time.Time // frame
	acked    uint32
	packets  uint64 // of video
	sent     [512]sending
	waits    []time.Duration // of the running second
}

// sending is when an input left.
type sending struct {
	seq uint32
	at  time.Time
}

// maxLatencies bounds what is kept of a session.
const maxLatencies = 8192

// maxKept bounds what is kept word for word, whatever a container sends.
const maxKept = 64

// connected notes when the connection came up. A picture that came says so, too: it may be
// counted before the change of state is.
func (t *tally) connected(now time.Time) {
	if t.up.IsZero() {
		t.up = now
		t.r.Stages.Connect = now.Sub(t.answered)
	}
}

func (t *tally) fail(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.r.Errors) < maxKept {
		t.r.Errors = append(t.r.Errors, text)
	}
}

// frame counts a complete picture and reports whether it is the first one to show.
func (t *tally) frame(now time.Time, f frame) (first bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.r.Frames++
	if f.key {
		t.r.KeyFrames++
	}
	if !f.decodable {
		return false
	}
	t.r.Decodable++
	if t.first.IsZero() {
		t.first, first = now, true
		t.connected(now)
		t.r.Stages.FirstFrame, t.r.Stages.Total = now.Sub(t.up), now.Sub(t.begun)
	} else {
		t.r.LongestGap = max(t.r.LongestGap, now.Sub(t.last))
		if now.Sub(t.last) > stall {
			t.r.Stalls++
		}
	}
	t.last = now
	return first
}

func (t *tally) message(m control.Message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch m := m.(type) {
	case control.Welcome:
		t.r.Welcome = m
	case control.Stats:
		t.r.ContainerSays = m
	case control.Ack:
		if int32(m.Seq-t.acked) > 0 {
			t.acked = m.Seq
			t.latency(m.Seq)
		}
	case control.Notice:
		if len(t.r.Notices) < maxKept {
			t.r.Notices = append(t.r.Notices, m)
		}
	case control.Chat:
		if len(t.r.Chat) < maxKept {
			t.r.Chat = append(t.r.Chat, m)
		}
	case control.Pong:
		t.r.Pongs++
	case control.Escrow:
		t.r.Escrow = m
	case control.Pay:
		t.r.Payment = m
	case control.Bye:
		t.r.Bye = &m
	}
}

// latency takes the time since an input left.
func (t *tally) latency(seq uint32) {
	s := t.sent[seq%uint32(len(t.sent))]
	if s.seq != seq || s.at.IsZero() {
		return
	}
	d := time.Since(s.at)
	if len(t.r.Latencies) < maxLatencies {
		t.r.Latencies = append(t.r.Latencies, d)
	}
	if len(t.waits) < maxKept {
		t.waits = append(t.waits, d)
	}
}

// pictures counts the decodable pictures so far.
func (t *tally) pictures() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.r.Decodable
}

// Report is a snapshot of what has arrived so far.
func (p *Player) Report() Report {
	t := &p.tally
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.r
	r.Notices = append([]control.Notice(nil), r.Notices...)
	r.Chat = append([]control.Chat(nil), r.Chat...)
	r.Errors = append([]string(nil), r.Errors...)
	r.Latencies = slices.Clone(r.Latencies)
	r.VideoPackets = t.packets
	r.InputsAcked = min(uint64(t.acked), r.InputsSent)
	if !t.first.IsZero() {
		r.Playing = t.last.Sub(t.first)
	}
	if s := r.Playing.Seconds(); s > 0 {
		r.FPS = float64(r.Decodable-1) / s
		r.BitrateKbps = float64(r.VideoBytes+r.AudioBytes) * 8 / 1000 / s
	}
	return r
}
