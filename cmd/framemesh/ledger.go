package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/light"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
)

func ledgerCommand() *cobra.Command {
	var l ledgerFlags
	c := group(&cobra.Command{
		Use:   "ledger",
		Short: "Look at the ledger: nothing is believed, everything is verified from the genesis file",
		Long: `ledger asks peers of the network and verifies what they answer: headers by the validators'
signatures from the genesis file on, values, transactions and blocks by proofs that lead to
a header. It keeps no chain.`,
		Example: `  framemesh ledger status
  framemesh ledger query acct/frm1… --prove
  framemesh ledger supply --json`,
	})
	l.add(c)
	s := &sendFlags{ledgerFlags: &l, walletFlags: &walletFlags{}}
	c.AddCommand(ledgerStatus(&l), ledgerBlock(&l), ledgerTx(&l), ledgerQuery(&l), ledgerSupply(&l), ledgerParams(&l),
		ledgerPropose(s), ledgerApprove(s), ledgerKeys(&l), genesisCommand())
	return c
}

// statusRow is where the ledger stands.
type statusRow struct {
	Chain      string    `json:"chain"`
	Genesis    string    `json:"genesis"`
	Height     uint64    `json:"height"`
	Hash       string    `json:"hash"` // of the header
	Time       string    `json:"time"`
	AppHash    string    `json:"app_hash"` // root of the state before the block
	Epoch      uint64    `json:"epoch"`
	Validators int       `json:"validators"`
	Away       []awayRow `json:"away"` // validators that lost their seats for now
	Peers      int       `json:"peers"`
	Witnesses  int       `json:"witnesses"`
	Warnings   []string  `json:"warnings"`
}

// awayRow is a validator that signed less than half of an epoch's blocks.
type awayRow struct {
	Node       string `json:"node"`
	Missed     uint32 `json:"missed"`
	Blocks     uint32 `json:"blocks"`
	UntilEpoch uint64 `json:"until_epoch"` // in which it may sit again
}

// witnessWait is how long status waits for a second peer to confirm the head.
const witnessWait = 3 * time.Second

func ledgerStatus(l *ledgerFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "status",
		Short:   "Show height, time, epoch, validators, and by how many peers that is confirmed",
		Example: "  framemesh ledger status\n  framemesh ledger status --json --genesis genesis.json --peer /ip4/…/p2p/12D3KooW…",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			v, err := l.open(c)
			if err != nil {
				return err
			}
			defer v.close()
			done := slow(c.ErrOrStderr(), "waiting for a second peer to confirm the head")
			st := v.confirmed(c.Context())
			done()
			r := statusRow{Chain: v.Genesis.ChainID, Height: st.Height, Hash: hex.EncodeToString(st.Hash[:]),
				Time: time.UnixMilli(int64(st.TimeMS)).UTC().Format(time.RFC3339Nano), AppHash: hex.EncodeToString(st.AppHash),
				Epoch: v.epoch(), Validators: st.Validators, Peers: st.Peers, Witnesses: st.Witnesses, Warnings: []string{}}
			g := v.Genesis.Hash()
			r.Genesis = hex.EncodeToString(g[:])
			empty, err := state.ReadEmpty(v.values(c.Context()))
			if err != nil {
				return err
			}
			r.Away = []awayRow{}
			for _, a := range empty {
				r.Away = append(r.Away, awayRow{a.Node.String(), a.Missed, a.Blocks, a.Until})
			}
			if st.Witnesses == 0 {
				r.Warnings = append(r.Warnings, "one peer alone told of this head: if two thirds of the validators had signed two chains, it would go unnoticed; ask more peers with --peer")
			}
			if age := time.Since(time.UnixMilli(int64(st.TimeMS))); age > time.Minute {
				r.Warnings = append(r.Warnings, fmt.Sprintf("the newest block is %s old: the network stands still, or this machine's clock is wrong", age.Round(time.Second)))
			}
			if st.Err != nil {
				r.Warnings = append(r.Warnings, oneLine(st.Err.Error()))
			}
			if l.json {
				return printJSON(c.OutOrStdout(), r)
			}
			t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintf(t, "chain\t%s\ngenesis\t%s\nheight\t%d\nhash\t%s\ntime\t%s\napp hash\t%s\nepoch\t%d\nvalidators\t%d\npeers\t%d answered, %d confirm it\n",
				r.Chain, r.Genesis, r.Height, r.Hash, r.Time, r.AppHash, r.Epoch, r.Validators, r.Peers, r.Witnesses)
			for _, a := range r.Away {
				fmt.Fprintf(t, "away\t%s until epoch %d: missed %d of %d blocks\n", a.Node, a.UntilEpoch, a.Missed, a.Blocks)
			}
			if err := t.Flush(); err != nil {
				return err
			}
			for _, w := range r.Warnings {
				fmt.Fprintf(c.ErrOrStderr(), "warning: %s\n", w)
			}
			return nil
		},
	}
}

