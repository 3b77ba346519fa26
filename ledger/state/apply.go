package state

import (
	"slices"
	"time"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/tx"
)

// txContext is one transaction while it is applied.
type txContext struct {
	*tx.Tx
	// delegation is how the signer acts for the account, nil when it is the account itself.
	delegation *Delegation
	quiet      bool // nobody reads the events; writing them is half of the work
	events     []Event
	forfeit    uint64 // what a refusal costs besides the fee: every node did much work for it
}

func (c *txContext) emit(kind string, pairs ...any) {
	if !c.quiet {
		c.events = append(c.events, event(kind, pairs...))
	}
}

// actsFor says whether the transaction may speak for a node: its owner may, and the node's
// own key when the owner has delegated to it. A delegate never speaks for other nodes.
func (c *txContext) actsFor(id key.Node, owner key.Address) bool {
	return c.Account == owner && (c.delegation == nil || c.Signer == key.Address(id))
}

// Apply applies a transaction whose signature has been verified. A refusal is an *Error;
// then nothing changes but, when the signer could pay, its nonce and the fee, and of a fraud
// proof that was rendered and found false the bond. Any other error stops the node.
//
// Order of work: time, nonce, delegation, fee, the signatures inside, the operation. The
// fee is the account's, not the delegate's: node keys own nothing.
func (m *Machine) Apply(t *tx.Tx) ([]Event, error) {
	c := &txContext{Tx: t, quiet: m.quiet}
	signer, err := m.admissible(c)
	if err != nil {
		return nil, err
	}
	if err := m.charge(c, signer); err != nil {
		return nil, err
	}
	live, updates := m.live, slices.Clone(m.updates)
	m.overlay.Begin()
	err = m.perform(c)
	if m.quiet {
		c.events = nil
	}
	if err == nil {
		return c.events, m.overlay.Commit()
	}
	m.live, m.updates = live, updates
	if undo := m.overlay.Discard(); undo != nil {
		return nil, undo
	}
	if lost := m.move(balanceOf(c.Account), poolOf(economics.PoolPenalties), c.forfeit); lost != nil {
		return nil, lost
	}
	return nil, err
}

// Admits says what Apply refuses before it looks at the operation: time, nonce, delegation,
// fee. It changes nothing. Whoever sheds load asks it before the signatures inside.
func (m *Machine) Admits(t *tx.Tx) error {
	_, err := m.admissible(&txContext{Tx: t, quiet: true})
	return err
}

// Try is Apply for transactions that want to wait: a refusal leaves nothing behind, neither
// nonce nor fee, because what is refused here never comes into a block.
func (m *Machine) Try(t *tx.Tx) error {
	_, err := m.Attempt(t, nil)
	return err
}

// Attempt is Try that also says whether the transaction was admitted: what Admits refuses
// costs a node next to nothing, what is refused later may cost it much. Once it is admitted,
// first is asked (nil: nobody), and its error refuses the transaction as it is.
func (m *Machine) Attempt(t *tx.Tx, first func() error) (admitted bool, err error) {
	c := &txContext{Tx: t, quiet: m.quiet}
	signer, err := m.admissible(c)
	if err != nil {
		return false, err
	}
	if first != nil {
		if err := first(); err != nil {
			return true, err
		}
	}
	live, updates := m.live, slices.Clone(m.updates)
	m.overlay.Begin()
	if err = m.charge(c, signer); err == nil {
		err = m.perform(c)
	}
	if err == nil {
		return true, m.overlay.Commit()
	}
	m.live, m.updates = live, updates
	if undo := m.overlay.Discard(); undo != nil {
		return true, undo
	}
	return true, err
}

// perform is the part of a transaction that may be refused after it has paid its fee.
func (m *Machine) perform(c *txContext) error {
	if err := c.VerifyEvidence(m.network.Chain); err != nil {
		return refuse(ErrEvidence, "%v; have it signed again for this network", err)
	}
	return m.dispatch(c)
}

