package state

import (
	"slices"
	"testing"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/proof"
)

func TestWrongCheckersAreSuspended(t *testing.T) {
	b := newRounds(t)
	b.pass(1)
	liar := b.drawn(1).Batches[0].Committee[1]
	wrong := func(r *proof.Result) { r.Correct, r.Wrong = 0b101, 0b010 }
	b.certify(1, wrong)
	if c := b.conductOf(liar); c.WrongTotal != 1 || c.Banned(1) || b.weightOf(1, RewardChecker, liar) != (Weight{}) {
		t.Errorf("got %+v", c)
	}
	if e := b.event("checker_wrong"); e["node"] != liar.String() {
		t.Errorf("got %v", e)
	}
	for range 30 { // until the draw makes it a member again
		b.pass(1)
		at := b.Epoch()
		place := slices.Index(b.drawn(at).Batches[0].Committee, liar)
		if place < 0 {
			continue
		}
		b.certify(at, func(r *proof.Result) { r.Correct, r.Wrong = 7&^(1<<place), 1<<place })
		c := b.conductOf(liar)
		if c.WrongTotal != 2 || c.BannedUntil != at+economics.SuspendEpochs || c.Banned(c.BannedUntil) || !c.Banned(at+1) {
			t.Fatalf("got %+v", c)
		}
		if v := b.lastVerdict(liar); v.Verdict != VerdictBanned || v.Role != economics.RoleChecker || v.Epoch != at {
			t.Errorf("remembers %+v", v)
		}
		b.pass(int(b.Params().CandidateLead) + 1)
		drawn := b.drawn(b.Epoch()).Batches[0]
		if slices.Contains(drawn.Committee, liar) || slices.Contains(drawn.Reserve, liar) {
			t.Error("a suspended checker is drawn")
		}
		b.end()
		return
	}
	t.Fatal("never drawn again")
}

// addWrong keeps what counts, however the certificates come.
func TestWrongAnswersStandInOrder(t *testing.T) {
	var c Conduct
	for _, e := range []uint64{9, 3, 9, 5, 20, 1} {
		c.addWrong(e)
	}
	if !slices.Equal(c.Wrong, []uint64{5, 9, 9, 20}) || c.WrongTotal != 6 {
		t.Errorf("got %+v", c)
	}
	kept := slices.Clone(c.Wrong)
	d := c
	d.addWrong(6)
	if !slices.Equal(c.Wrong, kept) {
		t.Error("a copy changed the original")
	}
}

func TestHistoryIsARing(t *testing.T) {
	b := newRounds(t)
	for range KeptVerdicts + 5 {
		b.pass(1)
		b.certify(b.Epoch(), nil)
	}
	all, err := ReadHistory(b.Reader(), who("c1").node())
	if err != nil || len(all) != KeptVerdicts {
		t.Fatalf("%d kept, %v", len(all), err)
	}
	for i, v := range all {
		if v.Epoch != uint64(i)+6 || v.Weight == 0 {
			t.Errorf("number %d is %+v", i, v)
		}
	}
	// It is all taken away with the node.
	before := b.records(prefixHistory)
	b.must(b.forgetNode(who("c1").node()))
	if n := b.records(prefixHistory); n != before-KeptVerdicts {
		t.Errorf("%d of %d left", n, before)
	}
	if _, ok, err := ReadStanding(b.Reader(), who("c1").node()); ok || err != nil {
		t.Errorf("still stands, %v", err)
	}
	b.end()
}
