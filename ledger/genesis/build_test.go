package genesis_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/genesis"
	"github.com/framemesh/framemesh/ledger/key"
)

const frm = uint64(amount.FRM)

var start = time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)

// pub is the public key of a fixed name.
func pub(name string) (k [32]byte) {
	seed := sha256.Sum256([]byte(name))
	copy(k[:], ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey))
	return k
}

func validator(name string, stake uint64) genesis.Node {
	return genesis.Node{
		Node: pub(name), Owner: pub(name + " owner"), Roles: genesis.Roles(economics.RoleChecker),
		VRFKey: pub(name + " vrf"), ConsensusKey: pub(name + " consensus"), Stake: stake, Delegate: true,
	}
}

func container(name string, stake uint64) genesis.Node {
	return genesis.Node{
		Node: pub(name), Owner: pub(name + " owner"), Roles: genesis.Roles(economics.RoleContainer),
		Region: "eu-west", Price: 500_000, Class: genesis.Class(economics.ClassEnterprise), Stake: stake,
	}
}

// plan has one of everything.
func plan() genesis.Plan {
	return genesis.Plan{
		Chain: "test-1",
		Time:  start,
		Accounts: []genesis.Account{
			{Address: pub("faucet"), Amount: 1_000_000 * frm},
			{Address: pub("team"), Amount: 1, Vest: []genesis.Vest{{Amount: 9, CliffEpochs: 10, LinearEpochs: 20}, {Amount: 5, CliffEpochs: 7}}},
		},
		Nodes:   []genesis.Node{validator("a", 20_000*frm), container("b", 1_335*frm)},
		Oracles: []key.Address{pub("o1"), pub("o2"), pub("o3")},
	}
}

