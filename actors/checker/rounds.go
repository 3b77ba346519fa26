package checker

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/prometheus/client_golang/prometheus"

	ledgeractor "github.com/framemesh/framemesh/actors/ledger"
	"github.com/framemesh/framemesh/actors/record"
	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	ledgerstate "github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/p2p/check"
	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
)

// Book is what the ledger says of rounds, and where what they found goes.
type Book interface {
	Chain() string
	// EpochAt is the epoch at a unix time in ms, EpochStart when an epoch begins.
	EpochAt(ms uint64) uint64
	EpochStart(epoch uint64) uint64
	// NextBlock is closed when there is a newer block than now; it is looked out for.
	NextBlock() <-chan struct{}
	// Roll is who checks whom in an epoch. Errors pass with time.
	Roll(ctx context.Context, epoch uint64) (*ledgeractor.Roll, error)
	// Standing is what the rounds so far have shown of a container.
	Standing(ctx context.Context, container key.Node) (judge.Standing, error)
	// Certified says whether a batch's certificate is on the ledger.
	Certified(ctx context.Context, epoch uint64, batch uint32) (bool, error)
	// InSession says whether a container has a session of this name open on the ledger.
	InSession(ctx context.Context, container key.Node, session [16]byte) (bool, error)
	// Session is a session as the ledger has it; ok is false when it is settled or never was.
	Session(ctx context.Context, container key.Node, session [16]byte) (s ledgerstate.Session, ok bool, err error)
	// Send signs an operation for this node's owner and returns when it is in a block. An
	// error that wraps ErrSettled means that nothing is left to do.
	Send(ctx context.Context, body *tx.Body) error
}

// Votes are the topics of the votes; *gossip.Votes is the real one.
type Votes interface {
	Publish(ctx context.Context, data []byte) error
	Subscribe(ctx context.Context, handle func(from peer.ID, body any)) error
}

// Calls are what a checker asks others; *check.Client is the real one.
type Calls interface {
	Open(ctx context.Context, to peer.ID, epoch uint64, commit [32]byte, picks []uint32) (statement []byte, took time.Duration, err error)
	Ping(ctx context.Context, to peer.ID, epoch uint64, nonce []byte) (statement []byte, took time.Duration, err error)
	Recall(ctx context.Context, to peer.ID, epoch uint64, whole bool, batch uint32) ([][]byte, error)
}

var _ Calls = (*check.Client)(nil)

// RoundOptions are what a checker needs to take part in rounds. Those marked with * are
// needed.
type RoundOptions struct {
	System *supervise.System  // *
	Key    ed25519.PrivateKey // * the node's
	Book   Book               // *
	Votes  Votes              // *
	Calls  Calls              // *
	Kernel proof.Kernel       // *
	// Meet connects to the other checkers of this node's batches, whose gossip it needs;
	// nil connects to nobody.
	Meet func(ctx context.Context, checkers []peer.ID)
	// Elsewhere says whether a container is met outside of where it declared to live: then its
	// answers to pings count as missing. It must not block; nil = none is.
	Elsewhere func(container peer.ID) bool
	// Audits lets this checker audit sessions; nil audits none.
	Audits *AuditOptions
	// AppealsHeard answers those who ask what was attested on an appeal; nil knows of none.
	AppealsHeard func(ctx context.Context, epoch uint64, batch uint32) ([][]byte, error)
	// Dir * keeps what this checker has bound itself to, and ProofDir * what it can prove.
	Dir, ProofDir string
	// CrossPPM is how often the work of another checker is recomputed, for each container of
	// a batch; 0 = 50,000.
	CrossPPM uint64
	// Double makes this checker cheat, anew in each epoch: for tests and demonstrations; nil
	// for all others.
	Double func() Double
	// Threads recompute tiles; 0 = 1.
	Threads    int
	Server     *rpc.Server // takes commitments; nil takes none
	Now        func() time.Time
	Log        *slog.Logger
	Registerer prometheus.Registerer
}

// Rounds is a checker's part in the rounds of Proof of Render. Its methods may be called
// from any goroutine.
type Rounds struct {
	o       RoundOptions
	self    key.Node
	id      peer.ID
	metrics *roundMetrics
	bench   *bench
	proofs  *proofs
	// auditing holds whoever audits: one session at a time.
	auditing chan struct{}
	watching chan struct{} // holds each watch that is under way
	ref      supervise.Ref
	leave    context.CancelFunc
}

var _ check.Checker = (*Rounds)(nil)

// crossPPM is CrossPPM without a choice.
const crossPPM = 50_000

