package economics

import "github.com/framemesh/framemesh/ledger/amount"

// Tranche is a part of a grant: nothing before CliffEpochs, then evenly over LinearEpochs,
// all at the cliff when LinearEpochs is 0.
type Tranche struct {
	Amount       uint64 // base units
	CliffEpochs  uint64
	LinearEpochs uint64
}

// CliffLinear is what of total is free t epochs after the grant: 0 while t < cliff, then
// ⌊total·min(t−cliff, linear)/linear⌋, and total from cliff on when linear is 0. It
// telescopes: what an epoch rounds away is in the next, and the last one completes total.
func CliffLinear(total, cliff, linear, t uint64) uint64 {
	if t < cliff {
		return 0
	}
	if t -= cliff; t >= linear {
		return total
	}
	free, _, _ := amount.MulDiv(total, t, linear) // t < linear: at most total
	return free
}

// Release is how the main network frees a grant out of a pool: the tranches that are not
// free at once, in months of a twelfth of a year. The free part is what the tranches leave
// of total. Pools whose money is free at once have none.
func Release(p Params, from Pool, total uint64) []Tranche {
	months := func(n uint64) uint64 { return max(p.YearEpochs*n/12, 1) }
	var ts []Tranche
	switch from {
	case PoolTeam:
		ts = []Tranche{{total, months(18), months(36)}}
	case PoolInvestors:
		ts = []Tranche{{total, months(12), months(24)}}
	case PoolEcosystem:
		ts = []Tranche{{total - total/2, 0, months(24)}}
	case PoolDAO:
		ts = []Tranche{{total, 0, months(48)}}
	case PoolAirdrop:
		quarter := total / 4
		ts = []Tranche{{quarter, months(8), 0}, {total - 2*quarter, months(16), 0}}
	}
	out := ts[:0]
	for _, t := range ts {
		if t.Amount > 0 {
			out = append(out, t)
		}
	}
	return out
}

// Lot is money that becomes free at once, Epochs after it was earned.
type Lot struct {
	Amount uint64 // base units
	Epochs uint64 // 0 = free now
}

// RewardLots divides an emission reward into three lots: ⌊reward·30 %⌋ now and ⌊reward·30 %⌋
// and the rest, with both remainders, later, as the parameters say.
func (p Params) RewardLots(reward uint64) [3]Lot {
	first := part(reward, p.RewardVest1Bps)
	second := min(part(reward, p.RewardVest2Bps), reward-first)
	return [3]Lot{
		{first, 0},
		{second, p.RewardVest2Epochs},
		{reward - first - second, p.RewardVest3Epochs},
	}
}

// Matures is the epoch in which money that is earned, or stake that leaves, in epoch e is
// free after delay epochs: at once without a delay, else the first multiple of
// vest_lot_epochs at or after e + delay. So all of one such span is one lot.
func (p Params) Matures(e, delay uint64) uint64 {
	if delay == 0 {
		return e
	}
	lot, at := max(p.VestLotEpochs, 1), e+delay
	if over := at % lot; over != 0 {
		at += lot - over
	}
	return at
}
