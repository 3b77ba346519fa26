package checker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/actors/checker/round"
	ledgeractor "github.com/framemesh/framemesh/actors/ledger"
	"github.com/framemesh/framemesh/actors/record"
	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/key"
)

const (
	rollRetry  = 300 * time.Millisecond // until the seed of an epoch can be read
	rollTime   = 20 * time.Second       // for one try
	standAtOne = 8                      // standings read at the same time
)

// readRoll reads who checks whom, how the containers stand, and what an earlier run left.
func (s *rounds) readRoll(c *supervise.Ctx) {
	epoch, r := s.epoch, s.r
	c.Go(func(ctx context.Context) any {
		ctx, cancel := context.WithTimeout(ctx, rollTime)
		defer cancel()
		m := rollRead{epoch: epoch}
		if m.roll, m.err = r.awaitRoll(ctx, epoch); m.err != nil {
			return m
		}
		if m.standing, m.err = r.standings(ctx, m.roll); m.err != nil {
			return m
		}
		b, err := record.Read(r.file(epoch), maxRound)
		if err == nil {
			m.saved = b
		} else if !record.Missing(err) {
			m.err = fmt.Errorf("%w: %w", errSaved, err)
		}
		return m
	})
}

// awaitRoll reads the roll of an epoch as soon as a block shows it.
func (r *Rounds) awaitRoll(ctx context.Context, epoch uint64) (*ledgeractor.Roll, error) {
	for {
		block := r.o.Book.NextBlock()
		roll, err := r.o.Book.Roll(ctx, epoch)
		if err == nil || ctx.Err() != nil {
			return roll, err
		}
		select {
		case <-block:
		case <-time.After(rollRetry):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// standings reads how the containers of this checker's batches stand.
func (r *Rounds) standings(ctx context.Context, roll *ledgeractor.Roll) (map[key.Node]judge.Standing, error) {
	var all []key.Node
	for _, d := range roll.Assignment.Duties(r.self) {
		all = append(all, roll.Assignment.Batches[d.Batch].Containers...)
	}
	var (
		mu  sync.Mutex
		wg  sync.WaitGroup
		bad error
		out = map[key.Node]judge.Standing{}
		seq = make(chan key.Node)
	)
	for range min(standAtOne, len(all)) {
		wg.Go(func() {
			for n := range seq {
				st, err := r.o.Book.Standing(ctx, n)
				mu.Lock()
				out[n] = st
				if err != nil {
					bad = err
				}
				mu.Unlock()
			}
		})
	}
	for _, n := range all {
		seq <- n
	}
	close(seq)
	wg.Wait()
	return out, bad
}

func (s *rounds) rollRead(c *supervise.Ctx, m rollRead) {
	if m.epoch != s.epoch || s.round != nil {
		return
	}
	switch {
	case errors.Is(m.err, errSaved):
		s.lost(c, m.err)
		return
	case m.err != nil:
		c.Log().Debug("the round cannot be read yet", "epoch", m.epoch, "err", m.err)
		c.After(rollRetry, retryRoll{m.epoch})
		return
	}
	setup := round.Setup{Chain: s.r.o.Book.Chain(), Key: s.r.o.Key, Assignment: m.roll.Assignment,
		Times: m.roll.Times, Params: m.roll.Params, Kernel: s.r.o.Kernel, CrossPPM: s.r.o.CrossPPM,
		Secret:   round.Secret(s.r.o.Key, s.r.o.Book.Chain(), m.epoch),
		Standing: func(n key.Node) judge.Standing { return m.standing[n] }, InSession: s.inSession}
	result := "begun"
	var err error
	if m.saved != nil {
		result = "restored"
		s.round, err = round.Restore(setup, m.saved)
	} else {
		s.round, err = round.New(setup)
	}
	if err != nil {
		s.round = nil
		s.lost(c, err)
		return
	}
	s.roll, s.t0 = m.roll, m.roll.Times.T0
	s.r.metrics.batches.Set(float64(s.round.Duties()))
	early := s.early
	s.early = nil
	if s.round.Duties() == 0 {
		return
	}
	s.r.metrics.rounds.WithLabelValues(result).Inc()
	rep := s.report(s.epoch)
	rep.Batches, rep.Challenged = 0, nil
	for _, d := range m.roll.Assignment.Duties(s.r.self) {
		if d.Attempt == 0 {
			rep.Batches++
			rep.Challenged = append(rep.Challenged, m.roll.Assignment.Batches[d.Batch].Containers...)
		}
	}
	s.meet(c)
	s.do(c, s.round.At(s.now()))
	for _, e := range early {
		s.hear(c, e)
	}
	if m.saved != nil {
		s.recallAll(c)
	}
	s.schedulePings(c)
	s.scheduleAudits(c)
	c.After(s.until(m.roll.Times.RevealBy), lookForCertificates{epoch: s.epoch})
}

func (s *rounds) lost(c *supervise.Ctx, err error) {
	s.r.metrics.rounds.WithLabelValues("lost").Inc()
	c.Log().Error("this checker keeps out of the epoch", "epoch", s.epoch, "err", err)
}

// meet connects to the other members of this checker's committees.
func (s *rounds) meet(c *supervise.Ctx) {
	seen := map[key.Node]bool{s.r.self: true}
	var ids []peer.ID
	for _, d := range s.roll.Assignment.Duties(s.r.self) {
		b := &s.roll.Assignment.Batches[d.Batch]
		for _, list := range [][]key.Node{b.Committee, b.Reserve} {
			for _, n := range list {
				if seen[n] {
					continue
				}
				seen[n] = true
				if id, err := n.Peer(); err == nil {
					ids = append(ids, id)
				}
			}
		}
	}
	meet := s.r.o.Meet
	c.Go(func(ctx context.Context) any { meet(ctx, ids); return nil })
}
