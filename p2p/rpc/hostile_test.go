package rpc_test

import (
	"bytes"
	"context"
	"io"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-varint"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
)

// attack is one way to misuse a stream: what is written, and whether the stream is
// then held open in silence.
type attack struct {
	reason string
	bytes  []byte
	hold   bool
}

func attacks() []attack {
	frame := func(body ...byte) []byte { return append(varint.ToUvarint(uint64(len(body))), body...) }
	return []attack{
		{"malformed", frame(0xff, 0xff, 0xff), false},
		{"malformed", frame(0x0a, 0x7f), false},                  // a field longer than the message
		{"malformed", bytes.Repeat([]byte{0xff}, 16), false},     // a length without end
		{"malformed", []byte{0x80, 0x00}, false},                 // a length written too long
		{"oversize", varint.ToUvarint(1 << 40), true},            // a claim, and nothing behind it
		{"oversize", append(varint.ToUvarint(65), 1), false},     // one byte over
		{"truncated", append(varint.ToUvarint(20), 1, 2), false}, // ends inside
		{"truncated", nil, false},                                // ends before it began
		{"slow", append(varint.ToUvarint(20), 1, 2), true},       // stops inside
		{"slow", nil, true},                                      // never begins
	}
}

// strike opens a stream, misuses it and waits until the server has ended it.
func strike(ctx context.Context, h host.Host, to peer.ID, a attack) error {
	name := "ad"
	if a.reason == "slow" {
		name = "app"
	}
	st, err := h.NewStream(ctx, to, rpc.ProtocolID(testNet, name))
	if err != nil {
		return err
	}
	defer st.Reset()
	if len(a.bytes) > 0 {
		_, _ = st.Write(a.bytes)
	} else if _, err := st.Write(nil); err != nil {
		return err
	}
	if !a.hold {
		_ = st.CloseWrite()
	}
	_, _ = io.Copy(io.Discard, st) // until the answer or the reset
	return nil
}

// A hostile host sends 200 requests of every broken kind. All are refused, counted
// by kind and reported; nothing of them stays; an honest peer is served meanwhile.
func TestHostileRequests(t *testing.T) {
	reg := prometheus.NewRegistry()
	var mu sync.Mutex
	scored := map[string]int{}
	hs, honest, hostile := newHost(t), newHost(t), newHost(t)
	s := rpc.NewServer(hs, testNet, rpc.Options{
		Registerer: reg,
		Misbehaved: func(from peer.ID, reason string) {
			mu.Lock()
			defer mu.Unlock()
			if from != hostile.ID() {
				t.Errorf("%s was reported for %q", from, reason)
			}
			scored[reason]++
		},
	})
	defer s.Close()
	// Two protocols, so that a busy machine cannot make the other attacks slow ones.
	lim := rpc.Limits{MaxRequest: 64, ReadTimeout: time.Minute, PerPeerRate: 1e6, Burst: 1e6, MaxPerPeer: 20}
	rpc.Handle(s, "ad", lim, func(context.Context, peer.ID, *wire.AdRequest) (*wire.AdResponse, error) {
		return &wire.AdResponse{Ad: []byte("here")}, nil
	})
	lim.ReadTimeout = 50 * time.Millisecond
	rpc.Handle(s, "app", lim, func(context.Context, peer.ID, *wire.AppRequest) (*wire.AppResponse, error) {
		t.Error("a request that never came whole was handled")
		return &wire.AppResponse{}, nil
	})
	connect(t, honest, hs)
	connect(t, hostile, hs)
	ctx := testContext(t)
	c := rpc.NewClient(honest, testNet)
	askHonestly := func() {
		t.Helper()
		var resp wire.AdResponse
		if err := c.Call(ctx, hs.ID(), "ad", &wire.AdRequest{}, &resp); err != nil || string(resp.GetAd()) != "here" {
			t.Errorf("honest call: %v", err)
		}
	}
	askHonestly()
	if err := strike(ctx, hostile, hs.ID(), attack{bytes: []byte{1, 0xff}}); err != nil { // warms the connection up
		t.Fatal(err)
	}
	goroutines, heap := settled(), heapInUse()

	const each = 20 // of ten kinds
	for _, a := range attacks() {
		var wg sync.WaitGroup
		for range each {
			wg.Go(func() {
				if err := strike(ctx, hostile, hs.ID(), a); err != nil {
					t.Errorf("%s: %v", a.reason, err)
				}
			})
		}
		askHonestly()
		wg.Wait()
	}

	want := map[string]int{"malformed": 4*each + 1, "oversize": 2 * each, "truncated": 2 * each, "slow": 2 * each}
	mu.Lock()
	for why, n := range want {
		if scored[why] != n {
			t.Errorf("reported %d times for %q, want %d", scored[why], why, n)
		}
	}
	mu.Unlock()
	for why, n := range want {
		if got := counter(t, reg, "framemesh_rpc_rejected_total", "reason", why); got != float64(n) {
			t.Errorf("rejected{reason=%q} = %v, want %d", why, got, n)
		}
	}
	if got := counter(t, reg, "framemesh_rpc_requests_total", "code", "OK"); got != 11 {
		t.Errorf("%v honest requests counted, want 11", got)
	}
	waitFor(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines+each/2 })
	waitFor(t, "memory to be returned", func() bool { return heapInUse() <= heap+2<<20 })
	waitFor(t, "streams to close", func() bool {
		for _, conn := range hs.Network().ConnsToPeer(hostile.ID()) {
			for _, st := range conn.GetStreams() {
				if st.Protocol() == rpc.ProtocolID(testNet, "ad") || st.Protocol() == rpc.ProtocolID(testNet, "app") {
					return false
				}
			}
		}
		return true
	})
}

// Who keeps asking although refused is reported, once per 64 refusals.
func TestFloodIsReported(t *testing.T) {
	reports := make(chan string, 16)
	frozen := time.Unix(0, 0)
	s, c, to := pair(t, rpc.Options{
		Now:        func() time.Time { return frozen },
		Misbehaved: func(_ peer.ID, reason string) { reports <- reason },
	})
	rpc.Handle(s, "ad", rpc.Limits{PerPeerRate: 1, Burst: 1}, func(context.Context, peer.ID, *wire.AdRequest) (*wire.AdResponse, error) {
		return &wire.AdResponse{}, nil
	})
	refused := 0
	for range 1 + 64 {
		if err := c.Call(testContext(t), to, "ad", &wire.AdRequest{}, &wire.AdResponse{}); err != nil {
			refused++
		}
	}
	if refused != 64 || len(reports) != 1 || <-reports != "flood" {
		t.Errorf("%d refused, %d more reports", refused, len(reports))
	}
}

// settled returns the number of goroutines once it stops falling.
func settled() int {
	last := runtime.NumGoroutine()
	for range 20 {
		runtime.GC()
		time.Sleep(5 * time.Millisecond) // paces the poll; nothing depends on its length
		n := runtime.NumGoroutine()
		if n >= last {
			return n
		}
		last = n
	}
	return last
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// waitFor polls a condition until it holds, for at most a minute.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// counter sums the samples of a metric whose label has a value.
func counter(t *testing.T, reg *prometheus.Registry, name, label, value string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == label && l.GetValue() == value {
					sum += m.GetCounter().GetValue()
				}
			}
		}
	}
	return sum
}
