package state

import (
	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/tx"
)

// maxNodes is how many nodes one account can have: what it claims stays a bounded walk.
const maxNodes = 1_000

// ReadNode is a node's entry in the registry as it stands in r.
func ReadNode(r Reader, n key.Node) (v Node, ok bool, err error) {
	return load(r, NodeKey(n), DecodeNode)
}

func (m *Machine) node(n key.Node) (Node, bool, error) { return ReadNode(m.overlay, n) }

// ownNode is a registered node that the transaction may speak for.
func (m *Machine) ownNode(c *txContext, id key.Node) (Node, error) {
	n, ok, err := m.node(id)
	switch {
	case err != nil:
		return n, err
	case !ok:
		return n, refuse(ErrNoNode, "%s; register it first", id)
	case n.Owner != c.Account:
		return n, refuse(ErrOwner, "%s belongs to %s; sign with that account's key", id, n.Owner)
	case !c.actsFor(id, n.Owner):
		return n, refuse(ErrDelegation, "%s may only speak for itself, not for %s; sign with the key of %s", key.Node(c.Signer), id, n.Owner)
	}
	return n, nil
}

// regionValid says whether s is a region: empty, or up to 32 of a-z, 0-9 and -, not with a
// dash in front.
func regionValid(s string) bool {
	if len(s) > tx.MaxRegion || (s != "" && s[0] == '-') {
		return false
	}
	for _, r := range []byte(s) {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' {
			return false
		}
	}
	return true
}

func (m *Machine) applyRegister(c *txContext, op *tx.Register) error {
	id := key.Node(op.GetNode())
	roles, class := economics.Role(op.GetRoles()), economics.Class(op.GetHardwareClass())
	var keys Keys
	if len(op.GetConsensusKey()) == key.Size && len(op.GetVrfKey()) == key.Size {
		keys = Keys{[32]byte(op.GetConsensusKey()), [32]byte(op.GetVrfKey())}
	}
	switch {
	case !roles.Valid() || !class.Valid():
		return refuse(ErrField, "roles %d, class %d; add up 1 container, 2 indexer, 4 checker and choose class 0 or 1", roles, class)
	case !regionValid(op.GetRegion()):
		return refuse(ErrField, "region %.40q; choose up to %d characters of a-z, 0-9 and -, not - in front", op.GetRegion(), tx.MaxRegion)
	case keys != Keys{} && !roles.Has(economics.RoleChecker):
		return refuse(ErrField, "only a checker has a vrf_key and a consensus_key; add the role or leave the keys out")
	case key.Address(id) == c.Account:
		return refuse(ErrOwner, "a node cannot own itself; register it from another account, so that a stolen node cannot spend")
	}
	n, known, err := m.node(id)
	if err != nil {
		return err
	}
	switch {
	case known && n.Owner != c.Account:
		return refuse(ErrOwner, "%s belongs to %s; that account must retire it first", id, n.Owner)
	case c.delegation != nil && c.Signer != key.Address(id):
		return refuse(ErrDelegation, "%s may only change its own entry; sign with the account's key", key.Node(c.Signer))
	case c.delegation != nil && (!known || n.Roles != roles || n.Class != class || n.latestKeys() != keys || n.Claim != op.GetClaimRpMilli()):
		return refuse(ErrDelegation, "a delegate may change region, price and subnets only; sign with the account's key")
	}
	if !known {
		if err := m.adopt(c.Account); err != nil {
			return err
		}
		n = Node{Owner: c.Account, Registered: m.head.Epoch}
	}
	n.Roles, n.Class, n.Region, n.Price = roles, class, op.GetRegion(), op.GetPriceMicroUsdPerHour()
	n.Claim = op.GetClaimRpMilli()
	if err := m.relocate(&n, op.GetSubnets()); err != nil {
		return err
	}
	// The proofs themselves are verified with the transaction's other signatures.
	proven := len(op.GetConsensusSignature()) != 0 && len(op.GetVrfProof()) != 0
	if err := m.changeKeys(id, &n, keys, proven); err != nil {
		return err
	}
	standing, err := m.standing(id)
	if err != nil {
		return err
	}
	m.assess(c, id, &n, &standing)
	c.emit("register", "node", id, "owner", n.Owner, "roles", uint32(roles), "region", n.Region,
		"price_micro_usd_per_hour", n.Price, "class", uint32(class), "claim_rp_milli", n.Claim, "subnets", subnetText(n.Subnets),
		"keys_from_epoch", n.NextFrom, "required", m.required(&n))
	return m.overlay.Set(NodeKey(id), n.Encode())
}

