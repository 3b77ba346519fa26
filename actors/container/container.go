// Package container is the actor that offers a machine to the mesh: it advertises
// what the machine can run and how much of it is free, leases slots to players who
// come with a match certificate, keeps those in order who must wait, and answers the
// signalling of its sessions.
//
// It owns leases, queue and ads. What happens inside a session is the session's
// business; media never passes here.
package container

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/framemesh/framemesh/actors/container/segments"
	"github.com/framemesh/framemesh/actors/gpu"
	"github.com/framemesh/framemesh/actors/indexer/match"
	"github.com/framemesh/framemesh/actors/session"
	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/gpu/worker"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/p2p/blob"
	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
	"github.com/framemesh/framemesh/stream"
)

// ErrOptions says which option of a container is missing or wrong.
var ErrOptions = errors.New("container: options")

// App is an app that this container can run.
type App struct {
	gpu.App
	Title string // for people
}

// Apps is the store of installed apps. Its methods are called from several
// goroutines.
type Apps interface {
	blob.Source
	// List returns what is installed.
	List() []App
	// Get returns one installed app.
	Get(sha [32]byte) (App, bool)
}

// Device lends slots; OnDevice makes one of a *gpu.Device.
type Device interface {
	Slots() int
	Ready(app [32]byte) bool
	Info(app [32]byte) (worker.Info, bool)
	// Acquire lends a slot. fresh leaves a worker that waits to somebody else, because
	// that one has asked for its player's save already.
	Acquire(app gpu.App, fresh bool) (session.Slot, error)
}

// OnDevice is a gpu.Device as a container uses it.
func OnDevice(d *gpu.Device) Device { return device{d} }

type device struct{ *gpu.Device }

func (d device) Acquire(app gpu.App, fresh bool) (session.Slot, error) {
	slot, err := d.Device.Acquire(app, fresh)
	if err != nil {
		return nil, err
	}
	return slot, nil
}

// Options of a container. Those marked with * are needed.
type Options struct {
	System  *supervise.System // *
	Key     crypto.PrivKey    // * Ed25519, the node's
	Network string            // *
	Region  string            // *
	Apps    Apps              // *
	Device  Device            // *
	// Stream * makes WebRTC sessions; OnEngine makes one of a *stream.Engine.
	Stream func(id string, h stream.Handler, info stream.SessionInfo) (session.Stream, error)
	// Publish * gossips a sealed ad in a region.
	Publish func(ctx context.Context, region string, sealed []byte) error

	// Server answers the RPCs reserve, signal, ad and app; nil answers none.
	Server *rpc.Server
	// Fetch installs an app that Apps lacks; nil runs only what is installed.
	Fetch func(ctx context.Context, sha [32]byte) error
	// Addrs lists the binary multiaddrs of this peer.
	Addrs      func() [][]byte
	Score      uint32 // RenderPoints × 1000
	Encoders   []string
	Price      uint64 // µUSD per hour
	Coordinate []int32
	// Pay is the ledger that sessions are paid on; nil makes every session free, as does a
	// price of 0.
	Pay Pay
	// PayDir keeps the newest voucher of each session until it is settled, so that a crash
	// costs at most two seconds of play; "" keeps them in memory only.
	PayDir string
	// Segments keeps the proof of every session; nil proves nothing.
	Segments *segments.Store
	// Audits says why a checker may not audit a session of this container in an epoch,
	// or nil when it is drawn for that. It is asked on goroutines of its own. Nobody is
	// answered without it.
	Audits func(ctx context.Context, checker key.Node, epoch uint64, session [16]byte) error
	// SaveDir keeps what apps save for players who have a key; "" keeps nothing.
	SaveDir string
	// Session has the durations of sessions; what it leaves zero has their defaults.
	Session session.Options
	// Stake is what the ledger knows this container to have at stake, in base units, from
	// memory; nil = nothing.
	Stake func() uint64
	// Draws judges who was drawn for a match, and with which randomness; the network's
	// genesis beacon when nil.
	Draws match.Lottery
	// Verify checks a certificate; match.Verify when nil.
	Verify func(sealed []byte, network string) (*wire.Certificate, error)
	// Accuse is given each sealed certificate that does not verify; it must not block. nil =
	// nobody is.
	Accuse     func(sealed []byte)
	Log        *slog.Logger
	Registerer prometheus.Registerer
}

// OnEngine makes the sessions of an engine.
func OnEngine(e *stream.Engine) func(string, stream.Handler, stream.SessionInfo) (session.Stream, error) {
	return func(id string, h stream.Handler, info stream.SessionInfo) (session.Stream, error) {
		s, err := e.NewSession(id, h, info)
		if err != nil {
			return nil, err
		}
		return s, nil
	}
}

// Container offers this machine. Its methods may be called from any goroutine.
type Container struct {
	o       Options
	self    peer.ID
	metrics *metrics
	saves   *saves // nil without a directory
	dues    *dues
	ref     supervise.Ref
	abrupt  atomic.Bool
}

