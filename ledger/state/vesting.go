package state

import "github.com/framemesh/framemesh/ledger/tx"

func (m *Machine) applyClaim(c *txContext, op *tx.Claim) error {
	return refuse(ErrOperation, "claims are not open yet; wait")
}
