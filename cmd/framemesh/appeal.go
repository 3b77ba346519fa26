package main

import (
	"context"
	"encoding/hex"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
)

func appealCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "appeal ACCUSATION",
		Short: "Ask a wider committee to look again at what a node of yours is accused of",
		Long: `appeal puts an accusation before a committee of more than twice the size, drawn by the seed
of the next epoch from all checkers who have not judged it yet. If it says that the node was
right, nothing is slashed, the bond comes back, and who accused it was wrong; if it cannot
agree, nothing is slashed either. If it confirms, the stake and the bond are gone.

Only what a committee has found can be appealed. What a fraud proof shows is recomputed by
every node, and final: ` + "`framemesh proof verify`" + ` reruns it.`,
		Example: `  framemesh why own                       what is my node accused of?
  framemesh appeal 4c1e… --wallet node-1`,
		Args: oneArg("ACCUSATION"),
	}
	s := newSendFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if !isHex(args[0], 32) {
			return withHint(fmt.Errorf("%q is no accusation", args[0]), "64 hex digits, as `framemesh why` shows them")
		}
		id := [32]byte(unhex(args[0]))
		return s.send(c, order{what: "appeal the accusation " + hex.EncodeToString(id[:]) + ", which puts the bond at stake", ask: true,
			body: func(ctx context.Context, v *view, a key.Address) (*tx.Body, error) {
				if err := v.appealable(ctx, id, a); err != nil {
					return nil, err
				}
				return &tx.Body{Op: &tx.Body_Appeal{Appeal: &tx.Appeal{Accusation: id[:]}}}, nil
			},
			more: func(p economics.Params, epoch uint64) string {
				return fmt.Sprintf("  the committee is drawn in epoch %d and has until epoch %d; the bond is %s", epoch+1, epoch+3, frm(p.AppealBond))
			}})
	}
	return c
}

// appealable says what is in the way of an appeal, before anything is paid for it.
func (v *view) appealable(ctx context.Context, id [32]byte, a key.Address) error {
	acc, ok, err := read(ctx, v, state.AccusationKey(id), state.DecodeAccusation)
	if err != nil {
		return err
	}
	switch {
	case !ok:
		return withHint(fmt.Errorf("there is no accusation %x; it was decided, or never was", id), "`framemesh why` with the node shows what is open, and what was decided")
	case acc.Appealed != 0:
		return withHint(fmt.Errorf("it was appealed already; the committee of epoch %d looks at it", acc.Appealed), fmt.Sprintf("wait until epoch %d", acc.Final))
	case v.epoch() >= acc.Final:
		return withHint(fmt.Errorf("it became final in epoch %d", acc.Final), "nothing is left to be done about it")
	}
	n, ok, err := read(ctx, v, state.NodeKey(acc.Node), state.DecodeNode)
	if err != nil {
		return err
	}
	if !ok || n.Owner != a {
		return withHint(fmt.Errorf("the accused node %s is not of the account %s", acc.Node, a), "--wallet with the key of its owner")
	}
	return v.bonded(ctx, a)
}

// bonded says whether an account can bear the bond of an appeal, and the fee.
func (v *view) bonded(ctx context.Context, a key.Address) error {
	p, err := v.params(ctx)
	if err != nil {
		return err
	}
	acct, _, err := read(ctx, v, state.AccountKey(a), state.DecodeAccount)
	if need := p.AppealBond + p.TxFee; err == nil && acct.Balance < need {
		return withHint(fmt.Errorf("an appeal takes a bond of %s and the fee of %s, and %s has %s", frm(p.AppealBond), frm(p.TxFee), a, frm(acct.Balance)),
			fmt.Sprintf("`framemesh wallet send` %s more to it first; the bond comes back with an acquittal", frm(need-acct.Balance)))
	}
	return err
}
