package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/chain"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/wallet"
	"github.com/framemesh/framemesh/node"
)

// maxNodeFile bounds the description of one node for a genesis file, in bytes.
const maxNodeFile = 16 << 10

func ledgerKeys(l *ledgerFlags) *cobra.Command {
	var f walletFlags
	var owner, stake, region, class string
	var roles []string
	var price, score uint64
	var full bool
	c := &cobra.Command{
		Use:   "keys",
		Short: "Make this node's keys and print its entry for a genesis file",
		Long: `keys makes the node's own key, and for a validator the keys that sign blocks and prove the
randomness, where they do not exist yet, and prints the entry that a genesis file needs:
give it to whoever builds the file. For a validator it also says what the others write into
ledger.peers, and for a node with ledger.oracle_file the account whose prices count. The secret parts stay in <data_dir> and
<data_dir>/ledger with mode 0600: back them up, and never run two nodes with them.`,
		Example: `  framemesh ledger keys --owner savings --stake 10000 > validator-1.json
  framemesh ledger keys --owner frm1… --stake 1334.22 --role container --rp 100 > container-1.json`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := l.load(c)
			if err != nil {
				return err
			}
			w, err := f.open(c, l)
			if err != nil {
				return err
			}
			if len(roles) == 0 && !l.configured(c) {
				roles = []string{"checker"} // nothing says what else it is to be
			}
			n, err := describeNode(cfg, w, owner, stake, roles, full)
			if err != nil {
				return err
			}
			n.Region, n.Delegate = cfg.Region, true
			if c.Flags().Changed("region") {
				n.Region = region
			}
			if economics.Role(n.Roles).Has(economics.RoleContainer) {
				n.Price = cfg.Container.Price
			}
			if c.Flags().Changed("price") {
				n.Price = price
			}
			if n.RPMilli, err = trustedScore(score, n.Roles); err != nil {
				return err
			}
			if err := n.Class.UnmarshalText([]byte(class)); err != nil {
				return withHint(err, "--class edge or enterprise")
			}
			fmt.Fprintf(c.ErrOrStderr(), "the entry of %s, with %s staked\n", entryText(n), frm(n.Stake))
			if n.Validates() {
				at := cfg.Ledger.Listen
				if at == "" {
					at = "HOST:PORT" // of its ledger.listen, once it has one
				}
				fmt.Fprintf(c.ErrOrStderr(), "the others reach this one by \"%s@%s\" in their ledger.peers\n", chain.PeerID(n.Node[:]), at)
			}
			if cfg.Ledger.OracleFile != "" {
				fmt.Fprintf(c.ErrOrStderr(), "its prices of a dollar are signed by %s: `genesis build` needs it as --oracle\n", key.Address(n.Node))
			}
			return printJSON(c.OutOrStdout(), n)
		},
	}
	fl := c.Flags()
	fl.StringVar(&f.dir, "wallets", "", "folder of the keys (default <data_dir>/wallets)")
	fl.StringVar(&owner, "owner", "", "account that owns the node: an address, or a key of the wallet (default: the only one there is)")
	fl.StringVar(&stake, "stake", "", "FRM to bond on it (default: what its roles need on the main network)")
	fl.StringSliceVar(&roles, "role", nil, "container, indexer or checker; may be repeated (default: roles of the configuration; without one, checker)")
	fl.BoolVar(&full, "no-validate", false, "a checker that makes no blocks")
	fl.StringVar(&region, "region", "", "default: region of the configuration")
	fl.Uint64Var(&price, "price", 0, "µUSD per hour of a container (default: that of the configuration)")
	fl.StringVar(&class, "class", "edge", "hardware class: edge or enterprise")
	fl.Uint64Var(&score, "rp", 0, "RenderPoints that the network trusts a container with until a round measures it, as `framemesh bench` shows them")
	return c
}

// entryText says what a genesis file makes of a node.
func entryText(n genesis.Node) string {
	text := roleText(economics.Role(n.Roles))
	if n.Validates() {
		text += " that makes blocks"
	}
	return text
}

// trustedScore is what a genesis file says of a container before anybody measured it, in milli-RP.
func trustedScore(score uint64, roles genesis.Roles) (uint64, error) {
	switch {
	case score != 0 && !economics.Role(roles).Has(economics.RoleContainer):
		return 0, withHint(errors.New("--rp is the score of a container, and this node is none"), "--role container, or without --rp")
	case score > genesis.MostRP:
		return 0, withHint(fmt.Errorf("--rp %d", score), fmt.Sprintf("RenderPoints up to %d", genesis.MostRP))
	}
	return 1000 * score, nil
}

