package state

import (
	"crypto/sha256"
	"testing"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/tx"
)

// chained is a container's round: two frames, the second with a wrong tile where spoilt.
type chained struct {
	commit   *proof.Opened
	roots    [][32]byte
	openings [][frameTiles]*proof.Opening
	task     [32]byte
}

func (b *bed) round(container identity, epoch uint64, spoilt bool) chained {
	b.tb.Helper()
	seed, ok, err := ReadSeed(b.Reader(), epoch)
	if b.must(err); !ok {
		b.tb.Fatalf("epoch %d has no seed", epoch)
	}
	c := chained{task: proof.Task(chainName, epoch, seed)}
	for f := range uint32(2) {
		root, openings := render(c.task, container.key(), f, func(leaves *[frameTiles][32]byte) {
			if spoilt && f == 1 {
				leaves[2][0] ^= 1
			}
		})
		c.roots, c.openings = append(c.roots, root), append(c.openings, openings)
	}
	digest := hashKernel{}.RootsRoot(c.roots)
	c.commit = b.says(container, &proof.Statement{Says: &proof.Statement_Commit{Commit: &proof.CapCommit{
		Epoch: epoch, Frames: uint32(len(c.roots)), Roots: digest[:], Kernel: proof.KernelRP1, Backend: "twin",
	}}})
	return c
}

func (b *bed) says(by identity, st *proof.Statement) *proof.Opened {
	b.tb.Helper()
	o, err := proof.Sign(chainName, by.private, st)
	b.must(err)
	return o
}

func (b *bed) proof(p *tx.FraudProof, err error) *tx.FraudProof {
	b.tb.Helper()
	b.must(err)
	return p
}

// tileFraud proves the wrong tile of a spoilt round, or says so of a good one.
func (b *bed) tileFraud(c chained, frame, tile int) *tx.FraudProof {
	b.tb.Helper()
	return b.proof(proof.TileFraud(c.commit, c.roots, c.openings[frame][tile]))
}

// voted is a checker's vote on a commit, with the work of its picks or another digest.
func (b *bed) voted(checker identity, c chained, work func(true [32]byte) [32]byte) (vote, nonce *proof.Opened) {
	b.tb.Helper()
	epoch, _ := c.commit.Epoch()
	secret := sha([]byte("nonce"), checker.raw())
	nonce = b.says(checker, &proof.Statement{Says: &proof.Statement_Nonce{Nonce: &proof.Nonce{Epoch: epoch, Nonce: secret[:]}}})
	picks := hashKernel{}.Picks(secret, c.commit.Digest, uint32(len(c.roots)), frameTiles, 8)
	did, err := hashKernel{}.Work(c.task, c.commit.Signer, checker.key(), 0, c.roots, picks)
	b.must(err)
	if work != nil {
		did = work(did)
	}
	vote = b.says(checker, &proof.Statement{Says: &proof.Statement_Vote{Vote: &proof.Vote{Epoch: epoch, Salt: secret[:], Findings: []*proof.Finding{{
		Verdict: proof.VerdictOK, Commit: c.commit.Digest[:], ArrivalMs: 1000, Samples: 2048, Work: did[:], Tiles: 8,
	}}}}})
	return vote, nonce
}

