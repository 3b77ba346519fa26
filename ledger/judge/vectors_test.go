package judge_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/subnet"
)

var update = flag.Bool("update", false, "write the vectors instead of comparing them")

const vectorsFile = "../../docs/spec/vectors/judge.json"

type vectors struct {
	Schedule []scheduleVector `json:"schedule"`
	Assign   []assignVector   `json:"assign"`
	Drawn    []drawnVector    `json:"drawn"`
	Score    []scoreVector    `json:"score"`
	Quality  []qualityVector  `json:"quality"`
	Ballots  []ballotVector   `json:"ballots"`
}

type scheduleVector struct {
	EpochSeconds uint64      `json:"epoch_seconds"`
	Epoch        uint64      `json:"epoch"`
	GenesisMS    uint64      `json:"genesis_ms"`
	Times        judge.Times `json:"times"`
}

type candidateVector struct {
	Node    string          `json:"node"`
	Stake   uint64          `json:"stake"`
	Owner   string          `json:"owner"`
	Subnets []subnet.Subnet `json:"subnets,omitempty"`
}

type assignVector struct {
	Chain      string            `json:"chain"`
	Seed       string            `json:"seed"`
	Epoch      uint64            `json:"epoch"`
	N          int               `json:"n"`
	Batch      int               `json:"batch"`
	Containers []candidateVector `json:"containers"`
	Checkers   []candidateVector `json:"checkers"`
	Task       string            `json:"task"`
	Batches    []batchVector     `json:"batches"`
}

type batchVector struct {
	Containers []string `json:"containers"`
	Committee  []string `json:"committee"`
	Reserve    []string `json:"reserve"`
	Ranks      []int    `json:"ranks"` // of the committee's members
}

type drawnVector struct {
	Seed      string `json:"seed"`
	Epoch     uint64 `json:"epoch"`
	Container string `json:"container"`
	CheckPPM  uint64 `json:"check_ppm"`
	Drawn     bool   `json:"drawn"`
}

type scoreVector struct {
	Samples   uint64 `json:"samples"`
	ArrivalMS uint64 `json:"arrival_ms"`
	RTTMS     uint64 `json:"rtt_ms"`
	RPMilli   uint64 `json:"rp_milli"`
}

type qualityVector struct {
	Sample json.RawMessage `json:"sample"`
	PPM    uint32          `json:"ppm"`
}

type ballotVector struct {
	Name    string   `json:"name"`
	File    string   `json:"file"` // a proof file that holds the ballot
	Verdict []string `json:"verdicts"`
	Correct uint64   `json:"correct,string"`
	Wrong   uint64   `json:"wrong,string"`
	Bytes   string   `json:"bytes"` // the Result
}

func hexes(all []key.Node) (out []string) {
	for _, n := range all {
		out = append(out, hex.EncodeToString(n[:]))
	}
	return out
}

func described(all []judge.Candidate) (out []candidateVector) {
	for _, c := range all {
		out = append(out, candidateVector{hex.EncodeToString(c.Node[:]), c.Stake, hex.EncodeToString(c.Owner[:]), c.Subnets})
	}
	return out
}

