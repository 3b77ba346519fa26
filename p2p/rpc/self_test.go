package rpc_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
)

// alone starts a server and a client of the same host, which knows nobody else.
func alone(t testing.TB, opts rpc.Options) (*rpc.Server, *rpc.Client, peer.ID) {
	t.Helper()
	h := newHost(t)
	s := rpc.NewServer(h, testNet, opts)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, rpc.NewClient(h, testNet).Through(s), h.ID()
}

// What a peer is answered, a node is answered that asks itself: one table, asked both ways.
func TestANodeAnswersItselfAsItAnswersOthers(t *testing.T) {
	type call struct {
		what, name string
		req, resp  proto.Message
		code       wire.Code // of the second of two calls
		answer     string
	}
	calls := []call{
		{"an answer", "status", &wire.StatusRequest{}, &wire.StatusResponse{}, wire.Code_OK, "eu-west"},
		{"a refusal", "ad", &wire.AdRequest{}, &wire.AdResponse{}, wire.Code_NO_MATCH, ""},
		{"a failure", "app", &wire.AppRequest{}, &wire.AppResponse{}, wire.Code_INTERNAL, ""},
		{"a panic", "signal", &wire.SignalRequest{}, &wire.SignalResponse{}, wire.Code_INTERNAL, ""},
		{"too fast", "reserve", &wire.ReserveRequest{}, &wire.ReserveResponse{}, wire.Code_BUSY, ""},
		{"too large a request", "status", &wire.MatchRequest{Region: strings.Repeat("x", 100)}, &wire.StatusResponse{}, wire.Code_TOO_LARGE, ""},
		{"another message", "status", &wire.AppRequest{Sha256: []byte{0xff}, Offset: 1}, &wire.StatusResponse{}, wire.Code_OK, "eu-west"},
		{"too slow a handler", "match", &wire.MatchRequest{}, &wire.MatchResponse{}, wire.Code_DEADLINE, ""},
		{"too large an answer", "account", &wire.AccountRequest{}, &wire.StatusResponse{}, wire.Code_INTERNAL, ""},
		{"nobody home", "nothing", &wire.StatusRequest{}, &wire.StatusResponse{}, wire.Code_UNAVAILABLE, ""},
	}
	serve := func(s *rpc.Server) {
		rpc.Handle(s, "status", rpc.Limits{MaxRequest: 64}, func(context.Context, peer.ID, *wire.StatusRequest) (*wire.StatusResponse, error) {
			return &wire.StatusResponse{Region: "eu-west"}, nil
		})
		rpc.Handle(s, "ad", rpc.Limits{}, func(context.Context, peer.ID, *wire.AdRequest) (*wire.AdResponse, error) {
			return nil, &rpc.Error{Code: wire.Code_NO_MATCH, Message: "none; try later", RetryAfter: time.Second, Detail: []byte{7}}
		})
		rpc.Handle(s, "app", rpc.Limits{}, func(context.Context, peer.ID, *wire.AppRequest) (*wire.AppResponse, error) {
			return nil, errors.New("disk /secret is gone")
		})
		rpc.Handle(s, "signal", rpc.Limits{}, func(context.Context, peer.ID, *wire.SignalRequest) (*wire.SignalResponse, error) { panic("secret") })
		rpc.Handle(s, "reserve", rpc.Limits{PerPeerRate: 0.001, Burst: 1}, func(context.Context, peer.ID, *wire.ReserveRequest) (*wire.ReserveResponse, error) {
			return &wire.ReserveResponse{}, nil
		})
		rpc.Handle(s, "match", rpc.Limits{Timeout: time.Millisecond}, func(ctx context.Context, _ peer.ID, _ *wire.MatchRequest) (*wire.MatchResponse, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		rpc.Handle(s, "account", rpc.Limits{MaxResponse: 16}, func(context.Context, peer.ID, *wire.AccountRequest) (*wire.StatusResponse, error) {
			return &wire.StatusResponse{Region: strings.Repeat("x", 17)}, nil
		})
	}
	for _, way := range []struct {
		name  string
		start func(testing.TB, rpc.Options) (*rpc.Server, *rpc.Client, peer.ID)
	}{{"another", pair}, {"itself", alone}} {
		t.Run(way.name, func(t *testing.T) {
			reg := prometheus.NewRegistry()
			s, c, to := way.start(t, rpc.Options{Registerer: reg})
			serve(s)
			want := map[wire.Code]float64{}
			for _, k := range calls {
				_ = c.Call(testContext(t), to, k.name, k.req, k.resp)
				err := c.Call(testContext(t), to, k.name, k.req, k.resp)
				if got := rpc.CodeOf(err); got != k.code {
					t.Errorf("%s: got %v, %v, want %v", k.what, got, err, k.code)
				}
				if st, ok := k.resp.(*wire.StatusResponse); ok && st.GetRegion() != k.answer {
					t.Errorf("%s: answered %q", k.what, st.GetRegion())
				}
				if err != nil && strings.Contains(err.Error(), "secret") {
					t.Errorf("%s: the text of the failure got out: %v", k.what, err)
				}
				var e *rpc.Error
				if k.code == wire.Code_NO_MATCH && (!errors.As(err, &e) || e.RetryAfter != time.Second || string(e.Detail) != "\x07") {
					t.Errorf("%s: %+v", k.what, e)
				}
				want[k.code] += 2
			}
			want[wire.Code_BUSY], want[wire.Code_OK] = 1, want[wire.Code_OK]+1 // the first was in time
			delete(want, wire.Code_UNAVAILABLE)                                // nobody was there to count
			for code, n := range want {
				if got := counter(t, reg, "framemesh_rpc_requests_total", "code", code.String()); got != n {
					t.Errorf("%v counted %v times, want %v", code, got, n)
				}
			}
			for why, n := range map[string]float64{"rate": 1, "oversize": 2, "panic": 2, "response": 2} {
				if got := counter(t, reg, "framemesh_rpc_rejected_total", "reason", why); got != n {
					t.Errorf("rejected for %q %v times, want %v", why, got, n)
				}
			}
		})
	}
}

// Who asks itself is known by its own id, and its request is the one it wrote.
func TestAnAskerOfItselfIsNamed(t *testing.T) {
	s, c, self := alone(t, rpc.Options{})
	rpc.Handle(s, "app", rpc.Limits{}, func(ctx context.Context, from peer.ID, _ *wire.AppRequest) (*wire.AppResponse, error) {
		return &wire.AppResponse{Data: rpc.RawRequest(ctx), Manifest: []byte(from)}, nil
	})
	req, resp := &wire.AppRequest{Sha256: []byte("hash"), Offset: 7}, new(wire.AppResponse)
	want, err := proto.Marshal(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Call(testContext(t), self, "app", req, resp); err != nil {
		t.Fatal(err)
	}
	if peer.ID(resp.GetManifest()) != self || string(resp.GetData()) != string(want) {
		t.Errorf("asked by %q with %x, want %q with %x", resp.GetManifest(), resp.GetData(), self, want)
	}
	if err := c.Reading(-1024+8).Call(testContext(t), self, "app", req, resp); err == nil {
		t.Error("an answer over the client's limit was read")
	}
}

// A caller that has no more time goes on; the handler ends by its own limit, or with the server.
func TestACallToItselfEndsWithItsContext(t *testing.T) {
	s, c, self := alone(t, rpc.Options{})
	began, ended := make(chan struct{}, 2), make(chan struct{}, 2)
	rpc.Handle(s, "ad", rpc.Limits{Timeout: time.Minute}, func(ctx context.Context, _ peer.ID, _ *wire.AdRequest) (*wire.AdResponse, error) {
		began <- struct{}{}
		<-ctx.Done()
		ended <- struct{}{}
		return nil, ctx.Err()
	})
	ctx, cancel := context.WithCancel(testContext(t))
	go func() { <-began; cancel() }()
	if err := c.Call(ctx, self, "ad", &wire.AdRequest{}, &wire.AdResponse{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := c.Call(ctx, self, "ad", &wire.AdRequest{}, &wire.AdResponse{}); !errors.Is(err, context.Canceled) {
		t.Errorf("too late from the start: %v", err)
	}
	answered := make(chan error, 1)
	go func() {
		answered <- c.Call(testContext(t), self, "ad", &wire.AdRequest{}, &wire.AdResponse{})
	}()
	<-began
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-answered; err == nil {
		t.Error("an answer of a handler that was ended")
	}
	<-ended
	<-ended
	if err := c.Call(testContext(t), self, "ad", &wire.AdRequest{}, &wire.AdResponse{}); !errors.Is(err, rpc.ErrUnavailable) {
		t.Errorf("a closed server: %v", err)
	}
}

// A node that asks itself too often is refused like anyone, and not put out of its own door.
func TestANodeIsNotReportedToItself(t *testing.T) {
	reports := make(chan string, 16)
	frozen := time.Unix(0, 0)
	reg := prometheus.NewRegistry()
	s, c, self := alone(t, rpc.Options{Registerer: reg, Now: func() time.Time { return frozen },
		Misbehaved: func(_ peer.ID, reason string) { reports <- reason }})
	rpc.Handle(s, "ad", rpc.Limits{PerPeerRate: 1, Burst: 1, MaxRequest: 8}, func(context.Context, peer.ID, *wire.AdRequest) (*wire.AdResponse, error) {
		return &wire.AdResponse{}, nil
	})
	for range 1 + 64 {
		_ = c.Call(testContext(t), self, "ad", &wire.AdRequest{}, &wire.AdResponse{})
	}
	if got := counter(t, reg, "framemesh_rpc_rejected_total", "reason", "flood"); got != 1 {
		t.Errorf("%v floods counted, want 1", got)
	}
	if len(reports) != 0 {
		t.Errorf("reported for %q", <-reports)
	}
}

// A client without a server, or with one of another network, has nobody to ask at home.
func TestAClientWithoutItsServerIsToldSo(t *testing.T) {
	h := newHost(t)
	s := rpc.NewServer(h, testNet, rpc.Options{})
	defer s.Close()
	rpc.Handle(s, "status", rpc.Limits{}, func(context.Context, peer.ID, *wire.StatusRequest) (*wire.StatusResponse, error) {
		return &wire.StatusResponse{}, nil
	})
	for what, c := range map[string]*rpc.Client{"no server": rpc.NewClient(h, testNet), "another network": rpc.NewClient(h, "othernet").Through(s)} {
		if err := c.Call(testContext(t), h.ID(), "status", &wire.StatusRequest{}, &wire.StatusResponse{}); !errors.Is(err, rpc.ErrUnavailable) {
			t.Errorf("%s: got %v, want UNAVAILABLE", what, err)
		}
	}
}
