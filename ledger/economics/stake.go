package economics

import (
	"math/bits"

	"github.com/framemesh/framemesh/ledger/amount"
)

// StakeFor is what a node must have bonded, in base units: the sum over its roles, where a
// checker that validates needs validator_min_stake instead of checker_stake, and container is
// what the role of a container needs of this node (Requirement), at most the supply.
func (p Params) StakeFor(roles Role, validates bool, container uint64) uint64 {
	var need uint64 // three bounded terms: no overflow
	if roles.Has(RoleContainer) {
		need += container
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

// ReferenceRPMilli is the score of the reference machine, 100 RenderPoints, in milli-RP.
const ReferenceRPMilli = 100_000

// Scale is K: a measured score over that of the reference machine, in ppm. A machine of which
// nothing has been measured (0) counts as the reference.
func Scale(rpMilli uint64) uint64 {
	if rpMilli == 0 {
		return amount.PPM
	}
	return min(rpMilli, maxRPMilli) * (amount.PPM / ReferenceRPMilli)
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

// RevenueDays are the days of requirement_epochs/RevenueDays epochs that revenue is kept by:
// 30 days of 96 epochs on the main network.
const RevenueDays = 30

// RevenueDay is the day, from genesis, that the revenue of an epoch belongs to.
func (p Params) RevenueDay(epoch uint64) uint64 {
	return epoch / max(p.RequirementEpochs/RevenueDays, 1)
}

// Coefficient is the next SC: ⌊revenue·10^6/ΣK⌋, where revenue is what all containers earned
// in the last RevenueDays days and sumKPPM the sum over the active ones, moved at most 20 %
// from the old one either way, and then kept between container_stake_min_bps and
// container_stake_max_bps of container_stake, whatever it was. With no active container only
// these bounds move it. A move rounds towards the old coefficient, the bounds round down.
func (p Params) Coefficient(old, revenue, sumKPPM uint64) uint64 {
	sc := old
	if sumKPPM > 0 {
		low, high := old-old/5, Sum(old, old/5)
		target, _, err := amount.MulDiv(revenue, amount.PPM, sumKPPM)
		if err != nil {
			target = high
		}
		sc = min(max(target, low), high)
	}
	// Bounded factors: 10^17 · 10^6 / 10^4 fits.
	least, _, _ := amount.MulDiv(p.ContainerStake, p.ContainerStakeMinBps, amount.BPS)
	most, _, _ := amount.MulDiv(p.ContainerStake, p.ContainerStakeMaxBps, amount.BPS)
	return min(max(sc, least), most)
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
