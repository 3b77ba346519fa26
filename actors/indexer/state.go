package indexer

import (
	"context"
	"errors"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/actors/indexer/match"
	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/p2p/wire"
)

// Messages of the actor.
type (
	adCame struct {
		from   peer.ID
		sealed []byte
		ad     *wire.Ad
	}
	matchAsked struct{ req *wire.MatchRequest } // answered with outcome or an error of package match
	countAds   struct{}                         // answered with int
	expire     struct{}                         // timer
	find       struct{}                         // timer
	found      struct {
		ids []peer.ID
		err error
	}
)

// outcome answers matchAsked. Nothing in it changes later.
type outcome struct {
	result   *match.Result
	indexers []peer.ID
}

// state is the actor: the table, and the indexers it knows. A restart begins with an
// empty table; the ads are back within 30 s.
type state struct {
	ix       *Indexer
	table    *match.Table
	indexers []peer.ID // this one first; replaced, never changed
	measure  measure
	refused  *refusals
	began    uint64 // unix ms
}

func newState(ix *Indexer) *state {
	s := &state{ix: ix, table: match.NewTable(ix.opts.MaxContainers), indexers: []peer.ID{ix.id}, measure: newMeasure(ix.opts.Figures), refused: newRefusals()}
	s.began = s.now()
	if ix.opts.Figures != nil {
		s.table = match.NewMeasuredTable(ix.opts.MaxContainers)
	}
	return s
}

// Receive handles one message; nothing in it waits.
func (s *state) Receive(c *supervise.Ctx, msg any) {
	switch m := msg.(type) {
	case supervise.Started:
		c.After(expireTime, expire{})
		s.find(c)
		s.look(c)
	case adCame:
		s.put(c, m)
	case matchAsked:
		result, err := s.table.Match(s.now(), m.req)
		if err != nil {
			c.Reply(err)
			return
		}
		c.Reply(outcome{result, s.indexers})
	case accountAsked:
		c.Reply(s.account(m.of))
	case adRefused:
		s.remind(m.from, m.why)
	case countAds:
		c.Reply(s.table.Len())
	case expire:
		s.table.Expire(s.now())
		s.ix.metrics.held.Set(float64(s.table.Len()))
		c.After(expireTime, expire{})
	case countProven:
		c.Reply(s.table.Proven())
	case look:
		s.look(c)
	case marked:
		s.mark(c, m)
	case measured:
		s.take(c, m)
	case find:
		s.find(c)
	case found:
		s.remember(c, m)
	case supervise.Stopping:
		s.ix.metrics.held.Set(0)
	}
}

func (s *state) now() uint64 { return uint64(max(s.ix.opts.Now().UnixMilli(), 0)) }

func (s *state) put(c *supervise.Ctx, m adCame) {
	err := s.table.Put(s.now(), m.from, m.ad, m.sealed)
	result := "accepted"
	switch {
	case err == nil:
		if !s.table.Measured(m.from) { // a container that came now
			s.want(m.from, s.measure.at.height)
			s.read(c)
		}
	case errors.Is(err, match.ErrStale):
		result = "stale"
	case errors.Is(err, match.ErrFull):
		result = "full"
		s.remind(m.from, "this indexer holds as many containers as it can; others may have room")
	default:
		result = "invalid"
		s.remind(m.from, err.Error())
		s.ix.opts.Log.Debug("indexer: ad refused", "container", m.from.String(), "err", err)
	}
	s.ix.metrics.ads.WithLabelValues(result).Inc()
	s.ix.metrics.held.Set(float64(s.table.Len()))
}

// find looks for the other indexers of the region, for the record of the draw.
func (s *state) find(c *supervise.Ctx) {
	f, region := s.ix.opts.Finder, s.ix.opts.Region
	if f == nil {
		return
	}
	c.Go(func(ctx context.Context) any {
		ctx, cancel := context.WithTimeout(ctx, findTime)
		defer cancel()
		peers, err := f.Find(ctx, "indexer", region, maxPeers)
		out := found{err: err}
		for _, p := range peers {
			out.ids = append(out.ids, p.ID)
		}
		return out
	})
}

func (s *state) remember(c *supervise.Ctx, m found) {
	if m.err != nil {
		s.ix.opts.Log.Debug("indexer: no other indexers found", "err", m.err)
	} else {
		ids := []peer.ID{s.ix.id}
		for _, id := range m.ids[:min(len(m.ids), maxPeers)] {
			if id != s.ix.id {
				ids = append(ids, id)
			}
		}
		s.indexers = ids
	}
	again := findTime
	if len(s.indexers) == 1 {
		again = findYoung
	}
	c.After(again, find{})
}
