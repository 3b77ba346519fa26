package gossip

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/p2p/seal"
	"github.com/framemesh/framemesh/p2p/wire"
)

// t0 is the time of the pure tests.
var t0 = time.UnixMilli(1_790_000_000_000)

// testKey returns the Ed25519 key of a seed of 32 equal bytes, and its peer id.
func testKey(t testing.TB, b byte) (crypto.PrivKey, peer.ID) {
	t.Helper()
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return key, id
}

// newAd returns a typical ad of a container, made at a time and valid for 90 s.
func newAd(id peer.ID, at time.Time) *wire.Ad {
	return &wire.Ad{
		PeerId: []byte(id), Seq: uint64(at.UnixMilli()), ExpiresMs: uint64(at.Add(90 * time.Second).UnixMilli()),
		Region: "eu-west", Apps: []*wire.AppOffer{{Sha256: bytes.Repeat([]byte{7}, 32), Name: "latency", Warm: true}},
		ScoreRpMilli: 1500, SlotsTotal: 2, SlotsFree: 1, Encoders: []string{"openh264"},
		PriceMicroUsdPerHour: 40_000, QualityPpm: 990_000, CoordinateUs: []int32{100, -200},
	}
}

func sealAd(t testing.TB, key crypto.PrivKey, ad *wire.Ad) []byte {
	t.Helper()
	out, err := seal.Seal("test", seal.TypeAd, ad, key)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// testSpec is the ads topic of eu-west as Join completes it.
func testSpec() *Spec {
	s := adSpec("test", "eu-west", nil)
	s.MaxSize, s.MaxTTL = MaxMessage, MaxTTL
	return &s
}

func TestJudgeNamesTheReason(t *testing.T) {
	key, id := testKey(t, 1)
	stranger, strangerID := testKey(t, 2)
	with := func(edit func(*wire.Ad)) []byte {
		ad := newAd(id, t0)
		edit(ad)
		return sealAd(t, key, ad)
	}
	good := with(func(*wire.Ad) {})
	bent := bytes.Clone(good)
	bent[len(bent)-1] ^= 1
	otherNet, err := seal.Seal("other", seal.TypeAd, newAd(id, t0), key)
	if err != nil {
		t.Fatal(err)
	}
	otherType, err := seal.Seal("test", seal.TypeNode, newAd(id, t0), key)
	if err != nil {
		t.Fatal(err)
	}
	ms := func(d time.Duration) uint64 { return uint64(t0.Add(d).UnixMilli()) }
	many := func(n int, s string) (out []string) {
		for range n {
			out = append(out, s)
		}
		return out
	}
	for name, tc := range map[string]struct {
		data []byte
		want Reason
	}{
		"good":                   {good, ""},
		"too long":               {make([]byte, MaxMessage+1), Oversize},
		"empty":                  {nil, Signature}, // an envelope without a key
		"junk":                   {[]byte("junk"), Decode},
		"half":                   {good[:len(good)/2], Decode},
		"bent signature":         {bent, Signature},
		"another network":        {otherNet, Signature},
		"another type":           {otherType, Signature},
		"for another container":  {sealAd(t, stranger, newAd(id, t0)), Content},
		"another region":         {with(func(a *wire.Ad) { a.Region = "us-east" }), Content},
		"no region":              {with(func(a *wire.Ad) { a.Region = "" }), Content},
		"more free than total":   {with(func(a *wire.Ad) { a.SlotsFree = 3 }), Content},
		"too many slots":         {with(func(a *wire.Ad) { a.SlotsTotal = maxSlots + 1 }), Content},
		"too many apps":          {with(func(a *wire.Ad) { a.Apps = make([]*wire.AppOffer, maxApps+1) }), Content},
		"short hash":             {with(func(a *wire.Ad) { a.Apps[0].Sha256 = []byte{1} }), Content},
		"long app name":          {with(func(a *wire.Ad) { a.Apps[0].Name = strings.Repeat("x", maxAppName+1) }), Content},
		"too many encoders":      {with(func(a *wire.Ad) { a.Encoders = many(maxEncoders+1, "x") }), Content},
		"empty encoder":          {with(func(a *wire.Ad) { a.Encoders = []string{""} }), Content},
		"quality over all":       {with(func(a *wire.Ad) { a.QualityPpm = maxPPM + 1 }), Content},
		"long coordinate":        {with(func(a *wire.Ad) { a.CoordinateUs = make([]int32, maxCoordinate+1) }), Content},
		"too many addresses":     {with(func(a *wire.Ad) { a.Addrs = make([][]byte, maxAdAddrs+1) }), Content},
		"long address":           {with(func(a *wire.Ad) { a.Addrs = [][]byte{make([]byte, maxAdAddr+1)} }), Content},
		"lives too long":         {with(func(a *wire.Ad) { a.ExpiresMs = ms(MaxTTL + time.Millisecond) }), Lifetime},
		"lives for ever":         {with(func(a *wire.Ad) { a.ExpiresMs = math.MaxUint64 }), Lifetime},
		"ends before it began":   {with(func(a *wire.Ad) { a.ExpiresMs = a.Seq }), Lifetime},
		"expired":                {with(func(a *wire.Ad) { a.Seq, a.ExpiresMs = ms(-time.Minute), ms(0) }), Expired},
		"just alive":             {with(func(a *wire.Ad) { a.Seq, a.ExpiresMs = ms(-time.Minute), ms(time.Millisecond) }), ""},
		"from the future":        {with(func(a *wire.Ad) { a.Seq, a.ExpiresMs = ms(MaxSkew+time.Millisecond), ms(2*time.Minute) }), Future},
		"from a clock that runs": {with(func(a *wire.Ad) { a.Seq, a.ExpiresMs = ms(MaxSkew), ms(2*time.Minute) }), ""},
		"of another container":   {sealAd(t, stranger, newAd(strangerID, t0)), ""},
	} {
		t.Run(name, func(t *testing.T) {
			table := newSigners(10)
			if _, got := testSpec().judge(tc.data, t0, table, true); got != tc.want {
				t.Fatalf("got %q, want %q", got, tc.want)
			}
			if _, got := testSpec().judge(tc.data, t0, table, false); got != tc.want {
				t.Fatalf("after a dry run: got %q, want %q", got, tc.want)
			}
			if taken := len(table.signer) == 1; taken != (tc.want == "") {
				t.Fatal("a refused message left a trace in the table of signers")
			}
		})
	}
}

func TestReplayAndOrderOfChecks(t *testing.T) {
	key, id := testKey(t, 1)
	at := func(d time.Duration) []byte { return sealAd(t, key, newAd(id, t0.Add(d))) }
	table, spec := newSigners(10), testSpec()
	judge := func(data []byte, now time.Time) Reason { _, r := spec.judge(data, now, table, false); return r }
	if r := judge(at(0), t0); r != "" {
		t.Fatal(r)
	}
	if r := judge(at(0), t0); r != Replay {
		t.Errorf("the same again: %q", r)
	}
	if r := judge(at(-time.Second), t0); r != Replay {
		t.Errorf("an older one: %q", r)
	}
	if r := judge(at(time.Second), t0); r != "" {
		t.Errorf("a newer one: %q", r)
	}
	// sequence comes before expiry: an old ad is a replay however old it is
	if r := judge(at(-time.Hour), t0); r != Replay {
		t.Errorf("old and replayed: %q", r)
	}
	// lifetime comes before sequence, since it is a fault at any time
	if r := judge(sealAd(t, key, func() *wire.Ad { a := newAd(id, t0.Add(-time.Hour)); a.ExpiresMs = math.MaxUint64; return a }()), t0); r != Lifetime {
		t.Errorf("old, and valid for ever: %q", r)
	}
	// expiry comes before registration
	asked := 0
	spec.Registered = func(peer.ID) bool { asked++; return false }
	if r := judge(at(2*time.Second), t0.Add(time.Hour)); r != Expired || asked != 0 {
		t.Errorf("expired: %q, asked the ledger %d times", r, asked)
	}
	if r := judge(at(2*time.Second), t0); r != Unregistered || asked != 1 {
		t.Errorf("unregistered: %q", r)
	}
	// a refusal takes no sequence number
	spec.Registered = nil
	if r := judge(at(2*time.Second), t0); r != "" {
		t.Errorf("registered by now: %q", r)
	}
}

func TestOnlyFaultsAreBlamed(t *testing.T) {
	for r, want := range map[Reason]bool{
		Oversize: true, Decode: true, Signature: true, Content: true, Lifetime: true,
		Replay: false, Expired: false, Future: false, Unregistered: false, TooOften: false, TableFull: false, "": false,
	} {
		if r.blames() != want {
			t.Errorf("%q: blame %v", r, r.blames())
		}
	}
	if reasonOf(errors.New("anything")) != Decode || reasonOf(fmt.Errorf("x: %w", ErrContent)) != Content {
		t.Error("errors are sorted wrongly")
	}
}

func TestSignersAreSlowedDownAndForgotten(t *testing.T) {
	now := uint64(t0.UnixMilli())
	s := newSigners(2)
	seq := uint64(0)
	next := func(id peer.ID, at uint64) Reason { seq++; return s.take(id, seq, at) }
	for i := range burst {
		if r := next("a", now); r != "" {
			t.Fatalf("message %d of a burst: %q", i, r)
		}
	}
	if r := next("a", now); r != TooOften {
		t.Fatalf("beyond the burst: %q", r)
	}
	if r := next("a", now-5000); r != TooOften {
		t.Fatalf("a clock set back refills: %q", r)
	}
	if r := next("a", now+refillMs); r != "" {
		t.Fatalf("a second later: %q", r)
	}
	if r := s.take("a", seq, now+10*refillMs); r != Replay {
		t.Fatalf("the same number: %q", r)
	}
	if r := next("b", now); r != "" {
		t.Fatal(r)
	}
	if r := next("c", now+5000); r != TableFull {
		t.Fatalf("a third of two: %q", r)
	}
	if r := next("c", now+forgetAfter+refillMs); r != "" { // b is forgotten, a not yet
		t.Fatal(r)
	}
	if _, known := s.signer["a"]; !known {
		t.Fatal("forgotten too early")
	}
	if _, known := s.signer["b"]; known {
		t.Fatal("not forgotten")
	}
}

func TestWhatIsForgottenCannotBeReplayed(t *testing.T) {
	key, id := testKey(t, 1)
	ad := newAd(id, t0.Add(MaxSkew)) // made as far ahead and valid as long as anything may be
	ad.ExpiresMs = ad.Seq + uint64(MaxTTL.Milliseconds())
	data, table := sealAd(t, key, ad), newSigners(1)
	if _, r := testSpec().judge(data, t0, table, false); r != "" {
		t.Fatal(r)
	}
	for now := t0; now.Before(t0.Add(10 * time.Minute)); now = now.Add(time.Second) {
		table.sweep(uint64(now.UnixMilli()))
		if _, r := testSpec().judge(data, now, table, false); r == "" {
			t.Fatalf("accepted a second time after %v", now.Sub(t0))
		}
	}
	if len(table.signer) != 0 {
		t.Fatal("never forgotten")
	}
}

func TestPenaltiesHalve(t *testing.T) {
	p := newPenalties()
	if p.score("a", t0) != 0 {
		t.Fatal("a peer without a bad frame has a penalty")
	}
	p.add("a", t0)
	p.add("a", t0)
	if got := p.score("a", t0); got != -2*badFrame {
		t.Fatalf("two bad frames: %v", got)
	}
	if got := p.score("a", t0.Add(badFrameHalfLife)); math.Abs(got+badFrame) > 1e-9 {
		t.Fatalf("a half-life later: %v", got)
	}
	if got := p.score("a", t0.Add(-time.Hour)); got < -2*badFrame {
		t.Fatalf("a clock set back: %v", got)
	}
	for i := range 2 * maxPenalised {
		p.add(peer.ID(fmt.Sprint(i)), t0)
	}
	if len(p.peer) != maxPenalised {
		t.Fatalf("%d peers", len(p.peer))
	}
	if p.score("a", t0) != -2*badFrame {
		t.Fatal("the worst was forgotten before others")
	}
}

// TestScoreParametersDoWhatTheySay recomputes the figures the documentation gives.
func TestScoreParametersDoWhatTheySay(t *testing.T) {
	p := topicParams()
	invalid := func(n float64) float64 { return p.TopicWeight * p.InvalidMessageDeliveriesWeight * n * n }
	if merit := p.TimeInMeshWeight*p.TimeInMeshCap + p.FirstMessageDeliveriesWeight*p.FirstMessageDeliveriesCap; merit > topicScoreCap {
		t.Errorf("one topic earns %v, the cap is %v", merit, topicScoreCap)
	}
	if got := invalid(10) + topicScoreCap; got >= GraylistThreshold {
		t.Errorf("ten invalid messages of the best peer: %v", got)
	}
	if got := invalid(2); got < gossipThreshold {
		t.Errorf("two invalid messages of a newcomer already cost gossip: %v", got)
	}
	if got := -badFrame * 17; got >= GraylistThreshold {
		t.Errorf("seventeen bad frames: %v", got)
	}
	if MaxTTL >= seenTTL {
		t.Error("a message outlives the memory of it")
	}
}

func FuzzOpenAd(f *testing.F) {
	key, id := testKey(f, 1)
	good := sealAd(f, key, newAd(id, t0))
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte{})
	spec := testSpec()
	f.Fuzz(func(t *testing.T, data []byte) {
		table := newSigners(1)
		st, reason := spec.judge(data, t0, table, false)
		if reason != "" {
			if len(table.signer) != 0 {
				t.Fatal("a refused message left a trace")
			}
			return
		}
		ad, err := OpenAd("test", "eu-west", data)
		if err != nil || len(data) > MaxMessage || st.Signer != peer.ID(ad.GetPeerId()) || ad.GetSlotsFree() > ad.GetSlotsTotal() {
			t.Fatal("accepted what it must not")
		}
		if _, again := spec.judge(data, t0, table, false); again != Replay {
			t.Fatalf("a second time: %q", again)
		}
	})
}

