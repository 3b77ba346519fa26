package state

import (
	"strconv"
	"testing"

	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/quote"
	"github.com/framemesh/framemesh/ledger/tx"
)

func TestOpenLocksTheEscrow(t *testing.T) {
	b := newPlay(t)
	before := b.balance(who("alice"))
	o := b.order(1, 60)
	o.Indexer = who("i1").raw()
	b.open(o)
	if got := before - b.balance(who("alice")); got != 60*testRate+b.Params().TxFee {
		t.Errorf("alice paid %d", got)
	}
	if b.Supply().Escrow != 60*testRate {
		t.Errorf("the escrow holds %d", b.Supply().Escrow)
	}
	s, ok := b.sessionOf(o)
	want := Session{
		Player: who("alice").address(), Owner: who("c1 owner").address(), PerSecond: testRate, Seconds: 60, Escrow: 60 * testRate,
		Price: testPrice, Rate: testRate, Indexer: who("i1").node(), OpenedMS: b.now, Phase: PhaseOpen,
		Expires: 0 + 6 + 96 + 1, // epochs of 10 s: the play, session_expiry_epochs, the rest of the one it began in
	}
	if !ok || s != want {
		t.Errorf("got %+v\nwant %+v", s, want)
	}
	if e := b.event("session_opened"); e["escrow"] != "60000" || e["per_second"] != "1000" {
		t.Errorf("event %v", e)
	}
	b.end()
}

func TestOpenIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(b *bed, o *tx.OpenSession)
		want   *Rule
	}{
		"not a node":      {func(b *bed, o *tx.OpenSession) { o.Container = who("nobody").raw() }, ErrContainer},
		"not a container": {func(b *bed, o *tx.OpenSession) { o.Container = who("i1").raw() }, ErrContainer},
		"without stake": {func(b *bed, o *tx.OpenSession) {
			b.must(b.send(who("c1 owner"), &tx.Unbond{Node: who("c1").raw(), Amount: 2_000 * frm}))
		}, ErrContainer},
		"indexer is none":     {func(b *bed, o *tx.OpenSession) { o.Indexer = who("c2").raw() }, ErrIndexer},
		"indexer unknown":     {func(b *bed, o *tx.OpenSession) { o.Indexer = who("nobody").raw() }, ErrIndexer},
		"stale quote":         {func(b *bed, o *tx.OpenSession) { b.next(b.Params().OracleMaxAgeMS + 1) }, ErrPrice},
		"stranger's quote":    {func(b *bed, o *tx.OpenSession) { o.Quotes = [][]byte{b.quoted("bob", testRate)} }, ErrPrice},
		"forged quote":        {func(b *bed, o *tx.OpenSession) { o.Quotes[0][quote.Size-1] ^= 1 }, ErrEvidence},
		"second costs less":   {func(b *bed, o *tx.OpenSession) { o.PerSecond-- }, ErrRate},
		"second costs more":   {func(b *bed, o *tx.OpenSession) { o.PerSecond++ }, ErrRate},
		"too long":            {func(b *bed, o *tx.OpenSession) { o.Seconds = 86_401 }, ErrSeconds},
		"dearer than alice":   {func(b *bed, o *tx.OpenSession) { dear(b, o, 2*1_000_000*frm) }, ErrFunds},
		"dearer by a unit":    {func(b *bed, o *tx.OpenSession) { dear(b, o, b.balance(who("alice"))-b.Params().TxFee+1) }, ErrFunds},
		"quote of tomorrow":   {func(b *bed, o *tx.OpenSession) { o.Quotes = [][]byte{tomorrow(b)} }, ErrPrice},
		"another price":       {func(b *bed, o *tx.OpenSession) { o.PriceMicroUsdPerHour *= 2 }, ErrRate},
		"name in use":         {func(b *bed, o *tx.OpenSession) { b.open(b.order(1, 5)) }, ErrSessionUsed},
		"all that alice has":  {func(b *bed, o *tx.OpenSession) { dear(b, o, b.balance(who("alice"))-b.Params().TxFee) }, nil},
		"the same name at c2": {func(b *bed, o *tx.OpenSession) { b.open(b.order(1, 5)); o.Container = who("c2").raw() }, nil},
		"price below the ad":  {func(b *bed, o *tx.OpenSession) { o.PriceMicroUsdPerHour /= 10; o.PerSecond /= 10 }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b := newPlay(t)
			o := b.order(1, 60)
			c.change(b, o)
			nonce, escrow, sessions := b.nonce(who("alice")), b.Supply().Escrow, b.records(prefixSession)
			err := b.send(who("alice"), o)
			if c.want == nil {
				b.must(err)
			} else {
				b.refused(err, c.want)
				if b.Supply().Escrow != escrow || b.records(prefixSession) != sessions {
					t.Error("something was locked all the same")
				}
			}
			if b.nonce(who("alice")) != nonce+1 {
				t.Error("the nonce did not move")
			}
			b.end()
		})
	}
}

