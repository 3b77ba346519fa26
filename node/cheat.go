package node

import (
	"context"
	"crypto/ed25519"
	"sync"

	"github.com/framemesh/framemesh/actors/cheat"
	"github.com/framemesh/framemesh/actors/checker"
	"github.com/framemesh/framemesh/actors/checker/recompute"
	"github.com/framemesh/framemesh/actors/container/prove"
	"github.com/framemesh/framemesh/actors/container/segments"
	"github.com/framemesh/framemesh/actors/indexer"
	"github.com/framemesh/framemesh/gpu/kernel"
	"github.com/framemesh/framemesh/ledger/key"
)

// Cheat makes a node lie about rendering, so that a network can be shown to catch it. Only
// code can make one: there is no configuration for it.
type Cheat struct {
	cheat.Cheat
	// About are the containers that a checker's lies are about; none means all.
	About []key.Node
	// Device is what several names of one machine share; nil for the others.
	Device *SharedDevice
}

// SharedDevice is one device under several names: it renders one frame at a time.
type SharedDevice struct{ mu sync.Mutex }

type sharedBackend struct {
	kernel.Backend
	device *SharedDevice
}

var (
	_ kernel.Backend = sharedBackend{}
	_ kernel.Leafer  = sharedLeafer{}
)

// Render implements kernel.Backend.
func (b sharedBackend) Render(ctx context.Context, size kernel.Size, seed kernel.Seed, out []uint32) error {
	b.device.mu.Lock()
	defer b.device.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	return b.Backend.Render(ctx, size, seed, out)
}

// sharedLeafer is a sharedBackend over one that hands out leaves.
type sharedLeafer struct {
	sharedBackend
	leafer kernel.Leafer
}

// Leaves implements kernel.Leafer.
func (b sharedLeafer) Leaves(ctx context.Context, size kernel.Size, seed kernel.Seed, leaves [][32]byte) error {
	b.device.mu.Lock()
	defer b.device.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	return b.leafer.Leaves(ctx, size, seed, leaves)
}

// on is the backend as this node may use it.
func (c *Cheat) on(b kernel.Backend) kernel.Backend {
	if c == nil || c.Device == nil {
		return b
	}
	shared := sharedBackend{b, c.Device}
	if l, ok := b.(kernel.Leafer); ok {
		return sharedLeafer{shared, l}
	}
	return shared
}

// renderer stands between a container's rounds and its backend; nil for the honest.
func (n *Node) cheatingRenderer() func(prove.Renderer) prove.Renderer {
	c := n.o.Cheat
	if c == nil || c.Who != cheat.Container {
		return nil
	}
	more := func(ctx context.Context, r prove.Render, _, _ int) bool {
		return ctx.Err() == nil && uint64(max(n.o.Now().UnixMilli(), 0)) < r.UntilMS
	}
	return func(honest prove.Renderer) prove.Renderer { return c.Renderer(honest, recompute.New(), more) }
}

// cheatingChecker stands between a checker's rounds and the network; nil for the honest.
func (n *Node) cheatingChecker(k ed25519.PrivateKey) func() checker.Double {
	c := n.o.Cheat
	if c == nil || c.Who != cheat.Checker {
		return nil
	}
	l := n.Ledger()
	return func() checker.Double {
		return cheat.NewLiar(c.Cheat, l.Chain(), k, c.About, int(l.Params().ProofN))
	}
}

// cheatingSessions is how this node's sessions are falsified.
func (n *Node) cheatingSessions() segments.Double {
	c := n.o.Cheat
	if c == nil || c.Who != cheat.Session || c.Name == cheat.Vanish {
		return segments.Honest
	}
	return segments.Double(c.Name)
}

// cheatingIndexer lets an indexer lie about its matches.
func (n *Node) cheatingIndexer(o *indexer.Options) {
	if c := n.o.Cheat; c != nil && c.Who == cheat.Indexer {
		o.Double, o.Figures = c.Match(), c.Figures(o.Figures)
	}
}
