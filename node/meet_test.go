package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/framemesh/framemesh/p2p/rpc"
)

// meetHost is a host on loopback that speaks of one network; port 0 takes any.
func meetHost(t *testing.T, port int, networkName string) host.Host {
	t.Helper()
	h, err := libp2p.New(libp2p.ListenAddrStrings(fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", port)), libp2p.DisableRelay())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	speaks := rpc.ProtocolID(networkName, "rpc")
	h.SetStreamHandler(speaks, func(s network.Stream) { _ = s.Reset() })
	heard(t, h, speaks)
	return h
}

// heard waits until a host tells those who connect of a protocol, which is a moment after it
// has it.
func heard(t *testing.T, h host.Host, p protocol.ID) {
	t.Helper()
	by, err := libp2p.New(libp2p.NoListenAddrs, libp2p.DisableRelay())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = by.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := by.Connect(ctx, peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()}); err != nil {
		t.Fatal(err)
	}
	for {
		if got, err := by.Peerstore().SupportsProtocols(h.ID(), p); err == nil && len(got) > 0 {
			return
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			t.Fatal("it never tells of its protocol")
		}
	}
}

// at is a peer at an address where somebody else, or nobody, may be.
func at(id peer.ID, addr string) peer.AddrInfo {
	return peer.AddrInfo{ID: id, Addrs: []ma.Multiaddr{ma.StringCast(addr)}}
}

// nobody is a peer at a port on which nothing listens.
func nobody(t *testing.T) peer.AddrInfo {
	t.Helper()
	gone := meetHost(t, 0, "test")
	p := peer.AddrInfo{ID: gone.ID(), Addrs: gone.Addrs()}
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	return p
}

// told collects what a meeting says.
type told struct {
	mu   sync.Mutex
	said []string
	then func() // called at the first sentence
}

func (o *told) tell(s string) {
	o.mu.Lock()
	o.said = append(o.said, s)
	first := len(o.said) == 1
	o.mu.Unlock()
	if first && o.then != nil {
		o.then()
	}
}

func (o *told) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Join(o.said, "\n")
}

func meetingOf(h host.Host, o *told) *meeting {
	return &meeting{host: h, network: "test", tell: o.tell, every: 10 * time.Millisecond, quiet: time.Hour}
}

// Where nobody answers, the command ends with each peer and why, and what it says is short.
func TestNobodyAnswers(t *testing.T) {
	self, other := meetHost(t, 0, "test"), meetHost(t, 0, "test")
	foreign := meetHost(t, 0, "elsewhere")
	dead := nobody(t)
	for _, tc := range []struct {
		name string
		who  peer.AddrInfo
		want string
	}{
		{"nothing listens", dead, "connection refused"},
		{"another peer", at(dead.ID, other.Addrs()[0].String()), "another peer lives there, " + other.ID().String()},
		{"another network", peer.AddrInfo{ID: foreign.ID(), Addrs: foreign.Addrs()}, "another network, elsewhere"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := meetingOf(self, new(told)).run(t.Context(), []peer.AddrInfo{tc.who})
			var u Unreached
			if !errors.As(err, &u) || len(u.Peers) != 1 {
				t.Fatalf("it ended with %v", err)
			}
			if u.Foreign() != (tc.name == "another network") {
				t.Errorf("foreign: %v", u.Foreign())
			}
			text := err.Error()
			if !strings.Contains(text, tc.want) || !strings.Contains(text, tc.who.ID.String()) || !strings.Contains(text, tc.who.Addrs[0].String()) || strings.Contains(text, "\n") {
				t.Errorf("it says %q, which is to name the peer, its address and %q on one line", text, tc.want)
			}
		})
	}
	err := meetingOf(self, new(told)).run(t.Context(), []peer.AddrInfo{nobody(t), {ID: foreign.ID(), Addrs: foreign.Addrs()}})
	if text := fmt.Sprint(err); !strings.Contains(text, "none of 2 peers") || !strings.Contains(text, "refused") || !strings.Contains(text, "elsewhere") {
		t.Errorf("of two it says %q", text)
	}
}

// One peer that is there is enough, and of the dead one nothing is said.
func TestTheNextPeerIsAsked(t *testing.T) {
	self, alive := meetHost(t, 0, "test"), meetHost(t, 0, "test")
	o := new(told)
	if err := meetingOf(self, o).run(t.Context(), []peer.AddrInfo{nobody(t), {ID: alive.ID(), Addrs: alive.Addrs()}}); err != nil {
		t.Fatal(err)
	}
	if self.Network().Connectedness(alive.ID()) != network.Connected || o.text() != "" {
		t.Errorf("connected: %v; said: %q", self.Network().Connectedness(alive.ID()), o.text())
	}
}

