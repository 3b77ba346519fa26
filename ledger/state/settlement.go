package state

import (
	"fmt"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/tx"
)

// How a session came to its end, as events say it.
const (
	endedByContainer = "container" // who is paid closed it
	endedByWindow    = "window"    // its player closed it and the container had its time
	endedByExpiry    = "expiry"    // nobody closed it
)

// endedBy is how a session came to its end as its memory says it.
var endedBy = map[string]uint8{endedByContainer: EndedByContainer, endedByWindow: EndedByWindow, endedByExpiry: EndedByExpiry}

// settle ends a session: what was paid is divided, the rest of the escrow goes back to the
// player, the record goes. The container's owner gets its income as a vesting lot, the node
// key's own account the cut that was delegated to it.
func (m *Machine) settle(id sessionID, s Session, how string) ([]Event, error) {
	if end, kind := s.ends(); end > m.head.Epoch { // else it is being worked off
		if err := m.unschedule(end, kind, id.subject()); err != nil {
			return nil, err
		}
	}
	gross, escrow := s.Paid, s.Escrow
	parts := m.params.Settle(gross)
	cut, err := m.cutOf(s.Owner, id.container, parts.Host)
	if err != nil {
		return nil, err
	}
	for _, to := range []struct {
		purse  purse
		amount uint64
	}{
		{burned, parts.Burned},
		{poolOf(economics.PoolIndexers), parts.Indexers},
		{poolOf(economics.PoolDAO), parts.DAO},
		{m.free(s.Owner, m.params.HostVestEpochs), parts.Host - cut},
		{m.free(key.Address(id.container), m.params.HostVestEpochs), cut},
		{balanceOf(s.Player), escrow - gross},
	} {
		if err := m.move(id.purse(), to.purse, to.amount); err != nil {
			return nil, err
		}
	}
	if err := m.overlay.Delete(id.key()); err != nil {
		return nil, err
	}
	if err := m.remember(id, s, how); err != nil {
		return nil, err
	}
	m.earnedBySession(parts.Host)
	if err := m.countPaid(id.container, s, parts.Fee); err != nil {
		return nil, err
	}
	return []Event{event("session_settled", "container", id.container, "session", id.text(), "by", how,
		"player", s.Player, "owner", s.Owner, "seconds", s.Covered, "gross", gross, "host", parts.Host, "cut", cut,
		"fee", parts.Fee, "dao", parts.DAO, "burned", parts.Burned, "indexers", parts.Indexers, "refund", escrow-gross)}, nil
}

// cutOf is what of a node's income goes to the account of the node key itself.
func (m *Machine) cutOf(owner key.Address, n key.Node, income uint64) (uint64, error) {
	d, ok, err := ReadDelegation(m.overlay, owner, n)
	if err != nil || !ok || d.Expires < m.head.Epoch {
		return 0, err
	}
	cut, _ := economics.Cut(income, uint64(d.CutPPM))
	return cut, nil
}

// free is the purse for money that an account may use after some epochs: its balance when
// that is now, else a lot that it shares with all that is earned in the same span.
func (m *Machine) free(to key.Address, epochs uint64) purse {
	at := m.params.Matures(m.head.Epoch, epochs)
	if at <= m.head.Epoch {
		return balanceOf(to)
	}
	return vestingOf(to, at, 0)
}

// countPaid enters a paid session into the epoch's weights: for the container the fee that
// bounds its reward for work, for the indexer that led there one session. No more than the
// fee comes back by both ways together, so that nobody gains by playing against itself:
// half of it through an indexer where one was named, the rest through the container.
func (m *Machine) countPaid(container key.Node, s Session, fee uint64) error {
	if s.Covered == 0 || s.Paid == 0 {
		return nil
	}
	back := fee
	if s.Indexer != (key.Node{}) && fee/2 > 0 { // a session without a fee would only thin out the others'
		back = fee - fee/2
		if err := m.AddWeight(m.head.Epoch, RewardIndexer, s.Indexer, Weight{Work: 1, Fees: fee / 2}); err != nil {
			return err
		}
	}
	n, ok, err := m.node(container)
	if err != nil || !ok || back == 0 {
		return err
	}
	// What the session rendered counts with the score that rounds have shown, whatever the
	// container says of itself: without a standing there is no reward for work.
	standing, err := m.standing(container)
	if err != nil {
		return err
	}
	class, seconds := containerClass(n.Class), uint64(s.Covered)
	work := economics.WorkWeight(standing.RPMilli, seconds, uint64(standing.QualityPPM), back)
	if err := m.AddWeight(m.head.Epoch, class, container, Weight{Work: work, Fees: back}); err != nil {
		return err
	}
	return m.addLoad(m.head.Epoch, class, 0, economics.Load(standing.RPMilli, seconds))
}

func containerClass(c economics.Class) RewardClass {
	if c == economics.ClassEnterprise {
		return RewardEnterprise
	}
	return RewardEdge
}

// remember keeps the name of a settled session taken for MemoryEpochs.
func (m *Machine) remember(id sessionID, s Session, how string) error {
	until := m.head.Epoch + MemoryEpochs
	left := Memory{Until: until, Player: s.Player, PerSecond: s.PerSecond, Seconds: s.Seconds, OpenedMS: s.OpenedMS, SettledMS: m.head.TimeMS,
		Ended: endedBy[how], ClosingMS: s.ClosingMS}
	if err := m.overlay.Set(UsedKey(id.container, id.name), left.Encode()); err != nil {
		return err
	}
	return m.schedule(until, dueForget, id.subject())
}

func subjectID(subject []byte) (id sessionID, err error) {
	if len(subject) != key.Size+tx.SessionSize {
		return id, fmt.Errorf("%w: due work on a session", ErrRecord)
	}
	return idOf(subject[:key.Size], subject[key.Size:]), nil
}

func (m *Machine) forgetSession(subject []byte) ([]Event, error) {
	id, err := subjectID(subject)
	if err != nil {
		return nil, err
	}
	return nil, m.overlay.Delete(UsedKey(id.container, id.name))
}

// settleDue settles what a player presented and its container did not answer in time.
func (m *Machine) settleDue(subject []byte) ([]Event, error) {
	return m.settleAlone(subject, PhaseClosing, endedByWindow)
}

// expireDue gives back the escrow of a session that nobody closed.
func (m *Machine) expireDue(subject []byte) ([]Event, error) {
	return m.settleAlone(subject, PhaseOpen, endedByExpiry)
}

func (m *Machine) settleAlone(subject []byte, phase Phase, how string) ([]Event, error) {
	id, err := subjectID(subject)
	if err != nil {
		return nil, err
	}
	s, ok, err := load(m.overlay, id.key(), DecodeSession)
	if err != nil {
		return nil, err
	}
	if end, _ := s.ends(); !ok || s.Phase != phase || end > m.head.Epoch {
		return nil, fmt.Errorf("%w: session %s is due in phase %d of %d", ErrRecord, id.text(), phase, s.Phase)
	}
	return m.settle(id, s, how)
}
