package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/framemesh/framemesh/node/gateway/browsertest"
)

// fakeProofs shows what it is told to.
type fakeProofs struct {
	mu    sync.Mutex
	board any
	err   error
	asked int
}

var _ Proofs = (*fakeProofs)(nil)

func (f *fakeProofs) Board(context.Context) (any, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.board, f.err
}

func (f *fakeProofs) Evidence(_ context.Context, id string) (any, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	if strings.HasPrefix(id, "aa") {
		return map[string]any{"says": "a tile renders differently"}, f.err
	}
	return nil, f.err
}

func (f *fakeProofs) set(board any, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.board, f.err = board, err
}

func TestProofsAreShownWhereThereAreSome(t *testing.T) {
	p := &fakeProofs{board: map[string]any{"epoch": 7}}
	l := &fakeLedger{status: LedgerStatus{Chain: "net"}}
	s := newServer(t, &fakeMesh{}, func(o *Options) { o.Proofs, o.Ledger = p, l })
	r := do(s, "GET", "/api/proofs", "")
	tag := r.Header.Get("ETag")
	var got map[string]any
	if err := json.Unmarshal([]byte(text(t, r)), &got); r.StatusCode != 200 || err != nil || got["epoch"] != 7.0 || tag == "" {
		t.Fatal(r.StatusCode, err, got, tag)
	}
	if r := do(s, "GET", "/api/proofs", "", "If-None-Match", tag); r.StatusCode != 304 {
		t.Errorf("unchanged: %d", r.StatusCode)
	}
	p.set(map[string]any{"epoch": 8}, nil)
	if r := do(s, "GET", "/api/proofs", "", "If-None-Match", tag); r.StatusCode != 200 || r.Header.Get("ETag") == tag {
		t.Errorf("changed: %d", r.StatusCode)
	}
	if b := text(t, do(s, "GET", "/api/ledger", "")); !strings.Contains(b, `"proofs":true`) {
		t.Errorf("the page is not told of them: %s", b)
	}
	if r := do(s, "POST", "/api/proofs", ""); r.StatusCode != 405 {
		t.Errorf("POST: %d", r.StatusCode)
	}
	if b := text(t, do(s, "GET", "/api/proofs/"+strings.Repeat("aa", 32), "")); !strings.Contains(b, "renders differently") {
		t.Errorf("evidence: %s", b)
	}
	if b := text(t, do(s, "GET", "/api/proofs/"+strings.Repeat("AA", 20), "")); !strings.Contains(b, "renders differently") {
		t.Errorf("evidence by its name in a certificate: %s", b)
	}
	wantProblem(t, do(s, "GET", "/api/proofs/"+strings.Repeat("bb", 32), ""), 404, "no-proof")
	for _, bad := range []string{"x", "aa", strings.Repeat("aa", 19), strings.Repeat("zz", 32), strings.Repeat("aa", 33), "%00"} {
		wantProblem(t, do(s, "GET", "/api/proofs/"+bad, ""), 400, "invalid")
	}
	p.set(map[string]any{"long": strings.Repeat("x", maxProofs)}, nil)
	wantProblem(t, do(s, "GET", "/api/proofs", ""), 503, "proofs")
	p.set(nil, errors.New("away"))
	wantProblem(t, do(s, "GET", "/api/proofs", ""), 503, "ledger")

	none := newServer(t, &fakeMesh{}, func(o *Options) { o.Ledger = l })
	wantProblem(t, do(none, "GET", "/api/proofs", ""), 404, "no-proofs")
	wantProblem(t, do(none, "GET", "/api/proofs/"+strings.Repeat("aa", 32), ""), 404, "no-proofs")
	if b := text(t, do(none, "GET", "/api/ledger", "")); !strings.Contains(b, `"proofs":false`) {
		t.Errorf("%s", b)
	}
}

func TestEvidenceIsLookedUpWithinLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fakeProofs{}
		s := newServer(t, &fakeMesh{}, func(o *Options) { o.Proofs = p })
		for range 100 {
			do(s, "GET", "/api/proofs/"+strings.Repeat("ab", 32), "")
		}
		if p.asked != lookBurst {
			t.Errorf("looked up %d times, want %d", p.asked, lookBurst)
		}
	})
}

