package state

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/framemesh/framemesh/ledger/economics"
)

// wealth is all that people have, free or not yet.
func (b *bed) wealth(people ...identity) (sum uint64) {
	b.tb.Helper()
	for _, p := range people {
		sum += b.balance(p) + sumOfLots(b.lots(p))
	}
	return sum
}

// Who rents from itself, through an indexer of its own, loses: whatever it plays, however
// it divides it into sessions, and though nobody else works in the network, so that the
// whole emission is there for it.
func TestSelfDealingNeverProfits(t *testing.T) {
	d := economics.DefaultParams()
	rapid.Check(t, func(rt *rapid.T) {
		b := newPlay(drawn{t, rt})
		p := b.Params()
		if p.FeeBps != d.FeeBps || p.FeeBurnBps != d.FeeBurnBps || p.FeeIndexerBps != d.FeeIndexerBps || p.TakeBps != d.TakeBps || p.TxFee != d.TxFee {
			rt.Fatal("not the fees of the main network")
		}
		ring := []identity{who("alice"), who("c1"), who("c1 owner"), who("i1"), who("i1 owner")}
		before := b.wealth(ring...)
		sent, gross := uint64(0), uint64(0)
		for n := range rapid.Uint64Range(1, 12).Draw(rt, "sessions") {
			if rapid.IntRange(0, 3).Draw(rt, "pause") == 0 {
				b.pass(1)
			}
			o := b.order(n, rapid.Uint32Range(1, 86_400).Draw(rt, "seconds"))
			if rapid.Bool().Draw(rt, "led") {
				o.Indexer = who("i1").raw()
			}
			b.must(b.send(who("alice"), o))
			v := promise(who("alice"), o, 1, rapid.Uint32Range(1, o.Seconds).Draw(rt, "played"))
			if rapid.Bool().Draw(rt, "dust") {
				v = promised(chainName, who("alice"), o, 1, v.Seconds, rapid.Uint64Range(1, 30).Draw(rt, "paid"))
			}
			b.must(b.send(who("c1 owner"), closing(o, v)))
			sent, gross = sent+2, gross+v.Paid
			// The judge finds that it all was real work.
			b.must(b.AddWeight(b.Epoch(), RewardEdge, who("c1").node(), Weight{Work: economics.MaxWeight}))
		}
		b.pass(5) // all of it is paid for
		b.end()
		after := b.wealth(ring...)
		if lost := before - after; after >= before || lost < sent*p.TxFee {
			rt.Fatalf("%d sessions of %d: had %d, has %d", sent/2, gross, before, after)
		}
		if b.records(prefixWeight)+b.records(prefixPayout) != 0 {
			rt.Fatal("not all is paid out yet")
		}
	})
}

// A session that nobody closes brings nobody anything.
func TestExpiredSessionsEarnNothing(t *testing.T) {
	b := newPlay(t)
	ring := []identity{who("alice"), who("c1"), who("c1 owner"), who("i1"), who("i1 owner")}
	before := b.wealth(ring...)
	o := b.order(1, 60)
	o.Indexer = who("i1").raw()
	b.open(o)
	s, _ := b.sessionOf(o)
	b.next((s.Expires - b.Epoch()) * 10_000)
	b.pass(4)
	b.end()
	if got := before - b.wealth(ring...); got != b.Params().TxFee {
		t.Errorf("it cost %d", got)
	}
}
