package state

import (
	"testing"

	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/key"
)

// minding makes three of the checkers the network's oracles.
func minding(p *genesis.Plan) {
	p.Params.AppealEpochs = 20
	p.Oracles = []key.Address{who("k0").address(), who("k1").address(), who("k2").address()}
}

// quotes opens a session by an order with the rates of the three oracles.
func (b *bed) quotes(n uint64, k0, k1, k2 uint64) error {
	b.tb.Helper()
	o := b.orderOf(who("alice"), n, 10)
	o.Quotes = [][]byte{b.quoted("k0", k0), b.quoted("k1", k1), b.quoted("k2", k2)}
	return b.send(who("alice"), o)
}

func (b *bed) deviations(name string) Deviations {
	b.tb.Helper()
	d, _, err := load(b.overlay, OracleKey(who(name).address()), DecodeDeviations)
	b.must(err)
	return d
}

func TestThreeQuotesOffCostATenth(t *testing.T) {
	b := newPlay(t, minding)
	const off = testRate * 2
	n := uint64(0)
	say := func(k2 uint64) {
		t.Helper()
		n++
		b.must(b.quotes(n, testRate, testRate, k2))
	}
	stake := func() uint64 {
		s, _ := b.stake(who("k2").node())
		return s.Amount
	}
	say(off)
	if e := b.event("oracle_off"); e["per_usd"] != "2000" || e["median"] != "1000" || e["strikes"] != "1" || e["oracle"] != who("k2").address().String() {
		t.Fatalf("told %v", e)
	}
	say(off) // the same quote in another order
	b.next(100)
	say(off) // another quote of the same epoch
	if d := b.deviations("k2"); d.Total != 1 || len(d.Epochs) != 1 {
		t.Fatalf("one lie counts more than once: %+v", d)
	}
	b.pass(1)
	say(off)
	b.pass(1)
	say(testRate * 105 / 100) // within 5 %
	if d := b.deviations("k2"); d.Total != 2 || stake() != 1_000*frm {
		t.Fatalf("%+v", d)
	}
	b.pass(19) // 21 epochs after the first
	say(off)
	if d := b.deviations("k2"); d.Total != 3 || len(d.Epochs) != 2 || stake() != 1_000*frm {
		t.Fatalf("the first is too long ago: %+v", d)
	}
	b.pass(1)
	b.pass(1)
	b.must(b.quotes(99, testRate, testRate, testRate))
	b.next(1)
	e := b.Epoch()
	say(off)
	if d := b.deviations("k2"); d.Total != 4 {
		t.Fatalf("epoch %d: %+v", e, d)
	}
	b.pass(1)
	say(off)
	s := b.event("slash")
	if s == nil || s["offence"] != "oracle" || s["amount"] != "10000000000" || stake() != 900*frm {
		t.Fatalf("slashed %v, stake %d", s, stake())
	}
	if d := b.deviations("k2"); d.Total != 5 || len(d.Epochs) != 0 {
		t.Errorf("what was punished counts again: %+v", d)
	}
	if d := b.deviations("k0"); d.Total != 0 {
		t.Errorf("an honest oracle: %+v", d)
	}
	b.end()
}

// An order that is refused counts nothing, and a fork that tries one neither.
func TestRefusedOrdersCountNothing(t *testing.T) {
	b := newPlay(t, minding)
	o := b.orderOf(who("alice"), 1, 10)
	o.Quotes = [][]byte{b.quoted("k0", testRate), b.quoted("k1", testRate), b.quoted("k2", 9*testRate)}
	o.PerSecond++
	b.refused(b.send(who("alice"), o), ErrRate)
	o.PerSecond--
	o.Seconds = 1 << 31
	b.refused(b.send(who("alice"), o), ErrSeconds)
	if d := b.deviations("k2"); d.Total != 0 {
		t.Errorf("%+v", d)
	}
	b.end()
}
