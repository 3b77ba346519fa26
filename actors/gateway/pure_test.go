package gateway

import (
	"fmt"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/p2p/wire"
)

var noon = time.UnixMilli(1_790_000_000_000)

func ad(seq uint64, free uint32, price uint64, offers ...*wire.AppOffer) *wire.Ad {
	return &wire.Ad{Seq: seq, ExpiresMs: uint64(noon.UnixMilli()) + 1000, Apps: offers, SlotsFree: free, PriceMicroUsdPerHour: price}
}

func offerOf(s sha, name string) *wire.AppOffer { return &wire.AppOffer{Sha256: s[:], Name: name} }

func TestCatalogueGathersWhatLiveAdsOffer(t *testing.T) {
	c := newCatalogue()
	card := sha{1}
	if unknown := c.put("a", ad(1, 2, 300, offerOf(reef, "reef"), offerOf(card, "card"))); len(unknown) != 2 {
		t.Fatal("both apps are new", unknown)
	}
	warm := &wire.AppOffer{Sha256: reef[:], Name: "reef", Width: 640, Height: 360, Fps: 60, Seats: 2, Flags: 3}
	c.put("b", ad(1, 1<<31, 100, warm))
	c.meta[reef] = App{ID: reef.String(), Name: "reef", Title: "Zebra reef", Category: "game"}
	c.meta[card] = App{ID: card.String(), Name: "card", Title: "A card", Category: "test"}
	if unknown := c.put("a", ad(2, 2, 300, offerOf(reef, "reef"))); len(unknown) != 0 {
		t.Fatal("the manifest is known", unknown)
	}
	c.put("a", ad(1, 9, 9)) // older than the last
	c.put("d", ad(1, 1, 500, offerOf(card, "card"), &wire.AppOffer{Sha256: []byte("short"), Name: "bad"}))

	apps := c.apps(noon)
	if len(apps) != 2 || apps[0].Title != "Zebra reef" || apps[1].Title != "A card" {
		t.Fatalf("games stand before test cards: %+v", apps)
	}
	got := apps[0]
	if got.Containers != 2 || got.SlotsFree != 2+1<<16 || got.MinPrice != 100 || got.Width != 640 || got.FPS != 60 || got.Seats != 2 || !got.Pointer || !got.PointerLock {
		t.Errorf("%+v", got)
	}
	if h := c.holders(reef); len(h) != 2 || h[0] != "a" || h[1] != "b" {
		t.Error(h)
	}
	c.put("a", ad(3, 0, 300, offerOf(reef, "reef")))
	if h := c.holders(reef); len(h) != 2 || h[0] != "b" {
		t.Error("the one with a free slot comes first", h)
	}
	if later := c.apps(noon.Add(time.Second)); len(later) != 0 {
		t.Error("ads that ran out are offered", later)
	}
	c.expire(noon.Add(time.Second))
	if len(c.ads) != 0 || len(c.meta) != 0 {
		t.Error("what nobody offers is kept", c.ads, c.meta)
	}
}

func TestCatalogueResolvesNamesAndHashes(t *testing.T) {
	c := newCatalogue()
	c.put("a", ad(1, 1, 1, offerOf(sha{9}, "twin")))
	c.put("b", ad(1, 1, 1, offerOf(sha{8}, "twin")))
	if s, ok := c.resolve("twin"); !ok || s != (sha{8}) {
		t.Error("of two modules of one name the smaller hash is taken", s, ok)
	}
	if _, ok := c.resolve("nobody"); ok {
		t.Error("found what nobody offers")
	}
	if s, ok := c.resolve(reef.String()); !ok || s != reef {
		t.Error("a hash needs no offer", s, ok)
	}
	for i := range maxContainers + 10 {
		c.put(peer.ID(fmt.Sprint(i)), ad(1, 1, 1))
	}
	if len(c.ads) != maxContainers {
		t.Error(len(c.ads))
	}
}

