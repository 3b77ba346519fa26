package gateway

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// stageIsUp is true once pictures are shown.
const stageIsUp = `document.querySelector('.veil').hidden && !document.getElementById('stage').hidden && document.querySelector('video').videoWidth > 0`

// pictureMoves resolves to how often the picture changed over ten frames.
const pictureMoves = `new Promise(done => { const v = document.querySelector('video'), c = document.createElement('canvas'); c.width = 32; c.height = 18;
  const g = c.getContext('2d', {willReadFrequently: true}); let last = '', n = 0, k = 0;
  const f = () => { g.drawImage(v, 0, 0, 32, 18); const d = g.getImageData(0, 0, 32, 18).data.join(); if (d !== last) n++; last = d; ++k < 10 ? v.requestVideoFrameCallback(f) : done(n) };
  v.requestVideoFrameCallback(f) })`

// patch is the brightness of the card's patch in the picture shown now.
const patch = `(() => { const v = document.querySelector('video'), c = document.createElement('canvas'); c.width = c.height = 1;
  const g = c.getContext('2d'); g.drawImage(v, 30, 50, 20, 20, 0, 0, 1, 1); return g.getImageData(0, 0, 1, 1).data[1] })()`

func TestPageShowsTheCatalogueAndPlays(t *testing.T) {
	r := newRoom(t)
	r.open()
	r.tab.Wait(`[...document.images].every(i => i.complete)`, 5*time.Second)
	r.tab.Screenshot("catalogue")
	var titles []string
	r.tab.Eval(`[...document.querySelectorAll('.tile .title')].map(e => e.textContent)`, &titles)
	if fmt.Sprint(titles) != "[Nova Reef Light Duel Latency card]" {
		t.Fatalf("tiles: %v", titles)
	}
	r.tab.Click(`[data-app=novareef]`)
	r.tab.Wait(stageIsUp, 15*time.Second)
	var moves int
	r.tab.Eval(pictureMoves, &moves)
	if moves < 5 {
		t.Errorf("the picture changed %d times in ten frames", moves)
	}
	r.tab.Wait(`document.querySelector('.stats') && document.querySelector('video').srcObject.getTracks().length === 1`, time.Second)

	// Sound plays on its own element and is not silent.
	var rms float64
	r.tab.Eval(`(async () => { const a = document.querySelector('audio'), x = new AudioContext(); await x.resume();
	  const n = x.createAnalyser(); x.createMediaStreamSource(a.srcObject).connect(n); const d = new Float32Array(n.fftSize);
	  for (let i = 0; i < 1000; i++) { await new Promise(r => setTimeout(r, 30)); n.getFloatTimeDomainData(d); const v = Math.sqrt(d.reduce((s, y) => s + y * y, 0) / d.length); if (v > 0.01) return v }
	  return 0 })()`, &rms)
	if rms < 0.01 {
		t.Errorf("the sound's RMS is %g", rms)
	}

	// The overlay, by key; every figure that this connection can have is there.
	r.tab.Key("F9", true)
	r.tab.Wait(`!document.querySelector('.stats').hidden && document.querySelector('[data-stat=fps]').textContent.includes('(30)') && document.querySelector('[data-stat=size]').textContent.includes('180')`, 5*time.Second)
	r.tab.Screenshot("stats")
	for stat, want := range map[string]string{"match": "✓ verified", "answer": "✓ verified", "container": "…" + r.c.id.String()[44:], "size": "320×180 openh264", "launch": "2 + 3 + 9 ms"} {
		if got := r.tab.Text(`[data-stat=` + stat + `]`); got != want {
			t.Errorf("%s is %q, want %q", stat, got, want)
		}
	}
	r.tab.Key("F9", true)
	r.tab.Wait(`document.querySelector('.stats').hidden`, time.Second)

	// Slack reports arrive as 12 bytes with a display period that can be one.
	waitFor(t, "slack reports", func() bool { return len(r.c.slacks()) >= 2 })
	s := r.c.slacks()[1]
	period := math.Float32frombits(binary.LittleEndian.Uint32(s[8:]))
	if len(s) != 12 || s[1] != 0 || binary.LittleEndian.Uint16(s[2:]) < 4 || period < 2 || period > 50 {
		t.Errorf("slack report % x, period %g", s, period)
	}
	if hello := r.c.messages("hello"); len(hello) != 1 || hello[0]["v"] != 1.0 || len(hello[0]["key"].(string)) != 64 {
		t.Errorf("hello: %v", hello)
	}
	if p := r.lastLaunch().Player; len(p) != 32 {
		t.Errorf("the launch carried a player key of %d bytes", len(p))
	}

	// Stop ends the session, and the catalogue is back.
	r.tab.Eval(`document.querySelector('[data-tool=stop]').click()`, nil)
	r.tab.Wait(`document.getElementById('stage').hidden && document.querySelector('[data-app=novareef]')`, 3*time.Second)
	waitFor(t, "the session's end", func() bool { return len(r.lefts()) > 0 })
	if l := r.lefts()[0]; !l.end || l.session != r.c.session || l.token != r.c.token() {
		t.Errorf("left: %+v", l)
	}
	r.tab.NoExceptions()
}

