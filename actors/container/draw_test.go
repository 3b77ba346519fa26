package container

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/actors/indexer/match"
	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
)

// lottery is what a ledger says of draws.
type lottery struct {
	match.Genesis
	now, last [32]byte
	staked    peer.ID
	err       error
}

func (l lottery) Accepts(_ context.Context, b [32]byte) bool { return b == l.now || b == l.last }
func (l lottery) Drawable(_ context.Context, id peer.ID) (bool, error) {
	return id == l.staked, l.err
}

// A match counts when it was drawn with the randomness of this epoch or the one before, by
// an indexer that could be drawn.
func TestDrawsAreJudged(t *testing.T) {
	l := lottery{now: [32]byte{2}, last: [32]byte{1}, staked: indexer}
	for name, c := range map[string]struct {
		draws  match.Lottery // nil = no ledger
		change func(*wire.Certificate)
		want   wire.Code
	}{
		"genesis beacon, no ledger":  {nil, nil, wire.Code_OK},
		"another beacon, no ledger":  {nil, func(c *wire.Certificate) { c.Beacon = bytes.Repeat([]byte{9}, 32) }, wire.Code_EXPIRED},
		"no beacon":                  {nil, func(c *wire.Certificate) { c.Beacon = nil }, wire.Code_EXPIRED},
		"this epoch":                 {l, func(c *wire.Certificate) { c.Beacon = l.now[:] }, wire.Code_OK},
		"the epoch before":           {l, func(c *wire.Certificate) { c.Beacon = l.last[:] }, wire.Code_OK},
		"the genesis, with a ledger": {l, nil, wire.Code_EXPIRED},
		"an indexer without stake":   {l, func(c *wire.Certificate) { c.Indexer, c.Beacon = []byte("sybil"), l.now[:] }, wire.Code_UNAUTHORISED},
		"draws one without stake": {l, func(c *wire.Certificate) {
			c.Drawn, c.Beacon = append(c.Drawn, []byte("sybil")), l.now[:]
		}, wire.Code_UNAUTHORISED},
		"the ledger is out of reach": {lottery{err: errors.New("no head")}, func(c *wire.Certificate) { c.Beacon = l.now[:] }, wire.Code_UNAVAILABLE},
	} {
		run(t, 1, func(o *Options) { o.Draws = c.draws }, func(m *mesh) {
			_, err := m.ask(gateway, m.certificate(snake, func(cert *wire.Certificate, _ *wire.MatchRequest) {
				if c.change != nil {
					c.change(cert)
				}
			}), random16(), false, nil)
			var no *rpc.Error
			got := wire.Code_OK
			if errors.As(err, &no) {
				got = no.Code
			} else if err != nil {
				t.Fatal(name, err)
			}
			if got != c.want {
				t.Errorf("%s: %v (%v), want %v", name, got, err, c.want)
			}
		})
	}
}

// Ads say what the ledger knows to be at stake, and a young container repeats itself: after
// its start, and once it can be believed.
func TestAdsOfAYoungContainer(t *testing.T) {
	stake := uint64(0)
	run(t, 1, func(o *Options) { o.Stake = func() uint64 { return stake } }, func(m *mesh) {
		began := time.Now()
		at := func() (out []time.Duration) {
			_, times := m.sent()
			for _, x := range times {
				out = append(out, x.Sub(began).Round(time.Second))
			}
			return out
		}
		time.Sleep(50 * time.Second)
		if got, want := at(), []time.Duration{0, 1, 2, 4, 8, 16, 32}; !sameSeconds(got, want) {
			t.Errorf("ads after %v, want %v", got, want)
		}
		stake, began = 7, time.Now()
		before, _ := m.sent()
		m.Announce()
		time.Sleep(20 * time.Second)
		ads, _ := m.sent()
		if got, want := at()[len(before):], []time.Duration{0, 1, 2, 4, 8, 16}; !sameSeconds(got, want) {
			t.Errorf("ads after it can be believed: %v, want %v", got, want)
		}
		if first, last := ads[0], ads[len(ads)-1]; first.GetStake() != 0 || last.GetStake() != 7 {
			t.Errorf("stake %d, later %d", first.GetStake(), last.GetStake())
		}
	})
}

func sameSeconds(got, want []time.Duration) bool {
	if len(got) != len(want) {
		return false
	}
	for i := range got {
		if got[i] != want[i]*time.Second {
			return false
		}
	}
	return true
}
