package why

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/framemesh/framemesh/ledger/state"
)

// Matching tells in words why a container was or was not chosen, from what indexers say.
// registered says that it is in the registry, or that there is none.
func Matching(all []Account, registered bool) (out []Finding) {
	if len(all) == 0 {
		return []Finding{{About: AboutMatch, Code: "no_indexer",
			Text: "No indexer answered, so what became of it in matches is not known.",
			Next: "`framemesh doctor`; --peer with the address of an indexer of its region"}}
	}
	m := together(all)
	if m.held == 0 {
		return []Finding{m.missing(registered)}
	}
	if m.held < len(all) {
		out = append(out, Finding{About: AboutMatch, Code: "few_ads",
			Text: fmt.Sprintf("%d of the %d indexers that answered hold its ad; players whom the others serve do not find it.", m.held, len(all)),
			Next: "wait a minute; if it stays so, `framemesh doctor`: few peers pass its ads on"})
	}
	if m.Asked == 0 {
		return append(out, Finding{About: AboutMatch, Code: "no_players",
			Text: fmt.Sprintf("No player has asked for a game since %s, so nobody could be matched with it.", clock(m.SinceMS)),
			Next: "wait; its ad is where players will look"})
	}
	out = append(out, m.summary())
	considered := m.Asked - min(m.Lacked, m.Asked)
	for _, o := range m.Outs {
		if x, ok := m.filtered(o); ok {
			x.Bad = m.First == 0 && 2*o.Times >= considered
			out = append(out, x)
		}
	}
	if m.Lacked > 0 {
		out = append(out, m.lacked())
	}
	if m.Ranked != nil && m.Ranked.Place > 1 {
		out = append(out, m.ranked())
	}
	return out
}

// sums are the accounts of several indexers as one.
type sums struct {
	Account
	held int
}

func together(all []Account) sums {
	m := sums{Account: Account{SinceMS: all[0].SinceMS}}
	for _, a := range all {
		if a.Held {
			m.held++
		}
		m.SinceMS, m.NowMS = min(m.SinceMS, a.SinceMS), max(m.NowMS, a.NowMS)
		m.Asked, m.Lacked, m.Passed, m.Named, m.First = m.Asked+a.Asked, m.Lacked+a.Lacked, m.Passed+a.Passed, m.Named+a.Named, m.First+a.First
		if m.ExpiresMS < a.ExpiresMS {
			m.ExpiresMS = a.ExpiresMS
		}
		if a.Refused != "" && a.RefusedMS >= m.RefusedMS {
			m.Refused, m.RefusedMS = a.Refused, a.RefusedMS
		}
		if a.Unproven != "" {
			m.Unproven = a.Unproven
		}
		if a.Ranked != nil && (m.Ranked == nil || a.Ranked.AtMS > m.Ranked.AtMS) {
			m.Ranked, m.Best = a.Ranked, a.Best
		}
		for _, o := range a.Outs {
			m.out(o)
		}
		for _, w := range a.Wanted {
			if i := slices.IndexFunc(m.Wanted, func(x Wanted) bool { return x.App == w.App }); i >= 0 {
				m.Wanted[i].Asked += w.Asked
			} else {
				m.Wanted = append(m.Wanted, w)
			}
		}
	}
	slices.SortStableFunc(m.Outs, func(a, b Outs) int { return cmp.Compare(b.Times, a.Times) })
	slices.SortStableFunc(m.Wanted, func(a, b Wanted) int { return cmp.Compare(b.Asked, a.Asked) })
	return m
}

// out adds what one indexer says of a filter.
func (m *sums) out(o Outs) {
	i := slices.IndexFunc(m.Outs, func(x Outs) bool { return x.Filter == o.Filter })
	if i < 0 {
		m.Outs = append(m.Outs, o)
		return
	}
	x := &m.Outs[i]
	x.Times, x.Mine, x.Least, x.Most = x.Times+o.Times, max(x.Mine, o.Mine), min(x.Least, o.Least), max(x.Most, o.Most)
}

