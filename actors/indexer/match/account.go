package match

import (
	"cmp"
	"slices"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/p2p/wire"
)

// Bounds of accounts. Counts are kept for the period that runs and the one before, so an
// account covers between one and two of them.
const (
	// PeriodMS is the length of a period.
	PeriodMS = 30 * 60 * 1000
	// MaxWanted is how many apps that a container lacks its account names.
	MaxWanted = 3

	rankEveryMS = 1000 // between two matches whose candidates are all ranked; a ms for each of them if that is more
	maxDemand   = 1024 // apps whose requests are counted
	maxGone     = 4096 // containers whose account outlives their ad
)

// bound is what failed requests asked for, of a filter that compares two figures. All are in
// the filter's unit.
type bound struct{ least, most, mine uint64 }

// The filters that compare figures, as indices of tally.bounds.
const (
	boundScore   = iota // milli-RP
	boundLatency        // ms; mine is 0 where the distance is not known
	boundPrice          // µUSD per hour
	bounds
)

// tally counts what became of one candidate in one period.
type tally struct {
	out    [filters]uint32 // by the filter that it failed; out[passes] is how often it passed all
	named  uint32          // times it was in a certificate
	first  uint32          // of these, at the top
	bounds [bounds]bound
}

// account is a candidate's part in the matches of the last two periods. It lies inside its
// entry, because a match writes that of every candidate.
type account struct {
	period      uint64 // of now
	now, before tally
	skip        [2]uint32 // requests of the table's two periods that came before the container did
	skipped     uint64    // period of skip[0]
	ranked      Ranked
}

// roll makes now that of a period.
func (a *account) roll(period uint64) {
	switch a.period {
	case period:
		return
	case period - 1:
		a.before = a.now
	default:
		a.before = tally{}
	}
	a.now, a.period = tally{}, period
}

// lapsed is a container whose ad is not held any more.
type lapsed struct {
	expires uint64 // unix ms, of the last ad
	account account
	asked   uint32 // requests of its time
}

func newGone() *simplelru.LRU[peer.ID, lapsed] {
	l, err := simplelru.NewLRU[peer.ID, lapsed](maxGone, nil)
	if err != nil {
		panic("match: " + err.Error()) // only for a size below 1, and it is a constant
	}
	return l
}

// demand is what was asked of a table in the last two periods.
type demand struct {
	period      uint64
	now, before uint32
	apps        map[[32]byte]*[2]uint32 // requests by app, now and before: of those that some container has
	ranked      uint64                  // unix ms, when all candidates were last ranked
	pause       uint64                  // ms from then until the next time
	ranks       []found                 // reused
}

// enter counts a request in its period.
func (d *demand) enter(nowMS uint64, app [32]byte, known bool) {
	if p := nowMS / PeriodMS; p != d.period {
		recent := p == d.period+1
		if d.before = 0; recent {
			d.before = d.now
		}
		d.now, d.period = 0, p
		for had, n := range d.apps {
			n[1], n[0] = n[0], 0
			if !recent || n[1] == 0 {
				delete(d.apps, had)
			}
		}
	}
	d.now++
	n := d.apps[app]
	if n == nil {
		if !known || len(d.apps) >= maxDemand {
			return
		}
		if d.apps == nil {
			d.apps = map[[32]byte]*[2]uint32{}
		}
		n = new([2]uint32)
		d.apps[app] = n
	}
	n[0]++
}

// Ranked is a candidate's place in one match, beside the winner's.
type Ranked struct {
	AtMS      uint64 // 0 = none of the container's matches was ranked in full
	Place, Of uint32 // 1 is the winner; among those that passed all filters
	Ready     int    // 0 free slot and app, 1 app to be fetched, 2 no free slot, 3 neither
	Score     int64
	Parts     Parts
	Best      *Ranked // the winner's, without one of its own
}

// Parts are the five parts of a score; a demoted container's score is less than their sum.
type Parts struct{ Price, Latency, Quality, Idle, Stake int64 }

