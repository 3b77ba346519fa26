package segment

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"

	"github.com/framemesh/framemesh/gpu/app"
	"github.com/framemesh/framemesh/gpu/app/module"
)

// Auditor replays windows. The zero value is useful.
//
// A hostile app may loop for ever. The context ends a replay only between ticks
// unless Deadline is set, which costs speed; a process of its own, which can be
// killed, is the other way.
type Auditor struct {
	CacheDir  string // as in app.Options
	MaxMemory uint32 // most memory, in bytes, that a window may ask for; 0 means app.MaxMemory
	Deadline  bool   // as in app.Options
}

// Fields of a second that an audit may find wrong.
const (
	FieldStart = "start" // it does not begin where the one before ended, or the session not with the app
	FieldTicks = "ticks" // more ticks than the app has in a second, or not the ones that are next
	FieldInput = "input" // the ticks were told something else than the messages say
	FieldApp   = "app"   // the app fails in a tick that is claimed to have been played
	FieldState = "state"
	FieldFrame = "frame"
	FieldAudio = "audio"
)

// Verdict is what an audit found. It is a fact that every replay confirms.
type Verdict struct {
	FirstBad int      // index of the first second that is not as claimed; -1 if there is none
	Number   uint32   // that second's number
	Field    string   // what is wrong with it
	Got      [32]byte // what the replay gives, zero where there is nothing to compare
	Claimed  [32]byte
	Reason   string // of FieldApp and FieldTicks, in words
}

// clean is the verdict that finds nothing; it also stands beside every error.
var clean = Verdict{FirstBad: -1}

// Bad says whether something is not as claimed.
func (v Verdict) Bad() bool { return v.FirstBad >= 0 }

// String says the verdict in words. Roots are cut to their first 8 bytes, unless those are equal:
// then it is the rest that tells them apart.
func (v Verdict) String() string {
	switch {
	case !v.Bad():
		return "every second is as claimed"
	case v.Reason != "":
		return fmt.Sprintf("second %d: %s: %s", v.Number, v.Field, v.Reason)
	}
	got, claimed := v.Got[:8], v.Claimed[:8]
	if bytes.Equal(got, claimed) {
		got, claimed = v.Got[:], v.Claimed[:]
	}
	return fmt.Sprintf("second %d: the %s is %x, claimed was %x", v.Number, v.Field, got, claimed)
}

// Portable says whether the module gives the same bits on every architecture: it has
// no float arithmetic, whose NaNs differ. One that is not can be audited on the
// architecture that ran it only, which Params.Arch names.
func Portable(code []byte) (bool, error) {
	m, err := module.Parse(code)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrModule, err)
	}
	floats, err := m.Floats()
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrModule, err)
	}
	return !floats, nil
}

// stage is a window being replayed.
type stage struct {
	rt    app.Runtime
	rec   *Recorder
	seats Seats
	fresh [32]byte // state root of the app as it is when opened
	base  []byte   // its snapshot then
	fps   uint32
}

