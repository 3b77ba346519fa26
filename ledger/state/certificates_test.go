package state

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/tx"
)

func TestCertificateIsOfTheCommittee(t *testing.T) {
	b := newRounds(t)
	b.pass(2)
	drawn := b.drawn(2).Batches[0]
	if len(drawn.Committee) != 3 || len(drawn.Reserve) != 3 || len(drawn.Containers) != 2 {
		t.Fatalf("drew %+v", drawn)
	}
	three, good := drawn.Committee, b.result(2, 0, nil)
	certify := func(r *proof.Result, nodes ...key.Node) error {
		return b.send(who("alice"), b.certificateBy(r, nodes...))
	}
	reserve := b.result(2, 0, func(r *proof.Result) { r.Attempt = 1 })

	for _, c := range []struct {
		name string
		err  error
		want *Rule
	}{
		{"one attests", certify(good, three[0]), ErrQuorum},
		{"one of the reserve", certify(good, three[0], drawn.Reserve[0]), ErrMember},
		{"a container", certify(good, three[0], who("c1").node()), ErrMember},
		{"an old epoch", certify(b.result(0, 0, nil), b.drawn(0).Batches[0].Committee...), ErrVoteEpoch},
		{"an entry too few", certify(b.result(2, 0, func(r *proof.Result) { r.Entries = r.Entries[:1] }), three...), ErrResult},
		{"a fourth member", certify(b.result(2, 0, func(r *proof.Result) { r.Wrong = 8 }), three...), ErrResult},
		{"found by a fourth member", certify(b.result(2, 0, func(r *proof.Result) {
			r.Entries[0] = bad(proof.ReasonSegment)
			r.Entries[0].Found = 8
		}), three...), ErrResult},
		{"nothing settled", certify(b.result(2, 0, func(r *proof.Result) {
			for i := range r.Entries {
				r.Entries[i] = proof.Entry{Verdict: proof.VerdictNone, Reason: proof.ReasonNoQuorum}
			}
		}), three...), ErrResult},
		{"the reserve too early", certify(reserve, drawn.Reserve...), ErrEarly},
		{"no such appeal", b.send(who("alice"), b.certificateBy(func() *proof.Result {
			r := b.result(2, 0, nil)
			r.Batch = appealBit | 7
			return r
		}(), three...)), ErrBatch},
		{"no such batch", b.send(who("alice"), b.certificateBy(func() *proof.Result {
			r := b.result(2, 0, nil)
			r.Batch = 1
			return r
		}(), three...)), ErrBatch},
	} {
		t.Log(c.name)
		b.refused(c.err, c.want)
	}
	junk := b.certificateBy(good, three...)
	junk.Result = []byte("fine")
	b.refused(b.send(who("alice"), junk), ErrResult)
	other := b.certificateBy(good, three...)
	other.Epoch = 1
	b.refused(b.send(who("alice"), other), ErrResult)
	// Signatures are of their places: by another member, by one of the reserve, or by the right
	// one over something else they are none.
	for place, by := range map[int]key.Node{0: three[1], 1: drawn.Reserve[1]} {
		forged := b.certificateBy(good, three...)
		copy(forged.Signatures[64*place:], tx.Attest(chainName, b.identity(by).private, 2, 0, forged.Result))
		b.refused(b.send(who("alice"), forged), ErrEvidence)
	}
	changed := b.certificateBy(good, three...)
	changed.Result = b.certificateBy(b.result(2, 0, func(r *proof.Result) { r.Correct = 1 })).Result
	b.refused(b.send(who("alice"), changed), ErrEvidence)

	balance := b.balance(who("alice"))
	b.must(certify(good, three[0], three[2])) // two of three
	if got := b.balance(who("alice")); got != balance+b.Params().CertificateReward {
		t.Errorf("the submitter has %d instead of %d", got, balance+b.Params().CertificateReward)
	}
	b.refused(certify(good, three...), ErrCertified)
	c, ok, err := load(b.Reader(), CertificateKey(2, 0), DecodeCertificate)
	raw, _ := proof.EncodeResult(good)
	if want := (Certificate{sha256.Sum256(raw), who("alice").address(), b.Head().Height, 2, 0}); err != nil || !ok || c != want {
		t.Errorf("got %+v", c)
	}
	// The epoch before is open still, and its committee another draw.
	b.must(certify(b.result(1, 0, nil), b.drawn(1).Batches[0].Committee...))
	b.next(KeptEpochs * 10_000)
	if n := b.records(prefixCertificate); n != 0 {
		t.Errorf("%d kept", n)
	}
	b.end()
}

