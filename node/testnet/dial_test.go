package testnet

import (
	"testing"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/node"
)

// Who names an indexer alone, which keeps no chain, reads the ledger with proof: those that keep
// it are found through it.
func TestOnePeerLeadsToTheLedger(t *testing.T) {
	n := start(t, Options{Indexers: 1, Checkers: 1, Money: &Money{EpochSeconds: 5, BlockMS: 150, Params: func(*economics.Params) {}}})
	path, err := n.WriteClient()
	if err != nil {
		t.Fatal(err)
	}
	c, err := node.LoadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	c.P2P.Bootstrap = n.Find("indexer-1").Addrs()
	d, err := node.DialLedger(t.Context(), c, node.Asked{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if d.Keepers(t.Context()) == 0 {
		t.Error("nobody that keeps the chain was found")
	}
	if err := d.Wait(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	if p, err := d.Value(t.Context(), state.TotalsKey()); err != nil || p.Value == nil {
		t.Errorf("the totals are not proven: %v", err)
	}
}