func build(t testing.TB, p genesis.Plan) *genesis.Doc {
	t.Helper()
	d, err := genesis.Build(p)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// The allocation of the main network, to the base unit.
func TestDefaultAllocation(t *testing.T) {
	d := genesis.Default("framemesh", start)
	want := genesis.Pools{
		Edge:         966_000_000_000_000_000,
		Enterprise:   504_000_000_000_000_000,
		CheckerBase:  420_000_000_000_000_000,
		CheckerBonus: 210_000_000_000_000_000,
		Team:         735_000_000_000_000_000,
		Investors:    483_000_000_000_000_000,
		Ecosystem:    336_000_000_000_000_000,
		DAO:          294_000_000_000_000_000,
		Airdrop:      252_000_000_000_000_000,
	}
	if d.Pools != want {
		t.Errorf("%+v", d.Pools)
	}
	sum, err := d.Allocated()
	if err != nil || sum != d.Supply || sum != 4_200_000_000_000_000_000 {
		t.Errorf("%d of %d, %v", sum, d.Supply, err)
	}
	if err := d.Validate(); !errors.Is(err, genesis.ErrValidators) || !strings.Contains(err.Error(), "10000 FRM") {
		t.Errorf("without a validator: %v", err)
	}
}

func TestBuild(t *testing.T) {
	d := build(t, plan())
	cost := 1_000_000*frm + 15 + 20_000*frm + 1_335*frm
	if d.Pools.Ecosystem != 336_000_000_000_000_000-cost {
		t.Errorf("ecosystem has %d left", d.Pools.Ecosystem)
	}
	if d.Network != "test-1" || d.Symbol != "FRM" || d.TimeMS() != uint64(start.UnixMilli()) || d.Params != economics.DefaultParams() {
		t.Errorf("%+v", d)
	}
	if d.Epoch(d.TimeMS()+899_999) != 0 || d.Epoch(d.TimeMS()+900_000) != 1 || d.EpochStart(2) != d.TimeMS()+1_800_000 {
		t.Error("epochs")
	}

	p := plan()
	p.From = "dao"
	fast := economics.DefaultParams()
	fast.EpochSeconds, fast.YearEpochs = 2, 40
	p.Params = &fast
	d = build(t, p)
	if d.Pools.DAO != 294_000_000_000_000_000-cost || d.Params != fast {
		t.Errorf("%+v", d)
	}
}

func TestBuildRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*genesis.Plan)
		err    error
		text   string
	}{
		"no such pool":        {func(p *genesis.Plan) { p.From = "eco" }, genesis.ErrField, "ecosystem"},
		"a pool not of here":  {func(p *genesis.Plan) { p.From = "grants" }, genesis.ErrFunds, "grants"},
		"an empty pool":       {func(p *genesis.Plan) { p.From = "reserve" }, genesis.ErrFunds, "reserve has 0 FRM"},
		"more than there is":  {func(p *genesis.Plan) { p.Accounts[0].Amount = 3_360_000_000 * frm }, genesis.ErrFunds, "3360000000 FRM"},
		"more than there are": {func(p *genesis.Plan) { p.Accounts[0].Amount = 1<<64 - 1 }, genesis.ErrFunds, "ask for less"},
		"no validator":        {func(p *genesis.Plan) { p.Nodes = p.Nodes[1:] }, genesis.ErrValidators, "consensus_key"},
		"no chain id":         {func(p *genesis.Plan) { p.Chain = "" }, genesis.ErrField, "chain_id"},
	} {
		p := plan()
		c.change(&p)
		d, err := genesis.Build(p)
		if d != nil || !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFundLeavesThePlanAlone(t *testing.T) {
	p := plan()
	d := build(t, p)
	d.Accounts[1].Vest[0].Amount, d.Nodes[0].Stake, d.Oracles[0] = 7, 7, key.Address{7}
	if !reflect.DeepEqual(p, plan()) {
		t.Error("a document shares memory with its plan")
	}
}

// The whole team, by the pool's release: nothing at first, all of it after 54 months.
func TestGrant(t *testing.T) {
	d := genesis.Default("framemesh", start)
	team := genesis.Grant(d.Params, economics.PoolTeam, pub("team"), d.Pools.Team)
	airdrop := genesis.Grant(d.Params, economics.PoolAirdrop, pub("airdrop"), d.Pools.Airdrop)
	for _, f := range []struct {
		pool economics.Pool
		a    genesis.Account
	}{{economics.PoolTeam, team}, {economics.PoolAirdrop, airdrop}} {
		if err := d.Fund(f.pool, []genesis.Account{f.a}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Fund(economics.PoolEcosystem, nil, []genesis.Node{validator("a", 10_000*frm)}); err != nil {
		t.Fatal(err)
	}
	if err := d.Validate(); err != nil {
		t.Fatal(err)
	}
	if d.Pools.Team != 0 || d.Pools.Airdrop != 0 || team.Amount != 0 || airdrop.Amount != 63_000_000_000_000_000 || len(airdrop.Vest) != 2 {
		t.Errorf("%+v\n%+v", team, airdrop)
	}
	free := func(a genesis.Account, epoch uint64) uint64 {
		sum := a.Amount
		for _, v := range a.Vest {
			sum += economics.CliffLinear(v.Amount, v.CliffEpochs, v.LinearEpochs, epoch)
		}
		return sum
	}
	const month = 2_920
	for m, want := range map[uint64]uint64{0: 0, 18: 0, 36: 367_500_000_000_000_000, 54: 735_000_000_000_000_000} {
		if got := free(team, m*month); got != want {
			t.Errorf("team, month %d: %d; want %d", m, got, want)
		}
	}
	for m, want := range map[uint64]uint64{0: 63, 7: 63, 8: 126, 15: 126, 16: 252} {
		if got := free(airdrop, m*month); got != want*1_000_000_000_000_000 {
			t.Errorf("airdrop, month %d: %d", m, got)
		}
	}
}

// A plan's grants come out of their own pools, not of the one that funds accounts.
func TestPlannedGrants(t *testing.T) {
	p := plan()
	p.Granted = []genesis.Granted{{From: economics.PoolTeam, To: pub("lead"), Amount: 7 * frm}}
	d, without := build(t, p), build(t, plan())
	if d.Pools.Team != without.Pools.Team-7*frm || d.Pools.Ecosystem != without.Pools.Ecosystem {
		t.Errorf("%+v", d.Pools)
	}
	if a := d.Accounts[len(d.Accounts)-1]; a.Address != pub("lead") || a.Amount != 0 || len(a.Vest) != 1 || a.Vest[0].Amount != 7*frm {
		t.Errorf("%+v", a)
	}
	p.Granted[0].Amount = without.Pools.Team + 1
	if _, err := genesis.Build(p); !errors.Is(err, genesis.ErrFunds) {
		t.Errorf("more than the pool: %v", err)
	}
	p.Granted[0] = genesis.Granted{From: economics.PoolReserve, To: pub("lead"), Amount: 1}
	if _, err := genesis.Build(p); !errors.Is(err, genesis.ErrFunds) {
		t.Errorf("out of a pool that starts empty: %v", err)
	}
}

func TestGrantConserves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.Uint64().Draw(t, "total")
		a := genesis.Grant(economics.DefaultParams(), rapid.SampledFrom(economics.Pools()).Draw(t, "pool"), pub("x"), total)
		if sum, err := (&genesis.Doc{Accounts: []genesis.Account{a}}).Allocated(); err != nil || sum != total {
			t.Fatalf("%d of %d, %v", sum, total, err)
		}
	})
}

