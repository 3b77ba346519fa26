package state

import (
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
)

// What a container must stake follows what its machine renders and what such machines earn:
// the coefficient SC is the stake of one of reference score, made anew each
// coefficient_epochs from what all containers have earned, and a container's own requirement
// is SC times its score. It is part of the registry's entry, so whoever reads that knows it,
// and a container that does not meet it is out of standing by itself: no list is walked.

// required is what a node must have bonded now, in base units.
func (m *Machine) required(n *Node) uint64 { return n.Required(m.params, m.head.Epoch) }

// require sets what a container must stake when it has never been set, when it has been fixed
// for long enough, or when it was set before rounds had measured the machine and now they
// have. It says whether the entry has changed. A rise holds after a grace, a fall at once.
//
// It goes by the highest score since the last time: a machine that renders slowly for the
// rounds before would else be required little for thirty days.
func (m *Machine) require(n *Node, s *Standing) bool {
	if !n.Roles.Has(economics.RoleContainer) {
		return false
	}
	now, old := m.head.Epoch, n.Need
	first := old == Requirement{}
	n.Need.Peak = max(old.Peak, s.RPMilli)
	whole := len(s.Rounds) >= economics.KeptRounds
	if !first && now < old.Set+m.params.RequirementEpochs && (old.Measured || !whole) {
		return n.Need != old
	}
	scale := economics.Scale(0)
	if !first || whole {
		scale = economics.Scale(n.Need.Peak)
	}
	next := Requirement{
		Amount: economics.Requirement(m.coefficient.SC, scale), Before: old.At(now), From: now, Set: now,
		Peak: s.RPMilli, Measured: whole || (!first && n.Need.Peak > 0),
	}
	if !first && next.Amount > next.Before {
		next.From = now + m.params.StakeGraceEpochs
	}
	n.Need = next
	return true
}

// reassess is require for a registered container: it says what has become of it, and writes
// the entry.
func (m *Machine) reassess(c *txContext, id key.Node, n *Node, s *Standing) error {
	if !m.assess(c, id, n, s) {
		return nil
	}
	return m.overlay.Set(NodeKey(id), n.Encode())
}

// assess is reassess for who writes the entry itself.
func (m *Machine) assess(c *txContext, id key.Node, n *Node, s *Standing) (changed bool) {
	before := n.Need
	changed = m.require(n, s)
	if n.Need.Set != before.Set || n.Need.Amount != before.Amount {
		c.emit("requirement", "node", id, "container", n.Need.Amount, "before", n.Need.Before,
			"from_epoch", n.Need.From, "score_milli", max(before.Peak, s.RPMilli), "coefficient", m.coefficient.SC)
	}
	return changed
}

// earnedBySession adds what a container earned to the revenue of the day.
func (m *Machine) earnedBySession(host uint64) {
	c := &m.coefficient
	c.roll(m.params.RevenueDay(m.head.Epoch))
	at := &c.Revenue[c.Day%economics.RevenueDays]
	*at = economics.Sum(*at, host)
}

// newCoefficient makes SC anew when its time has come. The active containers are those in
// good standing; each counts with the score that its requirement would be made by.
func (m *Machine) newCoefficient(_, epoch uint64) ([]Event, error) {
	c := &m.coefficient
	if epoch < c.Next {
		return nil, nil
	}
	c.roll(m.params.RevenueDay(epoch))
	var scales uint64
	err := m.eligible(func(_ key.Node, n *Node, _ Stake) error {
		if n.Roles.Has(economics.RoleContainer) {
			scales = economics.Sum(scales, economics.Scale(n.Need.Peak))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	old := c.SC
	c.SC = m.params.Coefficient(old, c.Sum(), scales)
	c.Next = epoch + m.params.CoefficientEpochs
	return []Event{event("coefficient", "epoch", epoch, "coefficient", c.SC, "before", old, "revenue", c.Sum(),
		"scale_ppm", scales, "next_epoch", c.Next)}, nil
}
