package gateway

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/gpu/app/store"
	"github.com/framemesh/framemesh/p2p/wire"
)

// Messages to the gateway's actor.
type (
	adSeen struct {
		from peer.ID
		ad   *wire.Ad
	}
	manifestCame struct {
		errand
		meta App
		err  error
	}
	indexersFound struct {
		ids []peer.ID
		err error
	}
	tick        struct{}
	getCounts   struct{}
	counts      struct{ containers, indexers int }
	getApps     struct{}
	getIndexers struct{}
	resolveApp  struct{ name string }
	target      struct {
		app     sha
		found   bool
		holders []peer.ID
	}
	getPicture struct{ app string }
	picture    struct {
		app sha
		png []byte
	}
	putSession struct {
		id string
		s  session
	}
	addPeer struct {
		session, peer string
		token         []byte
	}
	dropPeer   struct{ session, peer string }
	getSession struct{ id string }
	putTicket  struct {
		id string
		t  ticket
	}
	getTicket  struct{ id string }
	dropTicket struct{ id string }
	leaseCame  struct {
		ticket string
		lease  lease
	}
)

// Periods of the gateway's housekeeping.
const (
	tickEvery   = time.Second
	findEvery   = 15 * time.Second
	findYoung   = time.Second // while no indexer is known
	findTimeout = 10 * time.Second
	metaTimeout = 5 * time.Second
	maxIndexers = 32
	maxPictures = 256
)

// state is the actor that owns everything a gateway remembers.
type state struct {
	o        Options
	cat      *catalogue
	sessions *table[string, session]
	tickets  *table[string, ticket]
	pictures map[sha][]byte
	indexers []peer.ID
	errands  *errands
	nextFind time.Time
	finding  bool
}

func newState(o Options) *state {
	return &state{o: o, cat: newCatalogue(),
		sessions: newTable[string](maxSessions, sessionKept, func(s *session) *time.Time { return &s.used }),
		tickets:  newTable[string](maxTickets, ticketKept, func(t *ticket) *time.Time { return &t.used }),
		pictures: map[sha][]byte{}, errands: newErrands()}
}

// Receive never blocks: the network is asked in goroutines the actor owns.
func (s *state) Receive(c *supervise.Ctx, msg any) {
	now := s.o.Now()
	switch m := msg.(type) {
	case supervise.Started:
		s.housekeeping(c, now)
	case tick:
		s.housekeeping(c, now)
	case adSeen:
		for _, a := range s.cat.put(m.from, m.ad) {
			s.errands.want(errand{a, m.from})
		}
		s.fetchManifests(c)
	case manifestCame:
		s.errands.done(m.errand, m.err == nil)
		if m.err != nil {
			s.o.Log.Debug("no manifest", "app", m.app.String(), "err", m.err)
		} else {
			s.cat.meta[m.app] = m.meta
		}
		s.fetchManifests(c)
	case indexersFound:
		s.finding = false
		if m.err != nil {
			s.o.Log.Debug("no indexers found", "err", m.err)
		} else if len(m.ids) > 0 {
			s.indexers = m.ids
		}
		if len(s.indexers) == 0 {
			s.nextFind = now.Add(findYoung)
		}
	case getCounts:
		c.Reply(counts{len(s.cat.ads), len(s.indexers)})
	case getApps:
		c.Reply(s.cat.apps(now))
	case getIndexers:
		c.Reply(append([]peer.ID(nil), s.indexers...))
	case resolveApp:
		a, ok := s.cat.resolve(m.name)
		c.Reply(target{a, ok, s.cat.holders(a)})
	case getPicture:
		a, _ := s.cat.resolve(m.app)
		c.Reply(picture{a, s.pictures[a]})
	case picture:
		if len(s.pictures) >= maxPictures {
			clear(s.pictures)
		}
		s.pictures[m.app] = m.png
	default:
		s.receiveSession(c, msg, now)
	}
}

func (s *state) receiveSession(c *supervise.Ctx, msg any, now time.Time) {
	switch m := msg.(type) {
	case putSession:
		s.sessions.put(m.id, &m.s, now)
		c.Reply(true)
	case addPeer:
		if v := s.sessions.get(m.session, now); v != nil {
			v.join(m.peer, m.token)
		}
		c.Reply(true)
	case dropPeer:
		if v := s.sessions.get(m.session, now); v != nil {
			v.leave(m.peer)
		}
		c.Reply(true)
	case getSession:
		if v := s.sessions.get(m.id, now); v != nil {
			copied := *v
			copied.conns = slices.Clone(v.conns)
			c.Reply(&copied)
			return
		}
		c.Reply((*session)(nil))
	case putTicket:
		s.tickets.put(m.id, &m.t, now)
		c.Reply(true)
	case getTicket:
		if v := s.tickets.get(m.id, now); v != nil {
			copied := *v
			c.Reply(&copied)
			return
		}
		c.Reply((*ticket)(nil))
	case leaseCame:
		if v := s.tickets.get(m.ticket, now); v != nil {
			v.lease = &m.lease
		}
		c.Reply(true)
	case dropTicket:
		delete(s.tickets.m, m.id)
		c.Reply(true)
	}
}

func (s *state) housekeeping(c *supervise.Ctx, now time.Time) {
	s.cat.expire(now)
	s.sessions.expire(now)
	s.tickets.expire(now)
	s.errands.keep(func(x errand) bool { return s.cat.offers(x.from, x.app) })
	if !s.finding && !now.Before(s.nextFind) {
		s.finding, s.nextFind = true, now.Add(findEvery)
		o := s.o
		c.Go(func(ctx context.Context) any {
			ctx, cancel := context.WithTimeout(ctx, findTimeout)
			defer cancel()
			found, err := o.Finder.Find(ctx, "indexer", o.Region, maxIndexers)
			ids := make([]peer.ID, 0, len(found))
			for _, f := range found {
				o.Net.Remember(f)
				ids = append(ids, f.ID)
			}
			return indexersFound{ids, err}
		})
	}
	c.After(tickEvery, tick{})
}

// fetchManifests asks containers for the manifests of the apps they advertised, as
// many at a time as the bounds allow.
func (s *state) fetchManifests(c *supervise.Ctx) {
	known := func(a sha) bool { return s.cat.meta[a].ID != "" }
	for {
		x, ok := s.errands.next(known)
		if !ok {
			return
		}
		o := s.o
		c.Go(func(ctx context.Context) any {
			ctx, cancel := context.WithTimeout(ctx, metaTimeout)
			defer cancel()
			var resp wire.AppResponse
			if err := o.Calls.Call(ctx, x.from, "app", &wire.AppRequest{Sha256: x.app[:]}, &resp); err != nil {
				return manifestCame{errand: x, err: err}
			}
			m, err := store.ParseManifest(resp.Manifest)
			if err != nil {
				return manifestCame{errand: x, err: fmt.Errorf("gateway: manifest of %s from %s: %w", x.app, x.from, err)}
			}
			return manifestCame{errand: x, meta: appOf(x.app, m)}
		})
	}
}
