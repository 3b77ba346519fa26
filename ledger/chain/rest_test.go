package chain

import (
	"testing"

	"github.com/framemesh/framemesh/ledger/chain/resttest"
)

// engineLeaves is how many goroutines the engine leaves behind with each chain, for the file of
// its log: one waits for a signal and one for a timer, and nobody ends them.
const engineLeaves = 2

// A chain that has stopped leaves no other goroutine behind, of its own or of the engine's.
func TestAStoppedChainLeavesNothingRunning(t *testing.T) {
	resttest.Leaves(t, engineLeaves, func() {
		c := launch(t, newNetwork(t, plan{validators: 1, players: 1}).config(0))
		awaitHeight(t, c, 2)
		halt(t, c)
	})
}
