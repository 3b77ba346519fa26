package checker_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/witness"
	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
)

// game is a paid session on container-1, and its player.
type game struct {
	m      *mesh
	player ed25519.PrivateKey
	id     [16]byte
}

// newGame puts a session of ten minutes on the ledger, which began with the epoch.
func newGame(m *mesh) *game {
	seed := sha256.Sum256([]byte("player"))
	g := &game{m, ed25519.NewKeyFromSeed(seed[:]), [16]byte{1, 2, 3}}
	m.played = map[[16]byte]state.Session{}
	g.on(func(s *state.Session) {
		*s = state.Session{Player: key.Address(g.player[ed25519.SeedSize:]), Phase: state.PhaseOpen, Seconds: 600, PerSecond: 1, OpenedMS: m.genesis}
	})
	return g
}

// on changes what the ledger holds of it.
func (g *game) on(change func(*state.Session)) {
	g.m.mu.Lock()
	defer g.m.mu.Unlock()
	s := g.m.played[g.id]
	change(&s)
	g.m.played[g.id] = s
}

func (g *game) settle() {
	g.m.mu.Lock()
	defer g.m.mu.Unlock()
	delete(g.m.played, g.id)
}

// close is what a player does who wants the rest back without the container.
func (g *game) close() {
	g.on(func(s *state.Session) { s.Phase, s.ClosingMS = state.PhaseClosing, uint64(time.Now().UnixMilli()) })
}

// gone is the player's word.
func (g *game) gone() *wire.Gone {
	s := witness.Session{Chain: testChain, Container: g.m.node("container-1"), ID: g.id, Player: [32]byte(g.player[ed25519.SeedSize:])}
	w := witness.Gone{Seconds: 3, AtMS: uint64(time.Now().UnixMilli())}
	s.SignGone(g.player, &w)
	return gone(s, w, g.m.keys["container-1"], g.m.genesis)
}

// gone is a player's word about a session that its container took, at 1 a second.
func gone(s witness.Session, w witness.Gone, container ed25519.PrivateKey, openedMS uint64) *wire.Gone {
	w.Taken = witness.Taken{PerSecond: 1, OpenedMS: openedMS}
	s.SignTaken(container, &w.Taken)
	return &wire.Gone{Container: s.Container[:], Session: s.ID[:], Player: s.Player[:], Seconds: w.Seconds, AtMs: w.AtMS, Signature: w.Signature[:],
		PerSecond: w.Taken.PerSecond, OpenedMs: w.Taken.OpenedMS, Taken: w.Taken.Signature[:]}
}

// complain brings it to the first checkers, which may know of no such session.
func (g *game) complain(checkers int) {
	g.m.t.Helper()
	for i := range checkers {
		if err := g.m.rounds[fmt.Sprint("checker-", i+1)].Gone(context.Background(), "", g.gone()); err != nil && rpc.CodeOf(err) != wire.Code_NOT_FOUND {
			g.m.t.Error(err)
		}
	}
}

// dropped is the session that the certificate of epoch 0 names for the only container.
func (m *mesh) dropped() []byte {
	m.t.Helper()
	r := m.result(0)
	if r == nil {
		m.t.Fatal("no certificate")
	}
	if r.Wrong != 0 {
		m.t.Errorf("wrong: %b", r.Wrong)
	}
	return r.Entries[0].Dropped
}

