package worker

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/framemesh/framemesh/gpu/app"
	"github.com/framemesh/framemesh/gpu/cell"
	"github.com/framemesh/framemesh/gpu/encode"
	"github.com/framemesh/framemesh/gpu/segment"
)

// session is an app being played: everything between its tick and the pipe. One
// goroutine owns it.
type session struct {
	app     app.Runtime
	info    app.Info
	video   encode.Video
	encoder string
	picture *encode.Picture
	audio   encode.Audio // nil for an app without sound
	framer  *encode.Framer

	seats   segment.Seats
	first   []segment.Event // before all that comes from the parent
	applied []segment.Event // before this tick; reused

	rec      *segment.Recorder // nil without snapshots, or for an app that shows no state
	params   segment.Params    // of the proof
	provable bool

	snapshots *snapshots // nil without
	control   *control
	out       *writer
	room      room
	thin      int    // of so many ticks one is shown
	strip     uint32 // code of the challenge cells
	strips    int    // coded pictures that still shall show them
	frame     []byte // reused for every message

	clock  tickClock
	sound  soundClock
	snap   snapshotClock
	meter  meter
	start  time.Time // of the first tick
	sent   time.Duration
	saves  uint64 // how often the app had saved when Saved was last sent
	savedT time.Duration
}

// beatEvery is how long the parent may hear nothing while all is well.
const beatEvery = 200 * time.Millisecond

// play runs ticks until it is told to stop or the app ends.
func (s *session) play() error {
	// Its own thread: the sleep between ticks then wakes exactly this loop.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	finestTimer()

	s.clock.period = time.Second / time.Duration(s.info.FPS)
	heartbeat := time.NewTicker(beatEvery)
	defer heartbeat.Stop()
	wasPlaying := false
	for {
		switch s.control.mode() {
		case stopping:
			if err := s.keepSave(); err != nil {
				return err
			}
			if err := s.endPlay(); err != nil {
				return err
			}
			return s.snapshot()
		case waiting:
			if wasPlaying {
				wasPlaying = false
				if err := s.keepSave(); err != nil {
					return err
				}
				if err := s.finishSecond(); err != nil {
					return err
				}
				if err := s.snapshot(); err != nil {
					return err
				}
			}
			select {
			case <-s.control.wake:
			case <-heartbeat.C:
				if err := s.beat(); err != nil {
					return err
				}
			}
			continue
		}
		if s.start.IsZero() {
			s.start = time.Now()
			if err := s.tellStart(); err != nil {
				return err
			}
		}
		if !wasPlaying {
			wasPlaying = true
			s.clock.skipTo(s.now())
			s.meter.begin(s.now())
			s.video.ForceKeyframe() // who comes back from a pause may be somebody new
		}
		sleepUntil(s.start, s.clock.due)
		if err := s.step(); err != nil {
			return err
		}
	}
}

// now is the time since the first tick, 0 before it.
func (s *session) now() time.Duration {
	if s.start.IsZero() {
		return 0
	}
	return time.Since(s.start)
}

// step is one tick: inputs, app, colours, coder, pipe, and then all that can wait.
func (s *session) step() error {
	begin := s.now()
	due := s.clock.due
	code, left := s.clock.begin(begin)
	s.meter.late(left, begin-due)

	events, orders := s.control.take()
	if err := s.obey(orders); err != nil {
		return err
	}
	s.apply(events)
	in := app.Input{Tick: s.app.NextTick(), Seats: s.seats.Tick()}
	if s.info.WallClock {
		in.WallMS = time.Now().UnixMilli()
	}
	frame, pcm, err := s.app.Tick(context.Background(), &in)
	if err != nil {
		return sessionErr(err, in.Tick)
	}
	drawn := s.now()
	s.meter.draw.add(drawn - begin)

	switch {
	case !code:
		s.meter.lateTicks++
	case s.thin > 1 && in.Tick%uint64(s.thin) != 0, !s.room.free(s.out):
		s.meter.dropped++
	default:
		if err := s.show(frame, AccessUnit{Tick: in.Tick, PTS: begin, Acked: s.seats.Acked()}, drawn); err != nil {
			return err
		}
	}
	s.meter.tick(s.now() - begin)
	if err := s.speak(begin, pcm); err != nil {
		return err
	}
	s.clock.end()
	if s.rec != nil {
		recorded := s.now()
		s.rec.Skip(left)
		s.rec.Tick(&in, s.applied, frame, pcm)
		s.meter.proof += s.now() - recorded
	}
	return s.afterwards(in.Tick)
}

// obey does what the parent asked for.
func (s *session) obey(o orders) error {
	if o.bitrate > 0 {
		if err := s.video.SetBitrate(o.bitrate); err != nil {
			return fmt.Errorf("%w: %w", ErrEncoder, err)
		}
	}
	if o.key {
		s.video.ForceKeyframe()
	}
	if o.shift != 0 {
		s.clock.shift(o.shift)
	}
	if o.celled {
		s.strip, s.strips = o.cell, cell.Frames
	}
	return nil
}

