package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/light"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
)

// keysOf lists the keys with a prefix, as several full peers name them together; ok is false
// where none of those that were asked keeps the state. What is under a key is proven when it
// is read; that none is missing, nobody can prove.
func (v *view) keysOf(ctx context.Context, prefix []byte) (keys [][]byte, ok bool, err error) {
	keys, err = v.Keys(ctx, prefix)
	if errors.Is(err, light.ErrNoPeers) || errors.Is(err, light.ErrNotFull) {
		return nil, false, nil
	}
	return keys, err == nil, explainLedger(err)
}

// units are base units as JSON holds them: a decimal string, of which no reader loses digits.
type units uint64

// MarshalText implements encoding.TextMarshaler.
func (u units) MarshalText() ([]byte, error) { return strconv.AppendUint(nil, uint64(u), 10), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (u *units) UnmarshalText(b []byte) error {
	v, err := strconv.ParseUint(string(b), 10, 64)
	*u = units(v)
	return err
}

// lotRow is money that becomes free.
type lotRow struct {
	Held     units  `json:"held"`
	Free     units  `json:"free_now"`       // can be claimed
	From     uint64 `json:"free_epoch"`     // when the first of it is free
	Complete uint64 `json:"all_free_in"`    // epoch in which all of it is
	Node     string `json:"node,omitempty"` // whose stake it was
	// Early is what of it may leave early, at a loss, from epoch EarlyFrom on: rewards of a checker.
	Early     units  `json:"may_leave_early,omitempty"`
	EarlyFrom uint64 `json:"early_epoch,omitempty"`
}

// balance is what an account owns.
type balance struct {
	Name      string      `json:"name,omitempty"`
	Address   key.Address `json:"address"`
	Symbol    string      `json:"symbol"`
	Height    uint64      `json:"height"` // of the block whose state is proven
	Epoch     uint64      `json:"epoch"`
	Exists    bool        `json:"exists"`
	Free      units       `json:"free"`
	Nonce     uint64      `json:"nonce"`
	Nodes     uint32      `json:"nodes"`
	allLots   bool        // print each lot
	Listed    bool        `json:"listed"` // vesting, unbonding and staked are known
	Claimable units       `json:"claimable"`
	Vesting   []lotRow    `json:"vesting"`
	Unbonding []lotRow    `json:"unbonding"`
	Staked    []stakeRow  `json:"staked"`
}

// stakeRow is what is bonded on one node.
type stakeRow struct {
	Node   key.Node `json:"node"`
	Amount units    `json:"amount"`
	Jailed bool     `json:"jailed,omitempty"`
	Out    bool     `json:"tombstoned,omitempty"`
}

func walletBalance(l *ledgerFlags, f *walletFlags) *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "balance [NAME|ADDRESS]",
		Short: "Show what an account owns, proven by the ledger",
		Example: `  framemesh wallet balance savings
  framemesh wallet balance frm1… --json`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return oneArg("NAME|ADDRESS")(c, args)
			}
			return nil
		},
		ValidArgsFunction: f.names(l),
		RunE: func(c *cobra.Command, args []string) error {
			w, err := f.open(c, l)
			if err != nil {
				return err
			}
			b := balance{allLots: all}
			if len(args) == 1 {
				if b.Address, err = addressArg(w, args[0]); err == nil && args[0] != b.Address.String() {
					b.Name = args[0]
				}
			} else {
				e, e2 := f.choose(w, "")
				b.Name, b.Address, err = e.Name, e.Address, e2
			}
			if err != nil {
				return err
			}
			v, err := l.open(c)
			if err != nil {
				return err
			}
			defer v.close()
			done := slow(c.ErrOrStderr(), "asking for proofs")
			err = b.read(c.Context(), v)
			done()
			if err != nil {
				return err
			}
			if l.json {
				return printJSON(c.OutOrStdout(), b)
			}
			b.print(c)
			return nil
		},
	}
	c.Flags().BoolVar(&all, "lots", false, "show each lot that vests, not only the next ones")
	return c
}

// read fills b in.
func (b *balance) read(ctx context.Context, v *view) error {
	p, err := v.Value(ctx, state.AccountKey(b.Address))
	if err != nil {
		return explainLedger(err)
	}
	b.Height, b.Epoch, b.Symbol = p.Height, v.epoch(), v.Genesis.Symbol
	b.Vesting, b.Unbonding, b.Staked = []lotRow{}, []lotRow{}, []stakeRow{}
	if p.Value != nil {
		acct, err := state.DecodeAccount(p.Value)
		if err != nil {
			return err
		}
		b.Exists, b.Free, b.Nonce, b.Nodes = true, units(acct.Balance), acct.Nonce, acct.Nodes
	}
	if err := b.readVesting(ctx, v); err != nil {
		return err
	}
	return b.readStakes(ctx, v)
}

