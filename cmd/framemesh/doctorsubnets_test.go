package main

import (
	"errors"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/framemesh/framemesh/ledger/subnet"
	"github.com/framemesh/framemesh/node"
)

func TestDoctorComparesSubnets(t *testing.T) {
	home, err := subnet.Parse("11.1.1.0/24")
	if err != nil {
		t.Fatal(err)
	}
	old, err := subnet.Parse("2a00:1:2::/48")
	if err != nil {
		t.Fatal(err)
	}
	in, out := netip.MustParseAddr("11.1.1.7"), netip.MustParseAddr("12.3.4.5")
	for _, c := range []struct {
		name       string
		registered bool
		declared   []subnet.Subnet
		addrs      []netip.Addr
		state      string
		says, try  string
	}{
		{"stranger", false, nil, []netip.Addr{in}, "note", "not registered", "`framemesh register`"},
		{"at home in a lab", true, nil, nil, "ok", "no public address", ""},
		{"undeclared", true, nil, []netip.Addr{in}, "note", "11.1.1.7", "--subnet 11.1.1.0/24`"},
		{"where it says", true, []subnet.Subnet{home, old}, []netip.Addr{in}, "ok", "declares 11.1.1.0/24 2a00:1:2::/48 and has 11.1.1.7", ""},
		{"elsewhere", true, []subnet.Subnet{home}, []netip.Addr{in, out}, "note", "also has 12.3.4.5:", "--subnet 12.3.4.0/24 --subnet 11.1.1.0/24`"},
		{"behind a router", true, []subnet.Subnet{home}, nil, "note", "behind a router", "log of the running node"},
		{"more than can be declared", true, []subnet.Subnet{home, home, home, old}, []netip.Addr{out}, "note", "12.3.4.5", "11.1.1.0/24` when"},
	} {
		f := compareSubnets(c.registered, c.declared, c.addrs)
		if f.State != c.state || !strings.Contains(f.Text, c.says) || !strings.Contains(f.Try, c.try) || (c.try == "") != (f.Try == "") {
			t.Errorf("%s: %+v", c.name, f)
		}
		if n := strings.Count(f.Try, "--subnet"); n > subnet.Max {
			t.Errorf("%s: told to declare %d subnets", c.name, n)
		}
	}
}

func TestPublicAddresses(t *testing.T) {
	list := func() (out []net.Addr, err error) {
		for _, text := range []string{"127.0.0.1/8", "192.168.1.4/24", "fe80::1/64", "11.1.1.7/24", "11.1.1.9/32", "2a00:1:2:3::4/64", "2a00:1:2:5::6/128"} {
			ip, n, err := net.ParseCIDR(text)
			if err != nil {
				return nil, err
			}
			out = append(out, &net.IPNet{IP: ip, Mask: n.Mask})
		}
		return append(out, &net.UnixAddr{Name: "/x"}), nil
	}
	got, err := publicAddrs(list)
	if err != nil || addrText(got) != "11.1.1.7 2a00:1:2:3::4" {
		t.Errorf("%v, %v", got, err)
	}
	gone := errors.New("gone")
	if _, err := publicAddrs(func() ([]net.Addr, error) { return nil, gone }); !errors.Is(err, gone) {
		t.Errorf("%v", err)
	}
}

// A ledger that nobody answers for, or that does not exist, is no reason for doctor to fail.
func TestDoctorWithoutALedger(t *testing.T) {
	cfg := node.DefaultConfig()
	cfg.DataDir = t.TempDir()
	if f := examineSubnets(t.Context(), cfg); f != nil {
		t.Errorf("without a ledger: %+v", f)
	}
	cfg.Ledger.Genesis = filepath.Join(cfg.DataDir, "genesis.json")
	if f := examineSubnets(t.Context(), cfg); f != nil {
		t.Errorf("without a node: %+v", f)
	}
	if _, err := ownNodeKey(cfg, true); err != nil {
		t.Fatal(err)
	}
	f := examineSubnets(t.Context(), cfg)
	if len(f) != 1 || f[0].State != "note" || f[0].Try == "" {
		t.Errorf("%+v", f)
	}
}
