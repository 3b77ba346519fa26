package witness

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"testing"

	"github.com/framemesh/framemesh/ledger/key"
)

// host is the container of player's sessions.
func host(s Session) (Session, ed25519.PrivateKey) {
	k := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{99}, 32))
	s.Container = key.Node(k.Public().(ed25519.PublicKey))
	return s, k
}

// TestGoneIsOfOnePlayerSessionAndNetwork, of one moment, and about what the container took.
func TestGoneIsOfOnePlayerSessionAndNetwork(t *testing.T) {
	s, k := player(7)
	s, h := host(s)
	g := Gone{Seconds: 12, AtMS: 1_800_000_012_345, Taken: Taken{PerSecond: 20_000, OpenedMS: 1_800_000_000_000}}
	s.SignGone(k, &g)
	if err := g.Verify(s); !errors.Is(err, ErrForged) {
		t.Errorf("a container that took nothing: %v", err)
	}
	s.SignTaken(h, &g.Taken)
	if err := g.Verify(s); err != nil {
		t.Fatal(err)
	}
	other, _ := player(8)
	other.Container = s.Container
	elsewhere, apart, atAnother := s, s, s
	elsewhere.Chain += "-2"
	apart.ID[0]++
	atAnother.Container[0]++
	for name, x := range map[string]Session{"player": other, "network": elsewhere, "session": apart, "container": atAnother} {
		if err := g.Verify(x); !errors.Is(err, ErrForged) {
			t.Errorf("another %s: %v", name, err)
		}
		if err := g.Taken.Verify(x); !errors.Is(err, ErrForged) {
			t.Errorf("taken, another %s: %v", name, err)
		}
	}
	for name, change := range map[string]func(*Gone){
		"seconds": func(g *Gone) { g.Seconds++ }, "moment": func(g *Gone) { g.AtMS++ }, "signature": func(g *Gone) { g.Signature[5]++ },
		"price": func(g *Gone) { g.Taken.PerSecond++ }, "block": func(g *Gone) { g.Taken.OpenedMS++ }, "container's signature": func(g *Gone) { g.Taken.Signature[5]++ },
		"player's signature for the container's": func(g *Gone) { s.SignTaken(k, &g.Taken) },
	} {
		bad := g
		if change(&bad); !errors.Is(bad.Verify(s), ErrForged) {
			t.Errorf("another %s: %v", name, bad.Verify(s))
		}
	}
	for _, bad := range []Gone{{AtMS: 1}, {Seconds: 1}, {Seconds: 1, AtMS: 1 << 63}} {
		s.SignGone(k, &bad)
		if err := bad.Verify(s); !errors.Is(err, ErrMalformed) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// A word counts for an epoch, and clocks may be off by ten minutes.
func TestGoneIsTimely(t *testing.T) {
	const now, epoch = 1_800_000_000_000, 900_000
	for at, want := range map[uint64]bool{now: true, now + 600_000: true, now + 600_001: false, now - 1_500_000: true, now - 1_500_001: false, 0: false, 1<<64 - 1: false} {
		if g := (Gone{AtMS: at}); g.Timely(now, epoch) != want {
			t.Errorf("%d ms from now: %v", int64(at-now), !want)
		}
	}
}

// What was taken means one escrow: at its price, and opened about when it says.
func TestTakenMeansOneEscrow(t *testing.T) {
	w := Taken{PerSecond: 5, OpenedMS: 1_000_000}
	for _, c := range []struct {
		perSecond, openedMS uint64
		want                bool
	}{{5, 1_000_000, true}, {5, 1_300_000, true}, {5, 700_000, true}, {5, 1_300_001, false}, {5, 699_999, false}, {6, 1_000_000, false}, {5, 0, false}, {5, 1<<64 - 1, false}} {
		if got := w.Means(c.perSecond, c.openedMS); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
