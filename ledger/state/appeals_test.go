package state

import (
	"slices"
	"testing"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/subnet"
	"github.com/framemesh/framemesh/ledger/tx"
)

// segmentAccused is a network in which a committee of epoch 1 says that a second of a session
// with c1 does not replay. Both members who signed could be wrong.
func segmentAccused(t *testing.T) (b *bed, id [32]byte, signers []key.Node) {
	t.Helper()
	b = newRounds(t, manyCheckers)
	b.pass(1)
	committee := b.drawn(1).Batches[0].Committee
	r := b.result(1, 0, b.on(1, "c1", bad(proof.ReasonSegment)))
	b.must(b.send(who("alice"), b.certificateBy(r, committee[:2]...)))
	id = AccusationID(who("c1").node(), 1, 0, economics.OffenceForged)
	return b, id, committee[:2]
}

// manyCheckers are ten, so that an appeal finds eight who have not judged yet.
func manyCheckers(p *genesis.Plan) {
	for _, name := range []string{"k4", "k5", "k6", "k7"} {
		p.Nodes = append(p.Nodes, genesis.Node{Node: who(name).node(), Owner: who(name + " owner").address(),
			Roles: genesis.Roles(economics.RoleChecker), Stake: 1_000 * frm, Delegate: true})
	}
}

func (b *bed) appealAnswer(epoch uint64, id [32]byte, e proof.Entry) (*proof.Result, []key.Node) {
	b.tb.Helper()
	a, ok, err := ReadAccusation(b.Reader(), id)
	if b.must(err); !ok {
		b.tb.Fatal("no accusation")
	}
	members, ok, err := AppealCommittee(b.Reader(), epoch, id, a, b.Params())
	if b.must(err); !ok {
		b.tb.Fatal("nobody drawn")
	}
	return &proof.Result{Epoch: epoch, Batch: AppealBatch(id), Entries: []proof.Entry{e}, Votes: sha([]byte("votes of the appeal"))}, members
}

func TestWrongSegmentWaitsForTheAppeal(t *testing.T) {
	b, id, signers := segmentAccused(t)
	a, ok, err := ReadAccusation(b.Reader(), id)
	if b.must(err); !ok || a.Node != who("c1").node() || a.Offence != economics.OffenceForged || a.Final != 1+3+1 || a.Epoch != 1 || a.Appealed != 0 {
		t.Fatalf("got %+v", a)
	}
	slices.SortFunc(signers, compareNodes)
	if !slices.Equal(a.Signers, signers) || a.Amount != b.Params().ContainerStake {
		t.Errorf("got %+v", a)
	}
	if s := b.stakeOf(who("c1")); s.Offences != 0 {
		t.Error("punished at once")
	}
	if s := b.standingOf("c1"); s.Proven(2) || b.lastVerdict(who("c1").node()).Verdict != VerdictAccused {
		t.Errorf("got %+v", s)
	}
	if e := b.event("accused"); e["node"] != who("c1").node().String() || e["offence"] != "forged" || e["evidence"] == "" {
		t.Errorf("got %v", e)
	}
	b.pass(3)
	if s := b.stakeOf(who("c1")); s.Offences != 0 {
		t.Error("punished before the window has passed")
	}
	b.pass(1)
	if s := b.stakeOf(who("c1")); s.Offences != 1 || s.Amount != 2_000*frm-b.Params().ContainerStake {
		t.Errorf("got %+v", s)
	}
	if got := b.standingOf("c1").PriorityPPM; got != 500_000 {
		t.Errorf("priority %d", got)
	}
	b.refused(b.send(who("c1 owner"), &tx.Appeal{Accusation: id[:]}), ErrNoAppeal)
	b.end()
}

func TestAppealIsTheOwnersAndOnce(t *testing.T) {
	b, id, _ := segmentAccused(t)
	none := [32]byte{7}
	b.refused(b.send(who("c1 owner"), &tx.Appeal{Accusation: none[:]}), ErrNoAppeal)
	b.refused(b.send(who("bob"), &tx.Appeal{Accusation: id[:]}), ErrOwner)
	balance, reserve := b.balance(who("c1 owner")), b.Supply().Reserve()
	b.must(b.send(who("c1 owner"), &tx.Appeal{Accusation: id[:]}))
	if got := b.balance(who("c1 owner")); got != balance-b.Params().AppealBond-b.Params().TxFee {
		t.Errorf("paid %d", balance-got)
	}
	if got := b.Supply().Reserve(); got != reserve+b.Params().AppealBond {
		t.Errorf("the reserve holds %d more", got-reserve)
	}
	b.refused(b.send(who("c1 owner"), &tx.Appeal{Accusation: id[:]}), ErrNoAppeal)
	all, err := ReadAppeals(b.Reader(), 2)
	if b.must(err); len(all) != 1 || all[0] != (Appealed{AppealBatch(id), id}) || all[0].Batch < appealBit {
		t.Errorf("got %+v", all)
	}
	b.end()
}

