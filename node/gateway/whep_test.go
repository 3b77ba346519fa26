package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	mesh "github.com/framemesh/framemesh/actors/gateway"
	"github.com/framemesh/framemesh/stream/whep"
)

func TestOfferStartsASession(t *testing.T) {
	m := &fakeMesh{}
	s := newServer(t, m, func(o *Options) { o.ICEServers = []string{"stun:stun.example.org:3478"} })
	player := strings.Repeat("ab", 32)
	r := post(s, "/whep/nova?exclude=12D3KooWAAAA&exclude=12D3KooWBBBB&price=250000&ticket=7a7a", offer, "Framemesh-Player", player, "Accept", "application/sdp, */*;q=0.5")
	if b := text(t, r); r.StatusCode != 201 || b != "v=0\r\n" {
		t.Fatalf("%d %q", r.StatusCode, b)
	}
	for k, want := range map[string]string{
		"Content-Type": whep.TypeSDP, "Location": "/whep/nova/" + testSession + "/" + testPeer, "Accept-Patch": whep.TypeFrag,
		"Link": `<stun:stun.example.org:3478>; rel="ice-server"`, "Server-Timing": "match;dur=1.5, reserve;dur=2, signal;dur=3",
		"Framemesh-Session": testSession, "Framemesh-Container": "12D3KooWContainer", "Framemesh-Role": "owner",
		"Framemesh-Certificate": "Y2VydGlmaWNhdGU=", "Framemesh-Proof": "cHJvb2Y=", "Framemesh-Owner-Token": testToken,
		"Framemesh-Play-Token": "0d0d", "Framemesh-Watch-Token": "0e0e", "Cache-Control": "no-store",
	} {
		if got := r.Header.Get(k); got != want {
			t.Errorf("%s: %q, want %q", k, got, want)
		}
	}
	if e := r.Header.Get("ETag"); len(e) < 10 || e[0] != '"' {
		t.Errorf("ETag %q", e)
	}
	q := m.lastLaunch()
	if q.App != "nova" || q.Offer != offer || q.MaxPrice != 250000 || q.Ticket != "7a7a" || fmt.Sprint(q.Exclude) != "[12D3KooWAAAA 12D3KooWBBBB]" || len(q.Player) != 32 || q.Player[0] != 0xab {
		t.Errorf("launch request %+v", q)
	}
}

func TestOfferJoinsASession(t *testing.T) {
	var got mesh.JoinRequest
	m := &fakeMesh{join: func(_ context.Context, r mesh.JoinRequest) (*mesh.Launched, error) {
		got = r
		return &mesh.Launched{Session: r.Session, Peer: "0b", Role: mesh.RoleWatch, Answer: "v=0\r\n"}, nil
	}}
	s := newServer(t, m, nil)
	r := post(s, "/whep/nova?session="+testSession+"&token="+testToken, offer)
	if r.StatusCode != 201 || got.Session != testSession || got.Token != testToken || got.Offer != offer {
		t.Fatalf("%d %+v", r.StatusCode, got)
	}
	for _, k := range []string{whep.HeaderOwnerToken, whep.HeaderPlayToken, whep.HeaderWatchToken, whep.HeaderCertificate} {
		if v, ok := r.Header[http.CanonicalHeaderKey(k)]; ok {
			t.Errorf("a viewer was handed %s: %q", k, v)
		}
	}
	// Leaving is not ending: the token is a viewer's.
	if r := do(s, "DELETE", r.Header.Get("Location"), ""); r.StatusCode != 200 {
		t.Errorf("leaving: %d", r.StatusCode)
	}
	if l := m.lefts(); len(l) != 1 || l[0].end || l[0].token != testToken {
		t.Errorf("left %+v", l)
	}
}

