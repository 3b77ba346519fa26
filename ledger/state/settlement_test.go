package state

import (
	"strings"
	"testing"

	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/tx"
)

func TestContainerSettlesAtOnce(t *testing.T) {
	b := newPlay(t)
	o := b.open(b.order(1, 60))
	alice, before := b.balance(who("alice")), b.Supply()
	b.must(b.sendFor(who("c1 owner"), who("c1"), closing(o, promised(chainName, who("alice"), o, 3, 11, 10_999))))
	after := b.Supply()
	// fee ⌊10 999·20 %⌋ = 2 199, of it 549 burned, 549 to the indexers, 1 101 to the DAO
	if got := after.Pools[7] - before.Pools[7]; got != 1_101 {
		t.Errorf("DAO got %d", got)
	}
	if got := after.Pools[11] - before.Pools[11]; got != 549 {
		t.Errorf("indexers got %d", got)
	}
	if got := after.Burned - before.Burned - b.Params().TxFee; got != 549 {
		t.Errorf("%d burned", got)
	}
	// 20 epochs from epoch 0 on is a multiple of the lots' 4.
	if lots := b.lots(who("c1 owner")); lots[20] != 8_800 || len(lots) != 1 {
		t.Errorf("the host vests %v", lots)
	}
	if got := b.balance(who("alice")) - alice; got != 60_000-10_999 {
		t.Errorf("alice got %d back", got)
	}
	if after.Escrow != 0 || b.records(prefixSession) != 0 || b.records(prefixDue+"\x01"+string(u64(103))) != 0 {
		t.Error("the session left something behind")
	}
	b.end()
}

func TestWhoMayClose(t *testing.T) {
	b := newPlay(t)
	o := b.open(b.order(1, 60))
	v := func() *tx.CloseSession { return closing(o, promise(who("alice"), o, 1, 30)) }
	b.refused(b.send(who("bob"), v()), ErrStranger)
	b.refused(b.send(who("c1"), v()), ErrFee) // a node key alone owns nothing
	b.refused(b.sendFor(who("c2 owner"), who("c2"), v()), ErrStranger)
	b.refused(b.sendFor(who("c1 owner"), who("c2"), v()), ErrDelegation)
	b.must(b.send(who("c1 owner"), &tx.Delegate{Node: who("extra").raw(), ExpiresEpoch: 9}))
	b.refused(b.sendFor(who("c1 owner"), who("extra"), v()), ErrStranger) // speaks for itself only
	// Alice's own delegate does not close for her.
	b.must(b.send(who("alice"), &tx.Delegate{Node: who("alice's node").raw(), ExpiresEpoch: 9}))
	b.refused(b.sendFor(who("alice"), who("alice's node"), v()), ErrStranger)
	b.must(b.send(who("c1 owner"), v())) // the owner itself
	b.refused(b.send(who("c1 owner"), v()), ErrNoSession)
	b.end()
}

// When nothing was paid, all goes back and nobody earns.
func TestContainerClosesWithoutVoucher(t *testing.T) {
	b := newPlay(t)
	o := b.order(1, 60)
	o.Indexer = who("i1").raw()
	before := b.balance(who("alice"))
	b.open(o)
	b.must(b.send(who("c1 owner"), closing(o, nil)))
	if got := before - b.balance(who("alice")); got != b.Params().TxFee {
		t.Errorf("alice lost %d", got)
	}
	if len(b.lots(who("c1 owner"))) != 0 || b.records(prefixWeight) != 0 {
		t.Error("somebody earned")
	}
	b.end()
}