// Wire is the message that certificates and accounts carry.
func (p *Parts) Wire() *wire.ScoreParts {
	return &wire.ScoreParts{Price: p.Price, Latency: p.Latency, Quality: p.Quality, Idle: p.Idle, Stake: p.Stake}
}

// considered notes what a filter said of a candidate.
func (a *account) considered(t *Table, q *query, e *entry, why filter, d2 int64) {
	a.roll(t.demand.period)
	a.now.out[why]++
	switch why {
	case filterScore:
		a.now.bounds[boundScore].note(uint64(q.minScore), uint64(e.score))
	case filterLatency:
		mine := uint64(0)
		if d2 >= 0 {
			mine = (sqrt(uint64(d2)) + 999) / 1000
		}
		a.now.bounds[boundLatency].note(uint64(q.maxLatency), mine)
	case filterPrice:
		a.now.bounds[boundPrice].note(q.maxPrice, e.price)
	}
}

func (b *bound) note(asked, mine uint64) {
	if b.least == 0 || asked < b.least {
		b.least = asked
	}
	b.most, b.mine = max(b.most, asked), mine
}

// chosen notes who is in a certificate.
func (t *Table) chosen(top []found) {
	for i, c := range top {
		a := &c.e.account
		a.now.named++
		if i == 0 {
			a.now.first++
		}
	}
}

// mayRank says whether it is time to rank all candidates of a match: that takes many times as
// long as the match.
func (d *demand) mayRank(nowMS uint64) bool { return nowMS < d.ranked || nowMS-d.ranked >= d.pause }

// rankAll gives each candidate that passed its place.
func (t *Table) rankAll(nowMS uint64, q *query) {
	d := &t.demand
	d.ranked, d.pause = nowMS, max(rankEveryMS, uint64(len(d.ranks)))
	slices.SortFunc(d.ranks, func(a, b found) int {
		if a.before(b.rank) {
			return -1
		}
		return 1
	})
	var best *Ranked
	for i, c := range d.ranks {
		r := Ranked{AtMS: nowMS, Place: uint32(i + 1), Of: uint32(len(d.ranks)), Ready: c.ready, Score: c.points,
			Parts: c.e.split(nowMS, q.distance2(&c.e.facts))}
		if best == nil {
			first := r
			best = &first
		}
		r.Best = best
		c.e.account.ranked = r
	}
	clear(d.ranks)
	d.ranks = d.ranks[:0]
}

// Outs is how often a filter turned a container away, and the figures that it compared; these
// are 0 for a filter that compares none.
type Outs struct {
	Filter      string
	Times       uint32
	Mine        uint64 // the container's, the last time
	Least, Most uint64 // of what was asked for
}

// Wanted is an app that players asked for and a container neither has nor fetches.
type Wanted struct {
	App   [32]byte
	Asked uint32
}

// Account is what became of a container in the matches of the last one or two periods.
type Account struct {
	SinceMS uint64 // what was counted begins here
	// Held says that the table has an ad of the container. Without one ExpiresMS is when the
	// last one went, 0 if there was none that is remembered.
	Held             bool
	SeqMS, ExpiresMS uint64
	Asked            uint32 // requests since then, of all players
	Lacked           uint32 // of these, for apps that it neither has nor fetches
	Passed           uint32 // in which it passed all filters
	Named, First     uint32 // in which it was in the certificate, and at its top
	Outs             []Outs // most first
	Ranked           Ranked
	Wanted           []Wanted // most first
	Unproven         string   // why it may not be matched as far as the ledger says; "" if it may
}

