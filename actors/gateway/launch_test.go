package gateway

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/actors/indexer/match"
	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
)

func TestLaunch(t *testing.T) {
	play(t, func(s *scene) {
		s.container(1)
		ix := s.indexer(100)
		l := s.mustLaunch()
		_, id := key(t, 1)
		if l.Container != id.String() || l.Role != RoleOwner || l.Answer != "answer" || string(l.Proof) != "proof" || len(l.Certificate) == 0 ||
			len(l.OwnerToken) != 64 || len(l.PlayToken) != 64 || len(l.WatchToken) != 64 || l.OwnerToken == l.WatchToken || len(l.Session) != 32 {
			t.Errorf("%+v", l)
		}
		if n := s.g.Node(); n.Containers != 1 || n.Indexers != 1 || n.Peers != 3 || n.Region != "eu" || n.UptimeMS == 0 {
			t.Errorf("%+v", n)
		}
		if !slices.Contains(s.remembered, ix) {
			t.Error("the indexer's addresses were not kept")
		}
		apps, err := s.g.Apps(context.Background())
		if err != nil || len(apps) != 1 || apps[0].Title != "Reef" {
			t.Errorf("%+v %v", apps, err)
		}
	})
}

func TestTheBestContainerIsBusySoTheSecondServes(t *testing.T) {
	play(t, func(s *scene) {
		best, second := s.container(1), s.container(2)
		best.reserve = func(r *wire.ReserveRequest) (*wire.ReserveResponse, error) { return nil, rpc.ErrBusy }
		s.indexer(100)
		if l := s.mustLaunch(); l.Container != second.id.String() {
			t.Error("served by", l.Container)
		}
		if c := s.calls("reserve"); len(c) != 2 || c[0].to != best.id || c[0].req.(*wire.ReserveRequest).Queue {
			t.Error("the best one was not asked first, without waiting", c)
		}
	})
}

// Each of these indexers is passed over for the honest one, whoever is drawn first.
func TestAnIndexerThatIsWrongIsPassedOver(t *testing.T) {
	for name, wrong := range map[string]func(s *scene) func(*wire.MatchRequest) ([]byte, error){
		"silent": func(*scene) func(*wire.MatchRequest) ([]byte, error) {
			return func(*wire.MatchRequest) ([]byte, error) {
				time.Sleep(matchTimeout)
				return nil, context.DeadlineExceeded
			}
		},
		"busy": func(*scene) func(*wire.MatchRequest) ([]byte, error) {
			return func(*wire.MatchRequest) ([]byte, error) { return nil, rpc.ErrBusy }
		},
		"rubbish": func(*scene) func(*wire.MatchRequest) ([]byte, error) {
			return func(*wire.MatchRequest) ([]byte, error) { return []byte("rubbish"), nil }
		},
		"another's certificate": func(s *scene) func(*wire.MatchRequest) ([]byte, error) {
			return func(r *wire.MatchRequest) ([]byte, error) { return s.certificate(150, r) }
		},
		"another request": func(s *scene) func(*wire.MatchRequest) ([]byte, error) {
			return func(r *wire.MatchRequest) ([]byte, error) {
				other := proto.Clone(r).(*wire.MatchRequest)
				other.RequestId = bytes.Repeat([]byte{9}, 16)
				return s.certificate(100, other)
			}
		},
		"changed score": func(s *scene) func(*wire.MatchRequest) ([]byte, error) {
			return func(r *wire.MatchRequest) ([]byte, error) {
				return s.certificate(100, r, func(c *wire.Certificate) { c.Top[0].Score++ })
			}
		},
		"from the future": func(s *scene) func(*wire.MatchRequest) ([]byte, error) {
			return func(r *wire.MatchRequest) ([]byte, error) {
				return s.certificate(100, r, func(c *wire.Certificate) { c.MadeMs += 11_000 })
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(s *scene) {
				c := s.container(1)
				bad := s.indexer(100, wrong(s))
				good := s.indexer(101)
				seen := 0
				for range 64 { // the draw is by a random request id
					before := len(s.calls("match"))
					l, err := s.launch()
					if err != nil || l.Container != c.id.String() {
						t.Fatal(l, err)
					}
					asked := s.calls("match")[before:]
					if asked[0].to == bad {
						if seen++; len(asked) != 2 || asked[1].to != good {
							t.Fatal("the next one drawn was not asked", asked)
						}
						break
					}
				}
				if seen == 0 {
					t.Error("the wrong indexer was never drawn first")
				}
			})
		})
	}
}

