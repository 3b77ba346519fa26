package testnet

import (
	"testing"
	"time"
)

// Three honest containers and five checkers in epochs of seconds: each container that is not
// in a session renders, is checked and certified, all are paid two epochs later, and nobody
// is punished. On a busy machine a container may be late for a round; that costs it the epoch
// and nothing else, and whole rounds follow.
func TestHonestContainersAreProven(t *testing.T) {
	realEpochs(t)
	n := start(t, Options{Containers: 3, Checkers: 5, Slots: 1, Money: &Money{EpochSeconds: 20, Proofs: true}})
	var got []Proofs
	t.Cleanup(func() {
		for _, p := range got {
			t.Logf("%+v", p)
		}
	})
	until(t, "two epochs are certified with all containers, and one is paid", 12*time.Minute, func() bool {
		var err error
		if got, err = n.Proofs(t.Context()); err != nil {
			t.Fatal(err)
		}
		whole, paid := 0, false
		for _, p := range got {
			paid = paid || p.Rewards > 0
			if p.Challenged == 3 && p.Commits == 3 && p.Proven == 3 && p.Unproven == 0 && p.Openings >= 3 && p.Votes >= 3 && p.Certificates > 0 {
				whole++
			}
		}
		return whole >= 2 && paid
	})
	for _, p := range got {
		if p.Wrong != 0 || p.Frauds != 0 || p.Slashes != 0 || p.Accusations != 0 {
			t.Errorf("honest nodes were accused in epoch %d: %+v", p.Epoch, p)
		}
	}
}