func TestPlayerClosesAndContainerAnswers(t *testing.T) {
	b := newPlay(t)
	alice := who("alice")
	o := b.open(b.order(1, 60))
	b.must(b.send(alice, closing(o, promise(alice, o, 2, 10))))
	s, _ := b.sessionOf(o)
	if s.Phase != PhaseClosing || s.Closes != 3 || s.Paid != 10_000 || s.Covered != 10 || s.Seq != 2 {
		t.Errorf("got %+v", s)
	}
	if e := b.event("session_closing"); e["closes"] != "3" || e["paid"] != "10000" {
		t.Errorf("event %v", e)
	}
	b.refused(b.send(alice, closing(o, promise(alice, o, 3, 11))), ErrClosing)
	b.refused(b.send(alice, &tx.TopUp{Container: o.Container, Session: o.Session, Seconds: 1}), ErrClosing)
	b.pass(2) // the last epoch of the window
	b.must(b.sendFor(who("c1 owner"), who("c1"), closing(o, promise(alice, o, 40, 40))))
	if e := b.event("session_settled"); e["gross"] != "40000" || e["by"] != "container" || e["seconds"] != "40" {
		t.Errorf("settled %v", e)
	}
	b.pass(3)
	if b.records(prefixSession) != 0 || b.event("session_settled") != nil {
		t.Error("it settled twice")
	}
	b.end()
}

// A container that agrees need not wait.
func TestContainerAcceptsAPlayersClose(t *testing.T) {
	b := newPlay(t)
	o := b.open(b.order(1, 60))
	b.must(b.send(who("alice"), closing(o, promise(who("alice"), o, 2, 10))))
	b.must(b.sendFor(who("c1 owner"), who("c1"), closing(o, nil)))
	if e := b.event("session_settled"); e["gross"] != "10000" {
		t.Errorf("settled %v", e)
	}
	b.end()
}

func TestWindowEndsWithoutAnswer(t *testing.T) {
	b := newPlay(t)
	o := b.open(b.order(1, 60))
	b.must(b.send(who("alice"), closing(o, promise(who("alice"), o, 2, 10))))
	b.pass(3)
	if e := b.event("session_settled"); e["gross"] != "10000" || e["by"] != "window" || e["refund"] != "50000" {
		t.Errorf("settled %v", e)
	}
	b.refused(b.sendFor(who("c1 owner"), who("c1"), closing(o, promise(who("alice"), o, 9, 40))), ErrNoSession)
	b.end()
}

func TestForgottenSessionExpires(t *testing.T) {
	b := newPlay(t)
	before := b.balance(who("alice"))
	o := b.open(b.order(1, 60))
	s, _ := b.sessionOf(o)
	b.next((s.Expires - 1) * 10_000)
	if _, ok := b.sessionOf(o); !ok {
		t.Fatal("it expired early")
	}
	b.pass(1)
	if e := b.event("session_settled"); e["gross"] != "0" || e["by"] != "expiry" || e["refund"] != "60000" {
		t.Errorf("settled %v", e)
	}
	if got := before - b.balance(who("alice")); got != b.Params().TxFee {
		t.Errorf("alice lost %d", got)
	}
	b.end()
}

// With more due than a block works off, a session past its end is over all the same.
func TestMuchDueIsSpreadAndNobodyGains(t *testing.T) {
	b := newPlay(t, func(p *genesis.Plan) { p.Params.MaxDuePerBlock = 10 })
	var orders []*tx.OpenSession
	for n := range uint64(35) {
		orders = append(orders, b.open(b.order(n, 60)))
	}
	s, _ := b.sessionOf(orders[0])
	b.next(60 * 10_000) // delegations have run out by then
	b.next((s.Expires - 60) * 10_000)
	last := orders[34]
	b.refused(b.send(who("c1 owner"), closing(last, promise(who("alice"), last, 1, 60))), ErrOver)
	b.refused(b.send(who("alice"), closing(last, nil)), ErrOver)
	b.refused(b.send(who("alice"), &tx.TopUp{Container: last.Container, Session: last.Session, Seconds: 1}), ErrOver)
	for left := 25; ; left -= 10 {
		if got := b.records(prefixSession); got != max(left, 0) {
			t.Fatalf("%d sessions left, want %d", got, left)
		}
		if left <= 0 {
			break
		}
		b.next(1000)
	}
	if b.Supply().Escrow != 0 {
		t.Errorf("%d still locked", b.Supply().Escrow)
	}
	b.end()
}

