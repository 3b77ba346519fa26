package container

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/actors/session"
	"github.com/framemesh/framemesh/gpu/worker"
	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/seal"
	"github.com/framemesh/framemesh/p2p/wire"
	"github.com/framemesh/framemesh/stream"
)

func TestFromReservationToTheEnd(t *testing.T) {
	run(t, 2, nil, func(m *mesh) {
		l := m.lease()
		if len(l.Secret) != 32 || !l.Warm || l.ExpiresMs != uint64(time.Now().Add(10*time.Second).UnixMilli()) {
			t.Errorf("lease %v", l)
		}
		if ad := m.lastAd(); ad.SlotsFree != 1 || ad.SlotsTotal != 2 {
			t.Errorf("with one lease the ad says %d of %d free", ad.SlotsFree, ad.SlotsTotal)
		}
		r, err := m.signal(l, stream.RoleOwner, offer("page"))
		if err != nil {
			t.Fatal(err)
		}
		if string(r.Peer) != "page" || r.Answer != "answer to page" || r.Role != "owner" || r.State.GetApp() != "Snake" {
			t.Errorf("answer %v", r)
		}
		var proof wire.AnswerProof
		signer, err := seal.Open(network, seal.TypeAnswer, r.Proof, 1024, &proof)
		sum := sha256.Sum256([]byte("page"))
		if err != nil || signer != m.self || !bytes.Equal(proof.Container, []byte(m.self)) || !bytes.Equal(proof.OfferSha256, sum[:]) ||
			!bytes.Equal(proof.SessionId, l.SessionId) || proof.Fingerprint[0] != 9 || len(proof.Fingerprint) != 32 {
			t.Errorf("proof %v by %s, %v", &proof, signer, err)
		}
		if r, err = m.signal(l, stream.RoleWatch, ping()); err != nil || r.State.Phase != "playing" || r.State.Viewers != 1 || r.State.Encoder != "fake" {
			t.Errorf("status %v, %v", r, err)
		}
		if r, err = m.signal(l, stream.RoleOwner, &wire.SignalRequest{Peer: []byte("page"), Step: &wire.SignalRequest_Restart{Restart: &wire.Restart{Fragment: "x"}}}); err != nil || r.Answer != "re-x" {
			t.Errorf("restart %v, %v", r, err)
		}
		if _, err = m.signal(l, stream.RoleOwner, &wire.SignalRequest{Peer: []byte("page"), Step: &wire.SignalRequest_Candidates{Candidates: &wire.Candidates{Fragment: "x"}}}); err != nil {
			t.Error(err)
		}
		if list, err := m.Sessions(context.Background()); err != nil || len(list) != 1 || list[0].PID != 7 || list[0].Phase != session.Playing {
			t.Errorf("sessions %v, %v", list, err)
		}
		m.end(l)
		if ad := m.lastAd(); ad.SlotsFree != 2 {
			t.Errorf("after the end the ad says %d free", ad.SlotsFree)
		}
		if _, err := m.signal(l, stream.RoleOwner, ping()); !errors.Is(err, rpc.ErrNotFound) {
			t.Errorf("a session that is over answered %v", err)
		}
	})
}

