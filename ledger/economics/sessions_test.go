package economics_test

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/economics"
)

func TestPricePerSecond(t *testing.T) {
	const frm = uint64(amount.FRM)
	for _, c := range []struct{ price, perUSD, want uint64 }{
		{0, 20 * frm, 0},
		{500_000, 20 * frm, 277_778},        // half a dollar an hour at 20 FRM: 277 777.77…
		{3_600_000_000, 20 * frm, 20 * frm}, // a dollar a second
		{1, 1, 1},                           // any price is at least a base unit
		{3_600_000_000, 1, 1},
		{3_600_000_001, 1, 2},
		{720_000, 50_000_000_000, 10_000_000}, // exact: nothing is added
	} {
		if got, err := economics.PricePerSecond(c.price, c.perUSD); err != nil || got != c.want {
			t.Errorf("%d µUSD/h at %d: %d, %v; want %d", c.price, c.perUSD, got, err, c.want)
		}
	}
	if _, err := economics.PricePerSecond(1<<63, 1<<63); !errors.Is(err, amount.ErrOverflow) {
		t.Errorf("a price beyond numbers: %v", err)
	}
}

func TestCost(t *testing.T) {
	if got, err := economics.Cost(277_778, 3_600); err != nil || got != 1_000_000_800 {
		t.Errorf("an hour costs %d, %v", got, err)
	}
	if got, err := economics.Cost(uint64(amount.Supply), 1); err != nil || got != uint64(amount.Supply) {
		t.Errorf("everything there is: %d, %v", got, err)
	}
	for _, c := range [][2]uint64{{uint64(amount.Supply) + 1, 1}, {1 << 40, 1 << 40}, {uint64(amount.Supply), 2}} {
		if _, err := economics.Cost(c[0], c[1]); !errors.Is(err, amount.ErrOverflow) {
			t.Errorf("%d · %d: %v", c[0], c[1], err)
		}
	}
}

func TestSettle(t *testing.T) {
	p := economics.DefaultParams()
	for gross, want := range map[uint64]economics.Settlement{
		0:         {},
		4:         {Host: 4}, // the fee rounds to nothing, in the host's favour
		5:         {Host: 4, Fee: 1, DAO: 1},
		100:       {Host: 80, Fee: 20, DAO: 10, Burned: 5, Indexers: 5},
		99:        {Host: 80, Fee: 19, DAO: 11, Burned: 4, Indexers: 4},
		1_000_007: {Host: 800_006, Fee: 200_001, DAO: 100_001, Burned: 50_000, Indexers: 50_000},
	} {
		if got := p.Settle(gross); got != want {
			t.Errorf("%d: %+v; want %+v", gross, got, want)
		}
	}
}

func TestSettleConserves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := params(t)
		gross := rapid.OneOf(rapid.Uint64Range(0, 100), rapid.Uint64()).Draw(t, "gross")
		s := p.Settle(gross)
		if s.Fee > gross || s.Host != gross-s.Fee || s.DAO > s.Fee || s.Burned > s.Fee || s.Indexers > s.Fee ||
			s.Fee-s.DAO-s.Burned != s.Indexers || s.Fee > gross/2 {
			t.Fatalf("%d is divided into %+v", gross, s)
		}
		if gross < 1<<64-1 {
			if n := p.Settle(gross + 1); n.Host < s.Host || n.Fee < s.Fee {
				t.Fatalf("more pays less: %+v, %+v", s, n)
			}
		}
	})
}

func TestCut(t *testing.T) {
	for _, c := range []struct{ v, ppm, node, owner uint64 }{
		{100, 0, 0, 100}, {100, 250_000, 25, 75}, {99, 500_000, 49, 50}, {7, 1_000_000, 7, 0}, {7, 1<<64 - 1, 7, 0},
	} {
		if node, owner := economics.Cut(c.v, c.ppm); node != c.node || owner != c.owner {
			t.Errorf("%d ppm of %d: %d and %d", c.ppm, c.v, node, owner)
		}
	}
}

// params draws valid parameters with random shares.
func params(t *rapid.T) economics.Params {
	p := economics.DefaultParams()
	p.FeeBps = rapid.Uint64Range(0, 5_000).Draw(t, "fee")
	p.FeeBurnBps = rapid.Uint64Range(0, 10_000).Draw(t, "burn")
	p.FeeIndexerBps = rapid.Uint64Range(0, 10_000-p.FeeBurnBps).Draw(t, "indexers")
	p.FeeDAOBps = 10_000 - p.FeeBurnBps - p.FeeIndexerBps
	p.SlashBonusBps = rapid.Uint64Range(0, 10_000).Draw(t, "bonus")
	p.SlashVictimBps = rapid.Uint64Range(0, 10_000-p.SlashBonusBps).Draw(t, "victim")
	p.SlashBurnBps = 10_000 - p.SlashBonusBps - p.SlashVictimBps
	p.RewardVest1Bps = rapid.Uint64Range(0, 10_000).Draw(t, "vest 1")
	p.RewardVest2Bps = rapid.Uint64Range(0, 10_000-p.RewardVest1Bps).Draw(t, "vest 2")
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	return p
}
