package ledger

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/ledger/voucher"
)

func transfer(to key.Address, g uint64) *tx.Body {
	return &tx.Body{Op: &tx.Body_Transfer{Transfer: &tx.Transfer{To: to[:], Amount: g}}}
}

// TestOverAChainAndOverALightClient does the same work by both sources of one real chain.
func TestOverAChainAndOverALightClient(t *testing.T) {
	c, doc := solo(t)
	topic := new(room)
	rate := uint64(50 * amount.FRM)
	full := begun(t, Options{Genesis: doc, Source: ChainSource(c), Topic: seat{topic, "full"},
		Oracle: &Oracle{Key: seeded("oracle", 0), Rate: func(context.Context) (uint64, error) { return rate, nil }}})
	thin := begun(t, Options{Genesis: doc, Source: LightSource(lightOf(t, c, doc)), Topic: seat{topic, "light"},
		Faucet: &Faucet{Key: seeded("player", 9), Amount: 7 * uint64(amount.FRM)}})

	until(t, "a price", func() bool { return full.Status().PerUSD > 0 })
	if err := full.Retell(within(t)); err != nil { // the other may not have listened yet
		t.Fatal(err)
	}
	for i, l := range []*Ledger{full, thin} {
		name := []string{"chain", "light"}[i]
		t.Run(name, func(t *testing.T) {
			until(t, "a head", func() bool { return l.Status().Height >= 2 })
			testAccounts(t, l, seeded("player", i), address(seeded("new "+name, 0)))
			testRegistry(t, l)
			testSession(t, l, seeded("player", 2+i), byte(i))
		})
	}

	t.Run("figures agree", func(t *testing.T) { testFigures(t, full, thin) })

	t.Run("beacons agree", func(t *testing.T) {
		var a [32]byte
		until(t, "a light client takes the beacon of a full node", func() bool { // a slow machine may miss an epoch
			var err error
			a, err = full.Beacon(within(t))
			return err == nil && thin.Accepts(within(t), a)
		})
		if thin.Accepts(within(t), [32]byte{1}) {
			t.Error("a beacon of nobody's making is accepted")
		}
		epoch := full.Epoch()
		until(t, "an epoch later", func() bool { return full.Epoch() > epoch })
		until(t, "a full node takes the beacon of a light client", func() bool {
			b, err := thin.Beacon(within(t))
			return err == nil && full.Accepts(within(t), b)
		})
		until(t, "three epochs later", func() bool { return full.Epoch() >= epoch+3 && thin.Epoch() >= epoch+3 })
		if full.Accepts(within(t), a) || thin.Accepts(within(t), a) {
			t.Error("an old beacon is still good")
		}
	})

	t.Run("faucet", func(t *testing.T) {
		to := address(seeded("fresh", 0))
		var wg sync.WaitGroup
		for range 4 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				if err := thin.Fund(within(t), to); err != nil {
					t.Error(err)
				}
			}()
		}
		wg.Wait()
		if a, err := thin.Account(within(t), to); err != nil || a.Balance != 7*uint64(amount.FRM) {
			t.Errorf("%d %v: four asked at once, one gift", a.Balance, err)
		}
		if err := thin.Fund(within(t), address(seeded("player", 5))); err != nil {
			t.Error(err)
		}
		if a, _ := thin.Account(within(t), address(seeded("player", 5))); a.Balance != 1000*uint64(amount.FRM) {
			t.Error("who has money was given more")
		}
		if err := full.Fund(within(t), to); !errors.Is(err, ErrNoFaucet) {
			t.Error(err)
		}
	})
}

func testAccounts(t *testing.T, l *Ledger, from []byte, to key.Address) {
	s := Signer{Key: from}
	before, err := l.Account(within(t), s.Address())
	if err != nil || before.Balance != 1000*uint64(amount.FRM) {
		t.Fatal(before, err)
	}
	const n = 5
	var wg sync.WaitGroup
	receipts := make([]Receipt, n)
	for i := range n {
		wg.Add(1)
		go func() {
			defer wg.Done()
			r, err := l.Send(within(t), s, transfer(to, 1000))
			if err != nil {
				t.Error(err)
			}
			receipts[i] = r
		}()
	}
	wg.Wait()
	got, err := l.Account(within(t), to)
	if err != nil || got.Balance != n*1000 {
		t.Fatalf("%d of %d arrived: %v", got.Balance, n*1000, err)
	}
	after, err := l.Account(within(t), s.Address())
	if err != nil || after.Nonce != n || after.Balance != before.Balance-n*(1000+l.Params().TxFee) {
		t.Fatal(after, err)
	}
	var no *Refused
	if _, err := l.Send(within(t), s, transfer(to, 5000*uint64(amount.FRM))); !errors.As(err, &no) || !errors.Is(err, state.ErrFunds) {
		t.Fatal(err)
	}
	if _, err := l.Send(within(t), s, transfer(to, 1000)); err != nil {
		t.Fatal("after a refusal:", err)
	}
	if _, err := l.Submit(within(t), []byte("junk")); !errors.As(err, &no) {
		t.Fatal(err)
	}
}

