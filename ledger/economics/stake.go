package economics

import (
	"math/bits"

	"github.com/framemesh/framemesh/ledger/amount"
)

// StakeFor is what a node must have bonded, in base units: the sum over its roles, where a
// checker that validates needs validator_min_stake instead of checker_stake. A container of
// unknown score counts as the reference machine (K = 1).
func (p Params) StakeFor(roles Role, validates bool) uint64 {
	var need uint64 // three bounded terms: no overflow
	if roles.Has(RoleContainer) {
		need += p.ContainerStake
	}
	if roles.Has(RoleIndexer) {
		need += p.IndexerStake
	}
	switch {
	case validates:
		need += p.ValidatorMinStake
	case roles.Has(RoleChecker):
		need += p.CheckerStake
	}
	return need
}

// Requirement is the stake of one container: ⌊K·SC/10^6⌋ base units, where kPPM is its
// measured score over the reference and sc the stake coefficient. It is never above the
// supply.
func Requirement(sc, kPPM uint64) uint64 {
	need, _, err := amount.MulDiv(sc, kPPM, amount.PPM)
	if err != nil {
		return uint64(amount.Supply)
	}
	return min(need, uint64(amount.Supply))
}

// Coefficient is next week's SC: ⌊revenue·10^6/ΣK⌋, where revenue is what all containers
// earned in the last 30 days and sumKPPM the sum over the active ones, moved at most 20 %
// from the old one either way. With no active container it stays. The move rounds towards
// the old coefficient, so that a coefficient below 5 base units rests.
func Coefficient(old, revenue, sumKPPM uint64) uint64 {
	if sumKPPM == 0 {
		return old
	}
	low, high := old-old/5, old+old/5
	sc, _, err := amount.MulDiv(revenue, amount.PPM, sumKPPM)
	if err != nil {
		return high
	}
	return min(max(sc, low), high)
}

// MaxStakeBonusPPM bounds what more stake than required adds to a container's weight.
const MaxStakeBonusPPM = 250_000

// StakeFactor weighs a container by its stake, in ppm: 10^6 at the requirement, and
// ⌊250 000·(stake−required)/required⌋ more above it, at most MaxStakeBonusPPM. Below the
// requirement it is 0: the container earns nothing. With nothing required it is 10^6.
func StakeFactor(stake, required uint64) uint64 {
	switch {
	case stake < required:
		return 0
	case required == 0:
		return amount.PPM
	}
	hi, lo := bits.Mul64(MaxStakeBonusPPM, stake-required)
	if hi >= required { // more than 2^64 times the requirement
		return amount.PPM + MaxStakeBonusPPM
	}
	bonus, _ := bits.Div64(hi, lo, required)
	return amount.PPM + min(bonus, MaxStakeBonusPPM)
}
