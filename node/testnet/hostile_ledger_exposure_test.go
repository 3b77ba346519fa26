package testnet

import (
	"context"
	"math/rand/v2"
	"testing"

	pay "github.com/framemesh/framemesh/actors/purse"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/voucher"
	"github.com/framemesh/framemesh/node"
	"github.com/framemesh/framemesh/stream/player"
	"github.com/framemesh/framemesh/stream/whep"
)

// Players who lie about money and players who vanish, on one machine.
func TestPlayersThatCheatOrVanish(t *testing.T) {
	n := startPaid(t, Options{Containers: 1, Slots: 2})
	hostileVouchers(t, n)
	vanishingPlayers(t, n)
	supplyIsExact(t, n)
}

// vanishingPlayers are those whose connection is gone from one instant to the next, at any second of play, owe
// the container what it served but for the credit, and it gets that: it waits a while for
// them, and settles.
func vanishingPlayers(t *testing.T, n *Net) {
	began := n.Chain().Head().Height
	type gone struct {
		id       [16]byte
		served   uint32
		promised uint32
	}
	players := map[string]gone{}
	type one struct {
		p *player.Player
		m *pay.Purse
	}
	var playing []one
	for _, second := range []uint32{1 + rand.Uint32N(3), 4 + rand.Uint32N(5)} {
		p, m := payer(t, n, nil, nil)
		id := sessionID(t, p)
		playing = append(playing, one{p, m})
		until(t, "seconds of play", patience, func() bool { s, _ := served(t, n, id); return s.Served >= second })
	}
	for _, o := range playing { // one right after the other: their machine waits half a minute for each
		p, m, id := o.p, o.m, sessionID(t, o.p)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if err := p.Leave(ctx); err != nil { // no word to anybody
			t.Error(err)
		}
		s, _ := served(t, n, id)
		players[m.Address().String()] = gone{id, s.Served, m.Report().Seconds}
	}
	// the machine is still theirs for a while: what it serves on without them is not paid,
	// and is no more than the credit
	for who, g := range players {
		if _, there := served(t, n, g.id); !there {
			t.Errorf("the session of %s ended with its connection", who)
		}
	}
	stopContainer(t, n)
	var done map[string]map[string]uint64
	until(t, "both are settled", patience, func() bool { done = settlements(t, n, began); return len(done) == 2 })
	for who, g := range players {
		seconds := done[who]["seconds"]
		t.Logf("vanished after %d s that were served and %d promised: %d s paid", g.served, g.promised, seconds)
		if seconds+voucher.Credit < uint64(g.served) || seconds > uint64(g.promised) {
			t.Errorf("vanished after %d s: %v, promised %d s", g.served, done[who], g.promised)
		}
	}
}

// stopContainer has the container say its last words.
func stopContainer(t *testing.T, n *Net) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := n.Find("container-1").Node.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// A machine that loses its power costs the player a second at most, and when it comes back
// it settles what was promised last but for two seconds; one that never comes back is paid
// nothing, and the escrow goes back when it expires.
func TestContainersThatVanishCostASecond(t *testing.T) {
	n := startPaid(t, Options{Containers: 2, Slots: 1}, func(m *Money) {
		m.EpochSeconds = 3
		m.Params = func(e *economics.Params) { e.ChallengeEpochs, e.SessionExpiryEpochs = 1, 2 }
	})
	began := n.Chain().Head().Height
	type one struct {
		p  *player.Player
		m  *pay.Purse
		at string
	}
	var players []one
	for _, planned := range []uint32{0, 18} {
		p, m, _ := honestPayer(t, n, func(o *pay.Options) { o.Planned = planned }, nil)
		players = append(players, one{p, m, n.ByID(p.Header().Get(whep.HeaderContainer)).Name})
		until(t, "some seconds of play, and the machine knows what was promised for them", patience, func() bool {
			for _, o := range players {
				promised := o.m.Report().Seconds
				if s, _ := served(t, n, sessionID(t, o.p)); promised < 4 || s.Covered+1 < promised {
					return false
				}
			}
			return true
		})
	}
	if players[0].at == players[1].at {
		t.Fatalf("both play on %s", players[0].at)
	}
	promised := map[string]pay.Report{}
	for _, o := range players {
		if err := n.Crash(o.at); err != nil {
			t.Fatal(err)
		}
	}
	// nothing more is promised to the dead than the second that had begun
	for _, o := range players {
		first := o.m.Report()
		until(t, "no picture comes any more", patience, func() bool { return !o.p.Report().Connected })
		r := o.m.Report()
		if r.Seconds > r.Seen+1 || r.Seconds > first.Seconds+2 {
			t.Errorf("%d s seen, %d promised, %d when it went dark", r.Seen, r.Seconds, first.Seconds)
		}
		promised[o.m.Address().String()] = r
	}
	// one is back on its disk
	if _, err := n.Add(t.Context(), players[0].at, node.RoleContainer); err != nil {
		t.Fatal(err)
	}
	var done map[string]map[string]uint64
	back, lost := players[0].m.Address().String(), players[1].m.Address()
	until(t, "the one that is back settles", patience, func() bool { done = settlements(t, n, began); return done[back] != nil })
	if r, paid := promised[back], done[back]["seconds"]; paid > uint64(r.Seconds) || paid+voucher.Credit < uint64(r.Seconds) {
		t.Errorf("promised %d s, settled %v", r.Seconds, done[back])
	} else {
		t.Logf("promised %d s, %d s settled after the return", r.Seconds, paid)
	}
	until(t, "the other escrow comes back when it expires", patience, func() bool {
		return account(t, n, lost).Balance == uint64(1000*100_000_000)-n.Genesis().Params.TxFee
	})
	supplyIsExact(t, n)
}