func TestWrongTileConvicts(t *testing.T) {
	b := newRounds(t)
	c1 := who("c1")
	b.pass(1)
	b.certify(1, nil)
	b.next(1_000)
	good, spoilt := b.round(c1, 1, false), b.round(c1, 1, true)

	b.refused(b.send(who("bob"), b.tileFraud(good, 1, 2)), ErrInnocent)
	b.refused(b.send(who("bob"), b.tileFraud(spoilt, 1, 1)), ErrInnocent)
	forged := b.tileFraud(spoilt, 1, 2)
	forged.Signature = key.Sign(who("c2").private, chainName, key.KindStatement, forged.Statement)
	b.refused(b.send(who("bob"), forged), ErrEvidence)
	dated := b.tileFraud(spoilt, 1, 2)
	dated.Epoch = 0
	b.refused(b.send(who("bob"), dated), ErrInnocent)
	dated.Epoch = 9
	b.refused(b.send(who("bob"), dated), ErrVoteEpoch)
	if b.stakeOf(c1).Offences != 0 || !b.standingOf("c1").Proven(2) {
		t.Fatal("punished for nothing")
	}

	required := b.Params().ContainerStake
	balance, before := b.balance(who("bob")), b.Supply()
	p := b.tileFraud(spoilt, 1, 2)
	b.must(b.send(who("bob"), p))
	bounty := b.Params().SplitSlash(required, 0).Bonus
	if got := b.balance(who("bob")) - balance; got != bounty-b.Params().TxFee {
		t.Errorf("the reporter gained %d, the bounty is %d", got, bounty)
	}
	if got := b.Supply().Pools[economics.PoolPenalties]; got != before.Pools[economics.PoolPenalties] {
		t.Errorf("penalties went from %d to %d", before.Pools[economics.PoolPenalties], got)
	}
	if s := b.stakeOf(c1); s.Offences != 1 || !s.Jailed || s.Tombstoned {
		t.Errorf("got %+v", s)
	}
	s := b.standingOf("c1")
	if s.Proven(2) || s.RPMilli != 0 || len(s.Rounds) != 0 || s.PriorityPPM != 500_000 || s.LastVerdict != VerdictConvicted || s.LastReason != uint32(proof.ReasonTile) {
		t.Errorf("got %+v", s)
	}
	if w := b.weightOf(1, RewardEdge, c1.node()); w.Capacity != 0 {
		t.Errorf("the round still weighs %+v", w)
	}
	sum, err := b.weightSum(1, RewardEdge)
	if b.must(err); sum.Capacity != b.weightOf(1, RewardEdge, who("c2").node()).Capacity {
		t.Errorf("the sum is %d", sum.Capacity)
	}
	if v := b.lastVerdict(c1.node()); v.Verdict != VerdictConvicted || v.Evidence != FraudID(p) {
		t.Errorf("remembers %+v", v)
	}
	if e := b.event("fraud_proven"); e["node"] != c1.node().String() || e["reason"] != "30" || e["reporter"] != who("bob").address().String() {
		t.Errorf("got %v", e)
	}
	b.refused(b.send(who("bob"), p), ErrReported)
	// Whatever else shows it, the round is one deed.
	other := b.proof(proof.PairFraud(good.commit, spoilt.commit))
	b.refused(b.send(who("bob"), other), ErrPunished)
	f, ok, err := load(b.Reader(), FraudKey(FraudID(p)), DecodeFraud)
	if want := (Fraud{tx.FraudTile, c1.node(), 1, who("bob").address(), b.Head().Height}); err != nil || !ok || f != want {
		t.Errorf("got %+v", f)
	}
	b.next(KeptEpochs*10_000 + 10_000)
	if n := b.records(prefixFraud); n != 0 {
		t.Errorf("%d kept", n)
	}
	if n := b.records(prefixGuilt); n != 1 {
		t.Errorf("%d convictions kept", n)
	}
	b.end()
}

// A certificate on the round that a container was convicted of comes too late to help.
func TestConvictedRoundCountsNothing(t *testing.T) {
	b := newRounds(t)
	b.pass(1)
	b.must(b.send(who("bob"), b.tileFraud(b.round(who("c1"), 1, true), 1, 2)))
	b.certify(1, nil)
	if s := b.standingOf("c1"); s.Proven(2) || s.RPMilli != 0 || b.weightOf(1, RewardEdge, who("c1").node()) != (Weight{}) {
		t.Errorf("got %+v", s)
	}
	b.must(b.send(who("c1 owner"), &tx.Stake{Node: who("c1").raw(), Amount: 2_000 * frm}))
	b.pass(4)
	b.certify(b.Epoch(), nil)
	if s := b.standingOf("c1"); !s.Proven(b.Epoch()) || s.RPMilli != 100_000 {
		t.Errorf("a later round does not restore it: %+v", s)
	}
	b.end()
}

func TestPriorityComesBackByCleanDays(t *testing.T) {
	b := newRounds(t, judgingByDay)
	b.pass(1)
	b.must(b.send(who("bob"), b.tileFraud(b.round(who("c1"), 1, true), 1, 2)))
	b.must(b.send(who("c1 owner"), &tx.Stake{Node: who("c1").raw(), Amount: 2_000 * frm}))
	for day := range 3 {
		b.pass(4)
		b.certify(b.Epoch(), nil)
		if got := b.standingOf("c1").PriorityPPM; got != uint32(500_000+10_000*(day+1)) {
			t.Errorf("after %d clean days the priority is %d", day+1, got)
		}
	}
	b.end()
}

