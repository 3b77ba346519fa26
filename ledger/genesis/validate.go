package genesis

import (
	"fmt"
	"regexp"
	"time"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/subnet"
)

// nameRule is the rule of a network's and of a region's name: both become parts of topics
// and protocol names.
var nameRule = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

var symbolRule = regexp.MustCompile(`^[A-Z][A-Z0-9]{1,7}$`)

// maxPrice of an hour in micro-dollars: a million dollars, as in transactions. Above it a
// price is a mistake.
const maxPrice = 1 << 40

// maxScore in milli-RP, as in transactions.
const maxScore = 1 << 32

// MostRP is the largest score of a container that a file may name, in whole RenderPoints.
const MostRP = maxScore / 1000

// The years in which a network can start: its times must fit in milliseconds for longer
// than the emission lasts.
const firstYear, lastYear = 2020, 2200

// Validate checks the whole document: names, bounds of the parameters, that nothing is
// listed twice, that each node has the stake its roles require, that somebody validates,
// and that everything sums to the supply exactly. It wraps one of this package's errors,
// or those of economics.Params.Validate.
func (d *Doc) Validate() error {
	for _, check := range []func() error{d.checkHead, d.checkAccounts, d.checkNodes, d.checkOracles, d.checkSum} {
		if err := check(); err != nil {
			return err
		}
	}
	if len(d.Validators()) == 0 {
		return fmt.Errorf("%w: no node has a consensus_key; give at least one checker its consensus_key, vrf_key and a stake of %s",
			ErrValidators, units(d.Params.ValidatorMinStake))
	}
	return nil
}

func (d *Doc) checkHead() error {
	switch {
	case !nameRule.MatchString(d.ChainID):
		return fmt.Errorf("%w: chain_id %.60q; choose 1 to 32 characters of a-z, 0-9 and -, not beginning with -", ErrField, d.ChainID)
	case d.Network != d.ChainID:
		return fmt.Errorf("%w: network is %.60q and chain_id %q; write the same name twice", ErrField, d.Network, d.ChainID)
	case !symbolRule.MatchString(d.Symbol):
		return fmt.Errorf("%w: symbol %.60q; choose 2 to 8 characters such as FRM", ErrField, d.Symbol)
	case d.Time.Year() < firstYear || d.Time.Year() > lastYear:
		return fmt.Errorf("%w: time %s; choose a year from %d to %d", ErrField, d.Time.Format(time.RFC3339), firstYear, lastYear)
	case !d.Time.Equal(d.Time.Truncate(time.Millisecond)):
		return fmt.Errorf("%w: time %s is finer than a millisecond; cut it to three decimals", ErrField, d.Time.Format(time.RFC3339Nano))
	case d.Supply == 0 || d.Supply > uint64(amount.Supply):
		return fmt.Errorf("%w: supply is %d base units; choose 1 to %d", ErrField, d.Supply, uint64(amount.Supply))
	}
	if err := d.Params.Validate(); err != nil {
		return fmt.Errorf("genesis: params: %w", err)
	}
	return nil
}

