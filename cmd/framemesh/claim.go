package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/tx"
)

func claimCommand() *cobra.Command {
	var early string
	c := &cobra.Command{
		Use:   "claim",
		Short: "Take what has vested and what has finished unbonding",
		Long: `claim takes what is free. With --early a checker takes rewards before their time instead: a
quarter of them is paid, less a fee of 5 FRM, and the rest is lost to the network's reserve. It says how
much that is before it asks. Rewards can leave from early_epochs after they were earned, those that
would be free last first, and at least 30 FRM at a time.`,
		Example: "  framemesh claim\n  framemesh claim --wallet savings --json\n  framemesh claim --early 100        or --early all",
		Args:    noArgs,
	}
	s := newSendFlags(c)
	c.Flags().StringVar(&early, "early", "", "FRM of a checker's rewards to give up waiting for, or all")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if early != "" {
			return s.claimEarly(c, early)
		}
		return s.send(c, order{what: "claim what is free", body: simple(&tx.Body{Op: &tx.Body_Claim{Claim: &tx.Claim{}}}),
			more: func(economics.Params, uint64) string { return "  `framemesh wallet balance` shows what there is now" }})
	}
	return c
}

// claimEarly says what an early claim loses, asks, and makes it.
func (s *sendFlags) claimEarly(c *cobra.Command, text string) error {
	var most uint64
	if text != "all" {
		a, err := amountArg(text)
		if err != nil {
			return err
		}
		most = uint64(a)
	}
	sum, err := s.leavable(c)
	if err != nil {
		return err
	}
	if most == 0 || most > sum {
		most = sum
	}
	paid, lost, ok := economics.EarlyExit(most)
	if !ok {
		return withHint(fmt.Errorf("%s may leave early, and at least %s must at a time", frm(most), frm(economics.ClaimMin)),
			"`framemesh wallet balance` says from which epoch on the rewards of a checker may, and when they are free for nothing")
	}
	return s.send(c, order{what: fmt.Sprintf("give up waiting for %s: %s is paid now, and %s is lost for good", frm(most), frm(paid), frm(lost)), ask: true,
		body: simple(&tx.Body{Op: &tx.Body_Claim{Claim: &tx.Claim{Early: most}}})})
}

// maxEarlyLots is how many lots one early claim takes at most.
const maxEarlyLots = 100

// leavable is what one early claim of the chosen key can take now, in base units.
func (s *sendFlags) leavable(c *cobra.Command) (sum uint64, err error) {
	w, err := s.walletFlags.open(c, s.ledgerFlags)
	if err != nil {
		return 0, err
	}
	e, err := s.choose(w, s.wallet)
	if err != nil {
		return 0, err
	}
	v, err := s.ledgerFlags.open(c)
	if err != nil {
		return 0, err
	}
	defer v.close()
	b := balance{Address: e.Address, Epoch: v.epoch()}
	ctx, cancel := context.WithTimeout(c.Context(), s.timeout)
	defer cancel()
	if err := b.readVesting(ctx, v); err != nil {
		return 0, err
	}
	if !b.Listed {
		return 0, withHint(fmt.Errorf("no peer that was asked lists the vesting of %s", e.Address), "--peer with a full node")
	}
	taken := 0
	for i := len(b.Vesting) - 1; i >= 0 && taken < maxEarlyLots; i-- { // those that are free last go first
		if l := b.Vesting[i]; l.Early > 0 && l.From > b.Epoch && l.EarlyFrom <= b.Epoch {
			sum += uint64(l.Early)
			taken++
		}
	}
	return sum, nil
}
