package match

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/p2p/wire"
)

// market fills a table with n containers; share of them hold appA, the rest appB.
// Ads are not signed here: a table is given verified ads.
func market(b *testing.B, n int, share float64) (*Table, []*wire.Ad) {
	r := rand.New(rand.NewPCG(1, 2))
	tab := NewTable(n)
	ads := make([]*wire.Ad, n)
	for i := range ads {
		id := make([]byte, 38)
		binary.BigEndian.PutUint64(id, r.Uint64())
		app := appB
		if r.Float64() < share {
			app = appA
		}
		ads[i] = &wire.Ad{
			PeerId: id, Seq: now, ExpiresMs: now + 90_000, Region: "eu-west",
			Apps: []*wire.AppOffer{{Sha256: app[:]}, {Sha256: id[:32]}}, ScoreRpMilli: 500 + r.Uint32N(4000),
			SlotsTotal: 4, SlotsFree: r.Uint32N(5), PriceMicroUsdPerHour: r.Uint64N(1_000_000),
			QualityPpm: 900_000 + r.Uint32N(100_000), Stake: r.Uint64N(fullStake), IdleSinceMs: now - r.Uint64N(900_000),
			CoordinateUs: []int32{r.Int32N(100_000), r.Int32N(100_000), r.Int32N(20_000)},
		}
		if err := tab.Put(now, peer.ID(id), ads[i], make([]byte, 400)); err != nil {
			b.Fatal(err)
		}
	}
	return tab, ads
}

func benchRequest() *wire.MatchRequest {
	return request(func(r *wire.MatchRequest) { r.MaxLatencyMs, r.CoordinateUs = 60, []int32{50_000, 50_000, 10_000} })
}

// A match over 10,000 ads that all hold the app, the tree up to date.
func BenchmarkMatch10k(b *testing.B) {
	tab, _ := market(b, 10_000, 1)
	req := benchRequest()
	tab.Root()
	for b.Loop() {
		if _, err := tab.Match(now+1, req); err != nil {
			b.Fatal(err)
		}
	}
}

// The same with 33 new ads before each match: 10,000 containers at one ad per 30 s
// and ten matches per second. The time of taking the ads is in it.
func BenchmarkMatch10kBusy(b *testing.B) {
	tab, ads := market(b, 10_000, 1)
	req := benchRequest()
	sealed := make([]byte, 400)
	i := 0
	for b.Loop() {
		for range 33 {
			ad := ads[i%len(ads)]
			i++
			ad.Seq++
			if err := tab.Put(now, peer.ID(ad.PeerId), ad, sealed); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := tab.Match(now+1, req); err != nil {
			b.Fatal(err)
		}
	}
}

// One in a hundred of 10,000 containers holds the app.
func BenchmarkMatch10kRareApp(b *testing.B) {
	tab, _ := market(b, 10_000, 0.01)
	req := benchRequest()
	tab.Root()
	for b.Loop() {
		if _, err := tab.Match(now+1, req); err != nil {
			b.Fatal(err)
		}
	}
}

// Nothing matches among 10,000 ads: all reasons are found.
func BenchmarkNoMatch10k(b *testing.B) {
	tab, _ := market(b, 10_000, 1)
	req := request(func(r *wire.MatchRequest) { r.MinScoreRpMilli = 1 << 30 })
	for b.Loop() {
		if _, err := tab.Match(now+1, req); err == nil {
			b.Fatal("matched")
		}
	}
}

// The match right after a container came: the tree over 10,000 ads is built anew.
func BenchmarkRebuild10k(b *testing.B) {
	tab, _ := market(b, 10_000, 1)
	for b.Loop() {
		tab.tree = nil
		tab.Root()
	}
}

func BenchmarkVerify(b *testing.B) {
	indexer, _, cert := scene(b)
	sealed := sign(b, cert, indexer)
	b.ReportMetric(float64(len(sealed)), "bytes")
	for b.Loop() {
		if _, err := Verify(sealed, testNet); err != nil {
			b.Fatal(err)
		}
	}
}

// The same matches on a network with a ledger: nine of ten containers are proven, one of ten
// of those was demoted.
func measuredMarket(b *testing.B, n int) (*Table, []*wire.Ad) {
	free, ads := market(b, n, 1)
	tab := NewMeasuredTable(n)
	tab.Enter(7)
	for i, ad := range ads {
		id := peer.ID(ad.PeerId)
		if err := tab.Put(now, id, ad, make([]byte, 400)); err != nil {
			b.Fatal(err)
		}
		m := good(func(m *Measured) { m.RPMilli, m.QualityPPM = uint64(ad.ScoreRpMilli), ad.QualityPpm })
		switch {
		case i%10 == 0:
			m.ProvenUntil = 0
		case i%10 == 1:
			m.PriorityPPM = million / 2
		}
		tab.Measure(id, m)
	}
	if tab.Len() != free.Len() {
		b.Fatal("another market")
	}
	return tab, ads
}

func BenchmarkMeasuredMatch10k(b *testing.B) {
	tab, _ := measuredMarket(b, 10_000)
	req := benchRequest()
	tab.Root()
	for b.Loop() {
		if _, err := tab.Match(now+1, req); err != nil {
			b.Fatal(err)
		}
	}
}

// With 33 new ads and 11 figures of a new epoch before each match: 10,000 containers, ten
// matches per second and epochs of 90 s; the main network's have ten times as long.
func BenchmarkMeasuredMatch10kBusy(b *testing.B) {
	tab, ads := measuredMarket(b, 10_000)
	req := benchRequest()
	sealed := make([]byte, 400)
	i := 0
	height := good().Height
	for b.Loop() {
		for range 33 {
			ad := ads[i%len(ads)]
			i++
			ad.Seq++
			if err := tab.Put(now, peer.ID(ad.PeerId), ad, sealed); err != nil {
				b.Fatal(err)
			}
		}
		height++
		for j := range 11 {
			tab.Measure(peer.ID(ads[(i+j)%len(ads)].PeerId), good(func(m *Measured) { m.Height = height }))
		}
		if _, err := tab.Match(now+1, req); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkJudge: what every node pays for a certificate that is reported, beside reading the
// ledger's records.
func BenchmarkJudge(b *testing.B) {
	court := newCourt(b)
	c, _ := court.honestCertificate(b)
	sealed := court.sign(b, c)
	b.ReportMetric(float64(len(sealed)), "bytes")
	for b.Loop() {
		if _, err := court.judge(b, sealed); err == nil {
			b.Fatal("convicts")
		}
	}
}
