package gateway

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/actors/indexer/match"
	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/seal"
	"github.com/framemesh/framemesh/p2p/wire"
)

const (
	testNet  = "testnet"
	manifest = "name = \"reef\"\ntitle = \"Reef\"\n"
)

var reef = sha{7}

// answer is how a peer of a test answers one call.
type answer func(ctx context.Context, name string, req proto.Message) (proto.Message, error)

// scene is a gateway in a mesh of fakes, inside a bubble of virtual time. It is the
// network, the finder, the source of ads and the caller.
type scene struct {
	t   *testing.T
	g   *Gateway
	sys *supervise.System

	mu         sync.Mutex
	peers      map[peer.ID]answer
	called     []call
	indexers   []peer.ID
	remembered []peer.ID
	findErr    error
	hear       func(peer.ID, []byte, *wire.Ad)
	ads        context.Context
	table      *match.Table // what honest indexers know
	clock      func() time.Time
}

type call struct {
	to   peer.ID
	name string
	req  proto.Message
}

func (s *scene) ID() peer.ID { return "gateway" }
func (s *scene) Peers() int  { return 3 }
func (s *scene) Remember(p peer.AddrInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remembered = append(s.remembered, p.ID)
}

func (s *scene) Find(_ context.Context, role, region string, limit int) ([]peer.AddrInfo, error) {
	if role != "indexer" || region != "eu" || limit < 1 {
		return nil, errors.New("looked for something else")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []peer.AddrInfo
	for _, id := range s.indexers {
		out = append(out, peer.AddrInfo{ID: id})
	}
	return out, s.findErr
}

func (s *scene) Subscribe(ctx context.Context, region string, f func(peer.ID, []byte, *wire.Ad)) error {
	if region != "eu" {
		return errors.New("another region")
	}
	s.hear, s.ads = f, ctx
	return nil
}

func (s *scene) Call(ctx context.Context, to peer.ID, name string, req, resp proto.Message) error {
	s.mu.Lock()
	s.called = append(s.called, call{to, name, proto.Clone(req)})
	a := s.peers[to]
	s.mu.Unlock()
	if a == nil {
		return rpc.ErrUnreachable
	}
	out, err := a(ctx, name, req)
	if err != nil {
		return err
	}
	proto.Merge(resp, out)
	return nil
}

// calls lists the calls of one name so far.
func (s *scene) calls(name string) (out []call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.called {
		if c.name == name {
			out = append(out, c)
		}
	}
	return out
}

func (s *scene) set(id peer.ID, a answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.peers[id] = a
}

func (s *scene) now() time.Time {
	s.mu.Lock()
	f := s.clock
	s.mu.Unlock()
	return f()
}

// cannotFind makes looking for peers fail from now on; nil makes it work again.
func (s *scene) cannotFind(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.findErr = err
}

// play runs a story with a gateway that knows no peers yet.
func play(t *testing.T, story func(s *scene)) {
	t.Helper()
	playDrawn(t, match.GenesisOf(testNet), story)
}

// playDrawn is play with draws of the story's own.
func playDrawn(t *testing.T, draws match.Lottery, story func(s *scene)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		sys, err := supervise.NewSystem(supervise.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s := &scene{t: t, sys: sys, peers: map[peer.ID]answer{}, table: match.NewTable(0), clock: time.Now}
		defer func() {
			if err := sys.Stop(context.Background()); err != nil {
				t.Error(err)
			}
		}()
		s.g, err = New(Options{System: sys, Net: s, Calls: s, Finder: s, Ads: s, Beacon: draws,
			Network: testNet, Region: "eu", Version: "test", Now: s.now, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		start, cancel := context.WithCancel(context.Background())
		if err := s.g.Start(start); err != nil {
			t.Fatal(err)
		}
		cancel() // bounds the start alone
		defer s.g.Stop()
		story(s)
	})
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

// container is a fake one: it hands out a session at once unless reserve says otherwise.
type container struct {
	id      peer.ID
	reserve func(*wire.ReserveRequest) (*wire.ReserveResponse, error)
	signal  func(context.Context, *wire.SignalRequest) (*wire.SignalResponse, error)
	app     func(context.Context, *wire.AppRequest) (*wire.AppResponse, error)
}

func secret(id peer.ID) []byte { return bytes.Repeat([]byte{id[len(id)-1]}, 32) }

func leased(id peer.ID) *wire.ReserveResponse {
	return &wire.ReserveResponse{SessionId: bytes.Repeat([]byte{id[len(id)-1]}, 16), Secret: secret(id), ExpiresMs: uint64(time.Now().Add(10 * time.Second).UnixMilli())}
}

// container starts a fake one that the indexers and the gateway hear of.
func (s *scene) container(n byte, change ...func(*wire.Ad)) *container {
	s.t.Helper()
	_, id := key(s.t, n)
	c := &container{id: id}
	c.reserve = func(*wire.ReserveRequest) (*wire.ReserveResponse, error) { return leased(id), nil }
	c.signal = func(_ context.Context, r *wire.SignalRequest) (*wire.SignalResponse, error) {
		role := ""
		for _, r2 := range []Role{RoleOwner, RolePlay, RoleWatch} {
			if bytes.Equal(r.Token, token(secret(id), r2)) {
				role = string(r2)
			}
		}
		if role == "" {
			return nil, rpc.Errorf(wire.Code_UNAUTHORISED, "the token is not this session's")
		}
		peer := r.Peer
		if r.GetOffer() != nil {
			peer = []byte("conn-" + role)
		}
		return &wire.SignalResponse{Peer: peer, Answer: "answer", Proof: []byte("proof"), Role: role,
			State: &wire.SessionState{Phase: "playing", App: "Reef", Viewers: 1, StartedMs: 5, Encoder: "fake"}}, nil
	}
	c.app = func(context.Context, *wire.AppRequest) (*wire.AppResponse, error) {
		return &wire.AppResponse{Manifest: []byte(manifest), Picture: []byte("png")}, nil
	}
	s.set(id, func(ctx context.Context, name string, req proto.Message) (proto.Message, error) {
		switch r := req.(type) {
		case *wire.ReserveRequest:
			return c.reserve(r)
		case *wire.SignalRequest:
			return c.signal(ctx, r)
		case *wire.AppRequest:
			return c.app(ctx, r)
		}
		return nil, rpc.ErrUnavailable
	})
	s.publish(n, change...)
	return c
}

// publish makes the mesh hear an ad of container n.
func (s *scene) publish(n byte, change ...func(*wire.Ad)) {
	s.t.Helper()
	k, id := key(s.t, n)
	now := uint64(time.Now().UnixMilli())
	ad := &wire.Ad{PeerId: []byte(id), Seq: now, ExpiresMs: now + 90_000, Region: "eu", SlotsTotal: 1, SlotsFree: 1,
		Apps: []*wire.AppOffer{{Sha256: reef[:], Name: "reef"}}, PriceMicroUsdPerHour: uint64(n) * 100_000}
	for _, f := range change {
		f(ad)
	}
	sealed, err := seal.Seal(testNet, seal.TypeAd, ad, k)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.table.Put(now, id, ad, sealed); err != nil {
		s.t.Fatal(err)
	}
	s.hear(id, sealed, ad)
	synctest.Wait()
}

// certificate is what an honest indexer n answers.
func (s *scene) certificate(n byte, req *wire.MatchRequest, change ...func(*wire.Certificate)) ([]byte, error) {
	k, id := key(s.t, n)
	r, err := s.table.Match(uint64(time.Now().UnixMilli()), req)
	var none *match.NoMatch
	if errors.As(err, &none) {
		detail, _ := proto.Marshal(none.Refusal())
		return nil, &rpc.Error{Code: wire.Code_NO_MATCH, Message: none.Error(), Detail: detail}
	} else if err != nil {
		return nil, rpc.Errorf(wire.Code_INVALID, "%v", err)
	}
	raw, err := proto.Marshal(req)
	if err != nil {
		return nil, err
	}
	c := r.Certificate(id, raw, req.RequestId, match.GenesisOf(testNet), []peer.ID{id})
	for _, f := range change {
		f(c)
	}
	return match.Sign(c, testNet, k)
}

// indexer starts an honest one, or one that answers as told, and lets the gateway find it.
func (s *scene) indexer(n byte, does ...func(*wire.MatchRequest) ([]byte, error)) peer.ID {
	s.t.Helper()
	_, id := key(s.t, n)
	s.set(id, func(_ context.Context, name string, req proto.Message) (proto.Message, error) {
		r, ok := req.(*wire.MatchRequest)
		if !ok {
			return nil, rpc.ErrUnavailable
		}
		sealed, err := []byte(nil), error(nil)
		if len(does) > 0 {
			sealed, err = does[0](r)
		} else {
			sealed, err = s.certificate(n, r)
		}
		return &wire.MatchResponse{Certificate: sealed}, err
	})
	s.mu.Lock()
	s.indexers = append(s.indexers, id)
	s.mu.Unlock()
	time.Sleep(findEvery + tickEvery) // virtual: the gateway looks for indexers
	synctest.Wait()
	return id
}

func (s *scene) launch(change ...func(*LaunchRequest)) (*Launched, error) {
	r := LaunchRequest{App: "reef", Offer: "offer"}
	for _, f := range change {
		f(&r)
	}
	return s.g.Launch(context.Background(), r)
}

func (s *scene) mustLaunch() *Launched {
	s.t.Helper()
	l, err := s.launch()
	if err != nil {
		s.t.Fatal(err)
	}
	return l
}

// refused checks that an error is a refusal of a code that says what to try.
func refused(t *testing.T, err error, code string) *Refused {
	t.Helper()
	var r *Refused
	if !errors.As(err, &r) {
		t.Fatalf("got %v, want a refusal %q", err, code)
	}
	if r.Code != code || cmp.Or(r.Text, r.Try) == "" || r.Try == "" {
		t.Fatalf("got %+v, want %q with what to try", *r, code)
	}
	return r
}
