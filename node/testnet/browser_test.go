package testnet

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"syscall"
	"testing"

	"github.com/framemesh/framemesh/actors/indexer/match"
	"github.com/framemesh/framemesh/actors/session"
	"github.com/framemesh/framemesh/node/gateway/browsertest"
)

const (
	game     = "novareef"
	playing  = `document.querySelector('.veil').hidden && !document.getElementById('stage').hidden && document.querySelector('video').videoWidth > 0`
	gone     = `everSaid.some(s => s.includes('The machine that ran your game stopped answering'))`
	tampered = `document.querySelector('.veil h2')?.textContent === 'The gateway changed the answer'`
	// look is a 64×36 thumbnail of the picture shown now, as an array of bytes.
	look = `(() => { const v = document.querySelector('video'), c = document.createElement('canvas'); c.width = 64; c.height = 36;
	  const g = c.getContext('2d'); g.drawImage(v, 0, 0, 64, 36); return [...g.getImageData(0, 0, 64, 36).data] })()`
	// rms is the loudest of the sound, once there is any; 18 seconds are waited for it.
	rms = `(async () => { const a = document.querySelector('audio'), x = new AudioContext(); await x.resume();
	  const n = x.createAnalyser(); x.createMediaStreamSource(a.srcObject).connect(n); const d = new Float32Array(n.fftSize); let top = 0;
	  for (let i = 0; i < 600; i++) { await new Promise(r => setTimeout(r, 30)); n.getFloatTimeDomainData(d); top = Math.max(top, Math.sqrt(d.reduce((s, y) => s + y * y, 0) / d.length)); if (top > 0.01) return top }
	  return top })()`
	// gaps notes the longest time between two pictures from now on.
	gaps = `(() => { const v = document.querySelector('video'); let last = performance.now(); window.longestGap = 0;
	  const f = () => { const n = performance.now(); window.longestGap = Math.max(window.longestGap, n - last); last = n; v.requestVideoFrameCallback(f) };
	  v.requestVideoFrameCallback(f) })()`
)

func openPage(t *testing.T, n *Net) (*browsertest.Browser, *browsertest.Tab) {
	t.Helper()
	b := browsertest.Start(t)
	tab := b.Tab()
	tab.Goto(n.URL())
	tab.Wait(fmt.Sprintf(`document.querySelector('[data-app=%s]')`, game), patience)
	return b, tab
}

func play(t *testing.T, tab *browsertest.Tab, app string) {
	t.Helper()
	tile := fmt.Sprintf(`[data-app="%s"]`, app)
	tab.Click(tile)
	// a page that draws its tiles anew between the button's going down and up has not been clicked
	tab.Wait(fmt.Sprintf(`!document.getElementById('stage').hidden || (() => { window.clicked ??= performance.now();
	  if (performance.now() - clicked > 15000) { clicked = Infinity; document.querySelector('%s').click() } return false })()`, tile), 2*patience)
	untilPlaying(tab)
}

// untilPlaying waits for the picture. A machine that is slow may not answer in the time that a
// page or a gateway gives it: then the page says so, and its player tries again; whoever watches
// opens the link once more.
func untilPlaying(tab *browsertest.Tab) {
	const again = `(() => { const v = document.querySelector('.veil'), n = Number(sessionStorage.triedAgain ?? 0), b = [...v.querySelectorAll('button.primary')].find(b => /^((Try|Start) again|Back to the games)$/.test(b.textContent));
	  if (b && n < 4 && !v.hidden) { sessionStorage.triedAgain = n + 1; b.textContent === 'Back to the games' ? location.reload() : b.click() } return false })()`
	tab.Wait(playing+` || `+again, 2*patience)
}

