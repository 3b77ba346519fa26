package main

import (
	"encoding/hex"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
)

func genesisCheck() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "check FILE",
		Short:   "Check a genesis file and say which network it starts",
		Example: "  framemesh ledger genesis check genesis.json\n  framemesh ledger genesis check genesis.json --json",
		Args:    oneArg("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := genesis.Load(args[0])
			if err != nil {
				return withHint(err, "the file again from whoever runs the network: this one starts none")
			}
			return printGenesis(c, args[0], d, asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

// genesisRow is what a genesis file says.
type genesisRow struct {
	File       string `json:"file"`
	Chain      string `json:"chain"`
	Hash       string `json:"hash"`
	Time       string `json:"time"`
	Symbol     string `json:"symbol"`
	Supply     units  `json:"supply"`
	Pools      units  `json:"in_pools"`
	Accounts   int    `json:"accounts"`
	Nodes      int    `json:"nodes"`
	Validators int    `json:"validators"`
	Oracles    int    `json:"oracles"`
	Unstaked   int    `json:"oracles_without_stake"`
	Penniless  int    `json:"owners_without_money"`
	Epoch      uint64 `json:"epoch_seconds"`
}

func printGenesis(c *cobra.Command, path string, d *genesis.Doc, asJSON bool) error {
	h := d.Hash()
	r := genesisRow{File: path, Chain: d.ChainID, Hash: hex.EncodeToString(h[:]), Time: d.Time.UTC().Format(time.RFC3339Nano), Symbol: d.Symbol,
		Supply: units(d.Supply), Accounts: len(d.Accounts), Nodes: len(d.Nodes), Validators: len(d.Validators()), Oracles: len(d.Oracles),
		Unstaked: len(d.OraclesWithoutStake()), Penniless: len(d.OwnersWithoutMoney()), Epoch: d.Params.EpochSeconds}
	for _, p := range economics.Pools() {
		r.Pools += units(d.Pools.Of(p))
	}
	if asJSON {
		return printJSON(c.OutOrStdout(), r)
	}
	t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "file\t%s\nchain\t%s\nhash\t%s\nstarts\t%s\nsupply\t%s, allocated to the last base unit\nin pools\t%s\naccounts\t%d\nnodes\t%d, %d of them validators\noracles\t%d\nepoch\t%d s\n",
		r.File, r.Chain, r.Hash, r.Time, frm(uint64(r.Supply)), frm(uint64(r.Pools)), r.Accounts, r.Nodes, r.Validators, r.Oracles, r.Epoch)
	if err := t.Flush(); err != nil {
		return err
	}
	if r.Oracles == 0 {
		fmt.Fprintln(c.ErrOrStderr(), "warning: without an oracle nobody can say what a dollar costs, and no session can be paid; --oracle when it is built")
	} else if uint64(r.Oracles) < d.Params.OracleMin {
		fmt.Fprintf(c.ErrOrStderr(), "warning: a price needs %d oracles and there are %d, so no session can be paid; more of them, or --param oracle_min=%d when it is built\n", d.Params.OracleMin, r.Oracles, r.Oracles)
	}
	if r.Unstaked > 0 {
		fmt.Fprintf(c.ErrOrStderr(), "warning: %d of the oracles are the key of no node here that stakes, so a wrong price costs them nothing; name node keys, as `framemesh ledger keys` prints them, when it is built\n", r.Unstaked)
	}
	if r.Penniless > 0 {
		var accounts strings.Builder
		for _, a := range d.OwnersWithoutMoney() {
			fmt.Fprintf(&accounts, " --account %s=10", a)
		}
		fmt.Fprintf(c.ErrOrStderr(), "warning: %d of the nodes' owners have nothing to pay fees with, so no certificate and no settlement of their nodes comes into a block until they do; when it is built:%s\n", r.Penniless, accounts.String())
	}
	if owners, need := d.CheckingOwners(), d.Params.ProofN+1; uint64(owners) < need {
		fmt.Fprintf(c.ErrOrStderr(), "warning: the checkers are of %d owners and a round needs the votes of %d, so no container is measured, and none matched, before others join; more of them, or --param proof_n when it is built, or --rp in the entries of containers\n", owners, need)
	}
	return nil
}
