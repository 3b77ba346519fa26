package state

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/tx"
)

// A slash that rests on what a committee says waits for appeal_epochs. Until then the owner
// may ask a wider committee, drawn from the seed of the next epoch out of all other
// checkers. It confirms, or it acquits; without its certificate nobody is punished. Its result
// names no members: all that rerun one piece of evidence attest the same bytes, and whoever
// attests them is paid for it.

// AppealBatch is the number under which the wider committee answers an accusation: the
// first 31 bits of its name below a high bit, which no batch of a round has.
func AppealBatch(accusation [32]byte) uint32 {
	r := reader{b: accusation[:4]}
	return r.u32() | appealBit
}

const appealBit = 1 << 31

// AccusationID names an accusation by what it says: SHA-256("framemesh/accusation/1" ‖ node ‖
// epoch (8) ‖ batch (4) ‖ offence (1)).
func AccusationID(n key.Node, epoch uint64, batch uint32, o economics.Offence) [32]byte {
	return sha256.Sum256(with("framemesh/accusation/1", n[:], u64(epoch), u32(batch), []byte{byte(o)}))
}

// accuse notes a slash that can be appealed. A second one under the same name changes
// nothing.
func (m *Machine) accuse(id [32]byte, a Accusation) ([]Event, error) {
	node, ok, err := m.node(a.Node)
	if err != nil || !ok {
		return nil, err
	}
	if b, err := m.overlay.Get(AccusationKey(id)); err != nil || b != nil {
		return nil, err
	}
	e, err := m.exposure(a.Node, node.Owner)
	if err != nil {
		return nil, err
	}
	s, err := m.stake(a.Node)
	if err != nil {
		return nil, err
	}
	if a.Subnets, err = m.livedIn(a.Node, a.Epoch, &node); err != nil {
		return nil, err
	}
	a.Owner, a.Amount = node.Owner, m.slashAmount(&node, s, a.Offence, e.sources())
	a.Final = m.head.Epoch + m.params.AppealEpochs + 1
	s.Accused++
	if err := m.setStake(a.Node, s); err != nil {
		return nil, err
	}
	if err := m.schedule(a.Final, dueSlash, id[:]); err != nil {
		return nil, err
	}
	session := ""
	if a.Session != ([16]byte{}) {
		session = hex.EncodeToString(a.Session[:])
	}
	return []Event{event("accused", "accusation", hex.EncodeToString(id[:]), "node", a.Node, "offence", a.Offence.String(),
		"amount", a.Amount, "final_epoch", a.Final, "epoch", a.Epoch, "batch", a.Batch, "evidence", a.Evidence, "session", session)}, m.overlay.Set(AccusationKey(id), a.Encode())
}

// applyAppeal asks the wider committee. It takes the bond, which lies in the reserve until
// it comes back or is lost.
func (m *Machine) applyAppeal(c *txContext, op *tx.Appeal) error {
	id := [32]byte(op.GetAccusation())
	a, ok, err := ReadAccusation(m.overlay, id)
	if err != nil {
		return err
	}
	if !ok || m.head.Epoch >= a.Final {
		return refuse(ErrNoAppeal, "%x; it is final, was taken back, or never was", id[:8])
	}
	if a.Appealed != 0 {
		return refuse(ErrNoAppeal, "%x was appealed; wait for the committee of epoch %d", id[:8], a.Appealed)
	}
	if _, err := m.ownNode(c, a.Node); err != nil {
		return err
	}
	at := m.head.Epoch + 1
	others, _, err := load(m.overlay, AppealsKey(at), decodeAppeals)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(others, func(o [32]byte) bool { return AppealBatch(o) == AppealBatch(id) }) {
		return refuse(ErrNoAppeal, "another appeal has its number in epoch %d; appeal again in the next epoch", at)
	}
	if len(others) >= MaxAppeals {
		return refuse(ErrNoAppeal, "epoch %d judges %d appeals already; appeal again in the next epoch", at, MaxAppeals)
	}
	bond := m.params.AppealBond
	if err := m.move(balanceOf(c.Account), poolOf(economics.PoolReserve), bond); err != nil {
		return err
	}
	if err := m.unschedule(a.Final, dueSlash, id[:]); err != nil {
		return err
	}
	// Certificates of epoch at are taken in it and in the next.
	a.Appealed, a.Bond, a.Final = at, bond, at+2
	if err := m.schedule(a.Final, dueSlash, id[:]); err != nil {
		return err
	}
	c.emit("appeal", "accusation", hex.EncodeToString(id[:]), "node", a.Node, "epoch", at, "batch", AppealBatch(id),
		"bond", bond, "evidence", a.Evidence)
	if err := m.overlay.Set(AppealsKey(at), append(others, id).encode()); err != nil {
		return err
	}
	return m.overlay.Set(AccusationKey(id), a.Encode())
}

