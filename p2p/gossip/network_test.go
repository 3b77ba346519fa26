package gossip_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/p2p"
	"github.com/framemesh/framemesh/p2p/gossip"
	"github.com/framemesh/framemesh/p2p/seal"
	"github.com/framemesh/framemesh/p2p/wire"
)

// TestAdReachesAllOfTen: ten nodes that know one bootstrap peer find each other, and
// an ad of the last one reaches all.
func TestAdReachesAllOfTen(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute) // no measure of speed
	defer cancel()
	const count = 10
	var (
		boot   []peer.AddrInfo
		all    []*gossip.Gossip
		keys   []crypto.PrivKey
		ids    []peer.ID
		mu     sync.Mutex
		got    = map[int]bool{}
		gotAll = make(chan struct{})
	)
	for i := range count {
		key, _, err := crypto.GenerateEd25519Key(nil)
		if err != nil {
			t.Fatal(err)
		}
		n, err := p2p.New(ctx, p2p.Config{Network: "test", Region: "eu-west", Key: key, Profile: p2p.ProfileLoopback, Bootstrap: boot})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		})
		g, err := gossip.New(gossip.Config{Host: n.Host(), Network: n.Network(), Regions: []string{"eu-west"}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(g.Close)
		err = g.Ads().Subscribe(ctx, "eu-west", func(from peer.ID, _ []byte, ad *wire.Ad) {
			mu.Lock()
			defer mu.Unlock()
			if from != ids[count-1] || peer.ID(ad.GetPeerId()) != from {
				t.Errorf("an ad of %s", from)
			}
			got[i] = true
			if len(got) == count {
				select {
				case <-gotAll:
				default:
					close(gotAll)
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			boot = []peer.AddrInfo{n.AddrInfo()}
		} else if err := n.Discovery().Ready(ctx); err != nil {
			t.Fatal(err)
		}
		all, keys, ids = append(all, g), append(keys, key), append(ids, n.ID())
	}
	// an ad is repeated, as a container repeats its own: who joined the topic a moment
	// ago may miss the first
	repeat := time.NewTicker(500 * time.Millisecond)
	defer repeat.Stop()
	for last := uint64(0); ; {
		now := time.Now()
		last = max(last+1, uint64(now.UnixMilli())) // two ticks may come at once
		sealed, err := seal.Seal("test", seal.TypeAd, &wire.Ad{
			PeerId: []byte(ids[count-1]), Region: "eu-west", SlotsTotal: 1,
			Seq: last, ExpiresMs: last + 90_000,
		}, keys[count-1])
		if err != nil {
			t.Fatal(err)
		}
		if err := all[count-1].Ads().Publish(ctx, "eu-west", sealed); err != nil {
			t.Fatal(err)
		}
		select {
		case <-gotAll:
			return
		case <-ctx.Done():
			mu.Lock()
			defer mu.Unlock()
			t.Fatalf("the ad reached %d of %d: %v", len(got), count, got)
		case <-repeat.C:
		}
	}
}
