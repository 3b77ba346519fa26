package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/framemesh/framemesh/actors/gateway/complain"
	"github.com/framemesh/framemesh/p2p/wire"
)

// fakeDesk takes what it is given, or says why not.
type fakeDesk struct {
	got *wire.Gone
	err error
}

func (f *fakeDesk) Take(_ context.Context, g *wire.Gone) error {
	f.got = g
	return f.err
}

const missedSession = "000102030405060708090a0b0c0d0e0f"

func missedBody(change func(map[string]any)) string {
	m := map[string]any{"container": strings.Repeat("c1", 32), "player": strings.Repeat("ab", 32), "seconds": 7, "at_ms": 1_800_000_000_000, "sig": strings.Repeat("5e", 64),
		"per_second": "18446744073709551615", "opened_ms": 1_799_999_999_000, "taken": strings.Repeat("7a", 64)}
	if change != nil {
		change(m)
	}
	b, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestComplaintsGoToTheDesk(t *testing.T) {
	synctest.Test(t, complaintsGoToTheDesk) // no time passes, so that limits stay used up
}

func complaintsGoToTheDesk(t *testing.T) {
	d := &fakeDesk{}
	s, err := New(Options{Mesh: &fakeMesh{}, Complaints: d})
	if err != nil {
		t.Fatal(err)
	}
	post := func(path, kind, body string, change func(*http.Request)) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "http://localhost"+path, strings.NewReader(body))
		r.Header.Set("Content-Type", kind)
		if change != nil {
			change(r)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w
	}
	path := "/api/sessions/" + missedSession + "/gone"
	if w := post(path, typeJSON, missedBody(nil), nil); w.Code != http.StatusAccepted || d.got.GetSeconds() != 7 || d.got.GetAtMs() != 1_800_000_000_000 || d.got.GetSession()[15] != 15 || len(d.got.GetSignature()) != 64 ||
		d.got.GetPerSecond() != 1<<64-1 || d.got.GetOpenedMs() != 1_799_999_999_000 || d.got.GetTaken()[63] != 0x7a {
		t.Fatal(w.Code, w.Body, d.got)
	}
	d.got = nil
	for name, c := range map[string]struct {
		path, kind, body string
		change           func(*http.Request)
		want             int
	}{
		"another kind":         {path, "text/plain", missedBody(nil), nil, http.StatusUnsupportedMediaType},
		"too large":            {path, typeJSON, missedBody(func(m map[string]any) { m["sig"] = strings.Repeat("5e", 2000) }), nil, http.StatusRequestEntityTooLarge},
		"a short key":          {path, typeJSON, missedBody(func(m map[string]any) { m["player"] = "ab" }), nil, http.StatusBadRequest},
		"a price that is none": {path, typeJSON, missedBody(func(m map[string]any) { m["per_second"] = "-1" }), nil, http.StatusBadRequest},
		"nothing taken":        {path, typeJSON, missedBody(func(m map[string]any) { delete(m, "taken") }), nil, http.StatusBadRequest},
		"more than asked":      {path, typeJSON, missedBody(func(m map[string]any) { m["more"] = 1 }), nil, http.StatusBadRequest},
		"no session's name":    {"/api/sessions/00/gone", typeJSON, missedBody(nil), nil, http.StatusBadRequest},
		"another site":         {path, typeJSON, missedBody(nil), func(r *http.Request) { r.Header.Set("Origin", "https://elsewhere.example") }, http.StatusForbidden},
	} {
		if w := post(c.path, c.kind, c.body, c.change); w.Code != c.want || d.got != nil {
			t.Errorf("%s: %d %s, passed on %v", name, w.Code, w.Body, d.got)
		}
	}
	for want, err := range map[int]error{http.StatusForbidden: complain.ErrForged, http.StatusConflict: complain.ErrClock, http.StatusNotFound: complain.ErrNoSession} {
		if d.err = err; post(path, typeJSON, missedBody(nil), nil).Code != want {
			t.Errorf("%v is no %d", err, want)
		}
	}
	d.err = nil
	limited := 0
	for range 2 * lookBurst {
		if post(path, typeJSON, missedBody(nil), nil).Code == http.StatusTooManyRequests {
			limited++
		}
	}
	if limited == 0 {
		t.Error("complaints are not limited, and each asks the ledger")
	}
	r := httptest.NewRecorder()
	s.ServeHTTP(r, httptest.NewRequest(http.MethodGet, "http://localhost"+path, nil))
	if r.Code != http.StatusMethodNotAllowed {
		t.Error(r.Code)
	}
}

// FuzzGone: no body crashes the decoder, and what it takes has its lengths.
func FuzzGone(f *testing.F) {
	f.Add(missedSession, []byte(missedBody(nil)))
	f.Add("", []byte("{}"))
	f.Add(missedSession, []byte(missedBody(func(m map[string]any) { m["seconds"] = -1 })))
	f.Add(missedSession, append([]byte(missedBody(nil)), "{}"...))
	f.Fuzz(func(t *testing.T, session string, body []byte) {
		g, err := decodeGone(session, body)
		if err != nil {
			if !errors.Is(err, errGone) || g != nil {
				t.Fatal(g, err)
			}
			return
		}
		if len(g.GetContainer()) != 32 || len(g.GetSession()) != 16 || len(g.GetPlayer()) != 32 || len(g.GetSignature()) != 64 || !bytes.Contains(body, []byte("sig")) {
			t.Fatal(g)
		}
	})
}
