// Package economics is the arithmetic of the ledger: what is emitted, what a second of
// play costs, who gets which part of a fee, what a node must stake and what it loses. Every
// function is pure and works in integers: base units of 10^-8 FRM, micro-dollars, parts
// per million (ppm) or per ten thousand (bps), epochs. Every division rounds down unless
// its comment says otherwise, and the comment names who keeps what is left over.
//
// The package knows no accounts and no state; ledger/state calls it. The rules are written
// out in docs/spec/economics.md.
package economics

import (
	"errors"
	"fmt"

	"github.com/framemesh/framemesh/ledger/amount"
)

// Errors of the parameters.
var (
	ErrParameter = errors.New("economics: no such parameter")
	ErrBounds    = errors.New("economics: parameter out of bounds")
	ErrFixed     = errors.New("economics: parameter is set in the genesis file only")
	ErrParams    = errors.New("economics: parameters contradict each other")
)

// VerdictEpochs is how many epochs besides AppealEpochs pass, at most, from a deed to the last word
// on it where a committee votes. Of a deed in epoch e: an audit reaches back into the epoch before
// its own, e + 1; what it finds too late for a vote goes into the next one's, e + 2, whose
// certificate is taken until e + 3 ends; the accused appeals in e + 3 + AppealEpochs; the next epoch
// draws the wider committee, the one after still takes its certificate, and when e + 6 +
// AppealEpochs begins nothing is open. Stake that began to leave with the deed is free then.
const VerdictEpochs = 6

// Params are the numbers of one network. They stand in the genesis file under their JSON
// names; amounts of base units are JSON strings there. Times are in epochs unless the name
// says otherwise. The zero value is not valid: start from DefaultParams.
type Params struct {
	// EpochSeconds is the length of an epoch. Fixed: epochs are counted from genesis.
	EpochSeconds uint64 `json:"epoch_seconds"`
	// YearEpochs is a year of the emission, a multiple of 4 (quarters). Fixed: the schedule
	// is a function of the epoch alone.
	YearEpochs uint64 `json:"year_epochs"`
	// CandidateLead says at the end of which epoch the candidates of epoch e are frozen:
	// e − CandidateLead. Fixed: the seed must not be known by then.
	CandidateLead uint64 `json:"candidate_lead"`

	FeeBps        uint64 `json:"fee_bps"`         // of a session's gross, kept by the network
	FeeDAOBps     uint64 `json:"fee_dao_bps"`     // of the fee; what burn and indexers leave
	FeeBurnBps    uint64 `json:"fee_burn_bps"`    // of the fee
	FeeIndexerBps uint64 `json:"fee_indexer_bps"` // of the fee
	TakeBps       uint64 `json:"take_bps"`        // of each pool's emission, before all else
	// TakeIndexerBps is the indexers' part of the take; grants get what is left.
	TakeIndexerBps uint64 `json:"take_indexer_bps"`
	TxFee          uint64 `json:"tx_fee,string"` // base units, flat, burned, for each transaction

	ChallengeEpochs     uint64 `json:"challenge_epochs"`      // for a container to answer a player's close
	SessionMaxSeconds   uint64 `json:"session_max_seconds"`   // that one session may plan for
	SessionExpiryEpochs uint64 `json:"session_expiry_epochs"` // after the planned end: escrow goes back
	OracleMin           uint64 `json:"oracle_min"`            // fresh quotes that make a price
	OracleMaxAgeMS      uint64 `json:"oracle_max_age_ms"`     // of a quote, against block time

	HostVestEpochs    uint64 `json:"host_vest_epochs"`     // until a container's income is free
	VestLotEpochs     uint64 `json:"vest_lot_epochs"`      // income within one such span is one lot
	RewardVest1Bps    uint64 `json:"reward_vest_1_bps"`    // of an emission reward, free at once
	RewardVest2Bps    uint64 `json:"reward_vest_2_bps"`    // free after RewardVest2Epochs
	RewardVest2Epochs uint64 `json:"reward_vest_2_epochs"` //
	RewardVest3Epochs uint64 `json:"reward_vest_3_epochs"` // when all the rest is free
	EarlyEpochs       uint64 `json:"early_epochs"`         // until a checker's reward may leave at a loss

	// UnbondEpochs is how long stake stays slashable after it leaves, at least AppealEpochs +
	// VerdictEpochs. Fixed: consensus takes evidence, and light clients trust a header, for a
	// time that follows from it.
	UnbondEpochs      uint64 `json:"unbond_epochs"`
	ContainerStake    uint64 `json:"container_stake,string"`     // SC at genesis: for a container of reference score
	CheckerStake      uint64 `json:"checker_stake,string"`       // per licence
	IndexerStake      uint64 `json:"indexer_stake,string"`       //
	ValidatorMinStake uint64 `json:"validator_min_stake,string"` // of a checker that validates
	MaxValidators     uint64 `json:"max_validators"`
	PowerUnit         uint64 `json:"power_unit,string"` // base units of stake per unit of voting power
	// ValidatorAwayEpochs is for how long a validator has no seat that signed less than half of
	// an epoch's blocks; 0 = it keeps it.
	ValidatorAwayEpochs uint64 `json:"validator_away_epochs"`

	ContainerStakeMinBps uint64 `json:"container_stake_min_bps"` // of container_stake: SC never falls below it
	ContainerStakeMaxBps uint64 `json:"container_stake_max_bps"` // of container_stake: SC never rises above it
	CoefficientEpochs    uint64 `json:"coefficient_epochs"`      // from one SC to the next
	// RequirementEpochs is for how long a container's requirement is fixed, and of how long a
	// time the revenue counts that makes SC. Fixed: the days of the revenue are counted by it.
	RequirementEpochs uint64 `json:"requirement_epochs"`
	StakeGraceEpochs  uint64 `json:"stake_grace_epochs"` // until a requirement that has risen holds

	SubnetEpochs        uint64 `json:"subnet_epochs"` // between two changes of the subnets that a node declares
	DelegationMaxEpochs uint64 `json:"delegation_max_epochs"`
	ParamDelayEpochs    uint64 `json:"param_delay_epochs"`  // from the vote to the change
	ParamWindowEpochs   uint64 `json:"param_window_epochs"` // in which a proposal can be approved
	AppealEpochs        uint64 `json:"appeal_epochs"`       // before a slash that was voted is final

	SlashBonusBps  uint64 `json:"slash_bonus_bps"`  // of a slash, to the checkers' bonus
	SlashVictimBps uint64 `json:"slash_victim_bps"` // of a slash, to the harmed customer
	SlashBurnBps   uint64 `json:"slash_burn_bps"`   // of a slash; what the other two leave

	MaxDuePerBlock uint64 `json:"max_due_per_block"` // due items one block works off; more than one can open sessions

	// The next six say how a round of Proof of Render runs. Fixed: committees, picks and
	// windows of rounds long past are computed from them again when evidence is judged.
	ProofN        uint64 `json:"proof_n"`        // a committee has 2N + 1 checkers, a quorum N + 1
	ProofBatch    uint64 `json:"proof_batch"`    // containers that one committee checks
	ProofDurMS    uint64 `json:"proof_dur_ms"`   // of rendering besides the time to learn of the task, at most a tenth of the epoch
	ProofGraceMS  uint64 `json:"proof_grace_ms"` // for what was rendered in time to arrive
	ProofOpenings uint64 `json:"proof_openings"` // tiles that one checker recomputes
	RPReference   uint64 `json:"rp_reference"`   // samples a second that are 100 RenderPoints

	ProofCheckPPM       uint64 `json:"proof_check_ppm"`           // how often a checker asks for openings, where nothing asks for it always
	ProofCapPPM         uint64 `json:"proof_cap_ppm"`             // of the median: what one round counts at most
	ProofStandingEpochs uint64 `json:"proof_standing_epochs"`     // for which a round lets a container stand by
	ProofSlowBps        uint64 `json:"proof_slow_bps"`            // of the claim: below it a round is slow
	CertificateReward   uint64 `json:"certificate_reward,string"` // base units, to who submits a certificate, as far as penalties reach
	AppealBond          uint64 `json:"appeal_bond,string"`        // base units, kept when an appeal is lost or a fraud proof is rendered and false
}

