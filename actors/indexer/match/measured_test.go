package match

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/framemesh/framemesh/p2p/wire"
)

// good are figures with which a container passes request(), in epoch 7.
func good(change ...func(*Measured)) Measured {
	m := Measured{Height: 100, Epoch: 7, RPMilli: 1500, QualityPPM: million, PriorityPPM: million, ProvenUntil: 7}
	for _, f := range change {
		f(&m)
	}
	return m
}

// measuredTable holds the ads of containers, in epoch 7, with figures for those of whom there
// are any.
func measuredTable(t testing.TB, by map[*container]Measured, cs ...*container) *Table {
	t.Helper()
	tab := NewMeasuredTable(0)
	tab.Enter(7)
	for _, c := range cs {
		if err := tab.Put(now-500, c.id, c.ad, c.sealed(t)); err != nil {
			t.Fatal(err)
		}
		if m, ok := by[c]; ok && !tab.Measure(c.id, m) {
			t.Fatalf("%v is not taken", m)
		}
	}
	return tab
}

// One candidate, and what the ledger says of it: its claims neither help nor harm.
func TestFigures(t *testing.T) {
	for _, tc := range []struct {
		name   string
		claim  uint32 // milli-RP of its ad
		say    *Measured
		filter string // "" = matches
		says   []string
	}{
		{"as measured", 1500, new(good()), "", nil},
		{"claims nothing", 0, new(good()), "", nil},
		{"claims ten times as much", 15_000, new(good(func(m *Measured) { m.RPMilli = 999 })), "score", []string{"measured 999", "1000"}},
		{"measured far more than a request can ask", 0, new(good(func(m *Measured) { m.RPMilli = 1<<32 + 1 })), "", nil},
		{"not read", 1500, nil, "unproven", []string{"not read yet", "ask again"}},
		{"never measured", 1500, new(Measured{Height: 100, Epoch: 7}), "unproven", []string{"no round", "epoch 7", "framemesh why"}},
		{"caught", 1500, new(good(func(m *Measured) { m.ProvenUntil = 0 })), "unproven", []string{"no round"}},
		{"too long ago", 1500, new(good(func(m *Measured) { m.ProvenUntil = 6 })), "unproven", []string{"epoch 6", "epoch 7", "framemesh why"}},
		{"read in the epoch before", 1500, new(good(func(m *Measured) { m.Epoch, m.ProvenUntil = 6, 6 })), "", nil},
		{"read two epochs ago", 1500, new(good(func(m *Measured) { m.Epoch, m.ProvenUntil = 5, 90 })), "unproven", []string{"not read yet"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newContainer(t, 0, func(a *wire.Ad) { a.ScoreRpMilli = tc.claim })
			by := map[*container]Measured{}
			if tc.say != nil {
				by[c] = *tc.say
			}
			tab := measuredTable(t, by, c)
			res, err := tab.Match(now, request())
			want := 0
			if tc.filter == "" {
				want = 1
				if err != nil {
					t.Fatal(err)
				}
				if got := measuredOf(res.Top[0].GetMeasured()); got == nil || *got != *tc.say {
					t.Errorf("the choice says %v", got)
				}
			} else {
				var none *NoMatch
				if !errors.As(err, &none) || none.Rejections[0].GetFilter() != tc.filter {
					t.Fatalf("got %v, want %q", err, tc.filter)
				}
				for _, part := range tc.says {
					if !strings.Contains(none.Rejections[0].GetReason(), part) {
						t.Errorf("the reason %q lacks %q", none.Rejections[0].GetReason(), part)
					}
				}
				want = map[string]int{"score": 1}[tc.filter]
			}
			if got := tab.Proven(); got != want {
				t.Errorf("%d are proven, want %d", got, want)
			}
		})
	}
}

