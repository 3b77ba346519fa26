package economics

import "github.com/framemesh/framemesh/ledger/amount"

// MaxLockWeeks is the lock that gives a stake its whole weight: four years.
const MaxLockWeeks = 208

// VoteWeight is the weight of stake that is locked for some weeks: ⌊stake·weeks/208⌋, and
// nothing below one week. Money that still vests has no weight: pass only what is free.
func VoteWeight(stake, weeks uint64) uint64 {
	v, _, _ := amount.MulDiv(stake, min(weeks, MaxLockWeeks), MaxLockWeeks)
	return v
}

// Passed says whether approving power is more than two thirds of all: 3·approving > 2·all,
// without overflow.
func Passed(approving, all uint64) bool {
	third, _, _ := amount.MulDiv(all, 2, 3)
	return approving > third
}
