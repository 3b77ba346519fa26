package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/subnet"
)

var someday = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// TestOneLiarMovesNobody: where a node is seen is believed of witnesses in several subnets,
// and forgotten when nobody says so any more.
func TestOneLiarMovesNobody(t *testing.T) {
	var s sightings
	home, away := homesOf(t, "11.1.1.0/24")[0], homesOf(t, "66.6.6.0/24")[0]
	for range 50 {
		s.saw(someday, away, homesOf(t, "13.1.1.0/24")[0])
	}
	s.saw(someday, home, homesOf(t, "14.1.1.0/24")[0])
	if got := s.believed(someday); len(got) != 0 {
		t.Errorf("one witness each: %v", got)
	}
	s.saw(someday.Add(time.Minute), home, homesOf(t, "15.1.1.0/24")[0])
	if got := s.believed(someday.Add(time.Minute)); !slices.Equal(got, []subnet.Subnet{home}) {
		t.Errorf("two witnesses: %v", got)
	}
	if got := s.believed(someday.Add(sightingTime + time.Second)); len(got) != 0 {
		t.Errorf("one of them long ago: %v", got)
	}
}

// TestAFewLiarsMoveNobody: what they name is declared to the ledger, so they could else keep
// honest checkers from being drawn for everybody they connect to.
func TestAFewLiarsMoveNobody(t *testing.T) {
	at := func(a, b, c byte) subnet.Subnet { return subnet.Subnet([]byte{a, b, c}) }
	var s sightings
	home := at(11, 1, 1)
	for i := range byte(9) {
		s.saw(someday, home, at(14, 1, i))
	}
	for i := range byte(4) { // each names the checkers of its choice, again and again
		for j := range byte(50) {
			s.saw(someday, at(66, 6, j%3), at(13, 1, i))
			s.saw(someday, at(66, 6, 1), at(13, 1, i))
		}
	}
	if got := s.believed(someday); !slices.Equal(got, []subnet.Subnet{home}) {
		t.Errorf("four of thirteen: %v", got)
	}
	s.saw(someday, at(66, 6, 1), at(13, 1, 9))
	if got := s.believed(someday); len(got) != 2 || got[0] != home {
		t.Errorf("a third sees it at two exits: %v", got)
	}

	// IPv6 is counted apart, and whoever has a /32 of it has one voice.
	six := func(a, b byte) subnet.Subnet { return subnet.Subnet([]byte{0x2a, 0, 0, a, 0, b}) }
	for i := range byte(100) {
		s.saw(someday, six(9, 9), six(1, i))
	}
	if got := s.believed(someday); slices.Contains(got, six(9, 9)) {
		t.Errorf("one voice: %v", got)
	}
	s.saw(someday, six(9, 9), six(2, 0))
	if got := s.believed(someday); !slices.Contains(got, six(9, 9)) || !slices.Contains(got, home) {
		t.Errorf("two voices: %v", got)
	}

	for i := range 3 * maxWitnesses {
		s.saw(someday, home, at(21, byte(i>>8), byte(i)))
	}
	if n := s.witnesses(subnet.SizeV4); n != maxWitnesses {
		t.Errorf("%d witnesses are remembered", n)
	}
}

func TestAMoveIsDeclaredOnceItHasSettled(t *testing.T) {
	var d drift
	at := func(minutes int, seen, declared []subnet.Subnet) []subnet.Subnet {
		want, ok := d.due(someday.Add(time.Duration(minutes)*time.Minute), seen, declared)
		if ok != (len(want) > 0) {
			t.Fatalf("%v %v", want, ok)
		}
		return want
	}
	old, moved, third := homesOf(t, "11.1.1.0/24"), homesOf(t, "11.1.2.0/24"), homesOf(t, "11.1.3.0/24")
	for _, step := range []struct {
		minute               int
		seen, declared, want []subnet.Subnet
	}{
		{0, old, old, nil},
		{1, moved, old, nil},
		{3, old, old, nil}, // back again
		{4, moved, old, nil},
		{8, moved, old, nil},
		{9, moved, old, homesOf(t, "11.1.1.0/24", "11.1.2.0/24")}, // others may still know the old one
		{10, moved, old, nil}, // not at once again
		{14, moved, old, homesOf(t, "11.1.1.0/24", "11.1.2.0/24")},
		{15, third, old, nil}, // another place takes its own time
		{20, third, old, homesOf(t, "11.1.1.0/24", "11.1.3.0/24")},
		{21, nil, old, nil}, // seen nowhere: nothing to say
		{40, nil, old, nil},
		{41, moved, nil, nil},
		{46, moved, nil, moved}, // it never said anything
		{50, moved, homesOf(t, "12.1.1.0/24", "12.1.2.0/24", "12.1.3.0/24", "12.1.4.0/24"), nil},
		{55, moved, homesOf(t, "12.1.1.0/24", "12.1.2.0/24", "12.1.3.0/24", "12.1.4.0/24"), homesOf(t, "11.1.2.0/24", "12.1.1.0/24", "12.1.2.0/24", "12.1.3.0/24")},
	} {
		if got := at(step.minute, step.seen, step.declared); !slices.Equal(got, step.want) {
			t.Errorf("minute %d: %v, want %v", step.minute, got, step.want)
		}
	}
}

