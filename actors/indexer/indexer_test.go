package indexer

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/actors/indexer/match"
	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/seal"
	"github.com/framemesh/framemesh/p2p/wire"
)

const (
	testNet = "testnet"
	start   = int64(1_790_000_000_000) // unix ms
)

var app = [32]byte{7}

// adSource is a gossip whose ads the test hands out.
type adSource struct {
	handle func(from peer.ID, sealed []byte, ad *wire.Ad)
	ctx    context.Context
	err    error
}

func (s *adSource) Subscribe(ctx context.Context, _ string, handle func(peer.ID, []byte, *wire.Ad)) error {
	s.ctx, s.handle = ctx, handle
	return s.err
}

// finder finds the same peers for ever and says when it was asked.
type finder struct {
	ids   []peer.ID
	asked chan struct{}
}

func (f finder) Find(_ context.Context, role, region string, _ int) ([]peer.AddrInfo, error) {
	if role != "indexer" || region != "eu-west" {
		return nil, errors.New("asked for the wrong role or region")
	}
	var out []peer.AddrInfo
	for _, id := range f.ids {
		out = append(out, peer.AddrInfo{ID: id})
	}
	defer func() { f.asked <- struct{}{} }()
	return out, nil
}

func key(t testing.TB, n byte) (crypto.PrivKey, peer.ID) {
	t.Helper()
	k, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	id, err := peer.IDFromPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return k, id
}

// scene is an indexer in its own actor system, with a clock that the test moves.
type scene struct {
	t    *testing.T
	ix   *Indexer
	ads  *adSource
	reg  *prometheus.Registry
	sys  *supervise.System
	nowM atomic.Int64 // unix ms
}

func newScene(t *testing.T, change ...func(*Options)) *scene {
	t.Helper()
	s := &scene{t: t, ads: &adSource{}, reg: prometheus.NewRegistry()}
	s.nowM.Store(start)
	sys, err := supervise.NewSystem(supervise.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.sys = sys
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := sys.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	k, _ := key(t, 200)
	o := Options{System: sys, Ads: s.ads, Beacon: match.GenesisOf(testNet), Key: k, Network: testNet, Region: "eu-west",
		Now: func() time.Time { return time.UnixMilli(s.nowM.Load()) }, Registerer: s.reg}
	for _, f := range change {
		f(&o)
	}
	if s.ix, err = New(o); err != nil {
		t.Fatal(err)
	}
	if err := s.ix.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	return s
}

// publish gives the indexer an ad of container n.
func (s *scene) publish(n byte, change ...func(*wire.Ad)) peer.ID {
	s.t.Helper()
	k, id := key(s.t, n)
	now := uint64(s.nowM.Load())
	ad := &wire.Ad{PeerId: []byte(id), Seq: now, ExpiresMs: now + 90_000, Region: "eu-west", SlotsTotal: 1, SlotsFree: 1,
		Apps: []*wire.AppOffer{{Sha256: app[:]}}, PriceMicroUsdPerHour: uint64(n) * 1000}
	for _, f := range change {
		f(ad)
	}
	sealed, err := seal.Seal(testNet, seal.TypeAd, ad, k)
	if err != nil {
		s.t.Fatal(err)
	}
	s.ads.handle(id, sealed, ad)
	return id
}

func request() *wire.MatchRequest {
	return &wire.MatchRequest{RequestId: bytes.Repeat([]byte{1}, 16), AppSha256: app[:]}
}

func (s *scene) match(req *wire.MatchRequest) (*wire.Certificate, error) {
	s.t.Helper()
	resp, err := s.ix.Match(context.Background(), "", req)
	if err != nil {
		return nil, err
	}
	cert, err := match.Verify(resp.GetCertificate(), testNet)
	if err != nil {
		s.t.Fatalf("the certificate does not hold: %v", err)
	}
	return cert, nil
}

func TestMatchesTheCheapest(t *testing.T) {
	s := newScene(t)
	s.publish(3)
	best := s.publish(2)
	cert, err := s.match(request())
	if err != nil {
		t.Fatal(err)
	}
	if len(cert.GetTop()) != 2 || string(cert.GetTop()[0].GetContainer()) != string(best) || cert.GetMadeMs() != uint64(start) {
		t.Errorf("got %v", cert)
	}
	if err := match.Answers(cert, request()); err != nil {
		t.Error(err)
	}
	if s.ix.Ads() != 2 {
		t.Errorf("%d ads", s.ix.Ads())
	}
}

func TestNoMatchSaysWhy(t *testing.T) {
	s := newScene(t)
	_, err := s.match(request())
	if !errors.Is(err, rpc.ErrNoMatch) {
		t.Fatalf("empty table: got %v, want NO_MATCH", err)
	}
	full := s.publish(2, func(a *wire.Ad) { a.SlotsFree = 0 })
	_, err = s.match(request())
	var e *rpc.Error
	if !errors.As(err, &e) || e.Code != wire.Code_NO_MATCH || e.RetryAfter != slotWait {
		t.Fatalf("got %v, want NO_MATCH with a time to wait", err)
	}
	var refusal wire.MatchRefusal
	if err := proto.Unmarshal(e.Detail, &refusal); err != nil {
		t.Fatal(err)
	}
	if len(refusal.GetRejections()) != 1 || refusal.GetRejections()[0].GetFilter() != "slot" || string(refusal.GetRejections()[0].GetContainer()) != string(full) {
		t.Errorf("got %v", &refusal)
	}
	if got := s.counter("framemesh_indexer_refusals_total", "slot"); got != 1 {
		t.Errorf("%v refusals for slots counted", got)
	}
	if got := s.counter("framemesh_indexer_refusals_total", "empty"); got != 1 {
		t.Errorf("%v refusals of an empty table counted", got)
	}
}

func TestBadRequestIsInvalid(t *testing.T) {
	s := newScene(t)
	if _, err := s.match(&wire.MatchRequest{}); !errors.Is(err, rpc.ErrInvalid) {
		t.Errorf("got %v, want INVALID", err)
	}
}

func TestAdsAreCountedByWhatBecameOfThem(t *testing.T) {
	s := newScene(t, func(o *Options) { o.MaxContainers = 2 })
	s.publish(2)
	s.publish(2) // the same sequence number again
	s.publish(3, func(a *wire.Ad) { a.PeerId = nil })
	s.publish(4)
	s.publish(5)
	if s.ix.Ads() != 2 {
		t.Errorf("%d ads", s.ix.Ads())
	}
	for result, want := range map[string]float64{"accepted": 2, "stale": 1, "invalid": 1, "full": 1} {
		if got := s.counter("framemesh_indexer_ads_total", result); got != want {
			t.Errorf("%v ads counted as %s, want %v", got, result, want)
		}
	}
}

// An ad that expired does not match, and leaves the table by itself.
func TestExpiry(t *testing.T) {
	s := newScene(t)
	s.publish(2)
	if s.ix.Ads() != 1 {
		t.Fatal("the ad was not taken")
	}
	s.nowM.Add(90_000)
	if _, err := s.match(request()); !errors.Is(err, rpc.ErrNoMatch) {
		t.Errorf("got %v, want NO_MATCH", err)
	}
	for deadline := time.Now().Add(time.Minute); s.ix.Ads() != 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the expired ad stays in the table")
		}
	}
}