func TestBatchSettlesAllOrNothing(t *testing.T) {
	b := newPlay(t)
	alice := who("alice")
	batch := &tx.BatchClose{}
	for n := range uint64(tx.MaxBatch) {
		o := b.open(b.order(n, 60))
		batch.Sessions = append(batch.Sessions, closing(o, promise(alice, o, 1, 10)))
	}
	good := batch.Sessions[70].Voucher
	batch.Sessions[70].Voucher = promised(chainName, alice, b.order(70, 60), 1, 10, 10_001)
	err := b.sendFor(who("c1 owner"), who("c1"), batch)
	b.refused(err, ErrOverdrawn)
	if n := b.records(prefixSession); n != tx.MaxBatch || b.Supply().Vesting != 0 {
		t.Fatalf("%d sessions left of a batch that was refused", n)
	}
	b.next(1000)
	// A forged one in the midst of good ones is found, and named.
	batch.Sessions[70].Voucher = promised(chainName, who("mallory"), b.order(70, 60), 1, 10, 10_000)
	err = b.sendFor(who("c1 owner"), who("c1"), batch)
	b.refused(err, ErrForged)
	if !strings.Contains(err.Error(), "71 of the batch") || b.records(prefixSession) != tx.MaxBatch {
		t.Errorf("%v, %d sessions left", err, b.records(prefixSession))
	}
	batch.Sessions[70].Voucher = good
	b.refused(b.send(alice, batch), ErrStranger)
	b.must(b.sendFor(who("c1 owner"), who("c1"), batch))
	if n := b.records(prefixSession); n != 0 || b.Supply().Escrow != 0 {
		t.Errorf("%d sessions left", n)
	}
	// 100 sessions of 10 000 with a fee of 2 000 each, in one lot.
	if lots := b.lots(who("c1 owner")); len(lots) != 1 || sumOfLots(lots) != 100*8_000 {
		t.Errorf("the host vests %v", lots)
	}
	b.end()
}

func TestDelegatesShareIncome(t *testing.T) {
	b := newPlay(t)
	b.must(b.send(who("c1 owner"), &tx.Delegate{Node: who("c1").raw(), ExpiresEpoch: 3, CutPpm: 333_333}))
	earn := func(n uint64) (owner, node uint64) {
		was, nodeWas := sumOfLots(b.lots(who("c1 owner"))), sumOfLots(b.lots(who("c1")))
		o := b.open(b.order(n, 60))
		b.must(b.send(who("c1 owner"), closing(o, promise(who("alice"), o, 1, 10))))
		return sumOfLots(b.lots(who("c1 owner"))) - was, sumOfLots(b.lots(who("c1"))) - nodeWas
	}
	if owner, node := earn(1); owner != 5_334 || node != 2_666 {
		t.Errorf("owner %d, node %d", owner, node)
	}
	b.pass(4) // the delegation has run out
	if owner, node := earn(2); owner != 8_000 || node != 0 {
		t.Errorf("owner %d, node %d", owner, node)
	}
	b.end()
}

// A container that loses its stake or leaves is still paid for what it has served.
func TestSessionsOutliveTheContainersStake(t *testing.T) {
	b := newPlay(t)
	o := b.open(b.order(1, 60))
	b.must(b.send(who("c1 owner"), &tx.Unbond{Node: who("c1").raw(), Amount: 2_000 * frm}))
	b.refused(b.send(who("alice"), b.order(2, 60)), ErrContainer)
	b.next(40 * 10_000)
	b.must(b.send(who("c1 owner"), &tx.Claim{}))
	b.must(b.send(who("c1 owner"), &tx.Retire{Node: who("c1").raw()}))
	b.must(b.send(who("c1 owner"), closing(o, promise(who("alice"), o, 1, 10))))
	if sumOfLots(b.lots(who("c1 owner"))) != 8_000 {
		t.Error("not paid")
	}
	b.end()
}
