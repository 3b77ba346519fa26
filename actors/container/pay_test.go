package container

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/ledger/voucher"
	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/seal"
	"github.com/framemesh/framemesh/p2p/wire"
	"github.com/framemesh/framemesh/stream"
	"github.com/framemesh/framemesh/stream/control"
)

var carol = ed25519.NewKeyFromSeed(seed(9))

func paidFor(l *FakeLedger, dir string) func(*Options) {
	return func(o *Options) { o.Pay, o.PayDir = l, dir }
}

// paidLease reserves as carol and brings her page; the terms are those of the proof.
func (m *mesh) paidLease() (*wire.ReserveResponse, *wire.PayTerms) {
	m.Helper()
	n := random16()
	l, err := m.onReserve(context.Background(), gateway, &wire.ReserveRequest{Certificate: m.certificate(snake, nil), Nonce: n[:], Player: carol[32:]})
	if err != nil {
		m.Fatal(err)
	}
	resp, err := m.signal(l, stream.RoleOwner, offer("page"))
	if err != nil {
		m.Fatal(err)
	}
	var proof wire.AnswerProof
	if _, err := seal.Open(network, seal.TypeAnswer, resp.GetProof(), 2048, &proof); err != nil {
		m.Fatal(err)
	}
	return l, proof.GetTerms()
}

// page says something as the owner's page of the newest session.
func (m *mesh) page(msg control.Message) {
	m.mu.Lock()
	h := m.handlers[len(m.handlers)-1]
	m.mu.Unlock()
	h.Payment("page", msg)
	m.wait()
}

func (m *mesh) voucherTerms(l *wire.ReserveResponse, t *wire.PayTerms) voucher.Terms {
	node, err := key.NodeOf(m.self)
	if err != nil {
		m.Fatal(err)
	}
	return voucher.Terms{Chain: t.GetChain(), Container: node, Session: [16]byte(l.GetSessionId()), Player: key.Address(carol[32:]), PerSecond: t.GetPerSecond(), Seconds: 3600}
}

func sayVoucher(v voucher.Voucher) control.Voucher {
	return control.Voucher{Seq: v.Seq, Seconds: v.Seconds, Paid: control.Amount(v.Paid), Sig: hex.EncodeToString(v.Signature[:])}
}

// openTx is carol's order; change may spoil it.
func (m *mesh) openTx(l *wire.ReserveResponse, t *wire.PayTerms, k ed25519.PrivateKey, chain string, change func(*tx.OpenSession)) control.Open {
	m.Helper()
	node, _ := key.NodeOf(m.self)
	op := &tx.OpenSession{Container: node[:], Session: l.GetSessionId(), PriceMicroUsdPerHour: t.GetPriceMicroUsdPerHour(), Quotes: t.GetQuotes(), PerSecond: t.GetPerSecond(), Seconds: 600}
	if change != nil {
		change(op)
	}
	raw, err := tx.Sign(chain, k, &tx.Body{Op: &tx.Body_Open{Open: op}})
	if err != nil {
		m.Fatal(err)
	}
	return control.Open{Tx: control.EncodeTx(raw)}
}

// lastEscrow is the newest word on the escrow.
func (m *mesh) lastEscrow() (e control.Escrow) {
	m.wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.told {
		if v, ok := t.(control.Escrow); ok {
			e = v
		}
	}
	return e
}

func TestPaidSessionFromTermsToSettlement(t *testing.T) {
	ledger, dir := &FakeLedger{Block: time.Second}, t.TempDir()
	run(t, 1, paidFor(ledger, dir), func(m *mesh) {
		l, terms := m.paidLease()
		// 20,000 µUSD an hour at 1,000 FRM a dollar: 555,555.5… base units a second, rounded up.
		if !terms.GetPaid() || terms.GetChain() != "chain" || terms.GetPerSecond() != 555_556 || len(terms.GetQuotes()) != 3 || terms.GetCreditSeconds() != 3 || terms.GetPriceMicroUsdPerHour() != 20_000 {
			t.Fatalf("terms %+v", terms)
		}
		m.page(m.openTx(l, terms, carol, "chain", nil))
		if e := m.lastEscrow(); e.State != "sent" || e.Seconds != 600 {
			t.Fatalf("after the order: %+v", e)
		}
		time.Sleep(2 * time.Second)
		if e := m.lastEscrow(); e.State != "locked" || e.Total != "333333600" {
			t.Fatalf("after a block: %+v", e)
		}
		v := m.voucherTerms(l, terms)
		for n := uint32(1); n <= 20; n++ {
			m.page(sayVoucher(voucher.Sign(v, carol, uint64(n), n)))
			time.Sleep(time.Second)
		}
		files, _ := filepath.Glob(filepath.Join(dir, "*.due"))
		if len(files) != 1 {
			t.Fatalf("kept: %v", files)
		}
		if fi, err := os.Stat(files[0]); err != nil || fi.Mode().Perm() != 0o600 {
			t.Errorf("the file: %v, %v", fi.Mode(), err)
		}
		m.end(l)
		m.wait()
		if paid, ok := ledger.Settled([16]byte(l.GetSessionId())); !ok || paid != 20*555_556 {
			t.Errorf("settled %v for %d", ok, paid)
		}
		<-m.dues.written()
		if files, _ = filepath.Glob(filepath.Join(dir, "*")); len(files) != 0 {
			t.Errorf("left behind: %v", files)
		}
	})
}