// A peer that takes the connection and says nothing is named while it is waited for, and
// waiting ends with the command.
func TestWhoHangsIsNamed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	addr := fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", l.Addr().(*net.TCPAddr).Port)
	self, dead := meetHost(t, 0, "test"), nobody(t)
	ctx, interrupt := context.WithCancel(t.Context())
	o := &told{then: interrupt}
	m := meetingOf(self, o)
	m.quiet = time.Millisecond
	if err := m.run(ctx, []peer.AddrInfo{at(dead.ID, addr)}); !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
	if !strings.Contains(o.text(), dead.ID.String()+" at "+addr+" does not answer yet") {
		t.Errorf("it said %q", o.text())
	}
}

// A node that is just starting is reached by a command that came a moment too early.
func TestANodeThatIsStartingIsWaitedFor(t *testing.T) {
	self := meetHost(t, 0, "test")
	late, err := libp2p.New(libp2p.NoListenAddrs, libp2p.DisableRelay())
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	late.SetStreamHandler(rpc.ProtocolID("test", "rpc"), func(s network.Stream) { _ = s.Reset() })
	for range 10 { // another program may take the port meanwhile
		dead, taken := nobody(t), error(nil)
		ctx, cancel := context.WithCancel(t.Context())
		o := new(told)
		o.then = func() {
			if taken = late.Network().Listen(dead.Addrs...); taken != nil {
				cancel()
			}
		}
		m := meetingOf(self, o)
		m.try, m.quiet = time.Minute, time.Millisecond
		err = m.run(ctx, []peer.AddrInfo{{ID: late.ID(), Addrs: dead.Addrs}})
		cancel()
		if taken == nil {
			break
		}
		err = taken
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Of a peer that is tried again it is said why, as soon as that is known.
func TestWhyAPeerIsTriedAgainIsSaid(t *testing.T) {
	p, r := nobody(t), newReasons()
	if text := r.of(p); !strings.HasSuffix(text, "does not answer yet") {
		t.Errorf("at first it says %q", text)
	}
	r.put(p.ID, reason(syscall.ECONNREFUSED))
	if text := r.of(p); !strings.Contains(text, "connection refused") || !strings.Contains(text, "trying again") {
		t.Errorf("then it says %q", text)
	}
}

// A peer that is named twice, by TCP and by QUIC, is one.
func TestAddressesOfOnePeerAreGathered(t *testing.T) {
	id := nobody(t).ID
	all := gathered([]peer.AddrInfo{at(id, "/ip4/127.0.0.1/tcp/1"), at(id, "/ip4/127.0.0.1/udp/1/quic-v1"), at(id, "/ip4/127.0.0.1/tcp/1")})
	if len(all) != 1 || len(all[0].Addrs) != 2 {
		t.Errorf("%v", all)
	}
}

// Who asks only peers on its own machine believes in addresses there.
func TestACommandTakesTheProfileOfThoseItAsks(t *testing.T) {
	c, id := DefaultConfig(), nobody(t).ID
	for _, tc := range []struct {
		addr string
		want string
	}{{"/ip4/127.0.0.1/tcp/1", "loopback"}, {"/ip6/::1/udp/1/quic-v1", "loopback"}, {"/ip4/192.0.2.1/tcp/1", c.P2P.Profile}, {"/dns4/peer.example/tcp/1", c.P2P.Profile}} {
		if got := dialProfile(c, []peer.AddrInfo{at(id, "/ip4/127.0.0.1/tcp/2"), at(id, tc.addr)}); string(got) != tc.want {
			t.Errorf("beside %s it is %s, want %s", tc.addr, got, tc.want)
		}
	}
}

// What is given with --peer and is no address is called by that name.
func TestABadPeerIsNamedAsItWasGiven(t *testing.T) {
	_, err := namedPeers([]string{"/ip4/192.0.2.1/tcp/1"}, nil)
	if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "--peer") || strings.Contains(err.Error(), "p2p.bootstrap:") {
		t.Errorf("%v", err)
	}
	if _, err := namedPeers(nil, []string{"nonsense"}); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "p2p.bootstrap") {
		t.Errorf("%v", err)
	}
}
