package match

import (
	"slices"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/p2p/wire"
)

// ask has the table match a request and returns who came first.
func ask(t *testing.T, tab *Table, at uint64, change ...func(*wire.MatchRequest)) peer.ID {
	t.Helper()
	r, err := tab.Match(at, request(change...))
	if err != nil {
		return ""
	}
	return peer.ID(r.Top[0].Container)
}

func TestAnAccountSaysWhatBecameOfAContainer(t *testing.T) {
	dear := newContainer(t, 1, func(a *wire.Ad) { a.PriceMicroUsdPerHour = 400_000 })
	cheap := newContainer(t, 2, func(a *wire.Ad) { a.PriceMicroUsdPerHour = 100_000 })
	other := newContainer(t, 3, func(a *wire.Ad) { a.Apps[0].Sha256 = appB[:] })
	tab := table(t, dear, cheap, other)
	for i, most := range []uint64{500_000, 300_000, 200_000} {
		if first := ask(t, tab, now+uint64(i), func(r *wire.MatchRequest) { r.MaxPriceMicroUsdPerHour = most }); first != cheap.id {
			t.Fatalf("%s is first, want the cheap one", first)
		}
	}
	ask(t, tab, now+10, func(r *wire.MatchRequest) { r.CoordinateUs = nil })                          // a limit, and nobody knows where
	ask(t, tab, now+11, func(r *wire.MatchRequest) { r.Exclude = [][]byte{[]byte(dear.id)} })         // it failed that player
	ask(t, tab, now+12, func(r *wire.MatchRequest) { r.AppSha256 = appB[:]; r.MaxLatencyMs = 1_000 }) // another app

	a := tab.Account(now+20, dear.id)
	if !a.Held || a.SeqMS != dear.ad.Seq || a.Asked != 6 || a.Lacked != 1 || a.Passed != 1 || a.Named != 1 || a.First != 0 || a.Unproven != "" {
		t.Errorf("the dear one's account is %+v", a)
	}
	want := []Outs{{"price", 2, 400_000, 200_000, 300_000}, {"excluded", 1, 0, 0, 0}, {"latency", 1, 0, 50, 50}}
	if !slices.Equal(a.Outs, want) {
		t.Errorf("it was turned away %+v, want %+v", a.Outs, want)
	}
	if !slices.Equal(a.Wanted, []Wanted{{appB, 1}}) {
		t.Errorf("wanted: %+v", a.Wanted)
	}
	r := a.Ranked
	if r.AtMS != now || r.Place != 2 || r.Of != 2 || r.Best.Place != 1 || r.Best.Parts.Price <= r.Parts.Price || r.Best.Score <= r.Score ||
		r.Score != r.Parts.Price+r.Parts.Latency+r.Parts.Quality+r.Parts.Idle+r.Parts.Stake {
		t.Errorf("ranked %+v, the winner %+v", r, r.Best)
	}
	if a := tab.Account(now+20, cheap.id); a.First != 4 || a.Named != 4 || a.Passed != 4 || a.Ranked.Place != 1 {
		t.Errorf("the cheap one's account is %+v", a)
	}
	if a := tab.Account(now+20, other.id); a.Asked != 6 || a.Lacked != 5 || a.First != 1 || !slices.Equal(a.Wanted, []Wanted{{appA, 5}}) {
		t.Errorf("the other one's account is %+v", a)
	}
	if a := tab.Account(now+20, "nobody"); a.Held || a.Asked != 0 || a.ExpiresMS != 0 {
		t.Errorf("a stranger's account is %+v", a)
	}
}

