// Package prover is the actor that proves a container's capacity: in the window that opens
// every epoch for all containers of the network it renders from the moment that it knows
// the task, commits to what it rendered, and shows its checkers the tiles that they pick.
// It carries out what package prove decides.
//
// It gives way to players: a container with a session answers that it is busy and renders
// nothing, and one whose session begins in the middle of a round stops at once.
package prover

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/framemesh/framemesh/actors/container/prove"
	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/gpu/kernel"
	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/p2p/check"
	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
)

// Errors of this package.
var (
	// ErrOptions says which option of a prover is missing.
	ErrOptions = errors.New("prover: options")
	// ErrNoDuty: the container is not among those that an epoch proves, for example because
	// it was registered too late for it.
	ErrNoDuty = errors.New("prover: this container has no part in the epoch")
)

// Duty is a container's part in the round of an epoch.
type Duty struct {
	Task     [32]byte
	Times    judge.Times
	Checkers []key.Node // committee and reserve
	Picks    int        // tiles that each may ask for
}

// Book is what the ledger says of rounds.
type Book interface {
	Chain() string
	// EpochAt is the epoch at a unix time in ms, EpochStart when an epoch begins.
	EpochAt(ms uint64) uint64
	EpochStart(epoch uint64) uint64
	// NextBlock is closed when there is a newer block than now; it is looked out for.
	NextBlock() <-chan struct{}
	// Duty is a container's part in an epoch. It returns ErrNoDuty for a container that has
	// none; other errors pass with time.
	Duty(ctx context.Context, epoch uint64, container key.Node) (Duty, error)
}

// Courier brings commitments to checkers; *check.Client is the real one.
type Courier interface {
	Commit(ctx context.Context, to peer.ID, statement []byte) (commit [32]byte, arrivalMS uint32, err error)
}

// Session is a session that makes the container busy.
type Session struct {
	ID      [16]byte      // as on the ledger
	Segment *proof.Signed // its newest segment commitment, or nil
}

// Options of a Prover. Those marked with * are needed.
type Options struct {
	System  *supervise.System  // *
	Key     ed25519.PrivateKey // * the node's
	Book    Book               // *
	Courier Courier            // *
	Kernel  proof.Kernel       // *
	// Backend * renders; it passed kernel.Check. The prover closes it when it stops.
	Backend kernel.Backend
	// Rate is how many samples the backend renders in a second, as measured; 0 = unknown,
	// and the first round measures it.
	Rate uint64
	// Busy is how many sessions run, and which of them to name. It is asked a few times a
	// second around a round. nil = none ever runs.
	Busy func(ctx context.Context) (name Session, sessions int)
	// Elsewhere says whether a checker is met outside of where it declared to live: nothing is
	// opened for it. It must not block; nil = none is.
	Elsewhere func(checker peer.ID) bool
	// Renderer stands between the rounds and the backend, for tests and demonstrations of
	// containers that cheat; nil changes nothing.
	Renderer func(honest prove.Renderer) prove.Renderer
	// Path * of the file that keeps what was committed over a restart.
	Path       string
	Server     *rpc.Server // answers openings and pings; nil answers none
	Now        func() time.Time
	Log        *slog.Logger
	Registerer prometheus.Registerer
}

// Prover is a running prover. Its methods may be called from any goroutine.
type Prover struct {
	o       Options
	self    key.Node
	metrics *metrics
	ref     supervise.Ref
	device  chan struct{} // holds whoever uses the backend
	render  prove.Renderer
}

var _ check.Container = (*Prover)(nil)

