// Package complain brings a player's word that its container went, in the middle of a paid
// session, to the checkers who are drawn for that container: of the epoch that runs where they
// can still look before they vote, else of the next one. It judges nothing; what it brings is
// signed by the player (docs/spec/work.md).
package complain

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	ledgeractor "github.com/framemesh/framemesh/actors/ledger"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/witness"
	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
)

// Errors of a Desk.
var (
	ErrOptions   = errors.New("complain: options")
	ErrForged    = errors.New("complain: the player of that session did not sign it, or the machine had not taken it; reload the page")
	ErrNoSession = errors.New("complain: no paid session of that player runs on that machine; nothing is to be done")
	ErrBusy      = errors.New("complain: too many players miss their machines; try again in a few seconds")
)

// Book is what the ledger says; *ledger.Ledger is the real one.
type Book interface {
	Chain() string
	EpochAt(ms uint64) uint64
	EpochStart(epoch uint64) uint64
	Roll(ctx context.Context, epoch uint64) (*ledgeractor.Roll, error)
	Session(ctx context.Context, container key.Node, session [16]byte) (state.Session, bool, error)
}

// Calls brings a complaint to one checker; *check.Client is the real one.
type Calls interface {
	Gone(ctx context.Context, to peer.ID, gone *wire.Gone) error
}

// Options are what a Desk needs; all but Log are needed.
type Options struct {
	Book  Book
	Calls Calls
	Now   func() time.Time
	Log   *slog.Logger
}

const (
	atOnce    = 64 // complaints that are being brought
	remember  = 1024
	callTime  = 5 * time.Second
	tries     = 3 // for one checker
	tryAgain  = 700 * time.Millisecond
	rollAgain = 500 * time.Millisecond
	panels    = 2 // epochs whose checkers are told: this one and the next
)

// Desk takes complaints. Its methods may be called from any goroutine.
type Desk struct {
	o    Options
	ctx  context.Context
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu    sync.Mutex
	open  int
	known map[[48]byte]struct{} // container and session: one complaint for each
	order [][48]byte            // of known, oldest first
}

