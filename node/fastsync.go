package node

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/framemesh/framemesh/ledger/chain"
	"github.com/framemesh/framemesh/ledger/light"
)

const (
	// snapshotLook is how long a node looks for snapshots before it takes the newest. Peers
	// tell of theirs as soon as they are connected.
	snapshotLook = 5 * time.Second
	// snapshotComplain is how often a node that finds none says so.
	snapshotComplain = 20 * time.Second
)

// fastSync verifies the headers by which a chain starts from a snapshot, until the chain
// makes blocks of its own from it. A chain that has begun before needs none of it.
type fastSync struct {
	client *light.Client
	n      *Node

	begun chan struct{} // closed at the chain's first block since the start
	stop  context.CancelFunc
	done  chan struct{}
}

// startFastSync begins to verify headers.
func (n *Node) startFastSync(ctx context.Context, lc light.Config) (*fastSync, error) {
	c, err := light.New(lc)
	if err != nil {
		return nil, err
	}
	if err := c.Start(ctx); err != nil {
		return nil, err
	}
	return &fastSync{client: c, n: n, begun: make(chan struct{}), done: make(chan struct{})}, nil
}

// headers are what the chain starts by: with turns, without which a validator would wait
// for the wrong proposers.
func (f *fastSync) headers() chain.Headers { return light.NewTurns(f.client) }

// watch ends the light client once the chain goes on by itself, and says why it does not.
func (f *fastSync) watch(ctx context.Context, c *chain.Chain) {
	ctx, f.stop = context.WithCancel(context.WithoutCancel(ctx))
	cancel := c.Follow(func() func(chain.Head) {
		once := sync.OnceFunc(func() { close(f.begun) })
		return func(chain.Head) { once() }
	}())
	go func() {
		defer close(f.done)
		defer cancel()
		tick := time.NewTicker(snapshotComplain)
		defer tick.Stop()
		for {
			select {
			case <-f.begun:
				stop, cancel := context.WithTimeout(ctx, stopTimeout)
				if err := f.client.Stop(stop); err != nil {
					f.n.log.Warn("the light client of the start lingers", "err", err)
				}
				cancel()
				return
			case <-ctx.Done():
				return
			case <-tick.C:
				f.complain(c)
			}
		}
	}()
}

// complain says what a start from a snapshot waits for.
func (f *fastSync) complain(c *chain.Chain) {
	h, st := c.Head(), f.client.Status()
	switch {
	case h.Height > 0:
		f.n.log.Info("the ledger has a state and waits for the next block", "height", h.Height)
	case st.Height == 0:
		f.n.log.Warn("fast_sync waits for a header that peers can prove; check p2p.bootstrap, or set ledger.trust_height and trust_hash", "err", st.Err)
	default:
		f.n.log.Warn("fast_sync finds no snapshot at the peers; let one of ledger.peers make some (ledger.snapshots), or set fast_sync = false to replay every block", "newest_header", st.Height)
	}
}

// end stops whatever still runs.
func (f *fastSync) end(ctx context.Context) error {
	if f.stop != nil {
		f.stop()
		select {
		case <-f.done:
		case <-ctx.Done():
		}
	}
	return f.client.Stop(ctx)
}

// endWith ends f after stop.
func (f *fastSync) endWith(stop func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error { return errors.Join(stop(ctx), f.end(ctx)) }
}