// A certificate's age is judged by this gateway's clock: what containers would refuse
// for its age is not even taken there.
func TestAnOldCertificateIsNotUsed(t *testing.T) {
	play(t, func(s *scene) {
		s.container(1)
		s.indexer(100, func(r *wire.MatchRequest) ([]byte, error) {
			sealed, err := s.certificate(100, r)
			s.mu.Lock()
			s.clock = func() time.Time { return time.Now().Add(certificateAge + time.Millisecond) }
			s.mu.Unlock()
			return sealed, err
		})
		_, err := s.launch()
		if r := refused(t, err, "no-indexer"); !strings.Contains(r.Text, "old") {
			t.Error(r.Text)
		}
		if len(s.calls("reserve")) != 0 {
			t.Error("it was used all the same")
		}
	})
}

func TestNoMatchSaysWhy(t *testing.T) {
	play(t, func(s *scene) {
		c := s.container(1)
		s.indexer(100)
		_, err := s.launch(func(r *LaunchRequest) { r.MaxPrice = 5 })
		r := refused(t, err, "no-match")
		if len(r.Reasons) != 1 || r.Reasons[0].Filter != "price" || r.Reasons[0].Container != c.id.String() || r.Ticket != "" {
			t.Errorf("%+v", r)
		}
		if n := len(s.calls("match")); n != 1 {
			t.Errorf("%d matches: waiting changes no price", n)
		}
	})
}

// A certificate proves itself, a no does not: one indexer alone cannot hide a container.
func TestOneIndexersNoIsNotBelieved(t *testing.T) {
	play(t, func(s *scene) {
		c := s.container(1)
		liar := s.indexer(100, func(*wire.MatchRequest) ([]byte, error) {
			return nil, &rpc.Error{Code: wire.Code_NO_MATCH}
		})
		s.indexer(101)
		lied := 0
		for range 16 {
			before := len(s.calls("match"))
			l, err := s.launch()
			if err != nil || l.Container != c.id.String() {
				t.Fatal(l, err)
			}
			if s.calls("match")[before].to == liar {
				lied++
			}
		}
		if lied == 0 {
			t.Error("the liar was never asked first")
		}
		// when both say no, the one with reasons is heard, and nobody is asked a third time
		before := len(s.calls("match"))
		_, err := s.launch(func(r *LaunchRequest) { r.MaxPrice = 5 })
		if r := refused(t, err, "no-match"); len(r.Reasons) != 1 {
			t.Errorf("%+v", r)
		}
		if n := len(s.calls("match")) - before; n != 2 {
			t.Errorf("%d indexers were asked", n)
		}
	})
}

// An indexer's refusal is a stranger's text: no more of it goes on than the protocol has.
func TestARefusalIsBounded(t *testing.T) {
	play(t, func(s *scene) {
		s.container(1)
		s.indexer(100, func(*wire.MatchRequest) ([]byte, error) {
			var m wire.MatchRefusal
			for range 1000 {
				m.Rejections = append(m.Rejections, &wire.Rejection{Container: make([]byte, 999), Filter: strings.Repeat("f", 999), Reason: strings.Repeat("r", 999)})
			}
			m.Candidates = 1000
			detail, _ := proto.Marshal(&m)
			return nil, &rpc.Error{Code: wire.Code_NO_MATCH, Detail: detail}
		})
		_, err := s.launch()
		r := refused(t, err, "no-match")
		if len(r.Reasons) != 32 || len(r.Reasons[0].Reason) > 200 || len(r.Reasons[0].Filter) > 200 || len(r.Reasons[0].Container) > 400 {
			t.Error(len(r.Reasons), len(r.Reasons[0].Reason), len(r.Reasons[0].Container))
		}
	})
}

func TestNobodyIsThere(t *testing.T) {
	play(t, func(s *scene) {
		_, err := s.launch()
		refused(t, err, "no-app")
		s.container(1)
		_, err = s.launch()
		refused(t, err, "no-indexer")
		s.cannotFind(errors.New("no route"))
		dead := s.indexer(100)
		s.set(dead, nil)
		_, err = s.launch()
		refused(t, err, "no-indexer")
		s.cannotFind(nil)
		time.Sleep(findEvery)
		_, err = s.launch()
		if r := refused(t, err, "no-indexer"); !strings.Contains(r.Text, rpc.ErrUnreachable.Error()) {
			t.Error(r.Text)
		}
	})
}

