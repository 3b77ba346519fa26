package node

import (
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/ledger/subnet"
)

// insideEnv says that the test runs in a network namespace of its own.
const insideEnv = "FRAMEMESH_TEST_NAMESPACE"

// inNamespace runs the test again in a network namespace where these addresses are the
// machine's own and whoever dials one of the others comes from the first. It says whether
// this is that run. Nothing in it reaches another machine.
func inNamespace(t *testing.T, addrs ...string) bool {
	t.Helper()
	if os.Getenv(insideEnv) != "" {
		setup := [][]string{{"link", "set", "lo", "up"}}
		for _, a := range addrs {
			setup = append(setup, []string{"addr", "add", a + "/32", "dev", "lo"})
		}
		for _, a := range addrs[1:] { // else whoever dials an address of this machine comes from it
			setup = append(setup, []string{"route", "replace", "local", a, "dev", "lo", "table", "local", "src", addrs[0]})
		}
		for _, args := range setup {
			if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
				t.Fatalf("ip %v: %v: %s", args, err, out)
			}
		}
		return true
	}
	cannot := t.Skipf
	if os.Getenv("CI") == "true" {
		cannot = t.Fatalf
	}
	if _, err := exec.LookPath("ip"); err != nil {
		cannot("no network namespace can be set up: %v", err)
	}
	how := "-rn" // by anybody, as root of its own namespace of users
	if out, err := exec.Command("unshare", how, "ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		how = "-n" // by root alone
		if more, err := exec.Command("unshare", how, "ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
			cannot("no network namespace can be made: %v: %s%s", err, out, more)
		}
	}
	again := exec.CommandContext(t.Context(), "unshare", how, os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	again.Env = append(os.Environ(), insideEnv+"=1")
	out, err := again.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("in the namespace: %v", err)
	}
	return false
}

func hostAt(t *testing.T, addr string) host.Host {
	t.Helper()
	h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/" + addr + "/tcp/0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// TestHostsSeeWhereTheOtherLives has real hosts at made-up public addresses meet: who declared
// where it is is at home, who declared another place is not, and from what two others say
// the node itself learns where it is.
func TestHostsSeeWhereTheOtherLives(t *testing.T) {
	if !inNamespace(t, "11.1.1.7", "11.1.2.7", "11.1.3.7") {
		return
	}
	node, one, two := hostAt(t, "11.1.1.7"), hostAt(t, "11.1.2.7"), hostAt(t, "11.1.3.7")
	sub, err := node.EventBus().Subscribe(new(event.EvtPeerIdentificationCompleted))
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	w := &whereabouts{now: func() time.Time { return someday }}
	for _, other := range []host.Host{one, two} {
		if err := node.Connect(t.Context(), peer.AddrInfo{ID: other.ID(), Addrs: other.Addrs()}); err != nil {
			t.Fatal(err)
		}
		if got := w.seen.believed(someday); len(got) != 0 {
			t.Errorf("one alone is believed: %v", got)
		}
		select {
		case e := <-sub.Out():
			w.hear(e.(event.EvtPeerIdentificationCompleted))
		case <-time.After(time.Minute):
			t.Fatal("nobody says where it sees this node")
		}
	}
	home := homesOf(t, "11.1.1.0/24")
	if got := w.seen.believed(someday); !slices.Equal(got, home) {
		t.Errorf("others see this node in %v", got)
	}
	for _, c := range []struct {
		at, of   host.Host
		declared []subnet.Subnet
		want     bool
	}{
		{node, one, homesOf(t, "11.1.2.0/24"), false}, // who was dialled
		{node, one, homesOf(t, "66.6.6.0/24"), true},
		{one, node, home, false}, // who dialled
		{one, node, homesOf(t, "66.6.6.0/24"), true},
		{one, node, nil, true},
	} {
		if got := outside(c.declared, met(c.at, c.of.ID()), true); got != c.want {
			t.Errorf("declared %v, met in %v: elsewhere is %v", c.declared, met(c.at, c.of.ID()), got)
		}
	}
	if got := met(one, two.ID()); len(got) != 0 {
		t.Errorf("they never met, but in %v", got)
	}
}