// missing is why no indexer has an ad.
func (m *sums) missing(registered bool) Finding {
	x := Finding{About: AboutMatch, Code: "no_ad", Bad: true, Text: "No indexer that answered holds an ad of it, so it is matched to nobody.",
		Next: "`framemesh run` with the role container and this key; an ad reaches indexers within a minute. If it runs: `framemesh doctor`"}
	switch {
	case !registered:
		x.Text += " Ads of containers that are not in the registry are passed on by nobody."
		x.Next = "`framemesh register`, `framemesh stake` and `framemesh delegate` first"
	case m.Refused != "":
		x.Code = "ad_refused"
		x.Text += fmt.Sprintf(" One refused its ad at %s: %s.", clock(m.RefusedMS), strings.TrimSuffix(m.Refused, "."))
		x.Next = "wait for its next ad, half a minute; if it is refused again, update framemesh and set the machine's clock"
	case m.ExpiresMS > 0:
		x.Text += fmt.Sprintf(" The last one ran out at %s.", clock(m.ExpiresMS))
	}
	return x
}

// summary counts what became of it.
func (m *sums) summary() Finding {
	considered := m.Asked - min(m.Lacked, m.Asked)
	x := Finding{About: AboutMatch, Code: "chosen",
		Text: fmt.Sprintf("Since %s players asked for a game %s, %s for one that it has. ", clock(m.SinceMS), times(m.Asked), of(considered, m.Asked))}
	switch {
	case m.Passed == 0:
		x.Text += "It passed all filters in none of these."
	case m.Named == 0:
		x.Text += fmt.Sprintf("It passed all filters in %d, and others were better.", m.Passed)
	default:
		x.Text += fmt.Sprintf("It passed all filters in %d, was among the three best in %d and the first choice in %d.", m.Passed, m.Named, m.First)
	}
	if m.First == 0 {
		x.Code, x.Next = "not_chosen", "what follows says what it was turned away for"
	}
	return x
}

// of writes a part of a whole.
func of(n, all uint32) string {
	switch n {
	case 0:
		return "never"
	case all:
		return "always"
	}
	return times(n)
}

// filtered tells why one filter turned it away; ok is false for one that this release does
// not know.
func (m *sums) filtered(o Outs) (x Finding, ok bool) {
	x.About = AboutMatch
	switch o.Filter {
	case "price":
		came := o.Times + m.Passed // price is the last filter
		x.Code = "price_high"
		x.Text = fmt.Sprintf("Its price of %s an hour was above what %d of %d players would pay: they set a limit of %s.", dollars(o.Mine), o.Times, came, span(o, dollars))
		x.Next = fmt.Sprintf("container.price_micro_usd_per_hour = %d would have suited all of them; then start the node again", o.Least)
		if o.Least < o.Most {
			x.Next = fmt.Sprintf("container.price_micro_usd_per_hour = %d would have suited all of them, %d some; then start the node again", o.Least, o.Most)
		}
	case "latency":
		x.Code = "latency_high"
		x.Text = fmt.Sprintf("It is %d ms from players who asked for at most %s: %s.", o.Mine, span(o, func(v uint64) string { return fmt.Sprintf("%d ms", v) }), times(o.Times))
		x.Next = "nothing for those who are far away; a wired connection, and `framemesh doctor` for what the line adds"
		if o.Mine == 0 {
			x.Code, x.Text = "latency_unknown", fmt.Sprintf("Players set a limit on latency %s, and how far it is from them is not known.", times(o.Times))
			x.Next = "nothing on your side: it is matched with players who set none"
		}
	case "score":
		x.Code = "score_low"
		x.Text = fmt.Sprintf("Games that need %s were asked for %s; it was measured at %s.", span(o, renderPoints), times(o.Times), renderPoints(o.Mine))
		x.Next = "nothing else on the machine while rounds run; `framemesh bench` says what it can show"
	case "region":
		x.Code = "other_region"
		x.Text = fmt.Sprintf("Players asked for another region than its own %s.", times(o.Times))
		x.Next = "region in its configuration, if that is not where it stands"
	case "slot":
		x.Code = "full"
		x.Text = fmt.Sprintf("All its slots were taken when players asked: %s.", times(o.Times))
		x.Next = "container.slots, if `framemesh bench` says that the machine holds more"
	case "unproven":
		x.Code = "not_proven"
		x.Text = fmt.Sprintf("It was turned away %s because no round had shown that it may stand by.", times(o.Times))
		if m.Unproven != "" {
			now, _, _ := strings.Cut(m.Unproven, ";")
			x.Text += " As an indexer reads the ledger now: " + strings.TrimSuffix(now, ".") + "."
		}
		x.Next = "keep `framemesh run` going: indexers see a new proof within seconds"
	case "excluded":
		x.Code = "failed_players"
		x.Text = fmt.Sprintf("Players whom it had just failed asked for others %s: it did not take their session, or they could not connect.", times(o.Times))
		x.Next = "`framemesh doctor`, for how it is reached from outside; its log says what went wrong"
	case "expired":
		x.Code = "ad_late"
		x.Text = fmt.Sprintf("Its ad had run out %s when players asked.", times(o.Times))
		x.Next = "set the machine's clock; `framemesh doctor`"
	default:
		return x, false
	}
	return x, true
}