// sessions lists what all containers run.
func sessions(t *testing.T, n *Net) (out []session.Summary, where []string) {
	t.Helper()
	for _, p := range n.Peers() {
		if c := p.Container(); c != nil {
			ss, err := c.Sessions(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range ss {
				if s.Phase == session.Playing || s.Phase == session.Paused {
					out, where = append(out, s), append(where, p.Name)
				}
			}
		}
	}
	return out, where
}

// only is the one session there is, and where: one that a page gave up in the course of a launch
// lingers for a moment.
func only(t *testing.T, n *Net) (s session.Summary, where string) {
	t.Helper()
	until(t, "there is one session", patience, func() bool {
		ss, at := sessions(t, n)
		if len(ss) == 1 {
			s, where = ss[0], at[0]
		}
		return len(ss) == 1
	})
	return s, where
}

// pause lets the game run for a while: what it shows then is what is looked at.
func pause(tab *browsertest.Tab, ms int) {
	tab.Eval(fmt.Sprintf(`new Promise(r => setTimeout(r, %d))`, ms), nil)
}

// difference is the mean change of a picture's bytes.
func difference(a, b []int) float64 {
	sum := 0
	for i := range a {
		d := a[i] - b[i]
		sum += max(d, -d)
	}
	return float64(sum) / float64(max(len(a), 1))
}

func TestPlayInABrowser(t *testing.T) {
	n := start(t, Options{Containers: 2, Indexers: 2, Checkers: 1, Slots: 1})
	b, tab := openPage(t, n)
	tab.Wait(`[...document.images].every(i => i.complete)`, patience)
	tab.Screenshot("mesh-catalogue")
	play(t, tab, game)

	// the title screen gives way to the game when a key is pressed
	pause(tab, 600)
	var before, after []int
	tab.Eval(look, &before)
	tab.Key("Enter", true)
	pause(tab, 100)
	tab.Key("Enter", false)
	tab.Key("Space", true)
	d := 0.0
	for range 10 { // the picture is as late as the machine is slow
		pause(tab, 1200)
		tab.Eval(look, &after)
		if d = difference(before, after); d >= 3 {
			break
		}
	}
	if d < 3 {
		t.Errorf("keys changed the picture by %.2f of 255 only", d)
	}
	var loud float64
	tab.Eval(rms, &loud)
	tab.Key("Space", false)
	if loud < 0.005 {
		t.Errorf("the sound's RMS is %g", loud)
	}
	tab.Key("F9", true)
	tab.Wait(`!document.querySelector('.stats').hidden`, patience)
	tab.Wait(`document.querySelector('[data-stat=match]').textContent.includes('verified') && document.querySelector('[data-stat=answer]').textContent.includes('verified')`, patience)
	pause(tab, 1500)
	tab.Screenshot("mesh-playing")
	// what the page saves is a certificate that anyone can check
	var saved string
	tab.Eval(`(async () => { let blob; const real = URL.createObjectURL; URL.createObjectURL = b => (blob = b, real.call(URL, b));
	  document.querySelector('.stats .save').click(); URL.createObjectURL = real;
	  return btoa(String.fromCharCode(...new Uint8Array(await blob.arrayBuffer()))) })()`, &saved)
	certificate, err := base64.StdEncoding.DecodeString(saved)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := match.Verify(certificate, n.Network()); err != nil {
		t.Errorf("the saved certificate: %v", err)
	}
	tab.Key("F9", true)
	tab.Wait(`document.querySelector('.stats').hidden`, patience)

	// a reload resumes the same session
	was, _ := only(t, n)
	tab.Reload()
	untilPlaying(tab)
	if now, _ := only(t, n); now.ID != was.ID {
		t.Fatalf("the reload did not resume: %v then %v", was, now)
	}

	// a second tab watches by link
	var links []string
	tab.Eval(`document.querySelector('[aria-label="Invite somebody"]').click()`, nil)
	tab.Eval(`[...document.querySelectorAll('dialog input')].map(i => i.value)`, &links)
	if len(links) == 0 {
		t.Fatal("no invitation")
	}
	watcher := b.Tab()
	watcher.Goto(links[len(links)-1])
	untilPlaying(watcher)
	until(t, "the container counts two pages", patience, func() bool { ss, _ := sessions(t, n); return len(ss) == 1 && ss[0].Viewers == 2 })
	watcher.Screenshot("mesh-watching")
	watcher.NoExceptions()

	// stop frees the slot
	tab.Eval(`document.querySelector('dialog')?.close(), document.querySelector('[data-tool=stop]').click()`, nil)
	tab.Wait(`document.getElementById('stage').hidden`, patience)
	until(t, "the slot is free", patience, func() bool {
		ss, _ := sessions(t, n)
		return len(ss) == 0
	})
	tab.NoExceptions()
}

// patch is the brightness of the test card's patch in the picture shown now.
const patch = `(() => { const v = document.querySelector('video'), c = document.createElement('canvas'); c.width = c.height = 1;
  const g = c.getContext('2d'); g.drawImage(v, 20, 45, 20, 20, 0, 0, 1, 1); return g.getImageData(0, 0, 1, 1).data[1] })()`

func TestAKeyIsSeenWhileItIsHeldAndNoLonger(t *testing.T) {
	n := start(t, Options{Containers: 1, Slots: 1})
	_, tab := openPage(t, n)
	play(t, tab, "latency")
	for range 3 {
		tab.Wait(patch+` < 60`, patience)
		tab.Key("KeyZ", true)
		tab.Wait(patch+` > 200`, patience)
		tab.Key("KeyZ", false)
	}
	tab.Wait(patch+` < 60`, patience)
	tab.NoExceptions()
}

func TestAKilledWorkerComesBackByItself(t *testing.T) {
	n := start(t, Options{Containers: 1, Slots: 1})
	_, tab := openPage(t, n)
	play(t, tab, game)
	tab.Key("Enter", true)
	pause(tab, 2500) // at least one snapshot is taken
	tab.Key("Enter", false)
	tab.Eval(gaps, nil)
	was, _ := only(t, n)
	if was.PID == 0 {
		t.Fatalf("%+v", was)
	}
	if err := syscall.Kill(was.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	var after []session.Summary
	until(t, "a new worker", patience, func() bool {
		after, _ = sessions(t, n)
		return len(after) == 1 && after[0].Restarts > 0 && after[0].PID != 0 && after[0].PID != was.PID
	})
	tab.Wait(`window.longestGap > 0 && document.querySelector('.veil').hidden`, patience)
	pause(tab, 1500)
	var gap float64
	tab.Eval(`window.longestGap`, &gap)
	t.Logf("longest time without a picture: %.0f ms", gap)
	if after[0].ID != was.ID {
		t.Error("it is another session")
	}
	tab.Screenshot("worker-restarted")
	tab.NoExceptions()
}

func TestAPulledPlugIsSaidAndTheNextMachineIsOffered(t *testing.T) {
	n := start(t, Options{Containers: 2, Slots: 1})
	_, tab := openPage(t, n)
	play(t, tab, game)
	_, where := only(t, n)
	if err := n.Crash(where); err != nil {
		t.Fatal(err)
	}
	took := tab.Wait(gone, patience)
	t.Logf("the page said so after %v", took)
	tab.Eval(`[...document.querySelectorAll('.veil button.primary')].find(b => b.textContent.startsWith('Play on the next machine'))?.click()`, nil)
	untilPlaying(tab)
	if _, next := only(t, n); next == where {
		t.Errorf("the next match is %v", next)
	}
	tab.NoExceptions()
}

func TestAGatewayThatChangesTheAnswerIsCaught(t *testing.T) {
	n := start(t, Options{Containers: 1, Slots: 1})
	to, err := url.Parse(n.URL())
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = to.Host
			r.Out.Header.Set("Origin", strings.TrimSuffix(to.String(), "/"))
		},
		ModifyResponse: func(r *http.Response) error {
			if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/sdp") {
				return nil
			}
			b, err := io.ReadAll(r.Body)
			if err != nil {
				return err
			}
			head, rest, ok := strings.Cut(string(b), "a=fingerprint:sha-256 ")
			if !ok {
				return fmt.Errorf("the answer has no fingerprint")
			}
			first := "00"
			if strings.HasPrefix(rest, first) {
				first = "FF"
			}
			r.Body = io.NopCloser(strings.NewReader(head + "a=fingerprint:sha-256 " + first + rest[2:]))
			return nil
		},
	}
	s := httptest.NewServer(proxy)
	defer s.Close()
	tab := browsertest.Start(t).Tab()
	tab.Goto(s.URL)
	tab.Wait(fmt.Sprintf(`document.querySelector('[data-app=%s]')`, game), patience)
	tab.Click(fmt.Sprintf(`[data-app=%s]`, game))
	tab.Wait(tampered, patience)
	tab.Screenshot("mesh-tampered")
}

func TestTwoPlayersRaceForTheLastSlot(t *testing.T) {
	n := start(t, Options{Containers: 1, Slots: 1})
	b, first := openPage(t, n)
	play(t, first, game)
	second := b.Tab()
	second.Goto(n.URL())
	second.Wait(fmt.Sprintf(`document.querySelector('[data-app=%s]')`, game), patience)
	second.Click(fmt.Sprintf(`[data-app=%s]`, game))
	second.Wait(`/line|queue|next|turn/i.test(document.querySelector('.veil')?.innerText || '')`, patience)
	second.Screenshot("mesh-queue")
	first.Eval(`document.querySelector('[data-tool=stop]').click()`, nil)
	untilPlaying(second)
	second.NoExceptions()
}