func TestOfferRefusals(t *testing.T) {
	m := &fakeMesh{}
	s := newServer(t, m, nil)
	ok := []string{"Content-Type", whep.TypeSDP}
	for _, c := range []struct {
		name, target, body string
		header             []string
		status             int
		code               string
	}{
		{"content type", "/whep/nova", offer, []string{"Content-Type", "text/plain"}, 415, "content-type"},
		{"no content type", "/whep/nova", offer, nil, 415, "content-type"},
		{"accept", "/whep/nova", offer, append(ok, "Accept", "text/html"), 406, "accept"},
		{"accept q=0", "/whep/nova", offer, append(ok, "Accept", "application/sdp;q=0"), 406, "accept"},
		{"size", "/whep/nova", offer + strings.Repeat("a=x:y\r\n", 10000), ok, 413, "size"},
		{"junk", "/whep/nova", "hello", ok, 400, "invalid"},
		{"empty", "/whep/nova", "", ok, 400, "invalid"},
		{"no video", "/whep/nova", strings.Replace(offer, "m=video", "m=audio", 1), ok, 400, "invalid"},
		{"sends only", "/whep/nova", strings.Replace(offer, "recvonly", "sendonly", 1), ok, 400, "invalid"},
		{"no ice", "/whep/nova", strings.Replace(offer, "a=ice-ufrag:page\r\n", "", 1), ok, 400, "invalid"},
		{"app name", "/whep/%2e%2e", offer, ok, 404, "no-app"},
		{"app name length", "/whep/" + strings.Repeat("a", 65), offer, ok, 404, "no-app"},
		{"session alone", "/whep/nova?session=0a0b", offer, ok, 400, "invalid"},
		{"token not hex", "/whep/nova?session=0a0b&token=xyz!", offer, ok, 400, "invalid"},
		{"ticket not hex", "/whep/nova?ticket=../..", offer, ok, 400, "invalid"},
		{"exclude", "/whep/nova?exclude=a/b/c/d/e/f", offer, ok, 400, "invalid"},
		{"too many excluded", "/whep/nova?" + strings.Repeat("exclude=12D3KooWAAAA&", 17), offer, ok, 400, "invalid"},
		{"price", "/whep/nova?price=-1", offer, ok, 400, "invalid"},
		{"player key", "/whep/nova", offer, append(ok, "Framemesh-Player", "abcd"), 400, "invalid"},
	} {
		t.Run(c.name, func(t *testing.T) { wantProblem(t, do(s, "POST", c.target, c.body, c.header...), c.status, c.code) })
	}
	if n := len(m.launches); n != 0 {
		t.Errorf("%d of them reached the mesh", n)
	}
}

func TestMeshRefusalsBecomeProblems(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		code   string
		retry  string
	}{
		{&mesh.Refused{Code: "no-app"}, 404, "no-app", ""},
		{&mesh.Refused{Code: "no-match", Reasons: []mesh.Reason{{Container: "12D3", Filter: "price", Reason: "too dear"}}}, 409, "no-match", ""},
		{&mesh.Refused{Code: "no-slot", Ticket: "7a7a", Position: 2, RetryAfter: 2500 * time.Millisecond}, 503, "no-slot", "3"},
		{&mesh.Refused{Code: "no-indexer"}, 503, "no-indexer", "2"},
		{&mesh.Refused{Code: "no-session"}, 404, "no-session", ""},
		{&mesh.Refused{Code: "unauthorised"}, 401, "unauthorised", ""},
		{&mesh.Refused{Code: "invalid"}, 400, "invalid", ""},
		{fmt.Errorf("wrapped: %w", &mesh.Refused{Code: "container-gone"}), 410, "container-gone", ""},
		{&mesh.Refused{Code: "busy"}, 503, "busy", "2"},
		{&mesh.Refused{Code: "from-the-future"}, 502, "from-the-future", ""},
		{context.DeadlineExceeded, 504, "deadline", ""},
		{errors.New("secret detail of this machine"), 502, "internal", ""},
	} {
		t.Run(c.code, func(t *testing.T) {
			var no *mesh.Refused
			if errors.As(c.err, &no) {
				no.Text, no.Try = "It is so.", "Try this."
			}
			s := newServer(t, &fakeMesh{launch: func(context.Context, mesh.LaunchRequest) (*mesh.Launched, error) { return nil, c.err }}, nil)
			r := post(s, "/whep/nova", offer)
			if got := r.Header.Get("Retry-After"); got != c.retry {
				t.Errorf("Retry-After %q, want %q", got, c.retry)
			}
			p := wantProblem(t, r, c.status, c.code)
			if strings.Contains(p.Detail, "secret") {
				t.Error("an internal error reached the client")
			}
			if no != nil && no.Ticket != "" && (p.Queue == nil || p.Queue.Ticket != "7a7a" || p.Queue.Position != 2) {
				t.Errorf("queue %+v", p.Queue)
			}
			if len(p.Reasons) != 0 && p.Reasons[0].Reason != "too dear" {
				t.Errorf("reasons %+v", p.Reasons)
			}
			if c.status == 401 && r.Header.Get("WWW-Authenticate") != "Bearer" {
				t.Error("401 without WWW-Authenticate")
			}
		})
	}
}

