package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/subnet"
	"github.com/framemesh/framemesh/node"
)

const (
	checkSubnets = "declared subnets"
	// lookLedger is for how long doctor looks for the ledger: it has other things to say.
	lookLedger = 10 * time.Second
)

// examineSubnets compares where this node's registration says it lives with the addresses of
// this machine. There is nothing to say where there is no ledger, or no node yet.
func examineSubnets(ctx context.Context, cfg node.Config) []finding {
	dir, err := cfg.Dir()
	if err != nil || cfg.Ledger.Genesis == "" {
		return nil
	}
	if _, err := os.Stat(filepath.Join(dir, "node.key")); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	entry, registered, err := ownEntry(ctx, cfg)
	if err != nil {
		return []finding{{checkSubnets, "note", "what this node declares cannot be read: " + err.Error(), "doctor again while this node runs, or with a peer in p2p.bootstrap that answers"}}
	}
	addrs, err := publicAddrs(net.InterfaceAddrs)
	if err != nil {
		return []finding{{checkSubnets, "note", "the addresses of this machine cannot be read: " + err.Error(), "run doctor as the user that hosts"}}
	}
	return []finding{compareSubnets(registered, entry.Subnets, addrs)}
}

// ownEntry is this node's entry in the registry.
func ownEntry(ctx context.Context, cfg node.Config) (entry state.Node, ok bool, err error) {
	k, err := ownNodeKey(cfg, false)
	if err != nil {
		return entry, false, err
	}
	ctx, cancel := context.WithTimeout(ctx, lookLedger)
	defer cancel()
	d, err := node.DialLedger(ctx, cfg, node.Asked{})
	if err != nil {
		return entry, false, err
	}
	v := &view{d, cfg, cancel}
	defer v.close()
	if err := d.Wait(ctx, 2); err != nil {
		return entry, false, err
	}
	return read(ctx, v, state.NodeKey(k.id()), state.DecodeNode)
}

// publicAddrs are those of this machine's own addresses that are routed globally, and lie in no
// subnet of an earlier one: IPv6 has many of one neighbourhood.
func publicAddrs(list func() ([]net.Addr, error)) (out []netip.Addr, err error) {
	all, err := list()
	if err != nil {
		return nil, err
	}
	var seen []subnet.Subnet
	for _, a := range all {
		p, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue // no address of the internet
		}
		if s, ok := subnet.Of(p.Addr()); ok && !slices.Contains(seen, s) {
			seen, out = append(seen, s), append(out, p.Addr())
		}
	}
	return out, nil
}

// compareSubnets says whether a node is where it declared to live, as far as the machine knows:
// behind a router it does not see its public address, which only peers do.
func compareSubnets(registered bool, declared []subnet.Subnet, addrs []netip.Addr) finding {
	var outside []netip.Addr
	var homes []subnet.Subnet
	for _, a := range addrs {
		if s, _ := subnet.Of(a); !slices.Contains(declared, s) {
			outside, homes = append(outside, a), append(homes, s)
		}
	}
	homes = append(homes, declared...)
	var flags strings.Builder
	for _, s := range homes[:min(len(homes), subnet.Max)] {
		fmt.Fprintf(&flags, " --subnet %s", s)
	}
	switch {
	case !registered:
		return finding{checkSubnets, "note", "this node is not registered, so it declares none", "`framemesh register` when it shall earn"}
	case len(declared) == 0 && len(addrs) == 0:
		return finding{checkSubnets, "ok", "it declares none, and this machine has no public address of its own", ""}
	case len(declared) == 0:
		return finding{checkSubnets, "note", fmt.Sprintf("it declares none and has %s, so those who declared where they live take it for a stranger", addrText(addrs)),
			"`framemesh register" + flags.String() + "`; or `framemesh delegate`, and the running node does so itself"}
	case len(outside) > 0:
		return finding{checkSubnets, "note", fmt.Sprintf("it declares %s and also has %s: what it answers from there counts as missing", subnetText(declared), addrText(outside)),
			"`framemesh register" + flags.String() + "` when peers reach it there; leave out where it lives no more"}
	case len(addrs) == 0:
		return finding{checkSubnets, "note", fmt.Sprintf("it declares %s; this machine is behind a router and does not see its public address", subnetText(declared)),
			"the log of the running node: it warns when peers see it elsewhere"}
	}
	return finding{checkSubnets, "ok", fmt.Sprintf("it declares %s and has %s", subnetText(declared), addrText(addrs)), ""}
}

// addrText writes addresses with blanks between them.
func addrText(addrs []netip.Addr) string {
	var out []string
	for _, a := range addrs {
		out = append(out, a.String())
	}
	return strings.Join(out, " ")
}
