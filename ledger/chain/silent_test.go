package chain

import (
	"bytes"
	"testing"
	"time"

	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/state"
)

// One of four validators stops. The others go on, and at the end of an epoch it loses its
// seat: then no turn is passed over any more. It comes back, and has its seat again by
// itself. No block differs, and nobody lost stake.
func TestASilentValidatorLosesItsSeatAndComesBack(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, plan{validators: 4, players: 1, epoch: 8, away: 1})
	configs := make([]Config, 4)
	for i := range configs {
		configs[i] = n.config(i)
		configs[i].BlockInterval, configs[i].ProposeTimeout = 20*time.Millisecond, 250*time.Millisecond
	}
	vals := launchAll(t, configs[:3]...)
	ctx := t.Context()
	fourth, err := Start(ctx, configs[3])
	if err != nil {
		t.Fatal(err)
	}
	awaitHeight(t, fourth, 2)
	halt(t, fourth)

	silent := n.doc.Nodes[3].Node
	await(t, vals[0], "three seats", func() bool {
		if vals[0].Head().Validators != 3 {
			return false
		}
		a, ok := awayOf(t, vals[0], silent)
		if ok && (2*a.Missed <= a.Blocks || a.Blocks < 20) {
			t.Errorf("away %+v", a)
		}
		return ok
	})
	gone := vals[0].Head().Height

	fourth = launch(t, configs[3])
	all := append(vals, fourth)
	await(t, fourth, "its seat and its vote", func() bool {
		h := fourth.Head()
		if h.Height < gone+3 || h.Validators != 4 {
			return false
		}
		b, err := fourth.lightBlock(h.Height - 1)
		return err == nil && votesOf(b.Commit) == 4
	})
	last := fourth.Head().Height
	for _, v := range all {
		awaitHeight(t, v, last+1)
	}
	for h := uint64(1); h <= last; h++ {
		want, err := vals[0].lightBlock(h)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range all[1:] {
			got, err := v.lightBlock(h)
			if err != nil || !bytes.Equal(got.Header.Hash(), want.Header.Hash()) {
				t.Fatalf("block %d: node %d has %v, node 0 %v (%v)", h, i+1, got, want, err)
			}
		}
	}
	for i, v := range all {
		if root := rootAt(t, v, last); root != rootAt(t, vals[0], last) {
			t.Errorf("node %d has root %s after block %d", i, root, last)
		}
		if err := v.Err(); err != nil {
			t.Errorf("node %d: %v", i, err)
		}
	}
	err = vals[0].View(func(r state.Reader) error {
		raw, err := r.Get(state.StakeKey(silent))
		if err != nil {
			return err
		}
		if s, err := state.DecodeStake(raw); err != nil || s != (state.Stake{Amount: n.doc.Nodes[3].Stake}) {
			t.Errorf("its stake is %+v, was %d (%v)", s, n.doc.Nodes[3].Stake, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func awayOf(t *testing.T, v *Chain, id key.Node) (a state.Away, ok bool) {
	t.Helper()
	err := v.View(func(r state.Reader) error {
		e, err := state.ReadEmpty(r)
		a, ok = e.Of(id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return a, ok
}

// votesOf is how many have signed a block.
func votesOf(c *cmttypes.Commit) (n int) {
	for _, s := range c.Signatures {
		if s.BlockIDFlag == cmttypes.BlockIDFlagCommit {
			n++
		}
	}
	return n
}
