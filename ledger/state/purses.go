package state

import (
	"fmt"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
)

type purseKind uint8

const (
	purseBalance purseKind = iota
	purseStake
	purseUnbonding
	purseVesting
	purseEscrow
	pursePool
	purseBurned
)

var purseNames = [...]string{"balance", "stake", "unbonding", "vesting", "escrow", "pool", "burned"}

// purse names one place where money lies. Every base unit is in exactly one.
type purse struct {
	kind    purseKind
	account key.Address
	node    key.Node
	session [16]byte
	free    uint64 // epoch, of unbonding and vesting
	linear  uint64 // epochs, of vesting
	early   uint64 // epoch, of vesting: from which a checker's reward may leave early; 0 = never
	pool    economics.Pool
}

// balanceOf is what an account can spend.
func balanceOf(a key.Address) purse { return purse{kind: purseBalance, account: a} }

// stakeOf is what a node has bonded.
func stakeOf(n key.Node) purse { return purse{kind: purseStake, node: n} }

// unbondingOf is stake of a node that its owner may claim from epoch free on.
func unbondingOf(owner key.Address, n key.Node, free uint64) purse {
	return purse{kind: purseUnbonding, account: owner, node: n, free: free}
}

// vestingOf is money of an account that is free from epoch free on, or evenly over linear
// epochs after it.
func vestingOf(a key.Address, free, linear uint64) purse {
	return purse{kind: purseVesting, account: a, free: free, linear: linear}
}

// rewardOf is vestingOf for rewards of a checker, which may leave from an epoch on, at a loss.
func rewardOf(a key.Address, free, early uint64) purse {
	return purse{kind: purseVesting, account: a, free: free, early: early}
}

// escrowOf is what a session holds. Its record must exist.
func escrowOf(container key.Node, session [16]byte) purse {
	return purse{kind: purseEscrow, node: container, session: session}
}

// poolOf is a pool of the network.
func poolOf(p economics.Pool) purse { return purse{kind: pursePool, pool: p} }

// burned takes money and never gives it back.
var burned = purse{kind: purseBurned}

// move is the only way in which money goes anywhere: amount leaves one purse and enters
// another, and the totals follow. A balance that is too low refuses the transaction; any
// other purse that is too low is a defect of the caller and stops the node.
func (m *Machine) move(from, to purse, amount uint64) error {
	if amount == 0 {
		return nil
	}
	if err := m.take(from, amount); err != nil {
		return err
	}
	if err := m.put(to, amount); err != nil {
		return err
	}
	return m.moved(from, to, amount)
}

// moved lets the totals follow amount from one purse to another.
func (m *Machine) moved(from, to purse, amount uint64) error {
	t, f := m.total(to), m.total(from)
	if *f < amount || *t > m.network.Supply {
		return fmt.Errorf("%w: totals of %s and %s", ErrInvariant, purseNames[from.kind], purseNames[to.kind])
	}
	*f -= amount
	*t += amount
	return nil
}

func (m *Machine) total(p purse) *uint64 {
	switch p.kind {
	case purseBalance:
		return &m.totals.Balances
	case purseStake:
		return &m.totals.Stakes
	case purseUnbonding:
		return &m.totals.Unbonding
	case purseVesting:
		return &m.totals.Vesting
	case purseEscrow:
		return &m.totals.Escrow
	case pursePool:
		return &m.totals.Pools[p.pool]
	}
	return &m.totals.Burned
}

func (m *Machine) take(p purse, amount uint64) error {
	short := func(held uint64) error {
		return fmt.Errorf("%w: %d taken from %s that holds %d", ErrInvariant, amount, purseNames[p.kind], held)
	}
	switch p.kind {
	case purseBalance:
		a, err := m.account(p.account)
		if err != nil {
			return err
		}
		if a.Balance < amount {
			return lacking(p.account, a.Balance, amount)
		}
		a.Balance -= amount
		return m.setAccount(p.account, a)
	case purseStake:
		s, err := m.stake(p.node)
		if err != nil {
			return err
		}
		if s.Amount < amount {
			return short(s.Amount)
		}
		s.Amount -= amount
		return m.setStake(p.node, s)
	case purseUnbonding:
		k := UnbondingKey(p.account, p.node, p.free)
		u, ok, err := load(m.overlay, k, DecodeUnbonding)
		if err != nil {
			return err
		}
		if !ok || u.Amount < amount {
			return short(u.Amount)
		}
		if u.Amount -= amount; u.Amount == 0 {
			return m.overlay.Delete(k)
		}
		return m.overlay.Set(k, u.Encode())
	case purseVesting:
		k := VestingKey(p.account, p.free, p.linear)
		l, ok, err := load(m.overlay, k, DecodeLot)
		if err != nil {
			return err
		}
		if !ok || l.Held < amount || (p.early > 0 && l.Early < amount) {
			return short(l.Held)
		}
		if l.take(amount, p.early > 0); l.Held == 0 {
			return m.overlay.Delete(k)
		}
		return m.overlay.Set(k, l.Encode())
	case purseEscrow:
		s, ok, err := load(m.overlay, SessionKey(p.node, p.session), DecodeSession)
		if err != nil {
			return err
		}
		if !ok || s.Escrow < amount {
			return short(s.Escrow)
		}
		s.Escrow -= amount
		s.Paid = min(s.Paid, s.Escrow)
		return m.overlay.Set(SessionKey(p.node, p.session), s.Encode())
	case pursePool:
		if held := m.totals.Pools[p.pool]; held < amount {
			return short(held)
		}
		return nil // the totals are the pools
	}
	return fmt.Errorf("%w: burned money cannot be spent", ErrInvariant)
}

func (m *Machine) put(p purse, amount uint64) error {
	switch p.kind {
	case purseBalance:
		a, err := m.account(p.account)
		if err != nil {
			return err
		}
		a.Balance += amount // the supply fits, so all sums do
		return m.setAccount(p.account, a)
	case purseStake:
		s, err := m.stake(p.node)
		if err != nil {
			return err
		}
		s.Amount += amount
		return m.setStake(p.node, s)
	case purseUnbonding:
		k := UnbondingKey(p.account, p.node, p.free)
		u, _, err := load(m.overlay, k, DecodeUnbonding)
		if err != nil {
			return err
		}
		u.Amount += amount
		return m.overlay.Set(k, u.Encode())
	case purseVesting:
		k := VestingKey(p.account, p.free, p.linear)
		l, _, err := load(m.overlay, k, DecodeLot)
		if err != nil {
			return err
		}
		l.put(amount, p.early)
		return m.overlay.Set(k, l.Encode())
	case purseEscrow:
		s, ok, err := load(m.overlay, SessionKey(p.node, p.session), DecodeSession)
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("%w: escrow without a session", ErrInvariant)
		}
		s.Escrow += amount
		return m.overlay.Set(SessionKey(p.node, p.session), s.Encode())
	}
	return nil // pools and what is burned are the totals themselves
}
