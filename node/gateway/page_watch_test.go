package gateway

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	mesh "github.com/framemesh/framemesh/actors/gateway"
)

// Whoever watches and finds no way to a machine that is still there may try again; where the game
// has ended there is only the way back.
func TestPageWatcherTriesAgain(t *testing.T) {
	r := newRoom(t)
	var tries atomic.Int32
	var ended atomic.Bool
	join := r.join
	r.join = func(ctx context.Context, q mesh.JoinRequest) (*mesh.Launched, error) {
		l, err := join(ctx, q)
		if tries.Add(1) <= 2 && err == nil {
			r.c.hangUp()
		}
		return l, err
	}
	r.status = func(_ context.Context, session, token string) (mesh.SessionStatus, error) {
		if session != r.c.session || token != "ee01" {
			t.Errorf("asks for session %s with %s", session, token)
		}
		st := mesh.SessionStatus{Session: session, Phase: "playing"}
		if ended.Load() {
			st.Phase = "ending"
		}
		return st, nil
	}
	const noWay = `document.querySelector('.veil h2')?.textContent === 'No way to the machine was found' && !!document.querySelector('.veil button.primary')`
	again := func() (texts []string) {
		r.tab.Eval(`connectMS = 0`, nil)
		r.tab.Wait(noWay, 15*time.Second)
		r.tab.Eval(`connectMS = undefined, [...document.querySelectorAll('.veil button')].map(b => b.textContent)`, &texts)
		return texts
	}
	r.tab.Goto(r.srv.URL() + "#watch=" + r.c.session + ".ee01")
	waitFor(t, "the first try", func() bool { return tries.Load() == 1 })
	if texts := again(); len(texts) != 2 || texts[0] != "Try again" || !strings.HasPrefix(texts[1], "Back") {
		t.Fatalf("it offers %q", texts)
	}
	r.tab.Screenshot("watch-again")
	ended.Store(true)
	r.tab.Eval(`document.querySelector('.veil button').click()`, nil)
	waitFor(t, "the second try", func() bool { return tries.Load() == 2 })
	if texts := again(); len(texts) != 1 || !strings.HasPrefix(texts[0], "Back") {
		t.Errorf("of a game that has ended it offers %q", texts)
	}
	r.tab.Reload()
	r.tab.Wait(stageIsUp, 15*time.Second)
	if n := tries.Load(); n != 3 {
		t.Errorf("asked %d times", n)
	}
	r.tab.NoExceptions()
}
