package gateway

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"

	mesh "github.com/framemesh/framemesh/actors/gateway"
	"github.com/framemesh/framemesh/ledger/key"
)

// newPaidRoom is a room whose container costs money.
func newPaidRoom(t *testing.T, change func(r *room, f *fakeTill, l *fakeLedger)) (*room, *fakeTill, *fakeLedger) {
	t.Helper()
	r := newRoom(t)
	l := &fakeLedger{status: LedgerStatus{Chain: "testnet", Symbol: "FRM", Height: 42, Epoch: 3, PerUSD: testRate, TxFee: 1000}, give: 100 * 100_000_000}
	f := newTill(t, r.c, l, 250_000)
	r.c.till = f
	apps := testApps()
	apps[0].MaxPrice, apps[1].MaxPrice = 400_000, 120_000
	r.apps = apps
	launch := r.launch
	r.launch = func(ctx context.Context, q mesh.LaunchRequest) (*mesh.Launched, error) {
		f.begin(q.Player)
		return launch(ctx, q)
	}
	s := newServer(t, r, func(o *Options) { o.Listen, o.Ledger, o.Funder = "127.0.0.1:0", l, l })
	if change != nil {
		change(r, f, l)
	}
	if l.give == 0 {
		s.opt.Funder = nil
	}
	if err := s.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = s.Stop(ctx)
	})
	patient(t, s)
	r.srv = s
	return r, f, l
}

// short is how the page writes an amount.
func short(units uint64) string {
	const frm = 100_000_000
	whole, part := strconv.FormatUint(units/frm, 10), fmt.Sprintf("%08d", units%frm)
	zeros := len(part) - len(strings.TrimLeft(part, "0"))
	switch {
	case units >= 1000*frm:
		return whole
	case units >= frm:
		part = part[:max(1, 4-len(whole))]
	default:
		part = part[:min(8, zeros+3)]
	}
	if part = strings.TrimRight(part, "0"); part == "" {
		return whole
	}
	return whole + "." + part
}