// aBoard is like what a demo shows, with a stranger's text in it.
func aBoard(now time.Time, verdict string) map[string]any {
	ms := func(d time.Duration) int64 { return now.Add(d).UnixMilli() }
	return map[string]any{"network": "demo", "epoch": 12, "start_ms": ms(-10 * time.Second), "end_ms": ms(600 * time.Second), "height": 400, "symbol": "FRM",
		"phases": []any{map[string]any{"name": "Containers render", "to_ms": ms(300 * time.Second)}, map[string]any{"name": "The reserve, if need be", "to_ms": ms(600 * time.Second)}},
		"containers": []any{
			map[string]any{"name": "container-1", "node": "12D3KooWAAAAAAAA", "epoch": 11, "verdict": "ok", "text": "The container proved what it renders.", "score_milli": 21_400, "rp_milli": 22_000, "paid": true},
			map[string]any{"name": "container-2", "node": "12D3KooWBBBBBBBB", "epoch": 11, "verdict": verdict, "text": "A tile that the container committed to does not recompute.", "code": "wrong_tile", "reason": 30, "score_milli": 0, "paid": false, "evidence": strings.Repeat("aa", 32)}},
		"epochs": []any{map[string]any{"epoch": 11, "containers_challenged": 2, "commits": 2, "votes": 5, "certificates": 1, "containers_proven": 1, "slashes": 1, "rewards": "123450000000"}},
		"happened": []any{
			map[string]any{"height": 390, "epoch": 11, "kind": "fraud_proven", "name": "container-2", "node": "12D3KooWBBBBBBBB", "tone": "bad", "code": "wrong_tile", "text": "A tile does not recompute. <img src=x>", "evidence": strings.Repeat("aa", 32)},
			map[string]any{"height": 388, "epoch": 11, "kind": "certificate_judged", "tone": "good", "text": "Batch 0 is certified by 5 checkers."}},
		"cheats": []string{"container-2"}}
}

func TestPageShowsProofsAsTheyHappen(t *testing.T) {
	b := browsertest.Start(t)
	p := &fakeProofs{board: aBoard(time.Now(), "bad")}
	s := newServer(t, &fakeMesh{apps: testApps(), picture: testPictures}, func(o *Options) {
		o.Listen, o.Proofs, o.Ledger = "127.0.0.1:0", p, &fakeLedger{status: LedgerStatus{Chain: "net", Symbol: "FRM"}}
	})
	patient(t, s)
	if err := s.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = s.Stop(ctx)
	})
	tab := b.Tab()
	tab.Goto(s.URL())
	tab.Wait(`document.querySelector('#proofs .fold')`, 10*time.Second)
	var open bool
	if tab.Eval(`!document.querySelector('#proofs .panel').hidden`, &open); open {
		t.Error("it is open before anybody asked")
	}
	tab.Click(`#proofs .fold`)
	tab.Wait(`document.querySelectorAll('#proofs .happened li').length === 2`, 5*time.Second)
	tab.Screenshot("proofs")
	for _, want := range []string{"Epoch 12: Containers render, ", "container-2 (cheats)", "21.4 RP", "(wrong_tile)", "<img src=x>", "2/2", "1234 FRM", "Batch 0 is certified"} {
		tab.Wait(fmt.Sprintf(`document.querySelector('#proofs .panel').innerText.includes(%q)`, want), 5*time.Second)
	}
	var link string
	if tab.Eval(`document.querySelector('#proofs .happened a').getAttribute('href')`, &link); link != "/api/proofs/"+strings.Repeat("aa", 32) {
		t.Errorf("the evidence is at %q", link)
	}
	p.set(aBoard(time.Now(), "absent"), nil)
	tab.Wait(`document.querySelector('#proofs .standing').innerText.includes('absent')`, 5*time.Second)
	p.set(nil, errors.New("away"))
	tab.Wait(`document.querySelector('#proofs .clock').textContent.includes('asked again')`, 5*time.Second)
	p.set(aBoard(time.Now(), "late"), nil)

	// by keyboard alone
	tab.Run(chromedp.Focus(`#proofs .fold`, chromedp.ByQuery), chromedp.KeyEvent(kb.Enter))
	tab.Wait(`document.querySelector('#proofs .panel').hidden && document.querySelector('#proofs .fold').getAttribute('aria-expanded') === 'false'`, 5*time.Second)
	tab.Run(chromedp.KeyEvent(kb.Enter))
	tab.Wait(`document.activeElement === document.querySelector('#proofs .panel')`, 5*time.Second)
	tab.Run(chromedp.KeyEvent(kb.Escape))
	tab.Wait(`document.querySelector('#proofs .panel').hidden && document.activeElement === document.querySelector('#proofs .fold')`, 5*time.Second)

	for _, w := range []int64{390, 360, 320} {
		tab.Size(w, 640, false)
		tab.Run(chromedp.KeyEvent(kb.Enter))
		tab.Wait(`!document.querySelector('#proofs .panel').hidden`, 5*time.Second)
		var fits bool
		if tab.Eval(`(() => { const r = document.querySelector('#proofs .panel').getBoundingClientRect(); return r.left >= 0 && r.top >= 0 && r.right <= innerWidth && r.bottom <= innerHeight })()`, &fits); !fits {
			t.Errorf("it does not fit into %d px", w)
		}
		if w == 390 { // what a round paid is on the screen, and nothing hides behind an edge
			var cut bool
			if tab.Eval(`(() => { const s = document.querySelector('#proofs .scroll'); return s.scrollWidth > s.clientWidth })()`, &cut); cut {
				t.Error("the table of rounds is cut off on a phone")
			}
		}
		tab.Screenshot(fmt.Sprintf("proofs-%d", w))
		tab.Run(chromedp.KeyEvent(kb.Escape))
		tab.Wait(`document.querySelector('#proofs .panel').hidden`, 5*time.Second)
	}
	tab.NoExceptions()
}
