package container

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/actors/session"
	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
	"github.com/framemesh/framemesh/stream"
)

// Messages of the container's actor.
type (
	reserve struct {
		from    peer.ID
		nonce   nonce
		ticket  *ticket // polls instead of reserving; the rest is unset then
		app     [32]byte
		title   string // of the app, when it is here
		here    bool
		player  []byte   // Ed25519 public key; empty without
		request [16]byte // the match request's id
		queue   bool
		terms   *wire.PayTerms // of a paid session; nil when it is free
	}
	lookup struct{ id [16]byte } // answered with a place

	// place is where a session is.
	place struct {
		ref   supervise.Ref
		app   [32]byte
		terms *wire.PayTerms
	}
	getAd       struct{}
	getSessions struct{}
	getStats    struct{}
	changed     struct{}
	announce    struct{}
	shutdown    struct{}
	second      struct{} // the queue's clock
	adDue       struct{}
	published   struct {
		ad  []byte // sealed; nil when it could not be made
		err error
	}
)

// lease is a slot and its session.
type lease struct {
	id      [16]byte
	secret  [32]byte
	nonce   nonce
	from    peer.ID
	app     [32]byte
	expires time.Time
	ref     supervise.Ref
	terms   *wire.PayTerms // nil when it is free
	sum     session.Summary
}

// used remembers that a certificate opened a session.
type used struct {
	nonce nonce
	at    time.Time
}

// state is the container's actor.
type state struct {
	c         *Container
	leases    map[[16]byte]*lease // by session
	byNonce   map[nonce]*lease
	byRef     map[supervise.Ref]*lease
	used      map[[16]byte]used // by match request, for as long as a certificate is good
	queue     queue
	wasted    wasted
	quality   quality
	settling  settling
	idleSince time.Time
	closing   bool

	ad       []byte        // sealed
	adSeq    atomic.Uint64 // of the newest; written by the one goroutine that makes ads
	adAt     time.Time     // when it was begun
	adYoung  time.Time     // since when ads may find somebody; the gap between them grows from there
	adTimer  func()
	adSoon   bool // a change waits for adTimer
	adMaking bool
	adAgain  bool // once the one being made is out
}

func newState(c *Container) *state {
	return &state{c: c, leases: map[[16]byte]*lease{}, byNonce: map[nonce]*lease{}, byRef: map[supervise.Ref]*lease{},
		used: map[[16]byte]used{}, wasted: wasted{}, idleSince: time.Now(), adYoung: time.Now()}
}

// Receive implements supervise.Behavior.
func (s *state) Receive(c *supervise.Ctx, msg any) {
	switch m := msg.(type) {
	case supervise.Started:
		c.After(time.Second, second{})
		s.publish(c)
		s.settle(c) // what an earlier run left
	case reserve:
		resp, result, err := s.reserve(c, m)
		s.c.metrics.reservations.WithLabelValues(result).Inc()
		if err != nil {
			c.Reply(err)
			return
		}
		c.Reply(resp)
	case lookup:
		if l := s.leases[m.id]; l != nil {
			c.Reply(place{l.ref, l.app, l.terms})
		} else {
			c.Reply(errNoSession)
		}
	case session.Summary:
		s.changedSession(m)
	case supervise.Terminated:
		s.ended(c, m.Ref)
	case getAd:
		c.Reply(s.ad)
	case getSessions:
		c.Reply(s.summaries())
	case getStats:
		c.Reply(Stats{Slots: s.slots(), Free: s.free(), Held: s.queue.held(), Waiting: len(s.queue.waiting), QualityPPM: s.quality.ppm()})
	case changed:
		s.dirty(c)
	case announce:
		s.adYoung = time.Now()
		s.dirty(c)
	case adDue:
		s.adTimer = nil
		s.publish(c)
	case published:
		s.published(c, m)
	case second:
		c.After(time.Second, second{})
		s.tick(c)
	case settleDue:
		s.settling.timer = nil
		s.settle(c)
	case settled:
		s.settled(c, m)
	case sessionOver:
		s.settle(c)
	case shutdown:
		s.shutdown(c)
	}
}

func (s *state) slots() int { return s.c.o.Device.Slots() }

// free counts the slots that nobody has and that are held for nobody.
func (s *state) free() int { return max(s.slots()-len(s.leases)-s.queue.held(), 0) }