// TestAContainerThatGoesIsMissed by a player and then by checkers, and else it is not: in each
// of these epochs of 20 s a watch takes 1.7 s.
func TestAContainerThatGoesIsMissed(t *testing.T) {
	for name, c := range map[string]struct {
		play    func(m *mesh, g *game) // from 25 % of the epoch on
		dropped bool
	}{
		"it goes":                             {func(m *mesh, g *game) { m.kill("container-1"); g.complain(5) }, true},
		"it goes, and two hear nothing of it": {func(m *mesh, g *game) { m.kill("container-1"); g.complain(3) }, true},
		"it goes, and two alone hear of it":   {func(m *mesh, g *game) { m.kill("container-1"); g.complain(2) }, false},
		"it goes, and nobody plays":           {func(m *mesh, g *game) { m.kill("container-1") }, false},
		"it is there":                         {func(m *mesh, g *game) { g.complain(5) }, false},
		"it is started again": {func(m *mesh, g *game) {
			m.kill("container-1")
			g.complain(5)
			time.Sleep(1300 * time.Millisecond)
			m.startContainer("container-1")
		}, false},
		"two of five do not reach it": {func(m *mesh, g *game) {
			m.mu.Lock()
			m.cut = map[peer.ID]bool{m.id("checker-1"): true, m.id("checker-2"): true}
			m.mu.Unlock()
			g.complain(5)
		}, false},
		"it settles and goes": {func(m *mesh, g *game) { g.settle(); m.kill("container-1"); g.complain(5) }, false},
		"it settles while they look": {func(m *mesh, g *game) {
			m.kill("container-1")
			g.complain(5)
			time.Sleep(time.Second)
			g.settle()
		}, false},
		"its player closes it, and then complains": {func(m *mesh, g *game) {
			m.kill("container-1")
			g.close()
			g.complain(5)
		}, true},
		"its player complains, and closes it while they look": {func(m *mesh, g *game) {
			m.kill("container-1")
			g.complain(5)
			time.Sleep(time.Second)
			g.close()
		}, true},
		"its player closes it, and it settles while they look": {func(m *mesh, g *game) {
			m.kill("container-1")
			g.close()
			g.complain(5)
			time.Sleep(time.Second)
			g.settle()
		}, false},
		"its player closes it while it runs": {func(m *mesh, g *game) { g.close(); g.complain(5) }, false},
		"its seconds have run out": {func(m *mesh, g *game) {
			g.on(func(s *state.Session) { s.Seconds = 6 })
			m.kill("container-1")
			g.complain(5)
		}, false},
		"all its seconds are paid for": {func(m *mesh, g *game) {
			g.on(func(s *state.Session) { s.Seconds, s.OpenedMS = 3, s.OpenedMS+60_000 })
			m.kill("container-1")
			g.complain(5)
		}, false},
		"another player says so": {func(m *mesh, g *game) {
			g.on(func(s *state.Session) { s.Player = key.Address{9} })
			m.kill("container-1")
			g.complain(5)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMesh(t, 1, 5)
				defer m.stop()
				g := newGame(m)
				m.startAll()
				m.until(0, 25)
				c.play(m, g)
				m.until(0, 99)
				if got := m.dropped(); c.dropped != bytes.Equal(got, g.id[:]) || !c.dropped && got != nil {
					t.Errorf("the certificate names %x", got)
				}
			})
		})
	}
}

// TestComplaintsAreRefused where nobody could look, or the player did not sign.
func TestComplaintsAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t, 1, 5)
		defer m.stop()
		g := newGame(m)
		m.startAll()
		m.until(0, 2)
		r := m.rounds["checker-1"]
		refused := func(what string, w *wire.Gone, want wire.Code) {
			t.Helper()
			if err := r.Gone(t.Context(), "", w); rpc.CodeOf(err) != want {
				t.Errorf("%s: %v, want %s", what, err, want)
			}
		}
		refused("before the round is known", g.gone(), wire.Code_BUSY)
		m.until(0, 25)
		forged := g.gone()
		forged.Seconds++
		refused("forged", forged, wire.Code_UNAUTHORISED)
		old := g.gone()
		old.AtMs -= 3_600_000
		refused("changed", old, wire.Code_UNAUTHORISED)
		s := witness.Session{Chain: testChain, Container: m.node("container-1"), ID: g.id, Player: [32]byte(g.player[ed25519.SeedSize:])}
		late := witness.Gone{Seconds: 3, AtMS: uint64(time.Now().Add(-time.Hour).UnixMilli())}
		s.SignGone(g.player, &late)
		old.AtMs, old.Signature = late.AtMS, late.Signature[:]
		refused("an hour old", old, wire.Code_EXPIRED)
		untaken := g.gone()
		untaken.Taken = untaken.Signature
		refused("about a session that nobody took", untaken, wire.Code_UNAUTHORISED)
		dearer := witness.Taken{PerSecond: 2, OpenedMS: m.genesis}
		s.SignTaken(m.keys["container-1"], &dearer)
		untaken.PerSecond, untaken.Taken = 2, dearer.Signature[:]
		refused("about one that was taken at another price", untaken, wire.Code_NOT_FOUND)
		before := g.gone()
		first := witness.Taken{PerSecond: 1, OpenedMS: m.genesis - 3_600_000}
		s.SignTaken(m.keys["container-1"], &first)
		before.OpenedMs, before.Taken = first.OpenedMS, first.Signature[:]
		refused("about one of the same name, taken an hour before", before, wire.Code_NOT_FOUND)
		seed := sha256.Sum256([]byte("container of nobody here"))
		stranger := ed25519.NewKeyFromSeed(seed[:])
		s.Container = key.Node(stranger[ed25519.SeedSize:])
		other := witness.Gone{Seconds: 3, AtMS: uint64(time.Now().UnixMilli())}
		s.SignGone(g.player, &other)
		refused("about nobody of its own", gone(s, other, stranger, m.genesis), wire.Code_UNAUTHORISED)
		m.until(0, 45)
		refused("too late for a watch", g.gone(), wire.Code_EXPIRED)
	})
}