// confirmed is the status once a second peer has confirmed the head, or after a while
// without.
func (v *view) confirmed(ctx context.Context) light.Status {
	ctx, cancel := context.WithTimeout(ctx, witnessWait)
	defer cancel()
	for {
		st := v.Status()
		if st.Witnesses > 0 || v.Wait(ctx, st.Height+1) != nil {
			return st
		}
	}
}

// blockRow is a block whose transactions are proven complete.
type blockRow struct {
	Height       uint64           `json:"height"`
	Hash         string           `json:"hash"`
	Time         string           `json:"time"`
	Epoch        uint64           `json:"epoch"`
	Proposer     string           `json:"proposer"` // consensus address
	AppHash      string           `json:"app_hash"` // root of the state before it
	Transactions []tx.Description `json:"transactions"`
}

func ledgerBlock(l *ledgerFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "block [HEIGHT]",
		Short: "Show a block and its transactions, proven complete",
		Long: `block shows the newest block, or the one of a height. Height and hash are what
ledger.trust_height and ledger.trust_hash of somebody who trusts you want.`,
		Example: "  framemesh ledger block\n  framemesh ledger block 1000 --json",
		Args:    atMostOne("HEIGHT"),
		RunE: func(c *cobra.Command, args []string) error {
			var height uint64
			if len(args) == 1 {
				h, err := strconv.ParseUint(args[0], 10, 63)
				if err != nil || h == 0 {
					return withHint(fmt.Errorf("%q is no height", args[0]), "1 or more; without it the newest")
				}
				height = h
			}
			v, err := l.open(c)
			if err != nil {
				return err
			}
			defer v.close()
			done := slow(c.ErrOrStderr(), "asking for the block")
			b, err := v.Block(c.Context(), height)
			done()
			if err != nil {
				if head := v.Head().Height; height > head {
					return withHint(fmt.Errorf("there is no block %d yet", height), fmt.Sprintf("%d or less", head))
				}
				return explainLedger(err)
			}
			r := blockRow{Height: uint64(b.Header.Height), Hash: hex.EncodeToString(b.Header.Hash()), Time: b.Header.Time.UTC().Format(time.RFC3339Nano),
				Epoch: v.Genesis.Epoch(uint64(b.Header.Time.UnixMilli())), Proposer: hex.EncodeToString(b.Header.ProposerAddress),
				AppHash: hex.EncodeToString(b.Header.AppHash), Transactions: []tx.Description{}}
			// What the proposer adds for the randomness is no transaction of anybody.
			for _, raw := range b.Txs {
				if t, err := tx.Decode(raw); err == nil {
					r.Transactions = append(r.Transactions, t.Describe())
				}
			}
			if l.json {
				return printJSON(c.OutOrStdout(), r)
			}
			t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintf(t, "height\t%d\nhash\t%s\ntime\t%s\nepoch\t%d\nproposer\t%s\napp hash\t%s\ntransactions\t%d\n", r.Height, r.Hash, r.Time, r.Epoch, r.Proposer, r.AppHash, len(r.Transactions))
			for _, d := range r.Transactions {
				fmt.Fprintf(t, "  %s\t%s\tby %s\n", d.Operation, d.Hash, d.Signer)
			}
			return t.Flush()
		},
	}
}

// txRow is a transaction that is proven to be in a block.
type txRow struct {
	Height      uint64         `json:"height"`
	Index       uint32         `json:"index"`
	OK          bool           `json:"ok"`
	Code        uint32         `json:"code"`
	Rule        string         `json:"rule,omitempty"` // why it had no effect, for programs
	Why         string         `json:"why,omitempty"`  // in words, proven by nothing
	Transaction tx.Description `json:"transaction"`
}

