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
	maxRound   = 16 << 20              // bytes of a saved round
	saveLater  = time.Second           // how long what need not be on the disk at once waits
	keptRounds = 4                     // files of rounds that are kept
	stampTime  = 50 * time.Millisecond // in which stamps go to the disk together, before the containers hear of them
)

// errSaved: what an earlier run left cannot be read, so what it signed is unknown.
var errSaved = errors.New("checker: the saved round cannot be read")

// errUnkept: a stamp that this checker may forget is none.
var errUnkept = errors.New("checker: the commitment could not be kept; hand in again")

// stampKept is an answer to a container that waits for the disk.
type stampKept struct {
	reply func(any)
	stamp stamped
}

// answerStamps gives the answers of stamps that are on the disk, or none of which may be trusted.
func answerStamps(all []stampKept, kept bool) {
	for _, a := range all {
		if kept {
			a.reply(a.stamp)
		} else {
			a.reply(errUnkept)
		}
	}
}

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

// stamp answers the current message once the disk has the stamp: who answers at once and is
// killed would not know the commitment that it told the container it has. The disk is slow and
// all containers hand in at the same time, so stamps wait a moment for others. What counts as
// the arrival was taken before.
func (s *rounds) stamp(c *supervise.Ctx, m stamped) {
	s.stamps = append(s.stamps, stampKept{c.Later(), m})
	if !s.stamping {
		s.stamping = true
		c.After(stampTime, stampsDue{s.epoch})
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
		stamps := s.stamps
		s.stamps = nil
		s.written(c, written{s.epoch, nil, stamps, err})
		return
	}
	epoch, out, stamps, path := s.epoch, s.outbox, s.stamps, s.r.file(s.epoch)
	s.outbox, s.stamps, s.dirty, s.writing = nil, nil, false, true
	r := s.r
	c.Go(func(context.Context) any {
		err := record.Write(path, b)
		if err == nil && epoch >= keptRounds {
			r.forget(epoch - keptRounds)
		}
		return written{epoch, out, stamps, err}
	})
}

func (s *rounds) written(c *supervise.Ctx, m written) {
	s.writing = false
	answerStamps(m.stamps, m.err == nil)
	if m.err != nil {
		c.Log().Error("nothing is said that cannot be kept; make room on the disk", "epoch", m.epoch, "err", m.err)
		if m.epoch == s.epoch {
			s.round = nil
			answerStamps(s.stamps, false)
			s.stamps = nil
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
	if len(s.outbox) > 0 || len(s.stamps) > 0 && !s.stamping {
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
