package judge_test

import (
	"bytes"
	"encoding/hex"
	"math/bits"
	"reflect"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/proof"
)

// digests are drawn from a few, so that findings meet.
func drawDigest(t *rapid.T, label string) []byte {
	return fill(rapid.ByteRange(1, 4).Draw(t, label), 32)
}

// anyFinding is what a liar may say: everything that has the form of a finding.
func anyFinding(t *rapid.T, place int) *proof.Finding {
	f := &proof.Finding{Container: uint32(place), Verdict: rapid.Uint32Range(1, 6).Draw(t, "verdict"),
		ArrivalMs: rapid.OneOf(rapid.Uint32Range(12_000, 15_000), rapid.Uint32Range(0, proof.MaxTimeMS)).Draw(t, "arrival"),
		RttMs:     rapid.Uint32Range(0, 2000).Draw(t, "rtt"), Pings: rapid.Uint32Range(0, 20).Draw(t, "pings")}
	f.Pongs = rapid.Uint32Range(0, f.Pings).Draw(t, "pongs")
	if rapid.Bool().Draw(t, "misses it") {
		f.Dropped = fill(rapid.ByteRange(1, 3).Draw(t, "session"), proof.SessionSize)
	}
	if rapid.Bool().Draw(t, "sampled") {
		f.Quality = &proof.Sample{AskedFps: 60, FpsMilli: rapid.Uint32Range(0, 60_000).Draw(t, "fps"), Seconds: 30}
	}
	switch f.Verdict {
	case proof.VerdictOK, proof.VerdictLate, proof.VerdictBad:
		f.Commit, f.Samples = drawDigest(t, "commit"), rapid.OneOf(rapid.Just[uint64](100_000_000), rapid.Uint64Range(1, proof.MaxSamples)).Draw(t, "samples")
		if rapid.Bool().Draw(t, "worked") {
			f.Work, f.Tiles = fill(9, 32), rapid.Uint32Range(1, proof.MaxTiles).Draw(t, "tiles")
		}
	case proof.VerdictBusy:
		f.Commit = drawDigest(t, "commit")
	}
	if f.Verdict == proof.VerdictBad {
		f.Evidence = drawDigest(t, "evidence")
	}
	return f
}

// liar votes anything on any of the containers.
func liar(t *rapid.T, tb testing.TB, place, containers int) []*proof.Opened {
	var votes []*proof.Opened
	for range rapid.IntRange(0, 2).Draw(t, "votes") {
		var all findings
		for i := range containers {
			if rapid.IntRange(0, 9).Draw(t, "says") > 0 {
				all = append(all, anyFinding(t, i))
			}
		}
		if len(all) > 0 {
			votes = append(votes, cast(tb, member(place), all...))
		}
	}
	return votes
}

// truth is what really happened to a container: what honest members found of it.
type truth struct {
	kind    uint32 // a verdict
	commit  byte
	samples uint64
}

func drawTruth(t *rapid.T) truth {
	return truth{rapid.SampledFrom([]uint32{proof.VerdictOK, proof.VerdictAbsent, proof.VerdictBusy, proof.VerdictBad}).Draw(t, "truth"),
		rapid.ByteRange(1, 4).Draw(t, "true commit"), rapid.Uint64Range(1_000_000, 1<<40).Draw(t, "true samples")}
}

// found is what an honest member measures of it.
func (x truth) found(t *rapid.T, place int) *proof.Finding {
	f := &proof.Finding{Container: uint32(place), Verdict: x.kind, Pings: 15, Pongs: 15}
	switch x.kind {
	case proof.VerdictOK, proof.VerdictBad:
		f.Commit, f.Samples = fill(x.commit, 32), x.samples
		f.ArrivalMs, f.RttMs = rapid.Uint32Range(12_900, 13_500).Draw(t, "arrival"), rapid.Uint32Range(0, 400).Draw(t, "rtt")
		f.Work, f.Tiles = fill(9, 32), uint32(params().K)
	case proof.VerdictBusy:
		f.Commit = fill(x.commit, 32)
	}
	if x.kind == proof.VerdictBad {
		f.Evidence = fill(byte(0x80+place), 32)
	}
	return f
}

