package match

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/p2p/wire"
)

// One candidate that passes; each filter alone turns it away, with both figures.
func TestFilters(t *testing.T) {
	ad := func(f func(*wire.Ad)) func(*wire.Ad, *wire.MatchRequest) {
		return func(a *wire.Ad, _ *wire.MatchRequest) { f(a) }
	}
	req := func(f func(*wire.MatchRequest)) func(*wire.Ad, *wire.MatchRequest) {
		return func(_ *wire.Ad, r *wire.MatchRequest) { f(r) }
	}
	for _, tc := range []struct {
		name   string
		change func(*wire.Ad, *wire.MatchRequest)
		filter string   // "" = matches
		says   []string // in the reason
	}{
		{"passes", ad(func(*wire.Ad) {}), "", nil},
		{"expires now", ad(func(a *wire.Ad) { a.ExpiresMs = now }), "expired", []string{"0 ms ago"}},
		{"expires in 1 ms", ad(func(a *wire.Ad) { a.ExpiresMs = now + 1 }), "", nil},
		{"excluded", func(a *wire.Ad, r *wire.MatchRequest) { r.Exclude = [][]byte{{1}, a.PeerId} }, "excluded", nil},
		{"another excluded", req(func(r *wire.MatchRequest) { r.Exclude = [][]byte{{1}, {2}} }), "", nil},
		{"another region", req(func(r *wire.MatchRequest) { r.Region = "us-east" }), "region", []string{`"eu-west"`, `"us-east"`}},
		{"any region", req(func(r *wire.MatchRequest) { r.Region = "" }), "", nil},
		{"no free slot", ad(func(a *wire.Ad) { a.SlotsFree = 0 }), "slot", []string{"0 of its 2", "1 is needed"}},
		{"no free slot, but will wait", func(a *wire.Ad, r *wire.MatchRequest) { a.SlotsFree, r.Wait = 0, true }, "", nil},
		{"no slot at all, will wait", func(a *wire.Ad, r *wire.MatchRequest) { a.SlotsFree, a.SlotsTotal, r.Wait = 0, 0, true }, "slot", []string{"0 of its 0"}},
		{"lacks the app", req(func(r *wire.MatchRequest) { r.AppSha256 = appB[:] }), "app", []string{"bb000000", "1 apps"}},
		{"lacks the app, fetches", func(a *wire.Ad, r *wire.MatchRequest) { r.AppSha256, a.FetchesApps = appB[:], true }, "", nil},
		{"score one below", req(func(r *wire.MatchRequest) { r.MinScoreRpMilli = 1501 }), "score", []string{"1500", "1501"}},
		{"score equal", req(func(r *wire.MatchRequest) { r.MinScoreRpMilli = 1500 }), "", nil},
		{"too far", req(func(r *wire.MatchRequest) { r.MaxLatencyMs = 4 }), "latency", []string{"5 ms", "4 ms"}}, // 3-4-5
		{"far as allowed", req(func(r *wire.MatchRequest) { r.MaxLatencyMs = 5 }), "", nil},
		{"a µs too far", ad(func(a *wire.Ad) { a.CoordinateUs = []int32{50_001, 0} }), "latency", []string{"51 ms", "50 ms"}},
		{"place unknown, limit set", ad(func(a *wire.Ad) { a.CoordinateUs = nil }), "latency", []string{"not known", "50 ms"}},
		{"place unknown, no limit", func(a *wire.Ad, r *wire.MatchRequest) { a.CoordinateUs, r.MaxLatencyMs = nil, 0 }, "", nil},
		{"too dear", req(func(r *wire.MatchRequest) { r.MaxPriceMicroUsdPerHour = 249_999 }), "price", []string{"250000", "249999"}},
		{"dear as allowed", req(func(r *wire.MatchRequest) { r.MaxPriceMicroUsdPerHour = 250_000 }), "", nil},
		{"no ceiling", func(a *wire.Ad, r *wire.MatchRequest) { a.PriceMicroUsdPerHour, r.MaxPriceMicroUsdPerHour = 1<<64-1, 0 }, "", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := request()
			c := newContainer(t, 0, func(a *wire.Ad) { tc.change(a, r) })
			res, err := table(t, c).Match(now, r)
			if tc.filter == "" {
				if err != nil {
					t.Fatal(err)
				}
				if len(res.Top) != 1 || string(res.Top[0].GetContainer()) != string(c.id) {
					t.Fatalf("got %v", res.Top)
				}
				return
			}
			var none *NoMatch
			if !errors.Is(err, ErrNoMatch) || !errors.As(err, &none) {
				t.Fatalf("got %v, want ErrNoMatch", err)
			}
			if len(none.Rejections) != 1 || none.Rejections[0].GetFilter() != tc.filter || none.Failed(tc.filter) != 1 || none.Candidates != 1 {
				t.Fatalf("got %v, want filter %q", none, tc.filter)
			}
			for _, figure := range tc.says {
				if !strings.Contains(none.Rejections[0].GetReason(), figure) {
					t.Errorf("the reason %q lacks %q", none.Rejections[0].GetReason(), figure)
				}
			}
		})
	}
}

