package testnet

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"testing"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/ledger/light"
	"github.com/framemesh/framemesh/ledger/quote"
	"github.com/framemesh/framemesh/p2p/gossip"
	"github.com/framemesh/framemesh/p2p/seal"
	"github.com/framemesh/framemesh/p2p/wire"
)

// speaker is a stranger on the ledger's topic, connected to one node.
type speaker struct {
	topic *pubsub.Topic
	key   crypto.PrivKey
	id    peer.ID
	leave func()
}

func newSpeaker(t *testing.T, n *Net, at string) *speaker {
	t.Helper()
	h := stranger(t)
	ctx, cancel := context.WithCancel(t.Context())
	s := &speaker{key: h.Peerstore().PrivKey(h.ID()), id: h.ID(), leave: func() { cancel(); _ = h.Close() }}
	ps, err := pubsub.NewGossipSub(ctx, h, pubsub.WithPeerOutboundQueueSize(4096), pubsub.WithFloodPublish(true))
	if err != nil {
		t.Fatal(err)
	}
	if s.topic, err = ps.Join(gossip.LedgerTopic(n.Network())); err != nil {
		t.Fatal(err)
	}
	if err := h.Connect(ctx, peer.AddrInfo{ID: knows(t, h, n.Find(at))}); err != nil {
		t.Fatal(err)
	}
	until(t, at+" is on the ledger's topic", patience, func() bool { return len(s.topic.ListPeers()) > 0 })
	return s
}

// notice is a sealed notice; from and made are what it claims.
func notice(n *Net, k crypto.PrivKey, from peer.ID, made time.Time, body []byte) []byte {
	ms := uint64(made.UnixMilli())
	b, err := seal.Seal(n.Network(), seal.TypeLedger, &wire.LedgerNotice{PeerId: []byte(from), Seq: ms,
		ExpiresMs: ms + uint64(gossip.NoticeTTL.Milliseconds()), Body: body}, k)
	if err != nil {
		panic(err)
	}
	return b
}

func headNotice(height uint64) []byte {
	b, err := light.EncodeHead(light.Summary{Height: height, Hash: [32]byte(random(32)), TimeMS: uint64(time.Now().UnixMilli()), Full: true})
	if err != nil {
		panic(err)
	}
	return b
}