// NewRounds checks the options; Start begins.
func NewRounds(o RoundOptions) (*Rounds, error) {
	switch {
	case o.System == nil || o.Book == nil || o.Votes == nil || o.Calls == nil || o.Kernel == nil:
		return nil, fmt.Errorf("%w: System, Book, Votes, Calls and Kernel are needed", ErrOptions)
	case o.Dir == "" || o.ProofDir == "":
		return nil, fmt.Errorf("%w: Dir and ProofDir are needed", ErrOptions)
	case len(o.Key) != ed25519.PrivateKeySize:
		return nil, fmt.Errorf("%w: Key is no Ed25519 key", ErrOptions)
	case !o.Audits.valid():
		return nil, fmt.Errorf("%w: Ask, Session, Module and Judge of Audits are needed", ErrOptions)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.CrossPPM == 0 {
		o.CrossPPM = crossPPM
	}
	if o.Double == nil {
		o.Double = func() Double { return honest{} }
	}
	if o.Meet == nil {
		o.Meet = func(context.Context, []peer.ID) {}
	}
	r := &Rounds{o: o, self: key.Node(o.Key[ed25519.SeedSize:]), metrics: newRoundMetrics(), auditing: make(chan struct{}, 1), watching: make(chan struct{}, watchesAt)}
	var err error
	if r.id, err = r.self.Peer(); err != nil {
		return nil, fmt.Errorf("%w: Key: %w", ErrOptions, err)
	}
	r.bench = newBench(max(o.Threads, 1), r.metrics.seconds)
	r.proofs = &proofs{dir: o.ProofDir}
	if err := record.Sweep(o.Dir); err != nil { // nothing writes there before this checker starts
		return nil, fmt.Errorf("checker: %w", err)
	}
	if o.Registerer != nil {
		if err := o.Registerer.Register(r.metrics); err != nil {
			return nil, fmt.Errorf("checker: register metrics: %w", err)
		}
	}
	return r, nil
}

// Start joins the votes and begins with the epoch that runs. ctx bounds the start alone.
func (r *Rounds) Start(ctx context.Context) error {
	ref, err := r.o.System.Spawn("rounds", func() supervise.Behavior { return newRounds(r) }, supervise.Mailbox(4096))
	if err != nil {
		return fmt.Errorf("checker: start: %w", err)
	}
	r.ref = ref
	var member context.Context
	member, r.leave = context.WithCancel(context.WithoutCancel(ctx))
	err = r.o.Votes.Subscribe(member, func(_ peer.ID, body any) {
		o, ok := body.(*proof.Opened)
		if !ok || o.Signer == r.self || ledgeractor.IsAppeal(o.Statement.GetDraft().GetBatch()) {
			return
		}
		if ref.Tell(said{o, uint64(max(r.o.Now().UnixMilli(), 0))}) != nil {
			r.metrics.dropped.Inc() // it is asked for again when it is missed
		}
	})
	if err != nil {
		r.leave()
		ref.Stop()
		return fmt.Errorf("checker: join the votes: %w", err)
	}
	if r.o.Server != nil {
		check.ServeChecker(r.o.Server, r)
	}
	return nil
}

// Stop leaves the rounds. What this checker has bound itself to stays on the disk. It
// returns ctx's error when the actor does not end in time.
func (r *Rounds) Stop(ctx context.Context) error {
	if r.leave == nil {
		return nil
	}
	r.leave()
	r.ref.Stop()
	if r.o.Registerer != nil {
		r.o.Registerer.Unregister(r.metrics)
	}
	select {
	case <-r.ref.Done():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("checker: stop: %w", ctx.Err())
	}
}

// Commit implements check.Checker. The moment of arrival is taken first: what comes after
// takes time that is not the container's.
func (r *Rounds) Commit(ctx context.Context, from peer.ID, statement []byte) (commit [32]byte, arrivalMS uint32, err error) {
	at := uint64(max(r.o.Now().UnixMilli(), 0))
	o, err := proof.Open(r.o.Book.Chain(), statement)
	if err != nil {
		return commit, 0, rpc.Errorf(wire.Code_INVALID, "this is no commitment: %s; update framemesh", err)
	}
	node, err := key.NodeOf(from)
	if err != nil || node != o.Signer {
		return commit, 0, rpc.Errorf(wire.Code_UNAUTHORISED, "a commitment comes from the container that signed it")
	}
	got, err := supervise.Ask[stamped](ctx, r.ref, handedIn{at, node, o})
	if err != nil {
		return commit, 0, commitRefusal(err)
	}
	return got.commit, got.arrival, nil
}

// Recall implements check.Checker.
func (r *Rounds) Recall(ctx context.Context, _ peer.ID, epoch uint64, whole bool, batch uint32) ([][]byte, error) {
	if ledgeractor.IsAppeal(batch) && !whole {
		if r.o.AppealsHeard == nil {
			return nil, nil
		}
		return r.o.AppealsHeard(ctx, epoch, batch)
	}
	return supervise.Ask[[][]byte](ctx, r.ref, recall{epoch, whole, batch})
}

// Measured adds what was found out about a container in other ways to the epoch that runs:
// what a hidden player saw, or an audit. sample may be nil.
func (r *Rounds) Measured(container key.Node, sample *proof.Sample) {
	if r.ref.Tell(measured{container, 0, 0, sample}) != nil {
		r.metrics.dropped.Inc()
	}
}

// Duties are the batches of the epoch that runs which this checker judges, and what it has
// found out so far.
func (r *Rounds) Duties(ctx context.Context) (Duties, error) {
	return supervise.Ask[Duties](ctx, r.ref, askDuties{})
}

// Duties is a checker's part in the epoch that runs.
type Duties struct {
	Epoch      uint64
	Batches    int
	Containers []key.Node
	// VoteMS is when votes on them begin to be bound, in ms of unix time; what is measured
	// later is for another epoch.
	VoteMS uint64
}
