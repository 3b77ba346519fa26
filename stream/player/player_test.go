package player

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/framemesh/framemesh/stream/whep"
)

func TestRefusalsAreTold(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter)
		want   error
		status int
	}{
		"queue": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", whep.TypeProblem)
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, `{"title":"No free slot","status":503,"try":"wait","queue":{"ticket":"00","position":2}}`)
		}, nil, 503},
		"plain error": {func(w http.ResponseWriter) { http.Error(w, "no", http.StatusNotFound) }, nil, 404},
		"bad problem": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", whep.TypeProblem)
			w.WriteHeader(409)
			_, _ = io.WriteString(w, "{")
		}, nil, 409},
		"not SDP": {func(w http.ResponseWriter) { w.WriteHeader(http.StatusCreated); _, _ = io.WriteString(w, "<html>") }, ErrAnswer, 0},
		"no location": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", whep.TypeSDP)
			w.WriteHeader(http.StatusCreated)
		}, ErrAnswer, 0},
		"another host": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", whep.TypeSDP)
			w.Header().Set("Location", "http://203.0.113.1/whep/a/00/00")
			w.WriteHeader(http.StatusCreated)
		}, errRedirect, 0},
		"junk answer": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", whep.TypeSDP)
			w.Header().Set("Location", "/whep/a/00/00")
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, "v=0")
		}, ErrAnswer, 0},
	} {
		deleted := false
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.Method {
			case http.MethodPost:
				if err := errors.Join(whep.CheckContentType(r.Header.Get("Content-Type"), whep.TypeSDP), whep.CheckAccept(r.Header.Get("Accept"), whep.TypeSDP)); err != nil {
					t.Error(err)
				}
				c.answer(w)
			case http.MethodDelete:
				deleted = true
			}
		}))
		_, err := Play(t.Context(), Options{URL: srv.URL + "/whep/a"})
		srv.Close()
		var p *whep.Problem
		switch {
		case c.want != nil && !errors.Is(err, c.want):
			t.Errorf("%s: %v, want %v", name, err, c.want)
		case c.status != 0 && (!errors.As(err, &p) || p.Status != c.status):
			t.Errorf("%s: %v, want status %d", name, err, c.status)
		}
		if name == "queue" && (p.Queue == nil || p.Queue.Position != 2) {
			t.Errorf("%s: %+v", name, p)
		}
		if name == "junk answer" && !deleted {
			t.Errorf("%s: the session was left behind", name)
		}
	}
	if _, err := Play(t.Context(), Options{}); !errors.Is(err, errNoURL) {
		t.Errorf("without a URL: %v", err)
	}
}