// What fails several filters reports the first in the documented order.
func TestFilterOrder(t *testing.T) {
	worst := func(a *wire.Ad) {
		a.ExpiresMs, a.Region, a.SlotsFree, a.Apps, a.ScoreRpMilli = now, "us-east", 0, nil, 0
		a.CoordinateUs, a.PriceMicroUsdPerHour = nil, 1<<40
	}
	figures := Measured{Height: 1, Epoch: 3, RPMilli: 999, PriorityPPM: million, ProvenUntil: 2}
	mend := []func(*wire.Ad, *wire.MatchRequest){
		func(a *wire.Ad, _ *wire.MatchRequest) { a.ExpiresMs = now + 1 },
		func(_ *wire.Ad, r *wire.MatchRequest) { r.Exclude = nil },
		func(a *wire.Ad, _ *wire.MatchRequest) { a.Region = "eu-west" },
		func(a *wire.Ad, _ *wire.MatchRequest) { a.SlotsFree = 1 },
		func(a *wire.Ad, _ *wire.MatchRequest) { a.FetchesApps = true },
		func(*wire.Ad, *wire.MatchRequest) { figures.ProvenUntil = 3 },
		func(*wire.Ad, *wire.MatchRequest) { figures.RPMilli = 1000 },
		func(a *wire.Ad, _ *wire.MatchRequest) { a.CoordinateUs = []int32{1} },
		func(a *wire.Ad, _ *wire.MatchRequest) { a.PriceMicroUsdPerHour = 0 },
	}
	c := newContainer(t, 0, worst)
	r := request(func(r *wire.MatchRequest) { r.Exclude = [][]byte{c.ad.PeerId} })
	measured := func() *Table {
		tab := NewMeasuredTable(0)
		mustPut(t, tab, c.id, c.ad, c.sealed(t))
		tab.Measure(c.id, figures)
		return tab
	}
	for i, want := range Filters {
		_, err := measured().Match(now, r)
		var none *NoMatch
		if !errors.As(err, &none) || none.Rejections[0].GetFilter() != want {
			t.Fatalf("after %d repairs: got %v, want %q", i, err, want)
		}
		mend[i](c.ad, r)
	}
	if _, err := measured().Match(now, r); err != nil {
		t.Errorf("all repaired: %v", err)
	}
}