// Account tells what became of a container at a time.
func (t *Table) Account(nowMS uint64, id peer.ID) Account {
	period := nowMS / PeriodMS
	out := Account{SinceMS: (max(period, 1) - 1) * PeriodMS}
	var a account // a copy: to ask changes nothing
	e, held := t.byID[id]
	switch left, known := t.gone.Peek(id); {
	case held:
		out.Held, out.SeqMS, out.ExpiresMS, a = true, e.seq, e.expires, e.account
		if e.standing == unread || e.standing == unproven {
			out.Unproven = e.whyUnproven()
		}
	case known:
		out.ExpiresMS, a = left.expires, left.account
	default:
		return out
	}
	a.roll(period)
	a.before.add(&a.now)
	all := &a.before
	considered := uint32(0)
	for f, n := range all.out {
		considered += n
		if filter(f) == passes || n == 0 {
			continue
		}
		o := Outs{Filter: filter(f).String(), Times: n}
		if i := boundOf(filter(f)); i >= 0 {
			b := &all.bounds[i]
			o.Mine, o.Least, o.Most = b.mine, b.least, b.most
		}
		out.Outs = append(out.Outs, o)
	}
	slices.SortStableFunc(out.Outs, func(a, b Outs) int { return cmp.Compare(b.Times, a.Times) })
	out.Passed, out.Named, out.First = all.out[passes], all.named, all.first
	if a.ranked.AtMS >= out.SinceMS {
		out.Ranked = a.ranked
	}
	if held { // who is away is asked for by nobody
		out.Asked = t.demand.since(period, &a)
		out.Lacked = out.Asked - min(considered, out.Asked)
		out.Wanted = t.wanted(period, e)
	} else {
		out.Asked = considered
	}
	return out
}

// boundOf is where a filter's figures are; -1 for one that compares none.
func boundOf(f filter) int {
	switch f {
	case filterScore:
		return boundScore
	case filterLatency:
		return boundLatency
	case filterPrice:
		return boundPrice
	}
	return -1
}

// add makes t the sum of an earlier tally and a later one.
func (t *tally) add(later *tally) {
	for f, n := range later.out {
		t.out[f] += n
	}
	t.named += later.named
	t.first += later.first
	for i := range later.bounds {
		b, l := &t.bounds[i], &later.bounds[i]
		if l.most == 0 {
			continue
		}
		if b.least == 0 || l.least < b.least {
			b.least = l.least
		}
		b.most, b.mine = max(b.most, l.most), l.mine
	}
}

// began notes when a container came: requests from before are none of its.
func (d *demand) began(a *account) { a.skip, a.skipped = [2]uint32{d.now, d.before}, d.period }

// goOn is began for a container that comes back: those of the time without it are none of its.
func (d *demand) goOn(a *account, asked uint32) {
	now := min(asked, d.now)
	d.began(a)
	a.skip[0] -= now
	a.skip[1] -= min(asked-now, d.before)
}

// since counts the requests of a period and the one before, without those from before the
// container of an account was there.
func (d *demand) since(period uint64, a *account) uint32 {
	now, before := d.now, d.before
	switch {
	case d.period+1 == period:
		now, before = 0, now
	case d.period != period:
		return 0
	}
	switch {
	case a.skipped == period:
		now, before = now-min(now, a.skip[0]), before-min(before, a.skip[1])
	case a.skipped+1 == period:
		before -= min(before, a.skip[0])
	}
	return now + before
}

// wanted are the apps asked for most of those that a container neither has nor fetches.
func (t *Table) wanted(period uint64, e *entry) (out []Wanted) {
	if e.fetches || t.demand.period+1 < period {
		return nil
	}
	for app, n := range t.demand.apps {
		asked := n[0] + n[1]
		if t.demand.period != period {
			asked = n[0]
		}
		if asked > 0 && !slices.Contains(e.apps, app) {
			out = append(out, Wanted{app, asked})
		}
	}
	slices.SortFunc(out, func(a, b Wanted) int {
		return cmp.Or(cmp.Compare(b.Asked, a.Asked), slices.Compare(a.App[:], b.App[:]))
	})
	return out[:min(len(out), MaxWanted)]
}

// Holder is a sealed ad of a container that has an app, by which its name can be told; nil
// where nobody has it any more.
func (t *Table) Holder(app [32]byte) []byte {
	if all := t.byApp[app]; len(all) > 0 {
		return all[0].sealed
	}
	return nil
}
