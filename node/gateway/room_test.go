package gateway

import (
	"bytes"
	"context"
	"testing"
	"time"

	mesh "github.com/framemesh/framemesh/actors/gateway"
	"github.com/framemesh/framemesh/node/gateway/browsertest"
)

type room struct {
	*fakeMesh
	t   *testing.T
	c   *fakeContainer
	srv *Server
	tab *browsertest.Tab
	b   *browsertest.Browser
}

// newRoom is a gateway with one container behind it and a fresh browser in front.
func newRoom(t *testing.T, opts ...browsertest.Option) *room {
	t.Helper()
	b := browsertest.Start(t, opts...)
	c := newContainer(t, 1)
	r := &room{t: t, c: c, b: b, fakeMesh: &fakeMesh{apps: testApps(), picture: testPictures}}
	r.launch = func(_ context.Context, q mesh.LaunchRequest) (*mesh.Launched, error) {
		return c.answer(mesh.RoleOwner, q.Offer, q.Player, q.App)
	}
	r.join = func(_ context.Context, q mesh.JoinRequest) (*mesh.Launched, error) {
		if q.Session != c.session {
			return nil, &mesh.Refused{Code: "no-session", Text: "That session has ended.", Try: "Start a new one."}
		}
		switch q.Token {
		case c.token():
			return c.answer(mesh.RoleOwner, q.Offer, nil, "")
		case "dd01":
			return c.answer(mesh.RolePlay, q.Offer, nil, "")
		case "ee01":
			return c.answer(mesh.RoleWatch, q.Offer, nil, "")
		}
		return nil, &mesh.Refused{Code: "unauthorised", Text: "The link is not valid.", Try: "Ask for a new one."}
	}
	r.srv = startServer(t, r)
	patient(t, r.srv)
	r.tab = b.Tab()
	return r
}

// patient lets a server's page wait longer than its users' for what a machine that stalls is late
// with. When a machine is gone is for the test to say.
func patient(t *testing.T, s *Server) {
	t.Helper()
	for _, c := range []struct{ file, was, is string }{
		{"/session.js", "SILENT_MS = 1500", "SILENT_MS = {valueOf: () => globalThis.silentMS ?? 100000}"},
		{"/session.js", "PICTURE_MS = 5000", "PICTURE_MS = 100000"},
		{"/session.js", "CONNECT_MS = 10000", "CONNECT_MS = {valueOf: () => globalThis.connectMS ?? 100000}"},
		{"/stage.js", "AbortSignal.timeout(1500)", "AbortSignal.timeout(100000)"},
		{"/app.js", "setTimeout(r, 2000)", "setTimeout(r, 100000)"},
		{"/purse.js", "AbortSignal.timeout(3000)", "AbortSignal.timeout(100000)"},
	} {
		f := s.pages.files[c.file]
		if bytes.Count(f.body, []byte(c.was)) != 1 {
			t.Fatalf("%s has not one %s", c.file, c.was)
		}
		f.body, f.tag = bytes.Replace(f.body, []byte(c.was), []byte(c.is), 1), `"patient"`
		s.pages.files[c.file] = f
	}
}

// goes lets a container fall silent, and the page notice as soon as a user's does.
func (r *room) goes(c *fakeContainer) {
	c.freeze()
	r.tab.Eval(`silentMS = 1500, 0`, nil)
}

// calm makes the page patient again.
func (r *room) calm() { r.tab.Eval(`silentMS = undefined, 0`, nil) }

// open is up to the tiles, with their prices where there are any.
func (r *room) open() {
	r.tab.Goto(r.srv.URL())
	tile := `document.querySelector('[data-app=novareef]')`
	if r.srv.opt.Ledger != nil {
		tile = `document.querySelector('[data-app=novareef] .cost')`
	}
	r.tab.Wait(tile, 10*time.Second)
}

// play is up to the first picture, with a container that can say something.
func (r *room) play() {
	r.open()
	r.tab.Click(`[data-app=novareef]`)
	r.tab.Wait(stageIsUp, 15*time.Second)
	c := r.c
	waitFor(r.t, "word of the page", func() bool { return len(c.messages("hello")) >= c.connections() })
}

// waitFor waits for something at the container's end.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			t.Fatalf("waited a minute for %s", what)
		case <-poll.C:
		}
	}
}
