package state

import (
	"fmt"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/key"
)

// Init writes the state of a genesis file into an empty store, and says who validates the
// first block. It wraps what genesis.Doc.Validate wraps, and ErrInvariant when the amounts
// do not sum to the supply.
func Init(s Store, d *genesis.Doc, options ...Option) (*Machine, []ValidatorUpdate, error) {
	if err := d.Validate(); err != nil {
		return nil, nil, err
	}
	m := newMachine(s, options)
	m.params = d.Params
	m.network = Network{
		Chain: d.ChainID, Genesis: d.Hash(), GenesisMS: d.TimeMS(), Supply: d.Supply, Oracles: d.Oracles,
	}
	m.head = Head{TimeMS: d.TimeMS(), Seed: FirstSeed(d.Hash())}
	for i := range m.network.Allocated {
		pool := economics.Pool(i)
		m.network.Allocated[i] = d.Pools.Of(pool)
		m.totals.Pools[i] = d.Pools.Of(pool)
	}
	m.coefficient = Coefficient{SC: d.Params.ContainerStake, Next: d.Params.RequirementEpochs}
	for _, step := range []func(*genesis.Doc) error{m.initRecords, m.initAccounts, m.initNodes} {
		if err := step(d); err != nil {
			return nil, nil, fmt.Errorf("state: genesis: %w", err)
		}
	}
	for e := uint64(0); e < max(d.Params.CandidateLead, 1); e++ {
		if err := m.freezeNow(e); err != nil {
			return nil, nil, err
		}
		m.head.Frozen = e
	}
	if _, err := m.electValidators(0, 0); err != nil {
		return nil, nil, err
	}
	if err := m.checkSupply(); err != nil {
		return nil, nil, err
	}
	if err := m.writeLive(); err != nil {
		return nil, nil, err
	}
	updates, err := m.takeUpdates()
	if err != nil {
		return nil, nil, err
	}
	return m, updates, m.Flush()
}

func (m *Machine) initRecords(*genesis.Doc) error {
	params, err := encodeParams(m.params)
	if err != nil {
		return err
	}
	for _, r := range []struct{ key, value []byte }{
		{NetworkKey(), m.network.Encode()},
		{ParamsKey(), params},
		{SeedKey(0), append([]byte(nil), m.head.Seed[:]...)},
	} {
		if err := m.overlay.Set(r.key, r.value); err != nil {
			return err
		}
	}
	return m.began(0, 0, m.head.Seed)
}

// grant puts money of the genesis file into a purse: the one place where money begins.
func (m *Machine) grant(to purse, amount uint64) error {
	if amount == 0 {
		return nil
	}
	if err := m.put(to, amount); err != nil {
		return err
	}
	t := m.total(to)
	if amount > m.network.Supply-min(*t, m.network.Supply) {
		return fmt.Errorf("%w: %s over the supply", ErrInvariant, purseNames[to.kind])
	}
	*t += amount
	return nil
}

func (m *Machine) initAccounts(d *genesis.Doc) error {
	for _, a := range d.Accounts {
		if err := m.grant(balanceOf(a.Address), a.Amount); err != nil {
			return err
		}
		for _, v := range a.Vest {
			if err := m.grant(vestingOf(a.Address, v.CliffEpochs, v.LinearEpochs), v.Amount); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *Machine) initNodes(d *genesis.Doc) error {
	for _, g := range d.Nodes {
		n := Node{
			Owner: g.Owner, Roles: economics.Role(g.Roles), Class: economics.Class(g.Class),
			Region: g.Region, Price: g.Price, Keys: Keys{g.ConsensusKey, g.VRFKey}, Claim: g.ClaimRPMilli, Subnets: g.Subnets,
		}
		m.require(&n, &Standing{})
		n.Need.Peak = g.RPMilli
		if n.Keys != (Keys{}) {
			if _, err := m.claimKeys(g.Node, n.Keys); err != nil {
				return err
			}
		}
		if err := m.adopt(g.Owner); err != nil {
			return err
		}
		if err := m.overlay.Set(NodeKey(g.Node), n.Encode()); err != nil {
			return err
		}
		if err := m.grant(stakeOf(g.Node), g.Stake); err != nil {
			return err
		}
		if g.RPMilli > 0 {
			s := newStanding()
			s.RPMilli, s.Rounds, s.ProvenUntil = g.RPMilli, []uint64{g.RPMilli}, m.params.ProofStandingEpochs
			if err := m.setStanding(g.Node, s); err != nil {
				return err
			}
		}
		if !g.Delegate {
			continue
		}
		if err := m.delegate(g.Owner, g.Node, Delegation{Expires: m.params.DelegationMaxEpochs}); err != nil {
			return err
		}
	}
	return nil
}

// MisbehaviorNode finds the node behind a consensus address, a validator's or a former
// one's.
func MisbehaviorNode(r Reader, address [20]byte) (n key.Node, ok bool, err error) {
	o, ok, err := load(r, ConsensusKey(address), DecodeConsensusOwner)
	return o.Node, ok, err
}