// reserve decides on one request; result is for the metrics.
func (s *state) reserve(c *supervise.Ctx, m reserve) (resp *wire.ReserveResponse, result string, err error) {
	now := time.Now()
	if s.closing {
		return nil, "refused", rpc.Errorf(wire.Code_UNAVAILABLE, "this machine is going down; match again")
	}
	if l := s.byNonce[m.nonce]; l != nil {
		if l.from != m.from {
			return nil, "refused", rpc.Errorf(wire.Code_UNAUTHORISED, "this reservation is another's; reserve with a nonce of your own")
		}
		return s.leaseResponse(l), "again", nil
	}
	if m.ticket != nil {
		return s.poll(c, m, now)
	}
	if u, ok := s.used[m.request]; ok && u.nonce != m.nonce {
		return nil, "refused", rpc.Errorf(wire.Code_INVALID, "this certificate was used already; match again")
	} else if ok && !s.queue.has(m.nonce) {
		return nil, "refused", rpc.Errorf(wire.Code_EXPIRED, "this reservation is over; match again")
	}
	if !m.here && s.c.o.Fetch == nil {
		return nil, "refused", rpc.Errorf(wire.Code_NOT_FOUND, "this machine does not have the app and fetches none; match again")
	}
	if s.wasted.tooMany(m.from, s.slots(), now) {
		return nil, "wasteful", busy("too many reservations through this gateway were never used; try again in a minute")
	}
	if s.free() > 0 {
		l, err := s.open(c, waiter{nonce: m.nonce, from: m.from, app: m.app, title: m.title, player: m.player}, m.terms, now)
		if err != nil {
			return nil, "refused", err
		}
		s.used[m.request] = used{m.nonce, now}
		return s.leaseResponse(l), "leased", nil
	}
	if !m.queue {
		return nil, "busy", busy("every slot of this machine is in use; try the next one or wait in its queue")
	}
	w, place, err := s.queue.enter(waiter{ticket: ticket(random16()), nonce: m.nonce, from: m.from, app: m.app, title: m.title, player: m.player}, now)
	if err != nil {
		return nil, "busy", busy("too many players wait for this machine; try another")
	}
	s.used[m.request] = used{m.nonce, now}
	s.c.metrics.waiting.Set(float64(len(s.queue.waiting)))
	return &wire.ReserveResponse{Ticket: w.ticket[:], QueuePosition: uint32(place)}, "queued", nil
}

func busy(text string) error {
	e := rpc.Errorf(wire.Code_BUSY, "%s", text)
	e.RetryAfter = 2 * time.Second
	return e
}

// poll answers one who waits: a place, or the slot that came.
func (s *state) poll(c *supervise.Ctx, m reserve, now time.Time) (*wire.ReserveResponse, string, error) {
	w, place, err := s.queue.poll(*m.ticket, m.nonce, m.from, now)
	switch {
	case errors.Is(err, errTicketOther):
		return nil, "refused", rpc.Errorf(wire.Code_UNAUTHORISED, "this place in the queue is another's; take one of your own")
	case err != nil:
		return nil, "refused", rpc.Errorf(wire.Code_EXPIRED, "this place in the queue is gone, because nobody asked for it in time; match again")
	case place > 0:
		return &wire.ReserveResponse{Ticket: w.ticket[:], QueuePosition: uint32(place)}, "waiting", nil
	}
	s.queue.take(w.ticket) // its held slot becomes the lease's
	l, err := s.open(c, *w, m.terms, now)
	if err != nil {
		return nil, "refused", err
	}
	return s.leaseResponse(l), "leased", nil
}

// open spawns a session, which begins to load the app at once.
func (s *state) open(c *supervise.Ctx, w waiter, terms *wire.PayTerms, now time.Time) (*lease, error) {
	o := s.c.o.Session
	lifetime := o.Lease
	if lifetime == 0 {
		lifetime = 10 * time.Second
	}
	l := &lease{id: random16(), nonce: w.nonce, from: w.from, app: w.app, terms: terms, expires: now.Add(lifetime)}
	if terms != nil && len(w.player) == key.Size {
		l.id = tx.SessionName(key.Address(w.player), [8]byte(l.id[:8])) // nobody else can open it on the ledger
	}
	rand.Read(l.secret[:]) // never fails: the process ends instead
	self := c.Self()
	o.ID, o.Secret, o.Lease = l.id, l.secret, lifetime
	o.Info = s.info(w)
	o.Stream = s.c.o.Stream
	if s.c.saves != nil && len(w.player) == 32 {
		o.Save = s.c.saves.of(saveKey{w.app, [32]byte(w.player)})
	}
	var err error
	if o.Payment, err = s.c.payment(l.id, w.player, terms, func() { _ = self.Tell(sessionOver{}) }); err != nil {
		return nil, err
	}
	if err := s.c.prove(&o, w); err != nil {
		return nil, err
	}
	o.Acquire = func(ctx context.Context, fresh bool) (session.Slot, error) { return s.c.acquire(ctx, w.app, fresh) }
	o.Report = func(sum session.Summary) { _ = self.Tell(sum) }
	o.Abrupt = s.c.abrupt.Load
	o.Log = s.c.o.Log.With("session", hex.EncodeToString(l.id[:4]))
	behavior, err := session.New(o)
	if err == nil {
		l.ref, err = c.Spawn(session.Name(l.id), behavior, supervise.Restart(supervise.Backoff{}))
	}
	if err != nil {
		unprove(&o)
		return nil, err
	}
	l.sum = session.Summary{ID: l.id, Phase: session.Starting, App: o.Info.App, Started: now}
	s.leases[l.id], s.byNonce[l.nonce], s.byRef[l.ref] = l, l, l
	s.c.metrics.sessions.Set(float64(len(s.leases)))
	s.dirty(c)
	return l, nil
}

