package match

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/framemesh/framemesh/p2p/wire"
)

// anyAd draws an ad that keeps the rules but is otherwise arbitrary, extremes too.
func anyAd(rt *rapid.T, id peer.ID, n int) *wire.Ad {
	label := func(s string) string { return fmt.Sprint(s, n) }
	total := rapid.Uint32Range(0, 3).Draw(rt, label("total"))
	ad := &wire.Ad{
		PeerId: []byte(id), Seq: now - 1000, ExpiresMs: now - 1000 + rapid.Uint64Range(502, MaxAdLifetimeMS).Draw(rt, label("life")),
		Region: rapid.SampledFrom([]string{"", "eu-west", "us-east"}).Draw(rt, label("region")), SlotsTotal: total,
		SlotsFree: rapid.Uint32Range(0, total).Draw(rt, label("free")), ScoreRpMilli: rapid.Uint32().Draw(rt, label("score")),
		PriceMicroUsdPerHour: rapid.OneOf(rapid.Uint64Range(0, 3), rapid.Uint64()).Draw(rt, label("price")),
		QualityPpm:           rapid.Uint32Range(0, million).Draw(rt, label("quality")), Stake: rapid.Uint64().Draw(rt, label("stake")),
		CoordinateUs: rapid.SliceOfN(rapid.OneOf(rapid.Int32Range(-9, 9), rapid.Int32()), 0, MaxCoordinates).Draw(rt, label("coordinate")),
		IdleSinceMs:  rapid.OneOf(rapid.Uint64Range(now-700_000, now+1000), rapid.Uint64()).Draw(rt, label("idle")),
		FetchesApps:  rapid.Bool().Draw(rt, label("fetches")),
	}
	for _, app := range [][32]byte{appA, appB} {
		if rapid.Bool().Draw(rt, label("holds")) {
			ad.Apps = append(ad.Apps, &wire.AppOffer{Sha256: app[:]})
		}
	}
	return ad
}

func anyRequest(rt *rapid.T, ids []peer.ID) *wire.MatchRequest {
	app := rapid.SampledFrom([][32]byte{appA, appB, {}}).Draw(rt, "app")
	req := &wire.MatchRequest{
		RequestId: rapid.SliceOfN(rapid.Byte(), RequestIDBytes, RequestIDBytes).Draw(rt, "request"), AppSha256: app[:],
		Region:          rapid.SampledFrom([]string{"", "eu-west"}).Draw(rt, "region"),
		MinScoreRpMilli: rapid.OneOf(rapid.Just[uint32](0), rapid.Uint32()).Draw(rt, "min score"),
		MaxLatencyMs:    rapid.OneOf(rapid.Just[uint32](0), rapid.Uint32()).Draw(rt, "max latency"), Wait: rapid.Bool().Draw(rt, "wait"),
		MaxPriceMicroUsdPerHour: rapid.OneOf(rapid.Just[uint64](0), rapid.Uint64()).Draw(rt, "max price"),
		CoordinateUs:            rapid.SliceOfN(rapid.Int32(), 0, MaxCoordinates).Draw(rt, "coordinate"),
	}
	if len(ids) > 0 && rapid.Bool().Draw(rt, "excludes") {
		req.Exclude = [][]byte{[]byte(ids[0])}
	}
	return req
}