// The draw that the certificate records is over the indexers that are known.
func TestDrawIsRecorded(t *testing.T) {
	f := finder{asked: make(chan struct{}, 8)}
	for n := range byte(4) {
		_, id := key(t, 100+n)
		f.ids = append(f.ids, id)
	}
	s := newScene(t, func(o *Options) { o.Finder = f })
	s.publish(2)
	<-f.asked
	want := match.Draw(match.GenesisOf(testNet), request().GetRequestId(), append(f.ids, s.ix.id), match.MaxDrawn)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		cert, err := s.match(request())
		if err != nil {
			t.Fatal(err)
		}
		if len(cert.GetDrawn()) == len(want) && string(cert.GetDrawn()[0]) == string(want[0]) && string(cert.GetDrawn()[2]) == string(want[2]) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("drew %d, want %v", len(cert.GetDrawn()), want)
		}
	}
}

func TestStop(t *testing.T) {
	s := newScene(t)
	s.publish(2)
	if err := s.ix.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if s.ads.ctx.Err() == nil {
		t.Error("the subscription goes on")
	}
	if _, err := s.match(request()); !errors.Is(err, rpc.ErrUnavailable) {
		t.Errorf("got %v, want UNAVAILABLE", err)
	}
	s.publish(3)
	if got := s.counter("framemesh_indexer_ads_total", "dropped"); got != 1 {
		t.Errorf("%v ads counted as dropped", got)
	}
	if s.ix.Ads() != 0 {
		t.Error("holds ads")
	}
}

func TestStartFailsWithTheSubscription(t *testing.T) {
	sys, err := supervise.NewSystem(supervise.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer sys.Stop(context.Background())
	k, _ := key(t, 1)
	ix, err := New(Options{System: sys, Ads: &adSource{err: io.ErrClosedPipe}, Beacon: match.GenesisOf(testNet), Key: k, Network: testNet})
	if err != nil {
		t.Fatal(err)
	}
	if err := ix.Start(context.Background()); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v", err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("an indexer of nothing")
	}
}

