package why

import (
	"strings"
	"testing"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/state"
)

// Wherever in an epoch somebody asks, and however old the newest block is that is known, it is
// said when the next round begins.
func TestWhenTheNextRoundBegins(t *testing.T) {
	const start, s, min = 1_900_000_000_000, 1000, 60_000 // of epoch 52; epochs take 900 s
	for _, c := range []struct {
		name string
		now  uint64
		want string
	}{
		{"the epoch has just begun", start - 900*s, "in 15 min."},
		{"in the middle", start - 450*s, "in 8 min."},
		{"less than two minutes are left", start - 120*s, "in 2 min."},
		{"a minute is left", start - 60*s, "in 60 s."},
		{"its last millisecond", start - 1, "in 1 s."},
		{"the next has begun and its first block is to come", start, "now, with the first block of epoch 52."},
		{"that takes a while", start + 112*s, "now, with the first block of epoch 52."},
		{"its round is lost", start + 113*s, "in 13 min if the ledger goes on by then: no block of the last 113 s is known here."},
		{"the end of an epoch without blocks", start + 900*s - 1, "in 1 s if the ledger goes on by then: no block of the last 15 min is known here."},
		{"the ledger stands still", start + 900*s, "in 15 min if the ledger goes on by then: no block of the last 15 min is known here."},
		{"for a day", start + 24*60*min + 60*s, "in 14 min if the ledger goes on by then: no block of the last 24 h is known here."},
		{"a clock that is wrong by years", 1, "in 527777 h."},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := " The next round begins " + c.want
			f := Facts{Epoch: 51, NowMS: c.now, NextMS: start, Params: economics.DefaultParams()}
			if got := f.nextRound(); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
	if got := (&Facts{Epoch: 51, NextMS: start, Params: economics.DefaultParams()}).nextRound(); got != "" {
		t.Errorf("of a time that is not known: %q", got)
	}
}

// Whoever waits for a round is told when it begins: one that was never measured, one whose proof
// is too old, one that was found bad.
func TestWhoWaitsForARoundIsToldWhen(t *testing.T) {
	for code, m := range map[string]memory{"unproven": registered(economics.RoleContainer), "expired": registered(economics.RoleContainer), "found_bad": registered(economics.RoleContainer)} {
		s := good
		s.ProvenUntil = 10
		switch code {
		case "expired":
			m.saw(s, state.Verdict{Epoch: 9, Verdict: 1, Height: 90})
		case "found_bad":
			s.LastVerdict = 3
			m.saw(s, state.Verdict{Epoch: 9, Verdict: 3, Height: 90})
		}
		f, err := Read(m.values(), node, 51, economics.DefaultParams())
		if err != nil {
			t.Fatal(err)
		}
		f.NextMS = 1_900_000_000_000
		for _, f.NowMS = range []uint64{f.NextMS - 1, f.NextMS, f.NextMS + 3_600_000} {
			if x, ok := Of(f).has(code); !ok || !strings.Contains(x.Text, "The next round begins ") {
				t.Errorf("%d of %d: %v %+v", f.NowMS, f.NextMS, ok, x)
			}
		}
	}
}

func TestHowLongItIsUntilAnEpoch(t *testing.T) {
	f := Facts{Epoch: 51, NowMS: 10_000, NextMS: 12_000, Params: economics.DefaultParams()}
	for epoch, want := range map[uint64]uint64{0: 0, 51: 0, 52: 2_000, 53: 902_000, 1<<64 - 1: 1<<64 - 1 - 10_000} {
		if got := f.until(epoch); got != want {
			t.Errorf("until epoch %d it is %d ms, want %d", epoch, got, want)
		}
	}
	f.NowMS = 1_000_000 // no block was known for a while
	if a, b := f.until(52), f.until(54); a != 0 || b != 812_000 {
		t.Errorf("%d and %d ms", a, b)
	}
}