// The reward comes from penalties and grants and never from anywhere else: without them the
// sender has its fee back and no more.
func TestCertificateRewardIsNeverMinted(t *testing.T) {
	b := newRounds(t)
	balance, burned := b.balance(who("alice")), b.Supply().Burned
	b.certify(0, nil)
	if got := b.balance(who("alice")); got != balance {
		t.Errorf("has %d instead of %d", got, balance)
	}
	if got := b.Supply().Burned; got != burned {
		t.Errorf("burned %d, it was %d", got, burned)
	}
	if e := b.event("certificate_judged"); e["reward"] != "0" {
		t.Errorf("got %v", e)
	}
	b.pass(1)
	b.must(b.move(balanceOf(who("bob").address()), poolOf(economics.PoolPenalties), 7))
	b.certify(1, nil)
	if got := b.balance(who("alice")); got != balance+7 {
		t.Errorf("has %d instead of %d", got, balance+7)
	}
	b.end()
}

func TestReserveComesAfterTheCommittee(t *testing.T) {
	b := newRounds(t)
	b.pass(1)
	drawn := b.drawn(1).Batches[0]
	reserve := b.certificateBy(b.result(1, 0, func(r *proof.Result) { r.Attempt = 1 }), drawn.Reserve...)
	b.next(b.times(1).AttestBy - b.now - 1)
	b.refused(b.send(who("alice"), reserve), ErrEarly)
	b.next(1)
	b.must(b.send(who("alice"), reserve))
	b.refused(b.send(who("alice"), b.certificateBy(b.result(1, 0, nil), drawn.Committee...)), ErrCertified)
	for _, n := range drawn.Reserve {
		if b.weightOf(1, RewardChecker, n).Capacity != 1 {
			t.Errorf("%s earns nothing", n)
		}
	}
	for _, n := range drawn.Committee {
		if b.weightOf(1, RewardChecker, n).Capacity != 0 {
			t.Errorf("%s earns for nothing", n)
		}
	}
	b.end()
}

func TestCertificatePaysWhatWasMeasured(t *testing.T) {
	b := newRounds(t)
	c1, c2 := who("c1").node(), who("c2").node()
	b.pass(1)
	b.certify(1, func(r *proof.Result) {
		b.on(1, "c1", proof.Entry{Verdict: proof.VerdictOK, RPMilli: 110_000, OfflinePPM: 100_000})(r)
		b.on(1, "c2", proof.Entry{Verdict: proof.VerdictAbsent, Reason: proof.ReasonAbsent, OfflinePPM: 1_000_000})(r)
	})
	s := b.standingOf("c1")
	if s.RPMilli != 100_000 || !slices.Equal(s.Rounds, []uint64{100_000, 110_000}) || s.ProvenUntil != 1+b.Params().ProofStandingEpochs ||
		s.LastEpoch != 1 || s.LastVerdict != proof.VerdictOK || s.OfflineSeconds != 1 || s.Verdicts != 1 {
		t.Errorf("got %+v", s)
	}
	stake := b.stakeOf(who("c1")).Amount
	want := economics.CapacityWeight(economics.Readiness{
		RPMilli: 100_000, OnlineSeconds: 9, QualityPPM: economics.FirstQuality, Stake: stake, Required: b.Params().ContainerStake,
	})
	if got := b.weightOf(1, RewardEdge, c1); want == 0 || got != (Weight{Capacity: want}) {
		t.Errorf("weighs %+v, want %d", got, want)
	}
	if got := b.weightOf(1, RewardEdge, c2); got != (Weight{}) {
		t.Errorf("the absent one weighs %+v", got)
	}
	if s := b.standingOf("c2"); s.RPMilli != 100_000 || !s.Proven(1) || s.LastVerdict != proof.VerdictAbsent || s.OfflineSeconds != 10 {
		t.Errorf("got %+v", s)
	}
	sum, err := b.weightSum(1, RewardEdge)
	if b.must(err); sum.Offered != 900_000 || sum.Capacity != want {
		t.Errorf("got %+v", sum)
	}
	if v := b.lastVerdict(c1); v != (Verdict{Epoch: 1, Role: economics.RoleContainer, Verdict: proof.VerdictOK, RPMilli: 110_000, Weight: want, Height: b.Head().Height}) {
		t.Errorf("remembers %+v", v)
	}
	if e := b.event("unproven"); e["node"] != c2.String() || e["verdict"] != "absent" || e["reason"] != "40" || e["weight"] != "0" {
		t.Errorf("got %v", e)
	}
	for _, n := range b.drawn(1).Batches[0].Committee {
		if c := b.conductOf(n); c.Correct != 1 || c.WrongTotal != 0 || b.weightOf(1, RewardChecker, n).Capacity != 1 {
			t.Errorf("%s: %+v", n, c)
		}
	}
	// And it is money two epochs later.
	b.pass(2)
	if sumOfLots(b.lots(who("c1 owner")))+b.balance(who("c1 owner")) <= 10_000*frm {
		t.Error("c1 was paid nothing")
	}
	if got := sumOfLots(b.lots(who("c2 owner"))); got != 0 {
		t.Errorf("c2 was paid %d", got)
	}
	b.end()
}

