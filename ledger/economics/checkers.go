package economics

import "github.com/framemesh/framemesh/ledger/amount"

// BonusUptimeBps is the uptime of a quarter, in bps, that the checkers' bonus asks for.
const BonusUptimeBps = 9_500

// bonusUnit, in base units, keeps BonusWeight below MaxWeight even for a checker that earns
// all of a quarter, 2.6·10^16.
const bonusUnit = 100_000

// BonusWeight is a checker's weight in the bonus of a quarter: what it earned from
// checker_base in it, ⌊base/10^5⌋ and at most MaxWeight, when it was up for at least 95 % and
// never suspended, else 0. The bonus pool is the quarter's emission and all penalties
// collected in it; Payout divides it.
func BonusWeight(base, uptimeBps, bans uint64) uint64 {
	if uptimeBps < BonusUptimeBps || bans > 0 {
		return 0
	}
	return min(base/bonusUnit, MaxWeight)
}

// A checker that is wrong WrongLimit times within WrongWindow epochs gets no tasks for
// SuspendEpochs. Wrong means contradicted by recomputation, or outside the tolerance of a
// committee that reached its quorum; where there was none, nobody was wrong.
const (
	WrongLimit    = 2
	WrongWindow   = 672   // 7 days
	SuspendEpochs = 2_880 // 30 days
)

// Suspended is until which epoch (exclusive) a checker gets no tasks, given the epochs of
// its wrong answers in rising order; 0 if it never was suspended. Two answers in one
// window suspend from the later one on.
func Suspended(wrong []uint64) (until uint64) {
	for i := WrongLimit - 1; i < len(wrong); i++ {
		if first := wrong[i-(WrongLimit-1)]; wrong[i]-first < WrongWindow {
			until = wrong[i] + SuspendEpochs
		}
	}
	return until
}

// Leaving early: a checker may have its reward early_epochs after it was earned instead of
// waiting for the whole period, and then keeps EarlyBps of it.
const (
	EarlyBps = 2_500
	// ClaimFee is kept from each early claim, and ClaimMin is the least one; base units.
	ClaimFee = 5 * uint64(amount.FRM)
	ClaimMin = 30 * uint64(amount.FRM)
)

// EarlyExit divides rewards of a checker that leave before their time, in one claim: paid is
// ⌊v·25/100⌋ less ClaimFee, and forfeited, for the reserve, the other three quarters with the
// remainder and the fee. Below ClaimMin ok is false and nothing happens.
func EarlyExit(v uint64) (paid, forfeited uint64, ok bool) {
	if v < ClaimMin {
		return 0, 0, false
	}
	paid = part(v, EarlyBps) - ClaimFee // a quarter of ClaimMin is 7.5 FRM
	return paid, v - paid, true
}
