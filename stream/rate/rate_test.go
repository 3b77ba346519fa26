package rate

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

var limits = Limits{Min: 500_000, Start: 4_000_000, Max: 8_000_000}

// drive steps a controller ten times a second and returns the rate after it.
func drive(c *Controller, from time.Time, d time.Duration, links func(rate int) (sent int, peers []Peer)) time.Time {
	for end := from.Add(d); from.Before(end); from = from.Add(100 * time.Millisecond) {
		sent, peers := links(c.Target())
		c.Step(from, sent, peers)
	}
	return from
}

// link is a bottleneck as its estimator sees it: delay grows when the rate is above
// what it carries, and the estimate falls to just below.
func link(owner bool, carries int) func(sent int) Peer {
	return func(sent int) Peer {
		if sent > carries {
			return Peer{Owner: owner, Estimate: carries * 85 / 100, Overuse: true}
		}
		return Peer{Owner: owner, Estimate: carries}
	}
}

func TestSteadyStates(t *testing.T) {
	full := func(links ...func(int) Peer) func(int) (int, []Peer) {
		return func(rate int) (int, []Peer) {
			var ps []Peer
			for _, l := range links {
				ps = append(ps, l(rate))
			}
			return rate, ps
		}
	}
	for _, c := range []struct {
		name     string
		links    func(int) (int, []Peer)
		min, max int
	}{
		{"a wide link is used to the limit", full(link(true, 50_000_000)), 8_000_000, 8_000_000},
		{"a narrow link is filled and not more", full(link(true, 2_000_000)), 1_300_000, 2_300_000},
		{"no link is driven below the minimum", full(link(true, 100_000)), 500_000, 500_000},
		{"a narrow watcher costs the owner a quarter at most", full(link(true, 8_000_000), link(false, 500_000)), 5_500_000, 6_700_000},
		{"a watcher a little worse than the owner is served", full(link(true, 8_000_000), link(false, 7_000_000)), 5_500_000, 7_800_000},
		{"watchers alone decide among themselves", full(link(false, 3_000_000), link(false, 2_000_000)), 1_300_000, 2_300_000},
		{"loss cuts although the delay is fine", full(func(int) Peer { return Peer{Owner: true, Estimate: 8_000_000, Loss: 0.3} }), 500_000, 500_000},
		{"a little loss holds", full(func(int) Peer { return Peer{Owner: true, Estimate: 4_000_000, Loss: 0.05} }), 4_000_000, 4_000_000},
		{"a still menu is not taken for a narrow link", func(int) (int, []Peer) {
			return 100_000, []Peer{{Owner: true, Estimate: 90_000, Overuse: true}}
		}, 4_000_000, 4_000_000},
		{"nobody: the rate waits", func(int) (int, []Peer) { return 0, nil }, 4_000_000, 4_000_000},
	} {
		ctl := New(limits)
		drive(ctl, time.Unix(1, 0), 60*time.Second, c.links)
		if got := ctl.Target(); got < c.min || got > c.max {
			t.Errorf("%s: %d, want %d to %d", c.name, got, c.min, c.max)
		}
	}
}

func TestFallsAtOnceAndRecovers(t *testing.T) {
	c, carries := New(limits), 10_000_000
	links := func(rate int) (int, []Peer) { return rate, []Peer{link(true, carries)(rate)} }
	now := drive(c, time.Unix(1, 0), 20*time.Second, links)
	carries = 1_000_000
	now = drive(c, now, 5*time.Second, links)
	if c.Target() > 1_200_000 {
		t.Errorf("%d five seconds after the link shrank to 1 Mbit/s", c.Target())
	}
	carries = 10_000_000
	drive(c, now, 30*time.Second, links)
	if c.Target() < 7_000_000 {
		t.Errorf("%d thirty seconds after the link was back", c.Target())
	}
}

// The estimator of an app that sent little says little; when the action begins and
// the link proves good, the rate must not fall to that estimate.
func TestActionAfterAMenu(t *testing.T) {
	c := New(limits)
	now := drive(c, time.Unix(1, 0), 20*time.Second, func(int) (int, []Peer) { return 200_000, []Peer{{Owner: true, Estimate: 250_000}} })
	drive(c, now, 5*time.Second, func(rate int) (int, []Peer) { return rate, []Peer{{Owner: true, Estimate: 300_000}} })
	if c.Target() < limits.Start {
		t.Errorf("%d after a menu on a clear link, want at least %d", c.Target(), limits.Start)
	}
}

// Whatever links say, the rate stays within its limits, the encoder is told of no
// trembling, and rises are at least half a second apart.
func TestBoundsAndHysteresis(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, now, told, rose := New(limits), time.Unix(1, 0), limits.Start, time.Time{}
		for range 200 {
			now = now.Add(time.Duration(rapid.IntRange(1, 300).Draw(t, "ms")) * time.Millisecond)
			peers := make([]Peer, rapid.IntRange(0, 3).Draw(t, "peers"))
			for i := range peers {
				peers[i] = Peer{Owner: i == 0 && rapid.Bool().Draw(t, "owner"), Estimate: rapid.IntRange(0, 20_000_000).Draw(t, "estimate"),
					Loss: rapid.Float64Range(0, 1).Draw(t, "loss"), Overuse: rapid.Bool().Draw(t, "overuse")}
			}
			bps, changed := c.Step(now, rapid.IntRange(0, 9_000_000).Draw(t, "sent"), peers)
			if bps < limits.Min || bps > limits.Max {
				t.Fatalf("rate %d", bps)
			}
			if changed == (bps == told) {
				t.Fatalf("told %d after %d, changed %v", bps, told, changed)
			}
			if bps > told {
				if now.Sub(rose) < betweenRises {
					t.Fatalf("rose twice within %v", now.Sub(rose))
				}
				rose = now
			}
			told = bps
		}
	})
}