func (b *balance) readVesting(ctx context.Context, v *view) error {
	lots, ok, err := v.keysOf(ctx, keyPrefix(state.VestingKey(b.Address, 0, 0), 16))
	if err != nil || !ok {
		return err
	}
	b.Listed = true
	for _, k := range lots {
		a, free, linear, good := state.ParseVestingKey(k)
		lot, there, err := read(ctx, v, k, state.DecodeLot)
		if err != nil {
			return err
		}
		if good && there && a == b.Address {
			now := lot.Free(free, linear, b.Epoch)
			b.Vesting = append(b.Vesting, lotRow{Held: units(lot.Held), Free: units(now), From: free, Complete: free + linear, Early: units(lot.Early), EarlyFrom: lot.From})
			b.Claimable += units(now)
		}
	}
	back, _, err := v.keysOf(ctx, keyPrefix(state.UnbondingKey(b.Address, key.Node{}, 0), key.Size+8))
	if err != nil {
		return err
	}
	for _, k := range back {
		a, n, free, good := state.ParseUnbondingKey(k)
		u, there, err := read(ctx, v, k, state.DecodeUnbonding)
		if err != nil {
			return err
		}
		if good && there && a == b.Address {
			row := lotRow{Held: units(u.Amount), From: free, Complete: free, Node: n.String()}
			if free <= b.Epoch {
				row.Free = row.Held
				b.Claimable += row.Free
			}
			b.Unbonding = append(b.Unbonding, row)
		}
	}
	return nil
}

// readStakes looks at the nodes that the account has delegated to, and at the one of this
// configuration: an account's nodes are in no list of its own.
func (b *balance) readStakes(ctx context.Context, v *view) error {
	var nodes []key.Node
	if own, err := ownNodeKey(v.cfg, false); err == nil {
		nodes = append(nodes, own.id())
	}
	prefix := keyPrefix(state.DelegationKey(b.Address, key.Node{}), key.Size)
	keys, _, err := v.keysOf(ctx, prefix)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if len(k) == len(prefix)+key.Size && (len(nodes) == 0 || key.Node(k[len(prefix):]) != nodes[0]) {
			nodes = append(nodes, key.Node(k[len(prefix):]))
		}
	}
	for _, n := range nodes {
		entry, ok, err := read(ctx, v, state.NodeKey(n), state.DecodeNode)
		if err != nil {
			return err
		}
		if !ok || entry.Owner != b.Address {
			continue
		}
		s, ok, err := read(ctx, v, state.StakeKey(n), state.DecodeStake)
		if err != nil {
			return err
		}
		if ok {
			b.Staked = append(b.Staked, stakeRow{n, units(s.Amount), s.Jailed, s.Tombstoned})
		}
	}
	return nil
}

func (b *balance) print(c *cobra.Command) {
	t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	if b.Name != "" {
		fmt.Fprintf(t, "key\t%s\n", b.Name)
	}
	fmt.Fprintf(t, "address\t%s\n", b.Address)
	fmt.Fprintf(t, "free\t%s\n", frm(uint64(b.Free)))
	if !b.Exists {
		fmt.Fprintf(t, "\tproven: this address has never owned or sent anything\n")
	}
	if b.Claimable > 0 {
		fmt.Fprintf(t, "to claim now\t%s; `framemesh claim`\n", frm(uint64(b.Claimable)))
	}
	b.printVesting(t)
	for _, r := range b.Unbonding {
		fmt.Fprintf(t, "unbonding\t%s from %s, free in epoch %d\n", frm(uint64(r.Held)), r.Node, r.From)
	}
	for _, s := range b.Staked {
		note := ""
		if s.Jailed {
			note = ", jailed: no role counts until more is staked"
		}
		if s.Out {
			note = ", out for good"
		}
		fmt.Fprintf(t, "staked\t%s on %s%s\n", frm(uint64(s.Amount)), s.Node, note)
	}
	if !b.Listed {
		fmt.Fprintf(t, "\tvesting and unbonding are not listed by the peers that were asked\n")
	}
	if b.Nodes > 0 {
		fmt.Fprintf(t, "nodes\t%d registered\n", b.Nodes)
	}
	fmt.Fprintf(t, "proven\tafter block %d, epoch %d\n", b.Height, b.Epoch)
	t.Flush()
}

