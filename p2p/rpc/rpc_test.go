package rpc_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
)

const testNet = "testnet"

// newHost starts a host on loopback that ends with the test.
func newHost(t testing.TB) host.Host {
	t.Helper()
	h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.DisableRelay(), libp2p.DisableMetrics())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// pair starts a server and a client that are connected.
func pair(t testing.TB, opts rpc.Options) (*rpc.Server, *rpc.Client, peer.ID) {
	t.Helper()
	hs, hc := newHost(t), newHost(t)
	s := rpc.NewServer(hs, testNet, opts)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	connect(t, hc, hs)
	return s, rpc.NewClient(hc, testNet), hs.ID()
}

func connect(t testing.TB, from, to host.Host) {
	t.Helper()
	if err := from.Connect(context.Background(), peer.AddrInfo{ID: to.ID(), Addrs: to.Addrs()}); err != nil {
		t.Fatal(err)
	}
}

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute) // no measure of speed
	t.Cleanup(cancel)
	return ctx
}

func TestCall(t *testing.T) {
	s, c, to := pair(t, rpc.Options{})
	var asked peer.ID
	rpc.Handle(s, "status", rpc.Limits{}, func(_ context.Context, from peer.ID, _ *wire.StatusRequest) (*wire.StatusResponse, error) {
		asked = from
		return &wire.StatusResponse{Region: "eu-west"}, nil
	})
	var resp wire.StatusResponse
	if err := c.Call(testContext(t), to, "status", &wire.StatusRequest{}, &resp); err != nil {
		t.Fatal(err)
	}
	if resp.GetRegion() != "eu-west" {
		t.Errorf("got %v", &resp)
	}
	if asked == "" || asked == to {
		t.Errorf("the handler saw %q as the peer that asks", asked)
	}
}

// A protocol with large answers is read by who knows that, and by nobody else.
func TestLargeAnswers(t *testing.T) {
	s, c, to := pair(t, rpc.Options{})
	const large = 1 << 20
	rpc.Handle(s, "block", rpc.Limits{MaxResponse: large}, func(context.Context, peer.ID, *wire.StatusRequest) (*wire.StatusResponse, error) {
		return &wire.StatusResponse{Region: strings.Repeat("x", large-4)}, nil // and its tag and length
	})
	var resp wire.StatusResponse
	if err := c.Call(testContext(t), to, "block", &wire.StatusRequest{}, &resp); err == nil {
		t.Error("an answer over the limit was read")
	}
	if err := c.Reading(large).Call(testContext(t), to, "block", &wire.StatusRequest{}, &resp); err != nil || len(resp.GetRegion()) != large-4 {
		t.Errorf("an answer within its limit: %d bytes, %v", len(resp.GetRegion()), err)
	}
	if err := c.Reading(large/2).Call(testContext(t), to, "block", &wire.StatusRequest{}, &resp); err == nil {
		t.Error("an answer over the other limit was read")
	}
}

func TestRawRequest(t *testing.T) {
	s, c, to := pair(t, rpc.Options{})
	req := &wire.AppRequest{Sha256: []byte("hash"), Offset: 7}
	want, err := proto.Marshal(req)
	if err != nil {
		t.Fatal(err)
	}
	rpc.Handle(s, "app", rpc.Limits{}, func(ctx context.Context, _ peer.ID, _ *wire.AppRequest) (*wire.AppResponse, error) {
		return &wire.AppResponse{Data: rpc.RawRequest(ctx)}, nil
	})
	var resp wire.AppResponse
	if err := c.Call(testContext(t), to, "app", req, &resp); err != nil || !bytes.Equal(resp.GetData(), want) {
		t.Errorf("got %x, %v, want %x", resp.GetData(), err, want)
	}
	if rpc.RawRequest(context.Background()) != nil {
		t.Error("a raw request outside of a handler")
	}
}

