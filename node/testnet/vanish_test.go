package testnet

import (
	"encoding/hex"
	"slices"
	"testing"
	"time"

	ledgeractor "github.com/framemesh/framemesh/actors/ledger"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
)

const (
	offersNext = `everSaid.some(s => s.includes('Play on the next machine ('))`
	reported   = `everSaid.some(s => s.includes('It was reported'))`
)

// The plug of a machine is pulled in the middle of a paid game. The page says so, offers the
// next machine, and tells its gateway; the checkers who are drawn for the machine look for it,
// find nobody, and the ledger accuses it of that session. Its owner appeals: all who looked
// are asked, the accusation is confirmed, and the stake is slashed. Its player plays on
// elsewhere meanwhile, and nobody else is harmed.
func TestAMachineThatGoesInAPaidGameLosesStake(t *testing.T) {
	realEpochs(t)
	n := start(t, Options{Containers: 2, Checkers: 8, Slots: 1, Money: &Money{EpochSeconds: roundSeconds, BlockMS: 250, Proofs: true,
		Params: func(p *economics.Params) { p.ProofN, p.AppealEpochs = 1, 16 }}})
	_, tab := openPage(t, n)
	tab.Wait(`/FRM \/ s/.test(document.querySelector('li.cost .rate')?.textContent ?? '')`, patience)
	play(t, tab, game)
	tab.Eval(poke, nil)
	tab.Wait(spending, patience)
	ran, where := only(t, n)
	order, ok := escrows(t, n.Chain())[hex.EncodeToString(ran.ID[:])]
	if !ok {
		t.Fatal("the ledger does not know the session that is paid for")
	}
	machine, err := key.NodeOf(n.Find(where).ID())
	if err != nil {
		t.Fatal(err)
	}
	other := map[string]string{"container-1": "container-2", "container-2": "container-1"}[where]
	// Nobody went whom no round had heard of, see docs/spec/work.md; on a slow machine the first
	// rounds may hear of nobody.
	opened := n.Genesis().Epoch(order.OpenedMS)
	until(t, "a round has heard of the machine", 10*time.Minute, func() bool {
		return slices.ContainsFunc(verdicts(t, n, where), func(v state.Verdict) bool {
			return v.Epoch+1 >= opened && (v.Verdict == proof.VerdictOK || v.Verdict == proof.VerdictBusy)
		})
	})
	if err := n.Crash(where); err != nil {
		t.Fatal(err)
	}
	tab.Wait(gone+` && `+offersNext, patience)
	tab.Screenshot("vanished")
	tab.Wait(reported, patience)
	untilPlaying(tab) // the countdown has ended, or the offer is taken
	if _, next := only(t, n); next != other {
		t.Errorf("the player goes on at %v", next)
	}
	var a state.Accusation
	took := until(t, "the machine is accused", 10*time.Minute, func() bool {
		for _, x := range accusations(t, n) {
			a = x
			return true
		}
		return false
	})
	t.Logf("accused %v after the player went on", took)
	if a.Node != machine || a.Offence != economics.OffenceDrop || a.Session != ran.ID || a.Victim != order.Player || a.Amount == 0 {
		t.Fatalf("accused: %+v", a)
	}

	owner, l := n.Account(where), n.Find("checker-1").Ledger()
	name := state.AccusationID(a.Node, a.Epoch, a.Batch, a.Offence)
	if _, err := l.Send(t.Context(), ledgeractor.Signer{Key: owner, Account: addressOf(owner)}, &tx.Body{Op: &tx.Body_Appeal{Appeal: &tx.Appeal{Accusation: name[:]}}}); err != nil {
		t.Fatal(err)
	}
	answered(t, n, a)
	happened, _, err := n.Happened()
	if err != nil {
		t.Fatal(err)
	}
	lost := uint64(0)
	for _, h := range happened {
		switch h.Kind {
		case "slash":
			lost += h.Amount
			if h.Name != where || h.Code != economics.OffenceDrop.String() {
				t.Errorf("slashed: %+v", h)
			}
		case "acquitted", "fraud_proven", "checker_wrong", "checker_banned":
			t.Errorf("%+v", h)
		}
	}
	if lost != a.Amount {
		t.Errorf("lost %d, and was accused of what costs %d", lost, a.Amount)
	}
	for _, v := range verdicts(t, n, other) {
		if v.Verdict == proof.VerdictBad || v.Verdict == state.VerdictAccused {
			t.Errorf("the machine that stayed: %+v", v)
		}
	}
	tab.Wait(playing, patience)
	tab.NoExceptions()
}