// info is what is known of the app before its worker says more.
func (s *state) info(w waiter) stream.SessionInfo {
	i := stream.SessionInfo{App: w.title, Width: 640, Height: 360, FPS: 60, Container: s.c.self.String()}
	if i.App == "" {
		i.App = fmt.Sprintf("%x", w.app[:4])
	}
	if known, ok := s.c.o.Device.Info(w.app); ok {
		i.Width, i.Height, i.FPS, i.Encoder = known.Width, known.Height, known.FPS, known.Encoder
	}
	return i
}

// acquire gets the app, fetching it if need be, and a slot of the device. It runs on
// the session's goroutine.
func (c *Container) acquire(ctx context.Context, sha [32]byte, fresh bool) (session.Slot, error) {
	app, ok := c.o.Apps.Get(sha)
	if !ok && c.o.Fetch != nil {
		if err := c.o.Fetch(ctx, sha); err != nil {
			return nil, fmt.Errorf("the app could not be fetched: %w", err)
		}
		app, ok = c.o.Apps.Get(sha)
		c.Changed()
	}
	if !ok {
		return nil, errNoApp
	}
	slot, err := c.o.Device.Acquire(c.double(app).App, fresh)
	if err != nil {
		return nil, err
	}
	return c.inventing(slot), nil
}

func (s *state) leaseResponse(l *lease) *wire.ReserveResponse {
	return &wire.ReserveResponse{SessionId: l.id[:], Secret: l.secret[:], ExpiresMs: uint64(l.expires.UnixMilli()),
		Warm: s.c.o.Device.Ready(l.app)}
}

func (s *state) changedSession(sum session.Summary) {
	if l := s.leases[sum.ID]; l != nil {
		l.sum = sum
	}
}

// ended takes a session out; its slot is free again, for those who wait first.
func (s *state) ended(c *supervise.Ctx, ref supervise.Ref) {
	l := s.byRef[ref]
	if l == nil {
		return
	}
	delete(s.leases, l.id)
	delete(s.byNonce, l.nonce)
	delete(s.byRef, ref)
	s.quality.add(l.sum.Good, l.sum.Seconds)
	s.c.metrics.ended.Inc()
	s.c.metrics.restarts.Add(float64(l.sum.Restarts))
	s.c.metrics.sessions.Set(float64(len(s.leases)))
	now := time.Now()
	if !l.sum.Offered && !now.Before(l.expires) {
		s.wasted.add(l.from, now)
	}
	if len(s.leases) == 0 {
		s.idleSince = now
	}
	s.queue.promote(s.free(), now)
	s.dirty(c)
}

// tick keeps the queue's promises and forgets certificates that are too old to be used.
func (s *state) tick(c *supervise.Ctx) {
	now := time.Now()
	if s.queue.expire(now) > 0 {
		s.queue.promote(s.free(), now)
		s.dirty(c)
	}
	s.c.metrics.waiting.Set(float64(len(s.queue.waiting)))
	s.wasted.forget(now)
	for id, u := range s.used {
		if now.Sub(u.at) > certificateAge+clockSkew {
			delete(s.used, id)
		}
	}
}

func (s *state) summaries() []session.Summary {
	out := make([]session.Summary, 0, len(s.leases))
	for _, l := range s.leases {
		out = append(out, l.sum)
	}
	slices.SortFunc(out, func(a, b session.Summary) int { return a.Started.Compare(b.Started) })
	return out
}

// shutdown advertises that nothing is free, then stops; the sessions say goodbye as
// they are stopped with it.
func (s *state) shutdown(c *supervise.Ctx) {
	if s.closing {
		return
	}
	s.closing = true
	if s.adTimer != nil {
		s.adTimer()
	}
	s.publish(c)
}

func random16() (b [16]byte) {
	rand.Read(b[:]) // never fails: the process ends instead
	return b
}
