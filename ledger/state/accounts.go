package state

import (
	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/tx"
)

// load reads and decodes a record; ok is false when there is none.
func load[T any](r Reader, k []byte, decode func([]byte) (T, error)) (v T, ok bool, err error) {
	b, err := r.Get(k)
	if err != nil || b == nil {
		return v, false, err
	}
	v, err = decode(b)
	return v, err == nil, err
}

// ReadAccount is an account as it stands in r; one that nobody has paid is all zero.
func ReadAccount(r Reader, a key.Address) (Account, error) {
	v, _, err := load(r, AccountKey(a), DecodeAccount)
	return v, err
}

// account is ReadAccount of what the machine has, without a copy of the key when the block
// has touched the account before.
func (m *Machine) account(a key.Address) (Account, error) {
	if b, ok := m.overlay.peek(AccountKey(a)); ok {
		if b == nil {
			return Account{}, nil
		}
		return DecodeAccount(b)
	}
	return ReadAccount(m.overlay, a)
}

func (m *Machine) setAccount(a key.Address, v Account) error {
	if v == (Account{}) {
		return m.overlay.Delete(AccountKey(a))
	}
	return m.overlay.Set(AccountKey(a), v.Encode())
}

func lacking(a key.Address, held, wanted uint64) error {
	return refuse(ErrFunds, "%s has %s %s and needs %s; wait for a payment or choose less",
		a, amount.Amount(held), Symbol, amount.Amount(wanted))
}

// Symbol of the token in texts.
const Symbol = genesis.Symbol

func (m *Machine) applyTransfer(c *txContext, op *tx.Transfer) error {
	to := key.Address(op.GetTo())
	if err := m.move(balanceOf(c.Account), balanceOf(to), op.GetAmount()); err != nil {
		return err
	}
	if !c.quiet { // or its arguments are copied for nobody
		c.emit("transfer", "from", c.Account, "to", to, "amount", op.GetAmount())
	}
	return nil
}
