package chain

import (
	"maps"
	"slices"
	"time"
)

// onBlock is called by the consensus line after each commit and must not wait.
func (n *Chain) onBlock(h Head) {
	for {
		select {
		case n.heads <- h:
			return
		default:
		}
		select {
		case <-n.heads: // overtaken
		default:
		}
	}
}

// follow tells everybody who follows, and looks at the clock, until Stop.
func (n *Chain) follow() {
	for {
		select {
		case <-n.done:
			return
		case h := <-n.heads:
			now := n.c.Now()
			h.CatchingUp = n.node.ConsensusReactor().WaitSync()
			if !h.CatchingUp {
				n.watchClock(h, now)
			}
			h.Warning = n.warn()
			n.metrics.pool.Set(float64(n.node.Mempool().Size()))
			for _, fn := range n.following() {
				fn(h)
			}
		}
	}
}

// following are the followers in the order in which they came.
func (n *Chain) following() []func(Head) {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make([]func(Head), 0, len(n.followers))
	for _, id := range slices.Sorted(maps.Keys(n.followers)) {
		out = append(out, n.followers[id])
	}
	return out
}

// Follow calls fn after commits with the newest head; heads that come while fn runs are
// told once, by the last of them. cancel ends it; a call that has begun still ends.
func (n *Chain) Follow(fn func(Head)) (cancel func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	id := n.next
	n.next++
	n.followers[id] = fn
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.followers, id)
	}
}

// watchClock compares this machine's clock with the votes for the newest block.
func (n *Chain) watchClock(h Head, now time.Time) {
	commit := n.blocks.LoadSeenCommit(int64(h.Height))
	if commit == nil {
		return
	}
	offset, ok := clockOffset(commit, n.self, now)
	if !ok {
		return
	}
	n.metrics.clock.Set(offset.Seconds())
	advice := n.doubt.confirmed(clockAdvice(offset))
	if old := n.warning.Swap(&advice); advice != "" && (old == nil || *old == "") {
		n.log.Warn(advice)
	}
}

func (n *Chain) warn() string {
	if err := n.Err(); err != nil {
		return err.Error()
	}
	if w := n.warning.Load(); w != nil {
		return *w
	}
	return ""
}

// Head is where the chain stands now.
func (n *Chain) Head() Head {
	var h Head
	if last := n.app.last.Load(); last != nil {
		h = last.head
	}
	h.CatchingUp = n.node.ConsensusReactor().WaitSync()
	h.Warning = n.warn()
	return h
}