func TestTableForgetsTheLeastUsedAndTheOld(t *testing.T) {
	tab := newTable[string](2, time.Minute, func(s *ticket) *time.Time { return &s.used })
	tab.put("a", &ticket{}, noon)
	tab.put("b", &ticket{}, noon.Add(time.Second))
	if tab.get("a", noon.Add(2*time.Second)) == nil {
		t.Fatal("a is gone")
	}
	tab.put("b", &ticket{}, noon.Add(time.Second)) // known: nothing has to go
	tab.put("c", &ticket{}, noon.Add(3*time.Second))
	if tab.get("b", noon) != nil || tab.get("a", noon.Add(3*time.Second)) == nil || len(tab.m) != 2 {
		t.Fatal("the one unused for longest goes", tab.m)
	}
	tab.expire(noon.Add(63 * time.Second))
	if len(tab.m) != 2 {
		t.Fatal("too early", tab.m)
	}
	tab.expire(noon.Add(64 * time.Second))
	if len(tab.m) != 0 {
		t.Fatal("too late", tab.m)
	}
}

func TestASessionRemembersSoManyConnections(t *testing.T) {
	var s session
	for i := range maxConns + 5 {
		s.join(fmt.Sprintf("%02x", i), []byte{byte(i)})
	}
	s.join("44", []byte("again"))
	if len(s.conns) != maxConns || s.conns[0].peer != "05" || string(s.conns[maxConns-1].token) != "again" {
		t.Fatal(len(s.conns), s.conns[0], s.conns[maxConns-1])
	}
	s.leave("44")
	if _, err := s.token("44", ""); err == nil || len(s.conns) != maxConns-1 {
		t.Error("who left is known still")
	}
	if b, err := s.token("06", ""); err != nil || b[0] != 6 {
		t.Error(b, err)
	}
	s.join("", []byte("nameless"))
	if _, err := s.token("", ""); err == nil {
		t.Error("no connection and no token is a way in")
	}
	for _, bad := range []string{"zz", "0102", "0"} {
		if _, err := s.token("06", bad); err == nil {
			t.Errorf("token %q is taken", bad)
		}
	}
}

func TestErrandsAreBounded(t *testing.T) {
	e, none := newErrands(), func(sha) bool { return false }
	appOf := func(i int) sha { return sha{byte(i), byte(i >> 8)} }
	for i := range 200 { // one container names more apps than it may
		e.want(errand{appOf(i), "liar"})
		e.want(errand{appOf(i), "liar"})
	}
	e.want(errand{reef, "honest"})
	if len(e.waiting) != maxErrandsPerPeer+1 {
		t.Fatal(len(e.waiting))
	}
	at := map[peer.ID]int{}
	for {
		x, ok := e.next(none)
		if !ok {
			break
		}
		at[x.from]++
	}
	if at["liar"] != maxAskingPerPeer || at["honest"] != 1 {
		t.Fatal("the liar holds up the honest one", at)
	}
	e.done(errand{reef, "honest"}, true)
	if len(e.tries) != maxAskingPerPeer {
		t.Error("an errand that is over left a trace")
	}
	e.keep(func(errand) bool { return false })
	if len(e.waiting) != 0 || len(e.tries) != maxAskingPerPeer {
		t.Error("what is not offered is kept, or what is under way is not", len(e.waiting), e.tries)
	}

	e = newErrands()
	x := errand{reef, "mute"}
	for range maxTries {
		e.want(x)
		if got, ok := e.next(none); !ok || got != x {
			t.Fatal(got, ok)
		}
		e.done(x, false)
	}
	e.want(x)
	if _, ok := e.next(none); ok {
		t.Error("it is asked for ever")
	}
	e.want(errand{reef, "other"})
	if _, ok := e.next(func(s sha) bool { return s == reef }); ok || len(e.waiting) != 0 {
		t.Error("what is known is asked for")
	}
	for i := range 2 * maxErrands {
		e.want(errand{reef, peer.ID(fmt.Sprint(i))})
	}
	n := 0
	for ; ; n++ {
		if _, ok := e.next(none); !ok {
			break
		}
	}
	if n != maxAsking || len(e.waiting) != maxErrands-maxAsking {
		t.Error(n, len(e.waiting))
	}
}