// open makes the window's start. The caller closes rt if there is no error.
func (a Auditor) open(ctx context.Context, code []byte, w *Window) (_ *stage, err error) {
	if len(w.Seconds) == 0 {
		return nil, fmt.Errorf("%w: a window of no seconds", ErrMalformed)
	}
	if sha256.Sum256(code) != w.Params.App {
		return nil, fmt.Errorf("%w: it has SHA-256 %x, the window speaks of %x", ErrModule, sha256.Sum256(code), w.Params.App)
	}
	if limit := a.MaxMemory; limit > 0 && w.Params.Memory > limit {
		return nil, fmt.Errorf("%w: the app may take %d MiB and the limit here is %d MiB; raise it", ErrReplay, w.Params.Memory>>20, limit>>20)
	}
	if portable, err := Portable(code); err != nil {
		return nil, err
	} else if !portable && w.Params.Arch != runtime.GOARCH {
		return nil, fmt.Errorf("%w: the app was run on %s and this is %s", ErrArch, w.Params.Arch, runtime.GOARCH)
	}
	o := w.Params.options()
	o.CacheDir, o.Deadline = a.CacheDir, a.Deadline
	rt, err := app.Open(ctx, code, o)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrReplay, err)
	}
	defer func() {
		if err != nil {
			rt.Close(ctx)
		}
	}()
	s := &stage{rt: rt, fps: uint32(rt.Info().FPS)}
	first := &w.Seconds[0]
	if s.rec, err = NewRecorder(rt, w.Params, &s.seats, first.Number, first.Restored); err != nil {
		return nil, err
	}
	if s.base, err = rt.Snapshot(nil); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrReplay, err)
	}
	s.fresh = s.rec.Start()
	if s.fresh == first.Start {
		return s, nil
	}
	snapshot, err := w.unpackState(s.base)
	if err != nil {
		return nil, err
	}
	if of, err := app.ModuleOf(snapshot); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	} else if of != w.Params.App {
		return nil, fmt.Errorf("%w: %w: it is of %x, the window of %x", ErrUnbound, ErrForeign, of[:8], w.Params.App[:8])
	}
	if err := rt.Restore(snapshot); err != nil {
		return nil, fmt.Errorf("%w: its state cannot be restored: %w", ErrUnbound, err)
	}
	s.seats = w.Seats
	if s.rec, err = NewRecorder(rt, w.Params, &s.seats, first.Number, first.Restored); err != nil {
		return nil, err
	}
	if got := s.rec.Start(); got != first.Start {
		return nil, fmt.Errorf("%w: its state has the root %x, second %d began with %x", ErrUnbound, got[:8], first.Number, first.Start[:8])
	}
	return s, nil
}

// play runs one second as its messages say. A failure of the app itself is errApp.
func (s *stage) play(ctx context.Context, sec *Second) (Second, error) {
	if want := s.rt.NextTick(); want != sec.Tick {
		return Second{}, &appError{FieldTicks, fmt.Sprintf("it begins with tick %d, and %d is next", sec.Tick, want)}
	}
	if sec.Roots.Ticks > s.fps {
		return Second{}, &appError{FieldTicks, fmt.Sprintf("%d ticks, and the app has %d a second", sec.Roots.Ticks, s.fps)}
	}
	if wants := s.rt.Info().WallClock; wants != (sec.Wall != nil) {
		return Second{}, &appError{FieldInput, "the wall clock's readings are missing, or too many"}
	}
	events := sec.Events
	for t := range sec.Roots.Ticks {
		if err := ctx.Err(); err != nil {
			return Second{}, fmt.Errorf("%w: %w", ErrReplay, err)
		}
		n := 0
		for n < len(events) && uint32(events[n].Tick) <= t {
			s.seats.Apply(&events[n])
			n++
		}
		in := app.Input{Tick: s.rt.NextTick(), Seats: s.seats.Tick()}
		if sec.Wall != nil {
			in.WallMS = sec.Wall[t]
		}
		frame, pcm, err := s.rt.Tick(ctx, &in)
		switch {
		case errors.Is(err, app.ErrTooLong):
			return Second{}, fmt.Errorf("%w: %w", ErrReplay, err)
		case err != nil:
			return Second{}, &appError{FieldApp, err.Error()}
		}
		s.rec.Tick(&in, events[:n], frame, pcm)
		events = events[n:]
	}
	got, err := s.rec.Second()
	if err != nil {
		return Second{}, fmt.Errorf("%w: %w", ErrReplay, err)
	}
	return got, nil
}

// appError is a second that cannot have been played as claimed.
type appError struct{ field, reason string }

func (e *appError) Error() string { return "segment: " + e.field + ": " + e.reason }

// Replay runs the window and returns the roots that its seconds should have. The
// window's own roots are looked at for their ticks only.
func (a Auditor) Replay(ctx context.Context, code []byte, w Window) ([]Roots, error) {
	s, err := a.open(ctx, code, &w)
	if err != nil {
		return nil, err
	}
	defer s.rt.Close(context.WithoutCancel(ctx))
	out := make([]Roots, 0, len(w.Seconds))
	for i := range w.Seconds {
		got, err := s.play(ctx, &w.Seconds[i])
		if err != nil {
			return out, err
		}
		out = append(out, got.Roots)
	}
	return out, nil
}

// Audit replays the window and says which second is the first that is not as claimed.
//
// Claimed are the roots that the container signed, one for each second. A window that
// they do not vouch for (ErrUnbound), that is malformed, or that this machine cannot
// replay gives an error and no verdict: whoever handed it over has not answered.
func (a Auditor) Audit(ctx context.Context, code []byte, w Window, claimed []Roots) (Verdict, error) {
	v, _, err := a.audit(ctx, code, w, claimed, len(claimed))
	return v, err
}

