package why

import (
	"errors"
	"strings"
	"testing"

	"github.com/framemesh/framemesh/p2p/wire"
)

// told is what one indexer says, by default of a container that was asked about 15 times.
func told(change func(*Account)) Account {
	a := Account{Indexer: "i", NowMS: 7_200_000, SinceMS: 3_600_000, Held: true, Asked: 15, Outs: []Outs{}}
	change(&a)
	return a
}

func TestMatchingIsTold(t *testing.T) {
	better := &Ranking{AtMS: 7_000_000, Place: 1, Of: 12, Score: 731_000_000, Price: 300_000_000, Latency: 231_000_000, Quality: 200_000_000}
	behind := func(change func(*Ranking)) func(*Account) {
		r := *better
		r.Place = 7
		change(&r)
		return func(a *Account) { a.Passed, a.Ranked, a.Best = 15, &r, better }
	}
	for _, c := range []struct {
		name       string
		given      func(*Account)
		code       string
		bad        bool
		says, next string
	}{
		{"price", func(a *Account) { a.Passed = 3; a.Outs = []Outs{{"price", 12, 400_000, 100_000, 300_000}} }, "price_high", true,
			"0.40 $ an hour was above what 12 of 15 players would pay: they set a limit of 0.10 $ to 0.30 $", "= 100000 would have suited all of them, 300000 some"},
		{"price of some", func(a *Account) { a.Passed, a.First = 13, 9; a.Outs = []Outs{{"price", 2, 123_456, 99_999, 99_999}} }, "price_high", false,
			"0.123456 $ an hour was above what 2 of 15 players would pay: they set a limit of 0.099999 $.", "= 99999 would have suited all"},
		{"latency", func(a *Account) { a.Outs = []Outs{{"latency", 15, 80, 30, 50}} }, "latency_high", true, "80 ms from players who asked for at most 30 ms to 50 ms: 15 times", "wired"},
		{"no place", func(a *Account) { a.Outs = []Outs{{"latency", 15, 0, 30, 50}} }, "latency_unknown", true, "is not known", "nothing on your side"},
		{"score", func(a *Account) { a.Outs = []Outs{{"score", 15, 900, 1000, 2000}} }, "score_low", true, "1 RP to 2 RP were asked for 15 times; it was measured at 0.9 RP", "bench"},
		{"region", func(a *Account) { a.Outs = []Outs{{Filter: "region", Times: 15}} }, "other_region", true, "another region", "region in its configuration"},
		{"slot", func(a *Account) { a.Passed, a.First = 13, 13; a.Outs = []Outs{{Filter: "slot", Times: 2}} }, "full", false, "All its slots were taken when players asked: 2 times", "container.slots"},
		{"unproven", func(a *Account) {
			a.Unproven = "no round has measured it by epoch 4; a newcomer waits"
			a.Outs = []Outs{{Filter: "unproven", Times: 15}}
		}, "not_proven", true, "now: no round has measured it by epoch 4.", "framemesh run"},
		{"failed", func(a *Account) { a.Outs = []Outs{{Filter: "excluded", Times: 1}} }, "failed_players", false, "had just failed asked for others once", "doctor"},
		{"late", func(a *Account) { a.Outs = []Outs{{Filter: "expired", Times: 1}} }, "ad_late", false, "run out once", "clock"},
		{"other games", func(a *Account) {
			a.Lacked = 15
			a.Wanted = []Wanted{{strings.Repeat("a", 64), "racer", 9}, {strings.Repeat("b", 64), "", 6}}
		}, "other_games", true,
			"15 of 15 requests were for games that it neither has nor fetches. Most asked for: racer (9 times), bbbbbbbbbbbb (6 times).", "fetch_apps"},
		{"dearer", behind(func(r *Ranking) { r.Price, r.Score = 100_000_000, 531_000_000 }), "outranked", true, "place 7 of the 12 that passed: 531 of 1,000 points against 731", "a lower container.price"},
		{"farther", behind(func(r *Ranking) { r.Latency, r.Score = 0, 500_000_000 }), "outranked", true, "latency 0 against 231", "nearer"},
		{"worse", behind(func(r *Ranking) { r.Quality, r.Score = 0, 531_000_000 }), "outranked", true, "quality 0 against 200", "doctor"},
		{"demoted", behind(func(r *Ranking) { r.Score /= 2 }), "outranked", true, "Offences took away", "stay clean"},
		{"full when ranked", behind(func(r *Ranking) { r.Ready = 2 }), "outranked", true, "a free slot and it had none", "container.slots"},
		{"fetches", behind(func(r *Ranking) { r.Ready = 1 }), "outranked", true, "had the game already", "apps add"},
		{"equal", behind(func(r *Ranking) {}), "outranked", true, "731 of 1,000 points against 731", "order of their ids"},
		{"chosen", func(a *Account) { a.Passed, a.Named, a.First = 15, 12, 9 }, "chosen", false, "always for one that it has. It passed all filters in 15, was among the three best in 12 and the first choice in 9", ""},
		{"not chosen", func(a *Account) { a.Lacked = 15 }, "not_chosen", false, "15 times, never for one that it has", "what follows"},
		{"quiet", func(a *Account) { a.Asked = 0 }, "no_players", false, "since 01:00 UTC", "wait"},
		{"no ad", func(a *Account) { a.Held = false }, "no_ad", true, "matched to nobody", "framemesh run"},
		{"ad gone", func(a *Account) { a.Held, a.ExpiresMS = false, 7_100_000 }, "no_ad", true, "ran out at 01:58 UTC", "framemesh run"},
		{"ad refused", func(a *Account) { a.Held, a.Refused, a.RefusedMS = false, "it claims too much.", 7_100_000 }, "ad_refused", true, "refused its ad at 01:58 UTC: it claims too much.", "wait"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, x := range Matching([]Account{told(c.given)}, true) {
				if x.Code != c.code {
					continue
				}
				if x.Bad != c.bad || !strings.Contains(x.Text, c.says) || !strings.Contains(x.Next, c.next) || x.About != AboutMatch {
					t.Errorf("%+v", x)
				}
				return
			}
			t.Errorf("no %s in %+v", c.code, Matching([]Account{told(c.given)}, true))
		})
	}
	if x := Matching(nil, true); len(x) != 1 || x[0].Code != "no_indexer" {
		t.Errorf("nobody answers: %+v", x)
	}
	if x := Matching([]Account{told(func(a *Account) { a.Held = false })}, false); !strings.Contains(x[0].Next, "framemesh register") {
		t.Errorf("not registered: %+v", x)
	}
}

