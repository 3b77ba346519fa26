package node

import (
	"math"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// Points of conduct. Gossip graylists a peer at −160 (see docs/spec/gossip.md), so
// some twenty malformed requests silence a peer there too.
const (
	conductHalfLife = 10 * time.Minute
	conductOut      = -200 // from here the peer is disconnected
	conductBack     = -150 // from here, some four minutes later, it is let in again
	conductMax      = 4096 // peers remembered
)

var conductCost = map[string]float64{"malformed": 10, "oversize": 10, "truncated": 5, "slow": 3, "flood": 5, "ledger": 40}

// conduct remembers how peers behaved in stream RPCs: a score that only falls by
// misbehaviour and halves towards zero every ten minutes.
type conduct struct {
	now   func() time.Time
	out   func(peer.ID) // called when a peer has gone too far; must not block
	mu    sync.Mutex
	peers map[peer.ID]*conductOf
}

type conductOf struct {
	score float64
	at    time.Time
	out   bool // it went below conductOut and is not yet above conductBack
}

func newConduct(now func() time.Time, out func(peer.ID)) *conduct {
	return &conduct{now: now, out: out, peers: map[peer.ID]*conductOf{}}
}

func (p *conductOf) decayed(now time.Time) float64 {
	return p.score * math.Exp2(-float64(now.Sub(p.at))/float64(conductHalfLife))
}

// misbehaved takes points from a peer.
func (c *conduct) misbehaved(id peer.ID, why string) {
	cost := conductCost[why]
	if cost == 0 {
		cost = 1
	}
	now := c.now()
	c.mu.Lock()
	p := c.peers[id]
	if p == nil {
		if len(c.peers) >= conductMax {
			c.forgetBest(now)
		}
		p = &conductOf{}
		c.peers[id] = p
	}
	p.score, p.at = p.decayed(now)-cost, now
	gone := p.score <= conductOut
	p.out = p.out || gone
	c.mu.Unlock()
	if gone {
		c.out(id)
	}
}

// forgetBest makes room by dropping the peer with the least against it.
func (c *conduct) forgetBest(now time.Time) {
	var best peer.ID
	top := math.Inf(-1)
	for id, p := range c.peers {
		if s := p.decayed(now); s > top {
			best, top = id, s
		}
	}
	delete(c.peers, best)
}

// score is what gossip adds to its own score of a peer; 0 for peers without a past.
func (c *conduct) score(id peer.ID) float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.peers[id]; p != nil {
		return p.decayed(c.now())
	}
	return 0
}

// bad says whether a peer has gone too far and is not let in again yet.
func (c *conduct) bad(id peer.ID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.peers[id]
	if p == nil {
		return false
	}
	p.out = p.out && p.decayed(c.now()) <= conductBack
	return p.out
}

// doorkeeper closes the new connections of peers that were put out.
func (c *conduct) doorkeeper() network.Notifiee {
	return &network.NotifyBundle{ConnectedF: func(_ network.Network, conn network.Conn) {
		if c.bad(conn.RemotePeer()) {
			go func() { _ = conn.Close() }() // the swarm waits for its notifiees
		}
	}}
}
