// Package browsertest drives a real Chromium for tests of the player page. One Start
// is one fresh browser; a Tab is one page in it. A test without a browser skips with
// the reason, and fails where CI=true, so that it cannot go missing unnoticed.
//
// It is for tests only and never part of the node.
package browsertest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// names are the browsers looked for on PATH, after $FRAMEMESH_CHROMIUM.
var names = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

// Browser is one Chromium process with a profile of its own.
type Browser struct {
	t   testing.TB
	ctx context.Context
}

// Option changes how the browser starts.
type Option func(*options)

type options struct{ flags map[string]any }

// WithFlag sets a command-line flag: true, or a value.
func WithFlag(name string, value any) Option { return func(o *options) { o.flags[name] = value } }

// Missing skips the test with the reason, or fails it where CI=true.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// find returns the browser's path or "".
func find() string {
	if p := os.Getenv("FRAMEMESH_CHROMIUM"); p != "" {
		return p
	}
	for _, n := range names {
		if p, err := exec.LookPath(n); err == nil {
			return p
		}
	}
	return ""
}

// patience is the least that Wait allows, and most what one step may take: how soon something
// comes says more of the machine that runs the test than of the page, and what does come is not
// waited for any longer.
const (
	patience = 45 * time.Second
	most     = 2 * time.Minute
)

// Start opens a fresh headless browser that ends with the test. It reaches nothing
// but 127.0.0.1, and lets media play without a gesture, as after a click.
func Start(t testing.TB, opts ...Option) *Browser {
	t.Helper()
	path := find()
	if path == "" {
		Missing(t, "no Chromium on this machine: install chromium, or set FRAMEMESH_CHROMIUM")
	}
	o := options{flags: map[string]any{
		"headless": "new", "no-sandbox": true, "autoplay-policy": "no-user-gesture-required",
		"disable-background-networking": true, "disable-component-update": true, "disable-sync": true,
		"no-first-run": true, "disable-gpu": true, "mute-audio": true,
		"host-resolver-rules": "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
	}}
	for _, f := range opts {
		f(&o)
	}
	alloc := append([]chromedp.ExecAllocatorOption{}, chromedp.DefaultExecAllocatorOptions[:]...)
	alloc = append(alloc, chromedp.ExecPath(path), chromedp.UserDataDir(profile(t)), chromedp.WSURLReadTimeout(most))
	for k, v := range o.flags {
		alloc = append(alloc, chromedp.Flag(k, v))
	}
	actx, endAlloc := chromedp.NewExecAllocator(context.Background(), alloc...)
	ctx, end := chromedp.NewContext(actx, chromedp.WithBrowserOption(chromedp.WithDialTimeout(most)))
	t.Cleanup(func() {
		stop, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		_ = chromedp.Cancel(stop) // closes the browser and waits for it
		end()
		endAlloc()
	})
	if err := chromedp.Run(ctx); err != nil {
		t.Fatalf("browsertest: %s did not start: %v", path, err)
	}
	return &Browser{t, ctx}
}

// profile is a folder that goes with the test. A browser's processes may write to it for a
// moment after the first of them has ended, which is no failure of the test.
func profile(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "browsertest-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 100 {
			if err = os.RemoveAll(dir); err == nil {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Logf("browsertest: the browser's profile stays: %v", err)
	})
	return dir
}

// Tab is one page. Its methods fail the test instead of returning errors.
type Tab struct {
	t    testing.TB
	ctx  context.Context
	mu   sync.Mutex
	errs []string // uncaught exceptions of the page
}

// Tab opens a page. Tabs of one browser share storage like those of a person.
func (b *Browser) Tab() *Tab {
	b.t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	b.t.Cleanup(cancel)
	tab := &Tab{t: b.t, ctx: ctx}
	chromedp.ListenTarget(ctx, func(ev any) {
		if e, ok := ev.(*runtime.EventExceptionThrown); ok {
			tab.mu.Lock()
			defer tab.mu.Unlock()
			tab.errs = append(tab.errs, e.ExceptionDetails.Error())
		}
	})
	// The first run ties the tab to its context, so it must not be one with a deadline.
	if err := chromedp.Run(ctx); err != nil {
		b.t.Fatalf("browsertest: no tab: %v", err)
	}
	tab.Run(chromedp.EmulateViewport(1280, 800))
	tab.Before(remember)
	return tab
}