// answerAppeal does what the wider committee found: a verdict of bad confirms, every other
// acquits, and ok says besides that those of the first committee who found it were wrong.
func (m *Machine) answerAppeal(c *txContext, id [32]byte, verdict uint32) error {
	a, ok, err := ReadAccusation(m.overlay, id)
	if err != nil || !ok {
		return err
	}
	if verdict != proof.VerdictBad {
		if verdict == proof.VerdictOK {
			for _, n := range a.Answer() {
				if err := m.wrong(c, n, Verdict{Epoch: a.Epoch, Batch: a.Batch, Evidence: named(a.Evidence)}); err != nil {
					return err
				}
			}
		}
		events, _, err := m.Acquit(id)
		c.events = append(c.events, events...)
		return err
	}
	if err := m.unschedule(a.Final, dueSlash, id[:]); err != nil {
		return err
	}
	if err := m.move(poolOf(economics.PoolReserve), poolOf(economics.PoolPenalties), a.Bond); err != nil {
		return err
	}
	events, err := m.carryOut(id, a)
	c.events = append(c.events, events...)
	return err
}

// Acquit takes an accusation back that is not final yet; ok is false when there is none. A
// bond goes back to the owner.
func (m *Machine) Acquit(id [32]byte) (events []Event, ok bool, err error) {
	a, ok, err := ReadAccusation(m.overlay, id)
	if err != nil || !ok {
		return nil, false, err
	}
	if err := m.unschedule(a.Final, dueSlash, id[:]); err != nil {
		return nil, false, err
	}
	events, err = m.acquit(id, a)
	return events, true, err
}

func (m *Machine) acquit(id [32]byte, a Accusation) ([]Event, error) {
	if err := m.drop(id, a); err != nil {
		return nil, err
	}
	if err := m.move(poolOf(economics.PoolReserve), balanceOf(a.Owner), a.Bond); err != nil {
		return nil, err
	}
	if err := m.note(a, VerdictAcquitted); err != nil {
		return nil, err
	}
	return []Event{event("acquitted", "accusation", hex.EncodeToString(id[:]), "node", a.Node, "offence", a.Offence.String(),
		"epoch", a.Epoch, "bond", a.Bond, "evidence", a.Evidence)}, nil
}

// carryOut slashes for an accusation that stands. The node is still its owner's: who is accused
// cannot retire.
func (m *Machine) carryOut(id [32]byte, a Accusation) ([]Event, error) {
	if err := m.drop(id, a); err != nil {
		return nil, err
	}
	to := loot{victim: a.Victim, most: m.network.Supply}
	if a.Offence == economics.OffenceDrop {
		to.most = a.Most
	}
	return m.slashFor(a.Node, a.Offence, to, a.Amount)
}

// drop takes the records of an accusation away. Its node may retire when it was the last.
func (m *Machine) drop(id [32]byte, a Accusation) error {
	if a.Appealed != 0 {
		if err := m.dropAppeal(a.Appealed, id); err != nil {
			return err
		}
	}
	s, err := m.stake(a.Node)
	if err != nil {
		return err
	}
	if s.Accused == 0 {
		return fmt.Errorf("%w: %s is accused, and its stake says that it is not", ErrRecord, a.Node)
	}
	s.Accused--
	if err := m.setStake(a.Node, s); err != nil {
		return err
	}
	return m.overlay.Delete(AccusationKey(id))
}

// dropAppeal takes an appeal from those of an epoch.
func (m *Machine) dropAppeal(epoch uint64, id [32]byte) error {
	all, _, err := load(m.overlay, AppealsKey(epoch), decodeAppeals)
	if err != nil {
		return err
	}
	left := slices.DeleteFunc(all, func(o [32]byte) bool { return o == id })
	if len(left) == 0 {
		return m.overlay.Delete(AppealsKey(epoch))
	}
	return m.overlay.Set(AppealsKey(epoch), left.encode())
}

// note remembers of a container what became of an accusation.
func (m *Machine) note(a Accusation, verdict uint8) error {
	n, ok, err := m.node(a.Node)
	if err != nil || !ok || !n.wasContainer() {
		return err
	}
	s, err := m.standing(a.Node)
	if err != nil {
		return err
	}
	return m.remark(a.Node, s, Verdict{Epoch: a.Epoch, Batch: a.Batch, Verdict: verdict, Reason: uint32(a.Offence), Evidence: named(a.Evidence)})
}
