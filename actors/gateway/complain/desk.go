// Package complain brings a player's word that its container went, in the middle of a paid
// session, to the checkers who are drawn for that container: of the epoch that runs where they
// can still look before they vote, else of the next one. It judges nothing; what it brings is
// signed by the player (docs/spec/work.md).
package complain

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
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
	ErrClock     = errors.New("complain: it was said long ago, or the player's clock is wrong; set the clock")
	ErrNoSession = errors.New("complain: no paid session of that player runs on that machine; nothing is to be done")
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
	atOnce    = 64   // complaints that are being told to checkers
	most      = 1024 // that are known and not brought yet
	remember  = 4096
	callTime  = 5 * time.Second
	tries     = 3 // to reach one checker; one that is busy is asked as long as it can look
	tryAgain  = 700 * time.Millisecond
	waitMost  = 10 * time.Second // between two tries
	rollAgain = 500 * time.Millisecond
	panels    = 2 // epochs whose checkers are told: this one and the next
)

// Desk takes complaints. Its methods may be called from any goroutine.
//
// One that comes late in an epoch waits for the next, so there is room for many. Where it is full,
// one gives way of the container about which there are most: who wants to take the room of others needs
// as many containers with stake as there is room, not as many sessions with a friend.
type Desk struct {
	o     Options
	ctx   context.Context
	stop  context.CancelFunc
	wg    sync.WaitGroup
	turns *turns

	mu    sync.Mutex
	open  map[key.Node][]*errand // by container, oldest first
	count int                    // of open
	known map[name]struct{}      // one complaint for each
	order []name                 // of known, oldest first
}

// name is a container and one of its sessions.
type name struct {
	container key.Node
	session   [16]byte
}

// errand is a complaint that is being brought.
type errand struct {
	name
	stop context.CancelFunc
}

