package state

import (
	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
)

// earlyLots bounds how many lots an early claim looks at, those that are free soonest first:
// rewards of the whole wait, a lot a day, are 180.
const earlyLots = 200

// checkerLot is the purse for a checker's reward: free after reward_vest_3_epochs, and able to
// leave after early_epochs at a loss. Both count from whole lots, so nothing in a lot leaves
// before its own time.
func (m *Machine) checkerLot(to key.Address) purse {
	p := m.free(to, m.params.RewardVest3Epochs)
	early := m.params.Matures(m.head.Epoch, m.params.EarlyEpochs)
	if p.kind != purseVesting || early >= p.free {
		return p
	}
	return rewardOf(to, p.free, early)
}

// claimEarly pays a checker's rewards out before their time, at most so many base units: those
// that would be free last go first, since they have the longest to wait. A quarter is paid,
// less a fee; the rest goes to the reserve.
func (m *Machine) claimEarly(c *txContext, most uint64) error {
	lots, err := m.leavable(c.Account)
	if err != nil {
		return err
	}
	var sum uint64
	var taken []claimed
	for i := len(lots) - 1; i >= 0 && sum < most && len(taken) < maxClaims; i-- {
		lot := lots[i]
		lot.amount = min(lot.amount, most-sum)
		sum += lot.amount
		taken = append(taken, lot)
	}
	paid, lost, ok := economics.EarlyExit(sum)
	if !ok {
		return refuse(ErrTooSoon, "%s %s of what %s asked for may leave, at least %s must; ask for more, or wait until it is free",
			amount.Amount(sum), Symbol, c.Account, amount.Amount(economics.ClaimMin))
	}
	left := paid
	for _, lot := range taken {
		out := min(left, lot.amount)
		left -= out
		if err := m.move(lot.from, balanceOf(c.Account), out); err != nil {
			return err
		}
		if err := m.move(lot.from, poolOf(economics.PoolReserve), lot.amount-out); err != nil {
			return err
		}
	}
	c.emit("claim_early", "account", c.Account, "rewards", sum, "paid", paid, "forfeited", lost, "lots", len(taken))
	return nil
}

// leavable finds the rewards of an account that may leave early now, those that are free
// soonest first.
func (m *Machine) leavable(a key.Address) (found []claimed, err error) {
	var bad error
	seen := 0
	lots := with(prefixVesting, a[:])
	err = m.overlay.Range(with(prefixVesting, a[:], u64(m.head.Epoch+1)), prefixEnd(lots), func(k, v []byte) bool {
		_, free, _, ok := ParseVestingKey(k)
		lot, err := DecodeLot(v)
		if bad = err; err != nil || !ok {
			return false
		}
		if lot.MayLeave(m.head.Epoch) > 0 {
			found = append(found, claimed{rewardOf(a, free, lot.From), lot.Early})
		}
		seen++
		return seen < earlyLots
	})
	if err == nil {
		err = bad
	}
	return found, err
}

// MayLeave is what of a lot that is not free yet may leave early in an epoch, in base units.
func (l Lot) MayLeave(epoch uint64) uint64 {
	if epoch < l.From {
		return 0
	}
	return l.Early
}
