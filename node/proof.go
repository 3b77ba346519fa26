package node

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/actors/checker"
	"github.com/framemesh/framemesh/actors/checker/recompute"
	"github.com/framemesh/framemesh/actors/container/prover"
	ledgeractor "github.com/framemesh/framemesh/actors/ledger"
	"github.com/framemesh/framemesh/gpu/kernel"
	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/p2p/check"
	"github.com/framemesh/framemesh/p2p/gossip"
	"github.com/framemesh/framemesh/p2p/seal"
)

// Backends that [proof] backend can name.
const (
	BackendAuto = "auto"
	BackendCPU  = "cpu"
	BackendGPU  = "gpu"
)

// ProofsDir is where a checker with that data directory keeps what it can prove.
func ProofsDir(dataDir string) string { return filepath.Join(dataDir, "proofs") }

// meetAtOne is how many members of committees are dialled at the same time.
const meetAtOne = 8

// rounds says whether this node takes part in Proof of Render.
func (n *Node) rounds() bool { return n.cfg.Proof.Enabled && n.Ledger() != nil }

// book shows the ledger to rounds.
type book struct{ *till }

var (
	_ checker.Book = book{}
	_ prover.Book  = book{}
)

func (n *Node) book() (book, ed25519.PrivateKey, error) {
	raw, err := n.key.Raw()
	if err != nil {
		return book{}, nil, fmt.Errorf("node: node key: %w", err)
	}
	self, err := key.NodeOf(n.ID())
	if err != nil {
		return book{}, nil, err
	}
	k := ed25519.PrivateKey(raw)
	return book{&till{Ledger: n.Ledger(), self: self, key: k}}, k, nil
}

// Duty implements prover.Book.
func (b book) Duty(ctx context.Context, epoch uint64, container key.Node) (prover.Duty, error) {
	r, err := b.Roll(ctx, epoch)
	if err != nil {
		return prover.Duty{}, err
	}
	at, _, ok := r.Assignment.Of(container)
	if !ok {
		return prover.Duty{}, fmt.Errorf("%w: register and stake, and wait a few epochs", prover.ErrNoDuty)
	}
	batch := &r.Assignment.Batches[at]
	checkers := append(append([]key.Node(nil), batch.Committee...), batch.Reserve...)
	return prover.Duty{Task: r.Assignment.Task, Times: r.Times, Checkers: checkers, Picks: r.Params.K}, nil
}

// Standing implements checker.Book.
func (b book) Standing(ctx context.Context, container key.Node) (judge.Standing, error) {
	s, _, err := b.Ledger.Standing(ctx, container)
	return judge.Standing{Rounds: uint32(len(s.Rounds)), MedianMilli: s.RPMilli}, err
}

// InSession implements checker.Book.
func (b book) InSession(ctx context.Context, container key.Node, session [16]byte) (bool, error) {
	_, ok, err := b.Session(ctx, container, session)
	return ok, err
}

// Send implements checker.Book: the node key signs for the account that owns the node.
func (b book) Send(ctx context.Context, body *tx.Body) error {
	owner, err := b.ownerOf(ctx)
	if err != nil {
		return err
	}
	_, err = b.Ledger.Send(ctx, ledgeractor.Signer{Key: b.key, Account: owner}, body)
	for _, rule := range []error{state.ErrCertified, state.ErrReported, state.ErrPunished} {
		if errors.Is(err, rule) {
			return fmt.Errorf("%w: %w", checker.ErrSettled, err)
		}
	}
	return err
}

// votesSpec is what this node demands of statements on the topics of the votes.
func (n *Node) votesSpec(l *ledgeractor.Ledger) gossip.VotesSpec {
	return gossip.VotesSpec{
		Open:   func(data []byte) (gossip.Voice, error) { return openVote(l.Chain(), data) },
		Member: func(signer peer.ID, epoch uint64) bool { return l.MayVote(signer, epoch) },
		Epochs: func(now time.Time) (first, last uint64) {
			ms := uint64(max(now.UnixMilli(), 0))
			length := l.EpochStart(1) - l.EpochStart(0)
			skew := min(uint64(gossip.MaxSkew.Milliseconds()), length/4)
			return l.EpochAt(ms - min(skew, ms)), l.EpochAt(ms + skew)
		}}
}

// openVote opens a statement that may be gossiped.
func openVote(chain string, data []byte) (gossip.Voice, error) {
	o, err := proof.Open(chain, bytes.Clone(data)) // it keeps what it is given
	switch {
	case errors.Is(err, proof.ErrSignature):
		return gossip.Voice{}, fmt.Errorf("%w: %w", seal.ErrSignature, err)
	case errors.Is(err, proof.ErrTooLarge):
		return gossip.Voice{}, fmt.Errorf("%w: %w", seal.ErrTooLarge, err)
	case err != nil:
		return gossip.Voice{}, err
	}
	if err := checker.Gossiped(o); err != nil {
		return gossip.Voice{}, fmt.Errorf("%w: %w", gossip.ErrContent, err)
	}
	signer, err := o.Signer.Peer()
	if err != nil {
		return gossip.Voice{}, fmt.Errorf("%w: %w", seal.ErrKey, err)
	}
	epoch, _ := o.Epoch()
	batch, _ := checker.BatchOf(o)
	return gossip.Voice{Signer: signer, Epoch: epoch, Batch: batch, Body: o}, nil
}

