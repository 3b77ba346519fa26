package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
)

// sendFlags are the options of commands that send something from a key of the wallet.
type sendFlags struct {
	*ledgerFlags
	*walletFlags
	wallet string
	yes    bool
	noWait bool
}

// newSendFlags makes a command of its own, outside of a group, one that sends.
func newSendFlags(c *cobra.Command) *sendFlags {
	s := &sendFlags{ledgerFlags: &ledgerFlags{}, walletFlags: &walletFlags{}}
	s.ledgerFlags.add(c)
	s.walletFlags.add(c)
	s.addWallet(c)
	return s
}

// addWallet adds the choice of the key.
func (s *sendFlags) addWallet(c *cobra.Command) {
	c.Flags().StringVar(&s.wallet, "wallet", "", "the key that signs and pays the fee (default: the only one there is)")
	_ = c.RegisterFlagCompletionFunc("wallet", func(c *cobra.Command, _ []string, part string) ([]string, cobra.ShellCompDirective) {
		return s.names(s.ledgerFlags)(c, nil, part)
	})
	s.addSending(c)
}

func (s *sendFlags) addSending(c *cobra.Command) {
	c.Flags().BoolVar(&s.yes, "yes", false, "do not ask before sending")
	c.Flags().BoolVar(&s.noWait, "no-wait", false, "return as soon as a peer has taken it, without proof")
}

// order is something to be signed and sent.
type order struct {
	what string // in words, without an end
	ask  bool   // before sending
	// body makes it, for an account of which the ledger can be asked first.
	body func(ctx context.Context, v *view, a key.Address) (*tx.Body, error)
	// more is added to what is printed; may be nil.
	more func(p economics.Params, epoch uint64) string
}

// send carries an order out with the chosen key of the wallet.
func (s *sendFlags) send(c *cobra.Command, o order) error {
	w, err := s.walletFlags.open(c, s.ledgerFlags)
	if err != nil {
		return err
	}
	e, err := s.choose(w, s.wallet)
	if err != nil {
		return err
	}
	if o.ask {
		if err := confirm(c, s.yes, o.what); err != nil {
			return err
		}
	}
	k, err := s.unlock(c, w, e.Name)
	if err != nil {
		return err
	}
	v, err := s.openToSend(c)
	if err != nil {
		return err
	}
	defer v.close()
	body, err := o.body(c.Context(), v, e.Address)
	if err != nil {
		return err
	}
	return s.carry(c, v, k, e.Address, body, o)
}

// openToSend is open for as long as a transaction can take.
func (s *sendFlags) openToSend(c *cobra.Command) (*view, error) {
	return s.ledgerFlags.openFor(c, s.timeout+sendFor+sendGrace)
}

// carry sends a body and says what became of it.
func (s *sendFlags) carry(c *cobra.Command, v *view, k []byte, account key.Address, body *tx.Body, o order) error {
	p, err := v.params(c.Context())
	if err != nil {
		return err
	}
	r, err := newSender(v, v.Genesis.ChainID, !s.noWait, c.ErrOrStderr()).send(c.Context(), k, account, body)
	if r.Included {
		r.Fee = fmt.Sprint(p.TxFee)
	}
	if err != nil {
		if r.Included {
			fmt.Fprintf(c.ErrOrStderr(), "it is in block %d without effect, for the fee of %s: %s\n", r.Height, frm(p.TxFee), r.Hash)
		}
		return err
	}
	if s.json {
		return printJSON(c.OutOrStdout(), r)
	}
	out := c.OutOrStdout()
	if !r.Included {
		_, err := fmt.Fprintf(out, "sent: %s\n  %s\nIt is in no block yet: `framemesh ledger tx %s`\n", o.what, r.Hash, r.Hash)
		return err
	}
	fmt.Fprintf(out, "done: %s\n", o.what)
	if o.more != nil {
		if m := o.more(p, v.epoch()); m != "" {
			fmt.Fprintln(out, m)
		}
	}
	_, err = fmt.Fprintf(out, "  block %d, fee %s\n  %s\n", r.Height, frm(p.TxFee), r.Hash)
	return err
}

// simple makes an order whose body asks nothing of the ledger.
func simple(body *tx.Body) func(context.Context, *view, key.Address) (*tx.Body, error) {
	return func(context.Context, *view, key.Address) (*tx.Body, error) { return body, nil }
}