// Several indexers see parts of the market, which add up.
func TestIndexersAddUp(t *testing.T) {
	a := told(func(a *Account) { a.Passed, a.First = 5, 2; a.Outs = []Outs{{"price", 10, 400_000, 200_000, 300_000}} })
	b := told(func(a *Account) {
		a.Passed = 4
		a.Outs = []Outs{{Filter: "slot", Times: 20}, {"price", 1, 400_000, 100_000, 100_000}}
		a.Wanted = []Wanted{{strings.Repeat("a", 64), "racer", 3}}
	})
	c := told(func(a *Account) { a.Held, a.Asked = false, 0; a.Wanted = b.Wanted })
	m := together([]Account{a, b, c})
	if m.held != 2 || m.Asked != 30 || m.Passed != 9 || m.First != 2 || m.Outs[0].Times != 20 || m.Outs[1] != (Outs{"price", 11, 400_000, 100_000, 300_000}) || m.Wanted[0].Asked != 6 {
		t.Errorf("%+v", m)
	}
	if x := Matching([]Account{a, b, c}, true); x[0].Code != "few_ads" || !strings.Contains(x[0].Text, "2 of the 3") {
		t.Errorf("%+v", x)
	}
	if a.Outs[0].Times != 10 || b.Wanted[0].Asked != 3 {
		t.Error("the accounts themselves were changed")
	}
}

func TestAccountsThatBreakRulesAreRefused(t *testing.T) {
	for name, r := range map[string]*wire.AccountResponse{
		"control characters": {Refused: "\x1b[2J"},
		"a long text":        {Unproven: strings.Repeat("x", 401)},
		"text that is none":  {Refused: "\xff"},
		"an unknown filter":  {Outs: []*wire.FilterOuts{{Filter: "looks"}}},
		"too many filters":   {Outs: make([]*wire.FilterOuts, 10)},
		"too many games":     {Wanted: make([]*wire.WantedApp, 4)},
		"no game":            {Wanted: []*wire.WantedApp{{Name: "racer"}}},
		"place zero":         {Ranked: &wire.Ranking{Of: 2}, Best: &wire.Ranking{Place: 1, Of: 2}},
		"beyond the last":    {Ranked: &wire.Ranking{Place: 3, Of: 2}, Best: &wire.Ranking{Place: 1, Of: 2}},
		"no winner":          {Ranked: &wire.Ranking{Place: 1, Of: 2}},
		"points":             {Ranked: &wire.Ranking{Place: 1, Of: 2, Score: -1}, Best: &wire.Ranking{Place: 1, Of: 2}},
	} {
		if _, err := AccountOf("i", r); !errors.Is(err, ErrAccount) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := AccountOf("i", &wire.AccountResponse{}); err != nil {
		t.Errorf("an empty one: %v", err)
	}
}