// lacked are requests for games that it does not have.
func (m *sums) lacked() Finding {
	x := Finding{About: AboutMatch, Code: "other_games", Bad: m.Lacked >= m.Asked,
		Text: fmt.Sprintf("%d of %d requests were for games that it neither has nor fetches.", m.Lacked, m.Asked),
		Next: "container.fetch_apps = true, or `framemesh apps add` with the module"}
	var names []string
	for _, w := range m.Wanted[:min(len(m.Wanted), 3)] {
		name := w.App[:12]
		if w.Name != "" {
			name = w.Name
		}
		names = append(names, fmt.Sprintf("%s (%s)", name, times(w.Asked)))
	}
	if len(names) > 0 {
		x.Text += " Most asked for: " + strings.Join(names, ", ") + "."
	}
	return x
}

// ranked tells how far it was from the winner, and by what.
func (m *sums) ranked() Finding {
	r, b := m.Ranked, m.Best
	x := Finding{About: AboutMatch, Code: "outranked", Bad: m.First == 0,
		Text: fmt.Sprintf("At %s it took place %d of the %d that passed: %s of 1,000 points against %s of the winner (price %s against %s, latency %s against %s, quality %s against %s, idle time %s against %s, stake %s against %s).",
			clock(r.AtMS), r.Place, r.Of, points(r.Score), points(b.Score), points(r.Price), points(b.Price), points(r.Latency), points(b.Latency),
			points(r.Quality), points(b.Quality), points(r.Idle), points(b.Idle), points(r.Stake), points(b.Stake))}
	type gap struct {
		by   int64
		next string
	}
	widest := slices.MaxFunc([]gap{
		{b.Price - r.Price, "a lower container.price_micro_usd_per_hour"},
		{b.Latency - r.Latency, "nothing: the winner was nearer to that player"},
		{b.Quality - r.Quality, "`framemesh doctor`, and nothing else on the machine: better pictures in its sessions raise its quality"},
		{b.Idle - r.Idle, "wait: who has waited longer comes first among equals"},
		{b.Stake - r.Stake, "`framemesh stake`: up to 1,000 " + state.Symbol + " count"},
	}, func(a, b gap) int { return cmp.Compare(a.by, b.by) })
	sum := r.Price + r.Latency + r.Quality + r.Idle + r.Stake
	switch {
	case r.Ready > b.Ready && r.Ready >= 2:
		x.Text += " The winner had a free slot and it had none."
		x.Next = "container.slots, if `framemesh bench` says that the machine holds more"
	case r.Ready > b.Ready:
		x.Text += " The winner had the game already, which comes before all points."
		x.Next = "`framemesh apps add` with the games that are asked for, so that nothing has to be fetched"
	case r.Score < sum && b.Score-r.Score <= sum-r.Score:
		x.Text += " Offences took away what it lacked."
		x.Next = "nothing but time: stay clean"
	case widest.by > 0:
		x.Next = widest.next
	default:
		x.Next = "nothing: among equals the order of their ids decides"
	}
	return x
}

// clock writes a time of day.
func clock(ms uint64) string { return time.UnixMilli(int64(ms)).UTC().Format("15:04 MST") }

// points writes billionths as points of a thousand.
func points(v int64) string { return fmt.Sprint(v / 1_000_000) }

// dollars writes µUSD.
func dollars(micro uint64) string {
	if micro%10_000 == 0 {
		return fmt.Sprintf("%d.%02d $", micro/1_000_000, micro%1_000_000/10_000)
	}
	return fmt.Sprintf("%d.%s $", micro/1_000_000, strings.TrimRight(fmt.Sprintf("%06d", micro%1_000_000), "0"))
}

// renderPoints writes milli-RP, exactly.
func renderPoints(milli uint64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%d.%03d", milli/1000, milli%1000), "0"), ".") + " RP"
}

// span writes what was asked for, from the least to the most.
func span(o Outs, write func(uint64) string) string {
	if o.Least == o.Most {
		return write(o.Most)
	}
	return write(o.Least) + " to " + write(o.Most)
}
