package judge

import (
	"testing"

	"github.com/framemesh/framemesh/ledger/key"
)

// TestStakesBeyondAllThereIs: weights that would wrap around when they are summed are cut, so
// that whatever a list says everybody can be drawn.
func TestStakesBeyondAllThereIs(t *testing.T) {
	var checkers []Candidate
	for i := range byte(8) {
		checkers = append(checkers, Candidate{Node: key.Node{i + 1}, Owner: key.Address{i + 1}, Stake: 1 << 63})
	}
	a := Assign("test", [32]byte{1}, 7, []Candidate{{Node: key.Node{99}, Owner: key.Address{99}, Stake: 1}}, checkers, Params{N: 2, Batch: 16})
	drawn := map[key.Node]bool{}
	for _, n := range append(append([]key.Node(nil), a.Batches[0].Committee...), a.Batches[0].Reserve...) {
		drawn[n] = true
	}
	if len(drawn) != len(checkers) {
		t.Errorf("%d of %d are drawn", len(drawn), len(checkers))
	}
}