func (b *bed) nonce(i identity) uint64 {
	b.tb.Helper()
	a, err := b.account(i.address())
	b.must(err)
	return a.Nonce
}

// dear makes one second of an order cost total.
func dear(b *bed, o *tx.OpenSession, total uint64) {
	o.Seconds, o.PerSecond, o.Quotes = 1, total, [][]byte{b.quoted("oracle", total)}
}

func tomorrow(b *bed) []byte {
	q, err := quote.Sign(chainName, who("oracle").private, testRate, b.now+b.Params().OracleMaxAgeMS+1)
	b.must(err)
	return q.Encode()
}

func TestOpenTakesTheMedian(t *testing.T) {
	b := newPlay(t, func(p *genesis.Plan) { p.Params.OracleMin = 3 })
	o := b.order(1, 10)
	b.refused(b.send(who("alice"), o), ErrPrice) // one of three
	o.Quotes = [][]byte{b.quoted("oracle", 5), b.quoted("oracle 2", 1_000_000), b.quoted("oracle 3", testRate)}
	b.must(b.send(who("alice"), o))
	if s, _ := b.sessionOf(o); s.Rate != testRate {
		t.Errorf("rate %d", s.Rate)
	}
	b.end()
}

// A session's name is taken while it lives and long after, so that no voucher of one can be
// used for another; the order itself is good for one nonce.
func TestNamesAndOrdersAreUsedOnce(t *testing.T) {
	b := newPlay(t)
	o := b.order(7, 10)
	signed := b.signed(who("alice"), wrap(o))
	if _, err := b.Apply(signed); err != nil {
		t.Fatal(err)
	}
	old := promise(who("alice"), o, 9, 10)
	for range 2 {
		_, err := b.Apply(signed)
		b.refused(err, ErrNonce)
		b.next(1000)
	}
	b.must(b.sendFor(who("c1 owner"), who("c1"), closing(o, promise(who("alice"), o, 1, 1))))
	_, err := b.Apply(signed)
	b.refused(err, ErrNonce)
	again := b.order(7, 10)
	b.refused(b.send(who("alice"), again), ErrSessionUsed)
	b.refused(b.send(who("bob"), again), ErrSessionUsed)
	b.refused(b.sendFor(who("c1 owner"), who("c1"), closing(o, old)), ErrNoSession)

	b.next((MemoryEpochs - 1) * 10_000)
	b.refused(b.send(who("bob"), b.order(7, 10)), ErrSessionUsed)
	b.next(10_000)
	if n := b.records(prefixUsed); n != 0 {
		t.Errorf("%d names remembered", n)
	}
	b.must(b.send(who("bob"), b.order(7, 10)))
	b.refused(b.send(who("c1 owner"), closing(o, old)), ErrForged) // bob's now
	b.end()
}

func TestTopUp(t *testing.T) {
	b := newPlay(t)
	o := b.order(1, 60)
	b.refused(b.send(who("alice"), &tx.TopUp{Container: o.Container, Session: o.Session, Seconds: 1}), ErrNoSession)
	b.open(o)
	first, _ := b.sessionOf(o)
	more := &tx.TopUp{Container: o.Container, Session: o.Session, Seconds: 30}
	b.refused(b.send(who("bob"), more), ErrStranger)
	b.refused(b.send(who("c1 owner"), more), ErrStranger)
	b.refused(b.send(who("alice"), &tx.TopUp{Container: o.Container, Session: o.Session, Seconds: 86_400}), ErrSeconds)
	b.must(b.send(who("alice"), more))
	s, _ := b.sessionOf(o)
	if s.Escrow != 90*testRate || s.Seconds != 90 || s.Expires != first.Expires+3 {
		t.Errorf("got %+v", s)
	}
	if n := b.records(prefixDue + string(u64(s.Expires)) + "\x05"); n != 1 {
		t.Errorf("%d expiries at the new time", n)
	}
	if n := b.records(prefixDue + string(u64(first.Expires)) + "\x05"); n != 0 {
		t.Errorf("%d expiries at the old time", n)
	}
	o.Seconds = 90
	b.must(b.sendFor(who("c1 owner"), who("c1"), closing(o, promise(who("alice"), o, 90, 90))))
	if e := b.event("session_settled"); e["gross"] != "90000" || e["refund"] != "0" {
		t.Errorf("settled %v", e)
	}
	b.refused(b.send(who("alice"), more), ErrNoSession)
	b.end()
}

