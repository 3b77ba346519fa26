package gossip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/multiformats/go-varint"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/framemesh/framemesh/p2p/seal"
	"github.com/framemesh/framemesh/p2p/wire"
)

const topicName = "/framemesh/test/ads/eu-west/1"

// patience is how long a test waits for what other goroutines do.
const patience = 3 * time.Minute

// newHost starts a host on loopback that is closed with the test.
func newHost(t testing.TB) (host.Host, crypto.PrivKey) {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(nil)
	if err != nil {
		t.Fatal(err)
	}
	h, err := libp2p.New(libp2p.Identity(key), libp2p.Transport(tcp.NewTCPTransport), libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"),
		libp2p.DisableRelay(), libp2p.DisableMetrics(), libp2p.ForceReachabilityPrivate())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h, key
}

// peerOn is a node with gossip as the product starts it.
type peerOn struct {
	*Gossip
	host host.Host
	key  crypto.PrivKey
	reg  *prometheus.Registry
}

func newPeer(t testing.TB, edit func(*Config)) *peerOn {
	t.Helper()
	h, key := newHost(t)
	p := &peerOn{host: h, key: key, reg: prometheus.NewRegistry()}
	c := Config{Host: h, Network: "test", Regions: []string{"eu-west"}, Registerer: p.reg}
	if edit != nil {
		edit(&c)
	}
	var err error
	if p.Gossip, err = New(c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// ad seals a fresh ad of the peer; after makes its sequence number the next ones.
func (p *peerOn) ad(t testing.TB, after int) []byte {
	return sealAd(t, p.key, newAd(p.host.ID(), time.Now().Add(time.Duration(after)*time.Millisecond)))
}

func connect(t testing.TB, from, to host.Host) {
	t.Helper()
	if err := from.Connect(t.Context(), peer.AddrInfo{ID: to.ID(), Addrs: to.Addrs()}); err != nil {
		t.Fatal(err)
	}
}

// eventually waits for something that other goroutines bring about.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("did not come about: %s", what)
		case <-tick.C:
		}
	}
}

// next takes the next value from a channel that other goroutines fill.
func next[T any](t testing.TB, ch <-chan T) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case v := <-ch:
		return v
	case <-ctx.Done():
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