func TestSameNonceSameLease(t *testing.T) {
	run(t, 3, nil, func(m *mesh) {
		cert, n := m.certificate(snake, nil), nonce(random16())
		a, err := m.ask(gateway, cert, n, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := m.ask(gateway, cert, n, false, nil)
		if err != nil || !bytes.Equal(a.SessionId, b.SessionId) || !bytes.Equal(a.Secret, b.Secret) {
			t.Errorf("a repeated reservation gave %v, %v", b, err)
		}
		if _, err := m.ask(rival, cert, n, false, nil); !errors.Is(err, rpc.ErrUnauthorised) {
			t.Errorf("another peer with the same nonce got %v", err)
		}
		if _, err := m.ask(gateway, cert, random16(), false, nil); !errors.Is(err, rpc.ErrInvalid) {
			t.Errorf("a second session for one certificate gave %v", err)
		}
		time.Sleep(11 * time.Second) // nobody offers
		synctest.Wait()
		if st, _ := m.Stats(context.Background()); st.Free != 3 {
			t.Errorf("an expired lease holds its slot: %+v", st)
		}
		if _, err := m.ask(gateway, cert, n, false, nil); !errors.Is(err, rpc.ErrExpired) {
			t.Errorf("a reservation that is over gave %v", err)
		}
	})
}

func TestCertificateMustNameThisContainerAndBeYoung(t *testing.T) {
	run(t, 1, nil, func(m *mesh) {
		for name, c := range map[string]struct {
			cert []byte
			want error
		}{
			"none":        {nil, rpc.ErrInvalid},
			"junk":        {[]byte{0xff, 0xff}, rpc.ErrInvalid},
			"of another":  {m.certificate(snake, func(c *wire.Certificate, _ *wire.MatchRequest) { c.Top = c.Top[:1] }), rpc.ErrUnauthorised},
			"too old":     {m.certificate(snake, func(c *wire.Certificate, _ *wire.MatchRequest) { c.MadeMs -= 61_000 }), rpc.ErrExpired},
			"too new":     {m.certificate(snake, func(c *wire.Certificate, _ *wire.MatchRequest) { c.MadeMs += 11_000 }), rpc.ErrInvalid},
			"of no app":   {m.certificate(snake, func(_ *wire.Certificate, r *wire.MatchRequest) { r.AppSha256 = nil }), rpc.ErrInvalid},
			"of no id":    {m.certificate(snake, func(_ *wire.Certificate, r *wire.MatchRequest) { r.RequestId = nil }), rpc.ErrInvalid},
			"unknown app": {m.certificate(chess, nil), rpc.ErrNotFound},
		} {
			if _, err := m.ask(gateway, c.cert, random16(), true, nil); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
		}
		for name, req := range map[string]*wire.ReserveRequest{
			"short nonce":  {Certificate: m.certificate(snake, nil), Nonce: make([]byte, 15)},
			"player's key": {Certificate: m.certificate(snake, nil), Nonce: make([]byte, 16), Player: make([]byte, 31)},
			"ticket":       {Nonce: make([]byte, 16), Ticket: make([]byte, 3)},
		} {
			if _, err := m.onReserve(context.Background(), gateway, req); !errors.Is(err, rpc.ErrInvalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
		m.lease() // none of them took the slot
	})
}

func TestRaceForTheLastSlot(t *testing.T) {
	run(t, 1, nil, func(m *mesh) {
		var mu sync.Mutex
		leased, places := 0, map[uint32]bool{}
		var wg sync.WaitGroup
		for range 20 {
			cert := m.certificate(snake, nil)
			wg.Go(func() {
				n := random16()
				r, err := m.onReserve(context.Background(), gateway, &wire.ReserveRequest{Certificate: cert, Nonce: n[:], Queue: true})
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err != nil:
					t.Error(err)
				case len(r.SessionId) > 0:
					leased++
				default:
					places[r.QueuePosition] = true
				}
			})
		}
		wg.Wait()
		if leased != 1 || len(places) != 19 || !places[1] || !places[19] {
			t.Fatalf("%d leases, places %v", leased, places)
		}
	})
}

func TestFullWithoutQueueIsBusy(t *testing.T) {
	run(t, 1, nil, func(m *mesh) {
		m.lease()
		_, err := m.ask(gateway, m.certificate(snake, nil), random16(), false, nil)
		var e *rpc.Error
		if !errors.As(err, &e) || e.Code != wire.Code_BUSY || e.RetryAfter == 0 {
			t.Fatalf("gave %v", err)
		}
	})
}

func TestQueueGetsTheSlotThatFrees(t *testing.T) {
	run(t, 1, nil, func(m *mesh) {
		l := m.lease()
		if _, err := m.signal(l, stream.RoleOwner, offer("page")); err != nil {
			t.Fatal(err)
		}
		certA, certB, a, b := m.certificate(snake, nil), m.certificate(snake, nil), nonce(random16()), nonce(random16())
		ra, err := m.ask(gateway, certA, a, true, nil)
		if err != nil || ra.QueuePosition != 1 || len(ra.Ticket) != 16 {
			t.Fatalf("%v, %v", ra, err)
		}
		rb, err := m.ask(gateway, certB, b, true, nil)
		if err != nil || rb.QueuePosition != 2 {
			t.Fatalf("%v, %v", rb, err)
		}
		if again, err := m.ask(gateway, certA, a, true, nil); err != nil || !bytes.Equal(again.Ticket, ra.Ticket) {
			t.Errorf("asking again gave another ticket: %v, %v", again, err)
		}
		for range 10 { // waiting longer than a certificate lives
			time.Sleep(9 * time.Second)
			if r, err := m.ask(gateway, certA, a, true, ra.Ticket); err != nil || r.QueuePosition != 1 {
				t.Fatalf("%v, %v", r, err)
			}
			if r, err := m.ask(gateway, certB, b, true, rb.Ticket); err != nil || r.QueuePosition != 2 {
				t.Fatalf("%v, %v", r, err)
			}
		}
		if _, err := m.ask(rival, certA, a, true, ra.Ticket); !errors.Is(err, rpc.ErrUnauthorised) {
			t.Errorf("another peer with the ticket got %v", err)
		}
		if _, err := m.ask(gateway, certA, b, true, ra.Ticket); !errors.Is(err, rpc.ErrUnauthorised) {
			t.Errorf("the ticket with another nonce got %v", err)
		}
		m.end(l)
		if _, err := m.ask(rival, m.certificate(snake, nil), random16(), false, nil); !errors.Is(err, rpc.ErrBusy) {
			t.Errorf("a newcomer passed the queue: %v", err)
		}
		if ad := m.lastAd(); ad.SlotsFree != 0 {
			t.Error("a slot that is held is advertised")
		}
		got, err := m.ask(gateway, certA, a, true, ra.Ticket)
		if err != nil || len(got.SessionId) != 16 {
			t.Fatalf("the first in the queue got %v, %v", got, err)
		}
		if again, err := m.ask(gateway, certA, a, true, ra.Ticket); err != nil || !bytes.Equal(again.SessionId, got.SessionId) {
			t.Errorf("claiming twice gave %v, %v", again, err)
		}
		if r, err := m.ask(gateway, certB, b, true, rb.Ticket); err != nil || r.QueuePosition != 1 {
			t.Errorf("the second moved to %v, %v", r, err)
		}
	})
}

func TestUnclaimedSlotGoesToTheNext(t *testing.T) {
	run(t, 1, nil, func(m *mesh) {
		l := m.lease()
		if _, err := m.signal(l, stream.RoleOwner, offer("page")); err != nil {
			t.Fatal(err)
		}
		first, second := nonce(random16()), nonce(random16())
		ra, _ := m.ask(gateway, m.certificate(snake, nil), first, true, nil)
		rb, _ := m.ask(gateway, m.certificate(snake, nil), second, true, nil)
		m.end(l) // held for the first, who says nothing any more
		for range 3 {
			time.Sleep(4 * time.Second)
			if r, err := m.ask(gateway, nil, second, true, rb.Ticket); err != nil || len(r.SessionId) != 0 {
				t.Fatalf("early: %v, %v", r, err)
			}
		}
		time.Sleep(4 * time.Second)
		if r, err := m.ask(gateway, nil, second, true, rb.Ticket); err != nil || len(r.SessionId) == 0 {
			t.Fatalf("the slot was not passed on: %v, %v", r, err)
		}
		if _, err := m.ask(gateway, nil, first, true, ra.Ticket); !errors.Is(err, rpc.ErrExpired) {
			t.Fatalf("a place that was lost gave %v", err)
		}
	})
}

func TestSignalRefusals(t *testing.T) {
	run(t, 1, nil, func(m *mesh) {
		l := m.lease()
		forged := &wire.ReserveResponse{SessionId: l.SessionId, Secret: make([]byte, 32)}
		unknown := &wire.ReserveResponse{SessionId: make([]byte, 16), Secret: l.Secret}
		short := &wire.ReserveResponse{SessionId: make([]byte, 3), Secret: l.Secret}
		for name, c := range map[string]struct {
			l    *wire.ReserveResponse
			role stream.Role
			req  *wire.SignalRequest
			want error
		}{
			"forged token":      {forged, stream.RoleOwner, offer("page"), rpc.ErrUnauthorised},
			"unknown session":   {unknown, stream.RoleOwner, offer("page"), rpc.ErrNotFound},
			"short session":     {short, stream.RoleOwner, offer("page"), rpc.ErrInvalid},
			"no step":           {l, stream.RoleOwner, &wire.SignalRequest{}, rpc.ErrInvalid},
			"bad offer":         {l, stream.RoleOwner, offer("bad"), rpc.ErrInvalid},
			"huge offer":        {l, stream.RoleOwner, offer(strings.Repeat("x", stream.MaxOffer+1)), rpc.ErrTooLarge},
			"end by a viewer":   {l, stream.RoleWatch, leave(true), rpc.ErrUnauthorised},
			"leave of a nobody": {l, stream.RoleWatch, leave(false), rpc.ErrNotFound},
		} {
			if _, err := m.signal(c.l, c.role, c.req); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
		}
	})
}

func TestAds(t *testing.T) {
	run(t, 2, nil, func(m *mesh) {
		time.Sleep(5 * time.Minute)
		ads, at := m.sent()
		if len(ads) < 12 || len(ads) > 17 {
			t.Errorf("%d ads in five minutes", len(ads))
		}
		for i, ad := range ads {
			if i > 0 && (ad.Seq <= ads[i-1].Seq || at[i].Sub(at[i-1]) > adEvery || at[i].Sub(at[i-1]) < adSpacing) {
				t.Errorf("ad %d: seq %d after %d, %v later", i, ad.Seq, ads[i-1].Seq, at[i].Sub(at[i-1]))
			}
			if ad.ExpiresMs-ad.Seq != 90_000 {
				t.Errorf("ad %d lives %d ms", i, ad.ExpiresMs-ad.Seq)
			}
		}
		ad := m.lastAd()
		if ad.PriceMicroUsdPerHour != 20_000 || ad.ScoreRpMilli != 1500 || ad.QualityPpm != 1_000_000 || ad.FetchesApps || len(ad.Apps) != 1 || ad.Apps[0].Name != "snake" ||
			!ad.Apps[0].Warm || ad.Apps[0].Width != 320 || ad.Apps[0].Seats != 2 || ad.Apps[0].Flags != flagPointerLock {
			t.Errorf("ad %v", ad)
		}
		ads, _ = m.sent()
		n := len(ads)
		m.apps.add(chess)
		for range 20 { // many changes, few ads
			m.Changed()
		}
		time.Sleep(1500 * time.Millisecond)
		ads, _ = m.sent()
		if len(ads)-n < 1 || len(ads)-n > 2 || len(ads[len(ads)-1].Apps) != 2 {
			t.Errorf("%d ads after twenty changes", len(ads)-n)
		}
		sealed, err := m.Ad(context.Background())
		var got wire.Ad
		if _, err2 := seal.Open(network, seal.TypeAd, sealed, 8<<10, &got); err != nil || err2 != nil || got.Seq != ads[len(ads)-1].Seq {
			t.Errorf("the ad on request: %v, %v, %v", &got, err, err2)
		}
	})
}

func TestStopSaysGoodbye(t *testing.T) {
	run(t, 2, nil, func(m *mesh) {
		l := m.lease()
		if _, err := m.signal(l, stream.RoleOwner, offer("page")); err != nil {
			t.Fatal(err)
		}
		m.lease()
		if err := m.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		ad := m.lastAd()
		if ad.SlotsFree != 0 || ad.ExpiresMs-ad.Seq != uint64(lastAdTTL.Milliseconds()) {
			t.Errorf("the last ad: %d free for %d ms", ad.SlotsFree, ad.ExpiresMs-ad.Seq)
		}
		if got := fmt.Sprint(m.notes); strings.Count(got, "bye shutdown") != 2 || strings.Count(got, "close") != 2 {
			t.Errorf("the sessions were told %s", got)
		}
		if _, err := m.ask(gateway, m.certificate(snake, nil), random16(), false, nil); err == nil {
			t.Error("a stopped container leases")
		}
	})
}

func TestCrashSaysNothing(t *testing.T) {
	run(t, 2, nil, func(m *mesh) {
		l := m.lease()
		if _, err := m.signal(l, stream.RoleOwner, offer("page")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		before, _ := m.sent()
		m.Crash()
		after, _ := m.sent()
		if len(m.notes) != 0 || len(after) != len(before) || m.dev.kills != 1 {
			t.Errorf("told %v, %d ads, %d workers killed", m.notes, len(after)-len(before), m.dev.kills)
		}
	})
}

func TestFetchesAnAppItLacks(t *testing.T) {
	var m2 *mesh
	fetch := func(ctx context.Context, sha [32]byte) error {
		time.Sleep(4 * time.Second)
		if sha != chess.SHA256 {
			return errors.New("nobody has it")
		}
		m2.apps.add(chess)
		return nil
	}
	run(t, 1, func(o *Options) { o.Fetch = fetch }, func(m *mesh) {
		m2 = m
		r, err := m.ask(gateway, m.certificate(chess, nil), random16(), false, nil)
		if err != nil || r.Warm {
			t.Fatalf("%v, %v", r, err)
		}
		if got, err := m.signal(r, stream.RoleOwner, offer("page")); err != nil || got.State.Phase != "starting" {
			t.Fatalf("%v, %v", got, err)
		}
		time.Sleep(5 * time.Second)
		if got, err := m.signal(r, stream.RoleOwner, ping()); err != nil || got.State.Phase != "playing" {
			t.Fatalf("%v, %v", got, err)
		}
		if ad := m.lastAd(); !ad.FetchesApps || len(ad.Apps) != 2 {
			t.Errorf("ad %v", ad)
		}
		m.end(r)
		r, err = m.ask(gateway, m.certificate(App{}, nil), random16(), false, nil)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if _, err := m.signal(r, stream.RoleOwner, ping()); !errors.Is(err, rpc.ErrNotFound) {
			t.Errorf("an app that nobody has: %v", err)
		}
	})
}

func TestWastedLeases(t *testing.T) {
	run(t, 1, nil, func(m *mesh) {
		for range wastedMost {
			m.lease()
			time.Sleep(11 * time.Second) // nobody offers
		}
		if _, err := m.ask(gateway, m.certificate(snake, nil), random16(), true, nil); !errors.Is(err, rpc.ErrBusy) {
			t.Errorf("a wasteful gateway got %v", err)
		}
		r, err := m.ask(rival, m.certificate(snake, nil), random16(), true, nil)
		if err != nil || len(r.SessionId) == 0 {
			t.Errorf("another gateway got %v, %v", r, err)
		}
		if _, err := m.signal(r, stream.RoleOwner, offer("page")); err != nil {
			t.Fatal(err)
		}
		m.end(r)
		time.Sleep(wastedFor)
		l := m.lease() // forgiven
		if _, err := m.signal(l, stream.RoleOwner, offer("page")); err != nil {
			t.Fatal(err)
		}
	})
	w, now := wasted{}, time.Unix(1000, 0)
	for i := range 5 {
		w.add(gateway, now.Add(time.Duration(i)*10*time.Second))
	}
	if !w.tooMany(gateway, 2, now.Add(50*time.Second)) || w.tooMany(gateway, 3, now.Add(50*time.Second)) || w.tooMany(rival, 1, now) {
		t.Error("five wasted leases are too many for two slots and not for three")
	}
	if w.tooMany(gateway, 1, now.Add(85*time.Second)) {
		t.Error("old ones are not forgiven one by one")
	}
	w.forget(now.Add(time.Hour))
	if len(w) != 0 {
		t.Errorf("kept %v", w)
	}
}

// FuzzRequests gives the handlers what decodes and means nothing: they answer with a
// code and never panic.
func FuzzRequests(f *testing.F) {
	seed := func(m proto.Message) {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	seed(&wire.ReserveRequest{Certificate: []byte{1}, Nonce: make([]byte, 16), Queue: true})
	seed(&wire.ReserveRequest{Nonce: make([]byte, 16), Ticket: make([]byte, 16)})
	seed(&wire.SignalRequest{SessionId: make([]byte, 16), Token: make([]byte, 32), Step: &wire.SignalRequest_Offer{}})
	seed(&wire.SignalRequest{SessionId: make([]byte, 16), Step: &wire.SignalRequest_Leave{Leave: &wire.Leave{EndSession: true}}})
	m := newMesh(f, 1, nil)
	lease := m.lease()
	f.Fuzz(func(t *testing.T, b []byte) {
		var r wire.ReserveRequest
		if proto.Unmarshal(b, &r) == nil {
			if _, err := m.onReserve(context.Background(), gateway, &r); err != nil && rpc.CodeOf(err) == wire.Code_INTERNAL {
				t.Errorf("%v gave %v", &r, err)
			}
		}
		var s wire.SignalRequest
		if proto.Unmarshal(b, &s) == nil {
			for _, id := range [][]byte{s.SessionId, lease.SessionId} {
				s.SessionId = id
				if _, err := m.onSignal(context.Background(), gateway, &s); err != nil && rpc.CodeOf(err) == wire.Code_INTERNAL {
					t.Errorf("%v gave %v", &s, err)
				}
			}
		}
	})
}

func TestQuality(t *testing.T) {
	var q quality
	if q.ppm() != 1_000_000 {
		t.Errorf("without a past %d ppm", q.ppm())
	}
	q.add(0, 60)
	if q.ppm() != 500_000 {
		t.Errorf("after a bad minute %d ppm", q.ppm())
	}
	q.add(-5, -5)
	q.add(100, 50) // more good than there were
	if q != (quality{50, 110}) {
		t.Errorf("%+v", q)
	}
	for range 1000 {
		q.add(3600, 3600)
	}
	if p := q.ppm(); p < 999_000 || p > 1_000_000 {
		t.Errorf("after long good service %d ppm", p)
	}
}

func TestMakeAdBounds(t *testing.T) {
	f := adFacts{info: func([32]byte) (worker.Info, bool) { return worker.Info{}, false }, slots: 2, free: 5, addrs: make([][]byte, 20)}
	for i := range 100 {
		f.apps = append(f.apps, App{})
		f.apps[i].SHA256[0] = byte(i)
	}
	now := time.UnixMilli(1_000_000)
	ad := makeAd(f, 2_000_000, now, adTTL)
	if ad.Seq != 2_000_001 || ad.SlotsFree != 2 || len(ad.Apps) != 64 || len(ad.Addrs) != 8 {
		t.Errorf("seq %d, %d free, %d apps, %d addresses", ad.Seq, ad.SlotsFree, len(ad.Apps), len(ad.Addrs))
	}
	f.free = -1
	if ad := makeAd(f, 0, now, adTTL); ad.SlotsFree != 0 || ad.Seq != 1_000_000 {
		t.Errorf("%d free, seq %d", ad.SlotsFree, ad.Seq)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	if _, err := New(Options{}); !errors.Is(err, ErrOptions) {
		t.Errorf("gave %v", err)
	}
}

func TestWireErrorsKeepInternalsInside(t *testing.T) {
	if err := wireError(errors.New("/etc/passwd is odd")); rpc.CodeOf(err) != wire.Code_INTERNAL {
		t.Errorf("gave %v", err)
	}
	if err := wireError(fmt.Errorf("x: %w", session.ErrSeats)); !errors.Is(err, rpc.ErrBusy) {
		t.Errorf("gave %v", err)
	}
}