// Half the priority is half the score, whatever else is equal; so a demoted container comes
// after all that are nearly as good.
func TestDemotionHalvesTheScore(t *testing.T) {
	a, b := newContainer(t, 0), newContainer(t, 1, func(a *wire.Ad) { a.PriceMicroUsdPerHour = 400_000 })
	score := func(by map[*container]Measured) (first peer.ID, of int64) {
		res, err := measuredTable(t, by, a, b).Match(now, request())
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range res.Top {
			if string(c.GetContainer()) == string(a.id) {
				of = c.GetScore()
			}
		}
		return peer.ID(res.Top[0].GetContainer()), of
	}
	first, whole := score(map[*container]Measured{a: good(), b: good()})
	if first != a.id {
		t.Fatal("the cheaper one is not first")
	}
	first, half := score(map[*container]Measured{a: good(func(m *Measured) { m.PriorityPPM = million / 2 }), b: good()})
	if first != b.id || half != whole/2 {
		t.Errorf("demoted it has %d of %d, first is %s", half, whole, first)
	}
}

// The ad's quality counts where nothing measures, the ledger's where it does.
func TestMeasuredQuality(t *testing.T) {
	boaster := newContainer(t, 0, func(a *wire.Ad) { a.QualityPpm = million })
	honest := newContainer(t, 1, func(a *wire.Ad) { a.QualityPpm = 500_000 })
	by := map[*container]Measured{boaster: good(func(m *Measured) { m.QualityPPM = 600_000 }), honest: good(func(m *Measured) { m.QualityPPM = 900_000 })}
	res, err := measuredTable(t, by, boaster, honest).Match(now, request())
	if err != nil {
		t.Fatal(err)
	}
	if string(res.Top[0].GetContainer()) != string(honest.id) || res.Top[0].GetParts().GetQuality() != weightQuality*900_000 {
		t.Errorf("got %v", res.Top)
	}
}

// Figures outlive the ads of their container, are not replaced by older ones, and leave with
// the container.
func TestFiguresStay(t *testing.T) {
	c := newContainer(t, 0)
	tab := measuredTable(t, map[*container]Measured{c: good()}, c)
	root := tab.Root()
	c.ad.Seq++
	mustPut(t, tab, c.id, c.ad, c.sealed(t))
	if !tab.Measured(c.id) || tab.Proven() != 1 || tab.Root() == root {
		t.Error("a new ad loses the figures, or the root stays")
	}
	if tab.Measure(c.id, good(func(m *Measured) { m.RPMilli = 9 })) || tab.Measure("nobody", good()) {
		t.Error("took figures that are not newer, or of nobody")
	}
	for name, bad := range map[string]Measured{"of no block": good(func(m *Measured) { m.Height = 0 }),
		"quality": good(func(m *Measured) { m.Height, m.QualityPPM = 200, million+1 }), "priority": good(func(m *Measured) { m.Height, m.PriorityPPM = 200, million+1 })} {
		if tab.Measure(c.id, bad) {
			t.Errorf("%s: took %v", name, bad)
		}
	}
	root = tab.Root()
	if !tab.Measure(c.id, good(func(m *Measured) { m.Height, m.ProvenUntil = 101, 0 })) || tab.Proven() != 0 || tab.Root() == root {
		t.Error("newer figures are not taken, or not in the root")
	}
	if got := tab.Unmeasured("", 9); !slices.Equal(got, []peer.ID{c.id}) {
		t.Errorf("to be read again: %v", got)
	}
	tab.Remove(c.id)
	if tab.Measured(c.id) || len(tab.Unmeasured("", 9)) != 0 {
		t.Error("figures of a container that left")
	}
	free := table(t, c)
	if free.Measure(c.id, good()) || !free.Measured(c.id) || free.Proven() != 1 {
		t.Error("a table without a ledger takes figures, or wants some")
	}
}

// Those to read again come in turns, none twice in one.
func TestUnmeasuredTakesTurns(t *testing.T) {
	var cs []*container
	by := map[*container]Measured{}
	for n := range uint32(7) {
		cs = append(cs, newContainer(t, n))
	}
	by[cs[2]] = good()
	tab := measuredTable(t, by, cs...)
	seen := map[peer.ID]int{}
	var after peer.ID
	for range 6 {
		for _, id := range tab.Unmeasured(after, 2) {
			seen[id]++
			after = id
		}
	}
	if len(seen) != 6 || seen[cs[2].id] != 0 {
		t.Fatalf("seen %v", seen)
	}
	for id, n := range seen {
		if n != 2 {
			t.Errorf("%s comes %d times in two rounds", id, n)
		}
	}
}

