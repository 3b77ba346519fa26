package node

import (
	"context"
	"time"

	"github.com/framemesh/framemesh/actors/cheat"
)

const (
	vanishLook  = 250 * time.Millisecond
	vanishAfter = 5 * time.Second // of paid play
)

// startVanishing lets a container that was told to go in the middle of a paid session: as a
// pulled power cord would, nobody hears of it. nil for all others.
func (n *Node) startVanishing(ctx context.Context) func(context.Context) error {
	if n.o.Cheat == nil || n.o.Cheat.Name != cheat.Vanish {
		return nil
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(vanishLook)
		defer tick.Stop()
		var since time.Time
		for {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			switch now := time.Now(); {
			case !n.paidFor(ctx):
				since = time.Time{}
			case since.IsZero():
				since = now
			case now.Sub(since) >= vanishAfter:
				n.engine.Abandon()
				if c := n.rendering(); c != nil {
					c.Crash()
				}
				_ = n.p2p.Host().Close() // what is left of this node speaks to nobody
				return
			}
		}
	}()
	return func(ctx context.Context) error {
		cancel()
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// paidFor says whether a session runs here that a player has locked money for.
func (n *Node) paidFor(ctx context.Context) bool {
	c := n.rendering()
	if c == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	all, err := c.Sessions(ctx)
	if err != nil {
		return false
	}
	for _, s := range all {
		if s.Escrow > 0 {
			return true
		}
	}
	return false
}
