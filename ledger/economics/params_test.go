package economics_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/economics"
)

func TestDefaultsAreTheSpecification(t *testing.T) {
	p := economics.DefaultParams()
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]uint64{
		"epoch_seconds": 900, "year_epochs": 35_040, "fee_bps": 2_000, "take_bps": 500,
		"container_stake": 133_422_000_000, "checker_stake": 100_000_000_000,
		"unbond_epochs": 17_280, "host_vest_epochs": 4_320, "reward_vest_2_epochs": 8_640,
		"reward_vest_3_epochs": 17_280, "appeal_epochs": 96, "param_delay_epochs": 672,
		"oracle_min": 3, "oracle_max_age_ms": 60_000, "slash_burn_bps": 5_000, "tx_fee": 1_000,
	} {
		if got, err := p.Get(name); err != nil || got != want {
			t.Errorf("%s = %d, %v; want %d", name, got, err, want)
		}
	}
}

// Every field has one setting of its JSON name, and amounts are strings in JSON.
func TestSettingsAreTheFields(t *testing.T) {
	typ := reflect.TypeFor[economics.Params]()
	var tags []string
	for i := range typ.NumField() {
		name, option, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		tags = append(tags, name)
		_, most, ok := economics.Bounds(name)
		if !ok {
			t.Errorf("%s has no bounds", name)
		}
		if most > 1<<53 && option != "string" {
			t.Errorf("%s may be %d, which JSON numbers lose: make it a string", name, most)
		}
		p := economics.DefaultParams()
		reflect.ValueOf(&p).Elem().Field(i).SetUint(77)
		if got, err := p.Get(name); err != nil || got != 77 {
			t.Errorf("Get(%s) reads another field: %d, %v", name, got, err)
		}
	}
	if names := economics.ParamNames(); !slices.Equal(names, tags) {
		t.Errorf("names %v\nfields %v", names, tags)
	}
}

func TestParamsInJSON(t *testing.T) {
	p := economics.DefaultParams()
	raw, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(raw), `"checker_stake":"100000000000"`) || !strings.Contains(string(raw), `"epoch_seconds":900,`) {
		t.Errorf("%s", raw)
	}
	var q economics.Params
	if err := json.Unmarshal(raw, &q); err != nil || q != p {
		t.Errorf("read back %+v, %v", q, err)
	}
}

func TestWith(t *testing.T) {
	p := economics.DefaultParams()
	for _, c := range []struct {
		name  string
		value uint64
		err   error
	}{
		{"fee_bps", 5_000, nil},
		{"fee_bps", 5_001, economics.ErrBounds},
		{"tx_fee", uint64(amount.FRM), nil},
		{"tx_fee", uint64(amount.FRM) + 1, economics.ErrBounds},
		{"oracle_min", 0, economics.ErrBounds},
		{"oracle_min", 9, nil},
		{"oracle_min", 10, economics.ErrBounds},
		{"epoch_seconds", 900, economics.ErrFixed},
		{"year_epochs", 40, economics.ErrFixed},
		{"candidate_lead", 3, economics.ErrFixed},
		{"unbond_epochs", 17_279, economics.ErrFixed},
		{"fee_dao_bps", 1, economics.ErrFixed},
		{"slash_burn_bps", 1, economics.ErrFixed},
		{"Fee_bps", 1, economics.ErrParameter},
		{"", 1, economics.ErrParameter},
		{"fee_burn_bps", 7_500, nil},
		{"fee_burn_bps", 7_501, economics.ErrParams},
		{"slash_victim_bps", 7_500, nil},
		{"slash_victim_bps", 7_501, economics.ErrParams},
		{"reward_vest_1_bps", 7_001, economics.ErrParams},
		{"reward_vest_3_epochs", 8_639, economics.ErrParams},
		{"challenge_epochs", 96, economics.ErrParams},
		{"validator_min_stake", 999 * uint64(amount.FRM), economics.ErrParams},
		{"power_unit", 10_001 * uint64(amount.FRM), economics.ErrParams},
	} {
		q, err := p.With(c.name, c.value)
		if !errors.Is(err, c.err) || (c.err == nil) != (err == nil) {
			t.Errorf("With(%s, %d): %v; want %v", c.name, c.value, err, c.err)
			continue
		}
		if err != nil {
			if q != p {
				t.Errorf("With(%s, %d) changed something and failed", c.name, c.value)
			}
			continue
		}
		if got, _ := q.Get(c.name); got != c.value {
			t.Errorf("With(%s, %d) set %d", c.name, c.value, got)
		}
		if p != economics.DefaultParams() {
			t.Fatalf("With(%s, %d) changed its receiver", c.name, c.value)
		}
	}
	q, err := p.With("fee_burn_bps", 0) // the sources burn nothing
	if err != nil || q.FeeDAOBps != 7_500 {
		t.Errorf("without a burn the DAO gets %d bps, %v", q.FeeDAOBps, err)
	}
}

