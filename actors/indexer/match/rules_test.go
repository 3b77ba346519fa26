package match

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/p2p/seal"
	"github.com/framemesh/framemesh/p2p/wire"
)

// chronicle is a ledger that remembers everything: ten blocks make an epoch, and figures
// follow from container and block.
type chronicle struct {
	head     uint64 // the block that judges
	indexers map[key.Node]bool
}

const chronicleBlocks = 10 // of an epoch

var _ proof.Facts = chronicle{}

func chronicleEpoch(height uint64) uint64 { return height / chronicleBlocks }

func chronicleSeed(epoch uint64) (s [32]byte) {
	binary.BigEndian.PutUint64(s[:], epoch+1)
	return s
}

// says is what is measured of a container after a block: nothing of some, and else something
// else in every second block.
func (chronicle) says(n key.Node, height uint64) (f proof.Figures) {
	if n[0]%5 == 0 {
		return f
	}
	v := uint64(n[1]) + height/2
	return proof.Figures{RPMilli: 1000 + v, QualityPPM: uint32(900_000 + v%1000), PriorityPPM: uint32(million - v%3*1000), ProvenUntil: chronicleEpoch(height) + v%2}
}

func (c chronicle) measured(id peer.ID, height uint64) Measured {
	n, err := key.NodeOf(id)
	if err != nil {
		panic(err) // containers of tests have keys
	}
	f := c.says(n, height)
	return Measured{Height: height, Epoch: chronicleEpoch(height), RPMilli: f.RPMilli, QualityPPM: f.QualityPPM, PriorityPPM: f.PriorityPPM, ProvenUntil: f.ProvenUntil}
}

func answer(right bool) proof.Answer {
	if right {
		return proof.Right
	}
	return proof.Wrong
}

// Beacon implements proof.Facts.
func (c chronicle) Beacon(s [32]byte) (uint64, bool) {
	for e := range chronicleEpoch(c.head) + 1 {
		if chronicleSeed(e) == s {
			return e, true
		}
	}
	return 0, false
}

// Block implements proof.Facts.
func (c chronicle) Block(height, epoch uint64) proof.Answer {
	return answer(height < c.head && chronicleEpoch(height) == epoch)
}

// Figures implements proof.Facts.
func (c chronicle) Figures(n key.Node, height uint64, f proof.Figures) proof.Answer {
	return answer(c.says(n, height) == f)
}

// Indexer implements proof.Facts.
func (c chronicle) Indexer(n key.Node, _ uint64) proof.Answer { return answer(c.indexers[n]) }

// court is a ledger that judges certificates of some indexers.
type court struct {
	chronicle
	by     *container
	others []peer.ID
}

func newCourt(t testing.TB) court {
	c := court{chronicle{head: 95, indexers: map[key.Node]bool{}}, newContainer(t, 1000), nil}
	for n := range uint32(4) {
		c.others = append(c.others, newContainer(t, 1001+n).id)
	}
	for _, id := range append([]peer.ID{c.by.id}, c.others...) {
		n, err := key.NodeOf(id)
		if err != nil {
			t.Fatal(err)
		}
		c.indexers[n] = true
	}
	return c
}

// judge reports a certificate under the epoch that it is of.
func (c court) judge(t testing.TB, sealed []byte) (proof.Conviction, error) {
	t.Helper()
	rules := proof.Rules{Chain: testNet, Matcher: Rules{}, Facts: c.chronicle}
	op, err := rules.ReportMatch(sealed)
	if err != nil {
		return proof.Conviction{}, err
	}
	v, err := proof.Check(rules, op)
	if me, _ := key.NodeOf(c.by.id); err == nil && (v.Guilty != me || v.Epoch != op.GetEpoch()) {
		t.Fatalf("convicts %s in epoch %d", v.Guilty, v.Epoch)
	}
	return v, err
}