// An app that no ad names may still be fetched by a container: the indexer decides.
func TestAnAppKnownByItsHashAloneIsTried(t *testing.T) {
	play(t, func(s *scene) {
		rare := sha{0xfe}
		c := s.container(1, func(a *wire.Ad) { a.FetchesApps = true })
		s.indexer(100)
		l, err := s.launch(func(r *LaunchRequest) { r.App = rare.String() })
		if err != nil || l.Container != c.id.String() {
			t.Fatal(l, err)
		}
		if m := s.calls("match")[0].req.(*wire.MatchRequest); !bytes.Equal(m.AppSha256, rare[:]) {
			t.Error("asked for", m.AppSha256)
		}
	})
}

func TestWhatThePlayerAskedForReachesTheIndexer(t *testing.T) {
	play(t, func(s *scene) {
		failed, other := s.container(1), s.container(2)
		s.indexer(100)
		exclude := []string{failed.id.String(), "not a peer id"}
		for n := byte(10); n < 40; n++ {
			_, id := key(t, n)
			exclude = append(exclude, id.String())
		}
		player := bytes.Repeat([]byte{3}, 32)
		l, err := s.launch(func(r *LaunchRequest) { r.Exclude, r.MaxPrice, r.Player = exclude, 900_000, player })
		if err != nil || l.Container != other.id.String() {
			t.Fatal(l, err)
		}
		m := s.calls("match")[0].req.(*wire.MatchRequest)
		if len(m.Exclude) != 16 || peer.ID(m.Exclude[0]) != failed.id || m.MaxPriceMicroUsdPerHour != 900_000 || m.Region != "eu" || !bytes.Equal(m.Player, player) || m.Wait {
			t.Errorf("%v", m)
		}
	})
}

// A container is a stranger: what breaks the form of the protocol is not remembered.
func TestAContainerThatBreaksTheProtocolIsPassedOver(t *testing.T) {
	long := bytes.Repeat([]byte{1}, 100_000)
	for name, resp := range map[string]*wire.ReserveResponse{
		"nothing":      {},
		"long ticket":  {Ticket: long},
		"long session": {SessionId: long, Secret: make([]byte, 32)},
		"no secret":    {SessionId: make([]byte, 16)},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(s *scene) {
				bad, good := s.container(1), s.container(2)
				bad.reserve = func(*wire.ReserveRequest) (*wire.ReserveResponse, error) { return resp, nil }
				s.indexer(100)
				if l := s.mustLaunch(); l.Container != good.id.String() {
					t.Error(l.Container)
				}
				good.reserve = bad.reserve
				_, err := s.launch()
				if r := refused(t, err, "busy"); r.Ticket != "" {
					t.Error("a ticket of", len(r.Ticket))
				}
			})
		})
	}
	for _, conn := range [][]byte{nil, long} {
		play(t, func(s *scene) {
			c := s.container(1)
			honest := c.signal
			s.indexer(100)
			c.signal = func(context.Context, *wire.SignalRequest) (*wire.SignalResponse, error) {
				return &wire.SignalResponse{Peer: conn, Answer: "answer"}, nil
			}
			_, err := s.launch()
			refused(t, err, "container-gone")
			bad := c.signal
			c.signal = honest
			l := s.mustLaunch()
			c.signal = bad
			_, err = s.g.Join(context.Background(), JoinRequest{Session: l.Session, Token: l.WatchToken, Offer: "offer"})
			refused(t, err, "container-gone")
		})
	}
}

func TestASecondContainerIsAskedForAManifestThatDoesNotParse(t *testing.T) {
	play(t, func(s *scene) {
		bad := s.container(1, func(a *wire.Ad) { a.SlotsTotal, a.SlotsFree = 0, 0 })
		_ = bad
		title := func() string {
			apps, err := s.g.Apps(context.Background())
			if err != nil || len(apps) != 1 {
				t.Fatal(apps, err)
			}
			return apps[0].Title
		}
		if title() != "Reef" {
			t.Fatal(title())
		}
		other := sha{0x55}
		names := func(a *wire.Ad) { a.Apps = []*wire.AppOffer{{Sha256: other[:], Name: "other"}} }
		broken := func(context.Context, *wire.AppRequest) (*wire.AppResponse, error) {
			return &wire.AppResponse{Manifest: []byte("title = [")}, nil
		}
		bad.app = broken
		for range 2 * maxTries {
			time.Sleep(time.Second)
			s.publish(1, names)
		}
		if title() != "other" {
			t.Error("an app without a manifest goes by its short name:", title())
		}
		n := 0
		for _, c := range s.calls("app") {
			if bytes.Equal(c.req.(*wire.AppRequest).Sha256, other[:]) {
				n++
			}
		}
		if n != maxTries {
			t.Errorf("asked %d times", n)
		}
		s.container(2, names) // its manifest is good
		synctest.Wait()
		if title() != "Reef" {
			t.Error("the honest container was not asked:", title())
		}
	})
}

