package checker

import (
	"context"
	"crypto/ed25519"
	"errors"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/witness"
	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
)

// A watch: a player says that its container went in the middle of a paid session, and this
// checker looks whether that is so. It asks the container again and again, for long enough that a
// node that was started again is there; any answer ends it, a refusal too.
const (
	watchAsks   = 6                      // questions of one watch
	watchWait   = 250 * time.Millisecond // for an answer, at least
	watchRead   = 10 * time.Second       // for one look at the ledger
	watchesAt   = 256                    // watches at the same time: six questions in a minute each
	watchesEach = 8                      // of one container that has not answered, in an epoch
	watchesMost = 1 << 14                // sessions that are remembered, in an epoch
)

// watchState is what is known of a watch of this epoch.
type watchState uint8

const (
	watchLooks watchState = iota + 1
	watchSilent
	watchHeard // it takes no room from others: or whoever is about to go could have it all taken
)

type (
	// watchOf names a watch of an epoch.
	watchOf struct {
		container key.Node
		session   [16]byte
	}
	complaint struct {
		watchOf
		player [32]byte
		gone   witness.Gone
	}
	// mayWatch asks whether a complaint can be looked into, before the ledger is asked.
	mayWatch struct{ complaint }
	watched  struct {
		epoch uint64
		complaint
		watch     *proof.Watch // nil where there was nothing to look at
		err       error
		unfounded bool
	}
)

// Gone implements check.Checker. Who brings it does not matter: the player has signed it. Only
// what the ledger has a session for takes the room of a watch: keys that sign are free.
func (r *Rounds) Gone(ctx context.Context, _ peer.ID, g *wire.Gone) error {
	m := complaintOf(g)
	refuse := func(code wire.Code, text string) error {
		r.metrics.watches.WithLabelValues("refused").Inc()
		return rpc.Errorf(code, "%s", text)
	}
	if err := m.gone.Verify(m.of(r.o.Book.Chain())); err != nil {
		return refuse(wire.Code_UNAUTHORISED, "the player of that session did not sign this, or the container has not taken it, or for another network")
	}
	now := uint64(max(r.o.Now().UnixMilli(), 0))
	book := r.o.Book
	epoch := book.EpochAt(now)
	if !m.gone.Timely(now, book.EpochStart(epoch+1)-book.EpochStart(epoch)) {
		return refuse(wire.Code_EXPIRED, "it was said long ago, or the player's clock is wrong; set the clock")
	}
	if _, err := supervise.Ask[bool](ctx, r.ref, mayWatch{m}); err != nil {
		return err
	}
	switch unfounded, err := r.unfounded(ctx, epoch, m); {
	case err != nil:
		return refuse(wire.Code_BUSY, "this checker cannot read the ledger; bring it again in a moment")
	case unfounded:
		r.metrics.watches.WithLabelValues("unfounded").Inc()
		return rpc.Errorf(wire.Code_NOT_FOUND, "the ledger has no session of that player from which the container could have gone now")
	}
	_, err := supervise.Ask[bool](ctx, r.ref, m)
	return err
}

func complaintOf(g *wire.Gone) complaint {
	return complaint{watchOf{key.Node(g.GetContainer()), [16]byte(g.GetSession())}, [32]byte(g.GetPlayer()),
		witness.Gone{Seconds: g.GetSeconds(), AtMS: g.GetAtMs(), Signature: [ed25519.SignatureSize]byte(g.GetSignature()),
			Taken: witness.Taken{PerSecond: g.GetPerSecond(), OpenedMS: g.GetOpenedMs(), Signature: [ed25519.SignatureSize]byte(g.GetTaken())}}}
}

func (m *complaint) of(chain string) witness.Session {
	return witness.Session{Chain: chain, Container: m.container, ID: m.session, Player: m.player}
}

func (m *complaint) wire() *wire.Gone {
	return &wire.Gone{Container: m.container[:], Session: m.session[:], Player: m.player[:], Seconds: m.gone.Seconds, AtMs: m.gone.AtMS, Signature: m.gone.Signature[:],
		PerSecond: m.gone.Taken.PerSecond, OpenedMs: m.gone.Taken.OpenedMS, Taken: m.gone.Taken.Signature[:]}
}

