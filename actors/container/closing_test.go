package container

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"github.com/framemesh/framemesh/actors/gateway/refund"
	ledgeractor "github.com/framemesh/framemesh/actors/ledger"
	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/ledger/amount"
	ledgerstate "github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/ledger/voucher"
)

// TestBothAreRightAfterAPlayerClosed by itself, to the base unit, whatever it presented, and
// whether its container is back within the window or not: by the rules of the ledger, the
// container's own settlement, and the gateway's desk that took the close.
func TestBothAreRightAfterAPlayerClosed(t *testing.T) {
	const kept = 10 // seconds that the container has a voucher for on its disk
	for name, c := range map[string]struct {
		presents uint32 // seconds; 0 = no voucher
		back     bool   // within the window
		number   uint64 // of it; 0 = as many as its seconds
		stays    bool   // it never went
		want     uint32 // seconds that are paid
	}{
		"and it is back with the same voucher":             {presents: kept, back: true, want: kept},
		"and it is back with less than was promised":       {presents: kept + 1, back: true, want: kept + 1},
		"with an old voucher, and it is back":              {presents: 3, back: true, want: kept},
		"without a voucher, and it is back":                {presents: 0, back: true, want: kept},
		"with a high number over a second, and it is back": {presents: 1, number: 1 << 60, back: true, want: kept},
		"and it is not back":                               {presents: kept + 1, back: false, want: kept + 1},
		"without having promised, and it is not back":      {presents: 0, back: false, want: 0},
		"that runs well":                                   {presents: 3, stays: true, back: true, want: kept},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))) // no ledger began in 2000
				house := ed25519.NewKeyFromSeed(seed(212))
				id, err := crypto.UnmarshalEd25519PrivateKey(house)
				if err != nil {
					t.Fatal(err)
				}
				b, dir := newBank(t, house), t.TempDir()
				life, end := context.WithCancel(t.Context())
				blocks := make(chan struct{})
				go func() {
					defer close(blocks)
					for tick := time.NewTicker(time.Second); ; {
						select {
						case <-tick.C:
							if err := b.block(); err != nil {
								t.Error(err)
							}
						case <-life.Done():
							return
						}
					}
				}()
				sys, err := supervise.NewSystem(supervise.Options{})
				if err != nil {
					t.Fatal(err)
				}
				l, err := ledgeractor.New(ledgeractor.Options{System: sys, Genesis: b.doc, Source: b})
				if err == nil {
					err = l.Start(t.Context())
				}
				if err != nil {
					t.Fatal(err)
				}
				begin := func() *mesh {
					m := newMesh(t, 1, func(o *Options) { o.Key, o.Pay, o.PayDir = id, counter{l, house}, dir })
					m.key, m.wait = id, synctest.Wait
					m.wait()
					return m
				}
				time.Sleep(2 * time.Second)

				m := begin()
				lease, terms := m.paidLease()
				m.page(m.openTx(lease, terms, carol, "chain", nil))
				time.Sleep(3 * time.Second)
				v := m.voucherTerms(lease, terms)
				v.Seconds = 600
				for n := uint32(1); n <= kept; n++ {
					m.page(sayVoucher(voucher.Sign(v, carol, uint64(n), n)))
					time.Sleep(time.Second)
				}
				if !c.stays {
					time.Sleep(2 * time.Second) // so long a voucher may take to the disk
					<-m.dues.written()
					m.Crash()
				}
				op := &tx.CloseSession{Container: v.Container[:], Session: v.Session[:]}
				if c.presents > 0 {
					op.Voucher = voucher.Sign(v, carol, cmp.Or(c.number, uint64(c.presents)), c.presents).ForTx()
				}
				raw, err := tx.Sign("chain", carol, &tx.Body{Nonce: 1, Op: &tx.Body_Close{Close: op}})
				if err != nil {
					t.Fatal(err)
				}
				desk, err := refund.New(l)
				if err == nil {
					err = desk.Take(t.Context(), v.Session, raw)
				}
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Second)
				if s, ok, err := l.Session(t.Context(), v.Container, v.Session); err != nil || !ok || s.Phase != ledgerstate.PhaseClosing {
					t.Fatalf("not closing: %+v, %v, %v", s, ok, err)
				}
				if c.back && !c.stays {
					m = begin()
				}
				time.Sleep(45 * time.Second) // the container looks each 20 s; the window is over by then

				if _, ok, _ := l.Session(t.Context(), v.Container, v.Session); ok {
					t.Error("the session is still there")
				}
				p := b.m.Params()
				paid := uint64(c.want) * v.PerSecond
				parts := p.Settle(paid)
				if got, want := b.account(carol), 1000*uint64(amount.FRM)-2*p.TxFee-paid; got != want {
					t.Errorf("the player has %d, want %d", got, want)
				}
				if got := b.settled; len(got) != 1 || got[0]["gross"] != text(paid) || got[0]["host"] != text(parts.Host) || got[0]["refund"] != text(v.Owed(600)-paid) {
					t.Errorf("settled %v, want %d, of it %d for the container", got, paid, parts.Host)
				}
				if s := b.m.Supply(); s.Escrow != 0 {
					t.Errorf("%d are still set aside", s.Escrow)
				}
				if left, err := Dues(dir); err != nil || c.back && len(left) != 0 {
					t.Errorf("left to settle: %x, %v", left, err)
				}
				for _, stop := range []func(context.Context) error{m.sys.Stop, l.Stop, sys.Stop} {
					if err := stop(t.Context()); err != nil {
						t.Error(err)
					}
				}
				end()
				<-blocks
			})
		})
	}
}
