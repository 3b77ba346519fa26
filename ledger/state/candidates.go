package state

import (
	"fmt"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
)

// Who may be drawn in epoch e is fixed when epoch e − candidate_lead ends, long before
// anybody can know the seed of e: so nobody can make keys until one of them wins.

// keptCandidates is for how many epochs after their own the sets can be looked up.
const keptCandidates = 8

// tidiedPages is how many old pages a new epoch takes away at most: those of two and a half
// million nodes. No more than some ten epochs' pages are ever there.
const tidiedPages = 5_000

// roles that candidates are drawn for, in the order of their bits.
var roles = [...]economics.Role{economics.RoleContainer, economics.RoleIndexer, economics.RoleChecker}

// ReadCandidates are all candidates of a role in an epoch, in the order of their keys; ok
// is false when the set is not frozen yet or long past.
func ReadCandidates(r Reader, epoch uint64, role economics.Role) (all []Candidate, ok bool, err error) {
	for page := uint32(0); ; page++ {
		p, found, err := load(r, CandidatesKey(epoch, role, page), DecodeCandidates)
		if err != nil {
			return nil, false, err
		}
		if !found {
			return nil, false, nil
		}
		all = append(all, p.Candidates...)
		if uint32(len(all)) >= p.Total {
			return all, true, nil
		}
		if len(p.Candidates) < PageSize {
			return nil, false, fmt.Errorf("%w: candidates end early", ErrRecord)
		}
	}
}

// eligible calls fn for each node whose stake is what its roles need and who is neither
// jailed nor out, in the order of their keys.
func (m *Machine) eligible(fn func(id key.Node, n *Node, s Stake) error) error {
	type staked struct {
		id key.Node
		s  Stake
	}
	var all []staked
	var bad error
	err := m.overlay.Range([]byte(prefixStake), prefixEnd([]byte(prefixStake)), func(k, v []byte) bool {
		var s Stake
		if s, bad = DecodeStake(v); bad != nil {
			return false
		}
		if !s.Jailed && !s.Tombstoned {
			all = append(all, staked{key.Node(k[len(prefixStake):]), s})
		}
		return true
	})
	if err == nil {
		err = bad
	}
	if err != nil {
		return err
	}
	for _, e := range all {
		n, ok, err := m.node(e.id)
		if err != nil {
			return err
		}
		if !ok || e.s.Amount < m.required(&n) {
			continue
		}
		if err := fn(e.id, &n, e.s); err != nil {
			return err
		}
	}
	return nil
}

// freezeCandidates fixes the sets of the epochs up to epoch − 1 + lead. Were epochs
// skipped, the sets of those that begin now without one are the last frozen ones: nobody
// could have chosen them with the seed in mind.
func (m *Machine) freezeCandidates(last, epoch uint64) error {
	to := epoch - 1 + m.params.CandidateLead
	from := max(m.head.Frozen+1, epoch)
	if from > to {
		return nil
	}
	for e := from; e < to; e++ {
		for _, role := range roles {
			set, _, err := ReadCandidates(m.overlay, m.head.Frozen, role)
			if err == nil {
				err = m.writeCandidates(e, role, set)
			}
			if err != nil {
				return err
			}
		}
	}
	if err := m.freezeNow(to); err != nil {
		return err
	}
	m.head.Frozen = to
	return m.tidy(prefixCandidates, epoch, keptCandidates, tidiedPages)
}

// freezeNow fixes the sets of an epoch as nodes stand now. A checker that is banned in that
// epoch is left out.
func (m *Machine) freezeNow(epoch uint64) error {
	var sets [len(roles)][]Candidate
	err := m.eligible(func(id key.Node, n *Node, s Stake) error {
		for i, role := range roles {
			if !n.Roles.Has(role) {
				continue
			}
			if role == economics.RoleChecker {
				if c, err := m.conduct(id); err != nil {
					return err
				} else if c.Banned(epoch) {
					continue
				}
			}
			sets[i] = append(sets[i], Candidate{id, s.Amount, n.Owner, n.Subnets})
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i, role := range roles {
		if err := m.writeCandidates(epoch, role, sets[i]); err != nil {
			return err
		}
	}
	return nil
}

// writeCandidates writes a set page by page; an empty set is one empty page.
func (m *Machine) writeCandidates(epoch uint64, role economics.Role, set []Candidate) error {
	total := uint32(len(set))
	for page := uint32(0); page == 0 || len(set) > 0; page++ {
		n := min(len(set), PageSize)
		v := CandidatePage{Total: total, Candidates: set[:n]}.Encode()
		if err := m.overlay.Set(CandidatesKey(epoch, role, page), v); err != nil {
			return err
		}
		set = set[n:]
	}
	return nil
}
