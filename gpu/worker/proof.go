package worker

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"time"

	"github.com/framemesh/framemesh/gpu/app"
	"github.com/framemesh/framemesh/gpu/segment"
)

// proofParams says what the session's app was started with.
func proofParams(conf config, sum [32]byte) segment.Params {
	p := segment.Params{App: sum, Arch: runtime.GOARCH, Seed: conf.Seed, Memory: conf.MemoryLimit, Save: conf.Save}
	if p.Memory == 0 {
		p.Memory = app.DefaultMemory
	}
	return p
}

// putBack restores a snapshot. That of an app whose play is proven has the seats with
// it: the app goes on exactly where a second of its predecessor ended, and that those
// who sat there are gone is the first thing it is told.
func (s *session) putBack(state []byte) error {
	if !s.provable {
		return s.app.Restore(state)
	}
	st, err := segment.ParseState(state)
	if err != nil {
		return err
	}
	if err := s.app.Restore(st.App); err != nil {
		return err
	}
	s.seats, s.first = st.Seats, nil
	for i := range uint8(Seats) {
		if s.seats.Present(int(i)) {
			s.first = append(s.first, segment.Event{Seat: i, Kind: segment.EventLeave})
		}
	}
	return nil
}

// record begins the proof of an app that was loaded.
func (s *session) record(restored bool) error {
	if !s.provable {
		return nil
	}
	number := s.snapshots.number()
	rec, err := segment.NewRecorder(s.app, s.params, &s.seats, number, restored || number > 0)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	s.rec = rec
	return s.keepState(true, false)
}

// tellStart says, when play begins, that the state it begins with can be read.
func (s *session) tellStart() error {
	if s.rec == nil {
		return nil
	}
	return s.tellState(s.rec.Number())
}

func (s *session) tellState(number uint32) error {
	s.frame = endFrame(binary.LittleEndian.AppendUint32(beginFrame(s.frame, msgState), number))
	return s.write()
}

// eventReserve is how much of a second's room for events is left to players who come
// and go, when their messages have filled the rest.
const eventReserve = 64

// apply gives the seats what reached them since the last tick. What a second's record
// has no room for is left out for the app as well.
func (s *session) apply(events []segment.Event) {
	s.applied = append(s.applied[:0], s.first...)
	s.first = nil
	for i := range s.applied {
		s.seats.Apply(&s.applied[i])
	}
	for i := range events {
		e := &events[i]
		if s.rec != nil {
			room := s.rec.Room() - len(s.applied)
			if room <= 0 || room <= eventReserve && e.Kind == segment.EventState {
				continue
			}
		}
		s.seats.Apply(e)
		s.applied = append(s.applied, *e)
	}
}

// prove does a tick's part of the proof. At the end of a second it also takes the
// snapshots that are due: a successor then goes on where a second ended.
func (s *session) prove() error {
	begin := s.now()
	if sec, ok := s.rec.Work(); ok {
		if err := s.tellSecond(sec); err != nil {
			return err
		}
	}
	for s.rec.Full() {
		if err := s.finishSecond(); err != nil {
			return err
		}
		if err := s.rec.Cut(); err != nil {
			return fmt.Errorf("%w: %w", ErrApp, err)
		}
		s.meter.proof += s.now() - begin
		audit := s.rec.Number()%segment.StateEvery == 0
		if snap := s.snap.due(s.now()); audit || snap {
			if err := s.keepState(audit, snap); err != nil {
				return err
			}
		}
		if audit {
			if err := s.tellState(s.rec.Number()); err != nil {
				return err
			}
		}
		begin = s.now()
	}
	s.meter.proof += s.now() - begin
	return nil
}

// finishSecond hands over the second that has ended, if it was not yet.
func (s *session) finishSecond() error {
	if s.rec == nil {
		return nil
	}
	if sec, ok := s.rec.Flush(); ok {
		return s.tellSecond(sec)
	}
	return nil
}

// endPlay hands over the last second, which may be short.
func (s *session) endPlay() error {
	if err := s.finishSecond(); err != nil || s.rec == nil || !s.rec.Played() {
		return err
	}
	sec, err := s.rec.Second()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrApp, err)
	}
	return s.tellSecond(sec)
}

// tellSecond sends a second. Its number is taken before it can be seen: a crash in
// between leaves a gap, and never two seconds of one number.
func (s *session) tellSecond(sec segment.Second) error {
	if err := s.snapshots.setNumber(sec.Number + 1); err != nil {
		return fmt.Errorf("%w: %w", ErrApp, err)
	}
	s.frame = endFrame(sec.Append(beginFrame(s.frame, msgSegment)))
	return s.write()
}

// keepState writes the app's state outside the process: for auditors, for a successor,
// or for both.
func (s *session) keepState(audit, successor bool) error {
	begin := s.now()
	at := s.app.NextTick()
	b, err := s.appendState(s.snapshots.buf[:0])
	if err != nil {
		return fmt.Errorf("%w: %w", ErrApp, err)
	}
	s.snapshots.buf = b
	if audit {
		if err := s.snapshots.put(auditSlot, uint64(s.rec.Number()), at, b); err != nil {
			return fmt.Errorf("%w: %w", ErrApp, err)
		}
	}
	if !successor {
		s.meter.proof += s.now() - begin
		return nil
	}
	if err := s.snapshots.write(at, func([]byte) ([]byte, error) { return b, nil }); err != nil {
		return fmt.Errorf("%w: %w", ErrApp, err)
	}
	s.tookSnapshot(begin)
	return nil
}

// appendState appends what a successor goes on from.
func (s *session) appendState(b []byte) ([]byte, error) {
	if s.rec != nil {
		st := segment.State{Params: s.params, Number: s.rec.Number(), Seats: s.seats}
		b = st.AppendHead(b)
	}
	return s.app.Snapshot(b)
}

// tookSnapshot books what a snapshot cost.
func (s *session) tookSnapshot(begin time.Duration) {
	end := s.now()
	s.meter.snapshot = end - begin
	s.snap.took(end, end-begin)
}
