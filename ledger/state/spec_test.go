package state

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestSpecificationIsComplete: every prefix, refusal and kind of due work stands in the
// specification.
func TestSpecificationIsComplete(t *testing.T) {
	raw, err := os.ReadFile("../../docs/spec/ledger-state.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(raw)
	for _, r := range Rules() {
		if line := fmt.Sprintf("| %d | %s | %s |", r.Code, r.Name, strings.TrimPrefix(r.Error(), "state: ")); !strings.Contains(doc, line) {
			t.Errorf("missing: %s", line)
		}
	}
	for _, p := range []string{
		prefixAccount, prefixStake, prefixNode, prefixDelegation, prefixSession, prefixVesting, prefixUnbonding, prefixCertificate,
		prefixSeed, prefixCandidates, prefixParams, prefixProposal, prefixTotals, prefixPool, prefixDue, prefixValidator,
		prefixConsensus, prefixVRF, prefixHead,
		prefixUsed, prefixVote, prefixFraud, prefixAccusation, prefixWeight, prefixWeightSum, prefixPayout, prefixEmission,
		prefixStanding, prefixConduct, prefixHistory, prefixAppeal, prefixGuilt, prefixAttendance, prefixEmpty,
		prefixCoefficient, prefixFigures, prefixBegan, prefixBeacon,
		prefixOracle,
	} {
		if !strings.Contains(doc, "`"+p) {
			t.Errorf("the specification does not say what lies under %s", p)
		}
	}
	for k := dueActivate; k <= dueForget; k++ {
		if !strings.Contains(doc, fmt.Sprintf("\n| %d | ", k)) {
			t.Errorf("due work of kind %d is missing", k)
		}
	}
	for what, n := range map[string]int{
		"`account`, %d bytes": len(Account{}.Encode()), "`stake`, %d bytes": len(Stake{}.Encode()),
		"`delegation`, %d bytes": len(Delegation{}.Encode()), "`session`, %d bytes": len(Session{}.Encode()),
		"`vesting lot`, %d bytes": len(Lot{}.Encode()), "`unbonding`, %d bytes": len(Unbonding{}.Encode()),
		"`pool`, %d bytes": len(encodePool(0)), "`validator`, %d bytes": len(Validator{}.Encode()),
		"`standing`, %d bytes": len(Standing{}.Encode()), "`conduct`, %d bytes": len(Conduct{}.Encode()),
		"`verdict`, %d bytes": len(Verdict{}.Encode()), "`accusation`, %d bytes": len(Accusation{}.Encode()),
		"`certificate`, %d bytes": len(Certificate{}.Encode()), "`sum of weights`, %d bytes": len(WeightSum{}.Encode()),
		"`whose consensus key`, %d bytes": len(ConsensusOwner{}.Encode()), "`head`, %d bytes": len(Head{}.Encode()),
		"`deviations`, %d bytes":  len(Deviations{}.Encode()),
		"`coefficient`, %d bytes": len(Coefficient{}.Encode()),
	} {
		if line := fmt.Sprintf(what, n); !strings.Contains(doc, line) {
			t.Errorf("missing: %s", line)
		}
	}
}
