package gateway

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	mesh "github.com/framemesh/framemesh/actors/gateway"
	"github.com/framemesh/framemesh/node/gateway/browsertest"
)

func TestPageRefusesAChangedAnswer(t *testing.T) {
	r := newRoom(t)
	r.c.tamper = func(a string) string { // another DTLS key, as a gateway in the middle would put in
		i := strings.Index(a, "a=fingerprint:sha-256 ") + len("a=fingerprint:sha-256 ")
		other := "0"
		if a[i] == '0' {
			other = "1"
		}
		return a[:i] + other + a[i+1:]
	}
	r.open()
	r.tab.Click(`[data-app=novareef]`)
	r.tab.Wait(`document.querySelector('.veil h2')?.textContent === 'The gateway changed the answer'`, 10*time.Second)
	r.tab.Screenshot("tampered")
	var connected bool
	r.tab.Eval(`Boolean(document.querySelector('video').srcObject)`, &connected)
	if connected {
		t.Error("the video is attached")
	}
	r.tab.NoExceptions()
}

// clickNext clicks the offer of the next machine as soon as it is there: it is taken by itself
// after some seconds.
const clickNext = `new MutationObserver((_, o) => {
  const b = document.querySelector('.veil button.primary');
  if (b?.textContent.startsWith('Play on the next machine (')) { o.disconnect(); b.click(); window.clickedNext = true }
}).observe(document.querySelector('.veil'), {childList: true, subtree: true}), 0`

func TestPageSaysThatTheMachineIsGone(t *testing.T) {
	r := newRoom(t)
	r.status = func(context.Context, string, string) (mesh.SessionStatus, error) {
		return mesh.SessionStatus{}, &mesh.Refused{Code: "container-gone", Text: "It is gone.", Try: "Start again."}
	}
	r.play()
	next := newContainer(t, 40)
	r.launch = func(_ context.Context, q mesh.LaunchRequest) (*mesh.Launched, error) {
		return next.answer(mesh.RoleOwner, q.Offer, q.Player, q.App)
	}
	r.tab.Eval(clickNext, nil)
	r.goes(r.c)
	r.tab.Said(`The machine that ran your game stopped answering.*Play on the next machine \(5\)`)
	r.calm()
	r.tab.Wait(stageIsUp, 15*time.Second)
	var clicked bool
	if r.tab.Eval(`Boolean(window.clickedNext)`, &clicked); !clicked {
		t.Error("the next game was not started by the click")
	}
	if q := r.lastLaunch(); len(q.Exclude) != 1 || q.Exclude[0] != r.c.id.String() {
		t.Errorf("the next launch excludes %v", q.Exclude)
	}
	r.tab.NoExceptions()
}

func TestPageWaitsInLine(t *testing.T) {
	r := newRoom(t)
	good, events := r.launch, make(chan mesh.QueueEvent, 2)
	r.launch = func(ctx context.Context, q mesh.LaunchRequest) (*mesh.Launched, error) {
		if q.Ticket == "7a7a" {
			return good(ctx, q)
		}
		return nil, &mesh.Refused{Code: "no-slot", Text: "All machines that have the game are busy.", Try: "Wait for your place.", Ticket: "7a7a", Position: 3}
	}
	r.queue = func(context.Context, string) (<-chan mesh.QueueEvent, error) { return events, nil }
	r.open()
	r.tab.Click(`[data-app=novareef]`)
	r.tab.Wait(`document.querySelector('.place b')?.textContent === '3'`, 10*time.Second)
	r.tab.Screenshot("queue")
	events <- mesh.QueueEvent{State: "waiting", Position: 1, Text: "One game is about to end."}
	r.tab.Wait(`document.querySelector('.place')?.textContent.includes('you are next')`, 5*time.Second)
	events <- mesh.QueueEvent{State: "ready"}
	r.tab.Wait(stageIsUp, 15*time.Second)
	r.tab.NoExceptions()
}

