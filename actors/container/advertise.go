package container

import (
	"context"
	"time"

	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/p2p/seal"
)

// dirty publishes soon: at once when the last ad is old enough.
func (s *state) dirty(c *supervise.Ctx) {
	if s.closing || s.adSoon {
		return
	}
	s.adSoon = true
	if s.adTimer != nil {
		s.adTimer()
	}
	s.adTimer = c.After(max(adSpacing-time.Since(s.adAt), 0), adDue{})
}

// publish makes, seals and gossips the ad of this moment, one at a time, away from
// the actor: the list of apps is on the disk. A young container repeats itself more
// often, because its first ads may find nobody.
func (s *state) publish(c *supervise.Ctx) {
	s.adSoon = false
	if s.adMaking {
		s.adAgain = true
		return
	}
	s.adMaking = true
	o, now := s.c.o, time.Now()
	s.adAt = now
	q := s.quality
	for _, l := range s.leases {
		q.add(l.sum.Good, l.sum.Seconds)
	}
	f := adFacts{self: s.c.self, region: o.Region, info: o.Device.Info, score: o.Score, slots: s.slots(), free: s.free(),
		encoders: o.Encoders, price: o.Price, stake: o.Stake(), quality: q, coordinate: o.Coordinate, idleSince: s.idleSince, fetches: o.Fetch != nil}
	ttl := adTTL
	if s.closing {
		ttl, f.free = lastAdTTL, 0
	}
	seq := &s.adSeq
	c.Go(func(ctx context.Context) any {
		f.apps, f.addrs = o.Apps.List(), o.Addrs()
		ad := makeAd(f, seq.Load(), now, ttl)
		sealed, err := seal.Seal(o.Network, seal.TypeAd, ad, o.Key)
		if err != nil {
			return published{err: err}
		}
		seq.Store(ad.Seq)
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		return published{sealed, o.Publish(ctx, o.Region, sealed)}
	})
	if !s.closing {
		s.adTimer = c.After(adGap(now.Sub(s.adYoung)), adDue{})
	}
}

// adGap is the time from an ad to the next one without a change, by how long the container
// has been there: ads go out 0, 1, 2, 4, 8, 16 s after the start and then every adEvery.
func adGap(age time.Duration) time.Duration { return min(max(age, adSpacing), adEvery) }

func (s *state) published(c *supervise.Ctx, m published) {
	s.adMaking = false
	result := "ok"
	if m.err != nil {
		result = "failed"
		s.c.o.Log.Warn("ad not published", "err", m.err)
	}
	s.c.metrics.ads.WithLabelValues(result).Inc()
	if m.ad != nil {
		s.ad = m.ad
	}
	switch {
	case s.adAgain:
		s.adAgain = false
		if s.adTimer != nil {
			s.adTimer()
		}
		s.publish(c)
	case s.closing:
		c.Self().Stop()
	}
}
