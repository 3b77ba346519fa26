package chain

import (
	"testing"
	"time"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/store"
)

// BenchmarkEpochOnDisk is the first block of an epoch in a network of 10,000 staked nodes,
// a hundred of them validators: candidates, election, emission, and all of it on disk.
func BenchmarkEpochOnDisk(b *testing.B) {
	params := economics.DefaultParams()
	plan := genesis.Plan{Chain: "test-1", Time: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Params: &params}
	for i := range genesis.MaxNodes {
		n := genesis.Node{
			Node: public(seeded("node", i)), Owner: public(seeded("owner", i/genesis.MaxNodesPerOwner)),
			Roles: genesis.Roles(economics.RoleContainer), Stake: params.ContainerStake,
		}
		if i < 100 {
			n.Roles, n.Stake = genesis.Roles(economics.RoleChecker), 20_000*uint64(amount.FRM)
			n.VRFKey, n.ConsensusKey = public(seeded("vrf", i)), public(seeded("consensus", i))
		}
		plan.Nodes = append(plan.Nodes, n)
	}
	doc, err := genesis.Build(plan)
	if err != nil {
		b.Fatal(err)
	}
	db, err := store.Open(b.TempDir(), store.Options{Sync: true, CacheMiB: 32, Chain: doc.ChainID, Genesis: doc.Hash()})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	tree, err := db.Tree()
	if err != nil {
		b.Fatal(err)
	}
	m, _, err := state.Init(tree, doc)
	if err != nil {
		b.Fatal(err)
	}
	if _, _, err := tree.Save(); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for i := range uint64(b.N) {
		if _, err := m.BeginBlock(state.Block{Height: i + 1, TimeMS: doc.EpochStart(i + 1)}); err != nil {
			b.Fatal(err)
		}
		if _, err := m.EndBlock(); err != nil {
			b.Fatal(err)
		}
		if err := m.Flush(); err != nil {
			b.Fatal(err)
		}
		if _, _, err := tree.Save(); err != nil {
			b.Fatal(err)
		}
	}
}
