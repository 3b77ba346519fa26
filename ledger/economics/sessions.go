package economics

import (
	"fmt"
	"math/bits"

	"github.com/framemesh/framemesh/ledger/amount"
)

// microPerHour turns micro-dollars per hour into dollars per second.
const microPerHour = 3600 * 1_000_000

// PricePerSecond is what a second of play costs in base units:
// ⌈price·perUSD/(3600·10^6)⌉, where price is in micro-dollars per hour and perUSD in base
// units per dollar. It rounds up, in the container's favour, by less than one base unit a
// second. It wraps amount.ErrOverflow.
func PricePerSecond(price, perUSD uint64) (uint64, error) {
	v, err := amount.MulDivUp(price, perUSD, microPerHour)
	if err != nil {
		return 0, fmt.Errorf("economics: %d µUSD an hour at %d base units per dollar: %w; lower the price", price, perUSD, err)
	}
	return v, nil
}

// Cost is perSecond·seconds, or amount.ErrOverflow. No price that Cost takes can ever pass
// the supply: more than there is cannot be locked.
func Cost(perSecond, seconds uint64) (uint64, error) {
	hi, lo := bits.Mul64(perSecond, seconds)
	if hi != 0 || lo > uint64(amount.Supply) {
		return 0, fmt.Errorf("economics: %d s at %d base units a second: %w; plan fewer seconds", seconds, perSecond, amount.ErrOverflow)
	}
	return lo, nil
}

// Settlement is how the gross of a session is divided.
type Settlement struct {
	Host     uint64 // the container's owner and whom it shares with: gross − fee
	Fee      uint64 // ⌊gross·fee_bps/10^4⌋, the sum of the three parts below
	DAO      uint64 // what the other two leave of the fee, with both remainders
	Burned   uint64 // ⌊fee·fee_burn_bps/10^4⌋
	Indexers uint64 // ⌊fee·fee_indexer_bps/10^4⌋
}

// Settle divides gross. Host + DAO + Burned + Indexers is gross; the remainder of the fee
// itself stays with the host.
func (p Params) Settle(gross uint64) Settlement {
	fee := part(gross, p.FeeBps)
	burned := part(fee, p.FeeBurnBps)
	indexers := min(part(fee, p.FeeIndexerBps), fee-burned)
	return Settlement{Host: gross - fee, Fee: fee, DAO: fee - burned - indexers, Burned: burned, Indexers: indexers}
}

// Cut divides what a node earned between the node key's own account, ⌊v·ppm/10^6⌋, and
// its owner, who keeps the remainder.
func Cut(v, ppm uint64) (node, owner uint64) {
	node, _, _ = amount.MulDiv(v, min(ppm, amount.PPM), amount.PPM)
	return node, v - node
}