func TestFreeSessionsAskForNothing(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"no ledger": nil, "no price": func(o *Options) { o.Pay, o.Price = &FakeLedger{}, 0 },
	} {
		run(t, 1, change, func(m *mesh) {
			l := m.lease() // without a player's key
			resp, err := m.signal(l, stream.RoleOwner, offer("page"))
			if err != nil {
				t.Fatal(name, err)
			}
			var proof wire.AnswerProof
			if _, err := seal.Open(network, seal.TypeAnswer, resp.GetProof(), 2048, &proof); err != nil || proof.GetTerms() != nil {
				t.Errorf("%s: terms %+v, %v", name, proof.GetTerms(), err)
			}
			m.page(control.Open{Tx: control.EncodeTx([]byte("junk"))})
			time.Sleep(time.Minute)
			if s, err := m.Sessions(context.Background()); err != nil || len(s) != 1 || s[0].Phase != "playing" {
				t.Errorf("%s: %+v, %v", name, s, err)
			}
			m.end(l)
		})
	}
}

func TestReservationsThatCannotBePaid(t *testing.T) {
	ledger := &FakeLedger{}
	run(t, 1, paidFor(ledger, ""), func(m *mesh) {
		_, err := m.ask(gateway, m.certificate(snake, nil), random16(), false, nil)
		var e *rpc.Error
		if !errors.As(err, &e) || e.Code != wire.Code_UNAUTHORISED || !strings.Contains(e.Message, "key") {
			t.Errorf("a player without a key: %v", err)
		}
		ledger.Stale = true
		n := random16()
		_, err = m.onReserve(context.Background(), gateway, &wire.ReserveRequest{Certificate: m.certificate(snake, nil), Nonce: n[:], Player: carol[32:]})
		if !errors.As(err, &e) || e.Code != wire.Code_UNAVAILABLE || !strings.Contains(e.Message, "again") {
			t.Errorf("without a fresh price: %v", err)
		}
		if m.dev.most != 0 {
			t.Error("a slot was taken")
		}
	})
}

func TestOrdersOfOthersAreRefused(t *testing.T) {
	ledger := &FakeLedger{}
	run(t, 1, paidFor(ledger, t.TempDir()), func(m *mesh) {
		l, terms := m.paidLease()
		other := ed25519.NewKeyFromSeed(seed(10))
		for what, o := range map[string]struct {
			msg  control.Message
			want string
		}{
			"junk":            {control.Open{Tx: control.EncodeTx([]byte("junk"))}, "tx:"},
			"another player":  {m.openTx(l, terms, other, "chain", nil), errNotPlayers.Error()},
			"another chain":   {m.openTx(l, terms, carol, "main", nil), "signature"},
			"another machine": {m.openTx(l, terms, carol, "chain", func(op *tx.OpenSession) { op.Container = make([]byte, 32) }), errNotOurs.Error()},
			"another session": {m.openTx(l, terms, carol, "chain", func(op *tx.OpenSession) { op.Session = make([]byte, 16) }), errNotOurs.Error()},
			"cheaper":         {m.openTx(l, terms, carol, "chain", func(op *tx.OpenSession) { op.PerSecond-- }), errNotTerms.Error()},
			"another price":   {m.openTx(l, terms, carol, "chain", func(op *tx.OpenSession) { op.PriceMicroUsdPerHour-- }), errNotTerms.Error()},
			"too short":       {m.openTx(l, terms, carol, "chain", func(op *tx.OpenSession) { op.Seconds = 9 }), errTooShort.Error()},
		} {
			m.page(o.msg)
			if e := m.lastEscrow(); e.State != "refused" || !strings.Contains(e.Text, o.want) {
				t.Errorf("%s: %+v", what, e)
			}
			if len(ledger.escrows) != 0 {
				t.Fatalf("%s reached the ledger", what)
			}
		}
		raw, _ := tx.Sign("chain", carol, &tx.Body{Op: &tx.Body_Transfer{Transfer: &tx.Transfer{To: make([]byte, 32), Amount: 1}}})
		m.page(control.Open{Tx: control.EncodeTx(raw)})
		if e := m.lastEscrow(); e.State != "refused" || !strings.Contains(e.Text, errNotOpen.Error()) {
			t.Errorf("a transfer: %+v", e)
		}
		m.page(m.openTx(l, terms, carol, "chain", nil)) // the right one still goes
		time.Sleep(time.Second)
		if e := m.lastEscrow(); e.State != "locked" {
			t.Errorf("the right one: %+v", e)
		}
		m.page(control.TopUp{Tx: control.EncodeTx(raw)})
		if e := m.lastEscrow(); e.State != "refused" || !strings.Contains(e.Text, errNotTopUp.Error()) {
			t.Errorf("a transfer as an addition: %+v", e)
		}
		m.end(l)
	})
}