// Each part of the score decides when the rest is equal.
func TestScoreDecides(t *testing.T) {
	for _, tc := range []struct {
		name   string
		better func(*wire.Ad)
	}{
		{"cheaper", func(a *wire.Ad) { a.PriceMicroUsdPerHour -= 1000 }},
		{"nearer", func(a *wire.Ad) { a.CoordinateUs[0] -= 1000 }},
		{"better record", func(a *wire.Ad) { a.QualityPpm += 1000 }},
		{"idle for longer", func(a *wire.Ad) { a.IdleSinceMs -= 1000 }},
		{"more stake", func(a *wire.Ad) { a.Stake += 1_000_000 }},
		{"holds the app", func(a *wire.Ad) { a.Apps = []*wire.AppOffer{{Sha256: appA[:]}} }},
	} {
		for _, n := range []uint32{0, 1} { // whichever has the smaller id
			cs := []*container{newContainer(t, 0), newContainer(t, 1)}
			for _, c := range cs {
				c.ad.QualityPpm, c.ad.FetchesApps, c.ad.PriceMicroUsdPerHour = 900_000, true, 200_000
				if tc.name == "holds the app" {
					c.ad.Apps = nil
					c.ad.PriceMicroUsdPerHour += uint64(n * 1000)
				}
			}
			tc.better(cs[n].ad)
			res, err := table(t, cs...).Match(now, request())
			if err != nil {
				t.Fatal(err)
			}
			if len(res.Top) != 2 || string(res.Top[0].GetContainer()) != string(cs[n].id) {
				t.Errorf("%s: container %d is not first: %v", tc.name, n, res.Top)
			}
		}
	}
}

func TestTiesGoById(t *testing.T) {
	var cs []*container
	for n := range uint32(5) {
		cs = append(cs, newContainer(t, n))
	}
	res, err := table(t, cs...).Match(now, request())
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Top) != MaxTop {
		t.Fatalf("%d choices", len(res.Top))
	}
	for i := 1; i < len(res.Top); i++ {
		if bytes.Compare(res.Top[i-1].GetContainer(), res.Top[i].GetContainer()) >= 0 {
			t.Errorf("choices %d and %d are not in the order of their ids", i-1, i)
		}
	}
	first := cs[0].id
	for _, c := range cs {
		first = min(first, c.id)
	}
	if string(res.Top[0].GetContainer()) != string(first) {
		t.Error("the smallest id is not first")
	}
}

// Who waits still gets a free slot where there is one.
func TestWaitingPrefersFreeSlots(t *testing.T) {
	full := newContainer(t, 0, func(a *wire.Ad) { a.SlotsFree, a.PriceMicroUsdPerHour = 0, 1 })
	free := newContainer(t, 1)
	res, err := table(t, full, free).Match(now, request(func(r *wire.MatchRequest) { r.Wait = true }))
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Top) != 2 || string(res.Top[0].GetContainer()) != string(free.id) || res.Top[0].GetScore() >= res.Top[1].GetScore() {
		t.Errorf("got %v", res.Top)
	}
}

func TestScoreBounds(t *testing.T) {
	best := factsOf(&wire.Ad{QualityPpm: million, Stake: 1<<64 - 1})
	if got := best.points(now, 0); got != 1_000_000_000 {
		t.Errorf("the best possible score is %d", got)
	}
	worst := factsOf(&wire.Ad{PriceMicroUsdPerHour: 1<<64 - 1, IdleSinceMs: 1<<64 - 1})
	if got := worst.points(now, -1); got < 0 || got > 1_000_000 {
		t.Errorf("the worst possible score is %d", got)
	}
	whale, capped := factsOf(&wire.Ad{Stake: 1000 * fullStake}), factsOf(&wire.Ad{Stake: fullStake})
	if whale.points(now, -1) != capped.points(now, -1) {
		t.Error("stake beyond the cap buys something")
	}
}

func TestSqrt(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	check := func(n uint64) {
		x := sqrt(n)
		if x > 1<<32-1 || x*x > n || (x < 1<<32-1 && (x+1)*(x+1) <= n) {
			t.Errorf("sqrt(%d) = %d", n, x)
		}
	}
	for n := range uint64(1000) {
		check(n)
	}
	for range 10_000 {
		n := r.Uint64() >> r.IntN(64)
		check(n)
		root := n >> 33
		check(root * root)
		check(root*root + 1)
		check(max(root*root, 1) - 1)
	}
	check(1<<64 - 1)
}

