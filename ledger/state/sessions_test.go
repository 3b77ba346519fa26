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
	b.refused(b.sendFor(who("c1 owner"), who("c1"), closing(o, old)), ErrNoSession)

	b.next((MemoryEpochs - 1) * 10_000)
	b.refused(b.send(who("alice"), b.order(7, 10)), ErrSessionUsed)
	b.next(10_000)
	if n := b.records(prefixUsed); n != 0 {
		t.Errorf("%d names remembered", n)
	}
	b.must(b.send(who("alice"), b.order(7, 10)))
	b.end()
}

// A name is good for one player: whoever sees an order on its way cannot open a session
// under its name first, which would keep its player from playing.
func TestNobodyTakesAnothersName(t *testing.T) {
	b := newPlay(t)
	seen := b.order(7, 10)
	b.refused(b.send(who("bob"), seen), ErrName)
	b.must(b.send(who("alice"), seen))
	own := b.orderOf(who("bob"), 7, 10)
	b.must(b.send(who("bob"), own))
	b.refused(b.send(who("c1 owner"), closing(own, promise(who("alice"), own, 1, 1))), ErrForged)
	b.end()
}

// A session that is paused long after its planned end is settled while it can be: what says
// so comes a whole epoch before its escrow goes back.
func TestASessionSaysThatItEnds(t *testing.T) {
	b := newPlay(t, func(p *genesis.Plan) { p.Params.SessionExpiryEpochs = 5 })
	o := b.open(b.order(1, 30))
	for {
		s, ok := b.sessionOf(o)
		if !ok {
			t.Fatal("it expired and never said that it ends")
		}
		if s.Ending(b.Epoch()) {
			break
		}
		b.pass(1)
	}
	if s, _ := b.sessionOf(o); b.Epoch() < 3 || b.Epoch()+2 != s.Expires {
		t.Errorf("in epoch %d of %d", b.Epoch(), s.Expires)
	}
	b.pass(1)
	b.must(b.sendFor(who("c1 owner"), who("c1"), closing(o, promise(who("alice"), o, 1, 30))))
	again := b.open(b.order(2, 30))
	if s, _ := b.sessionOf(again); s.Ending(b.Epoch()) {
		t.Error("a new one ends")
	}
	b.must(b.send(who("alice"), closing(again, nil)))
	if s, _ := b.sessionOf(again); !s.Ending(b.Epoch()) {
		t.Error("its player ends it")
	}
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
	if n := b.records(prefixDue + "\x01" + string(u64(s.Expires)) + "\x05"); n != 1 {
		t.Errorf("%d expiries at the new time", n)
	}
	if n := b.records(prefixDue + "\x01" + string(u64(first.Expires)) + "\x05"); n != 0 {
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

func TestRulesOfMoneyAreDistinct(t *testing.T) {
	codes := map[uint32]string{}
	for _, r := range Rules() {
		if was, taken := codes[r.Code]; taken {
			t.Errorf("%s and %s share the code %d", was, r.Name, r.Code)
		}
		codes[r.Code] = r.Name
	}
	for _, r := range []*Rule{ErrReplay, ErrOlder, ErrOverdrawn, ErrForged} {
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