// Each request is a message of its own: a handler may keep it.
func TestRequestsAreNotShared(t *testing.T) {
	s, c, to := pair(t, rpc.Options{})
	var kept []*wire.AppRequest
	rpc.Handle(s, "app", rpc.Limits{}, func(_ context.Context, _ peer.ID, req *wire.AppRequest) (*wire.AppResponse, error) {
		kept = append(kept, req)
		return &wire.AppResponse{}, nil
	})
	for i := range 3 {
		if err := c.Call(testContext(t), to, "app", &wire.AppRequest{Offset: uint64(i)}, &wire.AppResponse{}); err != nil {
			t.Fatal(err)
		}
	}
	for i, req := range kept {
		if req.GetOffset() != uint64(i) {
			t.Errorf("request %d became %d", i, req.GetOffset())
		}
	}
}

func TestErrorsOfHandlers(t *testing.T) {
	for _, tc := range []struct {
		name    string
		fail    func() error
		want    error
		code    wire.Code
		mustNot string
		check   func(*rpc.Error) bool
	}{
		{"a code goes out whole", func() error {
			return &rpc.Error{Code: wire.Code_NO_MATCH, Message: "nothing free; try later", RetryAfter: 1500 * time.Millisecond, Detail: []byte{1, 2}}
		}, rpc.ErrNoMatch, wire.Code_NO_MATCH, "", func(e *rpc.Error) bool {
			return e.RetryAfter == 1500*time.Millisecond && bytes.Equal(e.Detail, []byte{1, 2}) && e.Message == "nothing free; try later"
		}},
		{"any other error keeps its text", func() error { return errors.New("disk /secret/path is gone") }, rpc.ErrInternal, wire.Code_INTERNAL, "secret", nil},
		{"a panic is INTERNAL", func() error { panic("secret") }, rpc.ErrInternal, wire.Code_INTERNAL, "secret", nil},
		{"a passed deadline is DEADLINE", func() error { return context.DeadlineExceeded }, rpc.ErrDeadline, wire.Code_DEADLINE, "", nil},
		{"an error is never OK", func() error { return &rpc.Error{} }, rpc.ErrInternal, wire.Code_INTERNAL, "", nil},
		{"control characters are taken out", func() error { return rpc.Errorf(wire.Code_INVALID, "a\x1b[31mb\n") }, rpc.ErrInvalid, wire.Code_INVALID, "\x1b", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, c, to := pair(t, rpc.Options{})
			rpc.Handle(s, "ad", rpc.Limits{}, func(context.Context, peer.ID, *wire.AdRequest) (*wire.AdResponse, error) {
				return nil, tc.fail()
			})
			err := c.Call(testContext(t), to, "ad", &wire.AdRequest{}, &wire.AdResponse{})
			if !errors.Is(err, tc.want) || rpc.CodeOf(err) != tc.code {
				t.Fatalf("got %v, want %v", err, tc.want)
			}
			if tc.mustNot != "" && strings.Contains(err.Error(), tc.mustNot) {
				t.Errorf("the text of the failure got out: %v", err)
			}
			var e *rpc.Error
			if tc.check != nil && (!errors.As(err, &e) || !tc.check(e)) {
				t.Errorf("got %+v", e)
			}
		})
	}
}

func TestCallOfAMissingProtocolIsUnavailable(t *testing.T) {
	_, c, to := pair(t, rpc.Options{})
	if err := c.Call(testContext(t), to, "match", &wire.MatchRequest{}, &wire.MatchResponse{}); !errors.Is(err, rpc.ErrUnavailable) {
		t.Errorf("got %v, want UNAVAILABLE", err)
	}
}

func TestCallOfAnotherNetworkIsUnavailable(t *testing.T) {
	hs, hc := newHost(t), newHost(t)
	s := rpc.NewServer(hs, testNet, rpc.Options{})
	defer s.Close()
	rpc.Handle(s, "ad", rpc.Limits{}, func(context.Context, peer.ID, *wire.AdRequest) (*wire.AdResponse, error) {
		return &wire.AdResponse{}, nil
	})
	connect(t, hc, hs)
	err := rpc.NewClient(hc, "othernet").Call(testContext(t), hs.ID(), "ad", &wire.AdRequest{}, &wire.AdResponse{})
	if !errors.Is(err, rpc.ErrUnavailable) {
		t.Errorf("got %v, want UNAVAILABLE", err)
	}
}