// TestNLiarsChangeNothing: whatever N of 2N + 1 members say, with N + 1 honest ones that
// agree, each verdict is theirs, the score lies within what they measured, and none of them
// is unpaid or wrong.
func TestNLiarsChangeNothing(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		containers := rapid.IntRange(1, 4).Draw(r, "containers")
		var truths []truth
		for range containers {
			truths = append(truths, drawTruth(r))
		}
		members := rapid.Permutation([]int{0, 1, 2, 3, 4}).Draw(r, "members")
		honest, liars := members[:3], members[3:]
		var votes []*proof.Opened
		said := make([][]*proof.Finding, containers)
		for _, place := range honest {
			var all findings
			for i, x := range truths {
				f := x.found(r, i)
				said[i], all = append(said[i], f), append(all, f)
			}
			votes = append(votes, cast(t, member(place), all...))
		}
		for _, place := range liars {
			votes = append(votes, liar(r, t, place, containers)...)
		}
		out := judge.Judge(input(batch(containers), votes...))
		for i, x := range truths {
			e := out.Entries[i]
			if e.Verdict != x.kind {
				r.Fatalf("container %d is %s, found %s", i, proof.VerdictName(x.kind), proof.VerdictName(e.Verdict))
			}
			if e.Dropped != nil {
				r.Fatalf("container %d went from %x, says nobody who is honest", i, e.Dropped)
			}
			if x.kind == proof.VerdictBad && !slices.ContainsFunc(said[i], func(f *proof.Finding) bool { return bytes.Compare(e.Evidence[:], f.GetEvidence()) <= 0 }) {
				r.Fatal("evidence is none that anybody named")
			}
			if x.kind != proof.VerdictOK {
				continue
			}
			least, most := uint64(1<<63), uint64(0)
			for _, f := range said[i] {
				s := judge.Score(params(), f.GetSamples(), uint64(f.GetArrivalMs()), uint64(f.GetRttMs()))
				least, most = min(least, s), max(most, s)
			}
			if e.RPMilli < least || e.RPMilli > most {
				r.Fatalf("score %d, honest members measured %d to %d", e.RPMilli, least, most)
			}
		}
		for _, place := range honest {
			if out.Wrong>>place&1 != 0 {
				r.Fatalf("honest member %d is wrong", place)
			}
			if out.Correct>>place&1 == 0 {
				r.Fatalf("honest member %d is not paid", place)
			}
		}
	})
}

// TestHonestMembersAreNeverWrong: even where honest members see different things, since a
// container tells them different things, lies or loses its way, with at most N liars.
func TestHonestMembersAreNeverWrong(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		liars := rapid.SampledFrom([][]int{{}, {0}, {1, 4}, {2, 3}}).Draw(r, "liars")
		var samples [5]uint64 // of each commit that the container made
		for i := range samples {
			samples[i] = rapid.Uint64Range(1, 1<<40).Draw(r, "samples")
		}
		var votes []*proof.Opened
		for place := range 5 {
			if slices.Contains(liars, place) {
				votes = append(votes, liar(r, t, place, 1)...)
				continue
			}
			c := rapid.ByteRange(1, 4).Draw(r, "told")
			x := truth{rapid.SampledFrom([]uint32{proof.VerdictOK, proof.VerdictAbsent, proof.VerdictBusy, proof.VerdictBad}).Draw(r, "seen"), c, samples[c]}
			votes = append(votes, cast(t, member(place), x.found(r, 0)))
		}
		in := input(batch(1), votes...)
		if rapid.Bool().Draw(r, "proven") {
			in.Proven = [][32]byte{[32]byte(fill(0x80, 32))}
		}
		out := judge.Judge(in)
		for place := range 5 {
			if !slices.Contains(liars, place) && out.Wrong>>place&1 != 0 {
				r.Fatalf("honest member %d is wrong", place)
			}
		}
	})
}