func (c court) sign(t testing.TB, cert *wire.Certificate) []byte {
	t.Helper()
	sealed, err := Sign(cert, testNet, c.by.key)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// Whatever containers and players say, however old what the indexer read is, and whichever
// epoch it thinks it is: who matches by the rules is never convicted.
func TestHonestMatchesNeverConvict(t *testing.T) {
	c := newCourt(t)
	var pool []*container
	for n := range uint32(8) {
		pool = append(pool, newContainer(t, n))
	}
	matched := 0
	rapid.Check(t, func(rt *rapid.T) {
		tab := NewMeasuredTable(0)
		epoch := rapid.Uint64Range(1, chronicleEpoch(c.head)).Draw(rt, "epoch of the table")
		tab.Enter(epoch)
		var ids []peer.ID
		for n, one := range pool[:rapid.IntRange(1, len(pool)).Draw(rt, "containers")] {
			one.ad = anyAd(rt, one.id, n)
			ids = append(ids, one.id)
			mustPut(t, tab, one.id, one.ad, one.sealed(t))
			for range rapid.IntRange(1, 3).Draw(rt, "reads") {
				tab.Measure(one.id, c.measured(one.id, rapid.Uint64Range(max(1, (epoch-1)*chronicleBlocks), c.head-1).Draw(rt, "block")))
			}
		}
		req := anyRequest(rt, ids)
		if rapid.IntRange(0, 3).Draw(rt, "asks for much") > 0 {
			req.Region, req.MinScoreRpMilli, req.MaxLatencyMs, req.MaxPriceMicroUsdPerHour, req.Exclude = "", 0, 0, 0, nil
			req.AppSha256, req.Wait = appA[:], true
		}
		r, err := tab.Match(now+rapid.OneOf(rapid.Uint64Range(0, 500), rapid.Uint64Range(0, 130_000)).Draw(rt, "at"), req)
		if err != nil {
			return
		}
		matched++
		beacon := chronicleSeed(rapid.Uint64Range(0, chronicleEpoch(c.head)).Draw(rt, "epoch of the beacon"))
		knows := append([]peer.ID{c.by.id}, c.others[:rapid.IntRange(0, len(c.others)).Draw(rt, "indexers")]...)
		sealed := c.sign(t, r.Certificate(c.by.id, marshal(t, req), req.GetRequestId(), beacon, knows))
		if v, err := c.judge(t, sealed); !errors.Is(err, proof.ErrInnocent) {
			rt.Fatalf("%+v, %v", v, err)
		}
	})
	if matched == 0 {
		t.Errorf("no request had a match: nothing was judged")
	}
}

// honestCertificate has three choices of five, all with figures.
func (c court) honestCertificate(t testing.TB) (*wire.Certificate, *Table) {
	t.Helper()
	tab := NewMeasuredTable(0)
	tab.Enter(9)
	for n, held := uint32(0), 0; held < 5; n++ {
		one := newContainer(t, n, func(ad *wire.Ad) { ad.PriceMicroUsdPerHour += uint64(n) * 1000 })
		m := c.measured(one.id, 91)
		if !m.Proven() {
			continue
		}
		held++
		mustPut(t, tab, one.id, one.ad, one.sealed(t))
		if !tab.Measure(one.id, m) {
			t.Fatal("not measured")
		}
	}
	req := request()
	r, err := tab.Match(now, req)
	if err != nil || len(r.Top) != MaxTop {
		t.Fatal(err)
	}
	return r.Certificate(c.by.id, marshal(t, req), req.GetRequestId(), chronicleSeed(9), append([]peer.ID{c.by.id}, c.others...)), tab
}

// regrow puts the choices, as they are, under a root of their own.
func regrow(c *wire.Certificate) {
	var leaves []hash
	for _, one := range c.Top {
		leaves = append(leaves, leafOf(one.Ad, measuredOf(one.Measured)))
	}
	tree := newTree(leaves)
	root := tree.root()
	c.CandidateRoot, c.Candidates = root[:], uint32(len(leaves))
	for i, one := range c.Top {
		one.Leaf, one.Path = uint32(i), tree.path(i)
	}
}

// rescore makes scores and order follow from what stands in the choices.
func rescore(t testing.TB, c *wire.Certificate) {
	t.Helper()
	req, err := Request(c)
	if err != nil {
		t.Fatal(err)
	}
	q := newQuery(req)
	ranks := map[*wire.Choice]rank{}
	for _, one := range c.Top {
		var ad wire.Ad
		id, err := seal.Open(testNet, seal.TypeAd, one.Ad, MaxAdBytes, &ad)
		if err != nil {
			continue
		}
		f := factsOf(&ad)
		if m := measuredOf(one.Measured); m != nil {
			f.measure(m)
		}
		d2 := q.distance2(&f)
		one.Parts, one.Score = f.parts(c.MadeMs, d2), f.points(c.MadeMs, d2)
		ranks[one] = rank{readiness(&f, true), one.Score, id}
	}
	slices.SortStableFunc(c.Top, func(a, b *wire.Choice) int {
		if ranks[a].before(ranks[b]) {
			return -1
		}
		return 1
	})
}

func TestEachLieOfAnIndexerConvicts(t *testing.T) {
	court := newCourt(t)
	// better is what a friend gets who is to be first: all follows from it, but it is not so.
	better := func(c *wire.Certificate, change func(*wire.Measured)) {
		change(c.Top[2].Measured)
		rescore(t, c)
		regrow(c)
	}
	for name, one := range map[string]struct {
		lie  func(c *wire.Certificate)
		want economics.Offence
	}{
		"prefers a friend":        {func(c *wire.Certificate) { c.Top[0], c.Top[2] = c.Top[2], c.Top[0] }, economics.OffenceMatch},
		"one twice":               {func(c *wire.Certificate) { c.Top[1] = c.Top[0] }, economics.OffenceMatch},
		"a score too high":        {func(c *wire.Certificate) { c.Top[1].Score++ }, economics.OffenceMatch},
		"parts of its own":        {func(c *wire.Certificate) { c.Top[1].Parts.Idle++ }, economics.OffenceMatch},
		"another time":            {func(c *wire.Certificate) { c.MadeMs -= 10_000 }, economics.OffenceMatch},
		"an ad that was over":     {func(c *wire.Certificate) { c.MadeMs += MaxAdLifetimeMS; rescore(t, c) }, economics.OffenceMatch},
		"a path to nowhere":       {func(c *wire.Certificate) { c.Top[0].Path[0][3]++ }, economics.OffenceMatch},
		"no path":                 {func(c *wire.Certificate) { c.Top[0].Path = nil }, economics.OffenceMatch},
		"a leaf out of range":     {func(c *wire.Certificate) { c.Top[0].Leaf = c.Candidates }, economics.OffenceMatch},
		"another root":            {func(c *wire.Certificate) { c.CandidateRoot[0]++ }, economics.OffenceMatch},
		"a short root":            {func(c *wire.Certificate) { c.CandidateRoot = c.CandidateRoot[:31] }, economics.OffenceMatch},
		"fewer candidates":        {func(c *wire.Certificate) { c.Candidates = 1 }, economics.OffenceMatch},
		"no choice":               {func(c *wire.Certificate) { c.Top = nil }, economics.OffenceMatch},
		"four choices":            {func(c *wire.Certificate) { c.Top = append(c.Top, c.Top[0]) }, economics.OffenceMatch},
		"a draw out of order":     {func(c *wire.Certificate) { c.Drawn[0], c.Drawn[1] = c.Drawn[1], c.Drawn[0] }, economics.OffenceMatch},
		"four drawn":              {func(c *wire.Certificate) { c.Drawn = append(c.Drawn, c.Drawn[0]) }, economics.OffenceMatch},
		"another request":         {func(c *wire.Certificate) { c.Request = []byte("no request") }, economics.OffenceMatch},
		"another's container":     {func(c *wire.Certificate) { c.Top[0].Container = c.Top[1].Container }, economics.OffenceMatch},
		"another's name":          {func(c *wire.Certificate) { c.Indexer = c.Drawn[1] }, economics.OffenceMatch},
		"no beacon":               {func(c *wire.Certificate) { c.Beacon = nil }, economics.OffenceMatch},
		"a beacon of nobody":      {func(c *wire.Certificate) { c.Beacon[31]++; c.Drawn = nil }, economics.OffenceMatch},
		"drew who is no indexer":  {func(c *wire.Certificate) { c.Drawn = [][]byte{c.Top[0].Container} }, economics.OffenceMatch},
		"drew nothing at all":     {func(c *wire.Certificate) { c.Drawn = [][]byte{[]byte("nobody")} }, economics.OffenceMatch},
		"only claims":             {func(c *wire.Certificate) { c.Top = c.Top[:1]; c.Top[0].Measured = nil; rescore(t, c); regrow(c) }, economics.OffenceMatch},
		"figures without a block": {func(c *wire.Certificate) { c.Top[0].Measured.Height = 0; regrow(c) }, economics.OffenceCandidates},
		"a better quality":        {func(c *wire.Certificate) { better(c, func(m *wire.Measured) { m.QualityPpm = million }) }, economics.OffenceCandidates},
		"a better priority":       {func(c *wire.Certificate) { better(c, func(m *wire.Measured) { m.PriorityPpm = million - 1 }) }, economics.OffenceCandidates},
		"a better score measured": {func(c *wire.Certificate) { better(c, func(m *wire.Measured) { m.RpMilli += 1000 }) }, economics.OffenceCandidates},
		"proven for ever":         {func(c *wire.Certificate) { better(c, func(m *wire.Measured) { m.ProvenUntil += 100 }) }, economics.OffenceCandidates},
		"of a block to come":      {func(c *wire.Certificate) { better(c, func(m *wire.Measured) { m.Height = 95 }) }, economics.OffenceCandidates},
		"of an older block":       {func(c *wire.Certificate) { better(c, func(m *wire.Measured) { m.Height -= 2 }) }, economics.OffenceCandidates},
		"of another epoch":        {func(c *wire.Certificate) { better(c, func(m *wire.Measured) { m.Epoch-- }) }, economics.OffenceCandidates},
		"an ad of its own": {func(c *wire.Certificate) {
			ad := c.Top[0].Ad
			ad[len(ad)-1]++ // of the signature
			regrow(c)
		}, economics.OffenceCandidates},
		"no ad at all": {func(c *wire.Certificate) { c.Top[0].Ad = nil; regrow(c) }, economics.OffenceCandidates},
		"an ad of another network": {func(c *wire.Certificate) {
			friend := newContainer(t, 77)
			ad, err := seal.Seal("elsewhere", seal.TypeAd, friend.ad, friend.key)
			if err != nil {
				t.Fatal(err)
			}
			c.Top[0].Ad, c.Top[0].Container = ad, []byte(friend.id)
			regrow(c)
		}, economics.OffenceCandidates},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := court.honestCertificate(t)
			if v, err := court.judge(t, court.sign(t, c)); !errors.Is(err, proof.ErrInnocent) {
				t.Fatalf("the honest one: %+v, %v", v, err)
			}
			one.lie(c)
			sealed := court.sign(t, c)
			v, err := court.judge(t, sealed)
			if err != nil || v.Offence != one.want {
				t.Errorf("%+v, %v; want %v", v, err, one.want)
			}
			if _, err := Verify(sealed, testNet); one.want == economics.OffenceMatch && err == nil && len(c.Drawn) > 1 && c.Top[0].Measured != nil {
				t.Error("whoever asked would take it")
			}
		})
	}
}