func (d *Doc) checkAccounts() error {
	if len(d.Accounts) > MaxAccounts {
		return fmt.Errorf("%w: %d accounts; at most %d fit, pay out the others by transfers", ErrSize, len(d.Accounts), MaxAccounts)
	}
	seen := make(map[key.Address]int, len(d.Accounts))
	for i, a := range d.Accounts {
		if j, twice := seen[a.Address]; twice {
			return fmt.Errorf("%w: accounts[%d] and accounts[%d] are both %s; put them together", ErrDuplicate, j, i, a.Address)
		}
		seen[a.Address] = i
		if a.Address == (key.Address{}) {
			return fmt.Errorf("%w: accounts[%d].address is missing", ErrField, i)
		}
		if len(a.Vest) > MaxVests {
			return fmt.Errorf("%w: accounts[%d] has %d tranches in vest; at most %d", ErrField, i, len(a.Vest), MaxVests)
		}
		for j, v := range a.Vest {
			switch {
			case v.Amount == 0:
				return fmt.Errorf("%w: accounts[%d].vest[%d].amount is 0; leave the tranche out", ErrField, i, j)
			case v.CliffEpochs > MaxEpochs || v.LinearEpochs > MaxEpochs:
				return fmt.Errorf("%w: accounts[%d].vest[%d] lasts longer than %d epochs", ErrField, i, j, MaxEpochs)
			case v.CliffEpochs == 0 && v.LinearEpochs == 0:
				return fmt.Errorf("%w: accounts[%d].vest[%d] vests at once; add it to accounts[%d].amount", ErrField, i, j, i)
			}
			for k := range j {
				if w := a.Vest[k]; w.CliffEpochs == v.CliffEpochs && w.LinearEpochs == v.LinearEpochs {
					return fmt.Errorf("%w: accounts[%d].vest[%d] and vest[%d] have one schedule; put them together", ErrDuplicate, i, k, j)
				}
			}
		}
	}
	return nil
}

func (d *Doc) checkNodes() error {
	if len(d.Nodes) > MaxNodes {
		return fmt.Errorf("%w: %d nodes; at most %d fit, register the others by transactions", ErrSize, len(d.Nodes), MaxNodes)
	}
	nodes := make(map[key.Node]int, len(d.Nodes))
	owned := make(map[key.Address]int)
	keys := make(map[Key]int)
	for i, n := range d.Nodes {
		if j, twice := nodes[n.Node]; twice {
			return fmt.Errorf("%w: nodes[%d] and nodes[%d] are both %s", ErrDuplicate, j, i, n.Node)
		}
		nodes[n.Node] = i
		if owned[n.Owner]++; owned[n.Owner] > MaxNodesPerOwner {
			return fmt.Errorf("%w: %s owns more than %d nodes; give some to another account", ErrField, n.Owner, MaxNodesPerOwner)
		}
		if err := d.checkNode(n); err != nil {
			return fmt.Errorf("nodes[%d]: %w", i, err)
		}
		for _, k := range []Key{n.VRFKey, n.ConsensusKey} {
			if k == (Key{}) {
				continue
			}
			if err := key.Usable(k[:]); err != nil {
				return fmt.Errorf("%w: nodes[%d] has the vrf_key or consensus_key %x: %w; make new ones", ErrField, i, k[:], err)
			}
			if j, twice := keys[k]; twice {
				return fmt.Errorf("%w: nodes[%d] and nodes[%d] share the key %x; each vrf_key and consensus_key is for one use of one node", ErrDuplicate, j, i, k[:])
			}
			keys[k] = i
		}
	}
	return nil
}

