package checker

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/framemesh/framemesh/actors/checker/audit"
	ledgeractor "github.com/framemesh/framemesh/actors/ledger"
	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/p2p/wire"
)

// AppealBook is what the ledger says of appeals, and where their answers go.
type AppealBook interface {
	Chain() string
	EpochAt(ms uint64) uint64
	EpochStart(epoch uint64) uint64
	// Appeals are the open appeals whose committees an epoch draws. Errors pass with time.
	Appeals(ctx context.Context, epoch uint64) ([]ledgeractor.Appeal, error)
	Certified(ctx context.Context, epoch uint64, batch uint32) (bool, error)
	// Send is as in Book.
	Send(ctx context.Context, body *tx.Body) error
}

// AppealOptions are what a checker needs to answer appeals. All are needed but the last four.
type AppealOptions struct {
	System *supervise.System
	Key    ed25519.PrivateKey // the node's
	Book   AppealBook
	Votes  Votes
	Calls  interface {
		Recall(ctx context.Context, to peer.ID, epoch uint64, whole bool, batch uint32) ([][]byte, error)
		Watched(ctx context.Context, to peer.ID, epoch uint64, container [32]byte, session [16]byte) (*wire.WatchResponse, error)
	}
	// Evidence fetches a file of at most proof.MaxFile bytes by its name from peers that may
	// have it, the first of them first, Module an app by its SHA-256. What they return has that
	// name or hash.
	Evidence func(ctx context.Context, name proof.Name, from []peer.ID) ([]byte, error)
	Module   func(ctx context.Context, sha [32]byte, from []peer.ID) ([]byte, error)
	// Verify reruns a proof file, as audit.VerifyFile does, and Judge a container's answer to
	// an audit; replay.Process does both where a hostile module can do no harm.
	Verify func(ctx context.Context, file, code []byte) (audit.Verdict, error)
	Judge  func(ctx context.Context, t audit.Terms, answer *proof.Opened, code []byte) (audit.Finding, *proof.File, error)
	// Dir keeps what this checker has attested; its watches are there, too.
	Dir string

	// Rerun decides instead of the evidence, for tests of checkers that lie; nil for all others.
	Rerun      func(a ledgeractor.Appeal) (verdict uint32, ok bool)
	Now        func() time.Time
	Log        *slog.Logger
	Registerer prometheus.Registerer
}

func (o *AppealOptions) validate() error {
	switch {
	case o.System == nil || o.Book == nil || o.Votes == nil || o.Calls == nil || o.Dir == "":
		return fmt.Errorf("%w: System, Book, Votes, Calls and Dir of appeals are needed", ErrOptions)
	case o.Evidence == nil || o.Module == nil || o.Verify == nil || o.Judge == nil:
		return fmt.Errorf("%w: Evidence, Module, Verify and Judge of appeals are needed", ErrOptions)
	case len(o.Key) != ed25519.PrivateKeySize:
		return fmt.Errorf("%w: Key is no Ed25519 key", ErrOptions)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Appeals is a checker's part in answering appeals: of an accusation whose wider committee it
// is in, it gets the evidence, reruns it, and attests what it found. Whoever has enough equal
// attestations brings them to the ledger. What it cannot get or rerun it says nothing about:
// in doubt nobody is punished.
type Appeals struct {
	o       AppealOptions
	self    key.Node
	metrics *appealMetrics
	seat    chan struct{} // held while evidence is rerun: one at a time
	ref     supervise.Ref
	leave   context.CancelFunc
}

// NewAppeals checks the options; Start begins.
func NewAppeals(o AppealOptions) (*Appeals, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	a := &Appeals{o: o, self: key.Node(o.Key[ed25519.SeedSize:]), metrics: newAppealMetrics(), seat: make(chan struct{}, 1)}
	if o.Registerer != nil {
		if err := o.Registerer.Register(a.metrics); err != nil {
			return nil, fmt.Errorf("checker: register metrics: %w", err)
		}
	}
	return a, nil
}

// Start listens for what other members attest. ctx bounds the start alone.
func (a *Appeals) Start(ctx context.Context) error {
	ref, err := a.o.System.Spawn("appeals", func() supervise.Behavior { return newHearings(a) }, supervise.Mailbox(1024))
	if err != nil {
		return fmt.Errorf("checker: start: %w", err)
	}
	a.ref = ref
	var member context.Context
	member, a.leave = context.WithCancel(context.WithoutCancel(ctx))
	err = a.o.Votes.Subscribe(member, func(_ peer.ID, body any) {
		o, ok := body.(*proof.Opened)
		if ok && o.Signer != a.self && ledgeractor.IsAppeal(o.Statement.GetDraft().GetBatch()) && ref.Tell(attested{o}) != nil {
			a.metrics.dropped.Inc() // it is asked for again
		}
	})
	if err != nil {
		a.leave()
		ref.Stop()
		return fmt.Errorf("checker: join the votes: %w", err)
	}
	return nil
}

// Stop ends it; what was attested stays on the disk. It returns ctx's error when the actor
// does not end in time.
func (a *Appeals) Stop(ctx context.Context) error {
	if a.leave == nil {
		return nil
	}
	a.leave()
	a.ref.Stop()
	if a.o.Registerer != nil {
		a.o.Registerer.Unregister(a.metrics)
	}
	select {
	case <-a.ref.Done():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("checker: stop: %w", ctx.Err())
	}
}

// Recall gives what this checker and others have attested on an appeal, for a member that was
// away.
func (a *Appeals) Recall(ctx context.Context, epoch uint64, batch uint32) ([][]byte, error) {
	return supervise.Ask[[][]byte](ctx, a.ref, recallAppeal{epoch, batch})
}

// appealMetrics are the figures of a checker's appeals.
type appealMetrics struct {
	answers *prometheus.CounterVec
	sent    *prometheus.CounterVec
	dropped prometheus.Counter
}

func newAppealMetrics() *appealMetrics {
	return &appealMetrics{
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "framemesh_checker_appeals_total",
			Help: "Appeals that this checker was drawn for, by what it attested: confirmed, acquitted, silent."}, []string{"result"}),
		sent: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "framemesh_checker_appeals_sent_total",
			Help: "Answers to appeals that this checker brought to the ledger: sent, late, failed."}, []string{"result"}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{Name: "framemesh_checker_appeals_dropped_total",
			Help: "Attestations on appeals that came faster than they could be looked at."}),
	}
}

// Describe implements prometheus.Collector.
func (m *appealMetrics) Describe(out chan<- *prometheus.Desc) {
	m.answers.Describe(out)
	m.sent.Describe(out)
	m.dropped.Describe(out)
}

// Collect implements prometheus.Collector.
func (m *appealMetrics) Collect(out chan<- prometheus.Metric) {
	m.answers.Collect(out)
	m.sent.Collect(out)
	m.dropped.Collect(out)
}