func TestCallOfAGonePeerIsUnreachable(t *testing.T) {
	hs, hc := newHost(t), newHost(t)
	id := hs.ID()
	hs.Close()
	err := rpc.NewClient(hc, testNet).Call(testContext(t), id, "ad", &wire.AdRequest{}, &wire.AdResponse{})
	if !errors.Is(err, rpc.ErrUnreachable) || rpc.CodeOf(err) != wire.Code_UNAVAILABLE {
		t.Errorf("got %v, want ErrUnreachable", err)
	}
}

func TestCallEndsWithItsContext(t *testing.T) {
	s, c, to := pair(t, rpc.Options{})
	started := make(chan struct{})
	rpc.Handle(s, "ad", rpc.Limits{}, func(ctx context.Context, _ peer.ID, _ *wire.AdRequest) (*wire.AdResponse, error) {
		close(started)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	ctx, cancel := context.WithCancel(testContext(t))
	go func() { <-started; cancel() }()
	if err := c.Call(ctx, to, "ad", &wire.AdRequest{}, &wire.AdResponse{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want Canceled", err)
	}
}

func TestHandlerGetsItsTimeout(t *testing.T) {
	s, c, to := pair(t, rpc.Options{})
	rpc.Handle(s, "ad", rpc.Limits{Timeout: 20 * time.Millisecond}, func(ctx context.Context, _ peer.ID, _ *wire.AdRequest) (*wire.AdResponse, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	if err := c.Call(testContext(t), to, "ad", &wire.AdRequest{}, &wire.AdResponse{}); !errors.Is(err, rpc.ErrDeadline) {
		t.Errorf("got %v, want DEADLINE", err)
	}
}

func TestRateAndRetryAfter(t *testing.T) {
	var now atomic.Int64 // seconds
	s, c, to := pair(t, rpc.Options{Now: func() time.Time { return time.Unix(now.Load(), 0) }})
	rpc.Handle(s, "ad", rpc.Limits{PerPeerRate: 1, Burst: 2}, func(context.Context, peer.ID, *wire.AdRequest) (*wire.AdResponse, error) {
		return &wire.AdResponse{}, nil
	})
	call := func() error { return c.Call(testContext(t), to, "ad", &wire.AdRequest{}, &wire.AdResponse{}) }
	for range 2 {
		if err := call(); err != nil {
			t.Fatal(err)
		}
	}
	err := call()
	var e *rpc.Error
	if !errors.Is(err, rpc.ErrBusy) || !errors.As(err, &e) || e.RetryAfter != time.Second {
		t.Fatalf("got %v (%+v), want BUSY with a second to wait", err, e)
	}
	now.Add(1)
	if err := call(); err != nil {
		t.Errorf("after the wait: %v", err)
	}
}

func TestHandlersInParallelAreBounded(t *testing.T) {
	s, c, to := pair(t, rpc.Options{})
	entered, release := make(chan struct{}), make(chan struct{})
	rpc.Handle(s, "ad", rpc.Limits{MaxConcurrent: 1, MaxPerPeer: 4, Timeout: time.Minute}, func(ctx context.Context, _ peer.ID, _ *wire.AdRequest) (*wire.AdResponse, error) {
		entered <- struct{}{}
		select {
		case <-release:
		case <-ctx.Done():
		}
		return &wire.AdResponse{}, nil
	})
	first := make(chan error, 1)
	go func() { first <- c.Call(testContext(t), to, "ad", &wire.AdRequest{}, &wire.AdResponse{}) }()
	<-entered
	if err := c.Call(testContext(t), to, "ad", &wire.AdRequest{}, &wire.AdResponse{}); !errors.Is(err, rpc.ErrBusy) {
		t.Errorf("second call: got %v, want BUSY", err)
	}
	close(release)
	if err := <-first; err != nil {
		t.Errorf("first call: %v", err)
	}
}

func TestOneOfAPeersStreamsAreBounded(t *testing.T) {
	s, c, to := pair(t, rpc.Options{})
	entered, release := make(chan struct{}, 1), make(chan struct{})
	rpc.Handle(s, "ad", rpc.Limits{MaxConcurrent: 8, MaxPerPeer: 1, Timeout: time.Minute}, func(ctx context.Context, _ peer.ID, _ *wire.AdRequest) (*wire.AdResponse, error) {
		entered <- struct{}{}
		select {
		case <-release:
		case <-ctx.Done():
		}
		return &wire.AdResponse{}, nil
	})
	first := make(chan error, 1)
	go func() { first <- c.Call(testContext(t), to, "ad", &wire.AdRequest{}, &wire.AdResponse{}) }()
	<-entered
	if err := c.Call(testContext(t), to, "ad", &wire.AdRequest{}, &wire.AdResponse{}); !errors.Is(err, rpc.ErrBusy) {
		t.Errorf("second call: got %v, want BUSY", err)
	}
	close(release)
	if err := <-first; err != nil {
		t.Errorf("first call: %v", err)
	}
}

func TestSizeLimits(t *testing.T) {
	s, c, to := pair(t, rpc.Options{})
	rpc.Handle(s, "app", rpc.Limits{MaxRequest: 64, MaxResponse: 100}, func(_ context.Context, _ peer.ID, req *wire.AppRequest) (*wire.AppResponse, error) {
		return &wire.AppResponse{Data: make([]byte, req.GetLength())}, nil
	})
	var resp wire.AppResponse
	if err := c.Call(testContext(t), to, "app", &wire.AppRequest{Length: 98}, &resp); err != nil || len(resp.GetData()) != 98 {
		t.Errorf("response at the limit: %v, %d bytes", err, len(resp.GetData()))
	}
	if err := c.Call(testContext(t), to, "app", &wire.AppRequest{Length: 99}, &resp); !errors.Is(err, rpc.ErrInternal) {
		t.Errorf("response over the limit: got %v, want INTERNAL", err)
	}
	if err := c.Call(testContext(t), to, "app", &wire.AppRequest{Sha256: make([]byte, 63)}, &resp); !errors.Is(err, rpc.ErrTooLarge) {
		t.Errorf("request over the limit: got %v, want TOO_LARGE", err)
	}
}

func TestCloseEndsHandlers(t *testing.T) {
	hs, hc := newHost(t), newHost(t)
	s := rpc.NewServer(hs, testNet, rpc.Options{})
	started := make(chan struct{})
	rpc.Handle(s, "ad", rpc.Limits{Timeout: time.Hour}, func(ctx context.Context, _ peer.ID, _ *wire.AdRequest) (*wire.AdResponse, error) {
		close(started)
		<-ctx.Done()
		return nil, rpc.Errorf(wire.Code_UNAVAILABLE, "going down; try another peer")
	})
	connect(t, hc, hs)
	result := make(chan error, 1)
	c := rpc.NewClient(hc, testNet)
	go func() {
		result <- c.Call(testContext(t), hs.ID(), "ad", &wire.AdRequest{}, &wire.AdResponse{})
	}()
	<-started
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-result; !errors.Is(err, rpc.ErrUnavailable) {
		t.Errorf("running call: got %v, want UNAVAILABLE", err)
	}
	if err := c.Call(testContext(t), hs.ID(), "ad", &wire.AdRequest{}, &wire.AdResponse{}); err == nil {
		t.Error("a closed server answered")
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func BenchmarkCall(b *testing.B) {
	s, c, to := pair(b, rpc.Options{})
	rpc.Handle(s, "ad", rpc.Limits{PerPeerRate: 1e9, Burst: 1 << 30}, func(context.Context, peer.ID, *wire.AdRequest) (*wire.AdResponse, error) {
		return &wire.AdResponse{Ad: make([]byte, 300)}, nil
	})
	ctx := context.Background()
	for b.Loop() {
		if err := c.Call(ctx, to, "ad", &wire.AdRequest{}, &wire.AdResponse{}); err != nil {
			b.Fatal(err)
		}
	}
}
