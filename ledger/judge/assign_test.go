package judge_test

import (
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"testing"

	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/key"
)

// candidates are n nodes with stakes from 1,000 up, each of an owner of its own.
func candidates(n, from int) (all []judge.Candidate) {
	for i := range n {
		all = append(all, judge.Candidate{Node: named(from + i), Stake: 1000 + uint64(i), Owner: key.Address(named(1_000_000 + from + i))})
	}
	return all
}

func TestEveryContainerIsInOneBatchAndNobodyJudgesItsOwn(t *testing.T) {
	containers, checkers := candidates(100, 0), candidates(60, 5000)
	for i := range checkers { // half of the checkers belong to owners of containers
		if i%2 == 0 {
			checkers[i].Owner = containers[i].Owner
		}
	}
	both := containers[7] // a node may be both, and even be said to have two owners
	both.Owner = key.Address(named(77))
	checkers = append(checkers, both)
	owner := map[key.Node]key.Address{}
	for _, c := range checkers {
		owner[c.Node] = c.Owner
	}
	for s := range byte(20) {
		a := judge.Assign(chain, [32]byte{s}, epoch, containers, checkers, params())
		if len(a.Batches) != 7 || a.Epoch != epoch {
			t.Fatalf("%d batches of epoch %d", len(a.Batches), a.Epoch)
		}
		seen := map[key.Node]bool{}
		for n, b := range a.Batches {
			if len(b.Committee) != 5 || len(b.Reserve) != 5 {
				t.Fatalf("committee of %d, reserve of %d", len(b.Committee), len(b.Reserve))
			}
			members := map[key.Node]bool{}
			for _, m := range slices.Concat(b.Committee, b.Reserve) {
				if members[m] {
					t.Fatal("drawn twice")
				}
				members[m] = true
			}
			for i, c := range b.Containers {
				if seen[c] {
					t.Fatal("a container is in two batches")
				}
				seen[c] = true
				if members[c] {
					t.Fatal("a node checks itself")
				}
				if batch, at, ok := a.Of(c); !ok || batch != n || at != i {
					t.Fatalf("container %d of batch %d is said to be %d of %d", i, n, at, batch)
				}
				for m := range members {
					if owner[m] == containers[slices.IndexFunc(containers, func(x judge.Candidate) bool { return x.Node == c })].Owner {
						t.Fatal("a checker of the same owner")
					}
				}
			}
			for place, m := range b.Reserve {
				if !slices.Contains(a.Duties(m), judge.Duty{Batch: n, Attempt: 1, Place: place}) {
					t.Fatal("a member of the reserve does not know of its duty")
				}
			}
		}
		if len(seen) != len(containers) {
			t.Fatalf("%d of %d containers", len(seen), len(containers))
		}
	}
	a := judge.Assign(chain, seed, epoch, containers, checkers, params())
	if _, _, ok := a.Of(named(999)); ok || len(a.Duties(named(999))) != 0 {
		t.Error("a stranger has a place")
	}
	total := 0
	for _, c := range checkers {
		total += len(a.Duties(c.Node))
	}
	if total != 7*10 {
		t.Errorf("%d duties, want 70", total)
	}
}

func TestTheDrawIsAFunctionOfItsSeed(t *testing.T) {
	containers, checkers := candidates(40, 0), candidates(20, 5000)
	a := judge.Assign(chain, seed, epoch, containers, checkers, params())
	back := slices.Clone(containers)
	slices.Reverse(back)
	twice := append(slices.Clone(checkers), checkers[3], checkers[3])
	if b := judge.Assign(chain, seed, epoch, back, twice, params()); !reflect.DeepEqual(a, b) {
		t.Error("the order of candidates, or one twice, changes the draw")
	}
	for name, b := range map[string]*judge.Assignment{
		"seed":  judge.Assign(chain, [32]byte{8}, epoch, containers, checkers, params()),
		"epoch": judge.Assign(chain, seed, epoch+1, containers, checkers, params()),
	} {
		if reflect.DeepEqual(a.Batches, b.Batches) || a.Task == b.Task {
			t.Errorf("another %s draws the same", name)
		}
	}
	if b := judge.Assign("test-2", seed, epoch, containers, checkers, params()); b.Task == a.Task {
		t.Error("another network renders the same task")
	}
}