// strangersQuote is signed by nobody's oracle.
func strangersQuote(t *testing.T, n *Net, perUSD uint64) []byte {
	t.Helper()
	q, err := quote.Sign(n.Genesis().ChainID, newKey(t), perUSD, uint64(time.Now().UnixMilli()))
	if err != nil {
		t.Fatal(err)
	}
	b, err := light.EncodeQuote(q.Encode())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Notices of every bad kind, at a node that keeps the chain and at one that follows it. For
// what no honest peer passes on the speaker is graylisted; what an honest one might is
// dropped. Neither heads nor prices move.
func hostileNotices(t *testing.T, n *Net, goesOn func(string)) {
	name := gossip.LedgerTopic(n.Network())
	other, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	spread := time.Now().Add(-20 * time.Second) // so that each of 200 is newer than the one before
	kinds := []struct {
		what   string
		say    func(s *speaker, i int) []byte
		reason string // of the refusals
		blames bool   // it is held against the speaker
	}{
		{"unsealed", func(_ *speaker, i int) []byte { return fmt.Appendf(random(i*5), "junk %d", i) }, "decode", true},
		{"by another than it says", func(s *speaker, i int) []byte {
			return notice(n, other, s.id, spread.Add(time.Duration(i)*time.Millisecond), headNotice(9))
		}, "content", true},
		{"of another network", func(s *speaker, i int) []byte {
			b, err := seal.Seal("other", seal.TypeLedger, &wire.LedgerNotice{PeerId: []byte(s.id), Seq: uint64(i), ExpiresMs: uint64(i) + 1, Body: headNotice(9)}, s.key)
			if err != nil {
				panic(err)
			}
			return b
		}, "signature", true},
		{"too large", func(s *speaker, i int) []byte {
			return notice(n, s.key, s.id, spread.Add(time.Duration(i)*time.Millisecond), random(gossip.MaxNotice+1000+i))
		}, "oversize", true},
		{"heads far ahead", func(s *speaker, i int) []byte {
			return notice(n, s.key, s.id, spread.Add(time.Duration(i)*time.Millisecond), headNotice(1<<40+uint64(i)))
		}, "too-often", false},
		{"prices of strangers", func(s *speaker, i int) []byte {
			return notice(n, s.key, s.id, spread.Add(time.Duration(i)*time.Millisecond), strangersQuote(t, n, 1))
		}, "too-often", false},
		{"no notice", func(s *speaker, i int) []byte {
			return notice(n, s.key, s.id, spread.Add(time.Duration(i)*time.Millisecond), random(1+i))
		}, "too-often", false},
		{"heads by ever new names", func(_ *speaker, _ int) []byte {
			k, _, err := crypto.GenerateEd25519Key(rand.Reader)
			if err != nil {
				panic(err)
			}
			id, err := peer.IDFromPrivateKey(k)
			if err != nil {
				panic(err)
			}
			return notice(n, k, id, time.Now(), headNotice(1<<40))
		}, "crowd", false},
		{"the same again", func(s *speaker, i int) []byte { return notice(n, s.key, s.id, spread, headNotice(7)) }, "replay", false},
	}
	for _, at := range []string{"checker-1", "container-1"} {
		victim := n.Find(at)
		var price uint64
		until(t, at+" knows the price", patience, func() bool { price = victim.Ledger().Status().PerUSD; return price != 0 })
		received := figure(t, victim, "framemesh_gossip_received_total", name)
		gray, blamed := figure(t, victim, "framemesh_gossip_graylisted_peers"), 0
		before := map[string]float64{}
		var speakers []*speaker
		for _, k := range kinds {
			before[k.reason] = figure(t, victim, "framemesh_gossip_rejected_total", name, k.reason)
			speakers = append(speakers, newSpeaker(t, n, at))
			if k.blames {
				blamed++
			}
		}
		for i := range each {
			for k, kind := range kinds {
				if err := speakers[k].topic.Publish(t.Context(), kind.say(speakers[k], i)); err != nil {
					t.Fatal(err)
				}
			}
		}
		until(t, at+" counted all of it", patience, func() bool {
			return figure(t, victim, "framemesh_gossip_received_total", name)-received >= float64(each*len(kinds))
		})
		for _, k := range kinds {
			got := figure(t, victim, "framemesh_gossip_rejected_total", name, k.reason) - before[k.reason]
			if got < 9 { // the router drops in silence what comes between the tenth and its next look
				t.Errorf("%s at %s: %v refused as %s", k.what, at, got, k.reason)
			}
		}
		until(t, at+" graylists those who are to blame", patience, func() bool {
			return figure(t, victim, "framemesh_gossip_graylisted_peers")-gray >= float64(blamed)
		})
		if got := figure(t, victim, "framemesh_gossip_graylisted_peers") - gray; got != float64(blamed) {
			t.Errorf("%s graylists %v of %d speakers, want %d", at, got, len(kinds), blamed)
		}
		for _, s := range speakers {
			s.leave()
		}
		until(t, at+" goes by its chain and its oracle after all that", patience, func() bool {
			st := victim.Ledger().Status()
			if st.PerUSD != price && st.PerUSD != 0 || st.Height > n.Chain().Head().Height {
				t.Fatalf("%s after all that: %+v", at, st)
			}
			return st.PerUSD == price && !st.CatchingUp
		})
		goesOn("junk notices to " + at)
	}
	until(t, "all nodes are at the head", patience, func() bool {
		heights := []uint64{}
		for _, p := range n.Peers() {
			heights = append(heights, p.Ledger().Status().Height)
		}
		head := n.Chain().Head().Height
		if slices.Max(heights) > head {
			t.Fatalf("nodes are at %v, the chain at %d", heights, head)
		}
		return slices.Min(heights)+40 >= head
	})
}
