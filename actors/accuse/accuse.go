// Package accuse brings match certificates that are wrong before the ledger, which punishes
// the indexer that signed them and rewards who reported it. Gateways and containers hand in
// what they do not believe, for whatever reason; here it is judged as the ledger would, and
// only what convicts is reported, since a false report costs a bond. It never blocks who
// hands something in.
package accuse

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/tx"
)

// Errors of an Accuser's collaborators.
var (
	// ErrNoAccount: this node has no account on the ledger.
	ErrNoAccount = errors.New("accuse: this node is not registered, so it has no account to report with")
	// ErrSettled: the indexer was convicted of this already.
	ErrSettled = errors.New("accuse: reported before")
	// ErrOptions is an Accuser that cannot be made.
	ErrOptions = errors.New("accuse: options")
)

// Ledger is what an Accuser needs of one.
type Ledger interface {
	// Judge says what a certificate convicts of as the ledger stands here, as
	// state.JudgeMatch does.
	Judge(ctx context.Context, sealed []byte) (*tx.FraudProof, proof.Conviction, error)
	// Drawable says whether a node may be drawn as an indexer in these epochs, from memory.
	Drawable(ctx context.Context, indexer peer.ID) (bool, error)
	// Height is that of the newest block that is known, and NextBlock is closed when there is
	// a newer one.
	Height() uint64
	NextBlock() <-chan struct{}
	// Report sends a proof and returns when it is in a block. It wraps ErrNoAccount before
	// anything is sent, and ErrSettled where somebody else was first.
	Report(ctx context.Context, f *tx.FraudProof) error
}

// Options of an Accuser. Those marked with * are needed.
type Options struct {
	Chain   string        // *
	Matcher proof.Matcher // *
	Ledger  Ledger        // *
	// HandOver gives a certificate to somebody who has an account; nil = nobody is known.
	HandOver func(ctx context.Context, sealed []byte) error
	// Keep stores a proof for its operator; nil = it is not kept.
	Keep func(f *tx.FraudProof, seed [32]byte) error
	Log  *slog.Logger
}

// Bounds on what is looked at.
const (
	waiting    = 16  // certificates
	remembered = 256 // digests of them
	// settleBlocks is how far behind others a node may be: what convicts by what the ledger
	// said is looked at again after so many blocks.
	settleBlocks = 8
	judgeTime    = time.Minute     // for looking things up
	settleTime   = 5 * time.Minute // for those blocks
	reportTime   = 5 * time.Minute
)

// Accuser is a running one. Its methods may be called from any goroutine.
type Accuser struct {
	o    Options
	in   chan []byte // certificates to look at
	done chan struct{}
	stop context.CancelFunc
	seen *lru.Cache[[32]byte, struct{}] // those that were handed in; safe for concurrent use
}

// New checks the options and starts the Accuser; Stop ends it.
func New(o Options) (*Accuser, error) {
	if o.Chain == "" || o.Matcher == nil || o.Ledger == nil {
		return nil, fmt.Errorf("%w: Chain, Matcher and Ledger are needed", ErrOptions)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	seen, err := lru.New[[32]byte, struct{}](remembered)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	a := &Accuser{o: o, in: make(chan []byte, waiting), done: make(chan struct{}), stop: cancel, seen: seen}
	go a.run(ctx)
	return a, nil
}

// Stop ends it; a report that is on its way may be cut off.
func (a *Accuser) Stop(ctx context.Context) error {
	a.stop()
	select {
	case <-a.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("accuse: stop: %w", ctx.Err())
	}
}

// Take hands in a certificate that somebody does not believe. It is passed over when it is
// too large, was handed in before, or when too many wait.
func (a *Accuser) Take(sealed []byte) bool {
	if len(sealed) == 0 || len(sealed) > tx.MaxMatch {
		return false
	}
	sum := sha256.Sum256(sealed)
	if old, _ := a.seen.ContainsOrAdd(sum, struct{}{}); old {
		return false
	}
	select {
	case a.in <- append([]byte(nil), sealed...):
		return true
	default:
		a.seen.Remove(sum)
		return false
	}
}

func (a *Accuser) run(ctx context.Context) {
	defer close(a.done)
	for {
		select {
		case <-ctx.Done():
			return
		case sealed := <-a.in:
			a.consider(ctx, sealed)
		}
	}
}

// consider takes one certificate as far as it leads.
func (a *Accuser) consider(ctx context.Context, sealed []byte) {
	m, err := a.o.Matcher.Open(a.o.Chain, sealed)
	if err != nil {
		return // nobody signed it: whoever sent it made it up
	}
	id, err := m.Indexer.Peer()
	if err != nil {
		return
	}
	// Strangers may sign what they like: there is nothing to take from them.
	look, cancel := context.WithTimeout(ctx, judgeTime)
	defer cancel()
	if ok, err := a.o.Ledger.Drawable(look, id); err != nil || !ok {
		a.o.Log.Debug("a certificate is by nobody who has stake as an indexer", "signer", id, "err", err)
		return
	}
	f, v, err := a.o.Ledger.Judge(look, sealed)
	if err != nil {
		a.o.Log.Debug("a certificate that was not believed convicts nobody", "indexer", id, "why", err)
		return
	}
	log := a.o.Log.With("indexer", id, "epoch", v.Epoch, "offence", v.Offence, "why", v.Reason)
	log.Warn("an indexer signed a wrong match, and it can be proven")
	err = a.report(ctx, sealed, f)
	if a.o.Keep != nil && (err == nil || errors.Is(err, ErrNoAccount)) {
		if err := a.o.Keep(f, m.Beacon); err != nil {
			log.Warn("the proof is not kept on the disk; make room there", "err", err)
		}
	}
	switch {
	case err == nil:
		log.Info("the wrong match was reported; the indexer lost stake for it")
	case errors.Is(err, ErrSettled):
		log.Info("somebody else reported the wrong match first")
	case errors.Is(err, ErrNoAccount) && a.o.HandOver != nil:
		if err := a.handOver(ctx, sealed); err != nil {
			log.Warn("the wrong match reached nobody who can report it; `framemesh match report` does it from a wallet", "err", err)
		}
	default:
		log.Warn("the wrong match is not reported", "err", err)
	}
}

func (a *Accuser) handOver(ctx context.Context, sealed []byte) error {
	ctx, cancel := context.WithTimeout(ctx, judgeTime)
	defer cancel()
	return a.o.HandOver(ctx, sealed)
}

// report sends a proof. What convicts by what the ledger says, and not by itself, waits some
// blocks first: this node may be behind the indexer, which would cost the bond.
func (a *Accuser) report(ctx context.Context, sealed []byte, f *tx.FraudProof) error {
	if _, err := proof.Check(proof.Rules{Chain: a.o.Chain, Matcher: a.o.Matcher}, f); err != nil {
		if err := a.settle(ctx); err != nil {
			return err
		}
		look, cancel := context.WithTimeout(ctx, judgeTime)
		defer cancel()
		again, _, err := a.o.Ledger.Judge(look, sealed)
		if err != nil {
			return err
		}
		f = again
	}
	ctx, cancel := context.WithTimeout(ctx, reportTime)
	defer cancel()
	return a.o.Ledger.Report(ctx, f)
}

func (a *Accuser) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	for from := a.o.Ledger.Height(); ; {
		next := a.o.Ledger.NextBlock()
		if a.o.Ledger.Height() >= from+settleBlocks {
			return nil
		}
		select {
		case <-next:
		case <-ctx.Done():
			return fmt.Errorf("accuse: no blocks come: %w", ctx.Err())
		}
	}
}