// An indexer is not to blame for what others may do to its certificate, nor for what it did
// not sign.
func TestOnlyTheSignerIsJudged(t *testing.T) {
	court := newCourt(t)
	c, _ := court.honestCertificate(t)
	sealed := court.sign(t, c)
	for i := range sealed {
		bad := slices.Clone(sealed)
		bad[i] ^= 0x41
		if v, err := court.judge(t, bad); err == nil {
			t.Fatalf("byte %d changed convicts: %+v", i, v)
		}
	}
	friend, err := key.NodeOf(court.others[0])
	if err != nil {
		t.Fatal(err)
	}
	rules := proof.Rules{Chain: testNet, Matcher: Rules{}, Facts: court.chronicle}
	c.Top[0].Score++
	lie := court.sign(t, c)
	if _, err := proof.Check(rules, proof.MatchFraud(friend, 9, lie)); !errors.Is(err, proof.ErrInnocent) {
		t.Errorf("of another: %v", err)
	}
	me, _ := key.NodeOf(court.by.id)
	if _, err := proof.Check(rules, proof.MatchFraud(me, 8, lie)); !errors.Is(err, proof.ErrEpoch) {
		t.Errorf("of another epoch: %v", err)
	}
	rules.Chain = "elsewhere"
	if _, err := proof.Check(rules, proof.MatchFraud(me, 9, lie)); !errors.Is(err, proof.ErrSignature) {
		t.Errorf("of another network: %v", err)
	}
	rules.Chain, rules.Facts = testNet, nil // offline
	if v, err := proof.Check(rules, proof.MatchFraud(me, 9, lie)); err != nil || v.Offence != economics.OffenceMatch {
		t.Errorf("%+v, %v", v, err)
	}
	if _, err := proof.Check(rules, proof.MatchFraud(me, 9, sealed)); !errors.Is(err, proof.ErrUnknown) {
		t.Errorf("offline: %v", err)
	}
}