func TestValidateNamesTheParameter(t *testing.T) {
	for name, change := range map[string]func(*economics.Params){
		"epoch_seconds":  func(p *economics.Params) { p.EpochSeconds = 0 },
		"year_epochs":    func(p *economics.Params) { p.YearEpochs = 35_042 },
		"fee_dao_bps":    func(p *economics.Params) { p.FeeDAOBps = 4_999 },
		"slash_burn_bps": func(p *economics.Params) { p.SlashBurnBps = 4_999 },
		"max_validators": func(p *economics.Params) { p.MaxValidators = 201 },
	} {
		p := economics.DefaultParams()
		change(&p)
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An accused that unbonds at once still has its stake bound when an appeal is decided; a vote
// cannot change that, and the sentence says what can be done.
func TestUnbondingOutlastsAnAppeal(t *testing.T) {
	p := economics.DefaultParams()
	p.AppealEpochs, p.UnbondEpochs = 4, 10
	if err := p.Validate(); err != nil {
		t.Error(err)
	}
	if _, err := p.With("appeal_epochs", 5); !errors.Is(err, economics.ErrParams) || !strings.Contains(err.Error(), "choose a shorter appeal_epochs") {
		t.Errorf("a vote for an appeal that lasts longer than stake is bound: %v", err)
	}
	p.UnbondEpochs = 9
	if err := p.Validate(); !errors.Is(err, economics.ErrParams) || !strings.Contains(err.Error(), "appeal_epochs + 6 = 10") {
		t.Errorf("unbonding of 9 epochs with appeals of 4: %v", err)
	}
	if _, most, _ := economics.Bounds("appeal_epochs"); most+economics.VerdictEpochs > economics.DefaultParams().UnbondEpochs {
		t.Error("the main network cannot vote for the longest appeal")
	}
}

// Whatever is voted, the parameters stay valid or the vote changes nothing.
func TestVotesKeepParamsValid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := economics.DefaultParams()
		for range rapid.IntRange(1, 30).Draw(t, "votes") {
			name := rapid.SampledFrom(economics.ParamNames()).Draw(t, "name")
			low, high, _ := economics.Bounds(name)
			v := rapid.OneOf(rapid.Uint64Range(low, high), rapid.Uint64()).Draw(t, "value")
			q, err := p.With(name, v)
			if err == nil && (!economics.Changeable(name) || v < low || v > high) {
				t.Fatalf("%s = %d was accepted", name, v)
			}
			if q.Validate() != nil || (err != nil && q != p) {
				t.Fatalf("after %s = %d: %+v, %v", name, v, q, err)
			}
			p = q
		}
	})
}

func TestPools(t *testing.T) {
	for _, p := range economics.Pools() {
		if q, ok := economics.ParsePool(p.String()); !ok || q != p {
			t.Errorf("pool %d is called %q and read as %d", p, p, q)
		}
	}
	if economics.Pool(200).String() != "" {
		t.Error("a pool that is none has a name")
	}
	if _, ok := economics.ParsePool(""); ok {
		t.Error("the empty name is a pool")
	}
	if economics.Role(0).Valid() || economics.Role(8).Valid() || !economics.Role(7).Valid() || !economics.Role(5).Has(economics.RoleChecker) {
		t.Error("roles")
	}
}
