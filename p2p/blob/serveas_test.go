package blob

import (
	"errors"
	"os"
	"testing"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
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

// What has another name than its hash is read from one peer, whole or not at all.
func TestReadByAnotherName(t *testing.T) {
	b, _ := module(8, 2*MaxChunk+5)
	name := [32]byte{1}
	peers := &fakePeers{answer: map[peer.ID]func(*wire.AppRequest) (*wire.AppResponse, error){}, sent: map[peer.ID]int{}}
	honest := func(req *wire.AppRequest) (*wire.AppResponse, error) { return answer(memory{name: b}, req) }
	peers.answer["honest"] = honest
	peers.answer["short"] = func(req *wire.AppRequest) (*wire.AppResponse, error) {
		r, err := honest(req)
		if r != nil && req.GetOffset() > 0 {
			r.Data = r.Data[1:]
		}
		return r, err
	}
	peers.answer["shrinks"] = func(req *wire.AppRequest) (*wire.AppResponse, error) {
		r, err := honest(req)
		if r != nil && req.GetOffset() > 0 {
			r.Size--
		}
		return r, err
	}
	peers.answer["endless"] = func(*wire.AppRequest) (*wire.AppResponse, error) {
		return &wire.AppResponse{Size: 1 << 62, Data: []byte{1}}, nil
	}
	peers.answer["empty"] = func(*wire.AppRequest) (*wire.AppResponse, error) { return &wire.AppResponse{}, nil }
	if got, err := Read(t.Context(), peers, Protocol, "honest", name, int64(len(b))); err != nil || string(got) != string(b) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	for id, want := range map[peer.ID]error{"short": ErrWrongData, "shrinks": ErrWrongData, "endless": ErrTooLarge, "empty": ErrWrongData} {
		if got, err := Read(t.Context(), peers, Protocol, id, name, int64(len(b))); got != nil || !errors.Is(err, want) {
			t.Errorf("%s: %d bytes, %v", id, len(got), err)
		}
	}
	if _, err := Read(t.Context(), peers, Protocol, "honest", [32]byte{2}, int64(len(b))); err == nil {
		t.Error("what is not there was read")
	}
}
