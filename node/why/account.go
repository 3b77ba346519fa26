package why

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/framemesh/framemesh/actors/indexer/match"
	"github.com/framemesh/framemesh/p2p/wire"
)

// Account is what one indexer says became of a container in its last matches. It is that
// indexer's word: nothing proves it.
type Account struct {
	Indexer    string `json:"indexer"`
	NowMS      uint64 `json:"now_ms"`   // the indexer's clock, unix ms
	SinceMS    uint64 `json:"since_ms"` // what is counted begins here
	Containers uint32 `json:"containers"`
	Proven     uint32 `json:"proven"`
	Held       bool   `json:"held"` // it holds the container's ad
	SeqMS      uint64 `json:"ad_made_ms,omitempty"`
	ExpiresMS  uint64 `json:"ad_expires_ms,omitempty"`
	Refused    string `json:"ad_refused,omitempty"` // why the last ad did not count
	RefusedMS  uint64 `json:"ad_refused_ms,omitempty"`
	Unproven   string `json:"unproven,omitempty"`

	Asked  uint32   `json:"asked"`  // requests of all players
	Lacked uint32   `json:"lacked"` // of these, for games that the container neither has nor fetches
	Passed uint32   `json:"passed"` // in which it passed all filters
	Named  uint32   `json:"named"`  // in which a certificate named it
	First  uint32   `json:"first"`  // at the top
	Outs   []Outs   `json:"out"`    // most first
	Ranked *Ranking `json:"ranked,omitempty"`
	Best   *Ranking `json:"best,omitempty"` // the winner's of the same match
	Wanted []Wanted `json:"wanted,omitempty"`
}

// Outs is how often a filter turned the container away. Figures are in milli-RP, ms, or µUSD
// an hour, by the filter, and 0 where it compares none.
type Outs struct {
	Filter string `json:"filter"`
	Times  uint32 `json:"times"`
	Mine   uint64 `json:"mine,omitempty"`
	Least  uint64 `json:"least_asked,omitempty"`
	Most   uint64 `json:"most_asked,omitempty"`
}

// Ranking is a container's place in a match. Score and parts are in billionths.
type Ranking struct {
	AtMS    uint64 `json:"at_ms"`
	Place   uint32 `json:"place"`
	Of      uint32 `json:"of"`
	Ready   uint32 `json:"ready"` // 0 free slot and game, 1 game to be fetched, 2 no free slot, 3 neither
	Score   int64  `json:"score"`
	Price   int64  `json:"price"`
	Latency int64  `json:"latency"`
	Quality int64  `json:"quality"`
	Idle    int64  `json:"idle"`
	Stake   int64  `json:"stake"`
}

// Wanted is a game that players asked for and the container has not.
type Wanted struct {
	App   string `json:"app"` // SHA-256
	Name  string `json:"name,omitempty"`
	Asked uint32 `json:"asked"`
}

// ErrAccount: what an indexer answered is no account.
var ErrAccount = errors.New("why: an indexer's answer breaks a rule")

// Limits of texts in an answer, in bytes.
const (
	maxSentence = 400
	maxName     = 64
	maxScore    = 1_000_000_000
)

// AccountOf reads an indexer's answer, which nobody has to believe. Errors wrap ErrAccount.
func AccountOf(indexer string, r *wire.AccountResponse) (Account, error) {
	bad := func(format string, args ...any) (Account, error) {
		return Account{}, fmt.Errorf("%w: %s: %s", ErrAccount, indexer, fmt.Sprintf(format, args...))
	}
	if len(r.GetOuts()) > len(match.Filters) || len(r.GetWanted()) > match.MaxWanted {
		return bad("%d filters and %d games", len(r.GetOuts()), len(r.GetWanted()))
	}
	out := Account{Indexer: indexer, NowMS: min(r.GetNowMs(), 1<<50), SinceMS: min(r.GetSinceMs(), 1<<50), Containers: r.GetContainers(), Proven: r.GetProven(),
		Held: r.GetHeld(), SeqMS: min(r.GetSeqMs(), 1<<50), ExpiresMS: min(r.GetExpiresMs(), 1<<50), RefusedMS: min(r.GetRefusedMs(), 1<<50),
		Asked: r.GetAsked(), Lacked: r.GetLacked(), Passed: r.GetPassed(), Named: r.GetNamed(), First: r.GetFirst(), Outs: []Outs{}}
	for _, f := range []struct {
		text string
		most int
		to   *string
	}{{r.GetRefused(), maxSentence, &out.Refused}, {r.GetUnproven(), maxSentence, &out.Unproven}} {
		if len(f.text) > f.most || !printable(f.text) {
			return bad("a text of %d bytes that is none", len(f.text))
		}
		*f.to = f.text
	}
	for _, o := range r.GetOuts() {
		if !slices.Contains(match.Filters, o.GetFilter()) {
			return bad("a filter that this release does not know; update framemesh")
		}
		out.Outs = append(out.Outs, Outs{o.GetFilter(), o.GetTimes(), o.GetMine(), o.GetLeast(), o.GetMost()})
	}
	for _, w := range r.GetWanted() {
		if len(w.GetSha256()) != 32 || len(w.GetName()) > maxName || !printable(w.GetName()) {
			return bad("a game without a name")
		}
		out.Wanted = append(out.Wanted, Wanted{hex.EncodeToString(w.GetSha256()), w.GetName(), w.GetAsked()})
	}
	for from, to := range map[*wire.Ranking]**Ranking{r.GetRanked(): &out.Ranked, r.GetBest(): &out.Best} {
		if from == nil {
			continue
		}
		p := from.GetParts()
		x := &Ranking{min(from.GetAtMs(), 1<<50), from.GetPlace(), from.GetOf(), from.GetReady(), from.GetScore(),
			p.GetPrice(), p.GetLatency(), p.GetQuality(), p.GetIdle(), p.GetStake()}
		for _, v := range []int64{x.Score, x.Price, x.Latency, x.Quality, x.Idle, x.Stake} {
			if v < 0 || v > maxScore {
				return bad("a score of %d", v)
			}
		}
		if x.Place == 0 || x.Place > x.Of || x.Ready > 3 {
			return bad("place %d of %d", x.Place, x.Of)
		}
		*to = x
	}
	if (out.Ranked == nil) != (out.Best == nil) {
		return bad("a place without a winner")
	}
	return out, nil
}

// printable says whether a text can be shown in a terminal as it is.
func printable(s string) bool {
	for _, r := range s {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == '\u2028' || r == '\u2029' || r == '\uFFFD' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' {
			return false
		}
	}
	return true
}