// book is a ledger of a test.
type book struct {
	says   map[Asked]Measured
	epochs map[[32]byte]uint64
	err    error
	reads  int
	nears  int
}

func (b *book) Measured(_ context.Context, asked []Asked) (out []Measured, err error) {
	for _, a := range asked {
		b.reads++
		m, ok := b.says[a]
		if !ok {
			return nil, ErrFigures
		}
		out = append(out, m)
	}
	return out, b.err
}

func (b *book) Near(_ context.Context, beacon [32]byte, epoch uint64) (bool, error) {
	b.nears++
	e, ok := b.epochs[beacon]
	return ok && e <= epoch+1 && epoch <= e+1, nil
}

// measuredScene is scene with a ledger: five containers with figures, the certificate, and
// the ledger that bears it out.
func measuredScene(t testing.TB) (indexer *container, cs []*container, cert *wire.Certificate, l *book) {
	t.Helper()
	l = &book{says: map[Asked]Measured{}, epochs: map[[32]byte]uint64{GenesisOf(testNet): 7}}
	by := map[*container]Measured{}
	for n := range uint32(5) {
		c := newContainer(t, n, func(a *wire.Ad) {
			a.PriceMicroUsdPerHour += uint64(n) * 1000
			a.ScoreRpMilli, a.QualityPpm = 1<<31, million
		})
		m := good(func(m *Measured) {
			m.RPMilli, m.QualityPPM, m.ProvenUntil = 1200+uint64(n), 950_000-n*10_000, 9
			switch n {
			case 1:
				m.Height, m.Epoch = 90, 6
			case 3:
				m.PriorityPPM = 250_000
			case 4:
				m.ProvenUntil = 3
			}
		})
		cs, by[c], l.says[Asked{c.id, m.Height}] = append(cs, c), m, m
	}
	indexer = newContainer(t, 100)
	res, err := measuredTable(t, by, cs...).Match(now, request())
	if err != nil {
		t.Fatal(err)
	}
	cert = res.Certificate(indexer.id, marshal(t, request()), request().GetRequestId(), GenesisOf(testNet), []peer.ID{indexer.id, newContainer(t, 101).id})
	return indexer, cs, cert, l
}

func TestMeasuredCertificateHolds(t *testing.T) {
	indexer, cs, cert, l := measuredScene(t)
	got, err := Verify(sign(t, cert, indexer), testNet)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.GetTop()) != 3 || string(got.GetTop()[0].GetContainer()) != string(cs[0].id) {
		t.Errorf("got %v", got.GetTop())
	}
	if err := CheckFigures(t.Context(), l, got); err != nil {
		t.Error(err)
	}
	if l.reads != 3 || l.nears != 2 {
		t.Errorf("%d figures read and %d epochs asked for", l.reads, l.nears)
	}
	l.err = ErrNoFigures
	if err := CheckFigures(t.Context(), l, got); !errors.Is(err, ErrNoFigures) || errors.Is(err, ErrFigures) {
		t.Errorf("the ledger is out of reach: %v", err)
	}
}