func TestAppealAcquits(t *testing.T) {
	b, id, signers := segmentAccused(t)
	balance := b.balance(who("c1 owner"))
	b.must(b.send(who("c1 owner"), &tx.Appeal{Accusation: id[:]}))
	b.pass(1)
	r, members := b.appealAnswer(2, id, proof.Entry{Verdict: proof.VerdictOK})
	if len(members) != 7 {
		t.Fatalf("drew %d", len(members))
	}
	for _, n := range signers {
		if slices.Contains(members, n) {
			t.Error("who judged before judges again")
		}
	}
	b.refused(b.send(who("alice"), b.certificateBy(r, members[:3]...)), ErrQuorum)
	r.Correct = 1<<len(members) - 1
	b.refused(b.send(who("alice"), b.certificateBy(r, members[:4]...)), ErrResult)
	r.Correct = 0
	b.refused(b.send(who("alice"), b.certificateBy(r, append([]key.Node{signers[0]}, members[:3]...)...)), ErrMember)
	before := map[key.Node]Duties{}
	for _, n := range members {
		before[n] = b.conductOf(n).Now
	}
	b.must(b.send(who("alice"), b.certificateBy(r, members[:4]...)))
	if got := b.balance(who("c1 owner")); got != balance-b.Params().TxFee {
		t.Errorf("the bond did not come back: %d of %d", got, balance)
	}
	for _, n := range signers {
		if c := b.conductOf(n); c.WrongTotal != 1 || c.Banned(3) {
			t.Errorf("%s: %+v", n, c)
		}
	}
	for i, n := range members {
		attested := i < 4
		if got := b.weightOf(2, RewardChecker, n).Capacity; (got == 1) != attested || got > 1 {
			t.Errorf("%s earns %d; it attested: %v", n, got, attested)
		}
		if d := b.conductOf(n).Now; !attested && d != before[n] {
			t.Errorf("%s said nothing, and %+v is remembered of it", n, d)
		}
	}
	if b.event("acquitted") == nil || b.lastVerdict(who("c1").node()).Verdict != VerdictAcquitted {
		t.Error("nothing is said of it")
	}
	b.pass(8)
	if s := b.stakeOf(who("c1")); s.Offences != 0 || s.Amount != 2_000*frm {
		t.Errorf("punished after all: %+v", s)
	}
	if n := b.records(prefixAccusation) + b.records(prefixAppeal); n != 0 {
		t.Errorf("%d records left", n)
	}
	b.end()
}

// Who attests what votes come to does not answer for them: where the wider committee finds that
// it was not so, those are wrong who had found it, and nobody else.
func TestWhoFoundItAnswersForIt(t *testing.T) {
	b := newRounds(t, manyCheckers)
	b.pass(1)
	committee := b.drawn(1).Batches[0].Committee
	e := bad(proof.ReasonModule)
	e.Found = 0b101 // the first and the third found it; the second and the third attest
	b.must(b.send(who("alice"), b.certificateBy(b.result(1, 0, b.on(1, "c1", e)), committee[1], committee[2])))
	id := AccusationID(who("c1").node(), 1, 0, economics.OffenceForged)
	a, ok, err := ReadAccusation(b.Reader(), id)
	if b.must(err); !ok || len(a.Signers) != 2 || !slices.Equal(a.Answer(), []key.Node{committee[2]}) {
		t.Fatalf("%t, %+v", ok, a)
	}
	b.must(b.send(who("c1 owner"), &tx.Appeal{Accusation: id[:]}))
	b.pass(1)
	r, members := b.appealAnswer(2, id, proof.Entry{Verdict: proof.VerdictOK})
	for _, n := range a.Signers {
		if slices.Contains(members, n) {
			t.Error("who attested before judges again")
		}
	}
	b.must(b.send(who("alice"), b.certificateBy(r, members[:4]...)))
	for i, n := range committee {
		if want := uint64(i / 2); b.conductOf(n).WrongTotal != want {
			t.Errorf("member %d: %+v, want %d wrong answers", i, b.conductOf(n), want)
		}
	}
	b.end()
}

