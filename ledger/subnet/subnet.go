// Package subnet names the neighbourhoods of the internet that a node says it lives in: a
// /24 of IPv4 or a /48 of IPv6, which one network hands out to one customer or a few. Nobody
// is checked by a neighbour, and whoever meets a node at an address outside of what it
// declared takes the declaration for false.
//
// The package is pure, and its list of ranges is its own: the ledger must not change with a
// library's.
package subnet

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Max is how many subnets one node may declare: two of each family, so that a home that
// moves can name the old and the new.
const Max = 4

// Sizes of a subnet: the bytes that all its addresses begin with.
const (
	SizeV4 = 3
	SizeV6 = 6
)

// ErrSubnet is a subnet, or a list of them, that nobody can declare.
var ErrSubnet = errors.New("subnet: not a globally routable /24 of IPv4 or /48 of IPv6")

// Subnet is the bytes that all addresses of one begin with: 3 for IPv4, 6 for IPv6. As a
// string it can be compared and is ordered by its bytes.
type Subnet string

// special are the ranges within which no address is routed globally, or several machines
// answer to one, by RFC 6890 and its successors.
var special = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
)

// global6 is what of IPv6 is routed globally, less special.
var global6 = netip.MustParsePrefix("2000::/3")

func prefixes(all ...string) (out []netip.Prefix) {
	for _, s := range all {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// Of is the subnet of an address. ok is false for one that is not routed globally: private,
// shared, loopback, of documentation and so on.
func Of(a netip.Addr) (s Subnet, ok bool) {
	a = a.Unmap().WithZone("")
	switch {
	case a.Is4():
		b := a.As4()
		s = Subnet(b[:SizeV4])
	case a.Is6() && global6.Contains(a):
		b := a.As16()
		s = Subnet(b[:SizeV6])
	default:
		return "", false
	}
	if slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(a) }) {
		return "", false
	}
	return s, true
}

// Check wraps ErrSubnet for what is no subnet or not routed globally.
func (s Subnet) Check() error {
	a, ok := s.first()
	if !ok {
		return fmt.Errorf("%w: %d bytes, 3 for IPv4, 6 for IPv6", ErrSubnet, len(s))
	}
	if got, ok := Of(a); !ok || got != s {
		return fmt.Errorf("%w: %s", ErrSubnet, s)
	}
	return nil
}

// first is the lowest address.
func (s Subnet) first() (netip.Addr, bool) {
	switch len(s) {
	case SizeV4:
		return netip.AddrFrom4([4]byte{s[0], s[1], s[2]}), true
	case SizeV6:
		var b [16]byte
		copy(b[:], s)
		return netip.AddrFrom16(b), true
	}
	return netip.Addr{}, false
}

// String writes 11.1.1.0/24 or 2a00:1:2::/48.
func (s Subnet) String() string {
	a, ok := s.first()
	if !ok {
		return fmt.Sprintf("%x", string(s))
	}
	return netip.PrefixFrom(a, 8*len(s)).String()
}

// Parse reads a subnet as String writes it, or takes that of an address. It wraps ErrSubnet.
func Parse(text string) (Subnet, error) {
	bad := fmt.Errorf("%w: %.50q; write 11.1.1.0/24, 2a00:1:2::/48 or a public address", ErrSubnet, text)
	a, err := netip.ParseAddr(text)
	if strings.Contains(text, "/") {
		var p netip.Prefix
		p, err = netip.ParsePrefix(text)
		if a = p.Addr(); err == nil && (p != p.Masked() || a.Is4() && p.Bits() != 8*SizeV4 || a.Is6() && p.Bits() != 8*SizeV6) {
			return "", bad
		}
	}
	if err != nil {
		return "", bad
	}
	s, ok := Of(a)
	if !ok {
		return "", bad
	}
	return s, nil
}

// MarshalText implements encoding.TextMarshaler.
func (s Subnet) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText wrote, and nothing else, so that a file has one form.
// It wraps ErrSubnet.
func (s *Subnet) UnmarshalText(b []byte) error {
	got, err := Parse(string(b))
	if err == nil && !bytes.Equal([]byte(got.String()), b) {
		err = fmt.Errorf("%w: %.50q; write %s", ErrSubnet, b, got)
	}
	if err == nil {
		*s = got
	}
	return err
}

// CheckAll wraps ErrSubnet for a list that is too long, not in strictly rising order of its
// bytes, or holds what Check refuses. An empty list is one.
func CheckAll(list []Subnet) error {
	if len(list) > Max {
		return fmt.Errorf("%w: %d of them, at most %d", ErrSubnet, len(list), Max)
	}
	for i, s := range list {
		if err := s.Check(); err != nil {
			return err
		}
		if i > 0 && list[i-1] >= s {
			return fmt.Errorf("%w: %s comes after %s; sort them by their bytes, each once", ErrSubnet, s, list[i-1])
		}
	}
	return nil
}

// Sorted puts subnets into the order that CheckAll wants, each once.
func Sorted(list []Subnet) []Subnet {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// Share says whether two lists have a subnet in common.
func Share(a, b []Subnet) bool {
	return slices.ContainsFunc(a, func(s Subnet) bool { return slices.Contains(b, s) })
}

// Bytes are the subnets as a transaction carries them.
func Bytes(list []Subnet) (out [][]byte) {
	for _, s := range list {
		out = append(out, []byte(s))
	}
	return out
}

// FromBytes reads what Bytes wrote. It wraps what CheckAll does.
func FromBytes(raw [][]byte) (list []Subnet, err error) {
	for _, b := range raw[:min(len(raw), Max+1)] {
		list = append(list, Subnet(b[:min(len(b), SizeV6+1)]))
	}
	return list, CheckAll(list)
}