// Without the ledger, what does not follow from the figures is found; with it, what is made up.
func TestInventedFigures(t *testing.T) {
	for name, lie := range map[string]func(m *wire.Measured, c *wire.Choice){
		"more RP":          func(m *wire.Measured, _ *wire.Choice) { m.RpMilli = 1 << 40 },
		"better quality":   func(m *wire.Measured, _ *wire.Choice) { m.QualityPpm++ },
		"less priority":    func(m *wire.Measured, _ *wire.Choice) { m.PriorityPpm-- },
		"too much quality": func(m *wire.Measured, _ *wire.Choice) { m.QualityPpm = million + 1 },
		"priority of 200%": func(m *wire.Measured, c *wire.Choice) { m.PriorityPpm = 2 * million; c.Score *= 2 },
		"proven for ever":  func(m *wire.Measured, _ *wire.Choice) { m.ProvenUntil = 1 << 60 },
		"another block":    func(m *wire.Measured, _ *wire.Choice) { m.Height++ },
		"no block":         func(m *wire.Measured, _ *wire.Choice) { m.Height = 0 },
		"another epoch":    func(m *wire.Measured, _ *wire.Choice) { m.Epoch++ },
		"not proven":       func(m *wire.Measured, _ *wire.Choice) { m.ProvenUntil = 1 },
		"too slow":         func(m *wire.Measured, _ *wire.Choice) { m.RpMilli = 999 },
		"leaves them out":  func(_ *wire.Measured, c *wire.Choice) { c.Measured = nil },
	} {
		indexer, _, cert, _ := measuredScene(t)
		cert = proto.Clone(cert).(*wire.Certificate)
		lie(cert.Top[0].Measured, cert.Top[0])
		if _, err := Verify(sign(t, cert, indexer), testNet); !errors.Is(err, ErrCertificate) {
			t.Errorf("%s: %v", name, err)
		}
	}

	// An indexer that makes up figures before it matches has a certificate that follows from
	// them; the ledger says otherwise.
	for name, invent := range map[string]func(*Measured){
		"more RP":         func(m *Measured) { m.RPMilli++ },
		"worse quality":   func(m *Measured) { m.QualityPPM-- },
		"proven longer":   func(m *Measured) { m.ProvenUntil++ },
		"another block":   func(m *Measured) { m.Height += 5 },
		"an epoch on":     func(m *Measured) { m.Epoch = 8; m.ProvenUntil = 8 },
		"far epoch":       func(m *Measured) { m.Epoch, m.ProvenUntil = 9, 9 },
		"less RP":         func(m *Measured) { m.RPMilli-- },
		"demoted by hand": func(m *Measured) { m.PriorityPPM-- },
	} {
		c, indexer := newContainer(t, 0), newContainer(t, 100)
		l := &book{says: map[Asked]Measured{{c.id, 100}: good()}, epochs: map[[32]byte]uint64{GenesisOf(testNet): 7}}
		res, err := measuredTable(t, map[*container]Measured{c: good(invent)}, c).Match(now, request())
		if err != nil {
			t.Fatal(err)
		}
		cert := res.Certificate(indexer.id, marshal(t, request()), request().GetRequestId(), GenesisOf(testNet), nil)
		got, err := Verify(sign(t, cert, indexer), testNet)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := CheckFigures(t.Context(), l, got); !errors.Is(err, ErrFigures) {
			t.Errorf("%s: %v, want ErrFigures", name, err)
		}
	}
}

// With a ledger every choice has figures, without one none has.
func TestFiguresOrNot(t *testing.T) {
	_, _, with, l := measuredScene(t)
	_, _, without := scene(t)
	if err := CheckFigures(t.Context(), l, without); !errors.Is(err, ErrFigures) {
		t.Errorf("claims where there is a ledger: %v", err)
	}
	if err := CheckFigures(t.Context(), nil, with); !errors.Is(err, ErrFigures) {
		t.Errorf("figures where there is none: %v", err)
	}
	if err := CheckFigures(t.Context(), nil, without); err != nil {
		t.Errorf("claims where there is none: %v", err)
	}
	old := proto.Clone(with).(*wire.Certificate)
	old.Beacon = make([]byte, 32)
	if err := CheckFigures(t.Context(), l, old); !errors.Is(err, ErrFigures) {
		t.Errorf("a beacon of another time: %v", err)
	}
	old.Beacon = nil
	if err := CheckFigures(t.Context(), l, old); !errors.Is(err, ErrFigures) {
		t.Errorf("no beacon: %v", err)
	}
}

