//go:build unix

package container_test

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/framemesh/framemesh/actors/container"
	"github.com/framemesh/framemesh/actors/purse"
	"github.com/framemesh/framemesh/stream/control"
	"github.com/framemesh/framemesh/stream/player"
)

// rich is the account of a player with enough money.
func rich(context.Context) (purse.Account, error) { return purse.Account{Balance: 1 << 50}, nil }

// pay plays on a paid container; change spoils the purse.
func (w *whole) pay(change func(*purse.Options)) (*player.Player, *purse.Purse) {
	w.Helper()
	o := purse.Options{Key: ed25519.NewKeyFromSeed([]byte("a player's seed of 32 bytes long")), Network: network, Chain: "chain", Account: rich}
	if change != nil {
		change(&o)
	}
	p, err := purse.New(o)
	if err != nil {
		w.Fatal(err)
	}
	return w.playWith("?player="+p.PlayerKey(), player.Options{Payer: p, Key: p.PlayerKey()}), p
}

func sessionOf(t *testing.T, p *player.Player) (id [16]byte) {
	t.Helper()
	b, err := hex.DecodeString(p.Header().Get("Framemesh-Session"))
	if err != nil || len(b) != len(id) {
		t.Fatal(p.Header())
	}
	return [16]byte(b)
}

// A player pays by the second on a real container, with a real worker and over WebRTC:
// the first picture waits for no block, and what settles is what was promised.
func TestWholePaidPlay(t *testing.T) {
	ledger := &container.FakeLedger{Block: time.Second}
	w := beginPaid(t, ledger)
	p, money := w.pay(nil)
	w.await("five seconds of play that are paid, and the container's word that they are", func() bool {
		says := p.Report() // a machine that stalls may let a second pass unpaid
		return money.Report().Seconds >= 5 && says.Payment.State == control.PayOK && says.Escrow.State == control.EscrowLocked
	})
	r, says := money.Report(), p.Report()
	t.Logf("launch: post %v, connect %v, first frame %v", says.Stages.Post, says.Stages.Connect, says.Stages.FirstFrame)
	// Of what the container served in such a second two more may be paid than was seen.
	if r.Escrow != 600 || r.Paid != uint64(r.Seconds)*r.PerSecond || r.Seconds > r.Seen+3 || r.Failed != "" {
		t.Errorf("purse: %+v", r)
	}
	id := sessionOf(t, p)
	if err := p.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.await("the settlement", func() bool { _, ok := ledger.Settled(id); return ok })
	r = money.Report()
	if paid, _ := ledger.Settled(id); paid > r.Paid || paid+r.PerSecond < r.Paid {
		t.Errorf("settled %d, promised %d", paid, r.Paid)
	}
}

// Players that do not pay get three seconds; what they send instead of money is counted
// and moves nothing.
func TestWholePlayersThatDoNotPay(t *testing.T) {
	altered := func(instead func(v control.Voucher) []control.Message) func(*purse.Options) {
		return func(o *purse.Options) {
			o.Alter = func(m control.Message) []control.Message {
				if v, ok := m.(control.Voucher); ok {
					return instead(v)
				}
				return []control.Message{m}
			}
		}
	}
	for name, change := range map[string]func(*purse.Options){
		"nothing at all":           func(o *purse.Options) { o.Alter = func(control.Message) []control.Message { return nil } },
		"an escrow and no voucher": altered(func(control.Voucher) []control.Message { return nil }),
		"false vouchers": altered(func(v control.Voucher) []control.Message {
			forged, old, much := v, v, v
			forged.Sig = strings.Repeat("00", 64)
			old.Seq = 1
			much.Seconds = 100_000
			return []control.Message{forged, old, much}
		}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := beginPaid(t, &container.FakeLedger{})
			p, money := w.pay(change)
			w.await("the pause", func() bool {
				r := p.Report()
				for _, n := range r.Notices {
					if n.Code == control.NoticeUnpaid {
						return r.Payment.State == control.PayUnpaid
					}
				}
				return false
			})
			if r := p.Report(); r.Payment.Served > 4 || r.Payment.Covered > 1 { // the first, which is replayed then, covers a second
				t.Errorf("%+v; purse %+v", r.Payment, money.Report())
			}
			if name == "false vouchers" { // the first may come after the pause
				w.await("a count of them", func() bool { return w.session().BadVouchers > 0 })
			}
		})
	}
}

// A power cut at the container costs it at most two seconds of what was promised, and the
// player nothing beyond what was promised.
func TestWholeCrashIsSettled(t *testing.T) {
	ledger := &container.FakeLedger{}
	w := beginPaid(t, ledger)
	p, money := w.pay(nil)
	id := sessionOf(t, p)
	var kept uint64
	w.await("some seconds that are paid, and all but two of them on the disk", func() bool {
		v, err := container.ReadDue(w.dues, id)
		promised := money.Report()
		kept = v.GetPaid()
		return err == nil && promised.Seconds >= 5 && kept+2*promised.PerSecond >= promised.Paid
	})
	w.c().Crash()
	if _, ok := ledger.Settled(id); ok {
		t.Fatal("a dead machine settles")
	}
	w.again()
	w.await("the settlement after the restart", func() bool { _, ok := ledger.Settled(id); return ok })
	if paid, _ := ledger.Settled(id); paid < kept || paid > money.Report().Paid {
		t.Errorf("settled %d, of which %d was on the disk before, promised %d", paid, kept, money.Report().Paid)
	}
}