func TestPutRules(t *testing.T) {
	c := newContainer(t, 0)
	tab := table(t, c)
	put := func(c *container) error { return tab.Put(now, c.id, c.ad, c.sealed(t)) }
	if err := put(c); !errors.Is(err, ErrStale) {
		t.Errorf("the same ad again: %v", err)
	}
	c.ad.Seq++
	if err := put(c); err != nil {
		t.Errorf("a newer ad: %v", err)
	}
	if tab.Len() != 1 {
		t.Errorf("%d containers", tab.Len())
	}
	for name, change := range map[string]func(*wire.Ad){
		"another's id":         func(a *wire.Ad) { a.PeerId = []byte(newContainer(t, 9).id) },
		"no id":                func(a *wire.Ad) { a.PeerId = nil },
		"already expired":      func(a *wire.Ad) { a.Seq, a.ExpiresMs = now-90_000, now },
		"lives too long":       func(a *wire.Ad) { a.ExpiresMs = a.Seq + MaxAdLifetimeMS + 1 },
		"expires before made":  func(a *wire.Ad) { a.ExpiresMs = a.Seq },
		"more free than all":   func(a *wire.Ad) { a.SlotsFree = 3 },
		"too many apps":        func(a *wire.Ad) { a.Apps = make([]*wire.AppOffer, MaxApps+1) },
		"short hash":           func(a *wire.Ad) { a.Apps = []*wire.AppOffer{{Sha256: []byte{1}}} },
		"an app twice":         func(a *wire.Ad) { a.Apps = append(a.Apps, a.Apps[0]) },
		"too many encoders":    func(a *wire.Ad) { a.Encoders = make([]string, MaxEncoders+1) },
		"too many coordinates": func(a *wire.Ad) { a.CoordinateUs = make([]int32, MaxCoordinates+1) },
		"too many addresses":   func(a *wire.Ad) { a.Addrs = make([][]byte, MaxAddrs+1) },
		"quality beyond all":   func(a *wire.Ad) { a.QualityPpm = million + 1 },
		"long region":          func(a *wire.Ad) { a.Region = strings.Repeat("x", maxText+1) },
	} {
		bad := newContainer(t, 1, change)
		if err := put(bad); !errors.Is(err, ErrAd) {
			t.Errorf("%s: got %v, want ErrAd", name, err)
		}
	}
	if err := tab.Put(now, c.id, newContainer(t, 0, func(a *wire.Ad) { a.Seq++; a.Seq++ }).ad, make([]byte, MaxAdBytes+1)); !errors.Is(err, ErrAd) {
		t.Errorf("sealed ad over the limit: %v", err)
	}
	small := NewTable(1)
	if err := small.Put(now, c.id, c.ad, c.sealed(t)); err != nil {
		t.Fatal(err)
	}
	other := newContainer(t, 1)
	if err := small.Put(now, other.id, other.ad, other.sealed(t)); !errors.Is(err, ErrFull) {
		t.Errorf("a container too many: %v", err)
	}
	c.ad.Seq++
	if err := small.Put(now, c.id, c.ad, c.sealed(t)); err != nil {
		t.Errorf("a known container in a full table: %v", err)
	}
}

