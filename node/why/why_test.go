package why

import (
	"errors"
	"strings"
	"testing"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/subnet"
)

// memory is a state of single records.
type memory map[string][]byte

func (m memory) values() Values { return func(k []byte) ([]byte, error) { return m[string(k)], nil } }

var (
	node  = key.Node{1}
	owner = key.Address{2}
)

// registered is a node with whole stake and delegation.
func registered(roles economics.Role) memory {
	p := economics.DefaultParams()
	n := state.Node{Owner: owner, Roles: roles, Region: "eu"}
	n.Need = state.Requirement{Amount: p.ContainerStake, Measured: true}
	return memory{
		string(state.NodeKey(node)):              n.Encode(),
		string(state.StakeKey(node)):             state.Stake{Amount: n.Required(p, 0)}.Encode(),
		string(state.DelegationKey(owner, node)): state.Delegation{Expires: 1000}.Encode(),
		string(state.AccountKey(owner)):          state.Account{Balance: p.TxFee}.Encode(),
	}
}

// requiring is a container with stake for what is required in epoch 0.
func requiring(need state.Requirement) memory {
	m := registered(economics.RoleContainer)
	n := state.Node{Owner: owner, Roles: economics.RoleContainer, Need: need}
	m[string(state.NodeKey(node))] = n.Encode()
	m[string(state.StakeKey(node))] = state.Stake{Amount: n.Required(economics.DefaultParams(), 0)}.Encode()
	return m
}

// saw puts verdicts on the container into its ring.
func (m memory) saw(s state.Standing, all ...state.Verdict) {
	for i, v := range all {
		v.Role = economics.RoleContainer
		m[string(state.HistoryKey(node, v.Role, uint32(i)))] = v.Encode()
	}
	s.Verdicts = uint32(len(all))
	m[string(state.StandingKey(node))] = s.Encode()
}

func report(t *testing.T, m memory, epoch uint64) Report {
	t.Helper()
	f, err := Read(m.values(), node, epoch, economics.DefaultParams())
	if err != nil {
		t.Fatal(err)
	}
	return Of(f)
}

// has finds the finding with a code.
func (r Report) has(code string) (Finding, bool) {
	for _, f := range r.Findings {
		if f.Code == code {
			return f, true
		}
	}
	return Finding{}, false
}

var good = state.Standing{RPMilli: 100_000, Rounds: []uint64{100_000}, QualityPPM: 950_000, PriorityPPM: 1_000_000, ProvenUntil: 60, LastEpoch: 50, LastVerdict: 1}

