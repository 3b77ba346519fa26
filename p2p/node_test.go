package p2p

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/framemesh/framemesh/p2p/discovery"
	"github.com/framemesh/framemesh/p2p/wire"
)

func newKey(t testing.TB) crypto.PrivKey {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// startNode starts a loopback node that is closed with the test.
func startNode(t testing.TB, edit func(*Config)) *Node {
	t.Helper()
	c := Config{Network: "test", Region: "eu-west", Key: newKey(t), Profile: ProfileLoopback}
	if edit != nil {
		edit(&c)
	}
	n, err := New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// within gives an operation time that a loaded machine is sure to have.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestConfigErrorsSayWhatToTry(t *testing.T) {
	key := newKey(t)
	self, err := peer.IDFromPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	rsa, _, err := crypto.GenerateKeyPair(crypto.Secp256k1, 0)
	if err != nil {
		t.Fatal(err)
	}
	addr := []ma.Multiaddr{ma.StringCast("/ip4/192.0.2.1/tcp/4001")}
	for name, tc := range map[string]struct {
		edit func(*Config)
		want string
	}{
		"network":          {func(c *Config) { c.Network = "Main Net" }, "network: use"},
		"region":           {func(c *Config) { c.Region = "eu/west" }, "region: use"},
		"no key":           {func(c *Config) { c.Key = nil }, "key: an Ed25519"},
		"another key":      {func(c *Config) { c.Key = rsa }, "key: an Ed25519"},
		"profile":          {func(c *Config) { c.Profile = "laptop" }, "p2p.profile: use"},
		"port":             {func(c *Config) { c.Port = 65536 }, "p2p.port: use"},
		"listen":           {func(c *Config) { c.Listen = []string{"localhost"} }, `p2p.listen: "localhost" is not`},
		"listen with port": {func(c *Config) { c.Listen = []string{"/ip4/0.0.0.0/tcp/1"} }, "p2p.port for the port"},
		"loopback profile": {func(c *Config) { c.Listen = []string{"0.0.0.0"} }, `use p2p.profile "home"`},
		"bootstrap addr":   {func(c *Config) { c.Bootstrap = []peer.AddrInfo{{ID: "x"}} }, "p2p.bootstrap"},
		"bootstrap self":   {func(c *Config) { c.Bootstrap = []peer.AddrInfo{{ID: self, Addrs: addr}} }, "remove it"},
	} {
		t.Run(name, func(t *testing.T) {
			c := Config{Network: "test", Key: key, Profile: ProfileLoopback}
			if err := c.Validate(); err != nil {
				t.Fatal(err)
			}
			tc.edit(&c)
			_, err := New(t.Context(), c)
			if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestNothingListensBeyondLoopbackByDefault(t *testing.T) {
	for _, profile := range []Profile{ProfileHome, ProfileServer, ProfileLoopback} {
		t.Run(string(profile), func(t *testing.T) {
			n := startNode(t, func(c *Config) { c.Profile = profile; c.Registerer = prometheus.NewRegistry() })
			addrs := n.Host().Network().ListenAddresses()
			ports := map[string]bool{}
			for _, a := range addrs {
				if !manet.IsIPLoopback(a) {
					t.Errorf("listens on %s", a)
				}
				for _, p := range []int{ma.P_TCP, ma.P_UDP} {
					if v, err := a.ValueForProtocol(p); err == nil {
						ports[v] = true
					}
				}
			}
			if len(addrs) != 2 || len(ports) != 1 || !ports[fmt.Sprint(n.Port())] {
				t.Errorf("want TCP and QUIC on one port, got %v", addrs)
			}
		})
	}
}

func TestMetricsOfTheHostAreInTheGivenRegistry(t *testing.T) {
	reg := prometheus.NewRegistry()
	a := startNode(t, func(c *Config) { c.Registerer = reg })
	b := startNode(t, func(c *Config) { c.Registerer = reg; c.Bootstrap = []peer.AddrInfo{a.AddrInfo()} })
	if err := b.Discovery().Ready(within(t)); err != nil {
		t.Fatal(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, 0, len(families))
	for _, f := range families {
		names = append(names, f.GetName())
	}
	for _, want := range []string{"libp2p_swarm_connections_opened_total", "libp2p_rcmgr_connections"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is missing in %v", want, names)
		}
	}
}

// occupy holds a port for TCP or UDP on loopback.
func occupy(t *testing.T, tcp bool) int {
	t.Helper()
	if tcp {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l.Addr().(*net.TCPAddr).Port
	}
	l, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.LocalAddr().(*net.UDPAddr).Port
}

func TestPortInUse(t *testing.T) {
	for name, tcp := range map[string]bool{"tcp": true, "udp": false} {
		t.Run(name+" moves on", func(t *testing.T) {
			port := occupy(t, tcp)
			n := startNode(t, func(c *Config) { c.Port = port })
			if n.Port() <= port || n.Port() > port+PortTries {
				t.Fatalf("got port %d after %d", n.Port(), port)
			}
		})
		t.Run(name+" insisted", func(t *testing.T) {
			port := occupy(t, tcp)
			_, err := New(t.Context(), Config{Network: "test", Key: newKey(t), Profile: ProfileLoopback, Port: port, PortFixed: true})
			if !errors.Is(err, ErrPortInUse) || !strings.Contains(err.Error(), fmt.Sprintf("p2p.port %d", port)) {
				t.Fatalf("got %v", err)
			}
		})
	}
	t.Run("by another node", func(t *testing.T) {
		a := startNode(t, nil)
		_, err := New(t.Context(), Config{Network: "test", Key: newKey(t), Profile: ProfileLoopback, Port: a.Port(), PortFixed: true})
		if !errors.Is(err, ErrPortInUse) {
			t.Fatalf("two nodes share a port: %v", err)
		}
	})
	t.Run("address of another machine", func(t *testing.T) {
		_, err := New(t.Context(), Config{Network: "test", Key: newKey(t), Profile: ProfileHome, Listen: []string{"192.0.2.1"}})
		if err == nil || errors.Is(err, ErrPortInUse) || !strings.Contains(err.Error(), "p2p.listen") {
			t.Fatalf("got %v", err)
		}
	})
}

func TestCandidatePorts(t *testing.T) {
	if got := candidatePorts(4001, true); !slices.Equal(got, []int{4001}) {
		t.Error(got)
	}
	if got := candidatePorts(4001, false); len(got) != PortTries+1 || got[0] != 4001 || got[PortTries] != 4011 {
		t.Error(got)
	}
	if got := candidatePorts(65535, false); !slices.Equal(got, []int{65535}) {
		t.Error(got)
	}
	if got := candidatePorts(0, true); len(got) != PortTries+1 || got[0] != 0 {
		t.Error(got)
	}
}

func TestBudgetsHold(t *testing.T) {
	for p, b := range budgets {
		if b.low >= b.high || b.high >= b.conns || b.inbound > b.conns {
			t.Errorf("%s: %+v", p, b)
		}
	}
	if budgets[ProfileHome].conns > 60 {
		t.Error("a home node may have at most 60 connections")
	}
}

// TestResourceManagerIsOn: a node with the home budget refuses the connections beyond it.
func TestResourceManagerIsOn(t *testing.T) {
	n := startNode(t, func(c *Config) { c.Profile = ProfileHome })
	limit := budgets[ProfileHome]
	var refused bool
	for range limit.inbound + 8 {
		other := startNode(t, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		err := other.Host().Connect(ctx, n.AddrInfo())
		cancel()
		refused = refused || err != nil
		if got := len(n.Host().Network().Conns()); got > limit.conns {
			t.Fatalf("%d connections", got)
		}
	}
	inbound := 0
	for _, c := range n.Host().Network().Conns() {
		if c.Stat().Direction == network.DirInbound {
			inbound++
		}
	}
	if inbound > limit.inbound {
		t.Fatalf("%d inbound connections, at most %d", inbound, limit.inbound)
	}
	if !refused {
		t.Fatal("nobody was refused")
	}
}

// TestReachabilityFitsTogether builds, without listening, what a node beyond loopback uses.
func TestReachabilityFitsTogether(t *testing.T) {
	for _, profile := range []Profile{ProfileHome, ProfileServer} {
		n := &Node{cfg: Config{Network: "test", Profile: profile}}
		h, err := libp2p.New(append(n.reachability(true), libp2p.NoListenAddrs, libp2p.DisableMetrics())...)
		if err != nil {
			t.Errorf("%s: %v", profile, err)
			continue
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestNodesFindEachOtherThroughTheDHT(t *testing.T) {
	ctx := within(t)
	boot := startNode(t, nil)
	var nodes []*Node
	want := map[peer.ID]bool{}
	for i := range 9 {
		n := startNode(t, func(c *Config) {
			c.Bootstrap = []peer.AddrInfo{boot.AddrInfo()}
			c.DataDir = t.TempDir()
			c.Agent = "framemesh/test"
		})
		nodes = append(nodes, n)
		if i < 3 {
			want[n.ID()] = true
			region := []string{"eu-west", "eu-west", "us-east"}[i]
			if err := n.Discovery().Announce(ctx, []string{"container"}, region); err != nil {
				t.Fatal(err)
			}
		}
	}
	find := func(n *Node, region string, count int) []peer.AddrInfo {
		for {
			got, err := n.Discovery().Find(ctx, "container", region, 20)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) >= count {
				return got
			}
			if ctx.Err() != nil {
				t.Fatalf("%s sees %d of %d containers in %q", n.ID(), len(got), count, region)
			}
		}
	}
	for _, n := range append(nodes[3:], boot) {
		for _, p := range find(n, "", 3) {
			if !want[p.ID] {
				t.Errorf("%s is no container", p.ID)
			}
			if err := n.Host().Connect(ctx, peer.AddrInfo{ID: p.ID}); err != nil {
				t.Errorf("an id alone should be enough to connect: %v", err)
			}
		}
		if got := find(n, "us-east", 1); len(got) != 1 || got[0].ID != nodes[2].ID() {
			t.Errorf("us-east holds %v", got)
		}
	}
	// a node is the first that it finds of its own role, once, and only where it has that role
	for region, count := range map[string]int{"": 3, "eu-west": 2} {
		got := find(nodes[0], region, count)
		if len(got) != count || got[0].ID != nodes[0].ID() || slices.ContainsFunc(got[1:], func(p peer.AddrInfo) bool { return p.ID == nodes[0].ID() }) {
			t.Errorf("a container of eu-west finds %v in %q", got, region)
		}
	}
	if got := find(nodes[0], "us-east", 1); len(got) != 1 || got[0].ID != nodes[2].ID() {
		t.Errorf("a container of eu-west finds %v in us-east", got)
	}
	if got, err := boot.Discovery().Find(ctx, "container", "", 1); err != nil || len(got) != 1 {
		t.Errorf("limit 1 gave %d, %v", len(got), err)
	}

	// the record of a container, from a node that never met it
	var rec *wire.NodeRecord
	for rec == nil {
		var err error
		if rec, err = nodes[8].Discovery().GetRecord(ctx, nodes[2].ID()); err != nil && !errors.Is(err, discovery.ErrNotFound) {
			t.Fatal(err)
		}
	}
	if rec.GetRegion() != "us-east" || rec.GetAgent() != "framemesh/test" || !slices.Equal(rec.GetRoles(), []string{"container"}) || len(rec.GetAddrs()) != 2 {
		t.Errorf("record %v", rec)
	}
	// a newer one wins, an older one cannot be put over it
	if err := nodes[2].Discovery().PutRecord(ctx, &wire.NodeRecord{Region: "us-west", Seq: rec.GetSeq() + 1}); err != nil {
		t.Fatal(err)
	}
	if err := nodes[2].Discovery().PutRecord(ctx, &wire.NodeRecord{Region: "eu-west", Seq: rec.GetSeq() - 1}); err == nil {
		t.Error("an older record replaced a newer one")
	}
	for rec.GetRegion() != "us-west" { // whoever holds it may be slow to say so
		if got, err := nodes[7].Discovery().GetRecord(ctx, nodes[2].ID()); err == nil {
			rec = got
		} else if !errors.Is(err, discovery.ErrNotFound) {
			t.Fatal(err)
		}
	}
	// nobody can store what another did not sign, nor anything of another kind
	if err := nodes[4].DHT().PutValue(ctx, discovery.RecordKey(nodes[2].ID()), []byte("junk")); !errors.Is(err, discovery.ErrRecord) {
		t.Errorf("junk: %v", err)
	}
	if err := nodes[4].DHT().PutValue(ctx, "/pk/"+string(nodes[2].ID()), []byte("junk")); err == nil {
		t.Error("a key outside the namespace was stored")
	}
	if _, err := nodes[4].Discovery().GetRecord(ctx, nodes[5].ID()); !errors.Is(err, discovery.ErrNotFound) {
		t.Errorf("a node without a record: %v", err)
	}
	for _, limit := range []int{0, -1, discovery.MaxFind + 1} {
		if _, err := boot.Discovery().Find(ctx, "container", "", limit); !errors.Is(err, discovery.ErrLimit) {
			t.Errorf("limit %d: %v", limit, err)
		}
	}
}

// Who knows nobody finds itself at once, for as long as it advertises.
func TestANodeAloneFindsItself(t *testing.T) {
	ctx := within(t)
	n := startNode(t, nil)
	found := func(role, region string) []peer.AddrInfo {
		t.Helper()
		got, err := n.Discovery().Find(ctx, role, region, 1)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := found("indexer", ""); len(got) != 0 {
		t.Errorf("found %v before anybody was there", got)
	}
	advertised, withdraw := context.WithCancel(ctx)
	if err := n.Discovery().Announce(advertised, []string{"indexer"}, "eu-west"); err != nil {
		t.Fatal(err)
	}
	for _, region := range []string{"", "eu-west"} {
		if got := found("indexer", region); len(got) != 1 || got[0].ID != n.ID() || len(got[0].Addrs) == 0 {
			t.Errorf("found %v in %q", got, region)
		}
	}
	if got := slices.Concat(found("indexer", "us-east"), found("container", "eu-west")); len(got) != 0 {
		t.Errorf("found %v where nobody is", got)
	}
	withdraw()
	for len(found("indexer", "")) != 0 { // the context's end is told in its own goroutine
		if ctx.Err() != nil {
			t.Fatal("still found after it withdrew")
		}
		runtime.Gosched()
	}
}

func TestRememberedPeersReplaceTheBootstrapPeer(t *testing.T) {
	ctx := within(t)
	boot := startNode(t, nil)
	friend := startNode(t, func(c *Config) { c.Bootstrap = []peer.AddrInfo{boot.AddrInfo()} })
	if err := friend.Discovery().Ready(ctx); err != nil {
		t.Fatal(err)
	}
	c := Config{Network: "test", Key: newKey(t), Profile: ProfileLoopback, DataDir: t.TempDir(), Bootstrap: []peer.AddrInfo{friend.AddrInfo()}}
	first, err := New(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Discovery().Ready(ctx); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	c.Bootstrap = nil // the operator's list is out of date
	again, err := New(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if err := again.Discovery().Ready(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestJunkInTheRememberedPeersIsNotFatal(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, peersFile), []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	n := startNode(t, func(c *Config) { c.DataDir = dir; c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	if err := n.Discovery().Close(); err != nil { // the loop ends before the log is read
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "remembered peers are ignored") {
		t.Errorf("the junk was not reported: %q", log.String())
	}
	if err := n.Discovery().Advertise(t.Context(), "container", ""); !errors.Is(err, discovery.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}
