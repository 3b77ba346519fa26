package state

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
)

// ReadValidators are the validators in force, in the order of their consensus addresses.
func ReadValidators(r Reader) ([]Validator, error) {
	all, err := readValidators(r)
	return slices.DeleteFunc(all, func(v Validator) bool { return v.Power == 0 }), err
}

// ReadValidator finds a validator by its consensus address; ok is false when it is none.
// Its power is 0 when it has left and may still propose a block or two.
func ReadValidator(r Reader, address [20]byte) (v Validator, ok bool, err error) {
	return load(r, ValidatorKey(address), DecodeValidator)
}

func readValidators(r Reader) (all []Validator, err error) {
	var bad error
	err = r.Range([]byte(prefixValidator), prefixEnd([]byte(prefixValidator)), func(_, b []byte) bool {
		var v Validator
		if v, bad = DecodeValidator(b); bad != nil {
			return false
		}
		all = append(all, v)
		return true
	})
	if err == nil {
		err = bad
	}
	return all, err
}

// electValidators makes the nodes with the largest stakes the validators of an epoch: those
// with keys in force, at least validator_min_stake, at most max_validators, equal stakes by
// node key, without those who were missing in the last epochs. When nobody qualifies, the
// last ones stay: a chain without validators would never move again.
func (m *Machine) electValidators(_, epoch uint64) ([]Event, error) {
	var chosen []seat
	err := m.eligible(func(id key.Node, n *Node, s Stake) error {
		keys := n.KeysAt(epoch)
		if keys == (Keys{}) || !n.Roles.Has(economics.RoleChecker) || s.Amount < m.params.ValidatorMinStake {
			return nil
		}
		chosen = append(chosen, seat{Validator: Validator{id, n.Owner, keys, max(s.Amount/m.params.PowerUnit, 1)}, stake: s.Amount})
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(chosen, func(a, b seat) int {
		if c := cmp.Compare(b.stake, a.stake); c != 0 {
			return c
		}
		return bytes.Compare(a.Node[:], b.Node[:])
	})
	chosen, events, err := m.emptySeats(chosen, epoch)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(chosen, func(a, b seat) int { x, y := a.Address(), b.Address(); return bytes.Compare(x[:], y[:]) })

	last, err := readValidators(m.overlay)
	if err != nil {
		return nil, err
	}
	if len(chosen) == 0 {
		return append(events, event("validators_kept", "epoch", epoch)), nil
	}
	for _, v := range last {
		address := v.Address()
		_, stays := slices.BinarySearchFunc(chosen, address, func(e seat, want [20]byte) int {
			got := e.Address()
			return bytes.Compare(got[:], want[:])
		})
		switch {
		case stays:
		case v.Power == 0: // left before; by now consensus has let it go
			err = m.overlay.Delete(ValidatorKey(address))
		default:
			err = m.leave(v)
			events = append(events, event("validator", "node", v.Node, "power", uint64(0)))
		}
		if err != nil {
			return nil, err
		}
	}
	for _, v := range chosen {
		old, ok, err := ReadValidator(m.overlay, v.Address())
		if err != nil {
			return nil, err
		}
		if ok && old == v.Validator {
			continue
		}
		if err := m.overlay.Set(ValidatorKey(v.Address()), v.Encode()); err != nil {
			return nil, err
		}
		if old.Power != v.Power {
			m.update(v.Keys.Consensus, v.Power)
			events = append(events, event("validator", "node", v.Node, "power", v.Power))
		}
	}
	return events, nil
}

// leave takes a validator out of consensus. Its record stays with power 0: it may still
// propose until consensus has let it go, two blocks later.
func (m *Machine) leave(v Validator) error {
	v.Power = 0
	m.update(v.Keys.Consensus, 0)
	return m.overlay.Set(ValidatorKey(v.Address()), v.Encode())
}

// expel takes a node out of consensus at once, whatever the epoch. The last validator
// stays; the events say so.
func (m *Machine) expel(id key.Node) ([]Event, error) {
	all, err := ReadValidators(m.overlay)
	if err != nil {
		return nil, err
	}
	left := len(all)
	var events []Event
	for _, v := range all {
		if v.Node != id {
			continue
		}
		if left == 1 {
			events = append(events, event("validators_kept", "epoch", m.head.Epoch))
			break
		}
		left--
		if err := m.leave(v); err != nil {
			return nil, err
		}
		events = append(events, event("validator", "node", id, "power", uint64(0)))
	}
	return events, nil
}

// update tells consensus of a power at the end of the block; the last word counts.
func (m *Machine) update(k [32]byte, power uint64) {
	for i := range m.updates {
		if m.updates[i].Key == k {
			m.updates[i].Power = power
			return
		}
	}
	m.updates = append(m.updates, ValidatorUpdate{k, power})
}

// takeUpdates are the changes of the block as consensus must hear them, in the order of
// their keys. A change against the last block that is none is left out: consensus stops
// when it is told to remove a validator that it does not have.
func (m *Machine) takeUpdates() ([]ValidatorUpdate, error) {
	var out []ValidatorUpdate
	for _, u := range m.updates {
		old, _, err := ReadValidator(m.store, ConsensusAddress(u.Key))
		if err != nil {
			return nil, err
		}
		if old.Power != u.Power {
			out = append(out, u)
		}
	}
	slices.SortFunc(out, func(a, b ValidatorUpdate) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	m.updates = m.updates[:0]
	return out, nil
}