// adopt counts one more node of an account.
func (m *Machine) adopt(owner key.Address) error {
	a, err := m.account(owner)
	if err != nil {
		return err
	}
	if a.Nodes >= maxNodes {
		return refuse(ErrTooMany, "%s has %d; register more from another account", owner, a.Nodes)
	}
	a.Nodes++
	return m.setAccount(owner, a)
}

// changeKeys gives a node other keys, which count after one full epoch: by then the seed
// they could have been chosen for is past. A key belongs to one node for good, so that
// whoever signed with it can always be found; so it must be proven to be the node's, or
// anybody could take the key of another who is about to register it.
func (m *Machine) changeKeys(id key.Node, n *Node, keys Keys, proven bool) error {
	if keys == n.latestKeys() {
		return nil
	}
	if keys != (Keys{}) {
		for _, k := range [][32]byte{keys.Consensus, keys.VRF} {
			// With a key of small order one could prove whatever suits, seeds included.
			if err := key.Usable(k[:]); err != nil {
				return refuse(ErrField, "vrf_key or consensus_key %x: %v; make new ones", k, err)
			}
		}
		had, err := m.claimKeys(id, keys)
		switch {
		case err != nil:
			return err
		case !had && !proven:
			return refuse(ErrUnproven, "%s; send consensus_signature and vrf_proof, made with both keys for %s", id, n.Owner)
		}
	}
	n.Keys = n.KeysAt(m.head.Epoch)
	n.Next, n.NextFrom = keys, m.head.Epoch+2
	return nil
}

// claimKeys makes keys those of a node for good; had says that both were before.
func (m *Machine) claimKeys(id key.Node, keys Keys) (had bool, err error) {
	address := ConsensusAddress(keys.Consensus)
	taken := func(what string, by key.Node) error {
		return refuse(ErrKeyTaken, "the %s is that of %s; make a new one", what, by)
	}
	signer, signs, err := load(m.overlay, ConsensusKey(address), DecodeConsensusOwner)
	if err != nil {
		return false, err
	}
	prover, proves, err := load(m.overlay, VRFKey(keys.VRF), decodeVRFOwner)
	switch {
	case err != nil:
		return false, err
	case signs && signer.Node != id:
		return false, taken("consensus_key", signer.Node)
	case proves && prover != id:
		return false, taken("vrf_key", prover)
	case signs && proves:
		return true, nil
	}
	if err := m.overlay.Set(ConsensusKey(address), ConsensusOwner{id, keys.Consensus}.Encode()); err != nil {
		return false, err
	}
	return false, m.overlay.Set(VRFKey(keys.VRF), encodeVRFOwner(id))
}

func encodeVRFOwner(n key.Node) []byte {
	w := newWriter(key.Size)
	w.bytes(n[:])
	return w.b
}

func decodeVRFOwner(b []byte) (n key.Node, err error) {
	r := newReader("vrf key", b)
	n = r.b32()
	return n, r.done()
}

func (m *Machine) applyRetire(c *txContext, op *tx.Retire) error {
	id := key.Node(op.GetNode())
	n, err := m.ownNode(c, id)
	if err != nil {
		return err
	}
	s, err := m.stake(id)
	if err != nil {
		return err
	}
	unbonding, err := m.unbonding(n.Owner, id)
	switch {
	case err != nil:
		return err
	case s.Tombstoned:
		return refuse(ErrTombstoned, "%s signed two things where one was allowed and stays on record; use a new node key", id)
	case s.Amount > 0:
		return refuse(ErrRetire, "%s has %s %s bonded; unbond it first", id, amount.Amount(s.Amount), Symbol)
	case unbonding:
		return refuse(ErrRetire, "%s has stake that is still unbonding; claim it when it is free, then retire", id)
	case s.Accused > 0:
		return refuse(ErrRetire, "%s is accused, which costs what its owner has earned once the stake is gone; retire when that is carried out or taken back", id)
	}
	a, err := m.account(n.Owner)
	if err != nil {
		return err
	}
	if a.Nodes > 0 {
		a.Nodes--
	}
	if err := m.setAccount(n.Owner, a); err != nil {
		return err
	}
	// Offences of a node without stake are forgotten with it: what they cost is paid.
	if err := m.setStake(id, Stake{}); err != nil {
		return err
	}
	if err := m.forgetNode(id); err != nil {
		return err
	}
	c.emit("retire", "node", id, "owner", n.Owner)
	return m.overlay.Delete(NodeKey(id))
}