// Over real hosts: the certificate answers the very bytes that were sent.
func TestOverHosts(t *testing.T) {
	hosts := make([]host.Host, 2)
	for i := range hosts {
		h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.DisableRelay(), libp2p.DisableMetrics())
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		hosts[i] = h
	}
	server := rpc.NewServer(hosts[0], testNet, rpc.Options{})
	defer server.Close()
	s := newScene(t, func(o *Options) { o.RPC = server; o.Key = hosts[0].Peerstore().PrivKey(hosts[0].ID()) })
	s.publish(2)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := hosts[1].Connect(ctx, peer.AddrInfo{ID: hosts[0].ID(), Addrs: hosts[0].Addrs()}); err != nil {
		t.Fatal(err)
	}
	c := rpc.NewClient(hosts[1], testNet)
	var resp wire.MatchResponse
	if err := c.Call(ctx, hosts[0].ID(), Protocol, request(), &resp); err != nil {
		t.Fatal(err)
	}
	cert, err := match.Verify(resp.GetCertificate(), testNet)
	if err != nil {
		t.Fatal(err)
	}
	sent, err := proto.Marshal(request())
	if err != nil {
		t.Fatal(err)
	}
	if peer.ID(cert.GetIndexer()) != hosts[0].ID() || !bytes.Equal(cert.GetRequest(), sent) {
		t.Errorf("got %v", cert)
	}
	req := request()
	req.MinScoreRpMilli = 1
	if err := c.Call(ctx, hosts[0].ID(), Protocol, req, &resp); !errors.Is(err, rpc.ErrNoMatch) {
		t.Errorf("got %v, want NO_MATCH", err)
	}
}

// counter returns the value of a counter with one label.
func (s *scene) counter(name, label string) float64 {
	s.t.Helper()
	families, err := s.reg.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && len(m.GetLabel()) == 1 && m.GetLabel()[0].GetValue() == label {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

// What counts as stake is what the ledger says: an ad that claims more is not taken.
func TestStakeThatIsNotThereIsRefused(t *testing.T) {
	_, staked := key(t, 1)
	known := func(id peer.ID) uint64 {
		if id == staked {
			return 500
		}
		return 0
	}
	for name, c := range map[string]struct {
		stake func(peer.ID) uint64
		claim uint64
		n     byte
		held  int
	}{
		"as much as there is":   {known, 500, 1, 1},
		"less":                  {known, 20, 1, 1},
		"more":                  {known, 501, 1, 0},
		"none, without any":     {known, 0, 2, 1},
		"some, without any":     {known, 1, 2, 0},
		"no ledger":             {nil, 0, 1, 1},
		"a claim and no ledger": {nil, 1, 1, 0},
	} {
		doubted := 0
		s := newScene(t, func(o *Options) { o.Stake, o.Doubt = c.stake, func(peer.ID) { doubted++ } })
		s.publish(c.n, func(ad *wire.Ad) { ad.Stake = c.claim })
		if got := s.ix.Ads(); got != c.held {
			t.Errorf("%s: %d ads held, want %d", name, got, c.held)
		}
		if want := 1 - c.held; c.stake != nil && doubted != want {
			t.Errorf("%s: looked up again %d times, want %d", name, doubted, want)
		}
	}
}

// listed is a ledger's lottery.
type listed struct {
	match.Genesis
	ids []peer.ID
}

func (l listed) Drawable(_ context.Context, id peer.ID) (bool, error) {
	return slices.Contains(l.ids, id), nil
}

// With a ledger the draw is among those it lists, and an indexer that is not listed signs
// nothing that would be refused anyway.
func TestDrawIsAmongTheListed(t *testing.T) {
	_, self := key(t, 200)
	_, other := key(t, 201)
	_, sybil := key(t, 202)
	asked := make(chan struct{}, 16)
	list := listed{Genesis: match.GenesisOf(testNet), ids: []peer.ID{self, other}}
	s := newScene(t, func(o *Options) { o.Beacon, o.Finder = list, finder{[]peer.ID{other, sybil}, asked} })
	<-asked
	s.publish(1)
	var cert *wire.Certificate
	for range 6000 { // the answer of the finder reaches the actor on its own time
		resp, err := s.ix.Match(t.Context(), "gateway", request())
		if err != nil {
			t.Fatal(err)
		}
		if cert, err = match.Verify(resp.GetCertificate(), testNet); err != nil {
			t.Fatal(err)
		}
		if len(cert.GetDrawn()) > 1 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := match.CheckDraw(t.Context(), list, cert); err != nil || len(cert.GetDrawn()) != 2 {
		t.Errorf("%d drawn: %v", len(cert.GetDrawn()), err)
	}
	out := newScene(t, func(o *Options) { o.Beacon = listed{Genesis: match.GenesisOf(testNet)} })
	out.publish(1)
	var no *rpc.Error
	if _, err := out.ix.Match(t.Context(), "gateway", request()); !errors.As(err, &no) || no.Code != wire.Code_UNAVAILABLE {
		t.Errorf("an indexer that is not listed: %v", err)
	}
}

// An ad of a container that is met elsewhere than it declared is not taken, and none asks where
// nobody is.
func TestAdsFromElsewhereAreRefused(t *testing.T) {
	_, away := key(t, 2)
	s := newScene(t, func(o *Options) {
		o.Elsewhere = func(id peer.ID, ad *wire.Ad) bool { return id == away && ad != nil }
	})
	s.publish(1, func(*wire.Ad) {})
	s.publish(2, func(*wire.Ad) {})
	if got := s.ix.Ads(); got != 1 {
		t.Errorf("%d ads held, want 1", got)
	}
}