// Each rule of vouchers, by the container and by the player.
func TestVouchersAreRefused(t *testing.T) {
	alice := who("alice")
	for name, c := range map[string]struct {
		voucher func(o *tx.OpenSession) *tx.Voucher
		want    *Rule
	}{
		"replayed":           {func(o *tx.OpenSession) *tx.Voucher { return promise(alice, o, 5, 20) }, ErrReplay},
		"replayed by number": {func(o *tx.OpenSession) *tx.Voucher { return promise(alice, o, 5, 21) }, ErrReplay},
		"older":              {func(o *tx.OpenSession) *tx.Voucher { return promise(alice, o, 4, 30) }, ErrOlder},
		"fewer seconds":      {func(o *tx.OpenSession) *tx.Voucher { return promised(chainName, alice, o, 6, 19, 20*testRate) }, ErrOutOfOrder},
		"less money":         {func(o *tx.OpenSession) *tx.Voucher { return promised(chainName, alice, o, 6, 21, 20*testRate-1) }, ErrOutOfOrder},
		"beyond the plan":    {func(o *tx.OpenSession) *tx.Voucher { return promise(alice, o, 6, 61) }, ErrOverdrawn},
		"beyond the rate":    {func(o *tx.OpenSession) *tx.Voucher { return promised(chainName, alice, o, 6, 30, 30*testRate+1) }, ErrOverdrawn},
		"beyond the escrow":  {func(o *tx.OpenSession) *tx.Voucher { return promised(chainName, alice, o, 6, 60, 60*testRate+1) }, ErrOverdrawn},
		"by another":         {func(o *tx.OpenSession) *tx.Voucher { return promise(who("bob"), o, 6, 30) }, ErrForged},
		"by the container":   {func(o *tx.OpenSession) *tx.Voucher { return promise(who("c1"), o, 6, 30) }, ErrForged},
		"for another chain": {func(o *tx.OpenSession) *tx.Voucher {
			return promised("other", alice, o, 6, 30, 30*testRate)
		}, ErrForged},
		"for another session": {func(o *tx.OpenSession) *tx.Voucher {
			other := &tx.OpenSession{Container: o.Container, Session: make([]byte, 16), PerSecond: o.PerSecond, Seconds: o.Seconds}
			return promise(alice, other, 6, 30)
		}, ErrForged},
		"for another container": {func(o *tx.OpenSession) *tx.Voucher {
			other := &tx.OpenSession{Container: who("c2").raw(), Session: o.Session, PerSecond: o.PerSecond, Seconds: o.Seconds}
			return promise(alice, other, 6, 30)
		}, ErrForged},
		"with another amount": {func(o *tx.OpenSession) *tx.Voucher {
			v := promise(alice, o, 6, 30)
			v.Paid--
			return v
		}, ErrForged},
	} {
		t.Run(name, func(t *testing.T) {
			b := newPlay(t)
			o := b.open(b.order(1, 60))
			b.must(b.send(alice, closing(o, promise(alice, o, 5, 20))))
			before, _ := b.sessionOf(o)
			b.refused(b.sendFor(who("c1 owner"), who("c1"), closing(o, c.voucher(o))), c.want)
			if after, ok := b.sessionOf(o); !ok || after != before {
				t.Errorf("the session changed to %+v", after)
			}
			b.end()
		})
	}
}

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
	if after.Escrow != 0 || b.records(prefixSession) != 0 || b.records(prefixDue+string(u64(103))) != 0 {
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

func TestRulesOfMoneyAreDistinct(t *testing.T) {
	codes := map[uint32]string{}
	for _, r := range Rules() {
		if was, taken := codes[r.Code]; taken {
			t.Errorf("%s and %s share the code %d", was, r.Name, r.Code)
		}
		codes[r.Code] = r.Name
	}
	for _, r := range []*Rule{ErrReplay, ErrOlder, ErrOutOfOrder, ErrOverdrawn, ErrForged} {
		if codes[r.Code] != r.Name {
			t.Errorf("%s is not listed", r.Name)
		}
	}
}

// BenchmarkOpenClose is a session's two transactions with all signatures inside them: the
// quote and the voucher. The signers' own are verified before Apply.
func BenchmarkOpenClose(b *testing.B) {
	bed := newPlay(b, func(p *genesis.Plan) { p.Params.SessionMaxSeconds = 3600 })
	orders := make([]*tx.Tx, b.N)
	closes := make([]*tx.Tx, b.N)
	for i := range orders {
		o := bed.order(uint64(i), 60)
		w := wrap(o)
		w.Nonce = bed.nonce(who("alice")) + uint64(i)
		orders[i] = bed.sign(who("alice"), w)
		w = wrap(closing(o, promise(who("alice"), o, 1, 10)))
		w.Account, w.Nonce = who("c1 owner").raw(), uint64(i)
		closes[i] = bed.sign(who("c1"), w)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range orders {
		for _, t := range []*tx.Tx{orders[i], closes[i]} {
			if _, err := bed.Apply(t); err != nil {
				b.Fatal(strconv.Itoa(i), err)
			}
		}
	}
}
