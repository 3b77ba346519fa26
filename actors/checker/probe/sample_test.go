package probe

import (
	"testing"
	"time"

	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/stream/control"
	"github.com/framemesh/framemesh/stream/player"
)

var zero = time.Unix(1_800_000_000, 0)

func at(ms int) time.Time { return zero.Add(time.Duration(ms) * time.Millisecond) }

// session is ten seconds at 60 pictures a second of which the picture changes when draw says.
func session(hash func(ms int) uint64) *Trace {
	t := &Trace{App: [32]byte{1}, Report: player.Report{Frames: 600, Decodable: 600, VideoPackets: 9_990, PacketsLost: 10, FPS: 59.9, BitrateKbps: 4000,
		Playing: 10 * time.Second, Stalls: 1, Welcome: control.Welcome{FPS: 60},
		Stages: player.Stages{Post: 400 * time.Millisecond, Total: 900 * time.Millisecond}}}
	for i := range 600 {
		ms := i * 1000 / 60
		t.Looks = append(t.Looks, Look{At: at(ms), Hash: hash(ms)})
	}
	return t
}

func TestWhatASessionComesTo(t *testing.T) {
	still := session(func(int) uint64 { return 5 })
	s := Sample(still)
	if s.GetLaunchMs() != 400 || s.GetFirstFrameMs() != 900 || s.GetAskedFps() != 60 || s.GetFpsMilli() != 59_900 || s.GetStalls() != 1 ||
		s.GetLostPpm() != 1000 || s.GetSeconds() != 10 || s.GetP50Ms() != 0 || s.GetCellsAsked() != 0 || s.GetApp()[0] != 1 {
		t.Errorf("%v", s)
	}
	if s := Sample(&Trace{}); s.GetSeconds() != 0 || s.GetFirstFrameMs() != proof.MaxTimeMS {
		t.Errorf("a session without a picture: %v", s)
	}
}

// Keys are timed by the picture that they move, and only where it stood still before.
func TestInputToPhoton(t *testing.T) {
	keys := []int{1000, 2000, 3000, 4000, 5000, 6000, 7000}
	answers := func(ms int) uint64 { // 80 ms after each key, 180 ms after one of them
		n := uint64(0)
		for i, k := range keys {
			d := 80
			if i == 3 {
				d = 180
			}
			if ms >= k+d {
				n++
			}
		}
		return n * 0x1111
	}
	tr := session(answers)
	for _, k := range keys {
		tr.Inputs = append(tr.Inputs, at(k))
	}
	s := Sample(tr)
	if s.GetP50Ms() < 80 || s.GetP50Ms() > 97 || s.GetP95Ms() < 180 || s.GetP95Ms() > 197 {
		t.Errorf("p50 %d p95 %d", s.GetP50Ms(), s.GetP95Ms())
	}
	busy := session(func(ms int) uint64 { return uint64(ms) * 0x0101010101010101 })
	busy.Inputs = tr.Inputs
	if s := Sample(busy); s.GetP50Ms() != 0 {
		t.Errorf("a picture that always moves times a key: %d ms", s.GetP50Ms())
	}
	for range 10 {
		busy.Report.Latencies = append(busy.Report.Latencies, 120*time.Millisecond)
	}
	if s := Sample(busy); s.GetP50Ms() != 70 || s.GetP95Ms() != 70 {
		t.Errorf("by the container's word: p50 %d p95 %d", s.GetP50Ms(), s.GetP95Ms())
	}
}

// A challenge counts where it could have been seen, and times what nothing else does.
func TestChallenges(t *testing.T) {
	tr := session(func(int) uint64 { return 5 })
	tr.Report.PacketsLost = 0
	tr.Cells = []Asked{{at(3000), 0xabcdef01}, {at(9500), 7}}
	if s := Sample(tr); s.GetCellsAsked() != 1 || s.GetCellsSeen() != 0 {
		t.Errorf("unseen: %v", s) // the second came too late to be seen
	}
	tr.Looks[185].Strip, tr.Looks[185].Code = true, 0xabcdef01^1
	if s := Sample(tr); s.GetCellsAsked() != 1 || s.GetCellsSeen() != 1 || s.GetP50Ms() != 83 {
		t.Errorf("seen: %v", s)
	}
	tr.Looks[185].Code = 0xabcdef01 ^ 7
	for name, change := range map[string]func(*Trace){
		"packets lost":       func(t *Trace) { t.Report.PacketsLost = 1 },
		"few bits":           func(t *Trace) { t.Report.BitrateKbps = 300 },
		"nobody reads":       func(t *Trace) { t.Looks = nil },
		"reading ended soon": func(t *Trace) { t.Blind = true },
	} {
		other := *tr
		change(&other)
		if s := Sample(&other); s.GetCellsAsked() != 0 {
			t.Errorf("%s: a challenge that nobody could see counts: %v", name, s)
		}
	}
}