// Nobody is accused by a result for which none of those answers who attest it: the round is
// lost, and no stake.
func TestNobodyIsAccusedByWhoDoesNotAnswer(t *testing.T) {
	for name, found := range map[string]uint64{"nobody": 0, "one who does not attest": 0b100} {
		b := newRounds(t, manyCheckers)
		b.pass(1)
		committee := b.drawn(1).Batches[0].Committee
		e := bad(proof.ReasonSegment)
		e.Found = found
		b.must(b.send(who("alice"), b.certificateBy(b.result(1, 0, b.on(1, "c1", e)), committee[:2]...)))
		if n := b.records(prefixAccusation); n != 0 || b.standingOf("c1").Proven(2) || b.lastVerdict(who("c1").node()).Verdict != proof.VerdictBad {
			t.Errorf("found by %s: %d accusations, %+v", name, n, b.standingOf("c1"))
		}
		b.end()
	}
}

func TestAppealConfirms(t *testing.T) {
	b, id, signers := segmentAccused(t)
	b.must(b.send(who("c1 owner"), &tx.Appeal{Accusation: id[:]}))
	b.pass(1)
	penalties := b.Supply().Pools[economics.PoolPenalties]
	r, members := b.appealAnswer(2, id, bad(proof.ReasonSegment))
	b.refused(b.send(who("alice"), b.certificateBy(r, members...)), ErrResult)
	r.Entries[0].Found = 0
	b.must(b.send(who("alice"), b.certificateBy(r, members...)))
	if s := b.stakeOf(who("c1")); s.Offences != 1 {
		t.Errorf("got %+v", s)
	}
	want := b.Params().AppealBond + b.Params().SplitSlash(b.Params().ContainerStake, 0).Bonus
	if got := b.Supply().Pools[economics.PoolPenalties] - penalties; penalties != 0 || got != want {
		t.Errorf("penalties of %d got %d, want %d", penalties, got, want)
	}
	for _, n := range signers {
		if c := b.conductOf(n); c.WrongTotal != 0 {
			t.Errorf("%s: %+v", n, c)
		}
	}
	b.refused(b.send(who("alice"), b.certificateBy(r, members[:4]...)), ErrCertified)
	b.pass(4)
	if n := b.records(prefixAccusation) + b.records(prefixAppeal); n != 0 {
		t.Errorf("%d records left", n)
	}
	b.end()
}

// In doubt nobody is punished: not the accused, and not those who accused it.
func TestUnansweredAppealAcquits(t *testing.T) {
	b, id, signers := segmentAccused(t)
	balance := b.balance(who("c1 owner"))
	b.must(b.send(who("c1 owner"), &tx.Appeal{Accusation: id[:]}))
	b.pass(2)
	if _, ok, err := ReadAccusation(b.Reader(), id); err != nil || !ok {
		t.Fatalf("dropped too early: %v", err)
	}
	b.pass(1)
	if got := b.balance(who("c1 owner")); got != balance-b.Params().TxFee {
		t.Errorf("has %d of %d", got, balance)
	}
	if s := b.stakeOf(who("c1")); s.Offences != 0 {
		t.Errorf("got %+v", s)
	}
	for _, n := range signers {
		if c := b.conductOf(n); c.WrongTotal != 0 {
			t.Errorf("%s: %+v", n, c)
		}
	}
	if b.event("acquitted") == nil {
		t.Error("nothing is said of it")
	}
	b.end()
}

// Whoever claims a score and stays far below it twice in a row is accused; once is bad luck,
// and who claims nothing owes nothing.
func TestSlowContainersAreAccused(t *testing.T) {
	b := newRounds(t, func(p *genesis.Plan) {
		for i := range p.Nodes {
			if p.Nodes[i].Node == who("c1").node() {
				p.Nodes[i].ClaimRPMilli = 100_000
			}
		}
	})
	round := func(rp uint64) {
		b.pass(1)
		b.certify(b.Epoch(), func(r *proof.Result) {
			b.on(b.Epoch(), "c1", proof.Entry{Verdict: proof.VerdictOK, RPMilli: rp})(r)
			b.on(b.Epoch(), "c2", proof.Entry{Verdict: proof.VerdictOK, RPMilli: 1})(r)
		})
	}
	for _, rp := range []uint64{79_999, 80_000, 79_999, 200_000, 10} {
		round(rp)
		if n := b.records(prefixAccusation); n != 0 {
			t.Fatalf("accused at %d", rp)
		}
	}
	round(10)
	id := AccusationID(who("c1").node(), b.Epoch(), 0, economics.OffenceCapacity)
	a, ok, err := ReadAccusation(b.Reader(), id)
	if b.must(err); !ok || a.Amount != b.Params().ContainerStake || len(a.Signers) != 3 {
		t.Fatalf("got %+v", a)
	}
	if n := b.records(prefixAccusation); n != 1 || b.standingOf("c1").Slow != 0 {
		t.Errorf("%d accusations", n)
	}
	b.pass(5)
	if s := b.stakeOf(who("c1")); s.Offences != 1 {
		t.Errorf("got %+v", s)
	}
	if s := b.stakeOf(who("c2")); s.Offences != 0 {
		t.Errorf("c2 claims nothing and has %+v", s)
	}
	b.end()
}

