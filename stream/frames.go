package stream

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtp/codecs"
)

// payloadSize leaves room for RTP, its extensions, SRTP, UDP and IPv6 within 1280
// bytes, the least that every path carries.
const payloadSize = 1160

// mediaClock turns the worker's presentation times into RTP time stamps that never run
// backwards: a restarted worker begins at zero again.
type mediaClock struct {
	rate   int64 // Hz
	step   time.Duration
	base   uint32
	offset time.Duration
	last   time.Duration
	begun  bool
}

func (c *mediaClock) stamp(pts time.Duration) uint32 {
	at := pts + c.offset
	if c.begun && at <= c.last {
		c.offset += c.last + c.step - at
		at = c.last + c.step
	}
	c.last, c.begun = at, true
	return c.base + uint32(at.Microseconds()*c.rate/1_000_000)
}

type videoPath struct {
	mu        sync.Mutex
	clock     mediaClock
	payloader codecs.H264Payloader
	sendNS    float64 // moving average

	frames, keyFrames, bytes atomic.Uint64
	sendUS                   atomic.Int64
}

func (v *videoPath) init(fps int) {
	v.clock = mediaClock{rate: videoClock, step: time.Second / time.Duration(fps), base: rand.Uint32()}
}

type audioPath struct {
	mu      sync.Mutex
	clock   mediaClock
	payload [1][]byte

	frames atomic.Uint64
}

func (a *audioPath) init() {
	a.clock = mediaClock{rate: audioClock, step: 10 * time.Millisecond, base: rand.Uint32()}
}

// WriteVideo sends one coded picture, an H.264 access unit in Annex B form, to all
// peers in one burst and returns when the kernel has it. key says that the unit begins
// with parameter sets and an IDR picture. pts is the time of the picture since the app
// started; it may begin again. The slice is free for reuse on return. An empty unit is a
// picture that the encoder skipped.
//
// A peer that has just joined is sent nothing until the first key frame.
func (s *Session) WriteVideo(au []byte, key bool, pts time.Duration) error {
	if len(au) == 0 {
		return nil
	}
	if len(au) > maxAccessUnit {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrFrame, len(au), maxAccessUnit)
	}
	v := &s.video
	v.mu.Lock()
	defer v.mu.Unlock()
	select {
	case <-s.done:
		return ErrClosed
	default:
	}
	start := s.now()
	v.frames.Add(1)
	v.bytes.Add(uint64(len(au)))
	s.engine.metrics.frames.Inc()
	s.engine.metrics.bytes.Add(float64(len(au)))
	stamp := v.clock.stamp(pts)
	if key {
		v.keyFrames.Add(1)
	}
	peers := *s.peers.Load()
	served, failed := false, 0
	var payloads [][]byte
	for _, p := range peers {
		switch p.flow.Load() {
		case flowNone:
			continue
		case flowWaiting:
			if !key || !p.flow.CompareAndSwap(flowWaiting, flowOn) {
				continue
			}
		}
		if payloads == nil {
			payloads = v.payloader.Payload(payloadSize, au)
		}
		failed += p.video.write(payloads, stamp)
		served = true
	}
	if failed > 0 {
		s.engine.metrics.writeErrors.Add(float64(failed))
	}
	if key {
		s.keyMu.Lock()
		s.keys.wrote()
		s.keyMu.Unlock()
	}
	if served {
		v.sendNS += (float64(s.now().Sub(start)) - v.sendNS) / 32
		v.sendUS.Store(int64(v.sendNS / 1000))
	}
	return nil
}

// WriteAudio sends one Opus packet of this duration. The slice is free for reuse on
// return.
func (s *Session) WriteAudio(packet []byte, pts, duration time.Duration) error {
	if len(packet) == 0 {
		return nil
	}
	if len(packet) > payloadSize {
		return fmt.Errorf("%w: an Opus packet of %d bytes, at most %d", ErrFrame, len(packet), payloadSize)
	}
	a := &s.audio
	a.mu.Lock()
	defer a.mu.Unlock()
	select {
	case <-s.done:
		return ErrClosed
	default:
	}
	a.frames.Add(1)
	a.clock.step = duration
	stamp := a.clock.stamp(pts)
	a.payload[0] = packet
	failed := 0
	for _, p := range *s.peers.Load() {
		if p.flow.Load() != flowNone {
			failed += p.audio.write(a.payload[:], stamp)
		}
	}
	a.payload[0] = nil
	if failed > 0 {
		s.engine.metrics.writeErrors.Add(float64(failed))
	}
	return nil
}

// Applied says what the app has seen at this tick: per seat the sequence number of the
// newest input that it was given. Pages learn it and so measure their way to the app.
func (s *Session) Applied(tick uint64, seqs [MaxSeat + 1]uint32) {
	s.tick.Store(tick)
	for i, q := range seqs {
		s.applied[i].Store(q)
	}
}

// wantKey asks for a key frame: at once for a new peer, at a bounded rate for losses.
func (s *Session) wantKey(joined bool) {
	now := s.now()
	s.keyMu.Lock()
	ask := joined
	if joined {
		s.keys.joined(now)
	} else {
		ask = s.keys.lost(now)
	}
	if ask {
		s.asked++
	}
	s.keyMu.Unlock()
	if ask {
		s.engine.metrics.keyRequests.Inc()
		s.handler.NeedKeyframe()
	}
}

// retryKey asks again for what came too early or never came.
func (s *Session) retryKey(now time.Time) {
	s.keyMu.Lock()
	ask := s.keys.due(now)
	if ask {
		s.asked++
	}
	s.keyMu.Unlock()
	if ask {
		s.engine.metrics.keyRequests.Inc()
		s.handler.NeedKeyframe()
	}
}
