package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/framemesh/framemesh/ledger/chain"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/subnet"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/node"
)

// roleNames are the roles that the ledger knows.
var roleNames = []struct {
	name string
	role economics.Role
}{{"container", economics.RoleContainer}, {"indexer", economics.RoleIndexer}, {"checker", economics.RoleChecker}}

// rolesOf adds roles up; those of a configuration that the ledger does not know are left out.
func rolesOf(names []string, cfg node.Config) (r economics.Role, err error) {
	if len(names) == 0 {
		for _, k := range roleNames {
			if cfg.Has(node.Role(k.name)) {
				r |= k.role
			}
		}
		if r == 0 {
			return 0, withHint(fmt.Errorf("the configuration has no role that is registered"), "--role container, indexer or checker")
		}
		return r, nil
	}
	for _, n := range names {
		i := slices.IndexFunc(roleNames, func(k struct {
			name string
			role economics.Role
		}) bool {
			return k.name == n
		})
		if i < 0 {
			return 0, withHint(fmt.Errorf("--role %q is none", n), "container, indexer or checker")
		}
		r |= roleNames[i].role
	}
	return r, nil
}

// roleText names roles.
func roleText(r economics.Role) string {
	var out []string
	for _, k := range roleNames {
		if r.Has(k.role) {
			out = append(out, k.name)
		}
	}
	return strings.Join(out, " ")
}

func registerCommand() *cobra.Command {
	var roles, subnets []string
	var region, class string
	var price uint64
	var validates, show bool
	var score uint64
	c := &cobra.Command{
		Use:   "register",
		Short: "Register this machine's node under an account, or change its entry",
		Long: `register enters the node of this configuration into the registry, owned by the account of
a key of the wallet, or changes its entry. Roles, region and price are those of the
configuration unless options say otherwise. The node's key signs too: nobody registers a
node that is not theirs. Stake on it next; its roles count once it has what they need.

Subnets say where the node lives, so that it is neither checked by its neighbours nor checks
them. A node that runs and may act for its owner (framemesh delegate) declares them itself
from what others see, and again when its public address has changed; --subnet is for all
others. On a private network there are none.`,
		Example: `  framemesh register --wallet node-1
  framemesh register --subnet 11.1.1.0/24 --subnet 2a00:1:2::/48
  framemesh register --role checker --validate     with the keys in <data_dir>/ledger`,
		Args: noArgs,
	}
	s := newSendFlags(c)
	fl := c.Flags()
	fl.StringSliceVar(&roles, "role", nil, "container, indexer or checker; may be repeated (default: roles of the configuration)")
	fl.StringVar(&region, "region", "", "default: region of the configuration")
	fl.Uint64Var(&price, "price", 0, "µUSD per hour (default: container.price_micro_usd_per_hour)")
	fl.StringVar(&class, "class", "edge", "hardware class: edge or enterprise")
	fl.StringSliceVar(&subnets, "subnet", nil, "where the node lives, a public /24, /48 or address; may be repeated, or none (default: as declared before)")
	fl.BoolVar(&validates, "validate", false, "of a checker: also makes blocks, with the keys in the ledger's folder, which are made if need be")
	fl.BoolVar(&show, "need", false, "only show what stake the roles need")
	fl.Uint64Var(&score, "rp", 0, "with --need: for a container of that many RenderPoints, as `framemesh bench` measures them")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := s.load(c)
		if err != nil {
			return err
		}
		role, err := rolesOf(roles, cfg)
		if err != nil {
			return err
		}
		if class != "edge" && class != "enterprise" {
			return withHint(fmt.Errorf("--class %q is none", class), "edge or enterprise")
		}
		if validates && !role.Has(economics.RoleChecker) {
			return withHint(fmt.Errorf("only a checker validates, and the roles are %s", roleText(role)), "--role checker")
		}
		if show {
			return s.showNeed(c, role, validates, score)
		}
		homes, err := parseSubnets(subnets)
		if err != nil {
			return err
		}
		k, err := ownNodeKey(cfg, true)
		if err != nil {
			return err
		}
		op := &tx.Register{Roles: uint32(role), Region: cfg.Region}
		id := k.id()
		op.Node = id[:]
		if c.Flags().Changed("region") {
			op.Region = region
		}
		if class == "enterprise" {
			op.HardwareClass = uint32(economics.ClassEnterprise)
		}
		if role.Has(economics.RoleContainer) {
			op.PriceMicroUsdPerHour = cfg.Container.Price
		}
		if c.Flags().Changed("price") {
			op.PriceMicroUsdPerHour = price
		}
		if validates {
			consensus, vrf, err := validatorKeys(cfg)
			if err != nil {
				return err
			}
			op.ConsensusKey, op.VrfKey = consensus[:], vrf[:]
		}
		return s.send(c, order{what: fmt.Sprintf("register %s as %s", id, roleText(role)),
			body: func(ctx context.Context, v *view, a key.Address) (*tx.Body, error) {
				if len(subnets) == 0 {
					entry, _, err := read(ctx, v, state.NodeKey(id), state.DecodeNode)
					if err != nil {
						return nil, err
					}
					homes = entry.Subnets
				}
				op.Subnets = subnet.Bytes(homes)
				if validates {
					dir, err := cfg.Dir()
					if err != nil {
						return nil, err
					}
					op.ConsensusSignature, op.VrfProof, err = chain.Possession(node.LedgerDir(dir), v.Genesis.ChainID, a, id)
					if err != nil {
						return nil, err
					}
				}
				op.NodeSignature = key.Sign([]byte(k), v.Genesis.ChainID, key.KindNode, tx.NodePayload(a, id, op.VrfKey, op.ConsensusKey))
				return &tx.Body{Op: &tx.Body_Register{Register: op}}, nil
			},
			more: func(economics.Params, uint64) string {
				lives := "  it declares no subnet; the running node does once others see its public address\n"
				if len(homes) > 0 {
					lives = fmt.Sprintf("  it declares to live in %s\n", subnetText(homes))
				}
				return lives + "  its roles need a stake: `framemesh stake` says how much, then `framemesh delegate`"
			}})
	}
	return c
}