// friend is a player of a session of its own on container-1.
func (g *game) friend(i int) *game {
	seed := sha256.Sum256([]byte(fmt.Sprint("friend ", i)))
	f := &game{g.m, ed25519.NewKeyFromSeed(seed[:]), [16]byte{9, byte(i)}}
	f.on(func(s *state.Session) {
		*s = state.Session{Player: key.Address(f.player[ed25519.SeedSize:]), Phase: state.PhaseOpen, Seconds: 600, PerSecond: 1, OpenedMS: g.m.genesis}
	})
	return f
}

// TestNobodyTakesTheRoomOfAComplaint: neither words about sessions that are none, nor those of a
// container's friends while it still answers, keep a player's from being looked into.
func TestNobodyTakesTheRoomOfAComplaint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t, 1, 5)
		defer m.stop()
		g := newGame(m)
		m.startAll()
		m.until(0, 20)
		for i := range 20 {
			f := g.friend(i)
			if i%2 == 0 {
				f.settle() // there never was one
			}
			f.complain(5)
		}
		m.until(0, 25)
		m.kill("container-1")
		g.complain(5)
		m.until(0, 99)
		if got := m.dropped(); !bytes.Equal(got, g.id[:]) {
			t.Errorf("the certificate names %x", got)
		}
	})
}

// TestWhatWasNotHeardIsNotForgotten for what was: who is accused could have that filled up.
func TestWhatWasNotHeardIsNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t, 1, 5)
		defer m.stop()
		g := newGame(m)
		m.startAll()
		m.until(0, 25)
		m.kill("container-1")
		g.complain(5)
		m.until(0, 45)
		dir := filepath.Join(m.dir, "checker-1")
		for i := range 1100 { // of later epochs
			name := filepath.Join(dir, fmt.Sprintf("heard-%d-%064x-%032x", 1, i, i))
			if err := os.WriteFile(name, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		m.startContainer("container-1")
		m.until(1, 25)
		g.friend(1).complain(5)
		m.until(1, 45)
		if _, err := m.rounds["checker-1"].Watched(t.Context(), "", 0, m.node("container-1"), g.id); err != nil {
			t.Error(err)
		}
		if all, _ := filepath.Glob(filepath.Join(dir, "heard-*")); len(all) != 1024 {
			t.Errorf("%d are kept", len(all))
		}
	})
}