// nodeAndAmount reads "NODE AMOUNT", or AMOUNT alone for the node of the configuration.
func (s *sendFlags) nodeAndAmount(c *cobra.Command, args []string) (key.Node, string, error) {
	cfg, err := s.load(c)
	if err != nil {
		return key.Node{}, "", err
	}
	id, what := "own", args[len(args)-1]
	if len(args) == 2 {
		id = args[0]
	}
	n, err := nodeArg(cfg, id)
	return n, what, err
}

// oneOrTwoArgs wants LAST, with FIRST before it or not.
func oneOrTwoArgs(first, last string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch len(args) {
		case 1, 2:
			return nil
		case 0:
			return withHint(fmt.Errorf("%s is missing", last), fmt.Sprintf("`%s [%s] %s`", c.CommandPath(), first, last))
		}
		return withHint(fmt.Errorf("%s takes %s and %s, not %d arguments", c.CommandPath(), first, last, len(args)), fmt.Sprintf("`%s --help`", c.CommandPath()))
	}
}

// atMostOne wants an argument called what, or none.
func atMostOne(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) > 1 {
			return oneArg(what)(c, args)
		}
		return nil
	}
}

func stakeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "stake [NODE|own] [AMOUNT]",
		Short: "Bond money on a node, so that it may work and be chosen",
		Long: `stake bonds AMOUNT FRM on a registered node of this account. It can be taken back with
unstake, and is free some time later; until then it can be slashed for what the node does.

Without AMOUNT it only shows what is bonded on a node, what its roles need, and until when. What
a container needs follows its measured score and what such machines earn; it is fixed for a
time, and when it rises there is a grace to stake more.`,
		Example: `  framemesh stake                          what the node of this configuration needs
  framemesh stake 1334.22                  on that node
  framemesh stake 12D3KooW… 1000 --wallet node-1 --yes`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return oneOrTwoArgs("NODE|own", "AMOUNT")(c, args)
		},
	}
	s := newSendFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 || (len(args) == 1 && isNode(args[0])) {
			return s.showStake(c, args)
		}
		n, text, err := s.nodeAndAmount(c, args)
		if err != nil {
			return err
		}
		a, err := amountArg(text)
		if err != nil {
			return err
		}
		return s.send(c, order{what: fmt.Sprintf("stake %s on %s", frm(uint64(a)), n), ask: true,
			body: simple(&tx.Body{Op: &tx.Body_Stake{Stake: &tx.Stake{Node: n[:], Amount: uint64(a)}}})})
	}
	return c
}

func unstakeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "unstake [NODE|own] AMOUNT|all",
		Short: "Take stake back; it is free after the unbonding time",
		Long: `unstake takes AMOUNT FRM, or all, off a node. What stays must be nothing or what the
node's roles need. The money can be claimed when the unbonding time is over, and can be
slashed until then.`,
		Example: `  framemesh unstake all
  framemesh unstake 12D3KooW… 250 --yes`,
		Args: oneOrTwoArgs("NODE|own", "AMOUNT|all"),
	}
	s := newSendFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		n, text, err := s.nodeAndAmount(c, args)
		if err != nil {
			return err
		}
		op, what := &tx.Unbond{Node: n[:]}, fmt.Sprintf("unstake all of %s", n)
		if text != "all" {
			a, err := amountArg(text)
			if err != nil {
				return err
			}
			op.Amount, what = uint64(a), fmt.Sprintf("unstake %s of %s", frm(uint64(a)), n)
		}
		return s.send(c, order{what: what, ask: true,
			body: func(ctx context.Context, v *view, _ key.Address) (*tx.Body, error) {
				if op.Amount == 0 {
					st, _, err := read(ctx, v, state.StakeKey(n), state.DecodeStake)
					if err != nil {
						return nil, err
					}
					if op.Amount = st.Amount; op.Amount == 0 {
						return nil, withHint(fmt.Errorf("nothing is staked on %s", n), "another node's id")
					}
				}
				return &tx.Body{Op: &tx.Body_Unbond{Unbond: op}}, nil
			},
			more: func(p economics.Params, epoch uint64) string {
				free := p.Matures(epoch, p.UnbondEpochs)
				return fmt.Sprintf("  %s, free in epoch %d; then `framemesh claim`", frm(op.Amount), free)
			}})
	}
	return c
}

