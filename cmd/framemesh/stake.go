package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/state"
)

// stakeNeed is what is bonded on a node and what its roles need.
type stakeNeed struct {
	Node     key.Node `json:"node"`
	Symbol   string   `json:"symbol"`
	Epoch    uint64   `json:"epoch"`
	Amount   units    `json:"amount"`
	Required units    `json:"required"`
	// Later is what is required from epoch LaterFrom on; as Required where no rise is to come.
	Later     units  `json:"later"`
	LaterFrom uint64 `json:"later_from_epoch,omitempty"`
	// Until is the epoch from which on a container's next round may make another requirement;
	// 0 for none, or as soon as rounds have measured it.
	Until       uint64 `json:"fixed_until_epoch,omitempty"`
	RPMilli     uint64 `json:"rp_milli,omitempty"` // that the next one is made by, so far
	Coefficient units  `json:"coefficient"`
	Jailed      bool   `json:"jailed,omitempty"`
	Out         bool   `json:"tombstoned,omitempty"`
}

// isNode says whether an argument names a node and no amount.
func isNode(arg string) bool {
	_, err := key.ParseNode(arg)
	return arg == "own" || err == nil
}

// showStake shows what a node has bonded and needs.
func (s *sendFlags) showStake(c *cobra.Command, args []string) error {
	n, err := s.nodeOf(c, args)
	if err != nil {
		return err
	}
	v, err := s.ledgerFlags.open(c)
	if err != nil {
		return err
	}
	defer v.close()
	p, err := v.params(c.Context())
	if err != nil {
		return err
	}
	entry, ok, err := read(c.Context(), v, state.NodeKey(n), state.DecodeNode)
	if err != nil {
		return err
	}
	if !ok {
		return withHint(fmt.Errorf("%s is not registered", n), "`framemesh register`, or `framemesh register --need` for what roles need")
	}
	st, _, err := read(c.Context(), v, state.StakeKey(n), state.DecodeStake)
	if err != nil {
		return err
	}
	sc, _, err := read(c.Context(), v, state.CoefficientKey(), state.DecodeCoefficient)
	if err != nil {
		return err
	}
	need := stakeNeed{Node: n, Symbol: v.Genesis.Symbol, Epoch: v.epoch(), Amount: units(st.Amount), Coefficient: units(sc.SC), Jailed: st.Jailed, Out: st.Tombstoned}
	need.Required = units(entry.Required(p, need.Epoch))
	need.Later = need.Required
	if need.Epoch < entry.Need.From {
		need.Later, need.LaterFrom = units(entry.Required(p, entry.Need.From)), entry.Need.From
	}
	need.Until, need.RPMilli = entry.Need.Until(p), entry.Need.Peak
	if s.json {
		return printJSON(c.OutOrStdout(), need)
	}
	return need.print(c)
}

func (n stakeNeed) print(c *cobra.Command) error {
	t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "node\t%s\nstaked\t%s\nneeded\t%s\n", n.Node, frm(uint64(n.Amount)), frm(uint64(n.Required)))
	if n.LaterFrom != 0 {
		fmt.Fprintf(t, "\t%s from epoch %d on; it is epoch %d\n", frm(uint64(n.Later)), n.LaterFrom, n.Epoch)
	}
	if n.Until != 0 {
		fmt.Fprintf(t, "fixed until\tepoch %d; then by the best score since, so far %d.%03d RP, and %s for each 100 RP\n", n.Until, n.RPMilli/1000, n.RPMilli%1000, frm(uint64(n.Coefficient)))
	}
	switch most := max(n.Required, n.Later); {
	case n.Out:
		fmt.Fprintf(t, "\tthe node is out for good: register a new node key\n")
	case n.Amount < most:
		fmt.Fprintf(t, "to do\t`framemesh stake %s %s`\n", n.Node, amount.Amount(most-n.Amount))
	case n.Jailed:
		fmt.Fprintf(t, "to do\tthe node is jailed after a slash: any stake on top ends it\n")
	}
	return t.Flush()
}
