package genesis

import (
	"fmt"
	"slices"
	"time"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
)

// Shares of the supply in bps, as the main network divides it; their sum is 10 000.
const (
	shareEdge         = 2_300
	shareEnterprise   = 1_200
	shareCheckerBase  = 1_000
	shareCheckerBonus = 500
	shareTeam         = 1_750 // team 1250 and advisors 500
	shareInvestors    = 1_150
	shareEcosystem    = 800
	shareDAO          = 700
	shareAirdrop      = 600
)

// Default is the main network's allocation and parameters, with every pool whole and no
// accounts, nodes or oracles yet. It does not validate until it has a validator: Build
// makes a whole file.
func Default(chain string, start time.Time) *Doc {
	share := func(bps uint64) uint64 { return uint64(amount.Supply) / amount.BPS * bps } // divides evenly
	return &Doc{
		ChainID: chain,
		Network: chain,
		Time:    start.UTC().Truncate(time.Millisecond),
		Symbol:  Symbol,
		Supply:  uint64(amount.Supply),
		Params:  economics.DefaultParams(),
		Pools: Pools{
			Edge:         share(shareEdge),
			Enterprise:   share(shareEnterprise),
			CheckerBase:  share(shareCheckerBase),
			CheckerBonus: share(shareCheckerBonus),
			Team:         share(shareTeam),
			Investors:    share(shareInvestors),
			Ecosystem:    share(shareEcosystem),
			DAO:          share(shareDAO),
			Airdrop:      share(shareAirdrop),
		},
	}
}

// Plan is what a testnet, a demo or a main network wants to start with.
type Plan struct {
	Chain    string
	Time     time.Time         // cut to milliseconds
	Params   *economics.Params // nil = DefaultParams
	Accounts []Account
	Nodes    []Node
	Oracles  []key.Address
	// From names the pool that pays for accounts and stakes; "" is ecosystem.
	From string
	// Granted are accounts that receive money out of pools of their own, freed as Grant says.
	Granted []Granted
}

// Granted is money that an account receives out of a pool.
type Granted struct {
	From   economics.Pool
	To     key.Address
	Amount uint64 // base units
}

// Build makes a valid file: the main network's allocation with the plan's accounts and
// stakes taken out of one pool. It wraps ErrFunds when the pool holds less, or what
// Validate wraps.
func Build(p Plan) (*Doc, error) {
	d := Default(p.Chain, p.Time)
	if p.Params != nil {
		d.Params = *p.Params
	}
	d.Oracles = slices.Clone(p.Oracles)
	from := economics.PoolEcosystem
	if p.From != "" {
		pool, ok := economics.ParsePool(p.From)
		if !ok {
			return nil, fmt.Errorf("%w: there is no pool %.40q to fund accounts from; ecosystem is one", ErrField, p.From)
		}
		from = pool
	}
	if err := d.Fund(from, p.Accounts, p.Nodes); err != nil {
		return nil, err
	}
	for _, g := range p.Granted {
		if err := d.Fund(g.From, []Account{Grant(d.Params, g.From, g.To, g.Amount)}, nil); err != nil {
			return nil, err
		}
	}
	if err := d.Validate(); err != nil {
		return nil, err
	}
	return d, nil
}

// Fund adds accounts and nodes and takes what they own and stake out of a pool. It wraps
// ErrFunds and then leaves d as it was.
func (d *Doc) Fund(from economics.Pool, accounts []Account, nodes []Node) error {
	at := d.Pools.at(from)
	if at == nil {
		return fmt.Errorf("%w: the pool %s starts empty and funds nothing; ecosystem does", ErrFunds, from)
	}
	cost, err := (&Doc{Accounts: accounts, Nodes: nodes}).Allocated()
	if err != nil || cost > *at {
		return fmt.Errorf("%w: %s has %s; ask for less or take from another pool", ErrFunds, from, units(*at))
	}
	*at -= cost
	for _, a := range accounts {
		a.Vest = slices.Clone(a.Vest)
		d.Accounts = append(d.Accounts, a)
	}
	d.Nodes = append(d.Nodes, nodes...)
	return nil
}

// Grant is an account that receives total out of a pool by that pool's release: team,
// investors, ecosystem, DAO and airdrop money is free at the epochs the main network's
// table names. Other pools release at once. Whatever a division leaves over is in the
// last tranche.
func Grant(p economics.Params, from economics.Pool, to key.Address, total uint64) Account {
	a := Account{Address: to, Amount: total}
	for _, t := range economics.Release(p, from, total) {
		a.Amount -= t.Amount
		a.Vest = append(a.Vest, Vest{Amount: t.Amount, CliffEpochs: t.CliffEpochs, LinearEpochs: t.LinearEpochs})
	}
	return a
}