// A new ad replaces the old one in every index.
func TestUpdateAndExpire(t *testing.T) {
	c := newContainer(t, 0, func(a *wire.Ad) { a.FetchesApps = true })
	tab := table(t, c)
	c.ad.Apps, c.ad.FetchesApps, c.ad.Seq = []*wire.AppOffer{{Sha256: appB[:]}}, false, now
	if err := tab.Put(now, c.id, c.ad, c.sealed(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := tab.Match(now, request()); !errors.Is(err, ErrNoMatch) {
		t.Errorf("still offers the old app: %v", err)
	}
	res, err := tab.Match(now, request(func(r *wire.MatchRequest) { r.AppSha256 = appB[:] }))
	if err != nil || !bytes.Equal(res.Top[0].GetAd(), c.sealed(t)) {
		t.Errorf("does not offer the new app: %v", err)
	}
	if n := tab.Expire(c.ad.ExpiresMs - 1); n != 0 {
		t.Errorf("%d expired too early", n)
	}
	if n := tab.Expire(c.ad.ExpiresMs); n != 1 || tab.Len() != 0 {
		t.Errorf("%d expired, %d left", n, tab.Len())
	}
	if len(tab.byApp) != 0 || len(tab.fetchers) != 0 || len(tab.byID) != 0 || tab.Sealed(c.id) != nil {
		t.Error("something of an expired ad is left")
	}
	if _, err := tab.Match(now, request()); !errors.Is(err, ErrNoMatch) {
		t.Errorf("empty table: %v", err)
	}
}

func TestRejectionsAreBounded(t *testing.T) {
	var cs []*container
	for n := range uint32(MaxRejections + 8) {
		cs = append(cs, newContainer(t, n, func(a *wire.Ad) {
			if n != 3 {
				a.Apps = nil
			} else {
				a.PriceMicroUsdPerHour = 1 << 30
			}
		}))
	}
	_, err := table(t, cs...).Match(now, request())
	var none *NoMatch
	if !errors.As(err, &none) {
		t.Fatal(err)
	}
	if len(none.Rejections) != MaxRejections || none.Rejections[0].GetFilter() != "price" || none.Failed("app") != MaxRejections+7 {
		t.Errorf("%d reasons, the first for %q", len(none.Rejections), none.Rejections[0].GetFilter())
	}
	if size := proto.Size(none.Refusal()); size > 16<<10 {
		t.Errorf("a refusal of %d bytes does not fit an answer", size)
	}
}

func TestBadRequests(t *testing.T) {
	tab := table(t, newContainer(t, 0))
	for name, change := range map[string]func(*wire.MatchRequest){
		"no id":                func(r *wire.MatchRequest) { r.RequestId = nil },
		"short app":            func(r *wire.MatchRequest) { r.AppSha256 = r.AppSha256[:31] },
		"short key":            func(r *wire.MatchRequest) { r.Player = []byte{1} },
		"too many excluded":    func(r *wire.MatchRequest) { r.Exclude = make([][]byte, MaxExclude+1) },
		"long excluded":        func(r *wire.MatchRequest) { r.Exclude = [][]byte{make([]byte, maxPeerID+1)} },
		"too many coordinates": func(r *wire.MatchRequest) { r.CoordinateUs = make([]int32, 5) },
		"long region":          func(r *wire.MatchRequest) { r.Region = strings.Repeat("x", maxText+1) },
	} {
		if _, err := tab.Match(now, request(change)); !errors.Is(err, ErrRequest) {
			t.Errorf("%s: got %v, want ErrRequest", name, err)
		}
	}
}

func TestDraw(t *testing.T) {
	var ids []peer.ID
	for n := range uint32(20) {
		ids = append(ids, newContainer(t, n).id)
	}
	req := bytes.Repeat([]byte{1}, RequestIDBytes)
	got := Draw(GenesisOf("a"), req, ids, 3)
	if len(got) != 3 {
		t.Fatalf("drew %d", len(got))
	}
	shuffled := append([]peer.ID(nil), ids...)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(ids), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	again := Draw(GenesisOf("a"), req, append(shuffled, ids...), 3)
	if len(again) != 3 || again[0] != got[0] || again[1] != got[1] || again[2] != got[2] {
		t.Errorf("the order of the indexers matters: %v, %v", got, again)
	}
	if n := len(Draw(Genesis{}, req, ids[:2], 3)); n != 2 {
		t.Errorf("drew %d of 2", n)
	}
	if n := len(Draw(Genesis{}, req, nil, 3)); n != 0 {
		t.Errorf("drew %d of none", n)
	}
	// Over many requests each indexer is first about as often as any other.
	first := map[peer.ID]int{}
	for i := range 20_000 {
		req[0], req[1] = byte(i), byte(i>>8)
		first[Draw(GenesisOf("a"), req, ids, 1)[0]]++
	}
	for _, id := range ids {
		if first[id] < 800 || first[id] > 1200 { // 1000 ± 6 standard deviations
			t.Errorf("%s was first %d times of 20000", id, first[id])
		}
	}
}
