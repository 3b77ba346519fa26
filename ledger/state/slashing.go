package state

import (
	"fmt"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
)

// maxSlashLots bounds how many lots of one account a slash looks at, those that are free
// first. An account has fewer: income of one span is one lot.
const maxSlashLots = 1_000

// exposed are the purses that a slash of a node can draw on, in the order in which it does,
// grouped as in economics.Sources.
type exposed struct {
	rewards, vesting, stake, unbonding []claimed
}

func sumOf(cs []claimed) (sum uint64) {
	for _, c := range cs {
		sum += c.amount // all of it is part of the supply
	}
	return sum
}

func (e exposed) sources() economics.Sources {
	return economics.Sources{
		Rewards: sumOf(e.rewards), Vesting: sumOf(e.vesting), Stake: sumOf(e.stake), Unbonding: sumOf(e.unbonding),
	}
}

// exposure finds what a node can lose: what its owner and the node key's own account have
// earned and not claimed, the node's stake, and its stake that is unbonding. Income is the
// owner's, whichever of its nodes earned it. Grants that vest evenly are no income and stay.
func (m *Machine) exposure(id key.Node, owner key.Address) (e exposed, err error) {
	for _, a := range []key.Address{owner, key.Address(id)} {
		if err := m.exposedLots(a, &e); err != nil {
			return e, err
		}
	}
	s, err := m.stake(id)
	if err != nil {
		return e, err
	}
	e.stake = []claimed{{stakeOf(id), s.Amount}}
	var bad error
	from := with(prefixUnbonding, owner[:], id[:])
	err = m.overlay.Range(from, prefixEnd(from), func(k, v []byte) bool {
		_, _, free, ok := ParseUnbondingKey(k)
		u, err := DecodeUnbonding(v)
		if bad = err; err != nil || !ok {
			return false
		}
		e.unbonding = append(e.unbonding, claimed{unbondingOf(owner, id, free), u.Amount})
		return true
	})
	if err == nil {
		err = bad
	}
	return e, err
}

// exposedLots collects an account's lots: those that are free and not claimed are pending
// rewards, the others vest.
func (m *Machine) exposedLots(a key.Address, e *exposed) error {
	var bad error
	seen := 0
	from := with(prefixVesting, a[:])
	err := m.overlay.Range(from, prefixEnd(from), func(k, v []byte) bool {
		_, free, linear, ok := ParseVestingKey(k)
		lot, err := DecodeLot(v)
		if bad = err; err != nil || !ok {
			return false
		}
		switch c := (claimed{vestingOf(a, free, linear), lot.Held}); {
		case linear > 0:
		case free <= m.head.Epoch:
			e.rewards = append(e.rewards, c)
		default:
			e.vesting = append(e.vesting, c)
		}
		seen++
		return seen < maxSlashLots
	})
	if err == nil {
		err = bad
	}
	return err
}

// total says whether an offence costs all that the node has staked. Such an offence leaves
// the owner's income alone, which may be that of other nodes, and takes the stake whole.
func total(o economics.Offence) bool {
	switch o {
	case economics.OffenceCandidates, economics.OffenceEquivocation, economics.OffenceDoubleSign:
		return true
	}
	return false
}

// loot is who gets a part of a slash: the customer that the node harmed, and who proved it.
// Zero is nobody. most is what the customer gets at most, in base units.
type loot struct {
	victim, reporter key.Address
	most             uint64
}

// slash is slashFor without a reporter.
func (m *Machine) slash(id key.Node, o economics.Offence, victim key.Address, limit uint64) ([]Event, error) {
	return m.slashFor(id, o, loot{victim: victim, most: m.network.Supply}, limit)
}

// slashFor punishes a node at once. limit bounds the amount from above, for accusations that
// said how much. The node is jailed when its stake no longer covers its roles, and out for
// good when it signed two things where one was allowed; a container is demoted in matching.
// A node that is not registered has nothing to lose: its stake had to be paid out before it
// could go.
func (m *Machine) slashFor(id key.Node, o economics.Offence, to loot, limit uint64) ([]Event, error) {
	n, ok, err := m.node(id)
	if err != nil || !ok {
		return nil, err
	}
	e, err := m.exposure(id, n.Owner)
	if err != nil {
		return nil, err
	}
	if total(o) {
		e.rewards, e.vesting = nil, nil
	}
	s, err := m.stake(id)
	if err != nil {
		return nil, err
	}
	amount := min(limit, m.slashAmount(&n, s, o, e.sources()))
	taken, _ := economics.Draw(amount, e.sources())
	parts, err := m.forfeit(e, taken, amount, to)
	if err != nil {
		return nil, err
	}

	if s, err = m.stake(id); err != nil {
		return nil, err
	}
	s.Offences++
	if o == economics.OffenceEquivocation || o == economics.OffenceDoubleSign {
		s.Tombstoned = true
	}
	if s.Amount < m.required(&n) {
		s.Jailed = true
	}
	if err := m.setStake(id, s); err != nil {
		return nil, err
	}
	events := []Event{event("slash", "node", id, "owner", n.Owner, "offence", o.String(), "amount", amount,
		"rewards", taken.Rewards, "vesting", taken.Vesting, "stake", taken.Stake, "unbonding", taken.Unbonding,
		"bonus", parts.Bonus, "victim", parts.Victim, "burned", parts.Burned,
		"jailed", s.Jailed, "tombstoned", s.Tombstoned)}
	if n.wasContainer() {
		if err := m.demoted(id); err != nil {
			return nil, err
		}
	}
	if s.Jailed || s.Tombstoned {
		more, err := m.expel(id)
		if err != nil {
			return nil, err
		}
		events = append(events, more...)
	}
	return events, nil
}