// remember keeps what the page says in words that go again: toasts, and what covers the picture.
const remember = `(() => {
  const said = window.everSaid = [];
  const look = () => { for (const e of document.querySelectorAll('.toast, .veil')) if (e.textContent && !said.includes(e.textContent)) said.push(e.textContent); };
  new MutationObserver(look).observe(document, {childList: true, subtree: true, characterData: true});
})()`

// Context is the tab's chromedp context, for actions that have no method here.
func (t *Tab) Context() context.Context { return t.ctx }

// Run runs chromedp actions within two minutes.
func (t *Tab) Run(actions ...chromedp.Action) {
	t.t.Helper()
	ctx, cancel := context.WithTimeout(t.ctx, most)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		t.t.Fatalf("browsertest: %v%s", err, t.context())
	}
}

// context adds what the page itself said to a failure.
func (t *Tab) context() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.errs) == 0 {
		return ""
	}
	return "\nexceptions in the page:\n" + strings.Join(t.errs, "\n")
}

// Goto opens an address. A tab that is there already loads it again.
func (t *Tab) Goto(url string) { t.t.Helper(); t.Run(chromedp.Navigate(url)) }

// Reload loads the page again, as a person would.
func (t *Tab) Reload() { t.t.Helper(); t.Run(chromedp.Reload()) }

// Before runs a script in every page of the tab before the page's own.
func (t *Tab) Before(script string) {
	t.t.Helper()
	t.Run(chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := page.AddScriptToEvaluateOnNewDocument(script).Do(ctx)
		return err
	}))
}