// charge takes nonce and fee of a transaction that is admissible, of which signer is the
// signer's account.
func (m *Machine) charge(c *txContext, signer Account) error {
	signer.Nonce++
	if !c.Delegated() { // one record, written once
		signer.Balance -= m.params.TxFee // admissible has seen that it is there
		if err := m.setAccount(c.Signer, signer); err != nil {
			return err
		}
		return m.moved(balanceOf(c.Account), burned, m.params.TxFee)
	}
	if err := m.setAccount(c.Signer, signer); err != nil {
		return err
	}
	return m.move(balanceOf(c.Account), burned, m.params.TxFee)
}

// admissible checks what holds for every transaction and changes nothing. It returns the
// signer's account as it stands, and finds the delegation by which the signer acts.
func (m *Machine) admissible(c *txContext) (signer Account, err error) {
	if until := c.Body.GetValidUntilMs(); until != 0 && m.head.TimeMS > until {
		return signer, refuse(ErrExpired, "it was valid until %s and it is %s; sign it again with a later time",
			clock(until), clock(m.head.TimeMS))
	}
	if signer, err = m.account(c.Signer); err != nil {
		return signer, err
	}
	if n := c.Body.GetNonce(); n != signer.Nonce {
		return signer, refuse(ErrNonce, "%s signs number %d next, not %d; read its nonce again and sign anew", c.Signer, signer.Nonce, n)
	}
	payer := signer
	if c.Delegated() {
		if c.delegation, err = m.delegation(c.Account, key.Node(c.Signer)); err != nil {
			return signer, err
		}
		if !tx.Delegable(c.Name()) {
			return signer, refuse(ErrDelegation, "%s is for %s itself; sign it with that account's key", c.Name(), c.Account)
		}
		if payer, err = m.account(c.Account); err != nil {
			return signer, err
		}
	}
	if payer.Balance < m.params.TxFee {
		return signer, refuse(ErrFee, "%s has %s %s and the fee is %s; send it some first",
			c.Account, amount.Amount(payer.Balance), Symbol, amount.Amount(m.params.TxFee))
	}
	return signer, nil
}

func clock(ms uint64) string {
	return time.UnixMilli(int64(min(ms, 1<<53))).UTC().Format(time.RFC3339) // bounded: a year that can be written
}

func (m *Machine) dispatch(c *txContext) error {
	switch op := c.Body.GetOp().(type) {
	case *tx.Body_Transfer:
		return m.applyTransfer(c, op.Transfer)
	case *tx.Body_Register:
		return m.applyRegister(c, op.Register)
	case *tx.Body_Retire:
		return m.applyRetire(c, op.Retire)
	case *tx.Body_Delegate:
		return m.applyDelegate(c, op.Delegate)
	case *tx.Body_Revoke:
		return m.applyRevoke(c, op.Revoke)
	case *tx.Body_Stake:
		return m.applyStake(c, op.Stake)
	case *tx.Body_Unbond:
		return m.applyUnbond(c, op.Unbond)
	case *tx.Body_Open:
		return m.applyOpen(c, op.Open)
	case *tx.Body_TopUp:
		return m.applyTopUp(c, op.TopUp)
	case *tx.Body_Close:
		return m.applyClose(c, op.Close)
	case *tx.Body_BatchClose:
		return m.applyBatchClose(c, op.BatchClose)
	case *tx.Body_VoteCommit:
		return m.applyVoteCommit(c, op.VoteCommit)
	case *tx.Body_Certificate:
		return m.applyCertificate(c, op.Certificate)
	case *tx.Body_Fraud:
		return m.applyFraud(c, op.Fraud)
	case *tx.Body_DoubleVote:
		return m.applyDoubleVote(c, op.DoubleVote)
	case *tx.Body_Claim:
		return m.applyClaim(c, op.Claim)
	case *tx.Body_Propose:
		return m.applyPropose(c, op.Propose)
	case *tx.Body_Approve:
		return m.applyApprove(c, op.Approve)
	case *tx.Body_Appeal:
		return m.applyAppeal(c, op.Appeal)
	}
	return refuse(ErrOperation, "this network does not know it; use a program of its version")
}
