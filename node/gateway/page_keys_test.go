package gateway

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Who has no mouse reaches everything: from the tile into the game, to the bar that has faded,
// back to the game, out of it, and to the same tile.
func TestPageByKeyboardAlone(t *testing.T) {
	r := newRoom(t)
	r.open()
	press := func(key, focused string) {
		t.Helper()
		r.tab.Run(chromedp.KeyEvent(key))
		r.tab.Wait(`document.activeElement.matches('`+focused+`')`, 10*time.Second)
	}
	r.tab.Eval(`document.querySelector('[data-app=novareef]').focus()`, nil)
	r.tab.Run(chromedp.KeyEvent(kb.Enter))
	r.tab.Wait(stageIsUp+` && document.getElementById('stage').matches('.idle:focus')`, 15*time.Second)
	press(kb.Tab, `[data-tool=stop]`)
	r.tab.Wait(`!document.getElementById('stage').classList.contains('idle')`, 10*time.Second)
	press(kb.Escape, `#stage`)
	press(kb.Tab, `[data-tool=stop]`)
	press(kb.Enter, `[data-app=novareef]`)
	r.tab.Wait(`document.getElementById('stage').hidden`, 10*time.Second)
	r.tab.NoExceptions()
}

// A phone's bar holds the money, and every button of it is on the screen.
func TestPageOnAPhoneWithMoney(t *testing.T) {
	r, _, _ := newPaidRoom(t, nil)
	r.tab.Size(360, 740, true)
	r.open()
	r.tab.Wait(`/\d FRM/.test(document.querySelector('[data-purse=balance]')?.textContent)`, 10*time.Second)
	var wide bool
	r.tab.Eval(`document.documentElement.scrollWidth > innerWidth`, &wide)
	if wide {
		t.Error("the catalogue scrolls sideways")
	}
	r.tab.Screenshot("phone-purse")
	r.tab.Click(`[data-app=novareef]`)
	r.tab.Wait(stageIsUp+` && !document.querySelector('[data-money]').hidden`, 15*time.Second)
	var outside []string
	r.tab.Eval(`[...document.querySelectorAll('.hud > *')].filter(e => e.getClientRects().length && e.getBoundingClientRect().right > innerWidth).map(e => e.title || e.className)`, &outside)
	if len(outside) > 0 {
		t.Errorf("beyond the edge of the screen: %q", outside)
	}
	r.tab.Screenshot("phone-money")
	r.tab.Click(`[title^="Statistics"]`)
	r.tab.Wait(`document.querySelector('.stats')?.getClientRects().length`, 5*time.Second)
	var covered bool
	r.tab.Eval(`document.querySelector('.stats').getBoundingClientRect().top < document.querySelector('[data-money]').getBoundingClientRect().bottom`, &covered)
	if covered {
		t.Error("the statistics cover what was paid")
	}
	r.tab.NoExceptions()
}