// The largest certificate that the rules allow can be reported.
func TestAnyCertificateFitsIntoAReport(t *testing.T) {
	court := newCourt(t)
	c, _ := court.honestCertificate(t)
	for i, one := range c.Top {
		big := newContainer(t, uint32(200+i), func(ad *wire.Ad) {
			for n := range MaxApps {
				sha := hash{byte(n), 1}
				ad.Apps = append(ad.Apps, &wire.AppOffer{Sha256: sha[:], Name: fmt.Sprintf("%064d", n), Width: 1 << 31, Height: 1 << 31, Fps: 1 << 31, Seats: 1 << 31, Flags: 1 << 31})
			}
			ad.Apps = ad.Apps[:MaxApps]
		})
		if one.Ad = big.sealed(t); len(one.Ad) > MaxAdBytes {
			one.Ad = one.Ad[:MaxAdBytes]
		}
		for len(one.Path) < 15 {
			one.Path = append(one.Path, make([]byte, 32))
		}
	}
	c.Request = make([]byte, limitRequest)
	if n := len(court.sign(t, c)); n > MaxCertificateBytes {
		t.Errorf("%d bytes, at most %d", n, MaxCertificateBytes)
	}
	if _, err := seal.Open(testNet, seal.TypeMatch, court.sign(t, c), MaxCertificateBytes, new(wire.Certificate)); err != nil {
		t.Error(err)
	}
}

