package economics

import "github.com/framemesh/framemesh/ledger/amount"

// Passed says whether approving power is more than two thirds of all: 3·approving > 2·all,
// without overflow.
func Passed(approving, all uint64) bool {
	third, _, _ := amount.MulDiv(all, 2, 3)
	return approving > third
}