func BenchmarkVerifyAd(b *testing.B) {
	key, id := testKey(b, 1)
	data := sealAd(b, key, newAd(id, t0))
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, r := testSpec().judge(data, t0, newSigners(1), false); r != "" {
			b.Fatal(r)
		}
	}
}

func BenchmarkSealAd(b *testing.B) {
	key, id := testKey(b, 1)
	ad := newAd(id, t0)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := seal.Seal("test", seal.TypeAd, ad, key); err != nil {
			b.Fatal(err)
		}
	}
}

// A topic may let its signers speak more often, as the ledger's does.
func TestTopicsHaveAPaceOfTheirOwn(t *testing.T) {
	now := uint64(t0.UnixMilli())
	s := newSigners(1)
	s.refill = NoticeEvery.Milliseconds()
	for seq := range uint64(200) { // a head each quarter of a second
		if r := s.take("validator", seq+1, now+250*seq); r != "" {
			t.Fatalf("message %d: %q", seq, r)
		}
	}
	spam := newSigners(1)
	spam.refill = s.refill
	taken := 0
	for seq := range uint64(1000) { // a hundred a second, for ten seconds
		if spam.take("spammer", seq+1, now+10*seq) == "" {
			taken++
		}
	}
	if want := burst + 10_000/int(s.refill); taken < want-1 || taken > want {
		t.Errorf("%d of 1000 messages in 10 s were taken, want %d", taken, want)
	}
}