func TestPageSaysWhyNothingMatches(t *testing.T) {
	r := newRoom(t)
	r.launch = func(context.Context, mesh.LaunchRequest) (*mesh.Launched, error) {
		return nil, &mesh.Refused{Code: "no-match", Text: "None of 2 machines can run it.", Try: "Raise your price limit, or wait.", Reasons: []mesh.Reason{
			{Container: "12D3KooWAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAa1b2c3d4", Filter: "price", Reason: "it asks 0.40 $ an hour, your limit is 0.25 $"},
			{Container: "12D3KooWAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAe5f6g7h8", Filter: "slot", Reason: "0 of 2 places are free <img src=x>"}}}
	}
	r.open()
	r.tab.Click(`[data-app=novareef]`)
	r.tab.Wait(`document.querySelectorAll('.lines li').length === 2`, 10*time.Second)
	r.tab.Screenshot("no-match")
	if s := r.tab.Text(".lines"); !strings.Contains(s, "…a1b2c3d4: it asks 0.40 $") || !strings.Contains(s, "<img src=x>") {
		t.Errorf("reasons: %q", s)
	}
	r.tab.NoExceptions()
}

func TestPageWithoutWebRTC(t *testing.T) {
	r := newRoom(t)
	r.tab.Before(`delete window.RTCPeerConnection`)
	r.open()
	if s := r.tab.Text("#lacking"); !strings.Contains(s, "This browser cannot play") {
		t.Errorf("the notice says %q", s)
	}
	r.tab.Click(`[data-app=novareef]`)
	r.tab.Wait(`document.querySelector('.veil h2')?.textContent === 'This browser cannot play'`, 5*time.Second)
	if r.launched() != 0 {
		t.Error("a slot was asked for all the same")
	}
	h := r.b.Tab()
	h.Before(`RTCRtpReceiver.getCapabilities = () => ({codecs: [{mimeType: 'video/VP8'}], headerExtensions: []})`)
	h.Goto(r.srv.URL())
	h.Wait(`document.getElementById('lacking').textContent.includes('H.264')`, 5*time.Second)
}

func TestPageChatNoticesAndGoodbye(t *testing.T) {
	r := newRoom(t)
	r.play()
	r.tab.Eval(`document.querySelector('[data-tool=chat]').click()`, nil)
	r.tab.Eval(`(() => { const i = document.querySelector('.chat input'); i.value = 'hello <b>there</b>'; i.form.requestSubmit() })()`, nil)
	r.tab.Wait(`document.querySelector('.chat li')?.textContent === 'you hello <b>there</b>'`, 5*time.Second)
	r.tab.Screenshot("chat")
	r.tab.Eval(`document.querySelector('[aria-label=Pause]').click()`, nil)
	r.tab.Wait(`document.querySelector('[aria-label="Go on"]')`, 5*time.Second)
	r.tab.Said(`The game is paused\.`)
	r.c.say(map[string]any{"t": "notice", "code": "worker-restarted", "text": "The game was restarted from two seconds ago."})
	r.tab.Said(`two seconds ago`)
	r.c.say(map[string]any{"t": "bye", "code": "idle", "text": "Nobody played for 15 minutes."})
	r.tab.Wait(`document.querySelector('.veil h2')?.textContent === 'The game ended because nobody played'`, 5*time.Second)
	r.tab.Screenshot("bye")
	r.tab.NoExceptions()
}

// A link on a page of somebody else opens the catalogue and starts nothing.
func TestPageStartsNothingForAnotherSite(t *testing.T) {
	r := newRoom(t)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<script>location.href = %q</script>`, strings.Replace(r.srv.URL(), "127.0.0.1", "localhost", 1)+"#play=novareef")
	}))
	defer other.Close()
	tab := browsertest.Start(t, browsertest.WithFlag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost")).Tab()
	tab.Goto(other.URL)
	tab.Wait(`document.activeElement?.dataset?.app === 'novareef'`, 10*time.Second)
	if r.launched() != 0 {
		t.Error("another site's link started a game")
	}
	tab.NoExceptions()
}

func TestPageAsksForAClickBeforeSound(t *testing.T) {
	r := newRoom(t, browsertest.WithFlag("autoplay-policy", "document-user-activation-required"))
	r.tab.Goto(r.srv.URL() + "#watch=" + r.c.session + ".ee01")
	r.tab.Wait(stageIsUp+` && !document.querySelector('.unmute').hidden && document.querySelector('audio').paused`, 15*time.Second)
	r.tab.Screenshot("unmute")
	r.tab.Click(".unmute")
	r.tab.Wait(`document.querySelector('.unmute').hidden && !document.querySelector('audio').paused`, 5*time.Second)
	r.tab.NoExceptions()
}
