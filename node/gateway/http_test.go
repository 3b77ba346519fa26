package gateway

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	mesh "github.com/framemesh/framemesh/actors/gateway"
	"github.com/framemesh/framemesh/stream/whep"
)

const offer = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:page\r\na=ice-pwd:secretsecretsecretsecret\r\na=recvonly\r\na=rtpmap:96 H264/90000\r\n"

// do sends one request to the server as a browser on this machine would, unless a
// header says otherwise ("Host" sets the host).
func do(s *Server, method, target, body string, header ...string) *http.Response {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host, r.RemoteAddr = "localhost:8080", "127.0.0.1:5555"
	r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}))
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		} else {
			r.Header.Set(header[i], header[i+1])
		}
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result()
}

func post(s *Server, target, body string, header ...string) *http.Response {
	return do(s, "POST", target, body, append([]string{"Content-Type", whep.TypeSDP}, header...)...)
}

func text(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// wantProblem checks status, code and that people are told what and what to try.
func wantProblem(t *testing.T, r *http.Response, status int, code string) problem {
	t.Helper()
	var p problem
	body := text(t, r)
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		t.Fatalf("status %d, body is no problem document: %q", r.StatusCode, body)
	}
	if r.StatusCode != status || p.Status != status || p.Code != code {
		t.Errorf("got %d %q, want %d %q (%s)", r.StatusCode, p.Code, status, code, body)
	}
	if r.Header.Get("Content-Type") != "application/problem+json" || p.Type != "urn:framemesh:problem:"+code || p.Title == "" || p.Detail == "" || p.Try == "" {
		t.Errorf("incomplete problem: %+v", p)
	}
	return p
}

func TestForeignHostsAndOrigins(t *testing.T) {
	m := &fakeMesh{apps: testApps()}
	s := newServer(t, m, func(o *Options) {
		o.Hosts, o.PublicOrigins = []string{"play.example.org"}, []string{"https://friend.example"}
	})
	for _, host := range []string{"localhost", "LOCALHOST:1234", "localhost.", "127.0.0.1:8080", "[::1]:8080", "127.9.9.9", "play.example.org", "play.example.org:443"} {
		if r := do(s, "GET", "/api/apps", "", "Host", host); r.StatusCode != 200 {
			t.Errorf("host %s: %d", host, r.StatusCode)
		}
	}
	for _, host := range []string{"evil.example", "evil.example:8080", "", "192.0.2.7", "localhost.evil.example", "play.example.org.evil.example", "[fe80::1]"} {
		wantProblem(t, do(s, "GET", "/api/apps", "", "Host", host), 421, "host")
	}
	for _, h := range [][]string{
		{"Origin", "https://evil.example"}, {"Origin", "null"}, {"Origin", "http://localhost:9999"}, {"Origin", "http://localhost:8080.evil.example"},
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"},
	} {
		wantProblem(t, post(s, "/whep/nova", offer, h...), 403, "origin")
		wantProblem(t, do(s, "DELETE", "/whep/nova/0a/0b", "", h...), 403, "origin")
		if r := do(s, "GET", "/api/apps", "", h...); r.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%v may read the catalogue", h)
		}
	}
	if len(m.launches) != 0 {
		t.Fatal("a foreign page started a session")
	}
	for _, h := range [][]string{{"Origin", "http://localhost:8080", "Sec-Fetch-Site", "same-origin"}, {"Origin", "https://localhost:8080"}, {"Sec-Fetch-Site", "none"}, {}} {
		if r := post(s, "/whep/nova", offer, h...); r.StatusCode != 201 {
			t.Errorf("%v: %d", h, r.StatusCode)
		}
	}
	pre := do(s, "OPTIONS", "/whep/nova", "", "Origin", "https://friend.example", "Access-Control-Request-Method", "POST")
	if pre.StatusCode != 204 || pre.Header.Get("Access-Control-Allow-Origin") != "https://friend.example" || !strings.Contains(pre.Header.Get("Access-Control-Allow-Headers"), "Content-Type") {
		t.Errorf("preflight: %d %v", pre.StatusCode, pre.Header)
	}
	r := post(s, "/whep/nova", offer, "Origin", "https://friend.example", "Sec-Fetch-Site", "cross-site")
	if r.StatusCode != 201 || r.Header.Get("Access-Control-Allow-Origin") == "" || !strings.Contains(r.Header.Get("Access-Control-Expose-Headers"), "Location") {
		t.Errorf("a configured origin: %d %v", r.StatusCode, r.Header)
	}
	if r := do(s, "GET", "/api/apps", "", "Origin", "https://friend.example"); r.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("CORS beyond the WHEP endpoint")
	}
}

