package gossip

import (
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/time/rate"
)

// What one neighbour may bring of signers that this node does not follow yet, on a topic
// where anybody may speak: keys cost nothing, and without a bound one peer could make all
// others pass its messages on, and fill everybody's table. Honest neighbours bring the same
// few signers again and again.
const (
	newcomersBurst = 64          // at once
	newcomersEvery = time.Second // in the long run
	maxNeighbours  = 1024        // remembered
)

// newcomers counts, for one topic, the unknown signers that each neighbour brings.
type newcomers struct {
	of *lru.Cache[peer.ID, *rate.Limiter]
}

func newNewcomers() *newcomers {
	c, err := lru.New[peer.ID, *rate.Limiter](maxNeighbours)
	if err != nil {
		panic(err) // only a size of zero fails
	}
	return &newcomers{c}
}

// allow takes one newcomer from a neighbour's budget.
func (n *newcomers) allow(neighbour peer.ID, now time.Time) bool {
	l, ok := n.of.Get(neighbour)
	if !ok {
		l = rate.NewLimiter(rate.Every(newcomersEvery), newcomersBurst)
		if old, had, _ := n.of.PeekOrAdd(neighbour, l); had {
			l = old
		}
	}
	return l.AllowN(now, 1)
}

// judgeFrom is the topic's judgement of a message that a neighbour brought.
func (t *Topic) judgeFrom(neighbour peer.ID, data []byte, now time.Time) (Statement, Reason) {
	if t.election != nil {
		return t.election.judge(data, now, false)
	}
	if t.newcomers == nil || neighbour == t.g.cfg.Host.ID() {
		return t.spec.judge(data, now, t.table, false)
	}
	spec, crowd := t.spec, false
	spec.Registered = func(signer peer.ID) bool {
		if t.spec.Registered != nil && !t.spec.Registered(signer) {
			return false
		}
		crowd = !t.table.follows(signer) && !t.newcomers.allow(neighbour, now)
		return !crowd
	}
	st, reason := spec.judge(data, now, t.table, false)
	if crowd {
		reason = Crowd
	}
	return st, reason
}
