package discovery

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

const (
	enoughPeers  = 4                // connections at which nobody is dialled for the sake of it
	dialSample   = 8                // remembered peers tried in one round
	dialTimeout  = 10 * time.Second // for one peer
	checkEvery   = 30 * time.Second // while there are enough
	retryDialMax = 30 * time.Second // while there are not
	saveEvery    = 2 * time.Minute
	goodAge      = 30 * time.Second // how long a connection must have lasted to be worth remembering
	readyPoll    = 25 * time.Millisecond
)

// keepConnected dials while the node knows too few, and remembers whom it knows.
func (d *Discovery) keepConnected() {
	saved := time.Now()
	for failures := 0; ; {
		wait := checkEvery
		if d.needsPeers() {
			if d.dialRound() {
				// the new peers know others: fill the table now, not at the next refresh
				d.cfg.DHT.RefreshRoutingTable()
			}
			if d.needsPeers() {
				failures++
				wait = min(retryAfter(failures), retryDialMax)
			} else {
				failures = 0
			}
		}
		if time.Since(saved) >= saveEvery {
			saved = time.Now()
			if err := d.Save(saved, goodAge); err != nil {
				d.log.Warn("peers cannot be remembered", "err", err)
			}
		}
		if !sleep(d.ctx, jittered(wait, rand.Float64())) {
			return
		}
	}
}

// needsPeers says whether the node should dial: it knows nobody in the DHT, or has
// few connections although it knows addresses of peers it is not connected to.
func (d *Discovery) needsPeers() bool {
	if d.cfg.DHT.RoutingTable().Size() == 0 {
		return len(d.targets(false)) > 0
	}
	return len(d.cfg.Host.Network().Peers()) < enoughPeers && len(d.targets(true)) > 0
}

// targets lists bootstrap and remembered peers, without this node and, if asked,
// without those connected already. Bootstrap peers come first.
func (d *Discovery) targets(unconnected bool) []peer.AddrInfo {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []peer.AddrInfo
	seen := map[peer.ID]bool{d.self: true}
	add := func(p peer.AddrInfo) {
		if seen[p.ID] || (unconnected && d.cfg.Host.Network().Connectedness(p.ID) == network.Connected) {
			return
		}
		seen[p.ID] = true
		out = append(out, p)
	}
	for _, p := range d.cfg.Bootstrap {
		add(p)
	}
	for _, r := range d.remembered {
		add(r.Peer)
	}
	return out
}

// dialRound dials the bootstrap peers and a random few of the remembered ones, and
// says whether any answered.
func (d *Discovery) dialRound() bool {
	targets := d.targets(true)
	first := min(len(targets), len(d.cfg.Bootstrap))
	rest := targets[first:]
	rand.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
	targets = targets[:min(len(targets), first+dialSample)]
	var wg sync.WaitGroup
	answered := make([]bool, len(targets))
	for i, p := range targets {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(d.ctx, dialTimeout)
			defer cancel()
			err := d.cfg.Host.Connect(ctx, p)
			answered[i] = err == nil
			if err != nil {
				d.log.Debug("peer does not answer", "peer", p.ID, "err", err)
			}
		})
	}
	wg.Wait()
	return slices.Contains(answered, true)
}

// Ready returns when the node knows at least one peer of the DHT, or with ctx's
// error. The first node of a network waits for the second.
func (d *Discovery) Ready(ctx context.Context) error {
	for d.cfg.DHT.RoutingTable().Size() == 0 {
		if !sleep(ctx, readyPoll) {
			return fmt.Errorf("discovery: no peer of network %q answers; check p2p.bootstrap: %w", d.cfg.Network, ctx.Err())
		}
	}
	return nil
}

// Save remembers the peers of this network that have been connected for at least
// minAge, and writes the file if there is one.
func (d *Discovery) Save(now time.Time, minAge time.Duration) error {
	var good []Remembered
	h := d.cfg.Host
	for _, id := range h.Network().Peers() {
		if !d.ofThisNetwork(id) {
			continue
		}
		var addrs []ma.Multiaddr
		old := false
		for _, c := range h.Network().ConnsToPeer(id) {
			st := c.Stat()
			old = old || now.Sub(st.Opened) >= minAge
			if st.Direction == network.DirOutbound && !st.Limited {
				addrs = append(addrs, c.RemoteMultiaddr()) // it was dialled there, so it can be again
			}
		}
		if !old {
			continue
		}
		for _, a := range h.Peerstore().Addrs(id) {
			if _, err := a.ValueForProtocol(ma.P_CIRCUIT); err != nil && !ma.Contains(addrs, a) {
				addrs = append(addrs, a)
			}
		}
		addrs = slices.DeleteFunc(addrs, func(a ma.Multiaddr) bool { return len(a.Bytes()) > maxAddr })
		good = append(good, Remembered{Peer: peer.AddrInfo{ID: id, Addrs: addrs}, SeenMs: now.UnixMilli()})
	}
	d.mu.Lock()
	d.remembered = MergePeers(d.remembered, good)
	list := d.remembered
	d.mu.Unlock()
	if d.cfg.PeersFile == "" || len(list) == 0 {
		return nil
	}
	return writePeers(d.cfg.PeersFile, list)
}

// ofThisNetwork says whether a peer speaks a protocol of this network. Anybody can
// claim that; it only keeps strangers that passed by out of the file.
func (d *Discovery) ofThisNetwork(id peer.ID) bool {
	protocols, err := d.cfg.Host.Peerstore().GetProtocols(id)
	if err != nil {
		return false
	}
	prefix := string(Prefix(d.cfg.Network)) + "/"
	for _, p := range protocols {
		if strings.HasPrefix(string(p), prefix) {
			return true
		}
	}
	return false
}