func TestBadOptions(t *testing.T) {
	for name, o := range map[string]Options{
		"no mesh":         {},
		"host with port":  {Mesh: &fakeMesh{}, Hosts: []string{"a.example:80"}},
		"host with star":  {Mesh: &fakeMesh{}, Hosts: []string{"*.example"}},
		"origin star":     {Mesh: &fakeMesh{}, PublicOrigins: []string{"*"}},
		"origin wildcard": {Mesh: &fakeMesh{}, PublicOrigins: []string{"https://*.example"}},
		"origin path":     {Mesh: &fakeMesh{}, PublicOrigins: []string{"https://a.example/x"}},
		"origin scheme":   {Mesh: &fakeMesh{}, PublicOrigins: []string{"file://a"}},
	} {
		if _, err := New(o); !errors.Is(err, ErrOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	s := newServer(t, &fakeMesh{}, nil)
	for _, target := range []string{"/", "/app.js", "/api/apps", "/none", "/healthz"} {
		h := do(s, "GET", target, "").Header
		for k, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cross-Origin-Opener-Policy": "same-origin", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"} {
			if h.Get(k) != want {
				t.Errorf("%s: %s is %q", target, k, h.Get(k))
			}
		}
		if csp := h.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q", target, csp)
		}
	}
	// Files are revalidated by hash.
	r := do(s, "GET", "/app.js", "")
	if r := do(s, "GET", "/app.js", "", "If-None-Match", r.Header.Get("ETag")); r.StatusCode != 304 {
		t.Errorf("revalidation: %d", r.StatusCode)
	}
	for site, want := range map[string]string{"none": "direct", "same-origin": "direct", "cross-site": "site", "same-site": "site", "": "unknown"} {
		if got := do(s, "GET", "/", "", "Sec-Fetch-Site", site).Header.Get("Server-Timing"); got != `opened;desc="`+want+`"` {
			t.Errorf("Sec-Fetch-Site %q: %s", site, got)
		}
	}
}

func TestCatalogueNodeAndPictures(t *testing.T) {
	png := append([]byte(nil), pngMagic...)
	m := &fakeMesh{apps: testApps(), picture: func(app string) ([]byte, error) {
		switch app {
		case "good":
			return png, nil
		case "html":
			return []byte("<script>alert(1)</script>"), nil
		case "large":
			return append(pngMagic, make([]byte, maxPicture)...), nil
		}
		return nil, &mesh.Refused{Code: "no-app", Text: "None.", Try: "Nothing."}
	}}
	s := newServer(t, m, func(o *Options) { o.ICEServers = []string{"stun:a.example"} })
	r := do(s, "GET", "/api/apps", "")
	var got struct{ Apps []mesh.App }
	if err := json.Unmarshal([]byte(text(t, r)), &got); err != nil || len(got.Apps) != 3 || got.Apps[1].Name != "duel" || r.Header.Get("Link") == "" {
		t.Errorf("apps: %v %+v", err, got)
	}
	if b := text(t, do(newServer(t, &fakeMesh{}, nil), "GET", "/api/apps", "")); b != "{\"apps\":[]}\n" {
		t.Errorf("no apps: %q", b)
	}
	var n mesh.Node
	if err := json.Unmarshal([]byte(text(t, do(s, "GET", "/api/node", ""))), &n); err != nil || n.Network != "testnet" {
		t.Errorf("node: %v %+v", err, n)
	}
	r = do(s, "GET", "/api/apps/good/picture", "")
	if r.StatusCode != 200 || r.Header.Get("Content-Type") != "image/png" || r.Header.Get("ETag") == "" || text(t, r) != string(png) {
		t.Errorf("picture: %d %v", r.StatusCode, r.Header)
	}
	for _, app := range []string{"html", "large", "%2e%2e%2fx"} {
		wantProblem(t, do(s, "GET", "/api/apps/"+app+"/picture", ""), 404, "no-picture")
	}
	wantProblem(t, do(s, "GET", "/api/apps/none/picture", ""), 404, "no-app")
}