// count sums a counter over all its labels that contain each of the words.
func (p *peerOn) count(t testing.TB, name string, words ...string) (sum float64) {
	t.Helper()
	families, err := p.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			if labels := fmt.Sprint(m.GetLabel()); !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(labels, w) }) {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

func TestAdReachesSubscribersOnceAndComesWithItsSigner(t *testing.T) {
	a, b := newPeer(t, nil), newPeer(t, nil)
	type got struct {
		from   peer.ID
		sealed string
		free   uint32
	}
	at := map[string]chan got{"publisher": make(chan got, 8), "other": make(chan got, 8)}
	for name, p := range map[string]*peerOn{"publisher": a, "other": b} {
		err := p.Ads().Subscribe(t.Context(), "eu-west", func(from peer.ID, sealed []byte, ad *wire.Ad) {
			at[name] <- got{from, string(sealed), ad.GetSlotsFree()}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	topic, err := a.Ads().Topic("eu-west")
	if err != nil {
		t.Fatal(err)
	}
	joined := make(chan peer.ID, 1)
	if err := topic.OnJoin(t.Context(), func(id peer.ID) { joined <- id }); err != nil {
		t.Fatal(err)
	}
	connect(t, a.host, b.host)
	if id := next(t, joined); id != b.host.ID() || topic.Peers() != 1 {
		t.Fatalf("%s joined, %d peers", id, topic.Peers())
	}
	first, second := a.ad(t, 0), a.ad(t, 1)
	for _, sealed := range [][]byte{first, second} {
		if err := a.Ads().Publish(t.Context(), "eu-west", sealed); err != nil {
			t.Fatal(err)
		}
		for name, ch := range at {
			if g := next(t, ch); g.from != a.host.ID() || g.sealed != string(sealed) || g.free != 1 {
				t.Fatalf("%s got an ad of %s", name, g.from)
			}
		}
	}
	// the same again is refused at home
	if err := a.Ads().Publish(t.Context(), "eu-west", second); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), string(Replay)) {
		t.Fatalf("a replay: %v", err)
	}
	if n := b.count(t, "framemesh_gossip_accepted_total", topicName); n != 2 {
		t.Errorf("accepted %v", n)
	}
	if n := a.count(t, "framemesh_gossip_accepted_total"); n != 0 {
		t.Errorf("its own ads count as %v of others", n)
	}
}

func TestWhatMayNotBeJoinedOrPublished(t *testing.T) {
	p := newPeer(t, nil)
	if err := p.Ads().Publish(t.Context(), "us-east", p.ad(t, 0)); !errors.Is(err, ErrTopic) {
		t.Errorf("a region that is not on the list: %v", err)
	}
	if err := p.Ads().Publish(t.Context(), "eu-west", []byte("junk")); !errors.Is(err, ErrRefused) {
		t.Errorf("junk: %v", err)
	}
	if err := p.Ads().Publish(t.Context(), "eu-west", make([]byte, MaxMessage+1)); !errors.Is(err, ErrRefused) {
		t.Errorf("too long: %v", err)
	}
	if _, err := p.Join(topicName, Spec{}); err != nil {
		t.Errorf("joining again: %v", err)
	}
	p.Close()
	if _, err := p.Ads().Topic("eu-west"); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	for name, c := range map[string]Config{
		"no host": {Network: "test"}, "network": {Host: p.host, Network: "a/b"},
		"region": {Host: p.host, Network: "test", Regions: []string{"EU"}}, "topic": {Host: p.host, Network: "test", Topics: []string{"x"}},
		"too many": {Host: p.host, Network: "test", Topics: slices.Repeat([]string{"/framemesh/test/x/1"}, maxTopics+1)},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestTopicsOfOtherKinds: the pipeline serves messages that are no ads.
func TestTopicsOfOtherKinds(t *testing.T) {
	const votes = "/framemesh/test/votes/0/1"
	spec := Spec{MaxSize: 8, Open: func(b []byte) (Statement, error) {
		if len(b) != 1 {
			return Statement{}, ErrContent
		}
		now := uint64(time.Now().UnixMilli())
		return Statement{Signer: "voter", Seq: now + uint64(b[0]), ExpiresMs: now + 60_000, Body: b[0]}, nil
	}}
	with := func(c *Config) { c.Topics = []string{votes} }
	a, b := newPeer(t, with), newPeer(t, with)
	from, err := a.Join(votes, spec)
	if err != nil {
		t.Fatal(err)
	}
	to, err := b.Join(votes, spec)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan Message, 1)
	if err := to.Subscribe(t.Context(), func(m Message) { got <- m }); err != nil {
		t.Fatal(err)
	}
	connect(t, a.host, b.host)
	eventually(t, "the topic has a peer", func() bool { return from.Peers() == 1 })
	if err := from.Publish(t.Context(), []byte{42}); err != nil {
		t.Fatal(err)
	}
	if m := next(t, got); m.Body != byte(42) || m.Via != a.host.ID() || m.Signer != "voter" {
		t.Fatalf("got %+v", m)
	}
	if err := from.Publish(t.Context(), []byte{1, 2}); !errors.Is(err, ErrRefused) {
		t.Fatal(err)
	}
}

// TestReplayIsIgnoredWithoutBlame: another peer publishes an older ad of a container.
func TestReplayIsIgnoredWithoutBlame(t *testing.T) {
	victim, honest := newPeer(t, nil), newPeer(t, nil)
	got := make(chan peer.ID, 8)
	if err := victim.Ads().Subscribe(t.Context(), "eu-west", func(from peer.ID, _ []byte, _ *wire.Ad) { got <- from }); err != nil {
		t.Fatal(err)
	}
	old, recent := honest.ad(t, 0), honest.ad(t, 1)
	if err := victim.Ads().Publish(t.Context(), "eu-west", recent); err != nil {
		t.Fatal(err)
	}
	next(t, got)
	replayer := newHostile(t, victim, pubsub.StrictSign)
	replayer.send(t, old)
	eventually(t, "the replay is counted", func() bool {
		return victim.count(t, "framemesh_gossip_rejected_total", topicName, string(Replay)) == 1
	})
	replayer.rounds(t, victim, 2)
	if s := victim.Score(replayer.host.ID()); s < 0 {
		t.Errorf("a replay was blamed: score %v", s)
	}
}

// hostile is a peer that speaks pubsub and keeps none of our rules.
type hostile struct {
	host  host.Host
	topic *pubsub.Topic
	stop  func()
}

func newHostile(t testing.TB, victim *peerOn, policy pubsub.MessageSignaturePolicy) *hostile {
	t.Helper()
	return newHostileOn(t, victim, policy, topicName)
}

func newHostileOn(t testing.TB, victim *peerOn, policy pubsub.MessageSignaturePolicy, topicName string) *hostile {
	t.Helper()
	h, _ := newHost(t)
	ctx, cancel := context.WithCancel(t.Context())
	ps, err := pubsub.NewGossipSub(ctx, h, pubsub.WithMessageSignaturePolicy(policy), pubsub.WithPeerOutboundQueueSize(4096), pubsub.WithFloodPublish(true))
	if err != nil {
		t.Fatal(err)
	}
	topic, err := ps.Join(topicName)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := topic.Subscribe(); err != nil {
		t.Fatal(err)
	}
	connect(t, h, victim.host)
	eventually(t, "the hostile peer sees the victim on the topic", func() bool { return len(topic.ListPeers()) == 1 })
	return &hostile{host: h, topic: topic, stop: func() { cancel(); h.Close() }}
}

func (h *hostile) send(t testing.TB, data []byte) {
	t.Helper()
	if err := h.topic.Publish(t.Context(), data); err != nil {
		t.Fatal(err)
	}
}

// rounds waits until the victim has looked at its scores n times.
func (h *hostile) rounds(t testing.TB, victim *peerOn, n int) {
	t.Helper()
	for range n {
		last := victim.scores.Load()
		eventually(t, "the next look at the scores", func() bool { return victim.scores.Load() != last })
	}
}

// TestSpammerEndsGraylisted sends 200 messages of each bad kind, each kind from a
// peer of its own. They are refused and counted, the sender ends graylisted and
// stays so when it comes back, honest peers are served as before, and afterwards
// neither goroutines nor memory are left.
func TestSpammerEndsGraylisted(t *testing.T) {
	const spam = 200
	victim, honest := newPeer(t, nil), newPeer(t, nil)
	got := make(chan peer.ID, 64)
	if err := victim.Ads().Subscribe(t.Context(), "eu-west", func(from peer.ID, _ []byte, _ *wire.Ad) { got <- from }); err != nil {
		t.Fatal(err)
	}
	topic, err := honest.Ads().Topic("eu-west")
	if err != nil {
		t.Fatal(err)
	}
	connect(t, honest.host, victim.host)
	eventually(t, "the honest peer is on the topic", func() bool { return topic.Peers() == 1 })
	serves := func(n int) {
		t.Helper()
		if err := topic.Publish(t.Context(), honest.ad(t, n)); err != nil {
			t.Fatal(err)
		}
		if from := next(t, got); from != honest.host.ID() {
			t.Fatalf("an ad of %s was taken", from)
		}
	}
	serves(0)

	forger, forgerID := testKey(t, 9)
	forge := func(i int, network string, edit func(*wire.Ad)) []byte {
		ad := newAd(forgerID, time.Now().Add(time.Duration(i)*time.Millisecond))
		edit(ad)
		out, err := seal.Seal(network, seal.TypeAd, ad, forger)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	same := func(*wire.Ad) {}
	kinds := []struct {
		name   string
		reason Reason
		policy pubsub.MessageSignaturePolicy
		make   func(i int) []byte
	}{
		{"malformed", Decode, pubsub.StrictSign, func(i int) []byte { return fmt.Appendf(nil, "junk %d", i) }},
		{"oversized", Oversize, pubsub.StrictSign, func(i int) []byte { return fmt.Appendf(make([]byte, MaxMessage), "%d", i) }},
		{"forged", Signature, pubsub.StrictSign, func(i int) []byte {
			b := forge(i, "test", same)
			b[len(b)-1] ^= 1
			return b
		}},
		{"another network", Signature, pubsub.StrictSign, func(i int) []byte { return forge(i, "other", same) }},
		{"another region", Content, pubsub.StrictSign, func(i int) []byte { return forge(i, "test", func(a *wire.Ad) { a.Region = "us-east" }) }},
		{"valid for ever", Lifetime, pubsub.StrictSign, func(i int) []byte { return forge(i, "test", func(a *wire.Ad) { a.ExpiresMs = 1 << 63 }) }},
		{"unsigned", unsigned, pubsub.StrictNoSign, func(i int) []byte { return fmt.Appendf(nil, "unsigned %d", i) }},
	}
	goroutines, heap := settled(t, 0, 0)
	for k, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			before := victim.count(t, "framemesh_gossip_received_total", topicName)
			refused := victim.count(t, "framemesh_gossip_rejected_total", string(kind.reason))
			taken := victim.count(t, "framemesh_gossip_accepted_total")
			bad := newHostile(t, victim, kind.policy)
			defer bad.stop()
			for i := range spam {
				bad.send(t, kind.make(i))
			}
			eventually(t, "all of it has arrived", func() bool {
				return victim.count(t, "framemesh_gossip_received_total", topicName) >= before+spam
			})
			eventually(t, "the spammer is graylisted", func() bool { return victim.Score(bad.host.ID()) < GraylistThreshold })
			if n := victim.count(t, "framemesh_gossip_rejected_total", string(kind.reason)) - refused; n < 9 {
				t.Errorf("%v counted as %s", n, kind.reason)
			}
			if n := victim.count(t, "framemesh_gossip_accepted_total") - taken; n != 0 {
				t.Errorf("%v were accepted", n)
			}
			// a new connection is no new start
			dropped := victim.count(t, "framemesh_gossip_rejected_total", string(graylisted))
			if err := bad.host.Network().ClosePeer(victim.host.ID()); err != nil {
				t.Error(err)
			}
			eventually(t, "the victim has noticed", func() bool {
				return victim.host.Network().Connectedness(bad.host.ID()) != network.Connected
			})
			connect(t, bad.host, victim.host)
			more := 0
			eventually(t, "what it says now is dropped unread", func() bool {
				bad.send(t, kind.make(spam+more))
				more++
				return victim.count(t, "framemesh_gossip_rejected_total", string(graylisted)) > dropped
			})
			serves(k + 1)
		})
	}
	if t.Failed() {
		return
	}
	settled(t, goroutines, heap)
	if s := victim.Score(honest.host.ID()); s < 0 {
		t.Errorf("the honest peer suffered: %v", s)
	}
}

// settled returns goroutines and live heap bytes once they are at most what they
// were, with room for what the runtime and libp2p keep in pools and tables.
func settled(t *testing.T, goroutines int, heap uint64) (int, uint64) {
	t.Helper()
	var n int
	var m runtime.MemStats
	look := func() bool {
		runtime.GC()
		n = runtime.NumGoroutine()
		runtime.ReadMemStats(&m)
		return goroutines == 0 || (n <= goroutines+5 && m.HeapAlloc <= heap+6<<20)
	}
	defer func() {
		if t.Failed() {
			t.Logf("goroutines %d → %d, heap %d → %d", goroutines, n, heap, m.HeapAlloc)
		}
	}()
	eventually(t, "goroutines and memory are back", look)
	return n, m.HeapAlloc
}

// TestFramesThatDoNotParse: below the messages there are frames on a stream. One that
// is too long or no protobuf ends its stream, is counted, and costs its sender.
func TestFramesThatDoNotParse(t *testing.T) {
	const spam = 200
	victim := newPeer(t, nil)
	if _, err := victim.Ads().Topic("eu-west"); err != nil {
		t.Fatal(err)
	}
	long := varint.ToUvarint(maxFrame + 1)
	junk := append(varint.ToUvarint(4), 0xff, 0xff, 0xff, 0xff)
	for name, frame := range map[string][]byte{"too long": long, "no protobuf": junk} {
		t.Run(name, func(t *testing.T) {
			bad, _ := newHost(t)
			connect(t, bad, victim.host)
			before := victim.count(t, "framemesh_gossip_bad_frames_total")
			for range spam {
				s, err := bad.NewStream(t.Context(), victim.host.ID(), pubsub.GossipSubID_v11)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := s.Write(frame); err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadAll(s); err == nil {
					t.Fatal("the stream was not reset")
				}
				if err := s.Reset(); err != nil {
					t.Fatal(err)
				}
			}
			eventually(t, "all are counted", func() bool {
				return victim.count(t, "framemesh_gossip_bad_frames_total") == before+spam
			})
			if s := victim.appScore(bad.ID()); s >= GraylistThreshold {
				t.Errorf("score %v", s)
			}
		})
	}
	// a stream that just ends, or whose connection breaks, is nobody's fault
	good, _ := newHost(t)
	connect(t, good, victim.host)
	before := victim.count(t, "framemesh_gossip_bad_frames_total")
	for _, end := range []func(network.Stream) error{network.Stream.Close, network.Stream.Reset, network.Stream.CloseWrite} {
		s, err := good.NewStream(t.Context(), victim.host.ID(), pubsub.GossipSubID_v11)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Write([]byte{0}); err != nil { // an empty frame is allowed
			t.Fatal(err)
		}
		if err := end(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := good.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the victim has noticed", func() bool {
		return victim.host.Network().Connectedness(good.ID()) != network.Connected && len(victim.host.Network().ConnsToPeer(good.ID())) == 0
	})
	if n := victim.count(t, "framemesh_gossip_bad_frames_total"); n != before {
		t.Errorf("%v frames of an honest peer were counted", n-before)
	}
}