func TestTrickleAndRestart(t *testing.T) {
	var trickled, restarted []string
	m := &fakeMesh{
		trickle: func(session, peer, token, f string) error {
			trickled = append(trickled, session+peer+token+f)
			return nil
		},
		restart: func(_, _, _, f string) (string, error) {
			restarted = append(restarted, f)
			return "a=ice-ufrag:container\r\n", nil
		},
	}
	s := newServer(t, m, nil)
	made := post(s, "/whep/nova", offer)
	at, tag := made.Header.Get("Location"), made.Header.Get("ETag")
	patch := func(body, match string, header ...string) *http.Response {
		h := append([]string{"Content-Type", whep.TypeFrag}, header...)
		if match != "" {
			h = append(h, "If-Match", match)
		}
		return do(s, "PATCH", at, body, h...)
	}
	old, fresh := "a=ice-ufrag:page\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n", "a=ice-ufrag:anew\r\na=ice-pwd:x\r\n"
	if r := patch(old, tag); r.StatusCode != 204 {
		t.Errorf("trickle: %d", r.StatusCode)
	}
	if len(trickled) != 1 || trickled[0] != testSession+testPeer+testToken+old {
		t.Errorf("trickled %q", trickled)
	}
	wantProblem(t, patch(old, ""), 428, "if-match")
	wantProblem(t, patch(old, `"other"`), 412, "if-match")
	wantProblem(t, patch(old, "*"), 412, "if-match")
	wantProblem(t, patch(old+strings.Repeat("a=x\r\n", 5000), tag), 413, "size")
	wantProblem(t, do(s, "PATCH", at, old, "Content-Type", whep.TypeSDP, "If-Match", tag), 415, "content-type")
	wantProblem(t, patch(old, tag, "Authorization", "Bearer 00ff"), 401, "unauthorised")

	r := patch(fresh, "*")
	if b := text(t, r); r.StatusCode != 200 || b != "a=ice-ufrag:container\r\n" || r.Header.Get("Content-Type") != whep.TypeFrag || r.Header.Get("ETag") == tag {
		t.Errorf("restart: %d %q %v", r.StatusCode, b, r.Header)
	}
	wantProblem(t, patch(old, tag), 412, "if-match") // of the ICE session before
	if r := patch(fresh, r.Header.Get("ETag")); r.StatusCode != 204 || len(restarted) != 1 {
		t.Errorf("trickle after the restart: %d, %d restarts", r.StatusCode, len(restarted))
	}
	at = "/whep/nova/ffff/ffff"
	wantProblem(t, patch(old, tag), 404, "no-session")
}