// startRounds lets a checker take part in rounds.
func (n *Node) startRounds(ctx context.Context) (func(context.Context) error, error) {
	if !n.rounds() {
		return nil, nil
	}
	b, k, err := n.book()
	if err != nil {
		return nil, err
	}
	votes, err := n.gossip.Votes(n.votesSpec(n.Ledger()))
	if err != nil {
		return nil, err
	}
	audits, err := n.auditing(b)
	if err != nil {
		return nil, err
	}
	appeals, err := n.startAppeals(ctx, b, k, votes)
	if err != nil {
		return nil, err
	}
	r, err := checker.NewRounds(checker.RoundOptions{System: n.system, AppealsHeard: appeals.Recall, Key: k, Book: b, Votes: votes, Calls: check.NewClient(n.client),
		Kernel: recompute.New(), Meet: n.meetAll, Elsewhere: n.elsewhere, Audits: n.cheatingAudits(audits), Double: n.cheatingChecker(k), CrossPPM: n.o.CrossPPM, Dir: filepath.Join(n.dir, "rounds"), ProofDir: ProofsDir(n.dir),
		Threads: n.cfg.Proof.CheckThreads, Server: n.server, Now: n.o.Now, Log: n.log, Registerer: n.reg})
	if err == nil {
		err = r.Start(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, appeals.Stop(ctx))
	}
	n.checking.Store(r)
	return func(ctx context.Context) error { return errors.Join(r.Stop(ctx), appeals.Stop(ctx)) }, nil
}

// meetAll connects to peers that this node is not connected to.
func (n *Node) meetAll(ctx context.Context, ids []peer.ID) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	seats := make(chan struct{}, meetAtOne)
	var wg sync.WaitGroup
	for _, id := range ids {
		seats <- struct{}{}
		wg.Go(func() {
			defer func() { <-seats }()
			if err := n.p2p.Host().Connect(ctx, peer.AddrInfo{ID: id}); err != nil {
				n.log.Debug("a member of a committee cannot be reached", "peer", id, "err", err)
			}
		})
	}
	wg.Wait()
}

// startProver lets a container prove what it can render. A device that computes wrongly does
// not stand by: the container still serves players, and nobody is punished.
func (n *Node) startProver(ctx context.Context) (func(context.Context) error, error) {
	if !n.rounds() {
		return nil, nil
	}
	b, k, err := n.book()
	if err != nil {
		return nil, err
	}
	threads := n.cfg.Proof.threads(n.o.ShareMachine)
	backend, err := OpenBackend(ctx, n.cfg.Proof.Backend, threads)
	if ctx.Err() != nil {
		return nil, ctx.Err() // it ends before it began
	}
	if err != nil {
		n.log.Error("this container does not stand by and is not paid for readiness: nothing here renders what the network's kernel says; run `framemesh doctor`", "err", err)
		return nil, nil
	}
	p, err := prover.New(prover.Options{System: n.system, Key: k, Book: b, Courier: check.NewClient(n.client), Kernel: recompute.New(),
		Backend: n.o.Cheat.on(backend), Renderer: n.cheatingRenderer(), Rate: kernelRate(ctx, backend), Busy: n.sessionsNow, Elsewhere: n.elsewhere, Path: filepath.Join(n.dir, "rounds", "committed"),
		Server: n.server, Now: n.o.Now, Log: n.log, Registerer: n.reg})
	if err == nil {
		err = p.Start(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, backend.Close())
	}
	n.log.Info("rounds are rendered apart", "backend", backend.Name(), "device", backend.Device())
	if vanishing := n.startVanishing(ctx); vanishing != nil {
		return func(ctx context.Context) error { return errors.Join(vanishing(ctx), p.Stop(ctx)) }, nil
	}
	return p.Stop, nil
}

// rateTime is how long a backend is measured at start, rateMost how long one frame may take.
const rateTime, rateMost = 100 * time.Millisecond, 5 * time.Second

// kernelRate measures how many samples a backend renders in a second, so that the first
// round begins with frames of the right size; 0 when it does not.
func kernelRate(ctx context.Context, b kernel.Backend) uint64 {
	ctx, cancel := context.WithTimeout(ctx, rateMost)
	defer cancel()
	size := kernel.Sizes()[1]
	out := make([]uint32, size.Words())
	start, samples := time.Now(), uint64(0)
	for time.Since(start) < rateTime {
		if b.Render(ctx, size, kernel.Seed{}, out) != nil {
			return 0
		}
		samples += size.Samples()
	}
	return uint64(float64(samples) / time.Since(start).Seconds())
}

// sessionsNow is how many sessions run on this node's container, and the one to name to
// checkers: one that is on the ledger where there is one, else the oldest.
func (n *Node) sessionsNow(ctx context.Context) (name prover.Session, sessions int) {
	c := n.rendering()
	if c == nil {
		return name, 0
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	all, err := c.Sessions(ctx)
	if err != nil {
		return name, 0
	}
	for i, s := range all {
		if i == 0 || s.Escrow > 0 {
			name.ID = s.ID
		}
		if s.Escrow > 0 {
			break
		}
	}
	if len(all) > 0 {
		name.Segment = n.newestSegment(name.ID)
	}
	return name, len(all)
}

// threads is how many threads render for rounds, when several containers share a machine.
func (c *ProofConfig) threads(share int) int {
	if c.Threads > 0 {
		return c.Threads
	}
	return max(1, runtime.GOMAXPROCS(0)/max(1, share))
}

// Rounds is the checker's part in rounds, or nil.
func (n *Node) Rounds() *checker.Rounds { return n.checking.Load() }