func TestPageSendsExactlyTheBytesOfTheSpec(t *testing.T) {
	r := newRoom(t)
	r.play()
	waitFor(t, "the first state", func() bool { return len(r.c.states()) > 0 })
	first := r.c.states()[0]
	if len(first) != 72 || first[0] != 1 || first[1] != 0 || binary.LittleEndian.Uint16(first[2:])&1 == 0 || binary.LittleEndian.Uint32(first[4:]) == 0 {
		t.Fatalf("first state % x", first)
	}
	r.tab.Key("KeyZ", true)
	waitFor(t, "KeyZ", r.c.held)
	b := r.c.last()
	want := make([]byte, 32)
	want[0x1D/8] = 1 << (0x1D % 8)
	if !bytes.Equal(b[20:52], want) {
		t.Errorf("keys % x, want % x", b[20:52], want)
	}
	r.tab.Wait(patch+` > 200`, 3*time.Second)
	r.tab.Key("ArrowRight", true)
	want[0x4F/8] |= 1 << (0x4F % 8)
	waitFor(t, "two keys", func() bool { return bytes.Equal(r.c.last()[20:52], want) })

	// While something is held the state is repeated, each time with another number.
	n := len(r.c.states())
	waitFor(t, "repeats while held", func() bool { return len(r.c.states()) >= n+4 })
	states := r.c.states()
	numbers := map[uint32]bool{} // in the order in which they came, which need not be theirs
	for i, s := range states {
		if n := binary.LittleEndian.Uint32(s[4:]); n == 0 || numbers[n] {
			t.Errorf("state %d has number %d, which is no new one", i, n)
		} else {
			numbers[n] = true
		}
		if !bytes.Equal(s[69:72], []byte{0, 0, 0}) {
			t.Errorf("state %d ends in % x", i, s[69:])
		}
	}
	if n := binary.LittleEndian.Uint32(r.c.last()[4:]); int(n) < len(states) {
		t.Errorf("the newest of %d states has number %d", len(states), n)
	}

	// The pointer is a place in the picture, wherever the bars are.
	r.tab.Eval(`(() => { const v = document.querySelector('video'), b = v.getBoundingClientRect(), s = Math.min(b.width / 320, b.height / 180), w = 320 * s, h = 180 * s;
	  v.dispatchEvent(new PointerEvent('pointermove', {bubbles: true, pointerType: 'mouse', button: -1, clientX: b.left + (b.width - w) / 2 + w / 4, clientY: b.top + (b.height - h) / 2 + h * 3 / 4})) })()`, nil)
	waitFor(t, "the pointer", func() bool {
		x, y := binary.LittleEndian.Uint16(r.c.last()[52:]), binary.LittleEndian.Uint16(r.c.last()[54:])
		return math.Abs(float64(x)-65535.0/4) < 200 && math.Abs(float64(y)-65535.0*3/4) < 200
	})

	// Losing the focus lets everything go, though no key came up.
	r.tab.Eval(`window.dispatchEvent(new Event('blur'))`, nil)
	waitFor(t, "release on blur", func() bool { return bytes.Equal(r.c.last()[20:52], make([]byte, 32)) })
	r.tab.Wait(patch+` < 60`, 3*time.Second)
	r.tab.NoExceptions()
}

