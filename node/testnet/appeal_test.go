package testnet

import (
	"fmt"
	"testing"
	"time"

	"github.com/framemesh/framemesh/actors/cheat"
	ledgeractor "github.com/framemesh/framemesh/actors/ledger"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/node"
)

// appealNet is a network with committees of three, and checkers enough that an appeal finds a
// quorum of four among those who have not judged.
func appealNet(t *testing.T, cheats map[string]cheat.Cheat, about ...string) *Net {
	t.Helper()
	realEpochs(t)
	n := start(t, Options{Containers: 1, Checkers: 8, Slots: 1, Cheats: cheats, About: about, Money: &Money{EpochSeconds: 20, Proofs: true,
		Params: func(p *economics.Params) { p.ProofN, p.AppealEpochs = 1, 16 }}})
	logRounds(t, n)
	return n
}

// appealed waits until container-1 is accused of a false session and lets its owner appeal. It
// returns the accusation and the owner's balance just before.
func appealed(t *testing.T, n *Net) (a state.Accusation, balance uint64) {
	t.Helper()
	id, err := key.NodeOf(n.Find("container-1").ID())
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the container is accused", 10*time.Minute, func() bool {
		for _, x := range accusations(t, n) {
			if x.Node == id && x.Offence == economics.OffenceForged {
				a = x
				return true
			}
		}
		return false
	})
	owner, l := n.Account("container-1"), n.Find("checker-1").Ledger()
	account, err := l.Account(t.Context(), addressOf(owner))
	if err != nil {
		t.Fatal(err)
	}
	name := state.AccusationID(a.Node, a.Epoch, a.Batch, a.Offence)
	if _, err := l.Send(t.Context(), ledgeractor.Signer{Key: owner, Account: addressOf(owner)}, &tx.Body{Op: &tx.Body_Appeal{Appeal: &tx.Appeal{Accusation: name[:]}}}); err != nil {
		t.Fatal(err)
	}
	return a, account.Balance
}

// answered waits until the accusation is decided.
func answered(t *testing.T, n *Net, a state.Accusation) {
	t.Helper()
	name := state.AccusationID(a.Node, a.Epoch, a.Batch, a.Offence)
	until(t, "the appeal is answered", 10*time.Minute, func() bool {
		_, ok, err := view(n, name)
		if err != nil {
			t.Fatal(err)
		}
		return !ok
	})
}

func view(n *Net, name [32]byte) (a state.Accusation, ok bool, err error) {
	err = n.Chain().View(func(r state.Reader) (err error) { a, ok, err = state.ReadAccusation(r, name); return err })
	return a, ok, err
}

func offences(t *testing.T, n *Net, who key.Node) (s state.Stake) {
	t.Helper()
	err := n.Chain().View(func(r state.Reader) (err error) { s, err = state.ReadStake(r, who); return err })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A container that falsified a session appeals: a wider committee gets the evidence from those
// who found it, replays it, and confirms; then the stake is slashed.
func TestAnAppealOfTheGuiltyIsRefused(t *testing.T) {
	poke, err := cheat.Parse("state")
	if err != nil {
		t.Fatal(err)
	}
	n := appealNet(t, map[string]cheat.Cheat{"container-1": poke})
	payer(t, n, nil, nil)
	a, _ := appealed(t, n)
	if s := offences(t, n, a.Node); s.Offences != 0 {
		t.Fatal("slashed before the appeal")
	}
	answered(t, n, a)
	if s := offences(t, n, a.Node); s.Offences == 0 {
		t.Errorf("after the appeal: %+v", s)
	}
	for _, v := range verdicts(t, n, "container-1") {
		if v.Verdict == state.VerdictAcquitted {
			t.Errorf("acquitted: %+v", v)
		}
	}
}

// Checkers who collude accuse an honest container of a false session. Its owner appeals: the
// wider committee replays the second and finds nothing, the bond comes back, and those who
// accused were wrong.
func TestAnAppealOfTheInnocentIsGranted(t *testing.T) {
	frame := cheat.Cheat{Info: cheat.Info{Name: node.FrameCheat, Who: cheat.Checker}}
	colluders := map[string]cheat.Cheat{}
	for i := 2; i <= 8; i++ { // so many that each committee of three has a quorum of them
		colluders[fmt.Sprint("checker-", i)] = frame
	}
	n := appealNet(t, colluders, "container-1")
	payer(t, n, nil, nil)
	a, balance := appealed(t, n)
	answered(t, n, a)
	if s := offences(t, n, a.Node); s.Offences != 0 {
		t.Errorf("slashed: %+v", s)
	}
	acquitted := false
	for _, v := range verdicts(t, n, "container-1") {
		acquitted = acquitted || v.Verdict == state.VerdictAcquitted
	}
	if !acquitted {
		t.Error("nothing says that it was acquitted")
	}
	account, err := n.Find("checker-1").Ledger().Account(t.Context(), addressOf(n.Account("container-1")))
	if err != nil || account.Balance+10*n.Genesis().Params.TxFee < balance {
		t.Errorf("the bond did not come back: %d of %d, %v", account.Balance, balance, err)
	}
	wrong := 0
	err = n.Chain().View(func(r state.Reader) error {
		for _, s := range a.Signers {
			c, _, err := state.ReadConduct(r, s)
			if err != nil {
				return err
			}
			if c.WrongTotal > 0 {
				wrong++
			}
		}
		return nil
	})
	if err != nil || wrong != len(a.Answer()) || wrong == 0 {
		t.Errorf("%d were wrong, %d answer for it, %v", wrong, len(a.Answer()), err)
	}
}