func TestSessionStatus(t *testing.T) {
	m := &fakeMesh{}
	s := newServer(t, m, nil)
	if r := do(s, "GET", "/api/sessions/0a0b?token=0c0d", ""); r.StatusCode != 200 || !strings.Contains(text(t, r), `"phase":"playing"`) {
		t.Errorf("status: %d", r.StatusCode)
	}
	if r := do(s, "GET", "/api/sessions/0a0b", "", "Authorization", "Bearer 0c0d"); r.StatusCode != 200 {
		t.Errorf("status by bearer: %d", r.StatusCode)
	}
	wantProblem(t, do(s, "GET", "/api/sessions/0a0b", ""), 401, "unauthorised")
	wantProblem(t, do(s, "GET", "/api/sessions/xyz?token=0c0d", ""), 404, "no-session")
	for _, code := range []string{"no-session", "container-gone"} {
		m.status = func(context.Context, string, string) (mesh.SessionStatus, error) {
			return mesh.SessionStatus{}, &mesh.Refused{Code: code, Text: "It is gone.", Try: "Start again."}
		}
		wantProblem(t, do(s, "GET", "/api/sessions/0a0b?token=0c0d", ""), 410, "container-gone")
	}
}

func TestQueueStream(t *testing.T) {
	events := make(chan mesh.QueueEvent)
	left := make(chan struct{})
	m := &fakeMesh{queue: func(ctx context.Context, ticket string) (<-chan mesh.QueueEvent, error) {
		if ticket != "7a7a" {
			return nil, &mesh.Refused{Code: "no-session", Text: "No such ticket.", Try: "Start again."}
		}
		context.AfterFunc(ctx, func() { close(left) })
		return events, nil
	}}
	s := startServer(t, m)
	r, err := http.Get(s.URL() + "api/queue/7a7a")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if r.StatusCode != 200 || r.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %v", r.StatusCode, r.Header)
	}
	in := bufio.NewScanner(r.Body)
	next := func() string {
		var lines []string
		for in.Scan() && in.Text() != "" {
			lines = append(lines, in.Text())
		}
		return strings.Join(lines, "\n")
	}
	events <- mesh.QueueEvent{State: "waiting", Position: 2, Text: "Soon."}
	if got := next(); got != "event: position\ndata: {\"state\":\"waiting\",\"position\":2,\"text\":\"Soon.\"}" {
		t.Errorf("event %q", got)
	}
	events <- mesh.QueueEvent{State: "ready"}
	if got := next(); !strings.HasPrefix(got, "event: ready\n") {
		t.Errorf("event %q", got)
	}
	if in.Scan() {
		t.Errorf("the stream goes on after ready: %q", in.Text())
	}
	<-left // the mesh's stream ended with the player's
	for path, code := range map[string]string{"api/queue/beef": "no-session", "api/queue/nothex": "no-ticket"} {
		r, err := http.Get(s.URL() + path)
		if err != nil {
			t.Fatal(err)
		}
		wantProblem(t, r, 404, code)
		r.Body.Close()
	}
}

