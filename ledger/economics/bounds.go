package economics

import "github.com/framemesh/framemesh/ledger/amount"

// bounded is one parameter with the limits that hold whatever is voted.
type bounded struct {
	name     string // JSON name
	min, max uint64
	fixed    bool // not open to votes
	at       func(*Params) *uint64
}

// maxStake bounds every stake requirement: a vote cannot shut a role by its price.
const maxStake = 1_000_000_000 * uint64(amount.FRM)

// settings lists every parameter in the order of the genesis file. Numbers that are not
// base units stay below 2^53, so that every JSON reader keeps them exact.
var settings = []bounded{
	{"epoch_seconds", 1, 86_400, true, func(p *Params) *uint64 { return &p.EpochSeconds }},
	{"year_epochs", 4, 1_000_000, true, func(p *Params) *uint64 { return &p.YearEpochs }},
	{"candidate_lead", 2, 10, true, func(p *Params) *uint64 { return &p.CandidateLead }},

	{"fee_bps", 0, 5_000, false, func(p *Params) *uint64 { return &p.FeeBps }},
	{"fee_dao_bps", 0, amount.BPS, true, func(p *Params) *uint64 { return &p.FeeDAOBps }},
	{"fee_burn_bps", 0, amount.BPS, false, func(p *Params) *uint64 { return &p.FeeBurnBps }},
	{"fee_indexer_bps", 0, amount.BPS, false, func(p *Params) *uint64 { return &p.FeeIndexerBps }},
	{"take_bps", 0, 2_000, false, func(p *Params) *uint64 { return &p.TakeBps }},
	{"take_indexer_bps", 0, amount.BPS, false, func(p *Params) *uint64 { return &p.TakeIndexerBps }},
	{"tx_fee", 0, uint64(amount.FRM), false, func(p *Params) *uint64 { return &p.TxFee }},

	{"challenge_epochs", 1, 672, false, func(p *Params) *uint64 { return &p.ChallengeEpochs }},
	{"session_max_seconds", 60, 604_800, false, func(p *Params) *uint64 { return &p.SessionMaxSeconds }},
	{"session_expiry_epochs", 2, 35_040, false, func(p *Params) *uint64 { return &p.SessionExpiryEpochs }},
	{"oracle_min", 1, 9, false, func(p *Params) *uint64 { return &p.OracleMin }},
	{"oracle_max_age_ms", 1_000, 3_600_000, false, func(p *Params) *uint64 { return &p.OracleMaxAgeMS }},

	{"host_vest_epochs", 0, 35_040, false, func(p *Params) *uint64 { return &p.HostVestEpochs }},
	{"vest_lot_epochs", 1, 8_640, false, func(p *Params) *uint64 { return &p.VestLotEpochs }},
	{"reward_vest_1_bps", 0, amount.BPS, false, func(p *Params) *uint64 { return &p.RewardVest1Bps }},
	{"reward_vest_2_bps", 0, amount.BPS, false, func(p *Params) *uint64 { return &p.RewardVest2Bps }},
	{"reward_vest_2_epochs", 0, 175_200, false, func(p *Params) *uint64 { return &p.RewardVest2Epochs }},
	{"reward_vest_3_epochs", 0, 175_200, false, func(p *Params) *uint64 { return &p.RewardVest3Epochs }},
	{"early_epochs", 1, 175_200, false, func(p *Params) *uint64 { return &p.EarlyEpochs }},

	{"unbond_epochs", VerdictEpochs, 175_200, true, func(p *Params) *uint64 { return &p.UnbondEpochs }},
	{"container_stake", 0, maxStake, false, func(p *Params) *uint64 { return &p.ContainerStake }},
	{"checker_stake", 0, maxStake, false, func(p *Params) *uint64 { return &p.CheckerStake }},
	{"indexer_stake", 0, maxStake, false, func(p *Params) *uint64 { return &p.IndexerStake }},
	{"validator_min_stake", 100, maxStake, false, func(p *Params) *uint64 { return &p.ValidatorMinStake }},
	{"max_validators", 1, 200, false, func(p *Params) *uint64 { return &p.MaxValidators }},
	// The whole supply divided by the smallest unit stays under the limit of the consensus
	// engine, (2^63−1)/8 units of power in all.
	{"power_unit", 100, maxStake, false, func(p *Params) *uint64 { return &p.PowerUnit }},
	{"validator_away_epochs", 0, 672, false, func(p *Params) *uint64 { return &p.ValidatorAwayEpochs }},

	{"container_stake_min_bps", 0, amount.BPS, false, func(p *Params) *uint64 { return &p.ContainerStakeMinBps }},
	{"container_stake_max_bps", amount.BPS, 100 * amount.BPS, false, func(p *Params) *uint64 { return &p.ContainerStakeMaxBps }},
	{"coefficient_epochs", 1, 35_040, false, func(p *Params) *uint64 { return &p.CoefficientEpochs }},
	{"requirement_epochs", RevenueDays, 35_040, true, func(p *Params) *uint64 { return &p.RequirementEpochs }},
	{"stake_grace_epochs", 0, 2_880, false, func(p *Params) *uint64 { return &p.StakeGraceEpochs }},

	{"subnet_epochs", 1, 672, false, func(p *Params) *uint64 { return &p.SubnetEpochs }},
	{"delegation_max_epochs", 1, 350_400, false, func(p *Params) *uint64 { return &p.DelegationMaxEpochs }},
	{"param_delay_epochs", 1, 35_040, false, func(p *Params) *uint64 { return &p.ParamDelayEpochs }},
	{"param_window_epochs", 1, 35_040, false, func(p *Params) *uint64 { return &p.ParamWindowEpochs }},
	{"appeal_epochs", 0, 2_880, false, func(p *Params) *uint64 { return &p.AppealEpochs }},

	{"slash_bonus_bps", 0, amount.BPS, false, func(p *Params) *uint64 { return &p.SlashBonusBps }},
	{"slash_victim_bps", 0, amount.BPS, false, func(p *Params) *uint64 { return &p.SlashVictimBps }},
	{"slash_burn_bps", 0, amount.BPS, true, func(p *Params) *uint64 { return &p.SlashBurnBps }},

	{"max_due_per_block", 10, 100_000, false, func(p *Params) *uint64 { return &p.MaxDuePerBlock }},

	// 2·10 + 1 members and 4·10 + 3 of an appeal fit the 64 bits of a result.
	{"proof_n", 1, 10, true, func(p *Params) *uint64 { return &p.ProofN }},
	{"proof_batch", 1, 32, true, func(p *Params) *uint64 { return &p.ProofBatch }},
	{"proof_dur_ms", 100, 60_000, true, func(p *Params) *uint64 { return &p.ProofDurMS }},
	{"proof_grace_ms", 50, 10_000, true, func(p *Params) *uint64 { return &p.ProofGraceMS }},
	{"proof_openings", 1, 128, true, func(p *Params) *uint64 { return &p.ProofOpenings }},
	{"rp_reference", 1_000, 1_000_000_000_000, true, func(p *Params) *uint64 { return &p.RPReference }},
	{"proof_check_ppm", 1_000, amount.PPM, false, func(p *Params) *uint64 { return &p.ProofCheckPPM }},
	{"proof_cap_ppm", amount.PPM, 4 * amount.PPM, false, func(p *Params) *uint64 { return &p.ProofCapPPM }},
	{"proof_standing_epochs", 1, 8_640, false, func(p *Params) *uint64 { return &p.ProofStandingEpochs }},
	{"proof_slow_bps", 0, 9_500, false, func(p *Params) *uint64 { return &p.ProofSlowBps }},
	{"certificate_reward", 0, 100 * uint64(amount.FRM), false, func(p *Params) *uint64 { return &p.CertificateReward }},
	{"appeal_bond", 0, maxStake, false, func(p *Params) *uint64 { return &p.AppealBond }},
}

func setting(name string) *bounded {
	for i := range settings {
		if settings[i].name == name {
			return &settings[i]
		}
	}
	return nil
}

// ParamNames lists every parameter in the order of the genesis file.
func ParamNames() []string {
	names := make([]string, len(settings))
	for i, s := range settings {
		names[i] = s.name
	}
	return names
}
