package match

import (
	"fmt"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/p2p/wire"
)

// filter is a hard condition. They are asked in this order; the first that fails is
// the one reported.
type filter int

const (
	passes filter = iota
	filterExpired
	filterExcluded
	filterRegion
	filterSlot
	filterApp
	filterUnproven
	filterScore
	filterLatency
	filterPrice
	filters // how many there are
)

// Filters are the names of the filters, in the order in which they are asked.
var Filters = []string{"expired", "excluded", "region", "slot", "app", "unproven", "score", "latency", "price"}

func (f filter) String() string { return Filters[f-1] }

// query is a request, taken apart once.
type query struct {
	app         [32]byte
	region      string
	minScore    uint32
	maxLatency  uint32 // ms; 0 = no limit
	maxLatency2 int64  // µs², of maxLatency
	maxPrice    uint64 // µUSD per hour; 0 = no limit
	coord       [MaxCoordinates]int32
	coords      int32
	exclude     []string
	wait        bool
}

// newQuery takes a request apart that CheckRequest accepts.
func newQuery(req *wire.MatchRequest) *query {
	q := &query{
		app: [32]byte(req.GetAppSha256()), region: req.GetRegion(), minScore: req.GetMinScoreRpMilli(),
		maxLatency: req.GetMaxLatencyMs(), maxPrice: req.GetMaxPriceMicroUsdPerHour(), wait: req.GetWait(),
	}
	us := min(int64(q.maxLatency)*1000, maxDistance)
	q.maxLatency2 = us * us
	q.coords = int32(copy(q.coord[:], req.GetCoordinateUs()))
	for _, id := range req.GetExclude() {
		q.exclude = append(q.exclude, string(id))
	}
	return q
}

func (q *query) distance2(f *facts) int64 { return distance2(&q.coord, q.coords, &f.coord, f.coords) }

func (q *query) excludes(id peer.ID) bool {
	for _, other := range q.exclude {
		if string(id) == other {
			return true
		}
	}
	return false
}

// judge returns the first filter that a candidate fails. has says that it holds the
// app; d2 is q.distance2 of it.
//
// A player who will wait asks for containers without a free slot too; that is part of
// the request and so not a relaxation.
func (q *query) judge(nowMS uint64, id peer.ID, f *facts, has bool, d2 int64) filter {
	switch {
	case f.expires <= nowMS:
		return filterExpired
	case q.excludes(id):
		return filterExcluded
	case q.region != "" && q.region != f.region:
		return filterRegion
	case f.free == 0 && (!q.wait || f.total == 0):
		return filterSlot
	case !has && !f.fetches:
		return filterApp
	case f.standing == unread || f.standing == unproven:
		return filterUnproven
	case f.score < q.minScore:
		return filterScore
	case q.maxLatency > 0 && (d2 < 0 || d2 > q.maxLatency2):
		return filterLatency
	case q.maxPrice > 0 && f.price > q.maxPrice:
		return filterPrice
	}
	return passes
}

// reason says in a sentence why a filter fails, with the two figures compared.
func (q *query) reason(why filter, nowMS uint64, f *facts, apps int, d2 int64) string {
	switch why {
	case filterExpired:
		return fmt.Sprintf("its ad expired %d ms ago", nowMS-f.expires)
	case filterExcluded:
		return "it failed this player just now and was excluded"
	case filterRegion:
		return fmt.Sprintf("it is in region %q, asked for was %q", f.region, q.region)
	case filterSlot:
		return fmt.Sprintf("%d of its %d slots are free, 1 is needed", f.free, f.total)
	case filterApp:
		return fmt.Sprintf("none of its %d apps is %x, and it does not fetch apps", apps, q.app[:4])
	case filterUnproven:
		return f.whyUnproven()
	case filterScore:
		if f.standing == proven {
			return fmt.Sprintf("checkers measured %d milli-RP, the app needs %d", f.score, q.minScore)
		}
		return fmt.Sprintf("its score is %d milli-RP, the app needs %d", f.score, q.minScore)
	case filterLatency:
		if d2 < 0 {
			return fmt.Sprintf("its latency is not known, the limit is %d ms", q.maxLatency)
		}
		return fmt.Sprintf("its latency is %d ms, the limit is %d ms", (sqrt(uint64(d2))+999)/1000, q.maxLatency)
	case filterPrice:
		return fmt.Sprintf("its price is %d µUSD per hour, the ceiling is %d", f.price, q.maxPrice)
	}
	return ""
}

// rank orders what passes: first who can start at once, then by score, then by peer
// id. Readiness comes before the score because fetching an app or waiting for a slot
// takes longer than any difference in price is worth.
type rank struct {
	ready  int // 0 free slot and app, 1 free slot and fetches, 2 app but no slot, 3 neither
	points int64
	id     peer.ID
}

func readiness(f *facts, has bool) int {
	r := 0
	if f.free == 0 {
		r += 2
	}
	if !has {
		r++
	}
	return r
}

// before says whether a is the better candidate. It is a total order on distinct ids.
func (a rank) before(b rank) bool {
	if a.ready != b.ready {
		return a.ready < b.ready
	}
	if a.points != b.points {
		return a.points > b.points
	}
	return a.id < b.id
}
