package gateway

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	mesh "github.com/framemesh/framemesh/actors/gateway"
)

// maxPicture bounds a catalogue picture in bytes; the wire allows as much.
const maxPicture = 200 << 10

var pngMagic = []byte("\x89PNG\r\n\x1a\n")

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // a client that went away is no error of ours
}

// getApps lists what can be played now. The Link headers carry the ICE servers, so
// that the page knows them before its first offer.
func (s *Server) getApps(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := deadline(r, stepTimeout)
	defer cancel()
	apps, err := s.opt.Mesh.Apps(ctx)
	if err != nil {
		s.fail(w, r, "apps", err)
		return
	}
	if apps == nil {
		apps = []mesh.App{}
	}
	s.linkHeaders(w.Header())
	writeJSON(w, struct {
		Apps []mesh.App `json:"apps"`
	}{apps})
}

// getPicture serves a picture that a container sent: only a PNG, and never as
// anything else.
func (s *Server) getPicture(w http.ResponseWriter, r *http.Request) {
	app := r.PathValue("app")
	none := func() {
		invalid(w, http.StatusNotFound, "no-picture", "This app has no picture.", "The page draws one of its own.")
	}
	if !appRule.MatchString(app) {
		none()
		return
	}
	ctx, cancel := deadline(r, stepTimeout)
	defer cancel()
	b, err := s.opt.Mesh.Picture(ctx, app)
	if err != nil {
		s.fail(w, r, "picture", err)
		return
	}
	if len(b) > maxPicture || !bytes.HasPrefix(b, pngMagic) {
		none()
		return
	}
	sum := sha256.Sum256(b)
	h := w.Header()
	h.Set("Content-Type", "image/png")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cache-Control", "private, max-age=300")
	h.Set("ETag", `"`+hex.EncodeToString(sum[:12])+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
}

func (s *Server) getNode(w http.ResponseWriter, r *http.Request) { writeJSON(w, s.opt.Mesh.Node()) }

// getSession asks the container whether a session lives: 410 when it is gone.
func (s *Server) getSession(w http.ResponseWriter, r *http.Request) {
	session, token := r.PathValue("session"), r.URL.Query().Get("token")
	if b, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		token = b
	}
	if !hexRule.MatchString(session) {
		invalid(w, http.StatusNotFound, "no-session", "There is no such session.", "Start a new one.")
		return
	}
	if !hexRule.MatchString(token) {
		w.Header().Set("WWW-Authenticate", "Bearer")
		invalid(w, http.StatusUnauthorized, "unauthorised", "The session's token is missing.", "Send ?token= or Authorization: Bearer.")
		return
	}
	ctx, cancel := deadline(r, stepTimeout)
	defer cancel()
	st, err := s.opt.Mesh.Status(ctx, session, token)
	var no *mesh.Refused
	if errors.As(err, &no) && no.Code == "no-session" {
		err = &mesh.Refused{Code: "container-gone", Text: no.Text, Try: no.Try} // it was there once: gone
	}
	if err != nil {
		s.fail(w, r, "status", err)
		return
	}
	writeJSON(w, st)
}

// getQueue tells a waiting player its place, as server-sent events. The stream ends
// with the wait.
func (s *Server) getQueue(w http.ResponseWriter, r *http.Request) {
	ticket := r.PathValue("ticket")
	if !hexRule.MatchString(ticket) {
		invalid(w, http.StatusNotFound, "no-ticket", "There is no such ticket.", "Start again to get a new one.")
		return
	}
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		w.Header().Set("Retry-After", "5")
		invalid(w, http.StatusServiceUnavailable, "busy", "Too many players wait through this gateway.", "Try again in a few seconds.")
		return
	}
	ctx := r.Context()
	events, err := s.opt.Mesh.Queue(ctx, ticket)
	if err != nil {
		s.fail(w, r, "queue", err)
		return
	}
	s.met.waiting.Inc()
	defer s.met.waiting.Dec()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // proxies must not hold a line back
	w.WriteHeader(http.StatusOK)
	rc := http.NewResponseController(w)
	beat := time.NewTicker(10 * time.Second)
	defer beat.Stop()
	for {
		_ = rc.SetWriteDeadline(time.Now().Add(5 * time.Second)) // a stalled reader is let go
		if err := rc.Flush(); err != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
			if _, err := fmt.Fprint(w, ": still waiting\n\n"); err != nil {
				return
			}
		case e, ok := <-events:
			if !ok {
				return
			}
			b, err := json.Marshal(e)
			if err != nil {
				return
			}
			if _, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", eventName(e.State), b); err != nil {
				return
			}
			if e.State == "ready" || e.State == "gone" {
				_ = rc.Flush()
				return
			}
		}
	}
}

// eventName maps a queue state to the event's name on the stream.
func eventName(state string) string {
	switch state {
	case "ready", "gone":
		return state
	}
	return "position"
}

func (s *Server) getHealth(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}
