package state

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/tx"
)

// TestAnAccuserIsNotLuredIntoAFalseReport: what convicts when it is looked at convicts in
// every block after. An indexer that names a block, or a colleague, still to come would else
// take the bond of whoever reports it.
func TestAnAccuserIsNotLuredIntoAFalseReport(t *testing.T) {
	lure := func(b *bed, bait plainMatch, epoch uint64) {
		t.Helper()
		raw, err := json.Marshal(bait)
		b.must(err)
		b.end()
		b.must(b.Flush())
		_, v, err := JudgeMatch(b.store, chainName, plainMatcher{}, raw)
		if !errors.Is(err, proof.ErrOld) && !errors.Is(err, proof.ErrUnknown) {
			t.Errorf("convicts of %v: %v", v, err)
		}
		b.begin(1)
		balance := b.balance(who("bob"))
		b.refused(b.accuse(bait, epoch), ErrInnocent)
		if got := balance - b.balance(who("bob")); got != b.Params().TxFee {
			t.Errorf("it costs %d to be early", got)
		}
	}
	t.Run("a block to come", func(t *testing.T) {
		b := newMatches(t)
		x := b.matched()
		x.Choices[0].Figures.Height = b.Head().Height + 9
		lure(b, x, x.Choices[1].Figures.Epoch)
		b.end()
	})
	t.Run("an epoch to come", func(t *testing.T) {
		b := newMatches(t)
		x := b.matched()
		x.Choices[0].Figures.Epoch++
		lure(b, x, x.Choices[1].Figures.Epoch)
		b.end()
	})
	t.Run("an indexer of a later set", func(t *testing.T) {
		b := newMatches(t)
		x := b.matched()
		epoch := x.Choices[0].Figures.Epoch
		x.Drawn = append(x.Drawn, who("c2").node())
		raw, err := json.Marshal(x)
		b.must(err)
		b.must(b.do(who("alice"), &tx.Transfer{To: who("c2 owner").raw(), Amount: 5_000 * frm}))
		b.must(b.do(who("c2 owner"), &tx.Stake{Node: who("c2").raw(), Amount: b.Params().IndexerStake}))
		b.must(b.do(who("c2 owner"), registration(who("c2 owner"), who("c2"), economics.RoleContainer|economics.RoleIndexer, false)))
		first := error(nil)
		for range 5 { // whatever is said first is said in every later epoch
			b.end()
			b.must(b.Flush())
			_, _, err := JudgeMatch(b.store, chainName, plainMatcher{}, raw)
			if first == nil {
				first = err
				if err == nil {
					first = errors.New("convicts")
				}
			}
			if convicts := first.Error() == "convicts"; convicts != (err == nil) {
				t.Fatalf("first: %v; in epoch %d: %v", first, b.Epoch(), err)
			}
			b.begin(10_000)
		}
		if b.Epoch() > epoch+MatchEpochs {
			t.Fatal("too long ago to tell")
		}
		b.end()
	})
}