// New returns a Desk that takes complaints until Stop.
func New(o Options) (*Desk, error) {
	if o.Book == nil || o.Calls == nil || o.Now == nil {
		return nil, fmt.Errorf("%w: Book, Calls and Now are needed", ErrOptions)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	d := &Desk{o: o, known: map[[48]byte]struct{}{}}
	d.ctx, d.stop = context.WithCancel(context.Background())
	return d, nil
}

// Stop forgets what was not brought yet. It returns ctx's error when that takes too long.
func (d *Desk) Stop(ctx context.Context) error {
	d.mu.Lock() // nothing is taken any more after this
	d.stop()
	d.mu.Unlock()
	done := make(chan struct{})
	go func() { d.wg.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("complain: stop: %w", ctx.Err())
	}
}

func (d *Desk) now() uint64 { return uint64(max(d.o.Now().UnixMilli(), 0)) }

// Take takes a complaint whose fields have their lengths, and brings it to the checkers in its
// own time. A second one about the same session changes nothing. It returns ErrForged,
// ErrNoSession, ErrBusy, or the error of reading the ledger.
func (d *Desk) Take(ctx context.Context, g *wire.Gone) error {
	container, session := key.Node(g.GetContainer()), [16]byte(g.GetSession())
	of := witness.Session{Chain: d.o.Book.Chain(), Container: container, ID: session, Player: [32]byte(g.GetPlayer())}
	word := witness.Gone{Seconds: g.GetSeconds(), AtMS: g.GetAtMs(), Signature: [ed25519.SignatureSize]byte(g.GetSignature()),
		Taken: witness.Taken{PerSecond: g.GetPerSecond(), OpenedMS: g.GetOpenedMs(), Signature: [ed25519.SignatureSize]byte(g.GetTaken())}}
	if err := word.Verify(of); err != nil {
		return fmt.Errorf("%w (%w)", ErrForged, err)
	}
	name := [48]byte(append(container[:], session[:]...))
	d.mu.Lock()
	_, had := d.known[name]
	full := d.open >= atOnce
	d.mu.Unlock()
	switch {
	case had:
		return nil
	case full:
		return ErrBusy
	}
	s, ok, err := d.o.Book.Session(ctx, container, session)
	if err != nil {
		return fmt.Errorf("complain: look for the session: %w", err)
	}
	epoch := d.o.Book.EpochAt(d.now())
	if !ok || !word.Taken.Means(s.PerSecond, s.OpenedMS) || !s.Awaits(key.Address(of.Player), word.Seconds, d.now(), d.o.Book.EpochStart(epoch-min(epoch, 1))) {
		return ErrNoSession
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, had := d.known[name]; had || d.ctx.Err() != nil {
		return nil
	}
	if d.open >= atOnce {
		return ErrBusy
	}
	d.open++
	d.known[name], d.order = struct{}{}, append(d.order, name)
	if len(d.order) > remember {
		delete(d.known, d.order[0])
		d.order = d.order[1:]
	}
	d.wg.Go(func() {
		d.bring(container, g)
		d.mu.Lock()
		defer d.mu.Unlock()
		d.open--
	})
	return nil
}

// bring finds checkers who can look before they vote, and tells them all.
func (d *Desk) bring(container key.Node, g *wire.Gone) {
	epoch := d.o.Book.EpochAt(d.now())
	for range panels {
		if roll, ok := d.roll(epoch); ok && d.now() < deadline(roll) {
			if told := d.tell(roll, container, g); told >= roll.Params.Quorum() {
				d.o.Log.Info("checkers look for a machine that a player missed", "container", container, "epoch", epoch, "checkers", told)
				return
			}
		}
		epoch++
		if !d.sleep(time.Duration(d.o.Book.EpochStart(epoch)-min(d.now(), d.o.Book.EpochStart(epoch))) * time.Millisecond) {
			return
		}
	}
	d.o.Log.Warn("a player missed a machine, and too few checkers could be told", "container", container)
}

// deadline is until when the checkers of an epoch can be told.
func deadline(r *ledgeractor.Roll) uint64 {
	watch := r.Params.WatchMS()
	vote := r.Times.OpeningsBy + (r.Times.VoteBy-r.Times.OpeningsBy)/4
	return vote - min(2*watch, vote)
}

// roll waits for who is drawn in an epoch, as long as that is of use.
func (d *Desk) roll(epoch uint64) (*ledgeractor.Roll, bool) {
	for {
		ctx, cancel := context.WithTimeout(d.ctx, callTime)
		r, err := d.o.Book.Roll(ctx, epoch)
		cancel()
		if err == nil {
			return r, true
		}
		if d.now() >= d.o.Book.EpochStart(epoch+1) || !d.sleep(rollAgain) {
			return nil, false
		}
	}
}

// tell brings a complaint to everybody who is drawn for the container, and says how many of the
// committee took it: the reserve only speaks where that comes to nothing.
func (d *Desk) tell(r *ledgeractor.Roll, container key.Node, g *wire.Gone) (taken int) {
	at, _, ok := r.Assignment.Of(container)
	if !ok {
		return 0
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	b := &r.Assignment.Batches[at]
	for _, panel := range [][]key.Node{b.Committee, b.Reserve} {
		counts := len(panel) > 0 && &panel[0] == &b.Committee[0]
		for _, n := range panel {
			wg.Go(func() {
				if d.ask(r, n, g) && counts {
					mu.Lock()
					defer mu.Unlock()
					taken++
				}
			})
		}
	}
	wg.Wait()
	return taken
}

// ask brings a complaint to one checker, again where it is busy or cannot be reached.
func (d *Desk) ask(r *ledgeractor.Roll, n key.Node, g *wire.Gone) bool {
	id, err := n.Peer()
	if err != nil {
		return false
	}
	for try := range tries {
		if try > 0 && (d.now() >= deadline(r) || !d.sleep(tryAgain)) {
			return false
		}
		ctx, cancel := context.WithTimeout(d.ctx, callTime)
		err := d.o.Calls.Gone(ctx, id, g)
		cancel()
		if err == nil {
			return true
		}
		d.o.Log.Debug("a checker did not take a complaint", "checker", n, "err", err)
		var no *rpc.Error
		if errors.As(err, &no) && no.Code != wire.Code_BUSY {
			return false
		}
	}
	return false
}

// sleep returns false when the desk was closed meanwhile.
func (d *Desk) sleep(t time.Duration) bool {
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-d.ctx.Done():
		return false
	}
}

var _ Book = (*ledgeractor.Ledger)(nil)