func TestContainersAreTold(t *testing.T) {
	evidence := [32]byte{9}
	with := func(change func(*state.Standing)) state.Standing {
		s := good
		change(&s)
		return s
	}
	for _, c := range []struct {
		name  string
		given func() memory
		code  string
		ok    bool
		says  string
		next  string
	}{
		{"all well", func() memory {
			m := registered(economics.RoleContainer)
			m.saw(good, state.Verdict{Epoch: 50, Verdict: 1, RPMilli: 100_000, Weight: 7, Height: 900})
			return m
		}, "paid", true, "epoch 52", ""},
		{"never registered", func() memory { return memory{} }, "unregistered", false, "not in the registry", "framemesh register"},
		{"nothing left for a fee", func() memory {
			m := registered(economics.RoleContainer)
			m.saw(good, state.Verdict{Epoch: 50, Verdict: 1, RPMilli: 100_000, Weight: 7, Height: 900})
			m[string(state.AccountKey(owner))] = state.Account{Balance: 999}.Encode()
			return m
		}, "no_money", false, "0.00000999 FRM to spend and every transaction costs 0.00001 FRM", "for 100000 transactions"},
		{"never measured", func() memory { return registered(economics.RoleContainer) }, "unproven", false, "No round has shown", "bench"},
		{"its stake is fixed", func() memory {
			m := registered(economics.RoleContainer)
			m.saw(good, state.Verdict{Epoch: 50, Verdict: 1, RPMilli: 100_000, Weight: 7, Height: 900})
			return m
		}, "stake_required", true, "fixed until epoch 2880", ""},
		{"its stake will be too little", func() memory {
			m := requiring(state.Requirement{Amount: 200_000_000_000, Before: 133_422_000_000, From: 80, Set: 1, Measured: true})
			m.saw(good, state.Verdict{Epoch: 50, Verdict: 1, RPMilli: 100_000, Weight: 7, Height: 900})
			return m
		}, "stake_rises", false, "from epoch 80 on 2000 FRM", "665.78` before epoch 80"},
		{"found bad", func() memory {
			m := registered(economics.RoleContainer)
			m.saw(with(func(s *state.Standing) {
				s.ProvenUntil, s.LastVerdict, s.LastReason = 0, proof.VerdictBad, uint32(proof.ReasonModule)
			}),
				state.Verdict{Epoch: 50, Verdict: proof.VerdictBad, Reason: uint32(proof.ReasonModule), Evidence: evidence, Height: 900})
			return m
		}, "found_bad", false, "another module than the one that was advertised", "framemesh appeal"},
		{"late", func() memory {
			m := registered(economics.RoleContainer)
			m.saw(good, state.Verdict{Epoch: 50, Verdict: proof.VerdictLate, Reason: uint32(proof.ReasonLate), Height: 900})
			return m
		}, "late", false, "not paid", "nothing else on the machine"},
		{"no quorum", func() memory {
			m := registered(economics.RoleContainer)
			m.saw(good, state.Verdict{Epoch: 50, Verdict: proof.VerdictNone, Reason: uint32(proof.ReasonNoQuorum), Height: 900})
			return m
		}, "no_quorum", false, "did not agree", "next round"},
		{"expired", func() memory {
			m := registered(economics.RoleContainer)
			m.saw(with(func(s *state.Standing) { s.ProvenUntil = 10 }), state.Verdict{Epoch: 50, Verdict: proof.VerdictAbsent, Reason: uint32(proof.ReasonAbsent), Height: 900})
			return m
		}, "expired", false, "may not stand by", "doctor"},
		{"busy for ever", func() memory {
			m := registered(economics.RoleContainer)
			m.saw(with(func(s *state.Standing) { s.Busy = 99 }), state.Verdict{Epoch: 50, Verdict: proof.VerdictBusy, Reason: uint32(proof.ReasonBusy), Height: 900})
			return m
		}, "busy_too_long", false, "99 rounds", "slot free"},
		{"offline", func() memory {
			m := registered(economics.RoleContainer)
			m.saw(with(func(s *state.Standing) { s.OfflineSeconds = 1801 }), state.Verdict{Epoch: 50, Verdict: proof.VerdictOK, RPMilli: 5, Height: 900})
			return m
		}, "offline", false, "1801 s", "doctor"},
		{"convicted", func() memory {
			m := registered(economics.RoleContainer)
			m.saw(with(func(s *state.Standing) {
				s.RPMilli, s.Rounds, s.ProvenUntil, s.GuiltyUntil = 0, nil, 0, 51
				s.LastVerdict, s.LastReason, s.Evidence = state.VerdictConvicted, uint32(proof.ReasonTile), evidence
			}), state.Verdict{Epoch: 50, Verdict: state.VerdictConvicted, Reason: uint32(proof.ReasonTile), Evidence: evidence, Height: 900})
			return m
		}, "wrong_tile", false, "does not recompute", "proof verify"},
		{"demoted", func() memory {
			m := registered(economics.RoleContainer)
			m.saw(with(func(s *state.Standing) { s.PriorityPPM = 250_000 }))
			return m
		}, "demoted", false, "25.0 %", "time"},
		{"stake gone", func() memory {
			m := registered(economics.RoleContainer)
			m[string(state.StakeKey(node))] = state.Stake{Amount: 1, Offences: 2, Jailed: true}.Encode()
			return m
		}, "stake_missing", false, "none of them counts", "framemesh stake"},
		{"no delegation", func() memory {
			m := registered(economics.RoleContainer)
			delete(m, string(state.DelegationKey(owner, node)))
			return m
		}, "no_delegation", false, "cannot settle", "framemesh delegate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := report(t, c.given(), 51)
			f, ok := r.has(c.code)
			if !ok {
				t.Fatalf("no finding %s in %+v", c.code, r.Findings)
			}
			if r.OK != c.ok || f.Bad == c.ok || !strings.Contains(f.Text, c.says) || !strings.Contains(f.Next, c.next) {
				t.Errorf("ok %v, finding %+v", r.OK, f)
			}
		})
	}
}