// shownLots are the lots of vesting that people are shown without asking for all.
const shownLots = 5

// printVesting sums what is not free yet and shows the lots that come next: a node that earns has
// one for each day or round, and those that are free are part of what can be claimed.
func (b *balance) printVesting(w io.Writer) {
	var sum, last uint64
	var lots []lotRow
	for _, r := range b.Vesting {
		if r.Free == r.Held {
			continue
		}
		lots = append(lots, r)
		sum += uint64(r.Held - r.Free)
		last = max(last, r.Complete)
	}
	if len(lots) > 1 {
		fmt.Fprintf(w, "vesting\t%s in %d lots, all of it free in epoch %d\n", frm(sum), len(lots), last)
	}
	most := shownLots
	if b.allLots || len(lots) == most+1 {
		most = len(lots)
	}
	for i, r := range lots[:min(most, len(lots))] {
		head := ""
		if i == 0 && len(lots) == 1 {
			head = "vesting"
		}
		until := fmt.Sprintf("in epoch %d", r.From)
		if r.Complete != r.From {
			until = fmt.Sprintf("from epoch %d to %d", r.From, r.Complete)
		}
		if r.Early > 0 && r.Free == 0 {
			until += fmt.Sprintf("; from epoch %d on %s may leave at a loss: `framemesh claim --early`", r.EarlyFrom, frm(uint64(r.Early)))
		}
		fmt.Fprintf(w, "%s\t%s, free %s\n", head, frm(uint64(r.Held)), until)
	}
	if more := len(lots) - most; more > 0 {
		fmt.Fprintf(w, "\t… and %d more; --lots shows each\n", more)
	}
}

func walletSend(l *ledgerFlags, f *walletFlags) *cobra.Command {
	var memo string
	s := sendFlags{ledgerFlags: l, walletFlags: f}
	c := &cobra.Command{
		Use:   "send NAME TO AMOUNT",
		Short: "Pay: move money from a key of this wallet to an address",
		Long: `send moves AMOUNT FRM, with up to eight decimals, to TO, which is an address or the name
of a key of this wallet. It asks before it sends, and returns when the payment is proven to
be in a block. A payment cannot be taken back.`,
		Example: `  framemesh wallet send savings frm1… 12.5
  framemesh wallet send savings node-1 100 --yes --json`,
		Args: exactArgs("NAME", "TO", "AMOUNT"),
		ValidArgsFunction: func(c *cobra.Command, args []string, part string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 1 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return f.names(l)(c, nil, part)
		},
		RunE: func(c *cobra.Command, args []string) error {
			w, err := f.open(c, l)
			if err != nil {
				return err
			}
			to, err := addressArg(w, args[1])
			if err != nil {
				return err
			}
			a, err := amountArg(args[2])
			if err != nil {
				return err
			}
			if len(memo) > tx.MaxMemo {
				return withHint(fmt.Errorf("--memo has %d bytes", len(memo)), fmt.Sprintf("at most %d; everybody can read it for ever", tx.MaxMemo))
			}
			s.wallet = args[0]
			return s.send(c, order{
				what: fmt.Sprintf("%s from %s to %s", frm(uint64(a)), args[0], to), ask: true,
				body: func(context.Context, *view, key.Address) (*tx.Body, error) {
					return &tx.Body{Op: &tx.Body_Transfer{Transfer: &tx.Transfer{To: to[:], Amount: uint64(a), Memo: memo}}}, nil
				},
			})
		},
	}
	s.addSending(c)
	c.Flags().StringVar(&memo, "memo", "", "a few words for everybody to read, for ever")
	return c
}

// amountArg reads an amount of FRM that is not nothing.
func amountArg(text string) (amount.Amount, error) {
	a, err := amount.Parse(text)
	if err == nil && a == 0 {
		err = fmt.Errorf("%w: 0 moves nothing", amount.ErrAmount)
	}
	if err != nil {
		return 0, withHint(err, "FRM with at most eight decimals and a point, such as 12.5 or 0.00000001")
	}
	return a, nil
}

// exactArgs wants these arguments and no others.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return withHint(fmt.Errorf("%s is missing", names[len(args)]), fmt.Sprintf("`%s --help` has examples", c.CommandPath()))
		case len(args) > len(names):
			return withHint(fmt.Errorf("%q is one argument too many", args[len(names)]), "quotes around a name that has spaces")
		}
		return nil
	}
}

// keyPrefix is what all keys have in common that differ from k in their last n bytes only.
func keyPrefix(k []byte, n int) []byte { return k[:len(k)-n] }
