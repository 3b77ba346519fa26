package judge_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/framemesh/framemesh/ledger/judge"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/subnet"
)

// live lets candidates declare subnets, all the same.
func live(all []judge.Candidate, subnets ...string) {
	var list []subnet.Subnet
	for _, s := range subnets {
		one, err := subnet.Parse(s)
		if err != nil {
			panic(err)
		}
		list = append(list, one)
	}
	for i := range all {
		all[i].Subnets = subnet.Sorted(list)
	}
}

// home is one of a few subnets, so that many share one.
func home(i int) string { return fmt.Sprintf("11.1.%d.0/24", i) }

// TestNobodyIsJudgedByANeighbour draws from random networks: no member shares a subnet or an
// owner with a container of its batch, nobody who could sit is left out while a seat is free,
// and subnets that nobody shares change nothing.
func TestNobodyIsJudgedByANeighbour(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		containers := candidates(rapid.IntRange(1, 40).Draw(t, "containers"), 0)
		checkers := candidates(rapid.IntRange(0, 30).Draw(t, "checkers"), 5000)
		homes := rapid.IntRange(1, 12).Draw(t, "homes")
		for _, set := range [][]judge.Candidate{containers, checkers} {
			for i := range set {
				var at []string
				for range rapid.IntRange(0, 2).Draw(t, "subnets") {
					at = append(at, home(rapid.IntRange(0, homes).Draw(t, "home")))
				}
				live(set[i:i+1], at...)
				set[i].Owner = key.Address(named(rapid.IntRange(0, 50).Draw(t, "owner")))
			}
		}
		p := params()
		p.Batch = rapid.IntRange(1, 16).Draw(t, "batch")
		a := judge.Assign(chain, seed, epoch, containers, checkers, p)
		of := func(all []judge.Candidate, n key.Node) judge.Candidate {
			return all[slices.IndexFunc(all, func(c judge.Candidate) bool { return c.Node == n })]
		}
		for _, b := range a.Batches {
			apart := func(m judge.Candidate) bool {
				return !slices.ContainsFunc(b.Containers, func(n key.Node) bool {
					c := of(containers, n)
					return c.Owner == m.Owner || subnet.Share(c.Subnets, m.Subnets)
				})
			}
			able := 0
			for _, m := range checkers {
				if apart(m) {
					able++
				}
			}
			members := slices.Concat(b.Committee, b.Reserve)
			for _, m := range members {
				if !apart(of(checkers, m)) {
					t.Fatalf("%s judges a neighbour", m)
				}
			}
			if want := min(able, 2*p.Members()); len(members) != want {
				t.Fatalf("%d are drawn of %d who may judge, want %d", len(members), able, want)
			}
		}
	})
}

// TestSubnetsLeaveStakeTheChance: of those who may judge, each is drawn first as often as
// its stake says, and the neighbour with most of it never.
func TestSubnetsLeaveStakeTheChance(t *testing.T) {
	container, checkers := candidates(1, 0), candidates(5, 5000)
	live(container, home(1), "2a00:1:2::/48")
	stakes := []uint64{100, 200, 300, 400, 9000}
	for i := range checkers {
		checkers[i].Stake = stakes[i]
		live(checkers[i:i+1], home(10+i))
	}
	live(checkers[4:], home(20), "2a00:1:2::/48")
	first := map[key.Node]int{}
	const rounds = 4000
	for e := range uint64(rounds) {
		first[judge.Assign(chain, seed, e, container, checkers, params()).Batches[0].Committee[0]]++
	}
	for i, c := range checkers[:4] {
		want := rounds * int(stakes[i]) / 1000
		if off := first[c.Node] - want; off*off > 25*want {
			t.Errorf("stake %d is drawn first %d times of %d, want about %d", stakes[i], first[c.Node], rounds, want)
		}
	}
	if n := first[checkers[4].Node]; n != 0 {
		t.Errorf("the neighbour is drawn %d times", n)
	}
}

func TestTheAccusedsNeighboursAreNotAsked(t *testing.T) {
	checkers := candidates(40, 5000)
	accused := judge.Candidate{Node: named(1)}
	live(checkers[:7], home(3))
	live(checkers[7:], home(4))
	all := []judge.Candidate{accused}
	live(all, home(3))
	for id := range byte(20) {
		for _, m := range judge.Appeal(seed, [32]byte{id}, checkers, all, params()) {
			if slices.ContainsFunc(checkers[:7], func(c judge.Candidate) bool { return c.Node == m }) {
				t.Fatalf("%s judges a neighbour", m)
			}
		}
	}
}

// BenchmarkAssignOneSubnet is the worst that declarations can do to the draw: every batch
// has a container of the subnet in which all checkers are.
func BenchmarkAssignOneSubnet(b *testing.B) {
	containers, checkers := candidates(10_000, 0), candidates(500, 50_000)
	live(containers, home(1))
	live(checkers, home(1))
	for b.Loop() {
		judge.Assign(chain, seed, epoch, containers, checkers, params())
	}
}