// The ledger is away when sessions end: nothing is forgotten, and no session holds up
// another for ever.
func TestSettlementIsTriedUntilItIsDone(t *testing.T) {
	ledger := &FakeLedger{Down: true}
	run(t, 3, paidFor(ledger, t.TempDir()), func(m *mesh) {
		var ids [][16]byte
		for range 3 {
			l, terms := m.paidLease()
			m.page(m.openTx(l, terms, carol, "chain", nil))
			time.Sleep(time.Second)
			m.page(sayVoucher(voucher.Sign(m.voucherTerms(l, terms), carol, 1, 5)))
			m.end(l)
			ids = append(ids, [16]byte(l.GetSessionId()))
		}
		time.Sleep(time.Minute)
		if n := ledger.Settles(); n < 5 || n > 12 {
			t.Errorf("%d attempts in a minute", n)
		}
		ledger.Set(func(f *FakeLedger) { f.Down = false })
		time.Sleep(2 * time.Minute)
		for _, id := range ids {
			if paid, ok := ledger.Settled(id); !ok || paid != 5*555_556 {
				t.Errorf("session %x: %v, %d", id[:2], ok, paid)
			}
		}
	})
}

// A power cut in the middle of play: the next run of the container settles what was kept.
func TestCrashIsSettledAfterTheRestart(t *testing.T) {
	ledger, dir := &FakeLedger{}, t.TempDir()
	var id [16]byte
	run(t, 1, paidFor(ledger, dir), func(m *mesh) {
		l, terms := m.paidLease()
		id = [16]byte(l.GetSessionId())
		m.page(m.openTx(l, terms, carol, "chain", nil))
		time.Sleep(time.Second)
		v := m.voucherTerms(l, terms)
		for n := uint32(1); n <= 10; n++ {
			m.page(sayVoucher(voucher.Sign(v, carol, uint64(n), n)))
			time.Sleep(time.Second)
		}
		m.Crash()
		if _, ok := ledger.Settled(id); ok || ledger.Settles() != 0 {
			t.Error("a dead machine settles")
		}
	})
	run(t, 1, paidFor(ledger, dir), func(m *mesh) {
		time.Sleep(time.Second)
		synctest.Wait()
		if paid, ok := ledger.Settled(id); !ok || paid < 8*555_556 || paid > 10*555_556 {
			t.Errorf("after the restart: %v, %d", ok, paid)
		}
	})
}

// A container that is stopped says its last word to the ledger itself.
func TestStopSettles(t *testing.T) {
	ledger := &FakeLedger{}
	run(t, 1, paidFor(ledger, t.TempDir()), func(m *mesh) {
		l, terms := m.paidLease()
		m.page(m.openTx(l, terms, carol, "chain", nil))
		time.Sleep(time.Second)
		m.page(sayVoucher(voucher.Sign(m.voucherTerms(l, terms), carol, 1, 4)))
		if err := m.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		if paid, ok := ledger.Settled([16]byte(l.GetSessionId())); !ok || paid != 4*555_556 {
			t.Errorf("settled %v for %d", ok, paid)
		}
	})
}

// An escrow without a single voucher is given back.
func TestNothingPlayedIsGivenBack(t *testing.T) {
	ledger := &FakeLedger{}
	run(t, 1, paidFor(ledger, t.TempDir()), func(m *mesh) {
		l, terms := m.paidLease()
		m.page(m.openTx(l, terms, carol, "chain", nil))
		time.Sleep(time.Second)
		m.end(l)
		if paid, ok := ledger.Settled([16]byte(l.GetSessionId())); !ok || paid != 0 {
			t.Errorf("settled %v for %d", ok, paid)
		}
	})
}