// Eval evaluates an expression, awaiting a promise, into out (nil to drop it).
func (t *Tab) Eval(js string, out any) {
	t.t.Helper()
	t.Run(chromedp.Evaluate(js, out, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
}

// Text returns the text of the first element that matches, or "".
func (t *Tab) Text(selector string) string {
	t.t.Helper()
	var s string
	t.Eval(fmt.Sprintf("document.querySelector(%q)?.innerText ?? ''", selector), &s)
	return s
}

// Wait waits until a JavaScript expression is true and returns how long that took. It
// looks without a user gesture: a page that may play sound did not get that from here.
func (t *Tab) Wait(js string, limit time.Duration) time.Duration {
	t.t.Helper()
	start := time.Now()
	limit = max(limit, patience)
	ctx, cancel := context.WithTimeout(t.ctx, limit)
	defer cancel()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	var err error
	for {
		var ok bool
		// While a page loads there may be nothing to ask: that is no answer yet.
		if err = chromedp.Run(ctx, chromedp.Evaluate("Boolean("+js+")", &ok)); err == nil && ok {
			return time.Since(start)
		}
		select {
		case <-poll.C:
			continue
		case <-ctx.Done():
		}
		break
	}
	var seen string
	ctx, cancel = context.WithTimeout(t.ctx, 5*time.Second)
	defer cancel()
	_ = chromedp.Run(ctx, chromedp.Evaluate("document.body.innerText.slice(0, 1500)", &seen))
	t.t.Fatalf("browsertest: after %v still not true: %s (last error: %v)%s\nthe page says:\n%s", limit, js, err, t.context(), seen)
	return 0
}

// Said waits until the page has said something that the JavaScript expression re matches, since
// it was loaded, in a toast or over the picture, and returns it. It may be gone from the screen.
func (t *Tab) Said(re string) string {
	t.t.Helper()
	find := fmt.Sprintf("everSaid.find(s => /%s/.test(s))", re)
	t.Wait(find, patience)
	var s string
	t.Eval(find, &s)
	return s
}

// Click clicks in the middle of the first element that matches, with the mouse, as soon as it
// is there, stands still and is what the mouse would hit. What has faded comes back for a mouse
// that moves.
func (t *Tab) Click(selector string) {
	t.t.Helper()
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	at := fmt.Sprintf(`(async () => {
	  const frame = () => new Promise(r => requestAnimationFrame(r)), place = () => {
	    const e = document.querySelector(%q), b = e?.getBoundingClientRect();
	    return b?.width ? {e, x: b.left + b.width / 2, y: b.top + b.height / 2} : null;
	  };
	  place()?.e.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'});
	  await frame();
	  const was = place();
	  await frame();
	  const is = place();
	  if (!was || !is || was.e !== is.e || was.x !== is.x || was.y !== is.y) return [];
	  return [is.x, is.y, is.e.contains(document.elementFromPoint(is.x, is.y)) ? 1 : 0];
	})()`, selector)
	mouse := func(kind input.MouseType, x, y float64, button input.MouseButton) chromedp.Action {
		return input.DispatchMouseEvent(kind, x, y).WithButton(button).WithClickCount(1)
	}
	awaited := func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }
	for {
		var p []float64
		err := chromedp.Run(ctx, chromedp.Evaluate(at, &p, awaited))
		switch {
		case ctx.Err() != nil:
			t.t.Fatalf("browsertest: %s could not be clicked: %v%s", selector, err, t.context())
		case err != nil || len(p) != 3: // while a page loads there may be nothing to ask
			_ = chromedp.Run(ctx, chromedp.Sleep(20*time.Millisecond))
		case p[2] == 0:
			t.Run(input.DispatchMouseEvent(input.MouseMoved, p[0], p[1]))
		default:
			t.Run(mouse(input.MousePressed, p[0], p[1], input.Left), mouse(input.MouseReleased, p[0], p[1], input.Left))
			return
		}
	}
}

// Key presses or releases one key by its code, for example "KeyZ", without text.
func (t *Tab) Key(code string, down bool) {
	t.t.Helper()
	kind := input.KeyUp
	if down {
		kind = input.KeyRawDown
	}
	key := code
	if rest, ok := strings.CutPrefix(code, "Key"); ok {
		key = strings.ToLower(rest)
	}
	t.Run(chromedp.ActionFunc(func(ctx context.Context) error {
		return input.DispatchKeyEvent(kind).WithCode(code).WithKey(key).Do(ctx)
	}))
}

// Touch puts fingers on the glass (CSS px): "start" and "move" with where they all are,
// "end" with those that stay.
func (t *Tab) Touch(what string, at ...[2]float64) {
	t.t.Helper()
	kind := map[string]input.TouchType{"start": input.TouchStart, "move": input.TouchMove, "end": input.TouchEnd}[what]
	points := make([]*input.TouchPoint, len(at))
	for i, p := range at {
		points[i] = &input.TouchPoint{X: p[0], Y: p[1], ID: float64(i + 1)}
	}
	t.Run(input.DispatchTouchEvent(kind, points))
}

// Centre is the middle of the first element that matches, in CSS px of the window.
func (t *Tab) Centre(selector string) [2]float64 {
	t.t.Helper()
	var at [2]float64
	t.Eval(fmt.Sprintf("(() => { const b = document.querySelector(%q).getBoundingClientRect(); return [b.left + b.width / 2, b.top + b.height / 2] })()", selector), &at)
	return at
}

// Size gives the page a window of w×h CSS px; phone adds touch and twice the pixels.
func (t *Tab) Size(w, h int64, phone bool) {
	t.t.Helper()
	if phone {
		t.Run(chromedp.EmulateViewport(w, h, chromedp.EmulateScale(2), chromedp.EmulateMobile, chromedp.EmulateTouch),
			emulation.SetTouchEmulationEnabled(true).WithMaxTouchPoints(5))
		return
	}
	t.Run(chromedp.EmulateViewport(w, h))
}

// Close closes the tab as a person would, so that the page may say goodbye.
func (t *Tab) Close() {
	t.t.Helper()
	id := chromedp.FromContext(t.ctx).Target.TargetID
	_ = chromedp.Run(t.ctx, target.CloseTarget(id)) // the answer may not come: the tab is gone
}

// Screenshot keeps a picture of the window as name.png in $FRAMEMESH_ARTIFACTS, or in
// the test's own folder when that is not set, and returns it.
func (t *Tab) Screenshot(name string) []byte {
	t.t.Helper()
	var png []byte
	t.Eval(`Promise.all(document.getAnimations().filter(a => a.effect.getComputedTiming().iterations !== Infinity).map(a => a.finished.catch(() => {})))`, nil)
	t.Run(chromedp.CaptureScreenshot(&png))
	dir := os.Getenv("FRAMEMESH_ARTIFACTS")
	if dir == "" {
		dir = t.t.TempDir()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		t.t.Fatal(err)
	}
	return png
}

// NoExceptions fails the test when the page threw one that nobody caught.
func (t *Tab) NoExceptions() {
	t.t.Helper()
	if s := t.context(); s != "" {
		t.t.Error(strings.TrimSpace(s))
	}
}
