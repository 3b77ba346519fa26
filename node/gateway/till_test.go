package gateway

import (
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/quote"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/ledger/voucher"
	"github.com/framemesh/framemesh/ledger/witness"
	"github.com/framemesh/framemesh/p2p/wire"
	"github.com/framemesh/framemesh/stream/control"
)

const testRate = 100_000_000_000 // base units per dollar

// fakeTill is the money side of the fake container, with the meter of the real one: it
// checks every byte that the page sends.
type fakeTill struct {
	c      *fakeContainer
	ledger *fakeLedger
	price  uint64
	lock   bool // orders are locked; else refused
	poor   int  // so many orders are refused first: the account has no money yet

	mu       sync.Mutex
	terms    voucher.Terms
	wire     *wire.PayTerms
	meter    *voucher.Meter
	seconds  uint32
	open     []*tx.Tx
	vouchers []voucher.Voucher
	bad      []error
	paused   bool
	openedMS uint64
}

func newTill(t testing.TB, c *fakeContainer, ledger *fakeLedger, price uint64) *fakeTill {
	t.Helper()
	perSecond, err := economics.PricePerSecond(price, testRate)
	if err != nil {
		t.Fatal(err)
	}
	oracle := make([]byte, 32)
	oracle[0] = 9
	q, err := quote.Sign("testnet", ed25519.NewKeyFromSeed(oracle), testRate, uint64(time.Now().UnixMilli()))
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeTill{c: c, ledger: ledger, price: price, lock: true,
		wire: &wire.PayTerms{Chain: "testnet", PriceMicroUsdPerHour: price, PerSecond: perSecond, Quotes: [][]byte{q.Encode()}, CreditSeconds: voucher.Credit, Paid: true}}
	return f
}

// begin is called with the launch: the player is known then.
func (f *fakeTill) begin(player []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	session, _ := hex.DecodeString(f.c.session)
	node, err := key.NodeOf(f.c.id)
	if err != nil || len(player) != key.Size {
		f.bad = append(f.bad, fmt.Errorf("the launch has a player key of %d bytes: %w", len(player), err))
		return
	}
	f.terms = voucher.Terms{Chain: "testnet", Container: node, Session: [16]byte(session), Player: key.Address(player), PerSecond: f.wire.GetPerSecond(), Seconds: 86400}
	if f.meter, err = voucher.NewMeter(f.terms, voucher.Credit); err != nil {
		f.bad = append(f.bad, err)
	}
}

// heard takes one message of the page as it came.
func (f *fakeTill) heard(raw []byte) {
	m, err := control.FromPage(raw)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.bad = append(f.bad, err)
		return
	}
	switch m := m.(type) {
	case control.Open:
		f.order(m)
	case control.Voucher:
		paid, sig, err := m.Values()
		v := voucher.Voucher{Seq: m.Seq, Seconds: m.Seconds, Paid: paid, Signature: sig}
		if n := len(f.vouchers); err == nil && n > 0 && f.vouchers[n-1] == v {
			return // the page heard that it is not paid before it heard that this one came
		}
		if err == nil {
			err = f.meter.Add(v)
		}
		if err != nil {
			f.bad = append(f.bad, err)
			return
		}
		f.vouchers = append(f.vouchers, v)
		f.judge(f.meter.State())
	}
}

func (f *fakeTill) order(m control.Open) {
	raw, _ := control.DecodeTx(m.Tx)
	x, err := tx.Decode(raw)
	if err == nil {
		err = x.Verify("testnet")
	}
	if err != nil {
		f.bad = append(f.bad, err)
		return
	}
	next := false
	f.ledger.set(func(l *fakeLedger) { next = x.Body.GetNonce() == l.accounts[x.Signer].Nonce })
	if !next {
		f.c.say(map[string]any{"t": "escrow", "state": "refused", "text": "The ledger did not take the payment: another number is next.", "total": "0", "seconds": 0})
		return
	}
	f.open = append(f.open, x)
	total := control.Amount(f.terms.Owed(x.Body.GetOpen().GetSeconds()))
	if f.poor > 0 {
		f.poor--
		f.c.say(map[string]any{"t": "escrow", "state": "refused", "code": control.CodeMoney, "text": "The ledger did not take the payment: not that much.", "total": "0", "seconds": 0})
		return
	}
	if !f.lock {
		f.c.say(map[string]any{"t": "escrow", "state": "refused", "text": "The ledger did not take the payment: try later.", "total": "0", "seconds": 0})
		return
	}
	f.seconds = x.Body.GetOpen().GetSeconds()
	f.ledger.set(func(l *fakeLedger) {
		a := l.accounts[x.Signer]
		a.Nonce++
		l.accounts[x.Signer] = a
	})
	f.c.say(map[string]any{"t": "escrow", "state": "sent", "total": total, "seconds": f.seconds})
	w := witness.Taken{PerSecond: f.terms.PerSecond, OpenedMS: x.Body.GetValidUntilMs()}
	if w.OpenedMS == 0 {
		w.OpenedMS = uint64(time.Now().UnixMilli())
	}
	host, _ := f.c.key.Raw()
	witness.Session{Chain: f.terms.Chain, Container: f.terms.Container, ID: f.terms.Session, Player: [32]byte(f.terms.Player)}.SignTaken(host, &w)
	f.openedMS = w.OpenedMS
	f.c.say(map[string]any{"t": "escrow", "state": "locked", "total": total, "seconds": f.seconds, "taken": hex.EncodeToString(w.Signature[:]), "opened_ms": w.OpenedMS})
	f.judge(f.meter.Escrow(true, f.seconds))
}

// second passes while the app runs.
func (f *fakeTill) second() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.meter == nil {
		return
	}
	f.judge(f.meter.Second())
}

func (f *fakeTill) judge(s voucher.State) {
	if s.Run == f.paused {
		f.paused = !s.Run
		code, text := control.NoticeResumed, "The game goes on."
		if f.paused {
			code, text = control.NoticeUnpaid, "The game is paused because it is not being paid for. It goes on with the next payment."
		}
		f.c.say(map[string]any{"t": "notice", "code": code, "text": text})
	}
	state := string(s.Reason)
	if f.paused {
		state = control.PayUnpaid
	}
	f.c.say(map[string]any{"t": "pay", "state": state, "served": s.Served, "covered": s.Covered, "paid": control.Amount(s.Paid)})
}

func (f *fakeTill) seen() (open []*tx.Tx, vouchers []voucher.Voucher, bad []error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append(open, f.open...), append(vouchers, f.vouchers...), append(bad, f.bad...)
}
