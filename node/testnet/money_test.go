package testnet

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/chain"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/node/gateway/browsertest"
)

const (
	// spending says that the escrow is locked and the line over the picture counts.
	spending = `/^\d+\.\d+ FRM · \$0\.25 \/ h$/.test(document.querySelector('[data-money]').textContent)`
	// spent is that line's amount.
	spent = `parseFloat(document.querySelector('[data-money]').textContent)`
	// poke brings the line up for a moment.
	poke = `document.getElementById('stage').dispatchEvent(new PointerEvent('pointermove'))`
	bill = `(everSaid.find(t => t.startsWith('You paid')) ?? '')`
)

// escrows are the open sessions of the newest state.
func escrows(t *testing.T, c *chain.Chain) map[string]state.Session {
	t.Helper()
	out := map[string]state.Session{}
	err := c.View(func(r state.Reader) error {
		var bad error
		err := r.Range([]byte("sess/"), []byte("sess0"), func(k, v []byte) bool {
			var s state.Session
			s, bad = state.DecodeSession(v)
			out[hex.EncodeToString(k[len(k)-16:])] = s
			return bad == nil
		})
		if err == nil {
			err = bad
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// vesting is what lots hold for an account.
func vesting(t *testing.T, c *chain.Chain, a key.Address) (held uint64, lots int) {
	t.Helper()
	err := c.View(func(r state.Reader) error {
		from := append([]byte("vest/"), a[:]...)
		to := append([]byte("vest/"), a[:]...)
		for i := len(to) - 1; ; i-- {
			if to[i]++; to[i] != 0 {
				break
			}
		}
		var bad error
		err := r.Range(from, to, func(_, v []byte) bool {
			var l state.Lot
			l, bad = state.DecodeLot(v)
			held, lots = held+l.Held, lots+1
			return bad == nil
		})
		if err == nil {
			err = bad
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return held, lots
}

// amountSpent reads the line over the picture.
func amountSpent(tab *browsertest.Tab) (v float64) {
	tab.Eval(spent, &v)
	return v
}

// A player without money opens the page, sees what a game costs, plays, shows it to a
// friend, reloads, stops and is told what it cost; the ledger says the same to the last
// base unit, and whoever owns the machine has earned it.
func TestPlayAndPayInABrowser(t *testing.T) {
	n := start(t, Options{Containers: 1, Checkers: 1, Slots: 1, Money: &Money{
		EpochSeconds: 5, BlockMS: 250,
		// nothing earned is free while this test looks, and all of it is in one lot
		Params: func(p *economics.Params) { p.HostVestEpochs, p.VestLotEpochs = 1000, 1000 },
	}})
	began := n.Chain().Head().Height
	b, tab := openPage(t, n)
	tab.Wait(`/\$0\.25 \/ h/.test(document.querySelector('li.cost')?.textContent ?? '')`, patience)
	tab.Wait(`/FRM \/ s/.test(document.querySelector('li.cost .rate')?.textContent ?? '')`, patience)
	tab.Wait(`[...document.images].every(i => i.complete)`, patience)
	tab.Screenshot("money-catalogue")

	play(t, tab, game)
	tab.Key("Enter", true)
	pause(tab, 100)
	tab.Key("Enter", false)
	tab.Eval(poke, nil)
	tab.Wait(spending, patience)
	first := amountSpent(tab)
	tab.Wait(fmt.Sprintf(`%s > %g`, spent, first), patience)
	tab.Eval(poke, nil)
	pause(tab, 100)
	tab.Screenshot("money-playing")
	open := escrows(t, n.Chain())
	if len(open) != 1 {
		t.Fatalf("%d sessions on the ledger, want 1", len(open))
	}
	var name string
	var order state.Session
	for name, order = range open {
	}
	if ss, _ := sessions(t, n); len(ss) != 1 || hex.EncodeToString(ss[0].ID[:]) != name {
		t.Fatalf("the ledger has session %s, the container %v", name, ss)
	}
	player := order.Player

	// A friend watches by link, and pays nothing for it.
	var links []string
	tab.Eval(`document.querySelector('[aria-label="Invite somebody"]').click()`, nil)
	tab.Eval(`[...document.querySelectorAll('dialog input')].map(i => i.value)`, &links)
	if len(links) == 0 {
		t.Fatal("no invitation")
	}
	tab.Eval(`document.querySelector('dialog')?.close()`, nil)
	watcher := b.Tab()
	watcher.Goto(links[len(links)-1])
	untilPlaying(watcher)
	until(t, "the container counts two pages", patience, func() bool { ss, _ := sessions(t, n); return len(ss) == 1 && ss[0].Viewers == 2 })
	pause(watcher, 1500)
	var shown bool
	watcher.Eval(`!document.querySelector('[data-money]').hidden`, &shown)
	if shown {
		t.Error("whoever watches is shown a bill")
	}
	watcher.Screenshot("money-watching")
	watcher.NoExceptions()
	watcher.Close()

	// A reload goes on with the same session and the same escrow.
	before := amountSpent(tab)
	tab.Reload()
	untilPlaying(tab)
	tab.Eval(poke, nil)
	tab.Wait(spending, patience)
	tab.Wait(fmt.Sprintf(`%s > %g`, spent, before), patience)
	tab.Eval(poke, nil)
	pause(tab, 100)
	tab.Screenshot("money-resumed")
	if now := escrows(t, n.Chain()); len(now) != 1 || now[name].Seconds != order.Seconds || now[name].Player != player {
		t.Errorf("after the reload the ledger has %+v, before it had %+v", now, open)
	}

	// Stop says what it cost.
	tab.Eval(`document.querySelector('[data-tool=stop]').click()`, nil)
	tab.Wait(bill+` !== ''`, patience)
	var told string
	tab.Eval(bill, &told)
	tab.Screenshot("money-bill")
	var seconds uint64
	if _, rest, ok := strings.Cut(told, " FRM for "); ok {
		seconds, _ = strconv.ParseUint(strings.Fields(rest)[0], 10, 32)
	}
	tab.NoExceptions()
	if seconds < 4 {
		t.Errorf("the bill is %q", told)
	}

	// The ledger agrees.
	var s map[string]uint64
	until(t, "the session is settled", patience, func() bool {
		var ok bool
		s, ok = settlements(t, n, began)[player.String()]
		return ok
	})
	gross := seconds * order.PerSecond
	if s["seconds"] != seconds || s["gross"] != gross || s["host"]+s["fee"] != gross || s["dao"]+s["indexers"]+s["burned"] != s["fee"] ||
		s["refund"] != uint64(order.Seconds)*order.PerSecond-gross {
		t.Errorf("the page says %q, the ledger settled %v of %+v", told, s, order)
	}
	if open := escrows(t, n.Chain()); len(open) != 0 {
		t.Errorf("still open: %+v", open)
	}
	if held, lots := vesting(t, n.Chain(), addressOf(n.Account("container-1"))); held != s["host"] || lots != 1 {
		t.Errorf("the owner of the machine has %d in %d lots, was paid %d", held, lots, s["host"])
	}
	left := account(t, n, player).Balance
	paid := uint64(1_000*amount.FRM) - left
	if fees := n.Genesis().Params.TxFee; paid != gross+fees {
		t.Errorf("the player is short of %d, played for %d and the fee of one order is %d", paid, gross, fees)
	}
	supplyIsExact(t, n)
	tab.Wait(fmt.Sprintf(`(document.querySelector('[data-purse=balance]')?.title ?? '').startsWith('%s FRM in ')`, amount.Amount(left)), patience)
	tab.Screenshot("money-after")
	tab.NoExceptions()
}
