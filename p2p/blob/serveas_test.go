package blob

import (
	"errors"
	"os"
	"testing"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/p2p/rpc"
)

// What is served under a name of its own is fetched under it, and under no other.
func TestServeAsAnotherName(t *testing.T) {
	b, sha := module(7, MaxChunk+1)
	var hosts [2]host.Host
	for i := range hosts {
		h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.DisableRelay(), libp2p.DisableMetrics())
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		hosts[i] = h
	}
	s := rpc.NewServer(hosts[0], "test", rpc.Options{})
	defer s.Close()
	ServeAs(s, "evidence", memory{sha: b})
	if err := hosts[1].Connect(t.Context(), peer.AddrInfo{ID: hosts[0].ID(), Addrs: hosts[0].Addrs()}); err != nil {
		t.Fatal(err)
	}
	c, from := rpc.NewClient(hosts[1], "test"), []peer.ID{hosts[0].ID()}
	f := Fetcher{Caller: c, Protocol: "evidence", Dir: t.TempDir(), Max: int64(len(b))}
	path, err := f.Fetch(t.Context(), from, sha)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != string(b) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := Fetch(t.Context(), c, from, sha, t.TempDir(), int64(len(b)), nil); !errors.Is(err, ErrNoSource) {
		t.Errorf("as an app: %v", err)
	}
}
