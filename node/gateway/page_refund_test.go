package gateway

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	comesBack = `document.querySelector('[data-purse=coming]')?.hidden === false && /^\+ [\d.]+ FRM back (at|on) /.test(document.querySelector('[data-purse=coming]').textContent)`
	saysBack  = `^[\d.]+ FRM that you set aside come back (at|on) .* at the latest, sooner if the machine settles\.$`
	remembers = `Object.keys(localStorage).filter(k => k.startsWith('framemesh.escrow.')).length`
)

// wantBack: said begins with, or has after a sign, what a session's close leaves of its escrow.
func (r *room) wantBack(t *testing.T, f *fakeTill, w *watchmen, said string) {
	t.Helper()
	x := w.closing(f)
	if x == nil {
		t.Fatalf("the page says %q, and the ledger has no close", said)
	}
	f.mu.Lock()
	all := f.terms.Owed(f.seconds)
	f.mu.Unlock()
	if want := short(all - x.Body.GetClose().GetVoucher().GetPaid()); !strings.HasPrefix(strings.TrimPrefix(said, "+ "), want+" FRM ") {
		t.Errorf("the page says %q, and %s FRM come back", said, want)
	}
}

// comesHome: the page has closed the session that a machine left by its player's key, with the
// newest voucher of what was played, after its complaint, and the next game is paid with the other
// number. It says what comes back and when, also after a reload, until that is settled.
func (r *room) comesHome(t *testing.T, f, next *fakeTill, played uint32, w *watchmen) {
	t.Helper()
	x := w.closing(f)
	if x == nil {
		t.Fatal("the page says so, and the ledger has no close")
	}
	_, vouchers, _ := f.seen()
	last, v := vouchers[len(vouchers)-1], x.Body.GetClose().GetVoucher()
	if v.GetSeconds() < last.Seconds || v.GetSeconds() > played || v.GetPaid() != f.terms.Owed(v.GetSeconds()) {
		t.Errorf("closed with %+v, the last voucher that came is %+v of %d seconds", x.Body, last, played)
	}
	w.mu.Lock()
	order := slices.Clone(w.order)
	w.mu.Unlock()
	if name := fmt.Sprintf("%x", f.terms.Session); !slices.Equal(order, []string{"gone " + name, "close " + name}) {
		t.Errorf("the gateway was told %v", order)
	}

	// The close is before the next game's order, unless complaining took longer than the offer of
	// that game lasts; neither takes the other's number.
	open, _, bad := next.seen()
	if len(open) != 1 || len(bad) != 0 || x.Body.GetNonce()+open[0].Body.GetNonce() != 1+2 || x.Body.GetNonce() == 0 || open[0].Body.GetNonce() == 0 {
		t.Errorf("%d orders of the next game, refused %v, closed with number %d", len(open), bad, x.Body.GetNonce())
	}
	r.tab.Eval(`document.querySelector('[data-tool=stop]').click()`, nil)
	r.tab.Wait(comesBack, 10*time.Second)
	r.tab.Screenshot("refund-comes")
	r.wantBack(t, f, w, r.tab.Text(`[data-purse=coming]`))
	r.tab.Reload()
	r.tab.Wait(comesBack, 10*time.Second)
	w.mu.Lock()
	w.settled[f.terms.Session], w.settled[next.terms.Session] = true, true
	w.mu.Unlock()
	r.tab.Reload()
	r.tab.Wait(`document.querySelector('[data-app=novareef]') && `+remembers+` === 1`, 10*time.Second) // the one that was left a moment ago is not asked for
	if w.closing(next) != nil {
		t.Error("a game that its player stopped is closed without its machine")
	}
}

// A player closes the page, and then the machine goes. At a visit that is later than any
// settlement, what was set aside is asked for, and nobody is complained about.
func TestPageClosesAtTheNextVisit(t *testing.T) {
	r, f, w := newWatchedRoom(t)
	r.play()
	paidFor(t, f, 2)
	r.tab.Eval(`location.hash = '', sessionStorage.clear()`, nil)
	r.tab.Goto("about:blank")
	f.c.freeze()
	r.open()
	r.tab.Wait(remembers+` === 1`, 5*time.Second)
	r.tab.Eval(`(() => { const k = Object.keys(localStorage).find(k => k.startsWith('framemesh.escrow.')), e = JSON.parse(localStorage.getItem(k)); e.at -= 200000; localStorage.setItem(k, JSON.stringify(e)) })()`, nil)
	if w.closing(f) != nil {
		t.Error("a session that was left a moment ago is closed: its machine had no time to settle")
	}
	f.ledger.mu.Lock() // the ledger answers long after the games are there
	r.tab.Reload()
	r.tab.Wait(`document.querySelector('[data-app=novareef]')`, 10*time.Second)
	r.tab.Eval(`new Promise(r => setTimeout(r, 600))`, nil) // the page is at rest by then
	f.ledger.mu.Unlock()
	r.tab.Wait(comesBack, 15*time.Second)
	r.wantBack(t, f, w, r.tab.Said(saysBack))
	r.wantBack(t, f, w, r.tab.Text(`[data-purse=coming]`))
	if x := w.closing(f); x == nil || x.Body.GetClose().GetVoucher().GetSeconds() < 2 {
		t.Errorf("closed with %+v", x)
	}
	if w.sessions() != 0 {
		t.Errorf("complaints about %d sessions", w.sessions())
	}
	r.tab.NoExceptions()
}