// DefaultParams are the numbers of the main network.
func DefaultParams() Params {
	const frm = uint64(amount.FRM)
	return Params{
		EpochSeconds:  900,
		YearEpochs:    35_040,
		CandidateLead: 2,

		FeeBps:         2_000,
		FeeDAOBps:      5_000,
		FeeBurnBps:     2_500,
		FeeIndexerBps:  2_500,
		TakeBps:        500,
		TakeIndexerBps: 5_000,
		TxFee:          1_000,

		ChallengeEpochs:     2,
		SessionMaxSeconds:   86_400,
		SessionExpiryEpochs: 96,
		OracleMin:           3,
		OracleMaxAgeMS:      60_000,

		HostVestEpochs:    4_320,
		VestLotEpochs:     96,
		RewardVest1Bps:    3_000,
		RewardVest2Bps:    3_000,
		RewardVest2Epochs: 8_640,
		RewardVest3Epochs: 17_280,
		EarlyEpochs:       2_880,

		UnbondEpochs:      17_280,
		ContainerStake:    133_422_000_000,
		CheckerStake:      1_000 * frm,
		IndexerStake:      10_000 * frm,
		ValidatorMinStake: 10_000 * frm,
		MaxValidators:     100,
		PowerUnit:         frm,

		ValidatorAwayEpochs:  4,
		ContainerStakeMinBps: 1_000,
		ContainerStakeMaxBps: 100_000,
		CoefficientEpochs:    672,
		RequirementEpochs:    2_880,
		StakeGraceEpochs:     96,

		SubnetEpochs:        4,
		DelegationMaxEpochs: 35_040,
		ParamDelayEpochs:    672,
		ParamWindowEpochs:   672,
		AppealEpochs:        96,

		SlashBonusBps:  2_500,
		SlashVictimBps: 2_500,
		SlashBurnBps:   5_000,

		MaxDuePerBlock: 2_000,

		ProofN:        2,
		ProofBatch:    16,
		ProofDurMS:    10_000,
		ProofGraceMS:  500,
		ProofOpenings: 48,
		RPReference:   10_000_000,

		ProofCheckPPM:       100_000,
		ProofCapPPM:         1_200_000,
		ProofStandingEpochs: 8,
		ProofSlowBps:        8_000,
		CertificateReward:   1_000_000,
		AppealBond:          10 * frm,
	}
}