// wasContainer says whether a node is or ever was a container: it answers for that also when
// it has laid the role down since.
func (n *Node) wasContainer() bool {
	return n.Roles.Has(economics.RoleContainer) || n.Need != (Requirement{})
}

// liable is what the roles of a node need and, of one that was a container, what that needs:
// a role laid down after the deed makes what it costs no less.
func (m *Machine) liable(n *Node) uint64 {
	roles := n.Roles
	if n.wasContainer() {
		roles |= economics.RoleContainer
	}
	return m.params.StakeFor(roles, n.Validates(), n.Need.At(m.head.Epoch))
}

func (m *Machine) slashAmount(n *Node, s Stake, o economics.Offence, from economics.Sources) uint64 {
	return economics.SlashAmount(o, economics.Exposure{
		Required: m.liable(n), Stake: from.Stake + from.Unbonding,
		Slashable: from.Rewards + from.Vesting + from.Stake + from.Unbonding,
	}, s.Offences > 0)
}

// forfeit moves what each source gives to where slashed money goes.
func (m *Machine) forfeit(e exposed, taken economics.Sources, amount uint64, to loot) (economics.Forfeit, error) {
	if to.victim == (key.Address{}) {
		to.most = 0
	}
	parts := m.params.SplitSlash(amount, to.most)
	bonus := poolOf(economics.PoolPenalties)
	if to.reporter != (key.Address{}) {
		bonus = balanceOf(to.reporter)
	}
	into := []claimed{
		{bonus, parts.Bonus},
		{balanceOf(to.victim), parts.Victim},
		{burned, parts.Burned},
	}
	for _, group := range []struct {
		from  []claimed
		taken uint64
	}{{e.rewards, taken.Rewards}, {e.vesting, taken.Vesting}, {e.stake, taken.Stake}, {e.unbonding, taken.Unbonding}} {
		left := group.taken
		for _, source := range group.from {
			for i := 0; i < len(into) && left > 0 && source.amount > 0; i++ {
				v := min(left, source.amount, into[i].amount)
				if err := m.move(source.from, into[i].from, v); err != nil {
					return parts, err
				}
				left, source.amount, into[i].amount = left-v, source.amount-v, into[i].amount-v
			}
		}
	}
	return parts, nil
}

// punish slashes a validator that consensus has caught, once: what it loses is everything.
func (m *Machine) punish(v Misbehavior) ([]Event, error) {
	id, ok, err := MisbehaviorNode(m.overlay, v.Address)
	if err != nil || !ok {
		return nil, err
	}
	s, err := m.stake(id)
	if err != nil || s.Tombstoned {
		return nil, err
	}
	events := []Event{event("misbehavior", "node", id, "kind", v.Kind, "height", v.Height)}
	more, err := m.slash(id, economics.OffenceDoubleSign, key.Address{}, m.network.Supply)
	return append(events, more...), err
}

// Accuse slashes a node for an offence. One that anybody can recompute is final at once;
// any other waits for appeal_epochs whole epochs and is then carried out, unless Acquit
// takes it back. id names the accusation, such as by the hash of what proves it; a second
// one under the same name changes nothing. It is for whoever judges evidence, within a
// block.
func (m *Machine) Accuse(id [32]byte, n key.Node, o economics.Offence, victim key.Address) ([]Event, error) {
	if o.Deterministic() {
		return m.slash(n, o, victim, m.network.Supply)
	}
	return m.accuse(id, Accusation{Node: n, Offence: o, Victim: victim, Epoch: m.head.Epoch})
}

// slashDue carries out an accusation that nobody took back. One that was appealed and not
// answered is dropped: in doubt nobody is punished.
func (m *Machine) slashDue(subject []byte) ([]Event, error) {
	if len(subject) != 32 {
		return nil, fmt.Errorf("%w: accusation that is due", ErrRecord)
	}
	id := [32]byte(subject)
	a, ok, err := ReadAccusation(m.overlay, id)
	if err != nil || !ok {
		return nil, err
	}
	if a.Appealed != 0 {
		return m.acquit(id, a)
	}
	return m.carryOut(id, a)
}