func TestAccusationsAreTold(t *testing.T) {
	m := registered(economics.RoleContainer)
	m.saw(good, state.Verdict{Epoch: 50, Verdict: 1, Weight: 1, Height: 900}, state.Verdict{Epoch: 50, Verdict: state.VerdictAccused, Reason: uint32(economics.OffenceCapacity), Height: 901})
	id := state.AccusationID(node, 50, 0, economics.OffenceCapacity)
	a := state.Accusation{Node: node, Offence: economics.OffenceCapacity, Amount: 100_000_000, Epoch: 50, Final: 55}
	m[string(state.AccusationKey(id))] = a.Encode()
	r := report(t, m, 51)
	f, ok := r.has("accused")
	if !ok || r.OK || f.ID != Hex(id) || !strings.Contains(f.Next, "framemesh appeal "+Hex(id)) || !strings.Contains(f.Text, "epoch 55") {
		t.Errorf("%v %+v", ok, f)
	}
	a.Appealed, a.Final = 52, 54
	m[string(state.AccusationKey(id))] = a.Encode()
	if f, ok := report(t, m, 51).has("appealed"); !ok || !strings.Contains(f.Text, "seed of epoch 52") {
		t.Errorf("%v %+v", ok, f)
	}
	delete(m, string(state.AccusationKey(id)))
	if r := report(t, m, 51); !r.OK || r.Verdicts[1].Verdict != "accused" {
		t.Errorf("once decided: %+v", r)
	}
}

func TestAContainerThatWentIsTold(t *testing.T) {
	m := registered(economics.RoleContainer)
	m.saw(good, state.Verdict{Epoch: 50, Verdict: state.VerdictAccused, Reason: uint32(economics.OffenceDrop), Height: 901})
	id := state.AccusationID(node, 50, 0, economics.OffenceDrop)
	a := state.Accusation{Node: node, Offence: economics.OffenceDrop, Amount: 100_000_000, Epoch: 50, Final: 55, Session: [16]byte{0xab, 1}, Asked: make([]key.Node, 10)}
	m[string(state.AccusationKey(id))] = a.Encode()
	f, ok := report(t, m, 51).has("accused")
	if !ok || !f.Bad || f.Session != "ab010000000000000000000000000000" || !strings.Contains(f.Text, f.Session) || !strings.Contains(f.Text, "10 checkers") ||
		!strings.Contains(f.Next, "framemesh appeal "+Hex(id)) || !strings.Contains(f.Next, "asked what they heard") {
		t.Errorf("%v %+v", ok, f)
	}
	if f := AccusationOf(Accused{ID: id, Accusation: a}, economics.DefaultParams(), 300_000); !strings.HasSuffix(f.Text, "when epoch 55 begins, in 5 min.") {
		t.Errorf("until when: %q", f.Text)
	}
}

func TestCheckersAreTold(t *testing.T) {
	m := registered(economics.RoleChecker)
	if f, ok := report(t, m, 51).has("no_duties"); !ok || f.Bad {
		t.Errorf("a new checker: %+v", f)
	}
	c := state.Conduct{Correct: 3, WrongTotal: 2, Wrong: []uint64{40, 45}, BannedUntil: 3000, LastEpoch: 45, Verdicts: 1}
	m[string(state.ConductKey(node))] = c.Encode()
	m[string(state.HistoryKey(node, economics.RoleChecker, 0))] = state.Verdict{Epoch: 45, Role: economics.RoleChecker, Verdict: state.VerdictBanned, Height: 800}.Encode()
	r := report(t, m, 51)
	if f, ok := r.has("banned"); !ok || r.OK || !strings.Contains(f.Text, "epoch 3000") {
		t.Errorf("a banned one: %+v", r)
	}
	if len(r.Verdicts) != 1 || r.Verdicts[0].Role != "checker" || r.Verdicts[0].Verdict != "banned" {
		t.Errorf("%+v", r.Verdicts)
	}
	c = state.Conduct{Correct: 3, WrongTotal: 1, Wrong: []uint64{40}, LastEpoch: 45, Now: state.Duties{Asked: 20, Answered: 10}}
	m[string(state.ConductKey(node))] = c.Encode()
	r = report(t, m, 51)
	if f, ok := r.has("unanswered"); !ok || !f.Bad {
		t.Errorf("an absent one: %+v", r)
	}
	if f, ok := r.has("wrong_answers"); !ok || f.Bad {
		t.Errorf("one that was wrong once: %+v", r)
	}
}