// wantAmounts finds re in what the page says: amounts paid and left in its first and
// third group, seconds in its second. They have to be right for those seconds, of the session's whole escrow.
func wantAmounts(t *testing.T, f *fakeTill, said, re string) (seconds uint32) {
	t.Helper()
	m := regexp.MustCompile(re).FindStringSubmatch(said)
	if m == nil {
		t.Fatalf("%q is not in %q", re, said)
	}
	n, err := strconv.ParseUint(m[2], 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	paid, all := f.terms.Owed(uint32(n)), f.terms.Owed(f.seconds)
	f.mu.Unlock()
	if m[1] != short(paid) || m[3] != short(all-paid) {
		t.Errorf("%s: that is %s, and %s are left", m[0], short(paid), short(all-paid))
	}
	return uint32(n)
}

// The page shows what play costs, pays for each second and says what it spent; every
// message is checked by the real decoders, the real signatures and the real meter.
func TestPagePays(t *testing.T) {
	r, f, _ := newPaidRoom(t, nil)
	r.open()
	r.tab.Wait(`document.querySelector('.cost .rate')?.textContent.includes('FRM / s') && !document.getElementById('purse').hidden`, 5*time.Second)
	if s := r.tab.Text("[data-app=novareef] .cost"); !strings.Contains(s, "$0.25 – 0.40 / h") || !strings.Contains(s, "0.0694 – 0.111 FRM / s") {
		t.Errorf("the tile says %q", s)
	}
	r.tab.Screenshot("pay-catalogue")
	r.tab.Click(`[data-app=novareef]`)
	r.tab.Wait(stageIsUp, 15*time.Second)
	waitFor(t, "four vouchers", func() bool { _, v, _ := f.seen(); return len(v) >= 4 })
	open, vouchers, bad := f.seen()
	if len(open) != 1 || len(bad) > 0 {
		t.Fatalf("%d orders, refused: %v", len(open), bad)
	}
	op := open[0].Body.GetOpen()
	indexer, _ := key.NodeOf(r.c.inID)
	if op.GetPerSecond() != 6_944_445 || op.GetPriceMicroUsdPerHour() != 250_000 || key.Node(op.GetContainer()) != f.terms.Container || [16]byte(op.GetSession()) != f.terms.Session || open[0].Signer != f.terms.Player || key.Node(op.GetIndexer()) != indexer || len(op.GetCertificate()) != 32 {
		t.Errorf("order %+v", op)
	}
	if op.GetSeconds() != 600 { // of the 1,439 that 100 FRM are enough for
		t.Errorf("an escrow of %d seconds, want ten minutes", op.GetSeconds())
	}
	for i, v := range vouchers {
		if v.Seq != uint64(i+1) || v.Paid != f.terms.Owed(v.Seconds) {
			t.Errorf("voucher %d: %+v", i, v)
		}
	}
	if q := r.lastLaunch(); q.MaxPrice != 1_000_000 {
		t.Errorf("the launch has a limit of %d µUSD an hour", q.MaxPrice)
	}
	r.tab.Eval(`document.getElementById('stage').dispatchEvent(new PointerEvent('pointermove'))`, nil)
	r.tab.Wait(`/^[\d.]+ FRM · \$0\.25 \/ h$/.test(document.querySelector('[data-money]').textContent)`, 3*time.Second)
	r.tab.Key("F9", true)
	r.tab.Wait(`/for \d+ s$/.test(document.querySelector('[data-stat=paid]').textContent) && /for 600 s$/.test(document.querySelector('[data-stat=escrow]').textContent)`, 3*time.Second)
	r.tab.Screenshot("pay-stats")

	// Stop says what was paid and what comes back.
	r.tab.Eval(`document.querySelector('[data-tool=stop]').click()`, nil)
	bill := r.tab.Said(`^You paid `)
	r.tab.Screenshot("pay-bill")
	if n := wantAmounts(t, f, bill, `^You paid ([\d.]+) FRM for (\d+) seconds; ([\d.]+) FRM set aside and not played come back with the next block\.$`); n < 4 {
		t.Errorf("four seconds were paid: %s", bill)
	}
	r.tab.NoExceptions()
}

// A new player with a faucet: the page orders before anybody can prove that the gift is
// there, for what the gift pays, and again while the gift is on its way.
func TestPageOrdersWithTheGift(t *testing.T) {
	const gift, blockTime = 30 * 100_000_000, 1_780_000_000_000
	r, f, _ := newPaidRoom(t, func(r *room, f *fakeTill, l *fakeLedger) {
		l.status.Gift, l.status.TimeMS, f.poor = gift, blockTime, 6
		l.slow = true
	})
	r.play()
	waitFor(t, "two vouchers", func() bool { _, v, _ := f.seen(); return len(v) >= 2 })
	open, _, bad := f.seen()
	if len(open) != 7 || len(bad) != 0 {
		t.Errorf("%d orders, refused: %v", len(open), bad)
	}
	for i, x := range open {
		if op := x.Body.GetOpen(); op.GetSeconds() != (gift-2000)/6_944_445 || x.Body.GetNonce() != 0 || x.Body.GetValidUntilMs() != blockTime+120_000 {
			t.Errorf("order %d: %+v", i, x.Body)
		}
	}
	r.tab.NoExceptions()
}

// A ledger that takes no order: the game is paused in words, the page tells why, and the
// game goes on as soon as the ledger takes one.
func TestPagePausesUnpaid(t *testing.T) {
	r, f, _ := newPaidRoom(t, func(r *room, f *fakeTill, l *fakeLedger) { f.lock = false })
	r.play()
	r.tab.Wait(`document.getElementById('stage').classList.contains('unpaid')`, 10*time.Second)
	r.tab.Said(`not being paid`)
	r.tab.Eval(`document.getElementById('stage').dispatchEvent(new PointerEvent('pointermove'))`, nil)
	r.tab.Wait(`document.querySelector('[data-money]').textContent.includes('did not take the payment')`, 10*time.Second)
	r.tab.Screenshot("pay-unpaid")
	if _, vouchers, _ := f.seen(); len(vouchers) != 0 {
		t.Errorf("the page promised money that is not set aside: %v", vouchers)
	}
	f.mu.Lock()
	f.lock = true
	f.mu.Unlock()
	r.tab.Wait(`!document.getElementById('stage').classList.contains('unpaid')`, 15*time.Second)
	waitFor(t, "vouchers", func() bool { _, v, _ := f.seen(); return len(v) >= 2 })
	r.tab.NoExceptions()
}

// A tile that is being pressed stays where it is when the prices come in.
func TestPageKeepsWhatIsPressed(t *testing.T) {
	r, f, _ := newPaidRoom(t, nil)
	f.ledger.mu.Lock() // its figures are on their way
	r.tab.Goto(r.srv.URL())
	r.tab.Wait(`document.querySelector('[data-app=novareef]')`, 10*time.Second)
	at := r.tab.Centre(`[data-app=novareef]`)
	mouse := func(kind input.MouseType) {
		r.tab.Run(input.DispatchMouseEvent(kind, at[0], at[1]).WithButton(input.Left).WithClickCount(1))
	}
	mouse(input.MousePressed)
	r.tab.Wait(`document.querySelector('[data-app=novareef]').matches(':active')`, 10*time.Second)
	f.ledger.mu.Unlock()
	r.tab.Wait(`!document.getElementById('purse').hidden`, 10*time.Second)
	r.tab.Eval(`new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))`, nil) // the catalogue would be drawn by now
	mouse(input.MouseReleased)
	r.tab.Wait(stageIsUp, 15*time.Second)
	r.tab.NoExceptions()
}

// What cannot be paid is told before a machine is asked.
func TestPageSaysWhatItCannotPay(t *testing.T) {
	r, _, l := newPaidRoom(t, func(r *room, f *fakeTill, l *fakeLedger) { l.give = 0 })
	said := func(title, shot string) {
		t.Helper()
		r.tab.Click(`[data-app=novareef]`)
		r.tab.Wait(`document.querySelector('.veil h2')?.textContent === '`+title+`'`, 5*time.Second)
		r.tab.Screenshot(shot)
		r.tab.Eval(`[...document.querySelectorAll('.veil button')].at(-1).click()`, nil)
		r.tab.Wait(`document.getElementById('stage').hidden`, 3*time.Second)
	}
	r.open()
	r.tab.Wait(`/^0 FRM$/.test(document.querySelector('[data-purse=balance]')?.textContent)`, 5*time.Second)
	said("There is not enough money in your account", "pay-no-money")
	r.tab.Eval(`(() => { const f = document.querySelector('#purse input'); f.value = '0.1'; f.dispatchEvent(new Event('change')) })()`, nil)
	said("Every machine asks for more than your limit", "pay-limit")
	r.tab.Eval(`(() => { const f = document.querySelector('#purse input'); f.value = '2'; f.dispatchEvent(new Event('change')) })()`, nil)
	l.set(func(f *fakeLedger) { f.status.PerUSD = 0 })
	r.tab.Reload()
	r.tab.Wait(`document.querySelector('[data-app=novareef] .cost') && !document.querySelector('.cost .rate') && document.querySelector('#purse input').value === '2.00'`, 10*time.Second)
	said("The price is not known just now", "pay-no-rate")
	if r.launched() != 0 {
		t.Errorf("%d launches", r.launched())
	}
	r.tab.NoExceptions()

	// A browser without Ed25519.
	other := r.b.Tab()
	other.Before(`crypto.subtle.generateKey = () => Promise.reject(new Error('NotSupportedError')); indexedDB.open = () => { throw new Error('no storage') };`)
	other.Goto(r.srv.URL())
	other.Wait(`document.querySelector('[data-purse=balance]')?.textContent === 'no key to pay with'`, 10*time.Second)
	other.Click(`[data-app=novareef]`)
	other.Wait(`document.querySelector('.veil h2')?.textContent === 'This browser cannot pay'`, 5*time.Second)
	other.Screenshot("pay-no-key")
}

// A machine whose price is not what its rate gives is left, and paid nothing.
func TestPageRefusesBadTerms(t *testing.T) {
	r, f, _ := newPaidRoom(t, func(r *room, f *fakeTill, l *fakeLedger) { f.wire.PerSecond++ })
	r.open()
	r.tab.Click(`[data-app=novareef]`)
	r.tab.Wait(`document.querySelector('.veil h2')?.textContent === 'The machine’s price does not hold'`, 15*time.Second)
	r.tab.Screenshot("pay-bad-terms")
	if open, vouchers, _ := f.seen(); len(open) != 0 || len(vouchers) != 0 {
		t.Errorf("%d orders and %d vouchers on terms that do not hold", len(open), len(vouchers))
	}
}

// A reload goes on paying the same session.
func TestPageReloadGoesOnPaying(t *testing.T) {
	r, f, _ := newPaidRoom(t, nil)
	began := time.Now()
	r.play()
	waitFor(t, "two vouchers", func() bool { _, v, _ := f.seen(); return len(v) >= 2 })
	r.tab.Reload()
	r.tab.Wait(stageIsUp, 15*time.Second)
	_, before, _ := f.seen()
	waitFor(t, "two more", func() bool { _, v, _ := f.seen(); return len(v) >= len(before)+2 })
	open, v, bad := f.seen()
	// One a second, or fewer on a machine that is busy; and never for more than one ahead.
	passed := time.Since(began)
	if last := v[len(v)-1]; len(open) != 1 || len(bad) != 0 || uint64(last.Seconds) < last.Seq || last.Seconds > uint32(passed/time.Second)+2 {
		t.Errorf("%d orders, refused %v, the last voucher %+v after %v", len(open), bad, last, passed)
	}
	r.tab.NoExceptions()
}
