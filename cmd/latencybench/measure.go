package main

import (
	"context"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// probeJS runs in every new document before the page's own scripts: it clicks the
// tile as soon as there is one, notes the stages, and holds the in-page probe.
//
//go:embed probe.js
var probeJS string

// Where the picture is laid out for the compositor's probe, in CSS px.
const (
	viewWidth  = 640
	viewHeight = 360
)

// measure plays one row once in a fresh browser.
func measure(ctx context.Context, d *demo, r row, probeFor time.Duration, chromium string) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second+2*probeFor)
	defer cancel()
	profile, err := os.MkdirTemp("", "latencybench-profile")
	if err != nil {
		return sample{}, err
	}
	defer os.RemoveAll(profile)
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.UserDataDir(profile),
		chromedp.Flag("headless", "new"), chromedp.Flag("autoplay-policy", "no-user-gesture-required"),
		chromedp.Flag("disable-features", "WebRtcHideLocalIpsWithMdns"), chromedp.Flag("mute-audio", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.WindowSize(viewWidth, viewHeight))
	actx, acancel := chromedp.NewExecAllocator(ctx, opts...)
	defer acancel()
	bctx, bcancel := chromedp.NewContext(actx)
	defer bcancel()

	var s sample
	boot := fmt.Sprintf("window.__bench={app:%q};\n", r.App) + probeJS
	err = chromedp.Run(bctx,
		chromedp.EmulateViewport(viewWidth, viewHeight),
		chromedp.ActionFunc(func(ctx context.Context) error {
			_, err := page.AddScriptToEvaluateOnNewDocument(boot).Do(ctx)
			return err
		}),
		chromedp.Navigate(d.url+"/?probe=1"),
	)
	if err != nil {
		return s, fmt.Errorf("opening the page: %w", err)
	}
	nav, err := firstPicture(bctx, `window.__bench.fromNavigation`)
	if err != nil {
		return s, err
	}
	s.Navigation = nav.Navigation
	if err := eval(bctx, `window.__bench.back()`, nil, true); err != nil {
		return s, fmt.Errorf("back to the catalogue: %w", err)
	}
	var at [2]float64
	if err := eval(bctx, `window.__bench.place()`, &at, false); err != nil {
		return s, err
	}
	if err := eval(bctx, `window.__bench.arm()`, nil, false); err != nil {
		return s, err
	}
	// a hand needs a moment between reaching the tile and pressing
	err = chromedp.Run(bctx, chromedp.MouseEvent(input.MouseMoved, at[0], at[1]), chromedp.Sleep(120*time.Millisecond), chromedp.MouseClickXY(at[0], at[1]))
	if err != nil {
		return s, err
	}
	click, err := firstPicture(bctx, `window.__bench.fromClick`)
	if err != nil {
		return s, err
	}
	s.Launch = click.Launch
	if err := eval(bctx, `window.__bench.settle()`, nil, true); err != nil {
		return s, err
	}
	node0, work0, t0 := cpuAt(d)
	if err := eval(bctx, fmt.Sprintf(`window.__bench.inPage(%d)`, probeFor.Milliseconds()), &s.InPage, true); err != nil {
		return s, fmt.Errorf("in-page probe: %w", err)
	}
	node1, work1, t1 := cpuAt(d)
	wall := t1.Sub(t0).Seconds()
	s.Cores = cores{Node: (node1 - node0) / wall, Worker: (work1 - work0) / wall}
	s.Cores.Total = s.Cores.Node + s.Cores.Worker
	var stats struct {
		Stages map[string]float64
		Slack  float64
	}
	if err := eval(bctx, `window.__bench.containerStats()`, &stats, false); err != nil {
		return s, err
	}
	s.Cores.ByStage, s.Slack = map[string]float64{}, stats.Slack
	for k, ms := range stats.Stages {
		s.Cores.ByStage[k] = ms * s.InPage.FPS / 1000
	}
	s.Composited, err = composited(bctx, probeFor)
	if err != nil {
		return s, fmt.Errorf("composited probe: %w", err)
	}
	// end the session before the browser goes, or the server encodes into the next run
	return s, eval(bctx, `window.__bench.stop()`, nil, true)
}