func TestTwoCommitsConvict(t *testing.T) {
	b := newRounds(t)
	b.pass(1)
	c1 := who("c1")
	one, two := b.round(c1, 1, false), b.round(c1, 1, true)
	if two.commit.Digest == one.commit.Digest {
		t.Fatal("one commit")
	}
	b.must(b.send(who("bob"), b.proof(proof.PairFraud(one.commit, two.commit))))
	if s := b.stakeOf(c1); s.Offences != 1 {
		t.Errorf("got %+v", s)
	}
	b.refused(b.send(who("bob"), b.tileFraud(two, 1, 2)), ErrPunished)
	b.end()
}

func segment(session byte, second uint32, state byte) *proof.Statement {
	fill := func(c byte, n int) []byte {
		out := make([]byte, n)
		for i := range out {
			out[i] = c
		}
		return out
	}
	s := &proof.SegCommit{
		Session: fill(session, 16), Second: second, State: fill(state, 32), Inputs: fill(1, 32), Frames: fill(2, 32), Audio: fill(3, 32),
		Ticks: 60, App: fill(4, 32),
	}
	if second > 0 {
		s.Previous = fill(5, 32)
	}
	return &proof.Statement{Says: &proof.Statement_Segment{Segment: s}}
}

func TestTwoSegmentsConvictOncePerSession(t *testing.T) {
	b := newRounds(t)
	b.pass(1)
	c1 := who("c1")
	pair := func(session byte, second uint32) *tx.FraudProof {
		return b.proof(proof.PairFraud(b.says(c1, segment(session, second, 1)), b.says(c1, segment(session, second, 2))))
	}
	b.must(b.send(who("bob"), pair(1, 0)))
	b.refused(b.send(who("bob"), pair(1, 7)), ErrPunished)
	b.must(b.send(who("bob"), pair(2, 0)))
	if s := b.stakeOf(c1); s.Offences != 2 || s.Amount != 0 {
		t.Errorf("got %+v", s)
	}
	b.refused(b.send(who("bob"), b.proof(proof.PairFraud(b.says(c1, segment(3, 1, 1)), b.says(c1, segment(3, 2, 1))))), ErrInnocent)
	b.end()
}

func TestBrokenPathConvicts(t *testing.T) {
	b := newRounds(t)
	b.pass(1)
	c1, k0 := who("c1"), who("k0")
	c := b.round(c1, 1, false)
	opened := func(spoil bool) *proof.Opened {
		o := &proof.Openings{Epoch: 1, Checker: k0.raw(), Commit: c.commit.Digest[:], Items: []*proof.Opening{c.openings[0][0], c.openings[1][3]}}
		for _, r := range c.roots {
			o.Roots = append(o.Roots, append([]byte(nil), r[:]...))
		}
		if spoil {
			leaf := sha256.Sum256([]byte("another leaf"))
			o.Items[1] = &proof.Opening{Frame: 1, Tile: 3, Leaf: leaf[:], Siblings: o.Items[1].Siblings}
		}
		return b.says(c1, &proof.Statement{Says: &proof.Statement_Openings{Openings: o}})
	}
	b.refused(b.send(who("bob"), b.proof(proof.PathFraud(opened(false), c.commit, 1))), ErrInnocent)
	b.refused(b.send(who("bob"), b.proof(proof.PathFraud(opened(true), c.commit, 0))), ErrInnocent)
	b.must(b.send(who("bob"), b.proof(proof.PathFraud(opened(true), c.commit, 1))))
	if s := b.standingOf("c1"); s.LastReason != uint32(proof.ReasonPath) || s.Proven(1) {
		t.Errorf("got %+v", s)
	}
	b.end()
}