// What is counted is at most two periods old, and what was asked before a container came, or
// while it was away, is not held against it.
func TestAccountsForget(t *testing.T) {
	base := now - now%PeriodMS
	ad := func(c *container, at uint64) {
		c.ad.Seq, c.ad.ExpiresMs = at, at+100_000
	}
	early, late := newContainer(t, 1), newContainer(t, 2)
	tab := NewTable(0)
	put := func(c *container, at uint64) {
		t.Helper()
		ad(c, at)
		if err := tab.Put(at, c.id, c.ad, c.sealed(t)); err != nil {
			t.Fatal(err)
		}
	}
	put(early, base+1)
	for i := range uint64(5) {
		ask(t, tab, base+10+i)
	}
	put(late, base+20)
	ask(t, tab, base+30)
	if a, b := tab.Account(base+40, early.id), tab.Account(base+40, late.id); a.Asked != 6 || a.Lacked != 0 || b.Asked != 1 || b.Lacked != 0 || a.SinceMS != base-PeriodMS {
		t.Errorf("%+v and %+v", a, b)
	}
	// away, and back
	tab.Remove(late.id)
	if a := tab.Account(base+45, late.id); a.Held || a.ExpiresMS != base+20+100_000 || a.Asked != 1 {
		t.Errorf("while it is away: %+v", a)
	}
	ask(t, tab, base+50)
	ask(t, tab, base+51)
	put(late, base+60)
	ask(t, tab, base+70)
	if a := tab.Account(base+80, late.id); a.Asked != 2 || a.Lacked != 0 || a.Passed != 2 {
		t.Errorf("back again: %+v", a)
	}
	// the next period, and the one after it
	put(early, base+PeriodMS+1)
	ask(t, tab, base+PeriodMS+2)
	if a := tab.Account(base+PeriodMS+3, early.id); a.Asked != 10 || a.Passed != 10 || a.Lacked != 0 || a.SinceMS != base {
		t.Errorf("in the next period: %+v", a)
	}
	if a := tab.Account(base+2*PeriodMS+3, early.id); a.Asked != 1 || a.Passed != 1 || a.SinceMS != base+PeriodMS {
		t.Errorf("one later, without being asked: %+v", a)
	}
	if a := tab.Account(base+3*PeriodMS+3, early.id); a.Asked != 0 || a.Passed != 0 || a.Ranked.AtMS != 0 || len(a.Wanted) != 0 {
		t.Errorf("two later: %+v", a)
	}
}

// What an account says of filters is what each match said.
func TestAccountsAgreeWithRefusals(t *testing.T) {
	full := newContainer(t, 1, func(a *wire.Ad) { a.SlotsFree = 0 })
	slow := newContainer(t, 2, func(a *wire.Ad) { a.ScoreRpMilli = 10 })
	far := newContainer(t, 3, func(a *wire.Ad) { a.CoordinateUs = []int32{90_000, 0} })
	tab := table(t, full, slow, far)
	_, err := tab.Match(now, request())
	none, ok := err.(*NoMatch)
	if !ok {
		t.Fatalf("got %v, want no match", err)
	}
	for _, r := range none.Rejections {
		a := tab.Account(now+1, peer.ID(r.Container))
		if len(a.Outs) != 1 || a.Outs[0].Filter != r.Filter || a.Outs[0].Times != 1 || a.Passed != 0 {
			t.Errorf("%s: %+v", r.Filter, a)
		}
	}
	if o := tab.Account(now+1, slow.id).Outs[0]; o.Mine != 10 || o.Least != 1000 {
		t.Errorf("score: %+v", o)
	}
	if o := tab.Account(now+1, far.id).Outs[0]; o.Mine != 90 || o.Most != 50 {
		t.Errorf("latency: %+v", o)
	}
	unread := NewMeasuredTable(0)
	if err := unread.Put(now, far.id, far.ad, far.sealed(t)); err != nil {
		t.Fatal(err)
	}
	ask(t, unread, now)
	if a := unread.Account(now, far.id); a.Unproven == "" || a.Outs[0].Filter != "unproven" {
		t.Errorf("unmeasured: %+v", a)
	}
}

// Who asks for apps that nobody has fills no memory.
func TestDemandIsBounded(t *testing.T) {
	tab := table(t, newContainer(t, 1))
	for i := range 4 * maxDemand {
		ask(t, tab, now, func(r *wire.MatchRequest) { r.AppSha256 = []byte{30: byte(i >> 8), 31: byte(i)} })
	}
	ask(t, tab, now)
	if n := len(tab.demand.apps); n != 1 {
		t.Errorf("%d apps are counted, want the one that there is", n)
	}
}

// Every second one match ranks all that passed.
func BenchmarkMatch10kRanked(b *testing.B) {
	tab, _ := market(b, 10_000, 1)
	req := benchRequest()
	tab.Root()
	for b.Loop() {
		tab.demand.ranked = 0
		if _, err := tab.Match(now+1, req); err != nil {
			b.Fatal(err)
		}
	}
}