// conn is a connection of which only the other end's address is known.
type conn struct {
	network.Conn
	remote ma.Multiaddr
}

func (c conn) RemoteMultiaddr() ma.Multiaddr { return c.remote }

// TestANodeThatMovedDeclaresIt plays what peers say and what time it is.
func TestANodeThatMovedDeclaresIt(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		says string
	}{
		"it may":          {nil, "registered where it lives now"},
		"it moved lately": {fmt.Errorf("refused: %w", state.ErrMoved), "until it may be registered anew"},
		"it may not":      {errors.New("no delegation"), "framemesh register --subnet 11.1.1.0/24 --subnet 11.1.2.0/24"},
	} {
		t.Run(name, func(t *testing.T) {
			var passed atomic.Int64 // of the clock
			tick, told, asked := make(chan time.Time), make(chan any), make(chan []subnet.Subnet, 1)
			said := make(chan string, 8)
			entry := state.Node{Subnets: homesOf(t, "11.1.1.0/24")}
			w := &whereabouts{log: slog.New(lines(said)), now: func() time.Time { return someday.Add(time.Duration(passed.Load())) }, tick: tick, told: told,
				addrs: func() []ma.Multiaddr { return addrsOf(t, "/ip4/192.168.0.2/tcp/1") },
				entry: func() (state.Node, bool) { return entry, true },
				declare: func(_ context.Context, _ state.Node, list []subnet.Subnet) error {
					asked <- list
					return c.err
				}}
			done := make(chan struct{})
			ctx, stop := context.WithCancel(t.Context())
			go func() { defer close(done); w.run(ctx) }()
			for _, by := range []string{"13.1.1.1", "14.1.1.1"} {
				told <- event.EvtPeerIdentificationCompleted{Conn: conn{remote: addrsOf(t, "/ip4/"+by+"/tcp/1")[0]}, ObservedAddr: addrsOf(t, "/ip4/11.1.2.7/tcp/9")[0]}
			}
			told <- event.EvtPeerIdentificationCompleted{} // says nothing
			tick <- someday
			tick <- someday // the loop is back: nothing was declared yet
			select {
			case list := <-asked:
				t.Fatalf("at once: %v", list)
			default:
			}
			passed.Store(int64(settledTime))
			tick <- someday
			if list := <-asked; !slices.Equal(list, homesOf(t, "11.1.1.0/24", "11.1.2.0/24")) {
				t.Errorf("declared %v", list)
			}
			if line := <-said; !strings.Contains(line, c.says) {
				t.Errorf("said %q", line)
			}
			stop()
			<-done
		})
	}
}

// lines is a log handler that hands each message on.
type lines chan string

func (lines) Enabled(context.Context, slog.Level) bool { return true }
func (l lines) Handle(_ context.Context, r slog.Record) error {
	l <- r.Message
	return nil
}
func (l lines) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l lines) WithGroup(string) slog.Handler      { return l }

// TestAMoveChangesNothingElse: a delegate may change no more than that.
func TestAMoveChangesNothingElse(t *testing.T) {
	e := state.Node{Roles: economics.RoleChecker | economics.RoleContainer, Class: 1, Region: "eu", Price: 7, Claim: 9,
		Keys: state.Keys{Consensus: [32]byte{1}, VRF: [32]byte{2}}, Next: state.Keys{Consensus: [32]byte{3}, VRF: [32]byte{4}}}
	id, list := key.Node{5}, homesOf(t, "11.1.1.0/24")
	r := moved(id, e, list)
	if key.Node(r.Node) != id || r.Roles != 5 || r.HardwareClass != 1 || r.Region != "eu" || r.PriceMicroUsdPerHour != 7 || r.ClaimRpMilli != 9 || r.ConsensusKey[0] != 1 || r.VrfKey[0] != 2 || len(r.NodeSignature) != 0 {
		t.Errorf("%v", r)
	}
	if got, err := subnet.FromBytes(r.Subnets); err != nil || !slices.Equal(got, list) {
		t.Errorf("%v %v", got, err)
	}
	e.NextFrom = 3
	if r := moved(id, e, list); r.ConsensusKey[0] != 3 || r.VrfKey[0] != 4 {
		t.Error("not the keys that were registered last")
	}
	if r := moved(id, state.Node{}, list); r.ConsensusKey != nil || r.VrfKey != nil {
		t.Error("keys of nobody")
	}
}