func TestWithFewCheckersTheReserveIsSmaller(t *testing.T) {
	for checkers, want := range map[int][2]int{0: {0, 0}, 2: {2, 0}, 5: {5, 0}, 7: {5, 2}, 10: {5, 5}, 30: {5, 5}} {
		a := judge.Assign(chain, seed, epoch, candidates(3, 0), candidates(checkers, 5000), params())
		if got := [2]int{len(a.Batches[0].Committee), len(a.Batches[0].Reserve)}; got != want {
			t.Errorf("%d checkers: %v, want %v", checkers, got, want)
		}
	}
	if a := judge.Assign(chain, seed, epoch, nil, candidates(5, 0), params()); len(a.Batches) != 0 {
		t.Error("batches without containers")
	}
}

// TestStakeIsTheChance: over four thousand seeds, the first member drawn is each checker
// as often as its stake says, within five standard deviations.
func TestStakeIsTheChance(t *testing.T) {
	checkers := candidates(4, 5000)
	stakes := []uint64{100, 200, 300, 400}
	for i := range checkers {
		checkers[i].Stake = stakes[i]
	}
	first := map[key.Node]int{}
	const rounds = 4000
	for e := range uint64(rounds) {
		first[judge.Assign(chain, seed, e, candidates(1, 0), checkers, params()).Batches[0].Committee[0]]++
	}
	for i, c := range checkers {
		want := rounds * int(stakes[i]) / 1000
		if off := first[c.Node] - want; off*off > 25*want {
			t.Errorf("stake %d is drawn first %d times of %d, want about %d", stakes[i], first[c.Node], rounds, want)
		}
	}
}

func TestStakesBeyondEverythingThereIsAreDrawnToo(t *testing.T) {
	checkers := candidates(8, 5000)
	for i := range checkers {
		checkers[i].Stake = 1<<64 - 1
	}
	checkers[0].Stake = 0
	a := judge.Assign(chain, seed, epoch, candidates(2, 0), checkers, params())
	if len(a.Batches[0].Committee) < 2 {
		t.Errorf("only %d are drawn", len(a.Batches[0].Committee))
	}
}

func TestAppealsAreJudgedByOthers(t *testing.T) {
	checkers := candidates(60, 5000)
	checkers[30].Owner = checkers[0].Owner
	accused := judge.Candidate{Node: named(1), Owner: checkers[40].Owner}
	except := append([]judge.Candidate{accused}, checkers[:5]...)
	got := judge.Appeal(seed, [32]byte{1}, checkers, except, params())
	if len(got) != 11 || params().Wider().Members() != 11 || params().Wider().Quorum() != 6 { // 4·2 + 3
		t.Fatalf("%d members", len(got))
	}
	for _, i := range []int{0, 1, 2, 3, 4, 30, 40} {
		if slices.Contains(got, checkers[i].Node) {
			t.Errorf("checker %d judges though it is involved", i)
		}
	}
	if slices.Equal(got, judge.Appeal(seed, [32]byte{2}, checkers, except, params())) {
		t.Error("two accusations have one committee")
	}
}

func TestRanksAreAnOrderOfTheMembers(t *testing.T) {
	members := batch(1).Committee
	turns := func(number, attempt uint32) (all []int) {
		for _, m := range members {
			all = append(all, judge.Rank(seed, number, attempt, members, m))
		}
		return all
	}
	got := turns(1, 0)
	if sorted := slices.Sorted(slices.Values(got)); !slices.Equal(sorted, []int{0, 1, 2, 3, 4}) {
		t.Fatalf("ranks %v", got)
	}
	if slices.Equal(got, turns(2, 0)) && slices.Equal(got, turns(3, 0)) && slices.Equal(got, turns(1, 1)) {
		t.Error("the same member drafts everywhere first")
	}
	if r := judge.Rank(seed, 1, 0, members, named(4)); r != 5 {
		t.Errorf("a stranger ranks %d", r)
	}
}

