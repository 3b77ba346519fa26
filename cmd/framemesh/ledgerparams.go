package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
)

// isAmount says whether a parameter is money: those are FRM for people.
func isAmount(name string) bool {
	switch name {
	case "tx_fee", "power_unit", "certificate_reward", "appeal_bond":
		return true
	}
	return strings.HasSuffix(name, "_stake")
}

// paramText writes a parameter's value.
func paramText(name string, v uint64) string {
	if isAmount(name) {
		return frm(v)
	}
	return strconv.FormatUint(v, 10)
}

// paramValue reads a parameter's value as paramText writes it, with the unit or without.
func paramValue(name, text string) (uint64, error) {
	if isAmount(name) {
		a, err := amount.Parse(strings.TrimSpace(strings.TrimSuffix(text, state.Symbol)))
		return uint64(a), withHint(err, name+" is money: FRM with at most eight decimals, such as 1000 or 0.00001")
	}
	v, err := strconv.ParseUint(text, 10, 64)
	return v, withHint(err, name+" is a whole number")
}

// paramRow is one parameter.
type paramRow struct {
	Name       string `json:"name"`
	Value      units  `json:"value"`
	Min        units  `json:"min"`
	Max        units  `json:"max"`
	Changeable bool   `json:"changeable"` // by a vote
}

// proposalRow is a change that is open or waits for its epoch.
type proposalRow struct {
	ID        uint64      `json:"id"`
	Parameter string      `json:"parameter"`
	Value     units       `json:"value"`
	Proposer  key.Address `json:"proposer"`
	Approvals int         `json:"approvals"`
	Closes    uint64      `json:"closes_epoch"`
	Activates uint64      `json:"activates_epoch,omitempty"`
}

// lastProposals is how many proposals are looked at: as many as can be open at once.
const lastProposals = 64

func ledgerParams(l *ledgerFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "params",
		Short:   "Show the parameters in force, their hard limits, and proposals to change them",
		Example: "  framemesh ledger params\n  framemesh ledger params --json",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			v, err := l.open(c)
			if err != nil {
				return err
			}
			defer v.close()
			done := slow(c.ErrOrStderr(), "asking for proofs")
			p, err := v.params(c.Context())
			var open []proposalRow
			if err == nil {
				open, err = v.proposals(c.Context())
			}
			done()
			if err != nil {
				return err
			}
			var rows []paramRow
			for _, name := range economics.ParamNames() {
				val, _ := p.Get(name)
				low, high, _ := economics.Bounds(name)
				rows = append(rows, paramRow{name, units(val), units(low), units(high), economics.Changeable(name)})
			}
			if l.json {
				return printJSON(c.OutOrStdout(), map[string]any{"params": rows, "proposals": open, "epoch": v.epoch(), "symbol": v.Genesis.Symbol})
			}
			t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "PARAMETER\tVALUE\tLIMITS\tBY VOTE")
			for _, r := range rows {
				can := "yes"
				if !r.Changeable {
					can = "no"
				}
				fmt.Fprintf(t, "%s\t%s\t%s to %s\t%s\n", r.Name, paramText(r.Name, uint64(r.Value)), paramText(r.Name, uint64(r.Min)), paramText(r.Name, uint64(r.Max)), can)
			}
			if len(open) > 0 {
				fmt.Fprintln(t, "\nPROPOSAL\tCHANGE\tAPPROVALS\tSTANDS")
			}
			for _, o := range open {
				stands := fmt.Sprintf("can be approved before epoch %d", o.Closes)
				if o.Activates != 0 {
					stands = fmt.Sprintf("approved, in force from epoch %d", o.Activates)
				}
				fmt.Fprintf(t, "%d\t%s = %s\t%d\t%s\n", o.ID, o.Parameter, paramText(o.Parameter, uint64(o.Value)), o.Approvals, stands)
			}
			return t.Flush()
		},
	}
}

// proposals are the changes that are open or wait, among the last ones.
func (v *view) proposals(ctx context.Context) ([]proposalRow, error) {
	head, ok, err := read(ctx, v, state.HeadKey(), state.DecodeHead)
	if err != nil || !ok {
		return nil, err
	}
	out := []proposalRow{}
	for id := head.Proposal - min(head.Proposal, lastProposals); id < head.Proposal; id++ {
		p, ok, err := read(ctx, v, state.ProposalKey(id), state.DecodeProposal)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, proposalRow{id, p.Parameter, units(p.Value), p.Proposer, len(p.Approvals), p.Closes, p.Activates})
		}
	}
	return out, nil
}

func ledgerPropose(s *sendFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "propose PARAM VALUE",
		Short: "Ask the validators to change a parameter",
		Long: `propose asks for another value of a parameter, by the account of a validator, which
thereby approves it. With more than two thirds of the validators' power it takes effect
param_delay_epochs later. No vote can pass the hard limits that params shows. Amounts are
in FRM.`,
		Example: "  framemesh ledger propose fee_bps 1500 --wallet validator-1\n  framemesh ledger propose tx_fee 0.00002",
		Args:    exactArgs("PARAM", "VALUE"),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			var names []string
			for _, n := range economics.ParamNames() {
				if economics.Changeable(n) && len(args) == 0 {
					names = append(names, n)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			low, high, ok := economics.Bounds(args[0])
			if !ok {
				return withHint(fmt.Errorf("there is no parameter %q", args[0]), "`framemesh ledger params` lists them")
			}
			val, err := paramValue(args[0], args[1])
			switch {
			case err != nil:
				return err
			case !economics.Changeable(args[0]):
				return withHint(fmt.Errorf("%s is no matter of votes", args[0]), "one that `framemesh ledger params` says is")
			case val < low || val > high:
				return withHint(fmt.Errorf("%s cannot be %s", args[0], paramText(args[0], val)), fmt.Sprintf("%s to %s", paramText(args[0], low), paramText(args[0], high)))
			}
			return s.send(c, order{what: fmt.Sprintf("propose %s = %s", args[0], paramText(args[0], val)), ask: true,
				body: simple(&tx.Body{Op: &tx.Body_Propose{Propose: &tx.ProposeChange{Parameter: args[0], Value: val}}}),
				more: func(economics.Params, uint64) string {
					return "  `framemesh ledger params` shows its number and who approved"
				}})
		},
	}
	s.walletFlags.add(c)
	s.addWallet(c)
	return c
}

func ledgerApprove(s *sendFlags) *cobra.Command {
	c := &cobra.Command{
		Use:     "approve ID",
		Short:   "Approve a proposal, as a validator",
		Example: "  framemesh ledger approve 3 --wallet validator-2",
		Args:    oneArg("ID"),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil {
				return withHint(fmt.Errorf("%q is no number of a proposal", args[0]), "`framemesh ledger params` lists them")
			}
			return s.send(c, order{what: fmt.Sprintf("approve proposal %d", id), ask: true,
				body: func(ctx context.Context, v *view, _ key.Address) (*tx.Body, error) {
					p, ok, err := read(ctx, v, state.ProposalKey(id), state.DecodeProposal)
					if err != nil {
						return nil, err
					}
					if !ok {
						return nil, withHint(fmt.Errorf("there is no open proposal %d", id), "`framemesh ledger params` lists them")
					}
					fmt.Fprintf(c.ErrOrStderr(), "… proposal %d: %s = %s\n", id, p.Parameter, paramText(p.Parameter, p.Value))
					return &tx.Body{Op: &tx.Body_Approve{Approve: &tx.ApproveChange{Proposal: id}}}, nil
				}})
		},
	}
	s.walletFlags.add(c)
	s.addWallet(c)
	return c
}
