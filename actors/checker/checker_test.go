package checker

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/p2p/wire"
)

// radio is where the ads come from.
type radio struct {
	hear       func(from peer.ID, sealed []byte, ad *wire.Ad)
	member     context.Context
	advertised string
	broken     error
}

func (r *radio) Subscribe(ctx context.Context, region string, f func(peer.ID, []byte, *wire.Ad)) error {
	r.hear, r.member = f, ctx
	return nil
}

func (r *radio) Advertise(_ context.Context, role, region string) error {
	r.advertised = role + " in " + region
	return r.broken
}

func join(t *testing.T, r *radio, story func(c *Checker)) {
	synctest.Test(t, func(t *testing.T) {
		sys, err := supervise.NewSystem(supervise.Options{})
		if err != nil {
			t.Fatal(err)
		}
		c, err := New(Options{System: sys, Region: "eu", Ads: r, Advertiser: r})
		if err != nil {
			t.Fatal(err)
		}
		story(c)
		if err := sys.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func TestKnowsWhoIsAlive(t *testing.T) {
	r := &radio{}
	join(t, r, func(c *Checker) {
		start, cancel := context.WithCancel(context.Background())
		if err := c.Start(start); err != nil {
			t.Fatal(err)
		}
		cancel() // bounds the start alone
		if r.advertised != "checker in eu" || r.member.Err() != nil {
			t.Fatalf("advertised %q, membership %v", r.advertised, r.member.Err())
		}
		ad := func(life time.Duration) *wire.Ad {
			return &wire.Ad{ExpiresMs: uint64(time.Now().Add(life).UnixMilli())}
		}
		r.hear("b", nil, ad(90*time.Second))
		r.hear("a", nil, ad(30*time.Second))
		alive := func() string {
			ids, err := c.Containers(context.Background())
			return fmt.Sprint(len(ids), err) + fmt.Sprintf("%q", []peer.ID(ids))
		}
		want := fmt.Sprint(2, error(nil)) + fmt.Sprintf("%q", []peer.ID{"a", "b"})
		if got := alive(); got != want {
			t.Errorf("alive: %s, want %s", got, want)
		}
		time.Sleep(31 * time.Second)
		want = fmt.Sprint(1, error(nil)) + fmt.Sprintf("%q", []peer.ID{"b"})
		if got := alive(); got != want {
			t.Errorf("alive: %s, want %s", got, want)
		}
		if err := c.Stop(context.Background()); err != nil || r.member.Err() == nil {
			t.Errorf("stop: %v; membership goes on: %v", err, r.member.Err() == nil)
		}
	})
}

func TestStartThatFailsLeavesNothing(t *testing.T) {
	r := &radio{broken: errors.New("no network")}
	join(t, r, func(c *Checker) {
		if err := c.Start(context.Background()); !errors.Is(err, r.broken) {
			t.Fatalf("start gave %v", err)
		}
		if r.member.Err() == nil {
			t.Error("still subscribed")
		}
	})
}

func TestOptionsAreChecked(t *testing.T) {
	if _, err := New(Options{}); !errors.Is(err, ErrOptions) {
		t.Errorf("gave %v", err)
	}
}
