package match

import (
	"fmt"
	"slices"

	"github.com/framemesh/framemesh/p2p/wire"
)

// Result is what a match found.
type Result struct {
	MadeMS     uint64 // the time that filters and scores used
	Root       [32]byte
	Candidates int            // ads under Root
	Top        []*wire.Choice // best first, 1 to MaxTop
}

// NoMatch is the error when nothing passes the filters; it is ErrNoMatch.
type NoMatch struct {
	Candidates int               // ads considered
	Rejections []*wire.Rejection // at most MaxRejections, those that came furthest first
	Counts     [filters]int      // candidates by the filter that they fail
}

// Error says how many failed which filter.
func (e *NoMatch) Error() string {
	s := fmt.Sprintf("%v: %d considered", ErrNoMatch, e.Candidates)
	for f := filterExpired; f < filters; f++ {
		if e.Counts[f] > 0 {
			s += fmt.Sprintf(", %d fail %s", e.Counts[f], f)
		}
	}
	return s
}

// Is makes errors.Is(err, ErrNoMatch) hold.
func (e *NoMatch) Is(target error) bool { return target == ErrNoMatch }

// Failed returns how many candidates failed a filter first, by the filter's name.
func (e *NoMatch) Failed(name string) int {
	if i := slices.Index(Filters, name); i >= 0 {
		return e.Counts[i+1]
	}
	return 0
}

// Refusal returns the message for the peer that asked.
func (e *NoMatch) Refusal() *wire.MatchRefusal {
	return &wire.MatchRefusal{Rejections: e.Rejections, Candidates: uint32(e.Candidates)}
}

// found is a candidate that passed, on its way to the top.
type found struct {
	rank
	e *entry
}

// Match finds the best containers for a request at a time. The error is ErrRequest
// or a *NoMatch.
func (t *Table) Match(nowMS uint64, req *wire.MatchRequest) (*Result, error) {
	if err := CheckRequest(req); err != nil {
		return nil, err
	}
	q := newQuery(req)
	var top [MaxTop]found
	n := 0
	t.pass++
	t.demand.enter(nowMS, q.app, len(t.byApp[q.app]) > 0)
	ranks := t.demand.mayRank(nowMS)
	look := func(e *entry, has bool) {
		e.seen = t.pass
		d2 := q.distance2(&e.facts)
		why := q.judge(nowMS, e.id, &e.facts, has, d2)
		e.account.considered(t, q, e, why, d2)
		if why != passes {
			return
		}
		c := found{rank{readiness(&e.facts, has), 0, e.id}, e}
		if ranks {
			c.points = e.points(nowMS, d2)
			t.demand.ranks = append(t.demand.ranks, c)
		}
		if n == MaxTop && c.ready > top[n-1].ready {
			return
		}
		c.points = e.points(nowMS, d2)
		if n == MaxTop && !c.before(top[n-1].rank) {
			return
		}
		n = min(n+1, MaxTop)
		i := n - 1
		for ; i > 0 && c.before(top[i-1].rank); i-- {
			top[i] = top[i-1]
		}
		top[i] = c
	}
	for _, e := range t.byApp[q.app] {
		look(e, true)
	}
	for _, e := range t.fetchers {
		if e.seen != t.pass {
			look(e, false)
		}
	}
	if n == 0 {
		return nil, t.noMatch(nowMS, q)
	}
	t.chosen(top[:n])
	if ranks {
		t.rankAll(nowMS, q)
	}
	r := &Result{MadeMS: nowMS, Root: t.Root(), Candidates: len(t.order)}
	for _, c := range top[:n] {
		r.Top = append(r.Top, t.choice(nowMS, q, c))
	}
	return r, nil
}

func (t *Table) choice(nowMS uint64, q *query, c found) *wire.Choice {
	leaf := t.position(c.id)
	out := &wire.Choice{
		Container: []byte(c.id), Score: c.points, Ad: c.e.sealed, Leaf: uint32(leaf), Path: t.tree.path(leaf),
		Parts: c.e.parts(nowMS, q.distance2(&c.e.facts)),
	}
	if c.e.read != nil {
		out.Measured = c.e.read.wire()
	}
	return out
}

// noMatch goes over all ads and says why each failed. Those that failed the last
// filters were nearest to a match and say most, so their reasons go out first.
func (t *Table) noMatch(nowMS uint64, q *query) *NoMatch {
	out := &NoMatch{Candidates: len(t.order)}
	var failed [filters][]*entry // by filter, the first MaxRejections by id
	for _, e := range t.order {
		why := q.judge(nowMS, e.id, &e.facts, slices.Contains(e.apps, q.app), q.distance2(&e.facts))
		out.Counts[why]++
		if len(failed[why]) < MaxRejections {
			failed[why] = append(failed[why], e)
		}
	}
	for why := filters - 1; why > passes; why-- {
		for _, e := range failed[why] {
			if len(out.Rejections) == MaxRejections {
				return out
			}
			out.Rejections = append(out.Rejections, &wire.Rejection{
				Container: []byte(e.id), Filter: why.String(),
				Reason: q.reason(why, nowMS, &e.facts, len(e.apps), q.distance2(&e.facts)),
			})
		}
	}
	return out
}