type marks struct {
	Launch, Navigation map[string]float64
	Error              string
}

// firstPicture waits for one of the page's promises of a first picture.
func firstPicture(ctx context.Context, promise string) (marks, error) {
	var m marks
	if err := eval(ctx, promise, &m, true); err != nil {
		return m, fmt.Errorf("waiting for the first picture: %w", err)
	}
	if m.Error != "" {
		return m, errors.New(m.Error)
	}
	return m, nil
}

func cpuAt(d *demo) (node, workers float64, at time.Time) {
	node, workers = d.cpuSeconds()
	return node, workers, time.Now()
}

func eval(ctx context.Context, js string, into any, await bool) error {
	var raw []byte
	p := func(p *runtime.EvaluateParams) *runtime.EvaluateParams {
		return p.WithAwaitPromise(await).WithReturnByValue(true)
	}
	if err := chromedp.Run(ctx, chromedp.Evaluate(`(async()=>JSON.stringify((await (`+js+`))??null))()`, &raw, func(p2 *runtime.EvaluateParams) *runtime.EvaluateParams { return p(p2).WithAwaitPromise(true) })); err != nil {
		return err
	}
	if into == nil {
		return nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return err
	}
	return json.Unmarshal([]byte(text), into)
}

// composited reads what the compositor showed: each screencast frame carries the
// compositor's timestamp; the bar in it says when the picture was drawn.
func composited(ctx context.Context, dur time.Duration) (probe, error) {
	type shot struct {
		at  float64 // ms since the epoch
		png []byte
	}
	var mu sync.Mutex
	var shots []shot
	lctx, stop := context.WithCancel(ctx)
	defer stop()
	chromedp.ListenTarget(lctx, func(ev any) {
		f, ok := ev.(*page.EventScreencastFrame)
		if !ok {
			return
		}
		if b, err := base64.StdEncoding.DecodeString(f.Data); err == nil && f.Metadata.Timestamp != nil {
			mu.Lock()
			shots = append(shots, shot{float64(f.Metadata.Timestamp.Time().UnixMicro()) / 1000, b})
			mu.Unlock()
		}
		go func() {
			c := chromedp.FromContext(ctx)
			_ = page.ScreencastFrameAck(f.SessionID).Do(withExecutor(ctx, c))
		}()
	})
	if err := eval(ctx, `window.__bench.fill()`, nil, true); err != nil {
		return probe{}, err
	}
	if err := chromedp.Run(ctx, page.StartScreencast().WithFormat(page.ScreencastFormatPng).WithEveryNthFrame(1)); err != nil {
		return probe{}, err
	}
	var presses [][2]float64 // ms since the epoch, state
	if err := eval(ctx, fmt.Sprintf(`window.__bench.presses(%d)`, dur.Milliseconds()), &presses, true); err != nil {
		return probe{}, err
	}
	if err := chromedp.Run(ctx, page.StopScreencast()); err != nil {
		return probe{}, err
	}
	stop()
	mu.Lock()
	defer mu.Unlock()
	var glass, click []float64
	type state struct {
		at float64
		on bool
	}
	var states []state
	p := probe{}
	for _, s := range shots {
		stamp, on, ok := readPicture(s.png)
		states = append(states, state{s.at, on})
		if !ok {
			p.BadBar++
			continue
		}
		glass = append(glass, sinceStamp(s.at, stamp))
	}
	for _, pr := range presses {
		for _, st := range states {
			if st.at > pr[0] && st.on == (pr[1] == 1) {
				if d := st.at - pr[0]; d < 190 { // beyond that it is the next press
					click = append(click, d)
				}
				break
			}
		}
	}
	p.Glass, p.Click = of(glass), of(click)
	p.FPS = round1(float64(len(shots)) / dur.Seconds())
	if len(glass) == 0 {
		return p, fmt.Errorf("no composited frame showed a readable bar (%d frames)", len(shots))
	}
	return p, nil
}