func testRegistry(t *testing.T, l *Ledger) {
	container, err := key.Node(address(seeded("node", 1))).Peer()
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the container is known", func() bool { return l.Registered(container) })
	if e, ok := l.Entry(container); !ok || e.Owner != address(seeded("owner", 1)) || !e.Roles.Has(economics.RoleContainer) {
		t.Fatal(e, ok)
	}
	stranger, err := key.Node(address(seeded("stranger", 0))).Peer()
	if err != nil {
		t.Fatal(err)
	}
	l.Registered(stranger)
	until(t, "the stranger is looked up", func() bool { _, known := l.registry.known.Get(stranger); return known })
	if l.Registered(stranger) || l.Registered(peer.ID("no key")) {
		t.Fatal("a stranger is registered")
	}
}

// testSession opens an escrow at a quoted price and settles it with a voucher.
func testSession(t *testing.T, l *Ledger, player []byte, id byte) {
	until(t, "a price", func() bool { return l.Status().PerUSD > 0 })
	perSecond, quotes, err := l.PerSecond(within(t), 360_000)
	if err != nil || perSecond != 500_000 || len(quotes) != 1 || len(l.Quotes()) != 1 {
		t.Fatal(perSecond, len(quotes), err)
	}
	container, session := key.Node(address(seeded("node", 1))), tx.SessionName(address(player), [8]byte{id, 7})
	open := &tx.OpenSession{Container: container[:], Session: session[:], PriceMicroUsdPerHour: 360_000, Quotes: quotes, PerSecond: perSecond, Seconds: 60}
	if _, err := l.Send(within(t), Signer{Key: player}, &tx.Body{Op: &tx.Body_Open{Open: open}}); err != nil {
		t.Fatal(err)
	}
	s, ok, err := l.Session(within(t), container, session)
	if err != nil || !ok || s.Seconds != 60 || s.Escrow != 60*perSecond {
		t.Fatal(s, ok, err)
	}
	terms := voucher.Terms{Chain: l.Chain(), Container: container, Session: session, Player: s.Player, PerSecond: perSecond, Seconds: 60}
	v := voucher.Sign(terms, player, 3, 20)
	bad := v
	bad.Paid++ // not what was signed
	good := &tx.CloseSession{Container: container[:], Session: session[:], Voucher: v.ForTx()}
	node := Signer{Key: seeded("node", 1), Account: address(seeded("owner", 1))}
	gone := &tx.CloseSession{Container: container[:], Session: make([]byte, 16)}
	forged := &tx.CloseSession{Container: container[:], Session: session[:], Voucher: bad.ForTx()}
	if err := l.Close(within(t), node, []*tx.CloseSession{gone, forged}); !errors.Is(err, state.ErrForged) && !errors.Is(err, state.ErrOverdrawn) {
		t.Fatal("a forged voucher:", err)
	}
	var wg sync.WaitGroup
	for range 3 { // the same close, asked for three times at once
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := l.Close(within(t), node, []*tx.CloseSession{gone, good}); err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	if _, ok, err := l.Session(within(t), container, session); ok || err != nil {
		t.Fatal("still open", err)
	}
	if a, err := l.Account(within(t), s.Player); err != nil || a.Balance != 1000*uint64(amount.FRM)-20*perSecond-l.Params().TxFee {
		t.Fatal("the rest is not back:", a, err)
	}
}

func TestOptions(t *testing.T) {
	doc := genesisOf(t, genesis.Key(address(seeded("consensus", 0))), genesis.Key(address(seeded("vrf", 0))), time.UnixMilli(1_780_000_000_000))
	if _, err := New(Options{Genesis: doc, Source: newFake(doc)}); err == nil {
		t.Error("no actor system")
	}
	o := &Oracle{Key: seeded("player", 0), Rate: func(context.Context) (uint64, error) { return 1, nil }}
	if err := o.validate(doc); err == nil {
		t.Error("a stranger quotes")
	}
	if err := (&Faucet{}).validate(); err == nil {
		t.Error("a faucet without money")
	}
}
