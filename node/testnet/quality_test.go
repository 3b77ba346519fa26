package testnet

import (
	"testing"
	"time"

	"github.com/framemesh/framemesh/actors/cheat"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/node"
)

// A container that leaves pictures out cannot tell a checker that plays from a customer: what
// its sessions are worth falls on the ledger, while an honest one's does not, and matching
// goes by that.
func TestAContainerThatDropsPicturesIsFoundOutByPlayers(t *testing.T) {
	realEpochs(t)
	dropping, err := cheat.Parse("drop")
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Containers: 2, Checkers: 3, Slots: 3, Money: &Money{EpochSeconds: 20, Proofs: true},
		Edit:   func(_ string, c *node.Config) { c.Proof.PlayEvery = 1 },
		Cheats: map[string]cheat.Cheat{"container-1": dropping}}
	n := start(t, o)
	standing := func(name string) state.Standing {
		id, err := key.NodeOf(n.Find(name).ID())
		if err != nil {
			t.Fatal(err)
		}
		s, _, err := n.Find("checker-1").Ledger().Standing(t.Context(), id)
		if err != nil {
			t.Logf("%s: %v", name, err)
		}
		return s
	}
	began := standing("container-2").QualityPPM
	until(t, "the quality of who drops pictures falls behind", 10*time.Minute, func() bool {
		bad, good := standing("container-1"), standing("container-2")
		return bad.QualityPPM > 0 && bad.QualityPPM < began && good.QualityPPM > bad.QualityPPM+20_000
	})
	t.Logf("dropping %+v, honest %+v", standing("container-1").QualityPPM, standing("container-2").QualityPPM)
}