// limitRequest is what an indexer takes as a request.
const limitRequest = 4 << 10

// FuzzJudgeMatch: whatever an indexer signs, judging it neither panics nor convicts anybody
// else, and what whoever asked would take in every respect convicts nobody.
func FuzzJudgeMatch(f *testing.F) {
	court := newCourt(f)
	c, _ := court.honestCertificate(f)
	f.Add(marshal(f, c))
	for _, lie := range []func(c *wire.Certificate){
		func(c *wire.Certificate) { c.Beacon = nil },
		func(c *wire.Certificate) { c.Top = c.Top[:1] },
		func(c *wire.Certificate) { c.Top[1].Measured = nil },
		func(c *wire.Certificate) { c.Top[2].Ad = []byte{1}; regrow(c) },
		func(c *wire.Certificate) { c.Top[0].Measured.Epoch = 1 << 63; regrow(c) },
	} {
		x := proto.CloneOf(c)
		lie(x)
		f.Add(marshal(f, x))
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, payload []byte) {
		sealed, err := sealPayload(payload, court.by.key)
		if err != nil {
			return
		}
		v, err := court.judge(t, sealed)
		if err == nil && v.Offence != economics.OffenceMatch && v.Offence != economics.OffenceCandidates {
			t.Errorf("convicts of %v", v.Offence)
		}
		if _, bad := Verify(sealed, testNet); bad != nil && errors.Is(err, proof.ErrInnocent) {
			t.Errorf("nobody takes it (%v), and it convicts nobody", bad)
		}
	})
}

func sealPayload(payload []byte, k crypto.PrivKey) ([]byte, error) {
	return seal.SealPayload(testNet, seal.TypeMatch, payload, k)
}