// gamepadStub plugs in a controller whose state the test writes to window.pad.
const gamepadStub = `window.pad = {id: 'Test pad (STANDARD GAMEPAD)', index: 0, connected: true, mapping: 'standard', axes: [0, 0, 0, 0],
  buttons: Array.from({length: 17}, () => ({pressed: false, value: 0}))};
  navigator.getGamepads = () => [window.pad.connected ? window.pad : null, null, null, null]; document.hasFocus = () => true;`

func TestPageReadsControllers(t *testing.T) {
	r := newRoom(t)
	r.tab.Before(gamepadStub)
	r.play()
	r.tab.Eval(`pad.buttons[0].pressed = true, pad.axes[0] = -1, 0`, nil)
	buttons := func() uint32 { return binary.LittleEndian.Uint32(r.c.last()[8:]) }
	waitFor(t, "button A and the stick", func() bool {
		return buttons() == 1 && int16(binary.LittleEndian.Uint16(r.c.last()[12:])) == -32767
	})
	if flags := binary.LittleEndian.Uint16(r.c.last()[2:]); flags&2 == 0 {
		t.Errorf("flags %b do not say gamepad", flags)
	}
	r.tab.Eval(`pad.buttons[0].pressed = false, pad.axes[0] = 0.05, 0`, nil) // inside the dead zone
	waitFor(t, "rest", func() bool { return buttons() == 0 && binary.LittleEndian.Uint16(r.c.last()[12:]) == 0 })

	// Bind A to the pad's third button, as a person does.
	r.tab.Eval(`document.querySelector('[aria-label=Controllers]').click()`, nil)
	r.tab.Wait(`document.querySelector('dialog [data-button="0"]')`, 3*time.Second)
	r.tab.Click(`dialog [data-button="0"]`)
	r.tab.Eval(`pad.buttons[2].pressed = true, 0`, nil)
	r.tab.Wait(`document.querySelector('dialog [data-button="0"] .bound').textContent === 'button 2'`, 3*time.Second)
	r.tab.Screenshot("controllers")
	r.tab.Eval(`document.querySelector('dialog [aria-label=Close]').click()`, nil)
	waitFor(t, "the bound button", func() bool { return buttons()&1 == 1 })

	// Unplugged: everything is let go, and the person is told.
	r.tab.Eval(`pad.connected = false, 0`, nil)
	waitFor(t, "release", func() bool { return buttons() == 0 && binary.LittleEndian.Uint16(r.c.last()[2:])&2 == 0 })
	r.tab.Said(`Controller gone`)
	r.tab.NoExceptions()
}

func TestPageReloadResumes(t *testing.T) {
	r := newRoom(t)
	r.play()
	r.tab.Reload()
	r.tab.Wait(stageIsUp, 15*time.Second)
	if n, l := r.c.connections(), r.launched(); n != 2 || l != 1 {
		t.Errorf("after the reload: %d connections, %d launches", n, l)
	}
	if len(r.lefts()) != 0 {
		t.Error("the reload ended the session")
	}
	r.tab.Key("KeyZ", true)
	waitFor(t, "keys after the reload", r.c.held)
	r.tab.NoExceptions()

	// The session has ended meanwhile: words, not a dead page.
	r.c.mu.Lock()
	r.c.session = strings.Repeat("ab", 16)
	r.c.mu.Unlock()
	r.tab.Reload()
	r.tab.Wait(`document.querySelector('.veil h2')?.textContent === 'That game has ended'`, 10*time.Second)
}

