package node

import (
	"slices"
	"testing"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/framemesh/framemesh/ledger/subnet"
	"github.com/framemesh/framemesh/p2p/wire"
)

func homesOf(t testing.TB, texts ...string) (list []subnet.Subnet) {
	t.Helper()
	for _, s := range texts {
		one, err := subnet.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, one)
	}
	return subnet.Sorted(list)
}

func addrsOf(t testing.TB, texts ...string) (out []ma.Multiaddr) {
	t.Helper()
	for _, s := range texts {
		a, err := ma.NewMultiaddr(s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, a)
	}
	return out
}

func TestWhoIsMetElsewhere(t *testing.T) {
	for _, c := range []struct {
		name           string
		declared, seen []string
		demanded, want bool
	}{
		{"at home", []string{"11.1.1.0/24"}, []string{"11.1.1.0/24"}, true, false},
		{"elsewhere", []string{"11.1.1.0/24"}, []string{"11.1.2.0/24"}, false, true},
		{"at one of two homes", []string{"11.1.1.0/24", "2a00:1:2::/48"}, []string{"2a00:1:2::/48"}, false, false},
		{"at home and elsewhere", []string{"11.1.1.0/24"}, []string{"11.1.1.0/24", "12.1.1.0/24"}, false, false},
		{"nowhere", []string{"11.1.1.0/24"}, nil, true, false},
		{"nothing declared where nobody does", nil, []string{"11.1.1.0/24"}, false, false},
		{"nothing declared where others do", nil, []string{"11.1.1.0/24"}, true, true},
	} {
		if got := outside(homesOf(t, c.declared...), homesOf(t, c.seen...), c.demanded); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestOnlyDirectPublicAddressesCount(t *testing.T) {
	relay := "/ip4/12.1.1.1/tcp/4001/p2p/12D3KooWRdFFg3yTbTsDq5Z1yCvCWbqznEFro9jeVivo7rkayJ4D/p2p-circuit"
	all := addrsOf(t, "/ip4/11.1.1.7/tcp/4001", "/ip4/11.1.1.8/udp/4001/quic-v1", "/ip6/2a00:1:2:3::1/udp/1/quic-v1", relay,
		"/ip4/192.168.1.1/tcp/1", "/ip6/::1/tcp/1", "/ip6/fe80::1/tcp/1", "/dns4/example.org/tcp/443", "/ip6/::ffff:13.1.1.1/tcp/1")
	if got := subnet.Sorted(subnetsOf(all)); !slices.Equal(got, homesOf(t, "11.1.1.0/24", "13.1.1.0/24", "2a00:1:2::/48")) {
		t.Error(got)
	}
	ad := &wire.Ad{Addrs: [][]byte{all[0].Bytes(), {1, 2, 3}, all[3].Bytes()}}
	if got := adSubnets(ad); !slices.Equal(got, homesOf(t, "11.1.1.0/24")) {
		t.Error(got)
	}
	if _, ok := subnetOf(nil); ok {
		t.Error("no address has a subnet")
	}
}