// Every reason and offence that the ledger can give has words and something to do.
func TestEveryReasonHasWords(t *testing.T) {
	for _, i := range proof.Reasons() {
		role, verdict := economics.RoleChecker, uint8(proof.VerdictBad)
		if len(i.Verdict) > 0 {
			role, verdict = economics.RoleContainer, uint8(i.Verdict[0])
		}
		v := VerdictOf(state.Verdict{Role: role, Verdict: verdict, Reason: uint32(i.Code)})
		if v.Name != i.Name || v.Text != i.Text || v.Next == "" || v.Verdict == "" {
			t.Errorf("%d: %+v", i.Code, v)
		}
	}
	for o := economics.OffenceIdle; o.String() != ""; o++ {
		if OffenceText(o) == OffenceText(0) {
			t.Errorf("the offence %s has no words", o)
		}
	}
	for v := range uint32(7) {
		if !strings.HasSuffix(VerdictText(v), ".") {
			t.Errorf("verdict %d: %q", v, VerdictText(v))
		}
	}
}

func TestAnUnreadableLedgerIsAnError(t *testing.T) {
	gone := errors.New("gone")
	if _, err := Read(Values(func([]byte) ([]byte, error) { return nil, gone }), node, 1, economics.DefaultParams()); !errors.Is(err, gone) {
		t.Errorf("gave %v", err)
	}
	m := registered(economics.RoleContainer)
	m[string(state.StandingKey(node))] = []byte{1}
	if _, err := Read(m.values(), node, 1, economics.DefaultParams()); !errors.Is(err, state.ErrRecord) {
		t.Errorf("gave %v", err)
	}
	if _, _, err := Describe([]byte("framemesh proof 1\nnonsense")); !errors.Is(err, proof.ErrMalformed) {
		t.Errorf("gave %v", err)
	}
}

func TestALostSeatIsTold(t *testing.T) {
	m := registered(economics.RoleChecker)
	m[string(state.EmptyKey())] = state.Empty{{Node: node, Until: 53, Missed: 61, Blocks: 100}}.Encode()
	if f, ok := report(t, m, 51).has("no_seat"); !ok || !f.Bad || f.About != AboutSeat || !strings.Contains(f.Text, "until epoch 53: it signed 39 of an epoch's 100 blocks") {
		t.Errorf("%v %+v", ok, f)
	}
	m[string(state.EmptyKey())] = state.Empty{{Node: key.Node{9}, Until: 53, Missed: 61, Blocks: 100}}.Encode()
	if f, ok := report(t, m, 51).has("no_seat"); ok {
		t.Errorf("another's: %+v", f)
	}
}

func TestWhereItSaysThatItLives(t *testing.T) {
	m := registered(economics.RoleContainer)
	if f, ok := report(t, m, 51).has("declared"); ok {
		t.Errorf("it said nothing: %+v", f)
	}
	n, err := state.DecodeNode(m[string(state.NodeKey(node))])
	if err != nil {
		t.Fatal(err)
	}
	n.Subnets, n.Moved = []subnet.Subnet{"\x0b\x01\x01"}, 9
	m[string(state.NodeKey(node))] = n.Encode()
	if f, ok := report(t, m, 51).has("declared"); !ok || f.Bad || !strings.Contains(f.Text, "11.1.1.0/24, since epoch 9") {
		t.Errorf("%v %+v", ok, f)
	}
}