func TestValidators(t *testing.T) {
	p := plan()
	p.Nodes = []genesis.Node{
		validator("small", 10_000*frm+frm-1), validator("large", 50_000*frm), container("none", 2_000*frm),
		validator("equal 1", 20_000*frm), validator("equal 2", 20_000*frm),
	}
	set := build(t, p).Validators()
	if len(set) != 4 || set[0].Power != 50_000 || set[3].Power != 10_000 || set[0].Node != pub("large") ||
		set[0].ConsensusKey != pub("large consensus") || set[0].VRFKey != pub("large vrf") || set[0].Owner != pub("large owner") {
		t.Fatalf("%+v", set)
	}
	if string(set[1].Node[:]) >= string(set[2].Node[:]) {
		t.Error("equal stakes are not ordered by key")
	}
	// The order of the file does not matter.
	p.Nodes[0], p.Nodes[3] = p.Nodes[3], p.Nodes[0]
	if again := build(t, p).Validators(); !reflect.DeepEqual(again, set) {
		t.Errorf("%+v", again)
	}
	two := economics.DefaultParams()
	two.MaxValidators = 2
	p.Params = &two
	if again := build(t, p).Validators(); !reflect.DeepEqual(again, set[:2]) {
		t.Errorf("the largest two: %+v", again)
	}
}

func TestOwnersWhoCannotPayFees(t *testing.T) {
	d := build(t, plan())
	d.Accounts = nil
	all := d.OwnersWithoutMoney()
	if len(all) == 0 || !slices.Contains(all, d.Nodes[0].Owner) {
		t.Fatalf("nobody has anything, and %v lack money", all)
	}
	d.Accounts = []genesis.Account{{Address: d.Nodes[0].Owner, Amount: d.Params.TxFee}}
	if got := d.OwnersWithoutMoney(); len(got) != len(all)-1 || slices.Contains(got, d.Nodes[0].Owner) {
		t.Errorf("one can pay a fee, and %v lack money of %v", got, all)
	}
	d.Accounts[0].Amount--
	if got := d.OwnersWithoutMoney(); len(got) != len(all) {
		t.Errorf("less than a fee is enough: %v", got)
	}
}

func TestOwnersOfCheckers(t *testing.T) {
	d := build(t, plan())
	owner, checker := d.Nodes[0].Owner, genesis.Roles(economics.RoleChecker)
	d.Nodes = []genesis.Node{{Owner: owner, Roles: checker}, {Owner: owner, Roles: checker}, {Owner: pub("other"), Roles: checker}, {Owner: pub("third"), Roles: genesis.Roles(economics.RoleIndexer)}}
	if got := d.CheckingOwners(); got != 2 {
		t.Errorf("%d, want 2: one has two checkers, one an indexer", got)
	}
}

func TestOraclesWithoutStake(t *testing.T) {
	p := plan()
	p.Oracles[1] = pub("a")
	if got, want := build(t, p).OraclesWithoutStake(), []key.Address{pub("o1"), pub("o3")}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	d := build(t, p)
	d.Nodes[0].Stake = 0
	if got := d.OraclesWithoutStake(); len(got) != 3 {
		t.Errorf("a node that stakes nothing has something to lose: %v", got)
	}
}
