package state

import (
	"fmt"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/tx"
)

const maxCutPPM = amount.PPM

// ReadDelegation is what an account lets a node key do for it, expired or not.
func ReadDelegation(r Reader, account key.Address, n key.Node) (d Delegation, ok bool, err error) {
	return load(r, DelegationKey(account, n), DecodeDelegation)
}

// delegation is the delegation that holds now.
func (m *Machine) delegation(account key.Address, n key.Node) (*Delegation, error) {
	d, ok, err := ReadDelegation(m.overlay, account, n)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, refuse(ErrDelegation, "%s has not delegated to %s; sign with the account's key or delegate first", account, n)
	case d.Expires < m.head.Epoch:
		return nil, refuse(ErrDelegation, "what %s delegated to %s ended with epoch %d; delegate again", account, n, d.Expires)
	}
	return &d, nil
}

func (m *Machine) applyDelegate(c *txContext, op *tx.Delegate) error {
	id := key.Node(op.GetNode())
	now, last := m.head.Epoch, m.head.Epoch+m.params.DelegationMaxEpochs
	if e := op.GetExpiresEpoch(); e < now || e > last {
		return refuse(ErrField, "expires_epoch is %d; choose %d to %d", e, now, last)
	}
	if op.GetCutPpm() > maxCutPPM {
		return refuse(ErrField, "cut_ppm is %d; choose 0 to %d", op.GetCutPpm(), maxCutPPM)
	}
	if key.Address(id) == c.Account {
		return refuse(ErrDelegation, "an account needs no delegation to itself; name a node key")
	}
	n, ok, err := m.node(id)
	if err != nil {
		return err
	}
	if ok && n.Owner != c.Account {
		return refuse(ErrOwner, "%s belongs to %s; name a node of yours", id, n.Owner)
	}
	if err := m.delegate(c.Account, id, Delegation{op.GetExpiresEpoch(), op.GetCutPpm()}); err != nil {
		return err
	}
	c.emit("delegate", "account", c.Account, "node", id, "expires_epoch", op.GetExpiresEpoch(), "cut_ppm", op.GetCutPpm())
	return nil
}

func (m *Machine) delegate(account key.Address, n key.Node, d Delegation) error {
	old, ok, err := ReadDelegation(m.overlay, account, n)
	if err != nil {
		return err
	}
	if ok {
		if err := m.unschedule(old.Expires+1, dueUndelegate, with("", account[:], n[:])); err != nil {
			return err
		}
	}
	if err := m.schedule(d.Expires+1, dueUndelegate, with("", account[:], n[:])); err != nil {
		return err
	}
	return m.overlay.Set(DelegationKey(account, n), d.Encode())
}

func (m *Machine) applyRevoke(c *txContext, op *tx.Revoke) error {
	id := key.Node(op.GetNode())
	d, ok, err := ReadDelegation(m.overlay, c.Account, id)
	if err != nil {
		return err
	}
	if !ok {
		return refuse(ErrNoDelegation, "%s has not delegated to %s; there is nothing to revoke", c.Account, id)
	}
	if err := m.unschedule(d.Expires+1, dueUndelegate, with("", c.Account[:], id[:])); err != nil {
		return err
	}
	c.emit("revoke", "account", c.Account, "node", id)
	return m.overlay.Delete(DelegationKey(c.Account, id))
}

// undelegate takes a delegation away that has run out.
func (m *Machine) undelegate(subject []byte) ([]Event, error) {
	if len(subject) != 2*key.Size {
		return nil, fmt.Errorf("%w: delegation that ends", ErrRecord)
	}
	account, n := key.Address(subject[:key.Size]), key.Node(subject[key.Size:])
	d, ok, err := ReadDelegation(m.overlay, account, n)
	if err != nil || !ok || d.Expires >= m.head.Epoch {
		return nil, err
	}
	return []Event{event("revoke", "account", account, "node", n)}, m.overlay.Delete(DelegationKey(account, n))
}