// describeNode makes the keys that a node needs, and the entry that names them.
func describeNode(cfg node.Config, w *wallet.Wallet, owner, stake string, roles []string, full bool) (n genesis.Node, err error) {
	role, err := rolesOf(roles, cfg)
	if err != nil {
		return n, err
	}
	n.Roles = genesis.Roles(role)
	if owner == "" {
		e, err := new(walletFlags).choose(w, "")
		if err != nil {
			return n, err
		}
		n.Owner = e.Address
	} else if n.Owner, err = addressArg(w, owner); err != nil {
		return n, err
	}
	validates := role.Has(economics.RoleChecker) && !full
	n.Stake = economics.DefaultParams().StakeFor(role, validates, economics.DefaultParams().ContainerStake)
	if stake != "" {
		a, err := amountArg(stake)
		if err != nil {
			return n, err
		}
		n.Stake = uint64(a)
	}
	k, err := ownNodeKey(cfg, true)
	if err != nil {
		return n, err
	}
	n.Node = k.id()
	if validates {
		consensus, vrf, err := validatorKeys(cfg)
		if err != nil {
			return n, err
		}
		n.ConsensusKey, n.VRFKey = consensus, vrf
	}
	return n, nil
}

func genesisCommand() *cobra.Command {
	c := group(&cobra.Command{
		Use:   "genesis",
		Short: "Build and check genesis files",
		Example: `  framemesh ledger genesis build --chain mynet --node validator-1.json --account frm1…=1000
  framemesh ledger genesis check genesis.json`,
	})
	c.AddCommand(genesisBuild(), genesisCheck())
	return c
}

// genesisPlan is what genesis build is told.
type genesisPlan struct {
	chain, start, pool, out  string
	nodes, accounts, oracles []string
	grants, params           []string
}

func genesisBuild() *cobra.Command {
	var g genesisPlan
	var asJSON bool
	c := &cobra.Command{
		Use:   "build",
		Short: "Write the genesis file of a new network",
		Long: `build divides the supply as the main network does, takes what accounts and nodes begin with
out of one pool, and writes a file that sums to the supply exactly or none. Everybody who
joins the network needs this very file: publish its hash. The time is when epoch 0 begins;
validators wait for it.

What a pool of the team, the investors, the ecosystem, the DAO or the airdrop gives to nobody stays
there, where no transaction reaches it. A --grant names who receives it; it becomes free over
the months that the main network's table names for that pool.`,
		Example: `  framemesh ledger genesis build --chain mynet --node validator-1.json --account frm1…=1000
  framemesh ledger genesis build --chain test-1 --node a.json --node b.json \
      --param epoch_seconds=60 --oracle frm1… --time 2027-01-01T00:00:00Z --out test-1.json
  framemesh ledger genesis build --chain mynet --node validator-1.json --grant team:frm1…=7350000000`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			d, err := g.build(time.Now())
			if err != nil {
				return err
			}
			raw, err := d.Marshal()
			if err != nil {
				return err
			}
			file, err := os.OpenFile(g.out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
			if errors.Is(err, fs.ErrExist) {
				return withHint(fmt.Errorf("%s is already there and stays as it is", g.out), "another name with --out: a network keeps its genesis file for ever")
			}
			if err != nil {
				return withHint(err, "a folder that exists and that you may write to, with --out")
			}
			_, err = file.Write(append(raw, '\n'))
			if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
				_ = os.Remove(g.out)
				return withHint(err, "another disk, with --out")
			}
			return printGenesis(c, g.out, d, asJSON)
		},
	}
	f := c.Flags()
	f.StringVar(&g.chain, "chain", "", "name of the network: 1 to 32 of a-z, 0-9 and -")
	f.StringVar(&g.start, "time", "", "start of epoch 0 as in 2027-01-01T00:00:00Z (default: now)")
	f.StringSliceVar(&g.nodes, "node", nil, "file with a node's entry, as `ledger keys` prints it; may be repeated")
	f.StringSliceVar(&g.accounts, "account", nil, "ADDRESS=AMOUNT of FRM that an account begins with; may be repeated")
	f.StringSliceVar(&g.grants, "grant", nil, "POOL:ADDRESS=AMOUNT of FRM out of a pool, freed as that pool is; may be repeated")
	f.StringSliceVar(&g.oracles, "oracle", nil, "account whose quotes of the dollar count; may be repeated")
	f.StringSliceVar(&g.params, "param", nil, "NAME=VALUE of a parameter, amounts in FRM; may be repeated")
	f.StringVar(&g.pool, "from", "ecosystem", "pool that accounts and stakes are taken out of")
	f.StringVar(&g.out, "out", "genesis.json", "where to write it; never overwritten")
	f.BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

