package testnet

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-varint"
	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/actors/indexer/match"
	"github.com/framemesh/framemesh/node"
	"github.com/framemesh/framemesh/p2p/gossip"
	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
	"github.com/framemesh/framemesh/stream/player"
	"github.com/framemesh/framemesh/stream/whep"
)

// each is how many messages a hostile peer sends of every kind.
const each = 200

// stranger is a libp2p host that belongs to nobody's node.
func stranger(t *testing.T) host.Host {
	t.Helper()
	h, err := libp2p.New(libp2p.NoListenAddrs, libp2p.DisableRelay(), libp2p.DisableMetrics(), libp2p.Transport(tcp.NewTCPTransport),
		libp2p.ResourceManager(&network.NullResourceManager{}))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// knows tells a host where a peer is.
func knows(t *testing.T, h host.Host, p *Peer) peer.ID {
	t.Helper()
	for _, s := range p.Addrs() {
		a, err := ma.NewMultiaddr(s)
		if err != nil {
			t.Fatal(err)
		}
		info, err := peer.AddrInfoFromP2pAddr(a)
		if err != nil {
			t.Fatal(err)
		}
		h.Peerstore().AddAddrs(info.ID, info.Addrs, peerstore.PermanentAddrTTL)
	}
	return p.ID()
}

// figure sums the samples of a node's metric whose labels have all these values.
func figure(t *testing.T, p *Peer, name string, values ...string) float64 {
	t.Helper()
	families, err := p.Metrics().Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			all := true
			for _, v := range values {
				has := false
				for _, l := range m.GetLabel() {
					has = has || l.GetValue() == v
				}
				all = all && has
			}
			if all {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

func frame(body []byte) []byte { return append(varint.ToUvarint(uint64(len(body))), body...) }

func marshal(m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		panic(err) // a message of the test's own
	}
	return b
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

// broken are the ways to send what is no request, by what the node calls them.
var broken = map[string]func(i int) []byte{
	"malformed": func(i int) []byte {
		switch i % 4 {
		case 0:
			return frame([]byte{0xff, 0xff, 0xff})
		case 1:
			return frame([]byte{0x0a, 0x7f}) // a field longer than the message
		case 2:
			return bytes.Repeat([]byte{0xff}, 16) // a length without end
		}
		return []byte{0x80, 0x00} // a length written too long
	},
	"oversize": func(i int) []byte {
		return append(varint.ToUvarint(1<<(20+i%40)), random(100)...)
	},
	"truncated": func(i int) []byte {
		if i%2 == 0 {
			return nil
		}
		return append(varint.ToUvarint(20), 1, 2)
	},
}

// cost is what each of them takes from a peer's conduct; at 200 it is put out.
var cost = map[string]float64{"malformed": 10, "oversize": 10, "truncated": 5}

// service is one protocol at one node, and well-formed requests that it must refuse.
type service struct {
	name, at string
	// wrong is a request that decodes and is wrong all the same; nil: any is right.
	wrong func(i int, h host.Host) proto.Message
}

var services = []service{
	{"match", "indexer-1", func(i int, _ host.Host) proto.Message {
		switch i % 3 {
		case 0:
			return &wire.MatchRequest{RequestId: random(16), AppSha256: random(31)}
		case 1:
			return &wire.MatchRequest{RequestId: random(16), AppSha256: random(32), Exclude: [][]byte{random(2000)}}
		}
		return &wire.MatchRequest{RequestId: random(3), AppSha256: random(32), CoordinateUs: make([]int32, 900)}
	}},
	{"reserve", "container-1", func(i int, h host.Host) proto.Message {
		switch i % 4 {
		case 0:
			return &wire.ReserveRequest{Nonce: random(16), Certificate: random(match.MaxCertificateBytes)}
		case 1:
			return &wire.ReserveRequest{Nonce: random(5), Certificate: random(10)}
		case 2:
			return &wire.ReserveRequest{Nonce: random(16), Ticket: random(16), Queue: true}
		}
		// signed, but by nobody who may, for nobody's request
		cert, err := match.Sign(&wire.Certificate{Indexer: []byte(h.ID()), Request: random(40), CandidateRoot: random(32), Candidates: 1 << 31,
			Top: []*wire.Choice{{Container: random(38), Ad: random(8000)}}, Beacon: random(32)}, "demo", h.Peerstore().PrivKey(h.ID()))
		if err != nil {
			panic(err)
		}
		return &wire.ReserveRequest{Nonce: random(16), Certificate: cert, Player: random(32)}
	}},
	{"signal", "container-1", func(i int, _ host.Host) proto.Message {
		switch i % 4 {
		case 0:
			return &wire.SignalRequest{SessionId: random(16), Token: random(32), Step: &wire.SignalRequest_Ping{Ping: &wire.Ping{}}}
		case 1:
			return &wire.SignalRequest{SessionId: random(3), Token: random(32), Step: &wire.SignalRequest_Leave{Leave: &wire.Leave{EndSession: true}}}
		case 2:
			return &wire.SignalRequest{SessionId: random(16), Token: random(32), Step: &wire.SignalRequest_Offer{Offer: &wire.Offer{Sdp: strings.Repeat("v", 60_000)}}}
		}
		return &wire.SignalRequest{SessionId: random(16), Peer: random(60_000)}
	}},
	{"app", "container-1", func(i int, _ host.Host) proto.Message {
		if i%2 == 0 {
			return &wire.AppRequest{Sha256: random(32), Offset: 1 << 63, Length: 1<<32 - 1}
		}
		return &wire.AppRequest{Sha256: random(200)}
	}},
	{"ad", "container-1", nil},
	{"status", "gateway-1", nil},
}

// strike opens a stream, writes what it is given and returns the code of the answer;
// an error when there was none.
func strike(ctx context.Context, h host.Host, to peer.ID, name string, b []byte, end bool) (wire.Code, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	st, err := h.NewStream(ctx, to, rpc.ProtocolID("demo", name))
	if err != nil {
		return 0, err
	}
	defer func() { _ = st.Reset() }()
	defer context.AfterFunc(ctx, func() { _ = st.Reset() })()
	if _, err := st.Write(b); err != nil {
		return 0, err
	}
	if end {
		_ = st.CloseWrite()
	}
	out, err := io.ReadAll(st)
	if err != nil {
		return 0, err
	}
	_, n, err := varint.FromUvarint(out)
	if err != nil {
		return 0, err
	}
	var resp wire.Response
	if err := proto.Unmarshal(out[n:], &resp); err != nil {
		return 0, err
	}
	return resp.Code, nil
}

// storm sends `each` messages, so many at a time, and counts the answers by their code.
func storm(ctx context.Context, h host.Host, to peer.ID, name string, atOnce int, make func(i int) []byte) (codes map[wire.Code]int, silent int) {
	codes = map[wire.Code]int{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	next := 0
	for range atOnce {
		wg.Go(func() {
			for {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				if i >= each {
					return
				}
				code, err := strike(ctx, h, to, name, make(i), true)
				mu.Lock()
				if err != nil {
					silent++
				} else {
					codes[code]++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return codes, silent
}

// launched plays, and returns once there is a picture. A mesh that does not answer in the time
// that it gives itself says so with a status of 500 or more: then its player tries again.
func launched(t *testing.T, o player.Options) *player.Player {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	for {
		p, err := player.Play(ctx, o)
		if err == nil {
			if err := p.FirstFrame(ctx); err != nil {
				t.Fatal(err)
			}
			return p
		}
		var no *whep.Problem
		if !errors.As(err, &no) || no.Status < 500 {
			t.Fatal(err)
		}
		t.Logf("to be tried again: %v", err)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			t.Fatal(err)
		}
	}
}

// honest plays through the network until the test ends; goesOn checks that pictures
// still come.
func honest(t *testing.T, n *Net) (p *player.Player, goesOn func(after string)) {
	t.Helper()
	p = launched(t, player.Options{URL: n.URL() + "whep/" + game, RandomInput: true, Seed: 1})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := p.Stop(ctx); err != nil {
			t.Errorf("ending the session: %v", err)
		}
	})
	return p, func(after string) {
		t.Helper()
		seen := p.Report().Decodable
		until(t, "ten more pictures after "+after, patience, func() bool { return p.Report().Decodable >= seen+10 })
		if bye := p.Report().Bye; bye != nil {
			t.Fatalf("%s ended the session: %s", after, bye.Text)
		}
	}
}

// footprint is what the process holds once it has come to rest.
func footprint() (goroutines int, heap uint64) {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return runtime.NumGoroutine(), m.HeapAlloc
}

// bounds of what may be left after an attack: the network lives on meanwhile, looks
// for peers and plays, so that neither figure ever stands still.
const (
	slackGoroutines = 40
	slackHeap       = 16 << 20
)

// leaksNothing waits until the process is back near where it was.
func leaksNothing(t *testing.T, goroutines int, heap uint64) {
	t.Helper()
	var g int
	var b uint64
	for limit := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		if g, b = footprint(); g <= goroutines+slackGoroutines && b <= heap+slackHeap {
			t.Logf("goroutines %d → %d, heap %.1f → %.1f MiB", goroutines, g, float64(heap)/(1<<20), float64(b)/(1<<20))
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("left behind: goroutines %d → %d, heap %d → %d KiB", goroutines, g, heap>>10, b>>10)
		}
	}
}

// Every stream protocol of real nodes takes 200 messages of every bad kind: they are
// refused and counted, who sends them is put out and kept out, and the game that runs
// meanwhile goes on.
func TestHostilePeersOnEveryProtocol(t *testing.T) {
	n := start(t, Options{Containers: 1, Slots: 1})
	_, goesOn := honest(t, n)
	goroutines, heap := footprint()
	var wg sync.WaitGroup
	for _, s := range services {
		wg.Go(func() { slowStreams(t, n, s) })
	}
	for _, s := range services {
		for why, make := range broken {
			victim, h := n.Find(s.at), stranger(t)
			id := knows(t, h, victim)
			before := figure(t, victim, "framemesh_rpc_rejected_total", s.name, why)
			codes, silent := storm(t.Context(), h, id, s.name, 4, make)
			if codes[wire.Code_OK] > 0 || len(codes) == 0 && why != "truncated" {
				t.Errorf("%s, %s: answers %v, %d without", s.name, why, codes, silent)
			}
			rejected := figure(t, victim, "framemesh_rpc_rejected_total", s.name, why) - before
			if rejected < 20 || rejected > each {
				t.Errorf("%s, %s: %v counted", s.name, why, rejected)
			}
			// a protocol that reads few requests of one peer may never read enough of them, and
			// what is read late weighs less: it is forgiven by half in ten minutes
			switch {
			case rejected*cost[why] >= 300:
				putOut(t, h, id, s.name+", "+why)
			case rejected*cost[why] < 200 && codes[wire.Code_BUSY] == 0:
				t.Errorf("%s, %s: neither put out nor slowed down: %v, %v counted", s.name, why, codes, rejected)
			}
			if err := h.Close(); err != nil {
				t.Error(err)
			}
		}
		goesOn("broken requests to " + s.name)
	}
	for _, s := range services {
		wellFormed(t, n, s)
		goesOn("wrong requests to " + s.name)
	}
	wg.Wait()
	goesOn("slow streams")
	leaksNothing(t, goroutines, heap)
}

// putOut checks that a peer is disconnected and that coming back does not help.
func putOut(t *testing.T, h host.Host, from peer.ID, what string) {
	t.Helper()
	for range 2 {
		until(t, what+": the peer is put out", patience, func() bool { return h.Network().Connectedness(from) != network.Connected })
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		_ = h.Connect(ctx, peer.AddrInfo{ID: from}) // may succeed for a moment
		cancel()
	}
	until(t, what+": the peer is kept out", patience, func() bool { return h.Network().Connectedness(from) != network.Connected })
}

// wellFormed sends requests that decode: those that are wrong are refused by what they
// say, those that are right are limited by their rate, and all are answered and counted.
func wellFormed(t *testing.T, n *Net, s service) {
	t.Helper()
	victim, h := n.Find(s.at), stranger(t)
	defer h.Close()
	id := knows(t, h, victim)
	before := figure(t, victim, "framemesh_rpc_requests_total", s.name)
	request := func(i int) []byte {
		if s.wrong == nil {
			return frame(append([]byte{0xfa, 0x01, 40}, random(40)...)) // a field of no version
		}
		return frame(marshal(s.wrong(i, h)))
	}
	codes, silent := storm(t.Context(), h, id, s.name, 4, request)
	if s.wrong == nil && codes[wire.Code_BUSY] == 0 { // four at a time were too slow to be too many
		more, _ := storm(t.Context(), h, id, s.name, 32, request)
		codes[wire.Code_BUSY] = more[wire.Code_BUSY]
	}
	if silent > 0 {
		t.Errorf("%s: %d of %d without an answer", s.name, silent, each)
	}
	for code, times := range codes {
		switch code {
		case wire.Code_INVALID, wire.Code_NOT_FOUND, wire.Code_EXPIRED, wire.Code_UNAUTHORISED, wire.Code_TOO_LARGE, wire.Code_BUSY:
		case wire.Code_DEADLINE: // the node's own, where it was held up
			if times > each/4 {
				t.Errorf("%s: %d were given up", s.name, times)
			}
		case wire.Code_OK:
			if s.wrong != nil || times > each/2 {
				t.Errorf("%s: %d answered as if nothing were wrong", s.name, times)
			}
		default:
			t.Errorf("%s: %d answered %v", s.name, times, code)
		}
	}
	if s.wrong == nil && codes[wire.Code_BUSY] == 0 {
		t.Errorf("%s: nobody counts how often one peer asks: %v", s.name, codes)
	}
	if got := figure(t, victim, "framemesh_rpc_requests_total", s.name) - before; got < each {
		t.Errorf("%s: %v of %d counted", s.name, got, each)
	}
	t.Logf("%s: %v", s.name, codes)
}

// slowStreams opens more streams than one peer may and stops half way in each: all of
// them end by the node's deadline, none of them by this side's.
func slowStreams(t *testing.T, n *Net, s service) {
	victim, h := n.Find(s.at), stranger(t)
	defer h.Close()
	id := knows(t, h, victim)
	before := figure(t, victim, "framemesh_rpc_rejected_total", s.name, "slow")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	var wg sync.WaitGroup
	for range 48 {
		wg.Go(func() {
			began := time.Now()
			_, err := strike(ctx, h, id, s.name, append(varint.ToUvarint(40), 1, 2), false)
			if errors.Is(err, context.DeadlineExceeded) || time.Since(began) >= patience-time.Second {
				t.Errorf("%s: a half-open stream was left open: %v", s.name, err)
			}
		})
	}
	wg.Wait()
	if got := figure(t, victim, "framemesh_rpc_rejected_total", s.name, "slow") - before; got < 2 {
		t.Errorf("%s: %v slow streams counted", s.name, got)
	}
}

// The topic of ads at every role: 200 ads of junk, and the peer is unheard from then on.
func TestHostilePeersOnEveryTopic(t *testing.T) {
	n := start(t, Options{Containers: 1, Slots: 1, Checkers: 1})
	_, goesOn := honest(t, n)
	goroutines, heap := footprint()
	name := gossip.AdsTopic(n.Network(), node.DefaultConfig().Region)
	for _, at := range []string{"indexer-1", "container-1", "gateway-1", "checker-1"} {
		junkOn(t, n, at, name)
		goesOn("junk ads to " + at)
	}
	leaksNothing(t, goroutines, heap)
}

// junkOn publishes 200 messages of junk on a topic to a node, which refuses and counts them and
// hears no more of who sent them.
func junkOn(t *testing.T, n *Net, at, name string) {
	t.Helper()
	victim, h := n.Find(at), stranger(t)
	ctx, cancel := context.WithCancel(t.Context())
	ps, err := pubsub.NewGossipSub(ctx, h, pubsub.WithPeerOutboundQueueSize(4096), pubsub.WithFloodPublish(true))
	if err != nil {
		t.Fatal(err)
	}
	topic, err := ps.Join(name)
	if err != nil {
		t.Fatal(err)
	}
	id := knows(t, h, victim)
	if err := h.Connect(ctx, peer.AddrInfo{ID: id}); err != nil {
		t.Fatal(err)
	}
	until(t, at+" is on the topic", patience, func() bool { return len(topic.ListPeers()) > 0 })
	received := figure(t, victim, "framemesh_gossip_received_total", name)
	refused := figure(t, victim, "framemesh_gossip_rejected_total", name)
	gray := figure(t, victim, "framemesh_gossip_graylisted_peers")
	for i := range each {
		junk := fmt.Appendf(random(i*20), "junk %d", i)
		if err := topic.Publish(ctx, junk); err != nil {
			t.Fatal(err)
		}
	}
	until(t, at+" counted all of it", patience, func() bool {
		return figure(t, victim, "framemesh_gossip_received_total", name)-received >= each
	})
	// the router drops in silence what comes between the tenth and the next look at the scores
	if got := figure(t, victim, "framemesh_gossip_rejected_total", name) - refused; got < 9 {
		t.Errorf("%s: %v refused", at, got)
	}
	until(t, at+" graylists the peer", patience, func() bool { return figure(t, victim, "framemesh_gossip_graylisted_peers") > gray })
	dropped := figure(t, victim, "framemesh_gossip_rejected_total", name, "graylisted")
	for i := range 10 {
		if err := topic.Publish(ctx, fmt.Appendf(nil, "more %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	until(t, at+" no longer reads what it sends", patience, func() bool {
		return figure(t, victim, "framemesh_gossip_rejected_total", name, "graylisted") >= dropped+10
	})
	cancel()
	if err := h.Close(); err != nil {
		t.Error(err)
	}
}