func TestScheduleRisesInEveryEpoch(t *testing.T) {
	p := params()
	got := judge.Schedule(p, 2, 1_000_000)
	want := judge.Times{
		Start: 2_800_000, T0: 2_800_000, NonceBy: 2_808_000, DurMS: 13_000, CommitBy: 2_813_500, NonceReveal: 2_814_000,
		OpeningsBy: 3_250_000, VoteBy: 3_295_000, RevealBy: 3_385_000, AttestBy: 3_475_000, ReserveOpeningsBy: 3_520_000,
		ReserveVoteBy: 3_556_000, ReserveRevealBy: 3_619_000, ReserveAttestBy: 3_700_000, End: 3_700_000,
	}
	if got != want {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	for _, seconds := range []uint64{1, 5, 10, 20, 900, 86_400} {
		e := econ(seconds)
		for _, n := range []uint64{0, 1, 1 << 30} {
			x := judge.Schedule(e, n, 77)
			moments := []uint64{x.T0, x.NonceBy, x.T0 + x.DurMS, x.CommitBy, x.NonceReveal, x.OpeningsBy, x.VoteBy, x.RevealBy, x.AttestBy,
				x.ReserveOpeningsBy, x.ReserveVoteBy, x.ReserveRevealBy, x.End}
			for i := 1; i < len(moments); i++ {
				if moments[i] <= moments[i-1] {
					t.Errorf("epochs of %d s: moment %d of %v", seconds, i, moments)
				}
			}
			if x.T0 != x.Start || x.End-x.Start != seconds*1000 || x.ReserveAttestBy != x.End {
				t.Errorf("epoch of %d ms", x.End-x.Start)
			}
			if next := judge.Schedule(e, n+1, 77); next.Start != x.End {
				t.Error("epochs do not follow each other")
			}
		}
	}
	judge.Schedule(e64(), 1<<63, 1<<63) // nothing panics where numbers end
}

func TestNumbersAreDrawnWithoutBias(t *testing.T) {
	// What is thrown away is exactly what does not fill a run: 2^64 mod n.
	for _, n := range []uint64{1, 2, 3, 10, 1 << 32, 1<<63 + 1, 1<<64 - 1} {
		want := new(big.Int).Mod(new(big.Int).Lsh(big.NewInt(1), 64), new(big.Int).SetUint64(n)).Uint64()
		if got := judge.Unfair(n); got != want {
			t.Errorf("%d: the first %d numbers are thrown away, want %d", n, got, want)
		}
	}
	for _, n := range []uint64{1, 3, 1<<63 + 1} {
		for i, v := range judge.Numbers("test", n, 200) {
			if v >= n {
				t.Fatalf("number %d of those below %d is %d", i, n, v)
			}
		}
	}
	counts := map[uint64]int{}
	for _, v := range judge.Numbers("test", 5, 5000) {
		counts[v]++
	}
	for v := range uint64(5) {
		if off := counts[v] - 1000; off*off > 25*1000 {
			t.Errorf("%d comes %d times of 5000", v, counts[v])
		}
	}
}

func BenchmarkAssign(b *testing.B) {
	containers, checkers := candidates(10_000, 0), candidates(500, 50_000)
	for b.Loop() {
		judge.Assign(chain, seed, epoch, containers, checkers, params())
	}
}

func BenchmarkDuties(b *testing.B) {
	a := judge.Assign(chain, seed, epoch, candidates(10_000, 0), candidates(500, 50_000), params())
	me := candidates(1, 50_000)[0].Node
	for b.Loop() {
		if len(a.Duties(me)) == 0 {
			b.Fatal("no duties")
		}
	}
}

func Example_batches() {
	a := judge.Assign("main", [32]byte{1}, 5, candidates(40, 0), candidates(12, 5000), params())
	for _, b := range a.Batches {
		fmt.Println(len(b.Containers), "containers,", len(b.Committee), "checkers,", len(b.Reserve), "in reserve")
	}
	// Output:
	// 16 containers, 5 checkers, 5 in reserve
	// 16 containers, 5 checkers, 5 in reserve
	// 8 containers, 5 checkers, 5 in reserve
}
