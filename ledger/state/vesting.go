package state

import (
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/tx"
)

// Codes from 80: claims.
var (
	ErrNothing = rule(80, "nothing", "nothing is free to be claimed")
	ErrTooSoon = rule(81, "too_early", "too little may leave early")
)

// maxClaims bounds the work of one claim.
const maxClaims = 100

// claimed is money that is free to go to its owner.
type claimed struct {
	from   purse
	amount uint64 // base units, above 0
}

// applyClaim pays out what is free: lots that have matured, the part of grants that has,
// and stake that has finished unbonding; at most maxClaims of them at a time. With early it does
// something else: see claimEarly.
func (m *Machine) applyClaim(c *txContext, op *tx.Claim) error {
	if op.GetEarly() > 0 {
		return m.claimEarly(c, op.GetEarly())
	}
	found, more, err := m.claimable(c.Account, maxClaims)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return refuse(ErrNothing, "%s; look at its vesting lots for the epochs", c.Account)
	}
	var vested, unbonded uint64
	for _, f := range found {
		if err := m.move(f.from, balanceOf(c.Account), f.amount); err != nil {
			return err
		}
		if f.from.kind == purseUnbonding {
			unbonded += f.amount
		} else {
			vested += f.amount
		}
	}
	c.emit("claim", "account", c.Account, "vested", vested, "unbonded", unbonded,
		"lots", len(found), "more", more)
	return nil
}

// claimable finds up to limit purses of an account that are free now, and says whether
// there are more. Lots come first, those that were free first before others.
func (m *Machine) claimable(a key.Address, limit int) (found []claimed, more bool, err error) {
	var bad error
	collect := func(from purse, amount uint64) bool {
		if amount == 0 {
			return true
		}
		if more = len(found) == limit; more {
			return false
		}
		found = append(found, claimed{from, amount})
		return true
	}

	lots := with(prefixVesting, a[:])
	err = m.overlay.Range(lots, with(prefixVesting, a[:], u64(m.head.Epoch+1)), func(k, v []byte) bool {
		_, free, linear, ok := ParseVestingKey(k)
		lot, err := DecodeLot(v)
		if bad = err; err != nil || !ok {
			return false
		}
		return collect(vestingOf(a, free, linear), lot.Free(free, linear, m.head.Epoch))
	})
	if err == nil {
		err = bad
	}
	if err != nil || more {
		return found, more, err
	}
	more, err = m.unbonded(a, collect)
	return found, more, err
}

// unbonded finds an account's stakes that have finished unbonding, node by node: those that
// have not are passed over without reading them, since an account can have a great many. It
// says whether collect wanted no more.
func (m *Machine) unbonded(a key.Address, collect func(purse, uint64) bool) (stopped bool, err error) {
	end := prefixEnd(with(prefixUnbonding, a[:]))
	for from := with(prefixUnbonding, a[:]); from != nil && !stopped; {
		var next []byte
		var bad error
		err := m.overlay.Range(from, end, func(k, v []byte) bool {
			_, n, free, ok := ParseUnbondingKey(k)
			u, err := DecodeUnbonding(v)
			if bad = err; err != nil || !ok {
				return false
			}
			if free > m.head.Epoch {
				next = prefixEnd(with(prefixUnbonding, a[:], n[:]))
				return false
			}
			stopped = !collect(unbondingOf(a, n, free), u.Amount)
			return !stopped
		})
		if err == nil {
			err = bad
		}
		if err != nil {
			return false, err
		}
		from = next
	}
	return stopped, nil
}

// Free is what of a lot can be claimed in an epoch: all from its epoch free on, or as much
// as has become free since then, evenly over linear epochs, less what has left it.
func (l Lot) Free(free, linear, epoch uint64) uint64 {
	if epoch < free {
		return 0
	}
	vested := economics.CliffLinear(l.Granted, 0, linear, epoch-free)
	gone := l.Granted - l.Held
	if vested <= gone {
		return 0
	}
	return vested - gone
}