// New returns a Desk that takes complaints until Stop.
func New(o Options) (*Desk, error) {
	if o.Book == nil || o.Calls == nil || o.Now == nil {
		return nil, fmt.Errorf("%w: Book, Calls and Now are needed", ErrOptions)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	d := &Desk{o: o, turns: newTurns(atOnce), open: map[key.Node][]*errand{}, known: map[name]struct{}{}}
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
// own time. A second one about the same session changes nothing. It returns ErrForged, ErrClock,
// ErrNoSession, or the error of reading the ledger.
func (d *Desk) Take(ctx context.Context, g *wire.Gone) error {
	container, session := key.Node(g.GetContainer()), [16]byte(g.GetSession())
	of := witness.Session{Chain: d.o.Book.Chain(), Container: container, ID: session, Player: [32]byte(g.GetPlayer())}
	word := witness.Gone{Seconds: g.GetSeconds(), AtMS: g.GetAtMs(), Signature: [ed25519.SignatureSize]byte(g.GetSignature()),
		Taken: witness.Taken{PerSecond: g.GetPerSecond(), OpenedMS: g.GetOpenedMs(), Signature: [ed25519.SignatureSize]byte(g.GetTaken())}}
	if err := word.Verify(of); err != nil {
		return fmt.Errorf("%w (%w)", ErrForged, err)
	}
	epoch := d.o.Book.EpochAt(d.now())
	if !word.Timely(d.now(), d.o.Book.EpochStart(epoch+1)-d.o.Book.EpochStart(epoch)) {
		return ErrClock // every checker would refuse it
	}
	id := name{container, session}
	d.mu.Lock()
	_, had := d.known[id]
	d.mu.Unlock()
	if had {
		return nil
	}
	s, ok, err := d.o.Book.Session(ctx, container, session)
	if err != nil {
		return fmt.Errorf("complain: look for the session: %w", err)
	}
	epoch = d.o.Book.EpochAt(d.now())
	if !ok || !word.Taken.Means(s.PerSecond, s.OpenedMS) || !s.Awaits(key.Address(of.Player), word.Seconds, d.now(), d.o.Book.EpochStart(epoch-min(epoch, 1))) {
		return ErrNoSession
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, had := d.known[id]; had || d.ctx.Err() != nil {
		return nil
	}
	d.known[id], d.order = struct{}{}, append(d.order, id)
	if len(d.order) > remember {
		delete(d.known, d.order[0])
		d.order = d.order[1:]
	}
	job, cancel := context.WithCancel(d.ctx)
	e := &errand{id, cancel}
	d.open[container] = append(d.open[container], e)
	if d.count++; d.count > most {
		d.makeRoom()
	}
	d.wg.Go(func() {
		defer cancel()
		d.bring(job, container, g)
		d.mu.Lock()
		defer d.mu.Unlock()
		d.done(e)
	})
	return nil
}

// makeRoom lets one complaint go, any of the container about which there are most. It may be
// brought again.
func (d *Desk) makeRoom() {
	var longest []*errand
	for n, all := range d.open {
		if len(all) > len(longest) || len(all) == len(longest) && bytes.Compare(n[:], longest[0].container[:]) < 0 {
			longest = all
		}
	}
	e := longest[rand.IntN(len(longest))]
	d.o.Log.Warn("so many players miss their machines that a complaint is not brought", "container", e.container, "others", len(longest)-1)
	delete(d.known, e.name)
	d.order = slices.DeleteFunc(d.order, func(o name) bool { return o == e.name })
	e.stop()
	d.done(e)
}

// done takes an errand off the list.
func (d *Desk) done(e *errand) {
	all := d.open[e.container]
	i := slices.Index(all, e)
	if i < 0 {
		return
	}
	d.count--
	if d.open[e.container] = slices.Delete(all, i, i+1); len(all) == 1 {
		delete(d.open, e.container)
	}
}

// bring finds checkers who can look before they vote, and tells them all.
func (d *Desk) bring(ctx context.Context, container key.Node, g *wire.Gone) {
	epoch := d.o.Book.EpochAt(d.now())
	for range panels {
		if roll, ok := d.roll(ctx, epoch); ok && d.now() < deadline(roll) {
			if told := d.tell(ctx, roll, container, g); told >= roll.Params.Quorum() {
				d.o.Log.Info("checkers look for a machine that a player missed", "container", container, "epoch", epoch, "checkers", told)
				return
			}
		}
		epoch++
		if !sleep(ctx, time.Duration(d.o.Book.EpochStart(epoch)-min(d.now(), d.o.Book.EpochStart(epoch)))*time.Millisecond) {
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
func (d *Desk) roll(ctx context.Context, epoch uint64) (*ledgeractor.Roll, bool) {
	for {
		ask, cancel := context.WithTimeout(ctx, callTime)
		r, err := d.o.Book.Roll(ask, epoch)
		cancel()
		if err == nil {
			return r, true
		}
		if d.now() >= d.o.Book.EpochStart(epoch+1) || !sleep(ctx, rollAgain) {
			return nil, false
		}
	}
}

// tell brings a complaint to everybody who is drawn for the container, and says how many of the
// committee took it: the reserve only speaks where that comes to nothing. Those who are busy are told
// again as long as they can look: else a container's friends could keep them so for a watch.
func (d *Desk) tell(ctx context.Context, r *ledgeractor.Roll, container key.Node, g *wire.Gone) (taken int) {
	at, _, ok := r.Assignment.Of(container)
	if !ok {
		return 0
	}
	b := &r.Assignment.Batches[at]
	left := slices.Concat(b.Committee, b.Reserve)
	pause := tryAgain
	for try := 1; len(left) > 0; try++ {
		if try > 1 {
			if d.now() >= deadline(r) || !sleep(ctx, pause) {
				return taken
			}
			pause = min(2*pause, waitMost)
		}
		if !d.turns.take(ctx, container) {
			return taken
		}
		answers := make([]answer, len(left))
		var wg sync.WaitGroup
		for i, n := range left {
			wg.Go(func() { answers[i] = d.ask(ctx, n, g) })
		}
		wg.Wait()
		d.turns.give()
		var again []key.Node
		for i, n := range left {
			switch {
			case answers[i] == took && slices.Contains(b.Committee, n):
				taken++
			case answers[i] == busy, answers[i] == lost && try < tries:
				again = append(again, n)
			}
		}
		left = again
	}
	return taken
}

// answer is what a checker says to a complaint.
type answer uint8

const (
	refused answer = iota
	took
	busy // it may take it later
	lost // it could not be reached
)

// ask brings a complaint to one checker.
func (d *Desk) ask(ctx context.Context, n key.Node, g *wire.Gone) answer {
	id, err := n.Peer()
	if err != nil {
		return refused
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	if err = d.o.Calls.Gone(ctx, id, g); err == nil {
		return took
	}
	d.o.Log.Debug("a checker did not take a complaint", "checker", n, "err", err)
	var no *rpc.Error
	switch {
	case !errors.As(err, &no):
		return lost
	case no.Code == wire.Code_BUSY:
		return busy
	}
	return refused
}

// sleep returns false when ctx ended meanwhile.
func sleep(ctx context.Context, t time.Duration) bool {
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

var _ Book = (*ledgeractor.Ledger)(nil)