// A checker that votes on work it did not do loses a third of its stake, the reward of the
// epoch and its duties for thirty days; the container loses nothing.
func TestFalseWorkConvicts(t *testing.T) {
	b := newRounds(t)
	b.pass(1)
	b.certify(1, nil)
	lazy := b.identity(b.drawn(1).Batches[0].Committee[0])
	c := b.round(who("c1"), 1, false)
	vote, nonce := b.voted(lazy, c, nil)
	b.refused(b.send(who("bob"), b.proof(proof.WorkFraud(vote, 0, c.commit, c.roots, nonce, nil))), ErrInnocent)
	stake := b.stakeOf(lazy).Amount
	vote, nonce = b.voted(lazy, c, func(work [32]byte) [32]byte { work[0] ^= 1; return work })
	b.must(b.send(who("bob"), b.proof(proof.WorkFraud(vote, 0, c.commit, c.roots, nonce, nil))))
	if s := b.stakeOf(lazy); s.Amount != stake-stake/3 || s.Offences != 1 || s.Tombstoned {
		t.Errorf("got %+v of %d", s, stake)
	}
	if got := b.weightOf(1, RewardChecker, lazy.node()).Capacity; got != 0 {
		t.Errorf("still weighs %d", got)
	}
	if k := b.conductOf(lazy.node()); !k.Banned(2) || k.BannedUntil != 1+economics.SuspendEpochs || k.WrongTotal != 2 {
		t.Errorf("got %+v", k)
	}
	if s := b.standingOf("c1"); !s.Proven(2) || s.PriorityPPM != 1_000_000 {
		t.Errorf("the container stands at %+v", s)
	}
	if b.event("checker_banned") == nil || b.event("fraud_proven")["offence"] != "vote" {
		t.Error("nothing is said of it")
	}
	b.end()
}

// A checker that was convicted of its vote before the certificate came earns nothing by it.
func TestAConvictedVoteEarnsNothing(t *testing.T) {
	b := newRounds(t)
	b.pass(1)
	lazy := b.identity(b.drawn(1).Batches[0].Committee[0])
	c := b.round(who("c1"), 1, false)
	vote, nonce := b.voted(lazy, c, func(work [32]byte) [32]byte { work[0] ^= 1; return work })
	b.must(b.send(who("bob"), b.proof(proof.WorkFraud(vote, 0, c.commit, c.roots, nonce, nil))))
	b.certify(1, nil)
	if got := b.weightOf(1, RewardChecker, lazy.node()).Capacity; got != 0 || b.conductOf(lazy.node()).Correct != 0 {
		t.Errorf("weighs %d", got)
	}
	b.end()
}

// A vote of ok over a wrong tile among the voter's own picks convicts voter and container.
func TestPassedOverTileConvicts(t *testing.T) {
	b := newRounds(t)
	b.pass(1)
	k0, c := who("k0"), b.round(who("c1"), 1, true)
	vote, nonce := b.voted(k0, c, nil)
	b.must(b.send(who("bob"), b.proof(proof.WorkFraud(vote, 0, c.commit, c.roots, nonce, c.openings[1][2]))))
	if k := b.conductOf(k0.node()); !k.Banned(2) {
		t.Errorf("got %+v", k)
	}
	b.must(b.send(who("bob"), b.tileFraud(c, 1, 2)))
	b.end()
}

func TestTwoVotesConvictForGood(t *testing.T) {
	b := newRounds(t)
	b.pass(1)
	k0, c := who("k0"), b.round(who("c1"), 1, false)
	one, _ := b.voted(k0, c, nil)
	two, _ := b.voted(k0, c, func(work [32]byte) [32]byte { work[0] ^= 1; return work })
	b.must(b.send(who("bob"), b.proof(proof.PairFraud(one, two))))
	if s := b.stakeOf(k0); s.Amount != 0 || !s.Tombstoned {
		t.Errorf("got %+v", s)
	}
	b.end()
}

// Who proves its own fraud to save the bounty does not.
func TestNobodyEarnsByReportingItself(t *testing.T) {
	b := newRounds(t)
	b.pass(1)
	before := b.Supply().Pools[economics.PoolPenalties]
	b.must(b.send(who("c1 owner"), b.tileFraud(b.round(who("c1"), 1, true), 1, 2)))
	if got := b.Supply().Pools[economics.PoolPenalties] - before; got != b.Params().SplitSlash(b.Params().ContainerStake, 0).Bonus {
		t.Errorf("penalties got %d", got)
	}
	b.end()
}

// Wrong segments and matches do not recompute here: they are kept for a committee.
func TestOtherFraudsAreKept(t *testing.T) {
	b := newRounds(t)
	b.pass(1)
	statement := []byte("second 7 went so")
	p := &tx.FraudProof{Kind: tx.FraudSegment, Subject: who("c1").raw(), Statement: statement, Evidence: []byte("replay it"),
		Signature: key.Sign(who("c1").private, chainName, key.KindStatement, statement)}
	b.must(b.send(who("bob"), p))
	b.refused(b.send(who("bob"), p), ErrReported)
	if b.stakeOf(who("c1")).Offences != 0 || b.event("fraud_reported") == nil {
		t.Error("punished without a judgement")
	}
	b.end()
}
