package judge_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/proof"
)

func econ(seconds uint64) judge.Params {
	p := economics.DefaultParams()
	p.EpochSeconds = seconds
	return judge.From(p)
}

func e64() judge.Params { return econ(1<<64 - 1) }

// five casts what each member finds; nil stays away.
func five(t testing.TB, findings ...[]*proof.Finding) (votes []*proof.Opened) {
	t.Helper()
	for place, f := range findings {
		if f != nil {
			votes = append(votes, cast(t, member(place), f...))
		}
	}
	return votes
}

type findings = []*proof.Finding

// decided is what a test expects of a batch of one container.
type decided struct {
	verdict        uint32
	reason         proof.Reason
	correct, wrong uint64
}

func TestVerdicts(t *testing.T) {
	late := func(arrival uint32) *proof.Finding {
		f := ok(0, 1, arrival)
		f.Verdict = proof.VerdictLate
		return f
	}
	busy := func(commit byte) *proof.Finding {
		return &proof.Finding{Verdict: proof.VerdictBusy, Commit: fill(commit, 32)}
	}
	refused := func(r proof.Reason) *proof.Finding {
		return &proof.Finding{Verdict: proof.VerdictRefused, Reason: uint32(r)}
	}
	samples := func(n uint64) *proof.Finding {
		f := ok(0, 1, 13_020)
		f.Samples = n
		return f
	}
	unchecked := ok(0, 1, 13_020)
	unchecked.Work, unchecked.Tiles = nil, 0
	good := ok(0, 1, 13_020)
	for name, x := range map[string]struct {
		votes []findings
		want  decided
	}{
		"all find it well":               {[]findings{{good}, {good}, {good}, {good}, {good}}, decided{1, 0, 0b11111, 0}},
		"three of five":                  {[]findings{{good}, nil, {good}, nil, {good}}, decided{1, 0, 0b10101, 0}},
		"two are too few":                {[]findings{{good}, nil, nil, nil, {good}}, decided{0, proof.ReasonTooFew, 0, 0}},
		"nobody votes":                   {nil, decided{0, proof.ReasonTooFew, 0, 0}},
		"two against two":                {[]findings{{good}, {good}, {absent(0)}, {absent(0)}}, decided{0, proof.ReasonNoQuorum, 0, 0}},
		"one did not get the commit":     {[]findings{{good}, {good}, {good}, {good}, {absent(0)}}, decided{1, 0, 0b01111, 0}},
		"two invent downtime":            {[]findings{{good}, {good}, {good}, {absent(0)}, {absent(0)}}, decided{1, 0, 0b00111, 0}},
		"absent":                         {[]findings{{absent(0)}, {absent(0)}, {absent(0)}, {good}, {good}}, decided{4, proof.ReasonAbsent, 0b00111, 0}},
		"a commit of its own for two":    {[]findings{{good}, {good}, {good}, {ok(0, 2, 13_020)}, {ok(0, 2, 13_020)}}, decided{1, 0, 0b00111, 0}},
		"three commits":                  {[]findings{{good}, {good}, {ok(0, 2, 13_020)}, {ok(0, 2, 13_020)}, {ok(0, 3, 13_020)}}, decided{0, proof.ReasonNoQuorum, 0, 0}},
		"samples that the commit is not": {[]findings{{good}, {good}, {good}, {samples(5)}, {samples(6)}}, decided{1, 0, 0b00111, 0b11000}},
		"samples on which nobody agrees": {[]findings{{good}, {good}, {samples(5)}, {samples(6)}}, decided{0, proof.ReasonNoQuorum, 0, 0}},
		"late, by their own clocks":      {[]findings{{late(13_501)}, {ok(0, 1, 13_501)}, {late(14_000)}, {good}, {good}}, decided{2, proof.ReasonLate, 0b00111, 0}},
		"late, and said to be in time":   {[]findings{{late(13_500)}, {late(13_400)}, {late(13_300)}, {good}, {good}}, decided{0, proof.ReasonNoQuorum, 0, 0}},
		"bad by three":                   {[]findings{{bad(0, 1, 5)}, {bad(0, 1, 4)}, {bad(0, 1, 6)}, {good}, {good}}, decided{3, proof.ReasonTile, 0b00111, 0}},
		"bad by one is a rumour":         {[]findings{{bad(0, 1, 5)}, {good}, {good}, {good}, {good}}, decided{1, 0, 0b11110, 0}},
		"busy":                           {[]findings{{busy(1)}, {busy(1)}, {busy(1)}, {absent(0)}, {good}}, decided{5, proof.ReasonBusy, 0b00111, 0}},
		"busy with two stories":          {[]findings{{busy(1)}, {busy(1)}, {busy(2)}, {busy(2)}}, decided{0, proof.ReasonNoQuorum, 0, 0}},
		"refused, for most reasons": {[]findings{{refused(proof.ReasonForeign)}, {refused(proof.ReasonKernel)}, {refused(proof.ReasonKernel)}, {refused(0)}},
			decided{6, proof.ReasonKernel, 0b01111, 0}},
		"refused without a reason": {[]findings{{refused(0)}, {refused(0)}, {refused(0)}}, decided{6, proof.ReasonMalformed, 0b00111, 0}},
		"another container only":   {[]findings{{good}, {good}, {good}, {absent(1)}}, decided{1, 0, 0b00111, 0}},
	} {
		out := judge.Judge(input(batch(1), five(t, x.votes...)...))
		e := out.Entries[0]
		if got := (decided{e.Verdict, e.Reason, out.Correct, out.Wrong}); got != x.want {
			t.Errorf("%s: %+v, want %+v", name, got, x.want)
		}
		if r, err := proof.DecodeResult(out.Bytes); err != nil || r.Correct != out.Correct {
			t.Errorf("%s: the result is none: %v", name, err)
		}
		if (e.Verdict == proof.VerdictOK) != (e.RPMilli > 0) || out.Settled() != (e.Verdict != 0) {
			t.Errorf("%s: %v", name, e)
		}
	}

	// Where the lot asked for a check, ok without one does not count; elsewhere it does.
	for e := uint64(0); e < 100; e++ {
		drawn := judge.Drawn(seed, e, batch(1).Containers[0], params())
		in := input(batch(1))
		in.Epoch = e
		for place := range 3 {
			in.Votes = append(in.Votes, castVote(t, member(place), &proof.Vote{Epoch: e, Batch: number, Salt: fill(1, 32), Findings: findings{unchecked}}))
		}
		if got := judge.Judge(in).Entries[0].Verdict == proof.VerdictOK; got == drawn {
			t.Fatalf("epoch %d: drawn %v, ok without a check counts: %v", e, drawn, got)
		}
	}
}