func TestQueueStreamsAreBounded(t *testing.T) {
	s := newServer(t, &fakeMesh{}, nil)
	for range maxStreams {
		s.streams <- struct{}{}
	}
	wantProblem(t, do(s, "GET", "/api/queue/7a7a", ""), 503, "busy")
}

func TestOneClientCannotFloodTheGateway(t *testing.T) {
	synctest.Test(t, oneClientFloods) // no time passes meanwhile
}

func oneClientFloods(t *testing.T) {
	s := newServer(t, &fakeMesh{}, nil)
	var last *http.Response
	for range writeBurst + 1 {
		if last = post(s, "/whep/nova", offer); last.StatusCode == 429 {
			break
		}
	}
	wantProblem(t, last, 429, "rate")
	if last.Header.Get("Retry-After") == "" {
		t.Error("429 without Retry-After")
	}
	if r := do(s, "GET", "/api/apps", ""); r.StatusCode != 200 {
		t.Errorf("reads are refused with the writes: %d", r.StatusCode)
	}
	// Neighbours in one IPv6 network count as one client, others do not.
	l := newLimits()
	for l.allow("[2001:db8::1]:1", true) {
	}
	if l.allow("[2001:db8::2]:1", true) {
		t.Error("the next address of the same /64 starts anew")
	}
	if !l.allow("[2001:db8:0:1::1]:1", true) || !l.allow("192.0.2.1:9", true) {
		t.Error("strangers are refused")
	}
}

func TestMetricsAndHealth(t *testing.T) {
	s := newServer(t, &fakeMesh{}, nil)
	post(s, "/whep/nova", offer)
	do(s, "GET", "/", "", "Host", "evil.example")
	b := text(t, do(s, "GET", "/metrics", ""))
	for _, line := range []string{`framemesh_gateway_http_requests_total{route="whep-offer",status="201"} 1`, `framemesh_gateway_http_refused_total{reason="host"} 1`, `framemesh_gateway_connections_total{role="owner"} 1`} {
		if !strings.Contains(b, line) {
			t.Errorf("metrics lack %s", line)
		}
	}
	if r := do(s, "GET", "/healthz", ""); r.StatusCode != 200 || text(t, r) != "ok\n" {
		t.Errorf("healthz: %d", r.StatusCode)
	}
}

func TestPortInUse(t *testing.T) {
	held, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	addr := held.Addr().String()
	s := newServer(t, &fakeMesh{}, func(o *Options) { o.Listen, o.Insist, o.ListenOption = addr, true, "--listen" })
	if err := s.Start(context.Background()); !errors.Is(err, ErrListen) || !strings.Contains(err.Error(), "--listen") {
		t.Errorf("insisting: %v", err)
	}
	if s.URL() != "" || s.Stop(context.Background()) != nil {
		t.Error("a server that did not start has an address or does not stop")
	}
	s = newServer(t, &fakeMesh{}, func(o *Options) { o.Listen = addr })
	if err := s.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got, was := s.Addr().(*net.TCPAddr).Port, held.Addr().(*net.TCPAddr).Port; got <= was || got > was+nextPorts {
		t.Errorf("took port %d after %d", got, was)
	}
	if err := s.Start(context.Background()); !errors.Is(err, ErrStarted) {
		t.Errorf("second start: %v", err)
	}
	r, err := http.Get(s.URL() + "healthz")
	if err != nil || r.StatusCode != 200 {
		t.Fatal(r, err)
	}
	r.Body.Close()
	if err := s.Stop(context.Background()); err != nil {
		t.Errorf("stop: %v", err)
	}
	if _, err := http.Get(s.URL() + "healthz"); err == nil {
		t.Error("still serving after Stop")
	}
	for _, bad := range []string{"nonsense", "127.0.0.1:99999", "127.0.0.1:x"} {
		s := newServer(t, &fakeMesh{}, func(o *Options) { o.Listen = bad })
		if err := s.Start(context.Background()); !errors.Is(err, ErrListen) || !strings.Contains(err.Error(), "gateway.listen") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
