package container

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/ledger/voucher"
	"github.com/framemesh/framemesh/p2p/wire"
	"github.com/framemesh/framemesh/stream/control"
)

// order is carol's order, valid for a time.
func (m *mesh) order(l *wire.ReserveResponse, t *wire.PayTerms, valid time.Duration) control.Open {
	m.Helper()
	x, err := control.DecodeTx(m.openTx(l, t, carol, "chain", nil).Tx)
	if err != nil {
		m.Fatal(err)
	}
	old, err := tx.Decode(x)
	if err != nil {
		m.Fatal(err)
	}
	raw, err := tx.Sign("chain", carol, &tx.Body{ValidUntilMs: uint64(time.Now().Add(valid).UnixMilli()), Op: old.Body.GetOp()})
	if err != nil {
		m.Fatal(err)
	}
	return control.Open{Tx: control.EncodeTx(raw)}
}

// A session that ends before its order is in a block is settled when it is: the player
// would wait for the escrow until it expires, and the container would have played for
// nothing.
func TestOrderThatIsLateIsSettledAllTheSame(t *testing.T) {
	ledger := &FakeLedger{Block: 20 * time.Second}
	run(t, 1, paidFor(ledger, t.TempDir()), func(m *mesh) {
		l, terms := m.paidLease()
		m.page(m.order(l, terms, 2*time.Minute))
		m.end(l)
		time.Sleep(15 * time.Second)
		if _, ok := ledger.Settled([16]byte(l.GetSessionId())); ok || ledger.Settles() != 0 {
			t.Fatalf("settled before there was anything: %d attempts", ledger.Settles())
		}
		time.Sleep(5*time.Second + settleOrder)
		m.wait()
		if _, ok := ledger.Settled([16]byte(l.GetSessionId())); !ok {
			t.Error("the escrow that came late is still locked")
		}
		if due := m.dues.over(10); len(due) != 0 {
			t.Errorf("still due: %v", due)
		}
	})
}

// An order that comes into no block is forgotten when it cannot come into any more, also by
// a container that has been started again meanwhile.
func TestOrderThatNeverComesIsForgotten(t *testing.T) {
	ledger, dir := &FakeLedger{Block: time.Second, lost: true}, t.TempDir()
	run(t, 1, paidFor(ledger, dir), func(m *mesh) {
		l, terms := m.paidLease()
		m.page(m.order(l, terms, time.Minute))
		m.end(l)
		time.Sleep(30 * time.Second)
		if due := m.dues.over(10); len(due) != 1 || due[0].until == 0 {
			t.Fatalf("after half a minute: %v", due)
		}
		if err := m.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
	})
	run(t, 1, paidFor(ledger, dir), func(m *mesh) {
		if due := m.dues.over(10); len(due) != 1 {
			t.Fatalf("after a start: %v", due)
		}
		time.Sleep(2 * time.Minute)
		m.wait()
		if due := m.dues.over(10); len(due) != 0 || ledger.Settles() != 0 {
			t.Errorf("after the order's time: due %v, %d attempts", due, ledger.Settles())
		}
	})
}

// A container that stops while its last settlement is under way says nothing when that went
// through, and warns when it did not.
func TestLastWordsOnSettlement(t *testing.T) {
	for name, c := range map[string]struct {
		elsewhere bool // an earlier attempt is in a block by then
		warns     bool
	}{"settled by an earlier attempt": {true, false}, "not settled": {false, true}} {
		ledger := &FakeLedger{Block: time.Second}
		var log bytes.Buffer
		run(t, 1, func(o *Options) {
			paidFor(ledger, t.TempDir())(o)
			o.Log = slog.New(slog.NewTextHandler(&log, nil))
		}, func(m *mesh) {
			l, terms := m.paidLease()
			m.page(m.order(l, terms, time.Minute))
			time.Sleep(2 * time.Second)
			m.page(sayVoucher(voucher.Sign(m.voucherTerms(l, terms), carol, 1, 1)))
			ledger.Set(func(f *FakeLedger) { f.Down = true })
			m.end(l)
			m.wait()
			log.Reset() // the attempt that failed was told of
			if c.elsewhere {
				ledger.Set(func(f *FakeLedger) { clear(f.escrows) })
			}
			if err := m.Stop(context.Background()); err != nil {
				t.Fatal(err)
			}
		})
		if warns := strings.Contains(log.String(), "not settled"); warns != c.warns {
			t.Errorf("%s: %q", name, log.String())
		}
	}
}