func TestDeleteEndsOnce(t *testing.T) {
	m := &fakeMesh{}
	s := newServer(t, m, nil)
	at := post(s, "/whep/nova", offer).Header.Get("Location")
	wantProblem(t, do(s, "DELETE", at, "", "Authorization", "Bearer 1111"), 401, "unauthorised")
	if r := do(s, "DELETE", at, "", "Authorization", "Bearer "+testToken); r.StatusCode != 200 {
		t.Fatalf("delete: %d", r.StatusCode)
	}
	wantProblem(t, do(s, "DELETE", at, ""), 404, "no-session")
	if l := m.lefts(); len(l) != 1 || l[0] != (left{testSession, testPeer, testToken, true}) {
		t.Errorf("left %+v", l)
	}
	// After a restart of the gateway the token still ends the session.
	if r := do(s, "DELETE", at, "", "Authorization", "Bearer "+testToken); r.StatusCode != 200 || len(m.lefts()) != 2 {
		t.Errorf("delete by token: %d", r.StatusCode)
	}
	// A session that is gone already is as good as ended.
	m.leave = func(string, string, string, bool) error {
		return &mesh.Refused{Code: "container-gone", Text: "Gone.", Try: "Nothing."}
	}
	at = post(s, "/whep/nova", offer).Header.Get("Location")
	if r := do(s, "DELETE", at, ""); r.StatusCode != 200 {
		t.Errorf("delete of a session that is gone: %d", r.StatusCode)
	}
}

func TestOptionsAndMethods(t *testing.T) {
	s := newServer(t, &fakeMesh{}, func(o *Options) { o.ICEServers = []string{"stun:a.example", "stun:b.example"} })
	r := do(s, "OPTIONS", "/whep/nova", "")
	if r.StatusCode != 204 || r.Header.Get("Accept-Post") != whep.TypeSDP || len(r.Header.Values("Link")) != 2 {
		t.Errorf("OPTIONS: %d %v", r.StatusCode, r.Header)
	}
	if r := do(s, "OPTIONS", "/whep/nova/0a/0b", ""); r.StatusCode != 204 || r.Header.Get("Accept-Patch") != whep.TypeFrag {
		t.Errorf("OPTIONS of a resource: %d %v", r.StatusCode, r.Header)
	}
	for target, allow := range map[string]string{"/whep/nova": "POST, OPTIONS", "/whep/nova/0a/0b": "PATCH, DELETE, OPTIONS"} {
		r := do(s, "GET", target, "")
		if got := r.Header.Get("Allow"); got != allow {
			t.Errorf("GET %s: Allow %q, want %q", target, got, allow)
		}
		wantProblem(t, r, 405, "method")
	}
	wantProblem(t, do(s, "POST", "/api/apps", "{}"), 405, "method")
	wantProblem(t, do(s, "PUT", "/", "x"), 405, "method")
	wantProblem(t, do(s, "GET", "/api/none", ""), 404, "no-page")
	wantProblem(t, do(s, "GET", "/none", ""), 404, "no-page")
}

// FuzzOffer: whatever a client posts as an offer is answered, with 201 only when it
// could be one, and nothing panics.
func FuzzOffer(f *testing.F) {
	f.Add(offer, "nova", "")
	f.Add("v=0", "nova", "session=0a&token=0b")
	f.Add(strings.Replace(offer, "recvonly", "sendonly", 1), "..", "exclude=x")
	f.Add("", "", "price=1")
	s := newServer(f, &fakeMesh{}, nil)
	f.Fuzz(func(t *testing.T, body, app, query string) {
		r := httptest.NewRequest("POST", "/whep/x", strings.NewReader(body))
		r.Host, r.URL.RawQuery = "localhost", query
		r.SetPathValue("app", app)
		r.Header.Set("Content-Type", whep.TypeSDP)
		w := httptest.NewRecorder()
		s.postOffer(w, r)
		if w.Code == 201 && (iceUfrag(body) == "" || !strings.Contains(body, "m=video") || len(body) > maxOffer) {
			t.Errorf("accepted %q", body)
		}
		if w.Code != 201 && w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%d without words", w.Code)
		}
	})
}