func TestPageWatchAndJoinByLink(t *testing.T) {
	r := newRoom(t)
	r.play()
	r.tab.Eval(`document.querySelector('[aria-label="Invite somebody"]').click()`, nil)
	var links []string
	r.tab.Eval(`[...document.querySelectorAll('dialog input')].map(i => i.value)`, &links)
	r.tab.Screenshot("invite")
	if len(links) != 2 || !strings.HasSuffix(links[0], "#join="+r.c.session+".dd01") || !strings.HasSuffix(links[1], "#watch="+r.c.session+".ee01") {
		t.Fatalf("links %v", links)
	}
	watcher := r.b.Tab()
	watcher.Goto(links[1])
	watcher.Wait(stageIsUp, 15*time.Second)
	if s := watcher.Text(".hud"); !strings.Contains(s, "watching") || !strings.Contains(s, "Nova Reef") {
		t.Errorf("the watcher's bar says %q", s)
	}
	n := len(r.c.states())
	watcher.Key("KeyZ", true)
	watcher.Eval(`new Promise(r => setTimeout(r, 300))`, nil) // a page that would send has done so by then
	if len(r.c.states()) != n {
		t.Error("a watcher's key reached the container")
	}
	watcher.NoExceptions()
	second := r.b.Tab()
	second.Goto(links[0])
	second.Wait(stageIsUp, 15*time.Second)
	second.Key("KeyZ", true)
	waitFor(t, "the second player's key", r.c.held)
	second.NoExceptions()
}

func TestPageOnAPhone(t *testing.T) {
	r := newRoom(t)
	r.tab.Size(390, 844, true)
	r.open()
	r.tab.Wait(`[...document.images].every(i => i.complete)`, 5*time.Second)
	r.tab.Screenshot("phone-catalogue")
	var wide bool
	r.tab.Eval(`document.documentElement.scrollWidth > innerWidth`, &wide)
	if wide {
		t.Error("the catalogue scrolls sideways")
	}
	r.tab.Click(`[data-app=novareef]`)
	r.tab.Wait(stageIsUp+` && !document.querySelector('.touch').hidden`, 15*time.Second)
	r.tab.Screenshot("phone-portrait")
	buttons := func() uint32 { return binary.LittleEndian.Uint32(r.c.last()[8:]) }
	stick, key := r.tab.Centre(".stick-zone"), r.tab.Centre(".tkey.bottom")
	r.tab.Touch("start", key)
	waitFor(t, "button A", func() bool { return buttons() == 1 })
	r.tab.Touch("end")
	waitFor(t, "button A released", func() bool { return buttons() == 0 })
	r.tab.Touch("start", stick)
	r.tab.Touch("move", [2]float64{stick[0] + 100, stick[1]})
	waitFor(t, "the stick to the right", func() bool {
		return buttons() == 1<<15 && int16(binary.LittleEndian.Uint16(r.c.last()[12:])) == 32767
	})
	r.tab.Touch("start", [2]float64{stick[0] + 100, stick[1]}, key)
	waitFor(t, "stick and button at once", func() bool { return buttons() == 1<<15|1 })
	r.tab.Touch("end")
	waitFor(t, "rest", func() bool { return buttons() == 0 })
	r.tab.Size(844, 390, true)
	r.tab.Screenshot("phone-landscape")
	r.tab.NoExceptions()
}

// The latency probes take the video out of the page and press a key from outside.
func TestPageServesTheProbes(t *testing.T) {
	r := newRoom(t)
	r.tab.Goto(r.srv.URL() + "?probe=1#play=novareef") // opened by a person: it starts by itself
	r.tab.Wait(stageIsUp, 15*time.Second)
	r.tab.Eval(`(() => { const v = [...document.querySelectorAll('video')].find(x => x.srcObject); document.body.replaceChildren(v);
	  v.style.cssText = 'position:fixed!important;left:0;top:0;width:640px!important;height:360px!important;max-width:none;opacity:1;display:block'; v.play() })()`, nil)
	r.tab.Eval(`__press(1)`, nil)
	waitFor(t, "the probe's key", r.c.held)
	r.tab.Wait(patch+` > 200`, 3*time.Second)
	r.tab.Eval(`__press(0)`, nil)
	r.tab.Wait(patch+` < 60`, 3*time.Second)
	n := len(r.c.slacks())
	waitFor(t, "slack reports", func() bool { return len(r.c.slacks()) > n+2 })
	r.tab.Wait(`Number.isFinite(__slack) && __pc.connectionState === 'connected'`, 3*time.Second)
	var stages []string
	r.tab.Eval(`performance.getEntriesByType('mark').map(m => m.name)`, &stages)
	for _, want := range []string{"click", "local", "post", "answer", "verified", "remote", "connected", "first-frame"} {
		if !slices.Contains(stages, "framemesh:"+want) {
			t.Errorf("the timeline lacks %s: %v", want, stages)
		}
	}
	r.tab.NoExceptions()
}
