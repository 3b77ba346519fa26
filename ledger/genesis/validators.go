package genesis

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
)

// Validator is a node that takes part in consensus from the first block.
type Validator struct {
	Node         key.Node
	Owner        key.Address
	ConsensusKey Key
	VRFKey       Key
	Power        uint64 // ⌊stake / power_unit⌋, at least 1
}

// Validators are the nodes with a consensus key and at least validator_min_stake, the
// largest stake first and equal ones by node key, at most max_validators.
func (d *Doc) Validators() []Validator {
	var nodes []Node
	for _, n := range d.Nodes {
		if n.Validates() && n.Stake >= d.Params.ValidatorMinStake {
			nodes = append(nodes, n)
		}
	}
	slices.SortFunc(nodes, func(a, b Node) int {
		if c := cmp.Compare(b.Stake, a.Stake); c != 0 {
			return c
		}
		return bytes.Compare(a.Node[:], b.Node[:])
	})
	if most := d.Params.MaxValidators; uint64(len(nodes)) > most {
		nodes = nodes[:most]
	}
	set := make([]Validator, len(nodes))
	for i, n := range nodes {
		set[i] = Validator{n.Node, n.Owner, n.ConsensusKey, n.VRFKey, max(n.Stake/max(d.Params.PowerUnit, 1), 1)}
	}
	return set
}

// OraclesWithoutStake are the oracles that have nothing to lose: the keys of no node of the file,
// or of one that stakes nothing. Such a file is valid, see docs/spec/economics.md §9.
func (d *Doc) OraclesWithoutStake() (out []key.Address) {
	for _, o := range d.Oracles {
		if !slices.ContainsFunc(d.Nodes, func(n Node) bool { return n.Node == key.Node(o) && n.Stake > 0 }) {
			out = append(out, o)
		}
	}
	return out
}

// OwnersWithoutMoney are the owners of nodes that begin with nothing free: they cannot pay the fee
// of a transaction, so what their nodes find and settle is in no block until somebody sends them
// some. In the order of their nodes, each once.
func (d *Doc) OwnersWithoutMoney() (out []key.Address) {
	for _, n := range d.Nodes {
		pays := slices.ContainsFunc(d.Accounts, func(a Account) bool { return a.Address == n.Owner && a.Amount >= d.Params.TxFee && a.Amount > 0 })
		if !pays && !slices.Contains(out, n.Owner) {
			out = append(out, n.Owner)
		}
	}
	return out
}

// CheckingOwners counts the owners of checkers: those of one owner are one voice where a
// committee is drawn that may not know the container's.
func (d *Doc) CheckingOwners() int {
	var owners []key.Address
	for _, n := range d.Nodes {
		if economics.Role(n.Roles).Has(economics.RoleChecker) && !slices.Contains(owners, n.Owner) {
			owners = append(owners, n.Owner)
		}
	}
	return len(owners)
}