// New checks the options; Start brings the container to life.
func New(o Options) (*Container, error) {
	switch {
	case o.System == nil || o.Key == nil || o.Apps == nil || o.Device == nil || o.Stream == nil || o.Publish == nil:
		return nil, fmt.Errorf("%w: System, Key, Apps, Device, Stream and Publish are needed", ErrOptions)
	case o.Network == "" || o.Region == "":
		return nil, fmt.Errorf("%w: Network and Region are needed", ErrOptions)
	case o.Device.Slots() < 1:
		return nil, fmt.Errorf("%w: a device without slots", ErrOptions)
	}
	self, err := peer.IDFromPrivateKey(o.Key)
	if err != nil {
		return nil, fmt.Errorf("%w: Key: %w", ErrOptions, err)
	}
	if o.Verify == nil {
		o.Verify = match.Verify
	}
	if o.Draws == nil {
		o.Draws = match.GenesisOf(o.Network)
	}
	if o.Stake == nil {
		o.Stake = func() uint64 { return 0 }
	}
	if o.Addrs == nil {
		o.Addrs = func() [][]byte { return nil }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	c := &Container{o: o, self: self, metrics: newMetrics()}
	if o.SaveDir != "" {
		if c.saves, err = openSaves(o.SaveDir, saveTotal, o.Log); err != nil {
			return nil, err
		}
	}
	if c.dues, err = openDues(o.PayDir, o.Log); err != nil {
		return nil, err
	}
	if o.Registerer != nil {
		if err := o.Registerer.Register(c.metrics); err != nil {
			return nil, fmt.Errorf("container: register metrics: %w", err)
		}
	}
	return c, nil
}

// Start spawns the actor, which advertises at once, and begins to answer.
func (c *Container) Start(context.Context) error {
	ref, err := c.o.System.Spawn("container", func() supervise.Behavior { return newState(c) },
		supervise.Mailbox(1024))
	if err != nil {
		return fmt.Errorf("container: start: %w", err)
	}
	c.ref = ref
	if c.o.Server != nil {
		c.serve(c.o.Server)
	}
	return nil
}

// Stop tells the sessions' pages goodbye, advertises that nothing is free any more,
// and waits until every session is gone, or for ctx.
func (c *Container) Stop(ctx context.Context) error {
	if err := c.ref.Tell(shutdown{}); err != nil && !errors.Is(err, supervise.ErrStopped) {
		c.ref.Stop()
	}
	return c.await(ctx)
}

// Crash ends the container as a power cut would: workers are killed, nobody is told
// anything, no connection is closed. It is for tests and demonstrations of what the
// others do then; the caller drops the node's sockets.
func (c *Container) Crash() {
	c.abrupt.Store(true)
	if c.o.Segments != nil {
		c.o.Segments.Abandon()
	}
	c.ref.Stop()
	<-c.ref.Done()
	if c.o.Registerer != nil {
		c.o.Registerer.Unregister(c.metrics)
	}
}

func (c *Container) await(ctx context.Context) error {
	select {
	case <-c.ref.Done():
		if c.o.Registerer != nil {
			c.o.Registerer.Unregister(c.metrics)
		}
	case <-ctx.Done():
		return fmt.Errorf("container: sessions are still closing: %w", ctx.Err())
	}
	c.settleRest(ctx)
	select {
	case <-c.dues.written():
	case <-ctx.Done():
		return fmt.Errorf("container: vouchers are still being written: %w", ctx.Err())
	}
	if c.saves == nil {
		return nil
	}
	select {
	case <-c.saves.settled():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("container: saves are still being written: %w", ctx.Err())
	}
}

// Sessions lists the sessions, the oldest first.
func (c *Container) Sessions(ctx context.Context) ([]session.Summary, error) {
	return supervise.Ask[[]session.Summary](ctx, c.ref, getSessions{})
}

// Stats are the container's figures of this moment.
type Stats struct {
	Slots, Free, Held, Waiting int
	QualityPPM                 uint32
}

// Stats returns the container's figures.
func (c *Container) Stats(ctx context.Context) (Stats, error) {
	return supervise.Ask[Stats](ctx, c.ref, getStats{})
}

// Changed says that Apps, Device or Price answer differently, so that a new ad goes
// out within a second.
func (c *Container) Changed() { _ = c.ref.Tell(changed{}) }

// Announce says that others can believe an ad from now on, as when the ledger has come in
// reach, which lists who may advertise: the ad is repeated as after a start.
func (c *Container) Announce() { _ = c.ref.Tell(announce{}) }

// Ad returns the current sealed ad.
func (c *Container) Ad(ctx context.Context) ([]byte, error) {
	return supervise.Ask[[]byte](ctx, c.ref, getAd{})
}

// askTimeout bounds a question to an actor of this container, beside what the caller
// waits for.
const askTimeout = 2 * time.Second
