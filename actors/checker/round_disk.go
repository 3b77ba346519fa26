package checker

import (
	"context"
	"errors"
	"path/filepath"
	"strconv"
	"time"

	"github.com/framemesh/framemesh/actors/checker/round"
	"github.com/framemesh/framemesh/actors/record"
	"github.com/framemesh/framemesh/actors/supervise"
)

const (
	maxRound   = 16 << 20    // bytes of a saved round
	saveLater  = time.Second // how long what need not be on the disk at once waits
	keptRounds = 4           // files of rounds that are kept
)

// errSaved: what an earlier run left cannot be read, so what it signed is unknown.
var errSaved = errors.New("checker: the saved round cannot be read")

// file is where a round is kept.
func (r *Rounds) file(epoch uint64) string {
	return filepath.Join(r.o.Dir, "round-"+strconv.FormatUint(epoch, 10))
}

// changed notes that the disk is behind, and catches up soon.
func (s *rounds) changed(c *supervise.Ctx) {
	s.dirty = true
	if !s.saving {
		s.saving = true
		c.After(saveLater, saveDue{s.epoch})
	}
}

// write brings the round to the disk and then sends what waited for that. One write is
// under way at a time, so that an older state never replaces a newer one.
func (s *rounds) write(c *supervise.Ctx) {
	if s.writing || s.round == nil || !s.dirty {
		return
	}
	b, err := s.round.Save()
	if err != nil {
		s.written(c, written{s.epoch, nil, err})
		return
	}
	epoch, out, path := s.epoch, s.outbox, s.r.file(s.epoch)
	s.outbox, s.dirty, s.writing = nil, false, true
	r := s.r
	c.Go(func(context.Context) any {
		err := record.Write(path, b)
		if err == nil && epoch >= keptRounds {
			r.forget(epoch - keptRounds)
		}
		return written{epoch, out, err}
	})
}

func (s *rounds) written(c *supervise.Ctx, m written) {
	s.writing = false
	if m.err != nil {
		c.Log().Error("nothing is said that cannot be kept; make room on the disk", "epoch", m.epoch, "err", m.err)
		if m.epoch == s.epoch {
			s.round = nil
			s.r.metrics.rounds.WithLabelValues("lost").Inc()
		}
		return
	}
	for _, a := range m.out {
		switch a := a.(type) {
		case round.Publish:
			s.publish(c, a)
		case round.Submit:
			s.submit(c, m.epoch, a)
		}
	}
	if s.dirty && len(s.outbox) > 0 {
		s.write(c)
	}
}

// ballot keeps the votes behind a result that this checker attests.
func (s *rounds) ballot(c *supervise.Ctx, a round.Ballot) {
	r, log := s.r, c.Log()
	c.Go(func(context.Context) any {
		if err := r.proofs.keepBallot(a.Result, a.File); err != nil {
			log.Warn("the votes on a batch are not kept; make room on the disk", "batch", a.Batch, "err", err)
		}
		return nil
	})
}
