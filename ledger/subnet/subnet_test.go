package subnet

import (
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"testing"
)

func TestOfAddresses(t *testing.T) {
	for addr, want := range map[string]string{
		"11.1.1.7": "11.1.1.0/24", "::ffff:11.1.1.7": "11.1.1.0/24", "8.8.8.8": "8.8.8.0/24", "223.255.255.1": "223.255.255.0/24",
		"2a00:1:2:3::4": "2a00:1:2::/48", "2001:200::1": "2001:200::/48", "2a00:1:2::4%eth0": "2a00:1:2::/48",
		"10.0.0.1": "", "100.64.0.1": "", "100.127.255.255": "", "127.0.0.1": "", "169.254.1.1": "", "172.31.0.1": "", "192.168.1.1": "",
		"192.0.2.1": "", "198.19.0.1": "", "203.0.113.9": "", "224.0.0.1": "", "255.255.255.255": "", "0.1.2.3": "",
		"::1": "", "fe80::1%eth0": "", "fc00::1": "", "2001:db8::1": "", "2002:b01:101::1": "", "2001::1": "", "64:ff9b::1": "", "3fff::1": "", "ff02::1": "",
	} {
		s, ok := Of(netip.MustParseAddr(addr))
		if ok != (want != "") || ok && s.String() != want {
			t.Errorf("%s: %v %v, want %q", addr, s, ok, want)
		}
		if ok && s.Check() != nil {
			t.Errorf("%s: %v", s, s.Check())
		}
	}
	if _, ok := Of(netip.Addr{}); ok {
		t.Error("no address has a subnet")
	}
}

func TestListsHaveOneForm(t *testing.T) {
	a, b, c := must(t, "11.1.1.0/24"), must(t, "12.1.1.9"), must(t, "2a00:1:2::/48")
	for name, x := range map[string]struct {
		list []Subnet
		ok   bool
	}{
		"none": {nil, true}, "one": {[]Subnet{a}, true}, "both families": {[]Subnet{a, b, c}, true},
		"twice": {[]Subnet{a, a}, false}, "falling": {[]Subnet{b, a}, false}, "too many": {[]Subnet{a, b, c, "-12", "-13"}, false},
		"empty": {[]Subnet{""}, false}, "four bytes": {[]Subnet{"1234"}, false}, "private": {[]Subnet{"\x0a\x00\x00"}, false},
		"part of 6to4": {[]Subnet{"\x20\x02\x0b\x01\x01\x01"}, false}, "no IPv6 that is routed": {[]Subnet{"\xfd\x00\x00\x00\x00\x01"}, false},
	} {
		if err := CheckAll(x.list); (err == nil) != x.ok || err != nil && !errors.Is(err, ErrSubnet) {
			t.Errorf("%s: %v", name, err)
		}
		got, err := FromBytes(Bytes(x.list))
		if (err == nil) != x.ok || x.ok && !slices.Equal(got, x.list) {
			t.Errorf("%s: comes back as %v, %v", name, got, err)
		}
	}
	if got := Sorted([]Subnet{c, a, b, a}); !slices.Equal(got, []Subnet{a, b, c}) {
		t.Error(got)
	}
	if !Share([]Subnet{a, c}, []Subnet{b, c}) || Share([]Subnet{a}, []Subnet{b, c}) || Share(nil, nil) {
		t.Error("not what two lists share")
	}
	if _, err := FromBytes(make([][]byte, 1000)); !errors.Is(err, ErrSubnet) {
		t.Error(err)
	}
}

func TestText(t *testing.T) {
	list := []Subnet{must(t, "11.1.1.0/24"), must(t, "2a00:1:2::/48")}
	raw, err := json.Marshal(list)
	if err != nil || string(raw) != `["11.1.1.0/24","2a00:1:2::/48"]` {
		t.Fatalf("%s %v", raw, err)
	}
	var back []Subnet
	if err := json.Unmarshal(raw, &back); err != nil || !slices.Equal(back, list) {
		t.Errorf("%v %v", back, err)
	}
	for _, bad := range []string{"", "11.1.1.0/25", "11.1.1.1/24", "2a00::/32", "nobody", "10.0.0.0/24", "2001:db8:1::/48", "11.1.1.0/24 "} {
		if s, err := Parse(bad); !errors.Is(err, ErrSubnet) {
			t.Errorf("%q is %v", bad, s)
		}
	}
	for _, bad := range []string{`["11.1.1.7"]`, `["2a00:0001:2::/48"]`} {
		if err := json.Unmarshal([]byte(bad), &back); !errors.Is(err, ErrSubnet) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func must(t testing.TB, s string) Subnet {
	t.Helper()
	got, err := Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// FuzzSubnets: no bytes panic, and what is taken is what is written again.
func FuzzSubnets(f *testing.F) {
	f.Add([]byte("\x0b\x01\x01"), []byte("\x2a\x00\x00\x01\x00\x02"), "11.1.1.0/24")
	f.Fuzz(func(t *testing.T, a, b []byte, text string) {
		if list, err := FromBytes([][]byte{a, b}); err == nil {
			for i, raw := range Bytes(list) {
				if s, err := Parse(list[i].String()); err != nil || string(s) != string(raw) {
					t.Errorf("%x comes back as %q, %v", raw, s, err)
				}
			}
		}
		if s, err := Parse(text); err == nil && s.Check() != nil {
			t.Errorf("%q: %v", text, s.Check())
		}
	})
}