// Whatever else is wrong, a verdict that is neither ok nor busy never costs stake.
func TestVerdictsEarnOrDoNot(t *testing.T) {
	for name, c := range map[string]struct {
		entry  proof.Entry
		earns  bool
		proven bool // may still stand by
	}{
		"ok":      {proof.Entry{Verdict: proof.VerdictOK, RPMilli: 90_000}, true, true},
		"busy":    {proof.Entry{Verdict: proof.VerdictBusy, Reason: proof.ReasonBusy}, true, true},
		"late":    {proof.Entry{Verdict: proof.VerdictLate, Reason: proof.ReasonLate}, false, true},
		"absent":  {proof.Entry{Verdict: proof.VerdictAbsent}, false, true},
		"refused": {proof.Entry{Verdict: proof.VerdictRefused, Reason: proof.ReasonMalformed}, false, true},
		"none":    {proof.Entry{Verdict: proof.VerdictNone, Reason: proof.ReasonNoQuorum}, false, true},
		"bad":     {bad(proof.ReasonUnopened), false, false},
	} {
		b := newRounds(t)
		b.pass(1)
		b.certify(1, b.on(1, "c1", c.entry))
		s := b.standingOf("c1")
		if got := b.weightOf(1, RewardEdge, who("c1").node()).Capacity > 0; got != c.earns {
			t.Errorf("%s earns: %v", name, got)
		}
		if got := s.Proven(2); got != c.proven {
			t.Errorf("%s may stand by: %v", name, got)
		}
		if s := b.stakeOf(who("c1")); s.Offences != 0 || s.Amount != 2_000*frm {
			t.Errorf("%s cost stake: %+v", name, s)
		}
		if n := b.records(prefixAccusation); n != 0 {
			t.Errorf("%s: %d accusations", name, n)
		}
		b.end()
	}
}

// The certificate of an epoch may come after that of the next; it pays, but does not undo
// what is known since.
func TestLateCertificateDoesNotUndo(t *testing.T) {
	b := newRounds(t)
	b.pass(2)
	b.certify(2, b.on(2, "c1", bad(proof.ReasonTile)))
	b.certify(1, nil)
	if s := b.standingOf("c1"); s.Proven(3) || s.LastEpoch != 2 || s.LastVerdict != proof.VerdictBad {
		t.Errorf("got %+v", s)
	}
	if b.weightOf(1, RewardEdge, who("c1").node()).Capacity == 0 {
		t.Error("the good round is not paid")
	}
	b.end()
}

// Machines that share their draws draw each epoch once.
func TestDrawsAreShared(t *testing.T) {
	b := newRounds(t)
	b.pass(1)
	first, err := b.assignment(1)
	b.must(err)
	b.end()
	fork := b.Fork()
	if again, err := fork.assignment(1); err != nil || again != first {
		t.Errorf("a fork drew again, %v", err)
	}
	other, err := Open(b.store, WithDraws(b.draws))
	b.must(err)
	if again, err := other.assignment(1); err != nil || again != first {
		t.Errorf("another machine drew again, %v", err)
	}
	alone, err := Open(b.store)
	b.must(err)
	if again, err := alone.assignment(1); err != nil || again == first || !bytes.Equal(flat(again.Batches[0].Committee), flat(first.Batches[0].Committee)) {
		t.Errorf("another draw, %v", err)
	}
	var refusal *Error
	if _, err := alone.assignment(math.MaxUint64); !refused(err) {
		t.Errorf("got %v %v", err, refusal)
	}
}

