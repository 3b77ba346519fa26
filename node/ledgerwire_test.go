package node

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/ledger/light"
	"github.com/framemesh/framemesh/p2p/rpc"
)

// A question that a peer leaves without an answer, as one does that was just restarted and has
// forgotten the connection, is asked once more; one that was answered is not.
func TestLedgerQuestionsAreAskedOnceMore(t *testing.T) {
	var hosts [2]host.Host
	for i := range hosts {
		h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.DisableRelay(), libp2p.DisableMetrics())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { h.Close() })
		hosts[i] = h
	}
	var streams atomic.Int32
	hosts[0].SetStreamHandler(rpc.ProtocolID("test", ledgerRPC), func(s network.Stream) {
		streams.Add(1)
		_ = s.Reset()
	})
	if err := hosts[1].Connect(t.Context(), peer.AddrInfo{ID: hosts[0].ID(), Addrs: hosts[0].Addrs()}); err != nil {
		t.Fatal(err)
	}
	w := ledgerWire{hosts[1], rpc.NewClient(hosts[1], "test"), "test"}
	to := hosts[0].ID().String()
	if _, err := w.Call(t.Context(), to, new(light.Request)); !errors.Is(err, rpc.ErrUnreachable) || streams.Load() != 2 {
		t.Errorf("%d streams, %v", streams.Load(), err)
	}
	hosts[0].RemoveStreamHandler(rpc.ProtocolID("test", ledgerRPC))

	s := rpc.NewServer(hosts[0], "test", rpc.Options{})
	t.Cleanup(func() { _ = s.Close() })
	var answers atomic.Int32
	refusal := errors.New("no")
	rpc.Handle(s, ledgerRPC, ledgerLimits, func(context.Context, peer.ID, *light.Request) (*light.Response, error) {
		if answers.Add(1) == 1 {
			return nil, refusal
		}
		return new(light.Response), nil
	})
	if _, err := w.Call(t.Context(), to, new(light.Request)); err == nil || answers.Load() != 1 {
		t.Errorf("a refusal: %d answers, %v", answers.Load(), err)
	}
	if _, err := w.Call(t.Context(), to, new(light.Request)); err != nil || answers.Load() != 2 {
		t.Errorf("%d answers, %v", answers.Load(), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Call(ctx, to, new(light.Request)); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}