// Whatever ads claim: with the same figures the same containers pass, in an order to which
// claims of capacity and quality add nothing; the score is never above that of full priority;
// and every certificate holds.
func TestClaimsGainNothing(t *testing.T) {
	var pool []*container
	for n := range uint32(6) {
		pool = append(pool, newContainer(t, n))
	}
	indexer := newContainer(t, 100)
	rapid.Check(t, func(rt *rapid.T) {
		cs := pool[:rapid.IntRange(1, len(pool)).Draw(rt, "containers")]
		by := map[*container]Measured{}
		for n, c := range cs {
			c.ad = anyAd(rt, c.id, n)
			if rapid.Bool().Draw(rt, "read") {
				by[c] = Measured{Height: rapid.Uint64Range(1, 9).Draw(rt, "height"), Epoch: rapid.Uint64Range(4, 8).Draw(rt, "epoch"),
					RPMilli: rapid.OneOf(rapid.Uint64Range(0, 2), rapid.Uint64()).Draw(rt, "rp"), QualityPPM: rapid.Uint32Range(0, million).Draw(rt, "quality"),
					PriorityPPM: rapid.Uint32Range(0, million).Draw(rt, "priority"), ProvenUntil: rapid.OneOf(rapid.Uint64Range(0, 9), rapid.Uint64()).Draw(rt, "until")}
			}
		}
		req := anyRequest(rt, nil)
		honest, err := measuredTable(t, by, cs...).Match(now, req)
		for _, c := range cs {
			c.ad.ScoreRpMilli, c.ad.QualityPpm = rapid.Uint32().Draw(rt, "claim"), rapid.Uint32Range(0, million).Draw(rt, "claimed quality")
		}
		boast, err2 := measuredTable(t, by, cs...).Match(now, req)
		if (err == nil) != (err2 == nil) {
			rt.Fatalf("claims change %v to %v", err, err2)
		}
		if err != nil {
			return
		}
		if len(honest.Top) != len(boast.Top) {
			rt.Fatalf("claims change %d choices to %d", len(honest.Top), len(boast.Top))
		}
		for i, c := range boast.Top {
			if string(c.GetContainer()) != string(honest.Top[i].GetContainer()) || c.GetScore() != honest.Top[i].GetScore() {
				rt.Fatalf("claims change choice %d", i)
			}
			p := c.GetParts()
			if m := c.GetMeasured(); m == nil || m.GetEpoch() < 6 || c.GetScore() > p.GetPrice()+p.GetLatency()+p.GetQuality()+p.GetIdle()+p.GetStake() {
				rt.Fatalf("choice %d is %v", i, c)
			}
		}
		cert := boast.Certificate(indexer.id, marshal(t, req), req.GetRequestId(), GenesisOf(testNet), []peer.ID{indexer.id})
		if _, err := Verify(sign(t, cert, indexer), testNet); err != nil {
			rt.Fatalf("an honest certificate does not hold: %v", err)
		}
	})
}

// FuzzFigures verifies arbitrary certificates under a right signature: they hold or they
// do not, and nothing breaks, with a ledger or without one.
func FuzzFigures(f *testing.F) {
	indexer, _, plain := scene(f)
	_, _, measured, l := measuredScene(f)
	f.Add(marshal(f, plain))
	f.Add(marshal(f, measured))
	f.Fuzz(func(t *testing.T, b []byte) {
		var c wire.Certificate
		if proto.Unmarshal(b, &c) != nil {
			return
		}
		c.Indexer = []byte(indexer.id)
		err := verify(&c, indexer.id, testNet)
		if err != nil && !errors.Is(err, ErrCertificate) {
			t.Fatal(err)
		}
		for _, figures := range []Figures{nil, l} {
			if err := CheckFigures(t.Context(), figures, &c); err != nil && !errors.Is(err, ErrFigures) {
				t.Fatal(err)
			}
		}
		if err == nil && (len(c.Top) == 0 || c.Top[0].GetScore() < 0) {
			t.Fatalf("holds: %v", &c)
		}
	})
}
