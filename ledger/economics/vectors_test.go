package economics_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/economics"
)

var update = flag.Bool("update", false, "write the golden vectors anew")

// vector is one call: integers in, integers out, all as decimal strings.
type vector struct {
	Rule string   `json:"rule"`
	In   []string `json:"in"`
	Out  []string `json:"out"`
}

// TestVectors checks docs/spec/vectors/economics.json, which other implementations read.
func TestVectors(t *testing.T) {
	var all []vector
	add := func(rule string, in []uint64, out ...uint64) {
		all = append(all, vector{rule, decimals(in), decimals(out)})
	}
	p := economics.DefaultParams()
	edges := []uint64{0, 1, 3, 99, 1_000_007, 277_778 * 3_600, 2_996_575_342_465, uint64(amount.Supply), 1<<64 - 1}

	for _, pool := range economics.EmittingPools() {
		allocation := map[economics.Pool]uint64{
			economics.PoolEdge: edge, economics.PoolEnterprise: enterprise,
			economics.PoolCheckerBase: base, economics.PoolCheckerBonus: bonus,
		}[pool]
		for _, a := range []uint64{allocation, 1_000_003} {
			for _, n := range []uint64{0, 1, 2, 8_759, 8_760, 35_039, 35_040, 35_041, 140_159, 140_160, 350_399, 350_400, 1 << 40} {
				add("emitted/"+pool.String(), []uint64{a, n}, p.Emitted(pool, a, n))
			}
		}
	}
	for _, v := range edges {
		take := p.SplitTake(v)
		add("take", []uint64{v}, take.Indexers, take.Grants, take.Rest)
		s := p.Settle(v)
		add("settle", []uint64{v}, s.Host, s.Fee, s.DAO, s.Burned, s.Indexers)
		lots := p.RewardLots(v)
		add("reward_lots", []uint64{v}, lots[0].Amount, lots[1].Amount, lots[2].Amount)
		f := p.SplitSlash(v, v)
		add("slash", []uint64{v}, f.Bonus, f.Victim, f.Burned)
		f = p.SplitSlash(v, 0)
		add("slash_without_victim", []uint64{v}, f.Bonus, f.Victim, f.Burned)
		node, owner := economics.Cut(v, 123_456)
		add("cut_123456_ppm", []uint64{v}, node, owner)
	}
	for _, c := range [][3]uint64{{100_000, 0, 1_200_000}, {130_000, 100_000, 1_200_000}, {90_000, 100_000, 1_200_000}, {1 << 40, 0, 1_200_000}, {9, 1, 1_000_000}} {
		add("cap_round", c[:], economics.CapRound(c[0], c[1], c[2]))
	}
	for _, rounds := range [][]uint64{{7}, {9, 3}, {9, 3, 5}, {8, 1, 7, 2, 6, 3, 5, 4}} {
		add("median_round", rounds, economics.MedianRound(rounds))
	}
	for _, c := range [][2]uint64{{950_000, 0}, {950_000, 1_000_000}, {800_000, 1}, {1_000_000, 2_000_000}} {
		add("smooth_quality", c[:], economics.SmoothQuality(c[0], c[1]))
	}
	for _, c := range [][2]uint64{{900, 1_000_000}, {900, 999_999}, {10, 0}} {
		add("online_seconds", c[:], economics.OnlineSeconds(c[0], c[1]))
	}
	for _, c := range [][2]uint64{{0, 5}, {1, 1}, {500_000, 2_000_000_000}, {3_600_000_000, 2_000_000_000}, {3_600_000_001, 1}, {999_999_999_999, 123_456_789}} {
		v, err := economics.PricePerSecond(c[0], c[1])
		if err != nil {
			t.Fatal(err)
		}
		add("price_per_second", c[:], v)
	}
	for _, c := range [][4]uint64{{100, 10, 30, 9}, {100, 10, 30, 11}, {100, 10, 30, 40}, {100, 10, 0, 10}, {1<<64 - 1, 0, 1 << 63, 1<<63 - 1}} {
		add("cliff_linear", c[:], economics.CliffLinear(c[0], c[1], c[2], c[3]))
	}
	for _, c := range [][3]uint64{{1_000, 3, 7}, {1_000, 0, 7}, {1_000, 7, 7}, {1_000, 1, 0}, {1<<64 - 1, 1<<40 - 1, 1<<40 + 1}} {
		add("payout", c[:], economics.Payout(c[0], c[1], c[2]))
	}
	for _, c := range [][2]uint64{{10_000, 0}, {10_000, 1}, {10_000, 2}, {9_999, 3_333}, {1<<64 - 1, 10_000}} {
		capacity, work := economics.SplitPool(c[0], c[1])
		add("split_pool", c[:], capacity, work)
	}
	for _, c := range [][5]uint64{{150_000, 900, 1_000_000, 400, 400}, {150_000, 777, 987_654, 444, 400}, {123_457, 900, 333_333, 1_000, 400}, {1, 1, 1, 1, 1}} {
		add("capacity_weight", c[:], economics.CapacityWeight(economics.Readiness{
			RPMilli: c[0], OnlineSeconds: c[1], QualityPPM: c[2], Stake: c[3], Required: c[4]}))
	}
	for _, c := range [][3]uint64{{133_422_000_000, 6_671_100_000_000, 50_000_000}, {20_000_000_000, 0, 50_000_000}, {13_342_200_004, 0, 50_000_000}, {1_200_000_000_000, 1<<64 - 1, 1}, {133_422_000_000, 1, 0}, {133_422_000_000, 1_000_000_000_007, 7_654_321}} {
		add("coefficient", c[:], p.Coefficient(c[0], c[1], c[2]))
	}
	for _, c := range [][2]uint64{{133_422_000_000, 0}, {133_422_000_000, 45_123}, {133_422_000_000, 50_000_000}, {13_342_200_000, 1 << 33}, {7, 99_999}} {
		add("scale_and_requirement", c[:], economics.Scale(c[1]), economics.Requirement(c[0], economics.Scale(c[1])))
	}
	for _, v := range []uint64{0, 2_999_999_999, 3_000_000_000, 3_000_000_003, uint64(amount.Supply)} {
		paid, forfeited, ok := economics.EarlyExit(v)
		add("early_exit", []uint64{v}, paid, forfeited, map[bool]uint64{true: 1}[ok])
	}
	for _, c := range [][2]uint64{{0, 0}, {1, 4_320}, {96, 4_320}, {97, 4_320}, {7, 17_280}} {
		add("matures", c[:], p.Matures(c[0], c[1]))
	}

	var raw bytes.Buffer
	raw.WriteString("[\n")
	for i, v := range all {
		line, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		raw.Write(line)
		if i < len(all)-1 {
			raw.WriteByte(',')
		}
		raw.WriteByte('\n')
	}
	raw.WriteString("]\n")
	path := filepath.FromSlash("../../docs/spec/vectors/economics.json")
	if *update {
		if err := os.WriteFile(path, raw.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(raw.Bytes(), want) {
		t.Errorf("the rules no longer give what %s says", path)
	}
}

func decimals(vs []uint64) []string {
	out := make([]string, len(vs))
	for i, v := range vs {
		out[i] = strconv.FormatUint(v, 10)
	}
	return out
}