func flat(nodes []key.Node) (b []byte) {
	for _, n := range nodes {
		b = append(b, n[:]...)
	}
	return b
}

// In a thousand epochs of honest rounds, under absences, sessions, noise of some percent and
// late certificates, nobody loses stake, rank or duties.
func TestHonestEpochsPunishNobody(t *testing.T) {
	b := newRounds(t, func(p *genesis.Plan) {
		for i := range p.Nodes {
			if p.Nodes[i].RPMilli > 0 {
				p.Nodes[i].ClaimRPMilli = 100_000
			}
		}
	})
	nodes := []string{"c1", "c2", "k0", "k1", "k2", "k3", "v1", "v2"}
	stakes := map[string]Stake{}
	for _, n := range nodes {
		stakes[n] = b.stakeOf(who(n))
	}
	rng := sha256.Sum256([]byte("noise"))
	for range 1000 {
		b.now += 10_000
		b.must(func() error {
			if _, err := b.EndBlock(); err != nil {
				return err
			}
			if err := b.Flush(); err != nil {
				return err
			}
			events, err := b.BeginBlock(Block{Height: b.Head().Height + 1, TimeMS: b.now, VRF: sha256.Sum256(u64(b.now))})
			b.seen = events
			return err
		}())
		rng = sha256.Sum256(rng[:])
		at := b.Epoch()
		b.certify(at, func(r *proof.Result) {
			for i := range r.Entries {
				switch x := rng[i] % 20; {
				case x == 0:
					r.Entries[i] = proof.Entry{Verdict: proof.VerdictAbsent, OfflinePPM: 1_000_000}
				case x == 1:
					r.Entries[i] = proof.Entry{Verdict: proof.VerdictLate, Reason: proof.ReasonLate}
				case x < 4:
					r.Entries[i] = proof.Entry{Verdict: proof.VerdictBusy, Reason: proof.ReasonBusy}
				default:
					r.Entries[i] = proof.Entry{Verdict: proof.VerdictOK, RPMilli: 95_000 + uint64(rng[i+2])*40, QualityPPM: 990_000}
				}
			}
			if rng[9]%10 == 0 {
				r.Correct = 0b011 // one checker was away: neither right nor wrong
			}
		})
		for _, e := range b.seen {
			switch e.Kind {
			case "slash", "accused", "checker_wrong", "checker_banned", "fraud_proven":
				t.Fatalf("epoch %d: %+v", at, e)
			}
		}
	}
	b.end()
	for _, n := range nodes {
		if got := b.stakeOf(who(n)); got != stakes[n] {
			t.Errorf("%s has %+v staked, had %+v", n, got, stakes[n])
		}
	}
	for _, n := range nodes[:2] {
		if s := b.standingOf(n); s.PriorityPPM != 1_000_000 || !s.Proven(1000) || s.RPMilli < 90_000 || s.RPMilli > 110_000 {
			t.Errorf("%s stands at %+v", n, s)
		}
	}
}

// A member that is convicted between its attestation and the certificate neither counts nor
// spoils the certificate, and earns nothing by it.
func TestACertificateOutlivesAMembersConviction(t *testing.T) {
	b := newRounds(t)
	b.pass(1)
	committee := b.drawn(1).Batches[0].Committee
	liar := b.identity(committee[0])
	c := b.round(who("c1"), 1, false)
	vote, _ := b.voted(liar, c, nil)
	other, _ := b.voted(liar, c, func(work [32]byte) [32]byte { work[0] ^= 1; return work })
	b.must(b.send(who("bob"), b.proof(proof.PairFraud(vote, other))))
	quorum := int(b.Params().ProofN) + 1
	r := b.result(1, 0, nil)
	b.refused(b.send(who("alice"), b.certificateBy(r, slices.Clone(committee[:quorum])...)), ErrQuorum)
	b.must(b.send(who("alice"), b.certificateBy(r, slices.Clone(committee[:quorum+1])...)))
	if k := b.conductOf(liar.node()); k.Correct != 0 || b.weightOf(1, RewardChecker, liar.node()).Capacity != 0 {
		t.Errorf("the convicted checker earns by %+v", k)
	}
	if k := b.conductOf(committee[1]); k.Correct != 1 {
		t.Errorf("its colleague stands at %+v", k)
	}
	if e := b.event("certificate_judged"); e["signers"] != fmt.Sprint(quorum) {
		t.Errorf("got %v", e)
	}
	b.end()
}