// VerifySecond checks a proof: a window of one second with the roots that were
// claimed for it. It needs nothing but the module, and its result is the same
// everywhere. Whether the container signed those roots is for the caller to check.
func (a Auditor) VerifySecond(ctx context.Context, code []byte, proof Window) (Verdict, error) {
	if len(proof.Seconds) != 1 {
		return clean, fmt.Errorf("%w: a proof of %d seconds; it has one", ErrMalformed, len(proof.Seconds))
	}
	return a.Audit(ctx, code, proof, proof.Claimed())
}

// Prove narrows a window down to a proof about its second at index k, all seconds
// before which must be as claimed.
func (a Auditor) Prove(ctx context.Context, code []byte, w Window, claimed []Roots, k int) (Window, error) {
	if k < 0 || k >= len(claimed) {
		return Window{}, fmt.Errorf("%w: second %d of %d", ErrMalformed, k, len(claimed))
	}
	v, proof, err := a.audit(ctx, code, w, claimed, k)
	if err == nil && v.Bad() {
		err = fmt.Errorf("%w: %v, which is before the one to prove", ErrUnbound, v)
	}
	if err != nil {
		return Window{}, err
	}
	return proof, nil
}

// audit compares the first n seconds and then makes a window of the next one, if
// there is one.
func (a Auditor) audit(ctx context.Context, code []byte, w Window, claimed []Roots, n int) (Verdict, Window, error) {
	if len(claimed) != len(w.Seconds) {
		return clean, Window{}, fmt.Errorf("%w: %d seconds and %d claims", ErrMalformed, len(w.Seconds), len(claimed))
	}
	w.Seconds = append([]Second(nil), w.Seconds...)
	for i := range w.Seconds {
		sec := &w.Seconds[i]
		sec.Roots = claimed[i]
		if !sec.Bound() || sec.Wall != nil && len(sec.Wall) != int(sec.Roots.Ticks) {
			return clean, Window{}, fmt.Errorf("%w: second %d was told something else", ErrUnbound, sec.Number)
		}
	}
	s, err := a.open(ctx, code, &w)
	if err != nil {
		return clean, Window{}, err
	}
	defer s.rt.Close(context.WithoutCancel(ctx))
	first := &w.Seconds[0]
	if first.Number == 0 && !first.Restored && s.fresh != first.Start {
		return Verdict{0, 0, FieldStart, s.fresh, first.Start, ""}, Window{}, nil
	}
	for i := range n {
		sec := &w.Seconds[i]
		if i > 0 && sec.Start != claimed[i-1].State {
			return Verdict{i, sec.Number, FieldStart, claimed[i-1].State, sec.Start, ""}, Window{}, nil
		}
		got, err := s.play(ctx, sec)
		var bad *appError
		if errors.As(err, &bad) {
			return Verdict{FirstBad: i, Number: sec.Number, Field: bad.field, Reason: bad.reason}, Window{}, nil
		}
		if err != nil {
			return clean, Window{}, err
		}
		for _, c := range [...]struct {
			field        string
			got, claimed *[32]byte
		}{
			{FieldInput, &got.TickRoot, &sec.TickRoot},
			{FieldState, &got.Roots.State, &sec.Roots.State},
			{FieldFrame, &got.Roots.Frame, &sec.Roots.Frame},
			{FieldAudio, &got.Roots.Audio, &sec.Roots.Audio},
		} {
			if *c.got != *c.claimed {
				return Verdict{i, sec.Number, c.field, *c.got, *c.claimed, ""}, Window{}, nil
			}
		}
	}
	if n == len(w.Seconds) {
		return clean, Window{}, nil
	}
	proof := Window{Params: w.Params, Seats: s.seats, Base: true, Seconds: w.Seconds[n : n+1]}
	snapshot, err := s.rt.Snapshot(nil)
	if err == nil {
		proof.Packed, err = packState(s.base, snapshot)
	}
	if err != nil {
		return clean, Window{}, fmt.Errorf("%w: %w", ErrReplay, err)
	}
	return clean, proof, nil
}