// TestWhatWasHeardIsKept and shown to whoever knows what to ask for, also after a restart; a
// restarted checker's vote says the same.
func TestWhatWasHeardIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t, 1, 5)
		defer m.stop()
		g := newGame(m)
		m.startAll()
		m.until(0, 25)
		m.kill("container-1")
		g.complain(5)
		m.until(0, 45)
		for i := range 3 {
			m.kill(fmt.Sprint("checker-", i+1))
			m.startChecker(fmt.Sprint("checker-", i+1))
		}
		m.until(0, 99)
		if got := m.dropped(); !bytes.Equal(got, g.id[:]) {
			t.Errorf("the certificate names %x", got)
		}
		for name, r := range m.rounds {
			w, err := r.Watched(t.Context(), "", 0, m.node("container-1"), g.id)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			o, err := proof.Open(testChain, w.GetStatement())
			if err != nil || o.Signer != m.node(name) {
				t.Fatalf("%s: %v", name, err)
			}
			if s := o.Statement.GetWatch(); s.GetAsked() != 6 || s.GetAnswered() != 0 || !bytes.Equal(w.GetGone().GetSession(), g.id[:]) {
				t.Errorf("%s: %v", name, s)
			}
			if _, err := r.Watched(t.Context(), "", 1, m.node("container-1"), g.id); rpc.CodeOf(err) != wire.Code_NOT_FOUND {
				t.Errorf("of another epoch: %v", err)
			}
		}
	})
}

// TestAnAppealAsksWhoWasDrawn: without more than half of them, or without the player's word, it is
// not confirmed; 2N + 1 who had an answer clear the container.
func TestAnAppealAsksWhoWasDrawn(t *testing.T) {
	p := played{container: key.Node{3}}
	seed := sha256.Sum256([]byte("player"))
	player := ed25519.NewKeyFromSeed(seed[:])
	session := [16]byte{5}
	panel := func(i int) ed25519.PrivateKey {
		seed := sha256.Sum256([]byte(fmt.Sprint("drawn ", i)))
		return ed25519.NewKeyFromSeed(seed[:])
	}
	for name, c := range map[string]struct {
		silent, heard int
		word          bool
		want          uint32 // 0 = no answer
	}{
		"all heard nothing":          {10, 0, true, proof.VerdictBad},
		"six of ten":                 {6, 0, true, proof.VerdictBad},
		"five of ten":                {5, 0, true, 0},
		"colluders without a player": {10, 0, false, 0},
		"2N had an answer":           {6, 4, true, proof.VerdictBad},
		"2N + 1 had an answer":       {5, 5, true, proof.VerdictOK},
		"colluders alone":            {3, 7, true, proof.VerdictOK},
		"nobody knows anything":      {0, 0, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newAppealBench(t, p, 11)
				a := &b.appeal.Accusation
				a.Offence, a.Evidence, a.Session, a.Victim = economics.OffenceDrop, proof.Name{}, session, key.Address(player[ed25519.SeedSize:])
				b.watches = map[peer.ID]*wire.WatchResponse{}
				seed := sha256.Sum256([]byte("a container that went"))
				container := ed25519.NewKeyFromSeed(seed[:])
				a.Node = key.Node(container[ed25519.SeedSize:])
				of := witness.Session{Chain: testChain, Container: a.Node, ID: session, Player: [32]byte(a.Victim)}
				g := witness.Gone{Seconds: 3, AtMS: 1}
				if of.SignGone(player, &g); !c.word {
					g.Signature[0]++
				}
				for i := range 10 {
					k := panel(i)
					n := key.Node(k[ed25519.SeedSize:])
					a.Asked = append(a.Asked, n)
					if i >= c.silent+c.heard {
						continue
					}
					w := &proof.Watch{Epoch: a.Epoch, Container: a.Node[:], Session: session[:], Asked: 6}
					if i >= c.silent {
						w.Answered = 1
					}
					o, err := proof.Sign(testChain, k, &proof.Statement{Says: &proof.Statement_Watch{Watch: w}})
					if err != nil {
						t.Fatal(err)
					}
					id, err := n.Peer()
					if err != nil {
						t.Fatal(err)
					}
					b.watches[id] = &wire.WatchResponse{Statement: o.Raw, Gone: gone(of, g, container, 1)}
				}
				defer b.stop()
				for i := range 11 {
					b.start(i, nil)
				}
				b.until(120)
				switch {
				case c.want == 0 && b.cert != nil:
					t.Error("the committee decided")
				case c.want != 0 && b.cert == nil:
					t.Error("the committee did not decide")
				case c.want != 0 && b.answer() != c.want:
					t.Errorf("the answer is %s, want %s", proof.VerdictName(b.answer()), proof.VerdictName(c.want))
				}
			})
		})
	}
}