func (d *Doc) checkNode(n Node) error {
	role := economics.Role(n.Roles)
	switch {
	case n.Node == key.Node{}:
		return fmt.Errorf("%w: node is missing; give its peer id", ErrField)
	case n.Owner == key.Address{}:
		return fmt.Errorf("%w: owner is missing; give the account that owns %s", ErrField, n.Node)
	case key.Address(n.Node) == n.Owner:
		return fmt.Errorf("%w: owner of %s is the node key itself; give another account, so that a stolen node cannot spend", ErrField, n.Node)
	case !role.Valid():
		return fmt.Errorf("%w: roles of %s; choose container, indexer, checker", ErrField, n.Node)
	case !economics.Class(n.Class).Valid():
		return fmt.Errorf("%w: class of %s; choose edge or enterprise", ErrField, n.Node)
	case n.Region != "" && !nameRule.MatchString(n.Region):
		return fmt.Errorf("%w: region %.60q of %s; choose 1 to 32 characters of a-z, 0-9 and -", ErrField, n.Region, n.Node)
	case subnet.CheckAll(n.Subnets) != nil:
		return fmt.Errorf("%w: subnets of %s: %w", ErrField, n.Node, subnet.CheckAll(n.Subnets))
	case (n.RPMilli != 0 || n.ClaimRPMilli != 0) && !role.Has(economics.RoleContainer):
		return fmt.Errorf("%w: %s has rp_milli or claim_rp_milli and is no container; add container to its roles", ErrField, n.Node)
	case n.RPMilli > maxScore || n.ClaimRPMilli > maxScore:
		return fmt.Errorf("%w: rp_milli or claim_rp_milli of %s is over %d; write thousandths of a RenderPoint", ErrField, n.Node, uint64(maxScore))
	case n.Price > maxPrice:
		return fmt.Errorf("%w: price_micro_usd_per_hour of %s is %d; at most %d", ErrField, n.Node, n.Price, uint64(maxPrice))
	case (n.VRFKey == Key{}) != (n.ConsensusKey == Key{}):
		return fmt.Errorf("%w: %s has only one of vrf_key and consensus_key; a validator needs both", ErrField, n.Node)
	case n.Validates() && !role.Has(economics.RoleChecker):
		return fmt.Errorf("%w: %s has a consensus_key and is no checker; add checker to its roles", ErrField, n.Node)
	}
	if need := d.Params.StakeFor(role, n.Validates(), d.Params.ContainerStake); n.Stake < need {
		return fmt.Errorf("%w: %s stakes %s and needs %s; raise its stake or drop a role", ErrStake, n.Node, units(n.Stake), units(need))
	}
	return nil
}

func (d *Doc) checkOracles() error {
	if len(d.Oracles) > MaxOracles {
		return fmt.Errorf("%w: %d oracles; at most %d", ErrField, len(d.Oracles), MaxOracles)
	}
	for i, o := range d.Oracles {
		if o == (key.Address{}) {
			return fmt.Errorf("%w: oracles[%d] is missing", ErrField, i)
		}
		for j := range i {
			if d.Oracles[j] == o {
				return fmt.Errorf("%w: oracles[%d] and oracles[%d] are both %s", ErrDuplicate, j, i, o)
			}
		}
	}
	if n := uint64(len(d.Oracles)); n > 0 && n < d.Params.OracleMin {
		return fmt.Errorf("%w: %d oracles can never give oracle_min = %d quotes; name more, or lower it with --param oracle_min=%d", ErrField, n, d.Params.OracleMin, n)
	}
	return nil
}

// checkSum says by how much the parts miss the supply.
func (d *Doc) checkSum() error {
	sum, err := d.Allocated()
	switch {
	case err != nil:
		return fmt.Errorf("%w: the parts are over the range of 64 bits; one of them has a digit too many", ErrAllocation)
	case sum > d.Supply:
		return fmt.Errorf("%w: pools, accounts and stakes are %d base units (%s) too much; lower a pool by it", ErrAllocation, sum-d.Supply, units(sum-d.Supply))
	case sum < d.Supply:
		return fmt.Errorf("%w: pools, accounts and stakes are %d base units (%s) short; raise a pool by it", ErrAllocation, d.Supply-sum, units(d.Supply-sum))
	}
	return nil
}

// Allocated is the sum of all pools, accounts with what they vest, and stakes, in base
// units; amount.ErrOverflow when it leaves 64 bits.
func (d *Doc) Allocated() (uint64, error) {
	var sum amount.Amount
	var err error
	add := func(v uint64) {
		if err == nil {
			sum, err = sum.Add(amount.Amount(v))
		}
	}
	for _, p := range economics.Pools()[:economics.GenesisPools] {
		add(d.Pools.Of(p))
	}
	for _, a := range d.Accounts {
		add(a.Amount)
		for _, v := range a.Vest {
			add(v.Amount)
		}
	}
	for _, n := range d.Nodes {
		add(n.Stake)
	}
	return uint64(sum), err
}

func units(v uint64) string { return amount.Amount(v).String() + " " + Symbol }
