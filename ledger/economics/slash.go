package economics

import "github.com/framemesh/framemesh/ledger/amount"

// Offence is a reason to lose stake. The numbers are part of the ledger's records.
type Offence uint8

// Offences and what they cost; SlashAmount has the sums.
const (
	OffenceIdle         Offence = iota + 1 // offline while nothing ran: no reward, no slash
	OffenceDrop                            // gone while a session ran or was reserved
	OffenceCapacity                        // twice in a row below 80 % of the claim
	OffenceForged                          // forged result or specification, or a slot sold twice
	OffenceMatch                           // an indexer's certificate that does not recompute
	OffenceCandidates                      // an indexer's forged candidate root
	OffenceOracle                          // three quotes more than 5 % off the median
	OffenceEquivocation                    // a checker's two votes on one question
	OffenceDoubleSign                      // a validator's two votes in consensus
	OffenceVote                            // a checker's vote on work that it did not do
	offenceEnd
)

var offenceNames = [offenceEnd]string{
	"", "idle", "drop", "capacity", "forged", "match", "candidates", "oracle", "equivocation", "double_sign",
	"vote",
}

// String names the offence as in events; "" for a number that is none.
func (o Offence) String() string {
	if o >= offenceEnd {
		return ""
	}
	return offenceNames[o]
}

// Deterministic says whether anyone can recompute the proof of the offence: two signatures
// or one recomputation. Such a slash is final at once; the others rest on what a committee
// saw and wait for appeal_epochs.
func (o Offence) Deterministic() bool {
	switch o {
	case OffenceForged, OffenceMatch, OffenceCandidates, OffenceOracle, OffenceEquivocation, OffenceDoubleSign, OffenceVote:
		return true
	}
	return false
}

// Exposure is what a node can lose, in base units.
type Exposure struct {
	Required  uint64 // stake that its roles require
	Stake     uint64 // bonded, and on its way back: or whoever unbonds first would pay nothing
	Slashable uint64 // bonded, unbonding, vesting and pending rewards together
}

// SlashAmount is what an offence costs, never more than what is there:
//
//	idle                       0
//	drop                       ⌊required/3⌋
//	capacity                   required
//	forged                     required; all on repetition
//	match, vote                ⌊stake/3⌋
//	oracle                     ⌊stake/10⌋
//	candidates, equivocation,
//	double_sign                all
func SlashAmount(o Offence, e Exposure, repeated bool) uint64 {
	var v uint64
	switch o {
	case OffenceDrop:
		v = e.Required / 3
	case OffenceCapacity:
		v = e.Required
	case OffenceForged:
		v = e.Required
		if repeated {
			v = e.Slashable
		}
	case OffenceMatch, OffenceVote:
		v = e.Stake / 3
	case OffenceOracle:
		v = e.Stake / 10
	case OffenceCandidates, OffenceEquivocation, OffenceDoubleSign:
		v = e.Slashable
	}
	return min(v, e.Slashable)
}

// Sources are the purses that a slash draws on, in this order: unbonding stake counts too,
// so that nobody escapes by leaving.
type Sources struct {
	Rewards   uint64 // earned and not yet a lot
	Vesting   uint64 // lots
	Stake     uint64 // bonded
	Unbonding uint64 //
}

// Draw says how much of each source a slash takes, and what none of them covers.
func Draw(v uint64, from Sources) (taken Sources, short uint64) {
	draw := func(have uint64) uint64 {
		part := min(v, have)
		v -= part
		return part
	}
	taken.Rewards = draw(from.Rewards)
	taken.Vesting = draw(from.Vesting)
	taken.Stake = draw(from.Stake)
	taken.Unbonding = draw(from.Unbonding)
	return taken, v
}

// Forfeit is where a slash goes.
type Forfeit struct {
	Bonus  uint64 // ⌊v·slash_bonus_bps/10^4⌋, to the pool penalties
	Victim uint64 // ⌊v·slash_victim_bps/10^4⌋, to the harmed customer, and no more than is due to it
	Burned uint64 // the rest, with the remainders
}

// SplitSlash divides a slashed amount; the parts sum to it. most is what the harmed customer
// gets at most, in base units, 0 where there is none: what it does not get is burned as well.
func (p Params) SplitSlash(v, most uint64) Forfeit {
	f := Forfeit{Bonus: part(v, p.SlashBonusBps)}
	f.Victim = min(part(v, p.SlashVictimBps), v-f.Bonus, most)
	f.Burned = v - f.Bonus - f.Victim
	return f
}

// CapacityFailed says whether a measured score is below ⌈claimed·bps/10^4⌉, where bps is
// the parameter proof_slow_bps: 80 % on the main network. Who claims nothing never fails.
func CapacityFailed(measured, claimed, bps uint64) bool {
	floor, err := amount.MulDivUp(claimed, bps, amount.BPS)
	return err != nil || measured < floor
}

// SlowLimit is how many rounds in a row may fail before it is an offence.
const SlowLimit = 2

// OracleLimit is how many quotes that are off, each in another epoch and all within
// appeal_epochs, are an offence.
const OracleLimit = 3

// OracleOff says whether a quote is more than 5 % away from the median.
func OracleOff(quote, median uint64) bool {
	diff := max(quote, median) - min(quote, median)
	return diff > median/20
}

// Priority in matching, in ppm: what remains after an offence besides the money.
const (
	fullPriority = amount.PPM
	dailyRelief  = fullPriority / 100
)

// Demote halves a priority, rounding down.
func Demote(ppm uint64) uint64 { return min(ppm, fullPriority) / 2 }

// Restore gives back one hundredth of the full priority for each day without an offence.
func Restore(ppm, cleanDays uint64) uint64 {
	ppm = min(ppm, fullPriority)
	return min(fullPriority, ppm+dailyRelief*min(cleanDays, 100))
}
