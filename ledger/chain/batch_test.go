package chain

import (
	"errors"
	"sync"
	"testing"

	"github.com/framemesh/framemesh/ledger/tx"
)

// Signatures that are verified together are judged each for itself.
func TestBatchedSignaturesAreJudgedOneByOne(t *testing.T) {
	const chain, n = "test-1", 500
	b := &batcher{verifier: tx.NewVerifier(chain, n)}
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		network := chain
		if i%7 == 3 {
			network = "other-1"
		}
		x, err := tx.Decode(transfer(t, network, seeded("player", i), 0, public(seeded("player", i+1)), 1))
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() { errs[i] = b.verify(x) })
	}
	wg.Wait()
	for i, err := range errs {
		if wrong := i%7 == 3; wrong != errors.Is(err, tx.ErrSignature) || (!wrong && err != nil) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if b.working != 0 || len(b.waiting) != 0 {
		t.Errorf("%d work, %d wait", b.working, len(b.waiting))
	}
}