// New checks the options; Start brings the prover to life.
func New(o Options) (*Prover, error) {
	switch {
	case o.System == nil || o.Book == nil || o.Courier == nil || o.Kernel == nil || o.Backend == nil || o.Path == "":
		return nil, fmt.Errorf("%w: System, Book, Courier, Kernel, Backend and Path are needed", ErrOptions)
	case len(o.Key) != ed25519.PrivateKeySize:
		return nil, fmt.Errorf("%w: Key is no Ed25519 key", ErrOptions)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Busy == nil {
		o.Busy = func(context.Context) (Session, int) { return Session{}, 0 }
	}
	p := &Prover{o: o, self: key.Node(o.Key[ed25519.SeedSize:]), metrics: newMetrics(), device: make(chan struct{}, 1)}
	p.render = p
	if o.Renderer != nil {
		p.render = o.Renderer(p)
	}
	if o.Registerer != nil {
		if err := o.Registerer.Register(p.metrics); err != nil {
			return nil, fmt.Errorf("prover: register metrics: %w", err)
		}
	}
	return p, nil
}

// Start spawns the actor and begins to answer. ctx is not kept.
func (p *Prover) Start(context.Context) error {
	ref, err := p.o.System.Spawn("prover", func() supervise.Behavior { return newState(p) }, supervise.Mailbox(256))
	if err != nil {
		return fmt.Errorf("prover: start: %w", err)
	}
	p.ref = ref
	if p.o.Server != nil {
		check.ServeContainer(p.o.Server, p)
	}
	return nil
}

// Stop ends the actor and closes the backend. A round that is under way is lost, which
// costs its reward. It returns ctx's error when the actor does not end in time.
func (p *Prover) Stop(ctx context.Context) error {
	p.ref.Stop()
	if p.o.Registerer != nil {
		p.o.Registerer.Unregister(p.metrics)
	}
	select {
	case <-p.ref.Done():
		return p.o.Backend.Close()
	case <-ctx.Done():
		return fmt.Errorf("prover: stop: %w", ctx.Err())
	}
}

// Open implements check.Container.
func (p *Prover) Open(ctx context.Context, from peer.ID, epoch uint64, commit [32]byte, picks []uint32) ([]byte, error) {
	asker, err := key.NodeOf(from)
	if err != nil {
		return nil, rpc.Errorf(wire.Code_UNAUTHORISED, "only checkers of this container may ask")
	}
	if p.o.Elsewhere != nil && p.o.Elsewhere(from) {
		return nil, rpc.Errorf(wire.Code_UNAUTHORISED, "you ask from outside of the subnets that you declared; `framemesh register --subnet` tells the ledger where you live now")
	}
	q := question{epoch: epoch, from: asker, commit: commit}
	for i := 0; i+1 < len(picks); i += 2 {
		q.picks = append(q.picks, proof.Pick{Frame: picks[i], Tile: picks[i+1]})
	}
	st, err := supervise.Ask[[]byte](ctx, p.ref, q)
	if err != nil {
		return nil, refusal(err)
	}
	return st, nil
}

// Ping implements check.Container.
func (p *Prover) Ping(ctx context.Context, from peer.ID, epoch uint64, nonce []byte) ([]byte, error) {
	asker, err := key.NodeOf(from)
	if err != nil {
		return nil, rpc.Errorf(wire.Code_UNAUTHORISED, "only checkers of this container may ask")
	}
	st, err := supervise.Ask[[]byte](ctx, p.ref, ping{epoch, asker, append([]byte(nil), nonce...)})
	if err != nil {
		return nil, refusal(err)
	}
	return st, nil
}

// refusal chooses what a checker hears of an error.
func refusal(err error) error {
	switch {
	case errors.Is(err, prove.ErrAsker):
		return rpc.Errorf(wire.Code_UNAUTHORISED, "you are not drawn for this container in this epoch; compare the assignment")
	case errors.Is(err, prove.ErrNoCommit), errors.Is(err, errEpoch):
		return rpc.Errorf(wire.Code_EXPIRED, "there is no commitment of that epoch to open; compare the clocks")
	case errors.Is(err, prove.ErrQuestion), errors.Is(err, prove.ErrAsked):
		return rpc.Errorf(wire.Code_INVALID, "that cannot be asked of this commitment; ask for the tiles that your nonce picks, once")
	case errors.Is(err, supervise.ErrBusy):
		return &rpc.Error{Code: wire.Code_BUSY, Message: "too many questions at once; ask again", RetryAfter: 100 * time.Millisecond}
	case errors.Is(err, supervise.ErrStopped):
		return &rpc.Error{Code: wire.Code_BUSY, Message: "this machine is being stopped; ask again once it is back", RetryAfter: time.Second}
	}
	return err
}
