package state

import (
	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/tx"
)

// ReadStake is what a node has bonded; all zero for none.
func ReadStake(r Reader, n key.Node) (Stake, error) {
	v, _, err := load(r, StakeKey(n), DecodeStake)
	return v, err
}

func (m *Machine) stake(n key.Node) (Stake, error) { return ReadStake(m.overlay, n) }

func (m *Machine) setStake(n key.Node, s Stake) error {
	if s == (Stake{}) {
		return m.overlay.Delete(StakeKey(n))
	}
	return m.overlay.Set(StakeKey(n), s.Encode())
}

// active says whether a node has what its roles need: registered, staked, neither jailed
// nor out.
func (m *Machine) active(n *Node, s Stake) bool {
	return !s.Jailed && !s.Tombstoned && s.Amount >= m.required(n)
}

// leastStake is what any staked node has bonded at least, also where its roles need less:
// each epoch reads all of them.
const leastStake = uint64(amount.FRM)

// bonds is the least that can be bonded to a node.
func (m *Machine) bonds(n *Node) uint64 {
	return max(m.required(n), leastStake)
}

// applyStake bonds money to a node. What is bonded then must be what the roles need: less
// would count for nothing and fill the list of nodes that each epoch reads.
func (m *Machine) applyStake(c *txContext, op *tx.Stake) error {
	id := key.Node(op.GetNode())
	n, err := m.ownNode(c, id)
	if err != nil {
		return err
	}
	s, err := m.stake(id)
	if err != nil {
		return err
	}
	if s.Tombstoned {
		return refuse(ErrTombstoned, "%s signed two things where one was allowed; register a new node key", id)
	}
	need := m.bonds(&n)
	if missing, short := amount.Amount(need).Sub(amount.Amount(s.Amount)); short && amount.Amount(op.GetAmount()) < missing {
		return refuse(ErrStake, "the roles of %s need %s %s; stake at least %s more", id, amount.Amount(need), Symbol, missing)
	}
	if err := m.move(balanceOf(c.Account), stakeOf(id), op.GetAmount()); err != nil {
		return err
	}
	if s, err = m.stake(id); err != nil {
		return err
	}
	if s.Jailed {
		s.Jailed = false
		if err := m.setStake(id, s); err != nil {
			return err
		}
	}
	c.emit("stake", "node", id, "owner", c.Account, "amount", op.GetAmount(), "stake", s.Amount, "required", m.required(&n))
	return nil
}

// applyUnbond sends stake on its way back. What stays must be nothing or what the roles
// need.
func (m *Machine) applyUnbond(c *txContext, op *tx.Unbond) error {
	id := key.Node(op.GetNode())
	n, err := m.ownNode(c, id)
	if err != nil {
		return err
	}
	s, err := m.stake(id)
	if err != nil {
		return err
	}
	need := m.bonds(&n)
	rest, ok := amount.Amount(s.Amount).Sub(amount.Amount(op.GetAmount()))
	switch {
	case !ok:
		return refuse(ErrFunds, "%s has %s %s bonded; choose at most that", id, amount.Amount(s.Amount), Symbol)
	case rest > 0 && uint64(rest) < need:
		return refuse(ErrStake, "the roles of %s need %s %s; leave that much or unbond all", id, amount.Amount(need), Symbol)
	}
	free := m.params.Matures(m.head.Epoch, m.params.UnbondEpochs)
	if err := m.move(stakeOf(id), unbondingOf(n.Owner, id, free), op.GetAmount()); err != nil {
		return err
	}
	c.emit("unbond", "node", id, "owner", n.Owner, "amount", op.GetAmount(), "free_epoch", free)
	return nil
}

// unbonding says whether any stake of a node is on its way back.
func (m *Machine) unbonding(owner key.Address, n key.Node) (found bool, err error) {
	from := with(prefixUnbonding, owner[:], n[:])
	err = m.overlay.Range(from, prefixEnd(from), func(_, _ []byte) bool {
		found = true
		return false
	})
	return found, err
}