// show converts, codes and sends a picture.
func (s *session) show(f app.Frame, u AccessUnit, drawn time.Duration) error {
	if err := s.picture.Convert(encode.Frame(f)); err != nil {
		return fmt.Errorf("%w: %w", ErrApp, err)
	}
	if s.strips > 0 { // not into the app's frame, whose root is proven
		cell.Draw(cell.Luma{Y: s.picture.Y, Width: s.picture.Width, Height: s.picture.Height, Stride: s.picture.Width}, s.picture.Cb, s.picture.Cr, s.strip)
	}
	converted := s.now()
	coded, err := s.video.EncodePicture(s.picture)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrEncoder, err)
	}
	encoded := s.now()
	s.meter.convert.add(converted - drawn)
	s.meter.encode.add(encoded - converted)
	if len(coded.Data) == 0 {
		s.meter.skipped++
		return nil
	}
	if len(coded.Data) > maxVideo {
		return fmt.Errorf("%w: a picture of %d bytes", ErrEncoder, len(coded.Data))
	}
	s.strips = max(s.strips-1, 0)
	u.Data, u.Key = coded.Data, coded.Key
	s.frame = appendVideo(s.frame, u)
	if err := s.write(); err != nil {
		return err
	}
	s.room.sent(s.out)
	s.meter.sent(len(coded.Data), s.now()-encoded)
	return nil
}

// speak codes and sends a tick's sound, after its picture has left.
func (s *session) speak(pts time.Duration, pcm []int16) error {
	if s.audio == nil {
		return nil
	}
	start := s.now()
	s.sound.tick(pts, time.Duration(s.framer.Pending())*time.Second/encode.AudioRate)
	err := s.framer.Push(pcm, func(packet []int16) error {
		data, err := s.audio.Encode(packet)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrEncoder, err)
		}
		pts := s.sound.packet(encode.PacketTime)
		if !s.room.free(s.out) {
			return nil // the parent does not read: sound would only come late
		}
		s.frame = appendAudio(s.frame, AudioPacket{Data: data, PTS: pts, Duration: encode.PacketTime})
		return s.write()
	})
	s.meter.audio.add(s.now() - start)
	return err
}

// afterwards does what is not urgent: saves, snapshot, statistics, a sign of life.
func (s *session) afterwards(tick uint64) error {
	now := s.now()
	if s.savedT == 0 || now-s.savedT >= time.Second {
		if err := s.keepSave(); err != nil {
			return err
		}
	}
	if s.rec != nil {
		if err := s.prove(); err != nil {
			return err
		}
	} else if s.snapshots != nil && s.snap.due(now) {
		if err := s.snapshot(); err != nil {
			return err
		}
	}
	if now-s.meter.since >= time.Second {
		stats := s.meter.end(now, tick)
		stats.Shift = s.clock.moved
		if err := s.out.send(msgStats, stats); err != nil {
			return err
		}
		s.sent = now
	}
	if now-s.sent >= beatEvery {
		return s.beat()
	}
	return nil
}

// keepSave hands over what the app saved since the last time.
func (s *session) keepSave() error {
	data, n := s.app.Saved()
	if n == s.saves {
		return nil
	}
	s.saves, s.savedT = n, s.now()
	s.frame = appendFrame(s.frame, msgSave, data[:min(len(data), maxSave)])
	return s.write()
}

// snapshot keeps the state outside the process.
func (s *session) snapshot() error {
	if s.snapshots == nil {
		return nil
	}
	begin := s.now()
	if err := s.snapshots.write(s.app.NextTick(), s.appendState); err != nil {
		return fmt.Errorf("%w: %w", ErrApp, err)
	}
	s.tookSnapshot(begin)
	return nil
}

func (s *session) beat() error {
	s.frame = appendFrame(s.frame, msgBeat, nil)
	return s.write()
}

// write sends the message in s.frame.
func (s *session) write() error {
	if err := s.out.write(s.frame); err != nil {
		return err
	}
	s.sent = s.now()
	return nil
}

func (s *session) close() {
	if s.video != nil {
		_ = s.video.Close()
	}
	if s.audio != nil {
		_ = s.audio.Close()
	}
	_ = s.app.Close(context.Background())
}

// room keeps pictures from piling up in the pipe. A picture may wait while the one
// before it is being read, which a busy parent needs; a third is not coded.
type room struct {
	ends [2]uint64 // how many bytes were written up to the end of the last two pictures
}

// sent notes that a picture was written.
func (r *room) sent(w *writer) { r.ends[0], r.ends[1] = r.ends[1], w.total }

// free tells whether the picture before the last one has been read.
func (r *room) free(w *writer) bool {
	unread, ok := unreadBytes(w.f)
	return !ok || w.total-min(unread, w.total) >= r.ends[0]
}