// mayWatch says whether there is time and room to look for a container; it replies where not.
func (s *rounds) mayWatch(c *supervise.Ctx, m complaint) bool {
	no := func(code wire.Code, text string) bool {
		s.r.metrics.watches.WithLabelValues("refused").Inc()
		c.Reply(&rpc.Error{Code: code, Message: text, RetryAfter: time.Second})
		return false
	}
	if s.round == nil {
		return no(wire.Code_BUSY, "this checker does not know the epoch's round yet; bring it again in a moment")
	}
	vote := s.round.Votes(m.container)
	each := 0
	for w, state := range s.watches {
		if w.container == m.container && state != watchHeard {
			each++
		}
	}
	watch := s.roll.Params.WatchMS()
	switch {
	case vote == 0:
		return no(wire.Code_UNAUTHORISED, "this checker does not judge that container in this epoch; compare the assignment")
	case s.watches[m.watchOf] != 0:
		return true // it looks already, or did
	case s.now()+watch+watch/2 > vote:
		return no(wire.Code_EXPIRED, "votes are made before anybody could look; bring it to the next epoch's checkers")
	case each >= watchesEach || len(s.watches) >= watchesMost:
		return no(wire.Code_BUSY, "this checker looks for it already")
	}
	return true
}

// complaint begins a watch, where there is time for one before the vote.
func (s *rounds) complaint(c *supervise.Ctx, m complaint) {
	if !s.mayWatch(c, m) {
		return
	}
	c.Reply(true)
	if s.watches[m.watchOf] != 0 {
		return
	}
	watch := s.roll.Params.WatchMS()
	s.watches[m.watchOf] = watchLooks
	r, epoch := s.r, s.epoch
	c.Go(func(ctx context.Context) any {
		select {
		case r.watching <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		defer func() { <-r.watching }()
		return r.watch(ctx, epoch, m, time.Duration(watch)*time.Millisecond)
	})
}

// watch looks for the container, then at the ledger again: a session that was settled meanwhile
// is no dropped one.
func (r *Rounds) watch(ctx context.Context, epoch uint64, m complaint, length time.Duration) watched {
	out := watched{epoch: epoch, complaint: m}
	w := &proof.Watch{Epoch: epoch, Container: m.container[:], Session: m.session[:]}
	pause := length / (watchAsks - 1) // the first at once, the last when it is over
	for range watchAsks {
		next := time.After(pause)
		w.Asked++
		if r.hears(ctx, m.container, epoch, max(min(pause, pingTime), watchWait)) {
			w.Answered++
			break
		}
		if w.Asked == watchAsks {
			break
		}
		select {
		case <-next:
		case <-ctx.Done():
			out.err = ctx.Err()
			return out
		}
	}
	out.watch = w
	if w.Answered > 0 {
		return out
	}
	out.unfounded, out.err = r.unfounded(ctx, epoch, m)
	return out
}

// unfounded says whether the ledger has no session from which the container could have gone
// now: one of this player that it had taken, not settled, whose seconds have not run out. That the player has begun
// to close it since it complained is no answer of the container's.
func (r *Rounds) unfounded(ctx context.Context, epoch uint64, m complaint) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, watchRead)
	defer cancel()
	s, ok, err := r.o.Book.Session(ctx, m.container, m.session)
	if err != nil {
		return false, err
	}
	now := uint64(max(r.o.Now().UnixMilli(), 0))
	return !ok || !m.gone.Taken.Means(s.PerSecond, s.OpenedMS) || !s.Awaits(key.Address(m.player), m.gone.Seconds, now, r.o.Book.EpochStart(epoch-min(epoch, 1))), nil
}

// hears asks a container once whether it is there. Whatever it says, a refusal too, it is.
func (r *Rounds) hears(ctx context.Context, n key.Node, epoch uint64, wait time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if _, ok, err := r.pingOnce(ctx, n, epoch); err != nil || ok {
		var said *rpc.Error
		return ok || errors.As(err, &said)
	}
	return true // it signed something else, but it did
}

// watched takes what a watch has heard.
func (s *rounds) watched(c *supervise.Ctx, m watched) {
	count := func(what string) { s.r.metrics.watches.WithLabelValues(what).Inc() }
	if m.err != nil || m.unfounded {
		if m.epoch == s.epoch {
			delete(s.watches, m.watchOf) // who has signed something else makes no room for nobody
		}
		count("unfounded")
		c.Log().Debug("a player's complaint leads nowhere", "container", m.container, "err", m.err)
		return
	}
	if m.epoch == s.epoch {
		s.watches[m.watchOf] = watchSilent
		if m.watch.GetAnswered() > 0 {
			s.watches[m.watchOf] = watchHeard
		}
	}
	o, err := proof.Sign(s.r.o.Book.Chain(), s.r.o.Key, &proof.Statement{Says: &proof.Statement_Watch{Watch: m.watch}})
	if err == nil {
		s.keepWatch(c, m, o)
	}
	switch {
	case m.watch.GetAnswered() > 0:
		count("answered")
	case m.epoch == s.epoch && s.round != nil && s.round.Missed(m.container, m.session):
		count("silent")
		s.report(m.epoch).Missed++
		s.changed(c)
		c.Log().Info("a container is gone while a player pays for a session", "container", m.container, "epoch", m.epoch)
	default:
		count("late")
	}
}
