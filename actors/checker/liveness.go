package checker

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
)

// Liveness: in each interval of an epoch, at an instant that the seed and this checker's key
// choose, each of its containers gets a nonce to sign. What it signs cannot be made by the
// checker, so nobody invents uptime; downtime that one checker invents is outvoted.
const (
	pingEvery  = time.Minute
	pingsLeast = 10 // intervals of a short epoch
	pingTime   = 2 * time.Second
	pingTries  = 2 // a lost packet is no downtime
	pingsAtOne = 16
)

type (
	pingDue struct {
		epoch    uint64
		interval uint64
	}
	pinged struct {
		epoch     uint64
		container key.Node
		rtt       uint32
		ok        bool
		elsewhere bool // it answered from outside of where it declared to live
	}
)

// interval is how long one is, in ms.
func (s *rounds) interval() uint64 {
	book := s.r.o.Book
	length := book.EpochStart(s.epoch+1) - book.EpochStart(s.epoch)
	return max(min(uint64(pingEvery.Milliseconds()), length/pingsLeast), 1)
}

// pingAt is the instant of an interval, in ms of unix time.
func (s *rounds) pingAt(interval uint64) uint64 {
	h := sha256.New()
	h.Write([]byte("framemesh/ping/1"))
	h.Write(s.roll.Seed[:])
	h.Write(s.r.self[:])
	h.Write(binary.BigEndian.AppendUint64(nil, interval))
	ms := s.interval()
	return s.r.o.Book.EpochStart(s.epoch) + interval*ms + binary.BigEndian.Uint64(h.Sum(nil))%ms
}

// schedulePings waits for the next instant that is still to come.
func (s *rounds) schedulePings(c *supervise.Ctx) {
	now, ms := s.now(), s.interval()
	i := (now - min(s.r.o.Book.EpochStart(s.epoch), now)) / ms
	for ; s.pingAt(i) <= now; i++ {
	}
	if s.pingAt(i) >= s.roll.Times.VoteBy {
		return // what is found out later comes too late for the vote
	}
	c.After(s.until(s.pingAt(i)), pingDue{s.epoch, i})
}

func (s *rounds) pingDue(c *supervise.Ctx, m pingDue) {
	if m.epoch != s.epoch || s.round == nil {
		return
	}
	containers := s.round.Containers()
	r, epoch, self := s.r, s.epoch, c.Self()
	seats := make(chan struct{}, pingsAtOne)
	for _, n := range containers {
		c.Go(func(ctx context.Context) any {
			select {
			case seats <- struct{}{}:
			case <-ctx.Done():
				return nil
			}
			defer func() { <-seats }()
			p := pinged{epoch: epoch, container: n}
			for try := 0; try < pingTries && !p.ok && ctx.Err() == nil; try++ {
				p.rtt, p.ok = r.ping(ctx, n, epoch)
			}
			if p.ok && r.elsewhere(n) {
				p.ok, p.elsewhere = false, true
			}
			if ctx.Err() == nil && self.Tell(p) != nil {
				r.metrics.dropped.Inc()
			}
			return nil
		})
	}
	s.schedulePings(c)
}

// elsewhere says whether a container is met where it does not say that it lives: a neighbour of
// this checker, or of another, that is to be checked by strangers.
func (r *Rounds) elsewhere(n key.Node) bool {
	if r.o.Elsewhere == nil {
		return false
	}
	id, err := n.Peer()
	return err == nil && r.o.Elsewhere(id)
}

// ping asks one container once and checks what it signed.
func (r *Rounds) ping(ctx context.Context, n key.Node, epoch uint64) (rtt uint32, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, pingTime)
	defer cancel()
	rtt, ok, err := r.pingOnce(ctx, n, epoch)
	return rtt, ok && err == nil
}

// pingOnce says whether a container signed what it was asked to; err is that of the call, where
// no answer came or the container refused.
func (r *Rounds) pingOnce(ctx context.Context, n key.Node, epoch uint64) (rtt uint32, ok bool, err error) {
	nonce := make([]byte, 32)
	_, _ = rand.Read(nonce) // never fails
	id, err := n.Peer()
	if err != nil {
		return 0, false, err
	}
	raw, took, err := r.o.Calls.Ping(ctx, id, epoch, nonce)
	if err != nil {
		return 0, false, err
	}
	o, err := proof.Open(r.o.Book.Chain(), raw)
	if err != nil || o.Signer != n {
		return 0, false, nil
	}
	p := o.Statement.GetPong()
	ok = p != nil && p.GetEpoch() == epoch && string(p.GetNonce()) == string(nonce) && string(p.GetChecker()) == string(r.self[:])
	return milliseconds(took), ok, nil
}

func (s *rounds) pinged(m pinged) {
	result, pongs := "missed", uint32(0)
	switch {
	case m.ok:
		result, pongs = "answered", 1
	case m.elsewhere:
		result = "elsewhere"
		s.r.o.Log.Info("a container answers from outside of the subnets that it declared; that counts as no answer", "container", m.container, "epoch", m.epoch)
	}
	s.r.metrics.pings.WithLabelValues(result).Inc()
	if m.epoch != s.epoch || s.round == nil {
		return
	}
	if m.ok {
		s.roundTrip(m.container, m.rtt)
	}
	sent, pongs := s.double.Measured(m.container, 1, pongs)
	s.round.Measured(m.container, sent, pongs, nil)
	s.dirty = true
}