func makeVectors(t testing.TB) vectors {
	t.Helper()
	var v vectors
	for _, x := range [][3]uint64{{900, 0, 0}, {900, 5, 1_700_000_000_000}, {15, 1000, 1_700_000_000_123}, {3600, 1, 1}} {
		v.Schedule = append(v.Schedule, scheduleVector{x[0], x[1], x[2], judge.Schedule(econ(x[0]), x[1], x[2])})
	}
	containers, checkers := candidates(5, 0), candidates(14, 100)
	checkers[2].Owner = containers[3].Owner
	p := params()
	p.Batch, p.N = 3, 1
	live(containers[0:1], "11.1.1.0/24", "2a00:1:2::/48")
	live(checkers[0:1], "2a00:1:2::/48")
	live(checkers[5:7], "11.1.1.0/24", "12.1.1.0/24")
	live(containers[4:5], "13.1.1.0/24")
	live(checkers[9:10], "14.1.1.0/24")
	a := judge.Assign(chain, seed, epoch, containers, checkers, p)
	av := assignVector{chain, hex.EncodeToString(seed[:]), epoch, p.N, p.Batch, described(containers), described(checkers), hex.EncodeToString(a.Task[:]), nil}
	for n, b := range a.Batches {
		bv := batchVector{hexes(b.Containers), hexes(b.Committee), hexes(b.Reserve), nil}
		for _, m := range b.Committee {
			bv.Ranks = append(bv.Ranks, judge.Rank(seed, uint32(n), 0, b.Committee, m))
		}
		av.Batches = append(av.Batches, bv)
	}
	v.Assign = append(v.Assign, av)
	for e := range uint64(12) {
		c := named(4)
		v.Drawn = append(v.Drawn, drawnVector{hex.EncodeToString(seed[:]), e, hex.EncodeToString(c[:]), 400_000,
			judge.Drawn(seed, e, c, judge.Params{CheckPPM: 400_000})})
	}
	for _, x := range [][3]uint64{{130_000_000, 13_000, 0}, {130_000_000, 13_321, 77}, {123_456_789, 13_500, 9_000}, {1, 13_000, 0}, {5_000_000, 2_000, 3}} {
		v.Score = append(v.Score, scoreVector{x[0], x[1], x[2], judge.Score(params(), x[0], x[1], x[2])})
	}
	for _, s := range []*proof.Sample{
		{LaunchMs: 1500, FirstFrameMs: 2500, AskedFps: 60, FpsMilli: 58_321, P50Ms: 71, P95Ms: 133, Stalls: 2, LostPpm: 6_000, Seconds: 45, CellsAsked: 5, CellsSeen: 4, Audit: proof.AuditNotHad},
		{LaunchMs: 300, AskedFps: 60, FpsMilli: 60_000, Seconds: 60},
	} {
		v.Quality = append(v.Quality, qualityVector{asJSON(t, s), judge.QualityPPM(s)})
	}
	ballot := func(name string, in judge.Input) {
		out := judge.Judge(in)
		raw, err := proof.EncodeFile(judge.BallotFile(chain, in, out.Bytes))
		if err != nil {
			t.Fatal(err)
		}
		x := ballotVector{Name: name, File: hex.EncodeToString(raw), Bytes: hex.EncodeToString(out.Bytes), Correct: out.Correct, Wrong: out.Wrong}
		for _, e := range out.Entries {
			x.Verdict = append(x.Verdict, proof.VerdictName(e.Verdict))
		}
		v.Ballots = append(v.Ballots, x)
	}
	measured := ok(1, 2, 13_111)
	measured.Pings, measured.Pongs = 15, 14
	measured.Quality = &proof.Sample{LaunchMs: 1500, AskedFps: 60, FpsMilli: 58_321, Seconds: 45}
	ballot("five agree", input(batch(2), five(t, findings{ok(0, 1, 13_001), measured}, findings{ok(0, 1, 13_044), measured},
		findings{ok(0, 1, 13_100), measured}, findings{ok(0, 1, 13_203), ok(1, 2, 13_300)}, findings{ok(0, 1, 13_499), ok(1, 2, 13_400)})...))
	ballot("two liars and one that was cut off", input(batch(2), five(t, findings{ok(0, 1, 13_001), absent(1)}, findings{ok(0, 1, 13_044), absent(1)},
		findings{ok(0, 1, 13_100), ok(1, 2, 13_010)}, findings{ok(0, 1, 13_203), ok(1, 2, 13_300)}, findings{absent(0), ok(1, 2, 13_400)})...))
	in := input(batch(1), five(t, findings{bad(0, 1, 5)}, findings{ok(0, 1, 13_000)}, findings{ok(0, 1, 13_000)}, findings{ok(0, 1, 13_000)})...)
	in.Proven = [][32]byte{[32]byte(fill(5, 32))}
	ballot("one with evidence against three", in)
	double := append(five(t, findings{ok(0, 1, 13_020)}, findings{ok(0, 1, 13_020)}, findings{ok(0, 1, 13_020)}), cast(t, member(2), absent(0)))
	ballot("one member votes twice", input(batch(1), double...))
	return v
}

func TestVectors(t *testing.T) {
	made, err := json.MarshalIndent(makeVectors(t), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	made = append(made, '\n')
	if *update {
		if err := os.WriteFile(vectorsFile, made, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(file, made) {
		t.Error("the vectors are not what the code makes; if the rules were meant to change, run this test with -update")
	}
	var v vectors
	if err := json.Unmarshal(file, &v); err != nil {
		t.Fatal(err)
	}
	for _, b := range v.Ballots {
		raw, err := hex.DecodeString(b.File)
		if err != nil {
			t.Fatal(err)
		}
		f, err := proof.ParseFile(raw)
		if err != nil {
			t.Fatalf("%s: %v", b.Name, err)
		}
		if out, err := judge.Recount(f); err != nil || hex.EncodeToString(out.Bytes) != b.Bytes {
			t.Errorf("%s: %v", b.Name, err)
		}
	}
}