// The outcome depends on the ads and the request alone: not on the order in which ads
// came, nor on what the table held before. It is the outcome of the plain definition
// (judge all, sort all), and its certificate holds.
func TestMatchIsTheDefinition(t *testing.T) {
	var pool []*container
	for n := range uint32(8) {
		pool = append(pool, newContainer(t, n))
	}
	indexer := newContainer(t, 100)
	rapid.Check(t, func(rt *rapid.T) {
		cs := pool[:rapid.IntRange(0, len(pool)).Draw(rt, "containers")]
		var ids []peer.ID
		for n, c := range cs {
			c.ad = anyAd(rt, c.id, n)
			ids = append(ids, c.id)
		}
		req := anyRequest(rt, ids)
		at := now + rapid.Uint64Range(0, 130_000).Draw(rt, "at")

		first := table(t, cs...)
		got, err := first.Match(at, req)

		// Another history: other order, an older ad of each before, a stranger that left.
		second := NewTable(0)
		stranger := newContainer(t, 50)
		mustPut(t, second, stranger.id, stranger.ad, stranger.sealed(t))
		for _, c := range rapid.Permutation(cs).Draw(rt, "order") {
			old := newContainer(t, 0, func(a *wire.Ad) { a.PeerId, a.Seq = []byte(c.id), now-2000; a.FetchesApps = !c.ad.GetFetchesApps() })
			mustPut(t, second, c.id, old.ad, []byte("old"))
			second.Root()
			mustPut(t, second, c.id, c.ad, c.sealed(t))
		}
		second.Remove(stranger.id)
		again, err2 := second.Match(at, req)

		want := define(at, req, cs)
		if (err == nil) != (len(want) > 0) || (err2 == nil) != (err == nil) {
			rt.Fatalf("%d pass by definition; got %v and %v", len(want), err, err2)
		}
		if err != nil {
			var none, none2 *NoMatch
			if !errors.As(err, &none) || !errors.As(err2, &none2) || len(none.Rejections) != len(cs) || !proto.Equal(none.Refusal(), none2.Refusal()) {
				rt.Fatalf("refusals differ: %v, %v", err, err2)
			}
			return
		}
		if len(got.Top) != min(MaxTop, len(want)) || got.Root != again.Root || len(got.Top) != len(again.Top) {
			rt.Fatalf("%d choices and %d, want %d of", len(got.Top), len(again.Top), len(want))
		}
		for i, choice := range got.Top {
			if string(choice.GetContainer()) != string(want[i]) || !proto.Equal(choice, again.Top[i]) {
				rt.Fatalf("choice %d: %v and %v, want %s", i, choice, again.Top[i], want[i])
			}
		}
		cert := got.Certificate(indexer.id, marshal(t, req), req.GetRequestId(), GenesisOf(testNet), []peer.ID{indexer.id})
		if _, err := Verify(sign(t, cert, indexer), testNet); err != nil {
			rt.Fatalf("an honest certificate does not hold: %v", err)
		}
	})
}

func mustPut(t testing.TB, tab *Table, id peer.ID, ad *wire.Ad, sealed []byte) {
	t.Helper()
	if err := tab.Put(now-500, id, ad, sealed); err != nil {
		t.Fatal(err)
	}
}

// define is the match in its plain form: all that pass, sorted.
func define(at uint64, req *wire.MatchRequest, cs []*container) []peer.ID {
	q := newQuery(req)
	var pass []rank
	for _, c := range cs {
		f := factsOf(c.ad)
		has := slices.Contains(appsOf(c.ad), q.app)
		d2 := q.distance2(&f)
		if q.judge(at, c.id, &f, has, d2) == passes {
			pass = append(pass, rank{readiness(&f, has), f.points(at, d2), c.id})
		}
	}
	slices.SortFunc(pass, func(a, b rank) int {
		if a.before(b) {
			return -1
		}
		return 1
	})
	var out []peer.ID
	for _, r := range pass {
		out = append(out, r.id)
	}
	return out
}

// Scores stay in their range whatever an ad claims.
func TestScoreIsTotal(t *testing.T) {
	id := newContainer(t, 0).id
	rapid.Check(t, func(rt *rapid.T) {
		f := factsOf(anyAd(rt, id, 0))
		q := newQuery(anyRequest(rt, nil))
		d2 := q.distance2(&f)
		if got := f.points(now, d2); got < 0 || got > 1_000_000_000 {
			rt.Fatalf("score %d", got)
		}
		if d2 > maxDistance*maxDistance {
			rt.Fatalf("distance² %d", d2)
		}
	})
}

// FuzzAd gives the table an arbitrary ad under a right signature: it is refused or it
// can be matched, and nothing breaks.
func FuzzAd(f *testing.F) {
	c := newContainer(f, 0)
	f.Add(marshal(f, c.ad), marshal(f, request()))
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, adBytes, reqBytes []byte) {
		var ad wire.Ad
		var req wire.MatchRequest
		if proto.Unmarshal(adBytes, &ad) != nil || proto.Unmarshal(reqBytes, &req) != nil {
			return
		}
		tab := NewTable(0)
		err := tab.Put(now, c.id, &ad, adBytes)
		if (err == nil) != (tab.Len() == 1) {
			t.Fatalf("%d ads after %v", tab.Len(), err)
		}
		res, err := tab.Match(now, &req)
		if err == nil && (len(res.Top) != 1 || res.Top[0].GetScore() < 0) {
			t.Fatalf("matched %v", res)
		}
		if err != nil && !errors.Is(err, ErrNoMatch) && !errors.Is(err, ErrRequest) {
			t.Fatal(err)
		}
	})
}