// Validate checks each parameter against its hard bounds and the parameters against each
// other. It wraps ErrBounds or ErrParams and names the parameter.
func (p Params) Validate() error {
	for _, s := range settings {
		if v := *s.at(&p); v < s.min || v > s.max {
			return fmt.Errorf("%w: %s is %d; choose %d to %d", ErrBounds, s.name, v, s.min, s.max)
		}
	}
	for _, c := range []struct {
		ok   bool
		text string
	}{
		{p.YearEpochs%4 == 0, "year_epochs must be a multiple of 4, for quarters of equal length"},
		{p.FeeDAOBps+p.FeeBurnBps+p.FeeIndexerBps == amount.BPS, "fee_dao_bps, fee_burn_bps and fee_indexer_bps must sum to 10000"},
		{p.SlashBonusBps+p.SlashVictimBps+p.SlashBurnBps == amount.BPS, "slash_bonus_bps, slash_victim_bps and slash_burn_bps must sum to 10000"},
		{p.RewardVest1Bps+p.RewardVest2Bps <= amount.BPS, "reward_vest_1_bps and reward_vest_2_bps must not pass 10000 together"},
		{p.RewardVest2Epochs <= p.RewardVest3Epochs, "reward_vest_3_epochs must not come before reward_vest_2_epochs"},
		{p.ChallengeEpochs < p.SessionExpiryEpochs, "session_expiry_epochs must be above challenge_epochs, or a close could never be challenged"},
		{p.UnbondEpochs >= p.AppealEpochs+VerdictEpochs, fmt.Sprintf("unbond_epochs is %d, so an accused could take its stake away before its appeal is decided; it must be at least appeal_epochs + %d = %d: raise it in the genesis file, or choose a shorter appeal_epochs", p.UnbondEpochs, VerdictEpochs, p.AppealEpochs+VerdictEpochs)},
		{p.ValidatorMinStake >= p.CheckerStake, "validator_min_stake must be at least checker_stake: validators are checkers"},
		{p.ValidatorMinStake >= p.PowerUnit, "power_unit must not pass validator_min_stake, or a validator would have no vote"},
	} {
		if !c.ok {
			return fmt.Errorf("%w: %s", ErrParams, c.text)
		}
	}
	return nil
}

// Bounds are the hard limits of a parameter, which no vote can pass. ok is false for a
// name that is none.
func Bounds(name string) (min, max uint64, ok bool) {
	s := setting(name)
	if s == nil {
		return 0, 0, false
	}
	return s.min, s.max, true
}

// Changeable says whether a vote may set the parameter. The others are given by the genesis
// file for good, or follow from a sum (fee_dao_bps, slash_burn_bps).
func Changeable(name string) bool {
	s := setting(name)
	return s != nil && !s.fixed
}

// Get reads a parameter by its JSON name. It wraps ErrParameter.
func (p Params) Get(name string) (uint64, error) {
	s := setting(name)
	if s == nil {
		return 0, unknown(name)
	}
	return *s.at(&p), nil
}

// With is what a vote does: a copy of p in which one parameter has another value. A part of
// the fee or of a slash that grows takes from fee_dao_bps or slash_burn_bps, and one that
// shrinks gives back to it, so that the parts sum to the whole. It wraps ErrParameter,
// ErrFixed, ErrBounds or ErrParams.
func (p Params) With(name string, value uint64) (Params, error) {
	s := setting(name)
	switch {
	case s == nil:
		return p, unknown(name)
	case s.fixed:
		return p, fmt.Errorf("%w: %s; a vote cannot change it", ErrFixed, name)
	case value < s.min || value > s.max:
		return p, fmt.Errorf("%w: %s cannot be %d; choose %d to %d", ErrBounds, name, value, s.min, s.max)
	}
	q := p
	*s.at(&q) = value
	q.FeeDAOBps = rest(q.FeeBurnBps, q.FeeIndexerBps)
	q.SlashBurnBps = rest(q.SlashBonusBps, q.SlashVictimBps)
	if err := q.Validate(); err != nil {
		return p, err
	}
	return q, nil
}

// rest is what two parts leave of 10 000 bps; parts that pass it leave nothing, and Validate
// then finds that the sum is off.
func rest(a, b uint64) uint64 {
	if a+b > amount.BPS {
		return 0
	}
	return amount.BPS - a - b
}

func unknown(name string) error {
	return fmt.Errorf("%w: %.40q; the names are those of the genesis file, such as fee_bps", ErrParameter, name)
}
