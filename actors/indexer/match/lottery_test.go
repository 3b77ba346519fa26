package match

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/p2p/wire"
)

// listed is a lottery of a ledger: two beacons, and who has stake.
type listed struct {
	Genesis
	beacons [][32]byte
	staked  []peer.ID
	err     error
	asked   *int // for beacons
}

func (l listed) Accepts(_ context.Context, b [32]byte) bool {
	*l.asked++
	return slices.Contains(l.beacons, b)
}
func (l listed) Drawable(_ context.Context, id peer.ID) (bool, error) {
	return slices.Contains(l.staked, id), l.err
}

func TestCheckDraw(t *testing.T) {
	asked := 0
	now, last := [32]byte{2}, [32]byte{1}
	l := listed{beacons: [][32]byte{now, last}, staked: []peer.ID{"a", "b"}, asked: &asked}
	cert := func(beacon [32]byte, signer string, drawn ...string) *wire.Certificate {
		c := &wire.Certificate{Indexer: []byte(signer), Beacon: beacon[:]}
		for _, d := range drawn {
			c.Drawn = append(c.Drawn, []byte(d))
		}
		return c
	}
	away := errors.New("no head yet")
	for name, c := range map[string]struct {
		l    Lottery
		cert *wire.Certificate
		want error
	}{
		"by the rules":             {l, cert(now, "a", "b", "a"), nil},
		"of the epoch before":      {l, cert(last, "b", "b"), nil},
		"of an older epoch":        {l, cert([32]byte{9}, "b", "b"), ErrBeacon},
		"by a stranger":            {l, cert(now, "sybil", "a", "b"), ErrIndexer},
		"draws a stranger":         {l, cert(now, "a", "a", "sybil"), ErrIndexer},
		"short beacon":             {l, &wire.Certificate{Indexer: []byte("a"), Beacon: now[:5]}, ErrBeacon},
		"nobody knows":             {listed{err: away, asked: &asked}, cert(now, "a"), away},
		"no ledger":                {GenesisOf("net"), cert(GenesisOf("net"), "anybody", "else"), nil},
		"no ledger, own beacon":    {GenesisOf("net"), cert(now, "anybody"), ErrBeacon},
		"no ledger, other network": {GenesisOf("net"), cert(GenesisOf("ten"), "anybody"), ErrBeacon},
	} {
		if err := CheckDraw(t.Context(), c.l, c.cert); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	asked = 0
	_ = CheckDraw(t.Context(), l, cert([32]byte{9}, "sybil"))
	if asked != 0 {
		t.Error("a stranger makes this node look for a beacon")
	}
	got, err := Eligible(t.Context(), l, []peer.ID{"x", "b", "y", "a"})
	if err != nil || !slices.Equal(got, []peer.ID{"b", "a"}) {
		t.Errorf("eligible: %v, %v", got, err)
	}
	if _, err := Eligible(t.Context(), listed{err: away, asked: &asked}, []peer.ID{"a"}); !errors.Is(err, away) {
		t.Error(err)
	}
}

// A draw does not depend on what names the beacon; only its bytes count.
func TestGenesisDraws(t *testing.T) {
	g := GenesisOf(testNet)
	b, err := g.Beacon(t.Context())
	if err != nil || !bytes.Equal(b[:], g[:]) || !g.Accepts(t.Context(), b) {
		t.Error("the genesis does not accept itself")
	}
}
