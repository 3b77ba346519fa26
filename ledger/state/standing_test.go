package state

import (
	"testing"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/proof"
)

// A container that the genesis file vouches for nothing proves itself in a round before it
// may stand by; the sudden score of a borrowed machine counts little.
func TestStandingIsEarned(t *testing.T) {
	b := newRounds(t, func(p *genesis.Plan) {
		for i := range p.Nodes {
			p.Nodes[i].RPMilli = 0
		}
	})
	if s := b.standingOf("c1"); s.Proven(0) || s.QualityPPM != economics.FirstQuality {
		t.Errorf("got %+v", s)
	}
	busy := proof.Entry{Verdict: proof.VerdictBusy, Reason: proof.ReasonBusy}
	b.certify(0, b.on(0, "c1", busy))
	if s := b.standingOf("c1"); s.Proven(0) || b.weightOf(0, RewardEdge, who("c1").node()) != (Weight{}) {
		t.Errorf("busy alone proves: %+v", s)
	}
	ok := func(rp uint64) proof.Entry { return proof.Entry{Verdict: proof.VerdictOK, RPMilli: rp} }
	for i, c := range []struct{ measured, score uint64 }{{50_000, 50_000}, {200_000, 50_000}, {200_000, 60_000}, {200_000, 60_000}, {50_000, 60_000}} {
		b.pass(1)
		b.certify(b.Epoch(), b.on(b.Epoch(), "c1", ok(c.measured)))
		if s := b.standingOf("c1"); s.RPMilli != c.score || !s.Proven(b.Epoch()+b.Params().ProofStandingEpochs) || s.Proven(b.Epoch()+b.Params().ProofStandingEpochs+1) {
			t.Errorf("round %d: %+v", i, s)
		}
	}
	b.end()
}

func TestBusyKeepsTheScoreForATime(t *testing.T) {
	b := newRounds(t, func(p *genesis.Plan) { p.Params.ProofStandingEpochs = 3 })
	busy := proof.Entry{Verdict: proof.VerdictBusy, Reason: proof.ReasonBusy}
	for i := range 5 {
		b.pass(1)
		at := b.Epoch()
		b.certify(at, b.on(at, "c1", busy))
		if got := b.weightOf(at, RewardEdge, who("c1").node()).Capacity > 0; got != (i < 3) {
			t.Errorf("busy epoch %d earns: %v", i+1, got)
		}
		if s := b.standingOf("c1"); s.RPMilli != 100_000 || !s.Proven(at+3) {
			t.Errorf("busy epoch %d: %+v", i+1, s)
		}
	}
	b.pass(1)
	b.certify(b.Epoch(), nil)
	if s := b.standingOf("c1"); s.Busy != 2 || b.weightOf(b.Epoch(), RewardEdge, who("c1").node()).Capacity == 0 {
		t.Errorf("measured and %+v", s)
	}
	// Who is measured under each of many names in turn earns no more than with two of them.
	for i, want := range []bool{true, false, false} {
		b.pass(1)
		at := b.Epoch()
		b.certify(at, b.on(at, "c1", busy))
		if got := b.weightOf(at, RewardEdge, who("c1").node()).Capacity > 0; got != want {
			t.Errorf("busy epoch %d after one that measured it earns: %v", i+1, got)
		}
	}
	for range 5 {
		b.pass(1)
		b.certify(b.Epoch(), nil)
	}
	if s := b.standingOf("c1"); s.Busy != 0 {
		t.Errorf("measured five times and %+v", s)
	}
	b.end()
}

func TestOfflineForTooLongEarnsNothing(t *testing.T) {
	b := newRounds(t, func(p *genesis.Plan) { p.Params.EpochSeconds = 1_000 })
	part := func(ppm uint32) proof.Entry {
		return proof.Entry{Verdict: proof.VerdictOK, RPMilli: 100_000, OfflinePPM: ppm}
	}
	c1 := who("c1").node()
	for i, c := range []struct {
		offline uint32
		earns   bool
	}{{900_000, true}, {900_000, true}, {1_000, false}, {0, false}} { // 900 s, 1800 s, 1801 s
		b.pass(1)
		b.certify(b.Epoch(), b.on(b.Epoch(), "c1", part(c.offline)))
		if got := b.weightOf(b.Epoch(), RewardEdge, c1).Capacity > 0; got != c.earns {
			t.Errorf("epoch %d earns: %v, offline for %d s", i, got, b.standingOf("c1").OfflineSeconds)
		}
	}
	b.next(86_400_000) // the next day begins with nothing
	b.certify(b.Epoch(), nil)
	if s := b.standingOf("c1"); s.OfflineSeconds != 0 || b.weightOf(b.Epoch(), RewardEdge, c1).Capacity == 0 {
		t.Errorf("the next day: %+v", s)
	}
	b.end()
}

// What a session rendered is paid by the score that rounds have shown, and makes the
// class's utilisation.
func TestWorkIsPaidByTheStanding(t *testing.T) {
	b := newRounds(t)
	b.pass(1)
	o := b.open(b.order(1, 10))
	b.must(b.sendFor(who("c1 owner"), who("c1"), closing(o, promise(who("alice"), o, 1, 8))))
	fee := b.Params().Settle(8 * testRate).Fee
	want := Weight{Work: 8 * 100_000 * economics.FirstQuality / 1_000_000, Fees: fee}
	if got := b.weightOf(1, RewardEdge, who("c1").node()); got != want {
		t.Errorf("weighs %+v, want %+v", got, want)
	}
	b.certify(1, nil)
	sum, err := b.weightSum(1, RewardEdge)
	if b.must(err); sum.Paid != 800_000 || sum.Offered != 2_000_000 || sum.Utilisation != 4_000 {
		t.Errorf("got %+v", sum)
	}
	// Without a standing the fee still bounds a reward that is nothing.
	s := b.standingOf("c1")
	s.RPMilli, s.Rounds = 0, nil
	b.must(b.overlay.Set(StandingKey(who("c1").node()), s.Encode()))
	b.pass(1)
	o = b.open(b.order(2, 10))
	b.must(b.sendFor(who("c1 owner"), who("c1"), closing(o, promise(who("alice"), o, 1, 8))))
	if got := b.weightOf(2, RewardEdge, who("c1").node()); got != (Weight{Fees: fee}) {
		t.Errorf("weighs %+v", got)
	}
	b.end()
}