func ledgerTx(l *ledgerFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "tx HASH",
		Short:   "Show a transaction and what became of it, both proven",
		Example: "  framemesh ledger tx 9f86d081884c7d65…\n  framemesh ledger tx 9f86d081884c7d65… --json",
		Args:    oneArg("HASH"),
		RunE: func(c *cobra.Command, args []string) error {
			b, err := hex.DecodeString(args[0])
			if err != nil || len(b) != 32 {
				return withHint(fmt.Errorf("%q is no hash of a transaction", args[0]), "64 hex digits, as the command that sent it printed them")
			}
			v, err := l.open(c)
			if err != nil {
				return err
			}
			defer v.close()
			done := slow(c.ErrOrStderr(), "looking for the transaction")
			in, err := v.Tx(c.Context(), [32]byte(b))
			done()
			if errors.Is(err, light.ErrNotFound) || errors.Is(err, light.ErrNotFull) {
				return withHint(fmt.Errorf("no peer that was asked knows a transaction %s in a block", args[0]), "again in a few seconds if it was just sent; one that is in no block two minutes after it was sent never will be")
			}
			if err != nil {
				return explainLedger(err)
			}
			t, err := tx.Decode(in.Tx)
			if err != nil {
				return withHint(err, "a newer version of this program")
			}
			r := txRow{Height: in.Height, Index: in.Index, OK: in.Code == 0, Code: in.Code, Transaction: t.Describe()}
			if in.Code != 0 {
				r.Why = oneLine(in.Text)
				for _, rule := range state.Rules() {
					if rule.Code == in.Code {
						r.Rule = rule.Name
					}
				}
			}
			if l.json {
				return printJSON(c.OutOrStdout(), r)
			}
			result := "took effect"
			if !r.OK {
				result = fmt.Sprintf("had no effect (code %d, %s): %s", r.Code, r.Rule, strings.TrimPrefix(r.Why, "state: "))
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%-24s %s\n%-24s %d, number %d in it\n%s", "result", result, "block", r.Height, r.Index, r.Transaction)
			return err
		},
	}
}

// supplyRow is where all money is.
type supplyRow struct {
	Height    uint64           `json:"height"`
	Symbol    string           `json:"symbol"`
	Supply    units            `json:"supply"`
	Balances  units            `json:"balances"`
	Stakes    units            `json:"stakes"`
	Unbonding units            `json:"unbonding"`
	Vesting   units            `json:"vesting"`
	Escrow    units            `json:"escrow"`
	Burned    units            `json:"burned"`
	Pools     map[string]units `json:"pools"`
	Sum       units            `json:"sum"`
	OK        bool             `json:"supply_ok"`
}

func ledgerSupply(l *ledgerFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "supply",
		Short: "Show where all money is, and that it sums to the supply to the last base unit",
		Long: `supply shows the running totals of every kind of purse, proven, and adds them up. They
must make the supply of the genesis file exactly; a node that sees otherwise stops.`,
		Example: "  framemesh ledger supply\n  framemesh ledger supply --json",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			v, err := l.open(c)
			if err != nil {
				return err
			}
			defer v.close()
			p, err := v.Value(c.Context(), state.TotalsKey())
			if err != nil {
				return explainLedger(err)
			}
			t, err := state.DecodeTotals(p.Value)
			if err != nil {
				return withHint(err, "a newer version of this program")
			}
			r := supplyOf(t, v.Genesis.Supply)
			r.Height, r.Symbol = p.Height, v.Genesis.Symbol
			if l.json {
				err = printJSON(c.OutOrStdout(), r)
			} else {
				err = r.print(c)
			}
			if err == nil && !r.OK {
				fmt.Fprintf(c.ErrOrStderr(), "the purses sum to %d base units, the supply is %d\n  try: send nothing, and tell the network's operators\n", uint64(r.Sum), uint64(r.Supply))
				return errFailed
			}
			return err
		},
	}
}

func supplyOf(t state.Totals, supply uint64) supplyRow {
	sum, fits := t.Sum()
	r := supplyRow{Supply: units(supply), Balances: units(t.Balances), Stakes: units(t.Stakes), Unbonding: units(t.Unbonding),
		Vesting: units(t.Vesting), Escrow: units(t.Escrow), Burned: units(t.Burned), Pools: map[string]units{}, Sum: units(sum), OK: fits && sum == supply}
	for _, p := range economics.Pools() {
		r.Pools[p.String()] = units(t.Pool(p))
	}
	return r
}

func (r supplyRow) print(c *cobra.Command) error {
	t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(name string, v units) {
		fmt.Fprintf(t, "%s\t%d.%08d %s\t\n", name, v/units(amount.FRM), v%units(amount.FRM), r.Symbol)
	}
	line("accounts", r.Balances)
	line("staked", r.Stakes)
	line("unbonding", r.Unbonding)
	line("vesting", r.Vesting)
	line("escrow of sessions", r.Escrow)
	for _, p := range economics.Pools() {
		line("pool "+p.String(), r.Pools[p.String()])
	}
	line("burned", r.Burned)
	line("sum", r.Sum)
	line("supply", r.Supply)
	if err := t.Flush(); err != nil {
		return err
	}
	if r.OK {
		_, err := fmt.Fprintf(c.OutOrStdout(), "equal to the last base unit, proven after block %d\n", r.Height)
		return err
	}
	return nil
}