// parseSubnets reads --subnet: the word none alone is no subnet.
func parseSubnets(texts []string) (list []subnet.Subnet, err error) {
	if len(texts) == 1 && texts[0] == "none" {
		return nil, nil
	}
	for _, t := range texts {
		s, err := subnet.Parse(t)
		if err != nil {
			return nil, withHint(fmt.Errorf("--subnet %q: %w", t, err), "a public subnet such as 11.1.1.0/24, a public address, or none")
		}
		list = append(list, s)
	}
	if list = subnet.Sorted(list); len(list) > subnet.Max {
		return nil, withHint(fmt.Errorf("%d subnets", len(list)), fmt.Sprintf("at most %d", subnet.Max))
	}
	return list, nil
}

// subnetText writes subnets with blanks between them.
func subnetText(list []subnet.Subnet) string {
	var out []string
	for _, s := range list {
		out = append(out, s.String())
	}
	return strings.Join(out, " ")
}

// showNeed says what stake roles need of a new node; of a container by its score in RP, 0 for
// one that no round has measured.
func (s *sendFlags) showNeed(c *cobra.Command, r economics.Role, validates bool, score uint64) error {
	v, err := s.ledgerFlags.open(c)
	if err != nil {
		return err
	}
	defer v.close()
	p, err := v.params(c.Context())
	if err != nil {
		return err
	}
	sc, _, err := read(c.Context(), v, state.CoefficientKey(), state.DecodeCoefficient)
	if err != nil {
		return err
	}
	rpMilli := min(score, math.MaxUint32) * 1000
	need := p.StakeFor(r, validates, economics.Requirement(sc.SC, economics.Scale(rpMilli)))
	if s.json {
		return printJSON(c.OutOrStdout(), map[string]any{"roles": strings.Fields(roleText(r)), "validates": validates, "stake": units(need),
			"coefficient": units(sc.SC), "rp_milli": cmp.Or(rpMilli, economics.ReferenceRPMilli), "symbol": v.Genesis.Symbol})
	}
	t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "roles\t%s\nstake\t%s\n", roleText(r), frm(need))
	if r.Has(economics.RoleContainer) {
		fmt.Fprintf(t, "\tof it %s for each 100 RP that a container renders: %d rounds measure that, until then it counts as 100\n", frm(sc.SC), economics.KeptRounds)
	}
	return t.Flush()
}
