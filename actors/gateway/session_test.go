package gateway

import (
	"context"
	"encoding/hex"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
)

func TestJoinByLink(t *testing.T) {
	play(t, func(s *scene) {
		c := s.container(1)
		s.indexer(100)
		l := s.mustLaunch()
		join := func(session, token string) (*Launched, error) {
			return s.g.Join(context.Background(), JoinRequest{Session: session, Token: token, Offer: "offer"})
		}
		for role, token := range map[Role]string{RoleOwner: l.OwnerToken, RolePlay: l.PlayToken, RoleWatch: l.WatchToken} {
			j, err := join(l.Session, token)
			if err != nil || j.Role != role || j.Container != c.id.String() || j.Session != l.Session || j.Answer != "answer" {
				t.Fatalf("%s: %+v %v", role, j, err)
			}
			given := map[Role]string{RoleOwner: j.OwnerToken, RolePlay: j.PlayToken, RoleWatch: j.WatchToken}
			for r, has := range given {
				if (r == role) != (has != "") {
					t.Errorf("%s was given the token of %s: %q", role, r, has)
				}
			}
		}
		for _, unknown := range []string{"", "zz", "0102", strings.Repeat("ab", 16), strings.Repeat("ab", 32)} {
			_, err := join(unknown, l.WatchToken)
			refused(t, err, "no-session")
		}
		for _, wrong := range []string{"", "zz", "0102", strings.Repeat("ab", 32)} {
			_, err := join(l.Session, wrong)
			refused(t, err, "unauthorised")
		}
	})
}

// A plain WHEP player has its resource's address and no token: the gateway knows it
// until that connection leaves.
func TestStepsOfAConnection(t *testing.T) {
	play(t, func(s *scene) {
		s.container(1)
		s.indexer(100)
		l := s.mustLaunch()
		ctx := context.Background()
		if err := s.g.Trickle(ctx, l.Session, l.Peer, "", "fragment"); err != nil {
			t.Error(err)
		}
		if got, err := s.g.Restart(ctx, l.Session, l.Peer, l.OwnerToken, "fragment"); err != nil || got != "answer" {
			t.Error(got, err)
		}
		calls := s.calls("signal")
		last := calls[len(calls)-1].req.(*wire.SignalRequest)
		if last.GetRestart().GetFragment() != "fragment" || hex.EncodeToString(last.Peer) != l.Peer {
			t.Error(last)
		}
		refused(t, s.g.Trickle(ctx, l.Session, "ffff", "", "fragment"), "unauthorised")
		for _, bad := range []string{"", "zz", strings.Repeat("ab", 100)} {
			refused(t, s.g.Trickle(ctx, l.Session, bad, l.OwnerToken, "fragment"), "no-session")
		}
		if err := s.g.Leave(ctx, l.Session, l.Peer, "", false); err != nil {
			t.Error(err)
		}
		refused(t, s.g.Trickle(ctx, l.Session, l.Peer, "", "fragment"), "unauthorised")
	})
}

func TestStatus(t *testing.T) {
	play(t, func(s *scene) {
		c := s.container(1)
		s.indexer(100)
		l := s.mustLaunch()
		st, err := s.g.Status(context.Background(), l.Session, l.WatchToken)
		if err != nil || st.Phase != "playing" || st.App != "Reef" || st.Viewers != 1 || st.Container != c.id.String() || st.Encoder != "fake" {
			t.Errorf("%+v %v", st, err)
		}
		_, err = s.g.Status(context.Background(), l.Session, "")
		refused(t, err, "unauthorised")

		// the machine hangs: its silence is told within a second and a half
		c.signal = func(ctx context.Context, _ *wire.SignalRequest) (*wire.SignalResponse, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		began := time.Now()
		_, err = s.g.Status(context.Background(), l.Session, l.WatchToken)
		if r := refused(t, err, "container-gone"); len(r.Reasons) != 1 || time.Since(began) > 1500*time.Millisecond {
			t.Errorf("%+v after %v", r, time.Since(began))
		}
		s.set(c.id, nil) // its socket is closed
		began = time.Now()
		_, err = s.g.Status(context.Background(), l.Session, l.WatchToken)
		if refused(t, err, "container-gone"); time.Since(began) != 0 {
			t.Error("a closed socket took", time.Since(began))
		}
	})
}

func TestTheContainersWordsReachThePlayer(t *testing.T) {
	for code, want := range map[wire.Code]string{
		wire.Code_NOT_FOUND: "no-session", wire.Code_EXPIRED: "no-session", wire.Code_UNAUTHORISED: "unauthorised",
		wire.Code_INVALID: "invalid", wire.Code_TOO_LARGE: "invalid", wire.Code_BUSY: "busy",
		wire.Code_UNAVAILABLE: "container-gone", wire.Code_INTERNAL: "container-gone", wire.Code_DEADLINE: "container-gone",
	} {
		_, id := key(t, 1)
		r := refused(t, refusedBy(id, &rpc.Error{Code: code, Message: "because", RetryAfter: 3 * time.Second}), want)
		if r.Text != "because" || r.RetryAfter != 3*time.Second {
			t.Errorf("%v: %+v", code, r)
		}
	}
}

func TestAnUnusedSessionIsForgotten(t *testing.T) {
	play(t, func(s *scene) {
		s.container(1)
		s.indexer(100)
		l := s.mustLaunch()
		time.Sleep(sessionKept + 2*tickEvery)
		synctest.Wait()
		_, err := s.g.Status(context.Background(), l.Session, l.OwnerToken)
		refused(t, err, "no-session")
	})
}

func TestPictures(t *testing.T) {
	play(t, func(s *scene) {
		mute, big, good := s.container(1), s.container(2), s.container(3)
		hang := func(ctx context.Context, _ *wire.AppRequest) (*wire.AppResponse, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		mute.app = hang
		big.app = func(context.Context, *wire.AppRequest) (*wire.AppResponse, error) {
			return &wire.AppResponse{Picture: make([]byte, 200<<10+1)}, nil
		}
		for range 2 {
			if b, err := s.g.Picture(context.Background(), "reef"); err != nil || string(b) != "png" {
				t.Fatal(len(b), err)
			}
			good.app = hang // it is remembered
		}
		_, err := s.g.Picture(context.Background(), "nobody")
		refused(t, err, "no-app")
		none := sha{3}
		_, err = s.g.Picture(context.Background(), none.String())
		refused(t, err, "no-picture")
	})
}