// An epoch judges so many appeals; who comes later appeals in the next one.
func TestAppealsOfOneEpochAreBounded(t *testing.T) {
	b, id, _ := segmentAccused(t)
	var full appeals
	for i := range MaxAppeals {
		full = append(full, [32]byte{byte(i), 1})
	}
	b.must(b.overlay.Set(AppealsKey(2), full.encode()))
	b.refused(b.send(who("c1 owner"), &tx.Appeal{Accusation: id[:]}), ErrNoAppeal)
	b.must(b.overlay.Set(AppealsKey(2), full[1:].encode()))
	b.must(b.send(who("c1 owner"), &tx.Appeal{Accusation: id[:]}))
	all, err := ReadAppeals(b.Reader(), 2)
	if b.must(err); len(all) != MaxAppeals || all[MaxAppeals-1].Accusation != id {
		t.Errorf("%d appeals", len(all))
	}
	if _, err := decodeAppeals(append(full, id).encode()); err == nil {
		t.Error("a record of too many was read")
	}
	if _, err := decodeAppeals([]byte{layout}); err == nil {
		t.Error("a record of none was read")
	}
}

// A container's claim is the owner's to change.
func TestClaimsStandInTheRegistry(t *testing.T) {
	b := newRounds(t)
	r := registration(who("alice"), who("new1"), economics.RoleContainer, false)
	r.ClaimRpMilli = 70_000
	b.must(b.send(who("alice"), r))
	n, ok, err := ReadNode(b.Reader(), who("new1").node())
	if b.must(err); !ok || n.Claim != 70_000 {
		t.Errorf("got %+v", n)
	}
	if s, ok, err := ReadStanding(b.Reader(), who("new1").node()); ok || err != nil || s.Proven(0) {
		t.Errorf("a new container stands at %+v, %v", s, err)
	}
	change := &tx.Register{Node: who("c1").raw(), Roles: uint32(economics.RoleContainer), PriceMicroUsdPerHour: testPrice, Region: "eu", ClaimRpMilli: 5}
	b.refused(b.sendFor(who("c1 owner"), who("c1"), change), ErrDelegation)
	b.end()
}

// Who is drawn for an appeal stays the same while it is heard: neither where the accused says
// meanwhile that it lives, nor what a machine remembers, changes it.
func TestTheAccusedCannotMoveAwayFromItsJudges(t *testing.T) {
	b := newRounds(t, manyCheckers, func(p *genesis.Plan) {
		for i := range p.Nodes {
			p.Nodes[i].Subnets = []subnet.Subnet{subnet.Subnet([]byte{11, 1, byte(i)})}
		}
	})
	b.pass(1)
	c1 := who("c1").node()
	a := Accusation{Node: c1, Owner: who("c1 owner").address(), Signers: b.drawn(1).Batches[0].Committee[:2]}
	drawn := func() []key.Node {
		t.Helper()
		members, ok, err := AppealCommittee(b.Reader(), 1, [32]byte{7}, a, b.Params())
		if b.must(err); !ok || len(members) != 7 {
			t.Fatalf("drew %d", len(members))
		}
		remembered, err := b.appealCommittee(1, [32]byte{7}, a)
		if b.must(err); !slices.Equal(remembered, members) {
			t.Errorf("remembered %v, drawn %v", remembered, members)
		}
		return members
	}
	before := drawn()
	first, _, err := b.node(before[0])
	b.must(err)
	accused, _, err := b.node(c1)
	b.must(err)
	accused.Subnets = first.Subnets
	b.must(b.overlay.Set(NodeKey(c1), accused.Encode()))
	if after := drawn(); !slices.Equal(after, before) {
		t.Errorf("it moved, and %v became %v", before, after)
	}
	// What is remembered is of one epoch's seed, one accusation, and those who made it.
	other, err := b.appealCommittee(1, [32]byte{8}, a)
	if b.must(err); slices.Equal(other, before) {
		t.Error("another accusation has the same committee")
	}
	a.Signers = b.drawn(1).Batches[0].Committee[1:3]
	if same := drawn(); slices.Equal(same, before) {
		t.Error("other accusers have the same committee")
	}
	b.end()
}