// A gateway that is asked more than it can take says so and what to try; it does not
// make its callers wait, and it recovers.
func TestAFullMailboxIsSaid(t *testing.T) {
	play(t, func(s *scene) {
		s.container(1)
		hold, held := make(chan struct{}), make(chan struct{}, 1)
		s.mu.Lock()
		s.clock = func() time.Time {
			select {
			case held <- struct{}{}:
			default:
			}
			<-hold
			return time.Now()
		}
		s.mu.Unlock()
		if err := s.g.ref.Tell(getApps{}); err != nil {
			t.Fatal(err)
		}
		<-held
		for s.g.ref.Tell(getApps{}) == nil {
		}
		_, err := s.g.Apps(context.Background())
		if r := refused(t, err, "busy"); r.RetryAfter <= 0 {
			t.Error("it does not say when")
		}
		_, err = s.launch()
		refused(t, err, "busy")
		time.Sleep(time.Millisecond)
		s.publish(1) // dropped, no more
		s.mu.Lock()
		s.clock = time.Now
		s.mu.Unlock()
		close(hold)
		synctest.Wait()
		if apps, err := s.g.Apps(context.Background()); err != nil || len(apps) != 1 {
			t.Error(apps, err)
		}
	})
}

func TestOptionsAreNeeded(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("a gateway of nothing")
	}
}

// listed is a ledger's lottery: beacons in force, and who has stake.
type listed struct {
	match.Genesis
	beacons [][32]byte
	ids     []peer.ID
	err     error
}

func (l *listed) Beacon(context.Context) ([32]byte, error) { return l.beacons[0], nil }
func (l *listed) Accepts(_ context.Context, b [32]byte) bool {
	return slices.Contains(l.beacons, b)
}
func (l *listed) Drawable(_ context.Context, id peer.ID) (bool, error) {
	return slices.Contains(l.ids, id), l.err
}

// A match counts when it was drawn with the randomness of this epoch or the one before, and
// nobody without stake is asked.
func TestDrawsAreThoseOfTheLedger(t *testing.T) {
	now, last, old := [32]byte{3}, [32]byte{2}, [32]byte{1}
	l := &listed{beacons: [][32]byte{now, last}}
	playDrawn(t, l, func(s *scene) {
		with := now
		drawn := func(c *wire.Certificate) {
			c.Beacon = with[:]
			c.Drawn = [][]byte{c.Indexer}
		}
		c := s.container(1)
		_, sybil := key(t, 101)
		honest := s.indexer(100, func(r *wire.MatchRequest) ([]byte, error) { return s.certificate(100, r, drawn) })
		s.indexer(101, func(r *wire.MatchRequest) ([]byte, error) { return s.certificate(101, r, drawn) })

		_, err := s.launch()
		if r := refused(t, err, "no-indexer"); !strings.Contains(r.Text, "lists none") {
			t.Error(r.Text)
		}
		l.ids = []peer.ID{honest}
		for _, ok := range []struct {
			beacon [32]byte
			served bool
		}{{now, true}, {last, true}, {old, false}} {
			with = ok.beacon
			got, err := s.launch()
			if ok.served && (err != nil || got.Container != c.id.String()) {
				t.Errorf("beacon %x: %v", ok.beacon[:1], err)
			}
			if !ok.served {
				if r := refused(t, err, "no-indexer"); !strings.Contains(r.Text, "beacon") {
					t.Error(r.Text)
				}
			}
		}
		for _, m := range s.calls("match") {
			if m.to == sybil {
				t.Fatal("an indexer without stake was asked")
			}
		}
		l.err = errors.New("no head yet")
		_, err = s.launch()
		if r := refused(t, err, "no-indexer"); r.RetryAfter == 0 {
			t.Errorf("%+v", r)
		}
	})
}