func delegateCommand() *cobra.Command {
	var epochs uint64
	var cut string
	c := &cobra.Command{
		Use:   "delegate [NODE]",
		Short: "Let a node's key act for this account: report, settle sessions, vote",
		Long: `delegate lets a node's key act for the account: report, settle sessions, change its own
region and price, vote. It can never move the account's money; fees of what it sends are the
account's. So the key of the money need not be on the machine that is on the network.`,
		Example: `  framemesh delegate                       the node of this configuration, as long as possible
  framemesh delegate 12D3KooW… --epochs 96 --cut 2.5`,
		Args: atMostOne("NODE"),
	}
	s := newSendFlags(c)
	c.Flags().Uint64Var(&epochs, "epochs", 0, "for how many epochs (default: as long as the network lets)")
	c.Flags().StringVar(&cut, "cut", "0", "percent of the node's rewards that go to the node key's own account")
	c.RunE = func(c *cobra.Command, args []string) error {
		n, err := s.nodeOf(c, args)
		if err != nil {
			return err
		}
		ppm, err := percent(cut)
		if err != nil {
			return err
		}
		var last uint64
		return s.send(c, order{what: fmt.Sprintf("let %s act for the account", n),
			body: func(ctx context.Context, v *view, _ key.Address) (*tx.Body, error) {
				p, err := v.params(ctx)
				if err != nil {
					return nil, err
				}
				span := epochs
				if span == 0 {
					span = p.DelegationMaxEpochs
				}
				if span > p.DelegationMaxEpochs {
					return nil, withHint(fmt.Errorf("--epochs %d is more than the network lets", span), fmt.Sprintf("%d or less", p.DelegationMaxEpochs))
				}
				last = v.epoch() + span
				return &tx.Body{Op: &tx.Body_Delegate{Delegate: &tx.Delegate{Node: n[:], ExpiresEpoch: last, CutPpm: ppm}}}, nil
			},
			more: func(economics.Params, uint64) string { return fmt.Sprintf("  until the end of epoch %d", last) }})
	}
	return c
}

// percent reads "2.5" as 25 000 parts per million, exactly.
func percent(text string) (uint32, error) {
	const perPPM = uint64(amount.FRM) / (amount.PPM / 100)
	a, err := amount.Parse(text)
	if err != nil || uint64(a)%perPPM != 0 || uint64(a)/perPPM > amount.PPM {
		return 0, withHint(fmt.Errorf("%q is no percentage", text), "0 to 100 with at most four decimals, such as 2.5")
	}
	return uint32(uint64(a) / perPPM), nil
}

// nodeOf is the node that the only argument names, or that of the configuration.
func (s *sendFlags) nodeOf(c *cobra.Command, args []string) (key.Node, error) {
	cfg, err := s.load(c)
	if err != nil {
		return key.Node{}, err
	}
	if len(args) == 0 {
		return nodeArg(cfg, "own")
	}
	return nodeArg(cfg, args[0])
}

func revokeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "revoke [NODE]",
		Short:   "Take back what was delegated to a node's key",
		Example: "  framemesh revoke\n  framemesh revoke 12D3KooW… --wallet savings",
		Args:    atMostOne("NODE"),
	}
	s := newSendFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		n, err := s.nodeOf(c, args)
		if err != nil {
			return err
		}
		return s.send(c, order{what: fmt.Sprintf("%s no longer acts for the account", n),
			body: simple(&tx.Body{Op: &tx.Body_Revoke{Revoke: &tx.Revoke{Node: n[:]}}})})
	}
	return c
}

func retireCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "retire [NODE]",
		Short:   "Take a node without stake out of the registry",
		Example: "  framemesh unstake all, wait, claim; then\n  framemesh retire",
		Args:    atMostOne("NODE"),
	}
	s := newSendFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		n, err := s.nodeOf(c, args)
		if err != nil {
			return err
		}
		return s.send(c, order{what: fmt.Sprintf("%s leaves the registry", n), ask: true,
			body: simple(&tx.Body{Op: &tx.Body_Retire{Retire: &tx.Retire{Node: n[:]}}})})
	}
	return c
}