// build makes the file's content.
func (g *genesisPlan) build(now time.Time) (*genesis.Doc, error) {
	if g.chain == "" {
		return nil, withHint(errors.New("--chain is missing"), "a name for the network, such as --chain mynet")
	}
	plan := genesis.Plan{Chain: g.chain, Time: now.UTC().Truncate(time.Second), From: g.pool}
	if g.start != "" {
		at, err := time.Parse(time.RFC3339, g.start)
		if err != nil {
			return nil, withHint(fmt.Errorf("--time %q", g.start), "a time such as 2027-01-01T00:00:00Z")
		}
		plan.Time = at
	}
	p, err := genesisParams(g.params)
	if err != nil {
		return nil, err
	}
	plan.Params = &p
	for _, path := range g.nodes {
		n, err := readNode(path)
		if err != nil {
			return nil, err
		}
		plan.Nodes = append(plan.Nodes, n)
	}
	for _, text := range g.accounts {
		a, v, err := receives(text)
		if err != nil {
			return nil, withHint(fmt.Errorf("--account %q: %w", text, err), "ADDRESS=AMOUNT, such as frm1…=1000: FRM with at most eight decimals")
		}
		plan.Accounts = append(plan.Accounts, genesis.Account{Address: a, Amount: v})
	}
	for _, text := range g.grants {
		name, to, _ := strings.Cut(text, ":")
		pool, ok := economics.ParsePool(name)
		a, v, err := receives(to)
		if !ok && err == nil {
			err = fmt.Errorf("there is no pool %.40q", name)
		}
		if err != nil {
			return nil, withHint(fmt.Errorf("--grant %q: %w", text, err), "POOL:ADDRESS=AMOUNT, such as team:frm1…=1000: FRM with at most eight decimals")
		}
		plan.Granted = append(plan.Granted, genesis.Granted{From: pool, To: a, Amount: v})
	}
	for _, text := range g.oracles {
		a, err := key.ParseAddress(text)
		if err != nil {
			return nil, withHint(fmt.Errorf("--oracle: %w", err), "an address, frm1…")
		}
		plan.Oracles = append(plan.Oracles, a)
	}
	d, err := genesis.Build(plan)
	return d, explainGenesis(err)
}

// receives reads ADDRESS=AMOUNT; the amount is in base units then.
func receives(text string) (key.Address, uint64, error) {
	at, sum, ok := strings.Cut(text, "=")
	if !ok {
		return key.Address{}, 0, errors.New("an amount is missing")
	}
	a, err := key.ParseAddress(at)
	if err != nil {
		return a, 0, err
	}
	v, err := amount.Parse(sum)
	if err == nil && v == 0 {
		err = errors.New("an amount of 0 is nothing")
	}
	return a, uint64(v), err
}

// explainGenesis adds what to try to the errors of building that need it.
func explainGenesis(err error) error {
	switch {
	case errors.Is(err, genesis.ErrValidators):
		return withHint(err, "--node with the entry of a checker that validates: `framemesh ledger keys` on its machine prints it")
	case errors.Is(err, genesis.ErrFunds):
		return withHint(err, "smaller amounts, or another pool with --from")
	}
	return withHint(err, "`framemesh ledger genesis build --help` has examples")
}

// genesisParams are the main network's with changes, also of those that no vote can make.
func genesisParams(changes []string) (p economics.Params, err error) {
	raw, err := json.Marshal(economics.DefaultParams())
	if err != nil {
		return p, err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		return p, err
	}
	for _, text := range changes {
		name, value, _ := strings.Cut(text, "=")
		if !slices.Contains(economics.ParamNames(), name) {
			return p, withHint(fmt.Errorf("--param %q: there is no parameter %q", text, name), "one of "+strings.Join(economics.ParamNames(), ", "))
		}
		v, err := paramValue(name, value)
		if err != nil {
			return p, err
		}
		low, high, _ := economics.Bounds(name)
		if v < low || v > high {
			return p, withHint(fmt.Errorf("%s cannot be %s", name, paramText(name, v)), fmt.Sprintf("%s to %s", paramText(name, low), paramText(name, high)))
		}
		all[name] = json.RawMessage(fmt.Sprint(v))
		if isAmount(name) {
			all[name] = json.RawMessage(fmt.Sprintf("%q", fmt.Sprint(v)))
		}
	}
	if raw, err = json.Marshal(all); err != nil {
		return p, err
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return p, err
	}
	return p, withHint(p.Validate(), "other values with --param: parts of a whole must sum to 10000 bps")
}

// readNode reads a node's entry, as keys prints it.
func readNode(path string) (n genesis.Node, err error) {
	b, err := readLimited(path, maxNodeFile)
	if err != nil {
		return n, err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err = d.Decode(&n); err == nil && d.More() {
		err = errors.New("more than one entry")
	}
	if err != nil {
		return n, withHint(fmt.Errorf("%s: %w", path, err), "a file that `framemesh ledger keys` printed, one node in each")
	}
	return n, nil
}