// TestWithoutQuorumNobodyIsPunished: where nothing is decided, nobody is right or wrong,
// but for those who prove themselves wrong by two votes.
func TestWithoutQuorumNobodyIsPunished(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		containers := rapid.IntRange(1, 3).Draw(r, "containers")
		var votes []*proof.Opened
		for place := range 5 {
			votes = append(votes, liar(r, t, place, containers)...)
		}
		out := judge.Judge(input(batch(containers), votes...))
		double := uint64(0)
		for _, d := range out.Doubles {
			double |= 1 << slices.Index(batch(1).Committee, d.A.Signer)
		}
		if !out.Settled() && (out.Wrong != double || out.Correct != 0) {
			r.Fatalf("nothing is settled; correct %b, wrong %b", out.Correct, out.Wrong)
		}
		if out.Correct&out.Wrong != 0 || bits.Len64(out.Correct|out.Wrong) > 5 {
			r.Fatalf("correct %b, wrong %b", out.Correct, out.Wrong)
		}
		if out.Correct != 0 && bits.OnesCount64(out.Correct|out.Wrong) == 0 {
			r.Fatal("right about nothing")
		}
	})
}

// TestTheOrderOfVotesMakesNoDifference, and neither does one that comes twice.
func TestTheOrderOfVotesMakesNoDifference(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		containers := rapid.IntRange(1, 4).Draw(r, "containers")
		var votes []*proof.Opened
		for place := range 5 {
			votes = append(votes, liar(r, t, place, containers)...)
		}
		if len(votes) == 0 {
			return
		}
		in := input(batch(containers), votes...)
		in.Proven = [][32]byte{[32]byte(fill(1, 32)), [32]byte(fill(3, 32))}
		in.Refuted = [][32]byte{votes[0].Digest}
		want := judge.Judge(in)
		if _, err := proof.DecodeResult(want.Bytes); err != nil {
			r.Fatal("the result is none:", err)
		}
		again := in
		again.Votes = append(rapid.Permutation(votes).Draw(r, "order"), rapid.SampledFrom(votes).Draw(r, "again"))
		slices.Reverse(again.Proven)
		got := judge.Judge(again)
		if !bytes.Equal(got.Bytes, want.Bytes) || !reflect.DeepEqual(got.Result, want.Result) || len(got.Doubles) != len(want.Doubles) {
			r.Fatalf("%v\n%v", want.Result, got.Result)
		}
	})
}

// FuzzJudge: whatever votes there are, judging them ends in a result that can be encoded.
func FuzzJudge(f *testing.F) {
	for _, v := range five(f, findings{ok(0, 1, 13_020), absent(1)}, findings{bad(0, 1, 5)}, findings{absent(0)}) {
		f.Add(v.Signed.GetStatement(), v.Signed.GetStatement(), uint32(16), uint8(2))
	}
	f.Fuzz(func(t *testing.T, a, b []byte, size uint32, n uint8) {
		in := input(batch(int(size % 40)))
		in.Params.N = int(n % 12)
		for place, statement := range [][]byte{a, b, a, b, a} {
			var s proof.Statement
			if proto.Unmarshal(statement, &s) != nil || s.GetVote() == nil {
				continue
			}
			s.GetVote().Checker, s.GetVote().Epoch, s.GetVote().Batch, s.GetVote().Attempt = nil, epoch, number, 0
			if o, err := proof.Sign(chain, member(place), &s); err == nil {
				in.Votes = append(in.Votes, o)
				for _, x := range s.GetVote().GetFindings() {
					if len(x.GetEvidence()) == 32 && place == 0 {
						in.Proven = append(in.Proven, [32]byte(x.GetEvidence()))
					}
				}
			}
		}
		out := judge.Judge(in)
		if _, err := proof.DecodeResult(out.Bytes); (err == nil) != (size%40 > 0) {
			t.Fatalf("a batch of %d: %v", size%40, err)
		}
	})
}

// FuzzRecount: no ballot in a file makes counting it again panic.
func FuzzRecount(f *testing.F) {
	for _, v := range makeVectors(f).Ballots {
		raw, err := hex.DecodeString(v.File)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := proof.ParseFile(b)
		if err != nil {
			return
		}
		if out, err := judge.Recount(x); err == nil && !bytes.Equal(out.Bytes, x.GetBallot().GetResult()) {
			t.Fatal("another result is taken")
		}
	})
}