func TestOnlyVotesOnTheQuestionByMembersCount(t *testing.T) {
	good := ok(0, 1, 13_020)
	three := five(t, findings{good}, findings{good}, findings{good})
	plain := judge.Judge(input(batch(1), three...))
	vote := func(e uint64, n, attempt uint32) *proof.Opened {
		return castVote(t, member(3), &proof.Vote{Epoch: e, Batch: n, Attempt: attempt, Salt: fill(1, 32), Findings: findings{absent(0)}})
	}
	draft, err := proof.Sign(chain, member(4), &proof.Statement{Says: &proof.Statement_Nonce{Nonce: &proof.Nonce{Epoch: epoch, Nonce: fill(1, 32)}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, more := range map[string]*proof.Opened{
		"a stranger's": cast(t, testKey(1), good), "of another epoch": vote(epoch+1, number, 0), "on another batch": vote(epoch, number+1, 0),
		"of the reserve": vote(epoch, number, 1), "another statement": draft, "nothing": nil, "the same again": three[0],
	} {
		if out := judge.Judge(input(batch(1), append(three, more)...)); !bytes.Equal(out.Bytes, plain.Bytes) {
			t.Errorf("%s changes the result", name)
		}
	}
	in := input(batch(1), three...)
	in.Attempt = 1
	if out := judge.Judge(in); out.Settled() {
		t.Error("the committee's votes settle the reserve's attempt")
	}
}

func TestTwoVotesOfOneMemberAreEvidenceAndCountNothing(t *testing.T) {
	good := ok(0, 1, 13_020)
	votes := five(t, findings{good}, findings{good}, findings{good}, findings{absent(0)})
	votes = append(votes, cast(t, member(0), absent(0)))
	out := judge.Judge(input(batch(1), votes...))
	if e := out.Entries[0]; e.Verdict != proof.VerdictNone || out.Wrong != 0b1 || out.Correct != 0 {
		t.Errorf("%v, correct %b, wrong %b", e, out.Correct, out.Wrong)
	}
	if len(out.Doubles) != 1 {
		t.Fatalf("%d doubles", len(out.Doubles))
	}
	f, err := proof.PairFraud(out.Doubles[0].A, out.Doubles[0].B)
	if err != nil {
		t.Fatal(err)
	}
	c, err := proof.Check(proof.Rules{Chain: chain}, f)
	if err != nil || c.Guilty != node(member(0)) || c.Reason != proof.ReasonTwoVotes {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestEvidenceThatConvictsOutweighsAllVotes(t *testing.T) {
	good := ok(0, 1, 13_020)
	votes := five(t, findings{bad(0, 1, 5)}, findings{good}, findings{good}, findings{good}, findings{ok(0, 2, 13_020)})
	in := input(batch(1), votes...)
	in.Proven = [][32]byte{[32]byte(fill(5, 32))}
	out := judge.Judge(in)
	e := out.Entries[0]
	if e.Verdict != proof.VerdictBad || !e.Evidence.Names([32]byte(fill(5, 32))) || e.Reason != proof.ReasonTile || e.RPMilli != 0 {
		t.Errorf("%v", e)
	}
	// Those whose picks of that commit were right did their work; nobody is to blame.
	if out.Correct != 0b01111 || out.Wrong != 0 {
		t.Errorf("correct %b, wrong %b", out.Correct, out.Wrong)
	}
	in.Proven[0][0] ^= 1
	if e := judge.Judge(in).Entries[0]; e.Verdict != proof.VerdictOK {
		t.Errorf("other evidence: %v", e)
	}
}

// A member that agrees that a container is bad cannot put its own junk in the place of the
// evidence, on which an appeal rests.
func TestEvidenceIsWhatMostName(t *testing.T) {
	for want, named := range map[byte][3]byte{7: {7, 1, 7}, 2: {9, 2, 5}} {
		votes := five(t, findings{bad(0, 1, named[0])}, findings{bad(0, 1, named[1])}, findings{bad(0, 1, named[2])}, nil, nil)
		e := judge.Judge(input(batch(1), votes...)).Entries[0]
		if e.Verdict != proof.VerdictBad || !e.Evidence.Names([32]byte(fill(want, 32))) {
			t.Errorf("of %v: %v", named, e)
		}
	}
}

// Those who name the evidence of an accusation are in the result, and nobody else: others agree
// by other evidence, or found nothing.
func TestWhoFoundItIsNamed(t *testing.T) {
	segment := func(evidence byte) *proof.Finding {
		f := bad(0, 1, evidence)
		f.Reason = uint32(proof.ReasonSegment)
		return f
	}
	votes := five(t, findings{segment(7)}, findings{ok(0, 1, 13_020)}, findings{segment(3)}, findings{segment(7)})
	if e := judge.Judge(input(batch(1), votes...)).Entries[0]; !e.Accuses() || e.Found != 0b1001 {
		t.Errorf("%v", e)
	}
	votes = five(t, findings{bad(0, 1, 7)}, findings{bad(0, 1, 7)}, findings{bad(0, 1, 7)})
	if e := judge.Judge(input(batch(1), votes...)).Entries[0]; e.Verdict != proof.VerdictBad || e.Found != 0 {
		t.Errorf("a wrong tile, which everybody recomputes: %v", e)
	}
}

// Whatever liars name as evidence, a batch comes to a result that can be attested.
func TestNoEvidenceStopsABatch(t *testing.T) {
	votes := five(t, findings{bad(0, 1, 7)}, findings{bad(0, 1, 0)}, findings{bad(0, 1, 9)}, nil, nil)
	out := judge.Judge(input(batch(1), votes...))
	if r, err := proof.DecodeResult(out.Bytes); err != nil || r.Entries[0].Verdict != proof.VerdictBad || !r.Entries[0].Evidence.IsZero() {
		t.Errorf("%+v, %v", out.Entries, err)
	}
}

func TestARefutedVoteCountsNothingAndIsWrong(t *testing.T) {
	good := ok(0, 1, 13_020)
	votes := five(t, findings{good}, findings{good}, findings{good}, findings{good})
	in := input(batch(1), votes...)
	in.Refuted = [][32]byte{votes[1].Digest}
	out := judge.Judge(in)
	if out.Entries[0].Verdict != proof.VerdictOK || out.Correct != 0b1101 || out.Wrong != 0b10 {
		t.Errorf("%v, correct %b, wrong %b", out.Entries[0], out.Correct, out.Wrong)
	}
}

func TestMeasurementsAreMedians(t *testing.T) {
	with := func(place int, pings, pongs uint32, s *proof.Sample, arrival uint32) findings {
		f := ok(0, 1, arrival)
		f.Pings, f.Pongs, f.Quality = pings, pongs, s
		return findings{f}
	}
	fine := &proof.Sample{LaunchMs: 300, Seconds: 30, AskedFps: 60, FpsMilli: 60_000}
	half := &proof.Sample{LaunchMs: 300, Seconds: 30, AskedFps: 60, FpsMilli: 30_000}
	out := judge.Judge(input(batch(1), five(t, with(0, 15, 15, fine, 13_020), with(1, 15, 14, half, 13_120), with(2, 15, 15, half, 13_220),
		with(3, 15, 0, nil, 13_320), with(4, 0, 0, nil, 13_420))...))
	e := out.Entries[0]
	if e.OfflinePPM != 0 { // the lower one of 0, 0, 66,666 and 1,000,000
		t.Errorf("offline %d ppm", e.OfflinePPM)
	}
	if e.QualityPPM != 500_000 {
		t.Errorf("quality %d ppm", e.QualityPPM)
	}
	// The third of five arrivals, less half of 40 ms: 10.2 s for 100 million samples.
	if want := judge.Score(params(), 100_000_000, 13_200, 0); e.RPMilli != want {
		t.Errorf("%d milli-RP, want %d", e.RPMilli, want)
	}
	// Who invents downtime is not paid; who did not measure is.
	if out.Correct != 0b10111 || out.Wrong != 0 {
		t.Errorf("correct %b, wrong %b", out.Correct, out.Wrong)
	}

	// One sample of three that a quorum needs: two thirds are neutral.
	out = judge.Judge(input(batch(1), five(t, with(0, 15, 0, half, 13_020), with(1, 15, 0, nil, 13_020), with(2, 15, 3, nil, 13_020))...))
	if e := out.Entries[0]; e.QualityPPM != (500_000+2*950_000)/3 || e.OfflinePPM != 1_000_000 {
		t.Errorf("%v", e)
	}
}

func TestDowntimeNeedsAQuorumOfMeasurements(t *testing.T) {
	gone := func(pings uint32) findings {
		f := ok(0, 1, 13_020)
		f.Pings = pings
		return findings{f}
	}
	for name, x := range map[string]struct {
		votes []findings
		want  uint32
	}{
		"two of three measured":   {[]findings{gone(15), gone(15), gone(0)}, 0},
		"three of three measured": {[]findings{gone(15), gone(15), gone(1)}, 1_000_000},
	} {
		if e := judge.Judge(input(batch(1), five(t, x.votes...)...)).Entries[0]; e.OfflinePPM != x.want {
			t.Errorf("%s: %d ppm offline, want %d", name, e.OfflinePPM, x.want)
		}
	}
}

// TestTwoQuorumsAreNone: a committee larger than 2N + 1 cannot be drawn, but a file can say
// there was one.
func TestTwoQuorumsAreNone(t *testing.T) {
	in := input(batch(1), five(t, findings{ok(0, 1, 13_020)}, findings{ok(0, 1, 13_020)}, findings{absent(0)}, findings{absent(0)})...)
	in.Params.N = 1
	if e := judge.Judge(in).Entries[0]; e.Verdict != proof.VerdictNone || e.Reason != proof.ReasonNoQuorum {
		t.Errorf("%v", e)
	}
}

func TestScore(t *testing.T) {
	p := params() // 3 s, 10 s and 0.5 s; 10 million samples a second are 100 RP
	for _, x := range []struct{ samples, arrival, rtt, want uint64 }{
		{130_000_000, 13_000, 0, 100_000},
		{130_000_000, 13_000, 200, 100_000},   // never less than the window
		{130_000_000, 1_000, 0, 100_000},      // a burst gains nothing
		{130_000_000, 13_100, 200, 100_000},   // half of the round trip is the way
		{130_000_000, 13_500, 0, 96_296},      // all of the grace used
		{130_000_000, 13_500, 60_000, 98_113}, // an invented round trip gains at most grace/2
		{0, 13_000, 0, 0},
		{1, 13_000, 0, 0},
		{1 << 53, 13_000, 0, 6_928_614_811_339},
	} {
		if got := judge.Score(p, x.samples, x.arrival, x.rtt); got != x.want {
			t.Errorf("%d samples in %d ms, %d ms round trip: %d milli-RP, want %d", x.samples, x.arrival, x.rtt, got, x.want)
		}
	}
	if got := judge.Score(judge.Params{}, 1<<63, 0, 0); got != 1<<64-1 {
		t.Errorf("where numbers end: %d", got)
	}
}

// TestAHeadStartGainsLittle compares a container that renders from the first moment of an
// epoch with one that learns of the task some time later, on the same device.
func TestAHeadStartGainsLittle(t *testing.T) {
	const rate = 10_000 // samples in a ms
	for _, x := range []struct {
		seconds, later, most uint64 // ms, and percent of the other's score
	}{
		{900, 2_000, 119},
		{900, 1_000, 109},
		{900, 3_000, 131}, // all of the time that there is for it
		{3600, 2_000, 119},
		{20, 800, 122},
		{20, 2_000, 181},
		{20, 2_500, 226}, // all of it
	} {
		p := econ(x.seconds)
		s := judge.Schedule(p, 3, 0)
		if s.T0 != s.Start {
			t.Errorf("epochs of %d s: rendering is measured from %d ms after the task can be known", x.seconds, s.T0-s.Start)
		}
		first := judge.Score(p, rate*s.DurMS, s.DurMS, 0)
		second := judge.Score(p, rate*(s.DurMS-x.later), s.DurMS, 0)
		if first*100 > second*x.most {
			t.Errorf("epochs of %d s: %d milli-RP from the beginning, %d after %d ms", x.seconds, first, second, x.later)
		}
		if first > 100_000 {
			t.Errorf("epochs of %d s: a device of 100 RP shows %d milli-RP", x.seconds, first)
		}
	}
}

func TestWhoIsChecked(t *testing.T) {
	p := params()
	c := batch(1).Containers[0]
	drawn := 0
	for e := range uint64(10_000) {
		if judge.Drawn(seed, e, c, p) {
			drawn++
			if !judge.Checked(seed, e, c, p, judge.Standing{Rounds: 8, MedianMilli: 1}) {
				t.Fatal("drawn and not checked")
			}
		}
		if !judge.Checked(seed, e, c, p, judge.Standing{}) {
			t.Fatal("a newcomer is not checked")
		}
	}
	if drawn < 850 || drawn > 1150 { // five deviations around a tenth
		t.Errorf("drawn %d times of 10000 where a tenth should be", drawn)
	}
	s := judge.Standing{Rounds: 8, MedianMilli: 100_000}
	if judge.Outlier(120_000, s, p) || !judge.Outlier(120_001, s, p) || !judge.Outlier(1, judge.Standing{}, p) {
		t.Error("an outlier is what passes 1.2 times the median, or a newcomer")
	}
}

func TestQuality(t *testing.T) {
	for name, x := range map[string]struct {
		s    *proof.Sample
		want uint32
	}{
		"nothing measured":   {&proof.Sample{}, 1_000_000},
		"as good as asked":   {&proof.Sample{LaunchMs: 900, FirstFrameMs: 1900, AskedFps: 60, FpsMilli: 61_000, P50Ms: 40, P95Ms: 90, Seconds: 60, CellsAsked: 3, CellsSeen: 3, Audit: proof.AuditEqual}, 1_000_000},
		"half the frames":    {&proof.Sample{AskedFps: 60, FpsMilli: 30_000}, 500_000},
		"a slow launch":      {&proof.Sample{LaunchMs: 5_500}, 500_000},
		"no launch":          {&proof.Sample{LaunchMs: 60_000}, 1},
		"15 stalls a minute": {&proof.Sample{Seconds: 30, Stalls: 8}, 466_666},
		"lost packets":       {&proof.Sample{LostPpm: 52_500}, 500_000},
		"latency":            {&proof.Sample{P50Ms: 155, P95Ms: 310}, 250_000},
		"half the cells":     {&proof.Sample{CellsAsked: 4, CellsSeen: 2}, 500_000},
		"a wrong replay":     {&proof.Sample{Audit: proof.AuditWrong}, 1},
		"no replay":          {&proof.Sample{Audit: proof.AuditNotHad}, 500_000},
	} {
		if got := judge.QualityPPM(x.s); got != x.want {
			t.Errorf("%s: %d ppm, want %d", name, got, x.want)
		}
	}
}

func TestABallotInAFileIsCountedAgain(t *testing.T) {
	good := ok(0, 1, 13_020)
	votes := five(t, findings{good}, findings{good}, findings{good}, findings{bad(0, 1, 5)})
	in := input(batch(2), votes...)
	in.Proven = [][32]byte{{1}}
	out := judge.Judge(in)
	b, err := proof.EncodeFile(judge.BallotFile(chain, in, out.Bytes))
	if err != nil {
		t.Fatal(err)
	}
	f, err := proof.ParseFile(b)
	if err != nil {
		t.Fatal(err)
	}
	again, err := judge.Recount(f)
	if err != nil || !bytes.Equal(again.Bytes, out.Bytes) {
		t.Fatalf("%v", err)
	}
	f.GetBallot().Proven[0] = fill(5, 32)
	if _, err := judge.Recount(f); !errors.Is(err, judge.ErrRecount) {
		t.Errorf("with other evidence: %v", err)
	}
	f.Chain = "test-2"
	if _, err := judge.Recount(f); !errors.Is(err, proof.ErrSignature) {
		t.Errorf("on another network: %v", err)
	}
	if _, err := judge.Recount(&proof.File{}); !errors.Is(err, proof.ErrUnknown) {
		t.Errorf("an empty file: %v", err)
	}
}

func BenchmarkJudge(b *testing.B) {
	var votes []*proof.Opened
	for place := range 5 {
		var all findings
		for i := range 16 {
			all = append(all, ok(i, byte(i+1), 13_020))
		}
		votes = append(votes, cast(b, member(place), all...))
	}
	in := input(batch(16), votes...)
	for b.Loop() {
		if !judge.Judge(in).Settled() {
			b.Fatal("nothing settled")
		}
	}
}
