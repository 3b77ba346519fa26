package stream

import (
	"fmt"
	"time"

	"github.com/framemesh/framemesh/stream/control"
	"github.com/framemesh/framemesh/stream/rate"
)

// meter measures bits per second over the last second, in beats.
type meter struct {
	last    uint64
	buckets [int(time.Second / beat)]uint64
	i       int
	frames  uint64
	fps     [int(time.Second / beat)]uint64
}

func (m *meter) beat(bytes, frames uint64) (bps int, fps float64) {
	m.buckets[m.i], m.last = bytes-m.last, bytes
	m.fps[m.i], m.frames = frames-m.frames, frames
	m.i = (m.i + 1) % len(m.buckets)
	var b, f uint64
	for i := range m.buckets {
		b, f = b+m.buckets[i], f+m.fps[i]
	}
	return int(b * 8), float64(f)
}

// run looks after the session ten times a second until it closes.
func (s *Session) run() {
	t := time.NewTicker(beat)
	defer t.Stop()
	for n := 1; ; n++ {
		select {
		case <-s.done:
			return
		case <-t.C:
		}
		now := s.now()
		s.retryKey(now)
		kbps, fps := s.adapt(now)
		for _, p := range *s.peers.Load() {
			if p.flow.Load() == flowNone && now.Sub(p.made) > joinWithin && !p.hasJoined() {
				s.drop(p, "lost", nil)
				continue
			}
			p.acknowledge(s.tick.Load())
			if n%beatsPerStat == 0 && p.welcome.Load() {
				p.send(s.figures(p, now, kbps, fps))
			}
		}
	}
}

func (p *peer) hasJoined() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.joined
}

// acknowledge tells a page how far its inputs have come, when that is news.
func (p *peer) acknowledge(tick uint64) {
	seq, ok := p.acked()
	if !ok || !p.welcome.Load() || p.ackSent && p.ackedSeq == seq {
		return
	}
	p.ackSent, p.ackedSeq = true, seq
	p.send(control.Ack{Seq: seq, Tick: tick})
}

// adapt sets the bitrate by what all links say.
func (s *Session) adapt(now time.Time) (bps int, fps float64) {
	var links []rate.Peer
	for _, p := range *s.peers.Load() {
		if p.flow.Load() != flowOn || p.est == nil {
			continue
		}
		bps, overuse := p.estimate()
		links = append(links, rate.Peer{Owner: p.role == RoleOwner, Estimate: bps, Loss: p.loss.now(now), Overuse: overuse})
	}
	s.rateMu.Lock()
	bps, fps = s.meter.beat(s.video.bytes.Load(), s.video.frames.Load())
	target, changed := s.rate.Step(now, bps, links)
	start := s.engine.config.BitrateStart
	tell := !s.slow && target < start/2
	switch {
	case tell:
		s.slow = true
	case target > start*3/4:
		s.slow = false
	}
	s.rateMu.Unlock()
	if changed {
		s.handler.Bitrate(target)
	}
	if tell {
		s.Notice(control.NoticeSlow, fmt.Sprintf("The network carries %.1f Mbit/s just now, so the picture is coarser.", float64(target)/1e6))
	}
	return bps / 1000, fps
}

// figures are what a page's overlay shows of this end.
func (s *Session) figures(p *peer, now time.Time, kbps int, fps float64) control.Stats {
	s.mu.Lock()
	w := s.worker
	s.mu.Unlock()
	s.lockMu.Lock()
	slack, shift := s.slack, s.shift
	s.lockMu.Unlock()
	if w.FPS == 0 {
		w.FPS = fps
	}
	seq, _ := p.acked()
	if !p.ackSent {
		seq = 0
	}
	return control.Stats{
		Tick: s.tick.Load(), FPS: control.Finite(w.FPS), Kbps: kbps, TargetKbps: s.target() / 1000,
		DrawMS: control.Finite(w.DrawMS), ConvertMS: control.Finite(w.ConvertMS), EncodeMS: control.Finite(w.EncodeMS),
		SendMS: float64(s.video.sendUS.Load()) / 1000, Acked: seq,
		SlackMS: float64(slack) / 1e6, ShiftMS: float64(shift) / 1e6,
		RTTMS: float64(p.rtt()) / 1e6, Loss: p.loss.now(now), Viewers: s.viewers(),
	}
}

func (s *Session) target() int {
	s.rateMu.Lock()
	defer s.rateMu.Unlock()
	return s.rate.Target()
}

// viewers counts the peers whose media flows.
func (s *Session) viewers() (n int) {
	for _, p := range *s.peers.Load() {
		if p.flow.Load() != flowNone {
			n++
		}
	}
	return n
}
