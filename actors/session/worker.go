package session

import (
	"context"
	"errors"
	"time"

	"github.com/framemesh/framemesh/actors/gpu"
	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/gpu/worker"
	"github.com/framemesh/framemesh/stream/control"
)

// open starts the next worker on a goroutine of its own: the first one may have to
// fetch the app.
func (s *state) open(c *supervise.Ctx, after time.Duration) {
	s.life++
	life, slot, b := s.life, s.slot, s.b
	acquire := s.o.Acquire
	c.Go(func(ctx context.Context) any {
		if !wait(ctx, after) {
			return nil
		}
		m := opened{life: life}
		var save []byte
		if b.save != nil {
			save = b.save.Load()
		}
		if slot == nil {
			if m.slot, m.err = acquire(ctx, len(save) > 0); m.err != nil {
				return m
			}
			slot = m.slot
		}
		m.proc, _, m.err = slot.Open(&feed{b: b, life: life}, save)
		return m
	})
}

func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Discard implements supervise.Discarder.
func (m opened) Discard() {
	if m.proc != nil {
		m.proc.Kill()
	}
	if m.slot != nil {
		m.slot.Release()
	}
}

func (s *state) opened(c *supervise.Ctx, m opened) {
	if m.slot != nil {
		s.slot = m.slot
	}
	s.openLife = m.life
	switch {
	case m.err != nil && s.slot == nil:
		s.fail(c, m.err)
	case m.err != nil:
		s.crashed(c, m.err)
	default:
		s.b.proc.Store(&m.proc)
		s.sum.PID = m.proc.PID()
		if bps := s.b.bitrate.Load(); bps > 0 {
			m.proc.SetBitrate(int(bps))
		}
		if s.run {
			s.startTicks(m.proc)
		}
		s.report()
		if early := s.early; early != nil {
			s.early = nil
			s.workerGone(c, *early)
		}
	}
}

// startTicks lets a worker run and tells it who is there.
func (s *state) startTicks(p gpu.Process) {
	s.mixed = true
	for _, pg := range s.pages {
		if pg.connected && pg.seat >= 0 {
			p.Seat(pg.seat, true)
		}
	}
	if s.paused {
		p.Pause(true)
	}
	p.Run()
}

func (s *state) workerReady(c *supervise.Ctx, m workerReady) {
	if m.life != s.life {
		return
	}
	s.info, s.ready, s.everUp = m.info, true, true
	s.sum.Encoder = m.info.Encoder
	info := s.o.Info
	info.Width, info.Height, info.FPS, info.Encoder = m.info.Width, m.info.Height, m.info.FPS, m.info.Encoder
	if err := s.b.out.SetInfo(info); err != nil {
		s.fail(c, err)
		return
	}
	if s.run {
		s.b.with(gpu.Process.ForceKeyframe) // pages may have come while it loaded
		s.tickPay(c)
	}
	if !s.downAt.IsZero() {
		s.meter.gap(time.Since(s.downAt))
		s.downAt = time.Time{}
		text := "The game crashed and goes on from a moment ago."
		if !m.info.Restored {
			text = "The game crashed and starts anew."
		}
		s.b.out.Notice(control.NoticeRestarted, text)
		switch {
		case s.held():
			s.b.out.Notice(control.NoticeUnpaid, unpaidText(s.pay.meter.State().Reason))
		case s.wish:
			s.b.out.Notice(control.NoticePaused, textPaused)
		}
	}
	c.Log().Debug("worker ready", "pid", m.info.PID, "restored", m.info.Restored, "tick", m.info.Tick)
	s.report()
}

func (s *state) workerStats(m workerStats) {
	if m.life != s.life {
		return
	}
	if s.mixed || s.paused {
		s.mixed = s.paused
		return
	}
	s.meter.add(m.stats, s.info.FPS)
	s.report()
}

func (s *state) workerGone(c *supervise.Ctx, m workerGone) {
	if m.life != s.life {
		return
	}
	if s.openLife != m.life { // it died before the news of its start came by
		s.early = &m
		return
	}
	s.b.proc.Store(nil)
	s.sum.PID = 0
	s.crashed(c, m.err)
}

// crashed restarts the worker from its last snapshot, unless that is in vain.
func (s *state) crashed(c *supervise.Ctx, err error) {
	if err == nil {
		err = worker.ErrStopped
	}
	s.ready = false
	if !s.everUp || errors.Is(err, worker.ErrRefused) {
		s.fail(c, err) // it never ran: a second try would end the same way
		return
	}
	if s.crashes.add(time.Now()) {
		s.fail(c, err)
		return
	}
	c.Log().Warn("worker restarts", "err", err)
	s.sum.Restarts++
	if s.downAt.IsZero() {
		s.downAt = time.Now()
	}
	var after time.Duration
	if errors.Is(err, worker.ErrSpawn) {
		after = 200 * time.Millisecond // the machine is short of something
	}
	s.open(c, after)
	s.report()
}

// endWorker ends the worker and waits until it is gone. One that saves for its player is
// asked to end, and hands over what it saved last.
func (s *state) endWorker(p gpu.Process) {
	if s.o.Save == nil || s.o.Abrupt() {
		gpu.End(p)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), saveWithin)
	defer cancel()
	_ = p.Stop(ctx) // one that does not end is killed
}
