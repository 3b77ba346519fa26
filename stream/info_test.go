package stream

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/framemesh/framemesh/stream/control"
)

// A page that came before the app was loaded learns what it really is.
func TestWelcomeIsCorrected(t *testing.T) {
	k := newKit(t, nil)
	p := k.play("", nil)
	until(t, "a welcome", func() bool { return p.Report().Welcome.Width == 640 })
	real := SessionInfo{App: "Test", Width: 1280, Height: 720, FPS: 30, Encoder: "other", Container: "12D3"}
	if err := k.session.SetInfo(real); err != nil {
		t.Fatal(err)
	}
	until(t, "the real figures", func() bool {
		w := p.Report().Welcome
		return w.Width == 1280 && w.Height == 720 && w.FPS == 30 && w.Encoder == "other" && w.Role == "owner"
	})
	if err := k.session.SetInfo(SessionInfo{Width: 1, Height: 1}); !errors.Is(err, ErrConfig) {
		t.Errorf("an app without ticks: %v", err)
	}
	late := k.play("?role=watch", nil)
	until(t, "a newcomer's welcome", func() bool { return late.Report().Welcome.V == 1 })
	if w := late.Report().Welcome; w.Width != 1280 {
		t.Errorf("a newcomer is told %+v", w)
	}
}

// That the app is paused is also told to a page that comes later.
func TestNewcomersLearnOfAPause(t *testing.T) {
	k := newKit(t, nil)
	k.play("", nil)
	k.session.Notice(control.NoticePaused, "Paused.")
	late := k.play("?role=watch", nil)
	until(t, "the notice", func() bool {
		return slices.Contains(late.Report().Notices, control.Notice{Code: control.NoticePaused, Text: "Paused."})
	})
	k.session.Notice(control.NoticeResumed, "On.")
	later := k.play("?role=watch", nil)
	until(t, "a welcome", func() bool { return later.Report().Welcome.V == 1 })
	until(t, "figures, which come after the welcome", func() bool { return later.Report().ContainerSays.Tick > 0 })
	for _, n := range later.Report().Notices {
		if n.Code == control.NoticePaused {
			t.Error("a newcomer is told of a pause that is over")
		}
	}
}

// A power cut is noticed by silence alone: a goodbye would end the connection at once.
func TestAbandonIsSilent(t *testing.T) {
	k := newKit(t, nil)
	p := k.play("", nil)
	until(t, "channels", func() bool { r := p.Report(); return r.Connected && r.Welcome.V == 1 })
	cut := time.Now()
	k.engine.Abandon()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := k.engine.Close(ctx); err != nil { // all goroutines are gone, so nothing more is sent
		t.Fatal(err)
	}
	if _, err := k.engine.NewSession("1", k.app, SessionInfo{Width: 1, Height: 1, FPS: 1}); !errors.Is(err, ErrClosed) {
		t.Errorf("a session on a dead engine: %v", err)
	}
	until(t, "the silence", func() bool { return !p.Report().Connected })
	if after := time.Since(cut); after < time.Second {
		t.Errorf("noticed after %v: something was said", after)
	}
	if r := p.Report(); r.Bye != nil {
		t.Errorf("heard %+v", r.Bye)
	}
}
