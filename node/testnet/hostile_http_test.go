package testnet

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// An offer that is good enough to be looked at, and a good many hexadecimal digits.
const (
	anOffer = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\n" +
		"a=ice-ufrag:page\r\na=ice-pwd:secretsecretsecretsecret\r\na=recvonly\r\na=rtpmap:96 H264/90000\r\n"
	digits = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
)

// nuisance is one kind of request that must be refused, and how.
type nuisance struct {
	what   string
	method string
	target func(i int) string // as it goes over the wire
	body   func(i int) []byte // nil: none
	header []string
	want   []int // statuses
}

func at(path string) func(int) string { return func(int) string { return path } }

func text(s string) func(int) []byte { return func(int) []byte { return []byte(s) } }

func nuisances(session string) []nuisance {
	sdp, frag := []string{"Content-Type", "application/sdp"}, []string{"Content-Type", "application/trickle-ice-sdpfrag"}
	tricks := []string{"/../../../../etc/passwd", "/%2e%2e/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2f..%2fetc/passwd", "/a//etc/passwd", "/%5c..%5c..%5cetc/passwd",
		"/api/%00", "/api/../../etc/passwd", "/static/../../go.mod", "/js/%2e%2e/%2e%2e/server.go", "/" + strings.Repeat("a/", 2000), "/.git/config", "/player.js%00.html"}
	return []nuisance{
		{"an offer too long", "POST", at("/whep/" + game), func(i int) []byte { return bytes.Repeat([]byte("v=0\r\n"), 20_000+i) }, sdp, []int{413}},
		{"no SDP", "POST", at("/whep/" + game), func(i int) []byte { return random(i * 50) }, sdp, []int{400}},
		{"an offer cut short", "POST", at("/whep/" + game), func(i int) []byte { return []byte(anOffer[:i%len("v=0\r\no=- 1 2 IN IP4 127.0.0.1")]) }, sdp, []int{400}},
		{"an offer of audio alone", "POST", at("/whep/" + game), text(strings.ReplaceAll(anOffer, "m=video", "m=audio")), sdp, []int{400}},
		{"another media type", "POST", at("/whep/" + game), text(anOffer), []string{"Content-Type", "text/plain"}, []int{415}},
		{"no media type", "POST", at("/whep/" + game), text(anOffer), nil, []int{415}},
		{"another answer", "POST", at("/whep/" + game), text(anOffer), append([]string{"Accept", "text/html"}, sdp...), []int{406}},
		{"an app nobody has", "POST", func(i int) string { return fmt.Sprintf("/whep/no-such-app-%d", i) }, text(anOffer), sdp, []int{404}},
		{"an app of no name", "POST", func(i int) string { return "/whep/" + url.PathEscape(string(random(40))) }, text(anOffer), sdp, []int{404, 405}},
		{"a foolish query", "POST", func(i int) string {
			return "/whep/" + game + []string{"?session=zz&token=zz", "?session=" + digits, "?price=-1", "?price=1e9", "?exclude=" + strings.Repeat("x", 500), "?" + strings.Repeat("exclude=12D3KooWabc&", 30), "?ticket=%00"}[i%7]
		}, text(anOffer), sdp, []int{400}},
		{"a session nobody has", "POST", func(i int) string { return fmt.Sprintf("/whep/%s?session=%032x&token=%s", game, i, digits) }, text(anOffer), sdp, []int{404}},
		{"a ticket nobody has", "POST", func(i int) string { return fmt.Sprintf("/whep/%s?ticket=%032x", game, i) }, text(anOffer), sdp, []int{404}},
		{"a token that is wrong", "POST", func(i int) string { return fmt.Sprintf("/whep/%s?session=%s&token=%064x", game, session, i) }, text(anOffer), sdp, []int{401}},
		{"a connection nobody has", "PATCH", func(i int) string { return fmt.Sprintf("/whep/%s/%032x/%04x", game, i, i) }, text("a=ice-ufrag:x\r\n"), frag, []int{404}},
		{"the end of another's session", "DELETE", func(i int) string { return fmt.Sprintf("/whep/%s/%s/%04x", game, session, i) }, nil, nil, []int{404}},
		{"the end with a wrong token", "DELETE", func(i int) string { return fmt.Sprintf("/whep/%s/%s/%04x", game, session, i) }, nil, []string{"Authorization", "Bearer " + digits}, []int{401}},
		{"a foreign page", "POST", at("/whep/" + game), text(anOffer), append([]string{"Origin", "https://evil.example"}, sdp...), []int{403}},
		{"a foreign name", "GET", at("/api/apps"), nil, []string{"Host", "evil.example"}, []int{421}},
		{"a status of nobody", "GET", func(i int) string { return fmt.Sprintf("/api/sessions/%032x?token=%s", i, digits) }, nil, nil, []int{410}},
		{"a status without a token", "GET", at("/api/sessions/" + session), nil, nil, []int{401}},
		{"a status with a wrong token", "GET", func(i int) string { return fmt.Sprintf("/api/sessions/%s?token=%064x", session, i) }, nil, nil, []int{401}},
		{"a queue of nobody", "GET", func(i int) string { return fmt.Sprintf("/api/queue/%032x", i) }, nil, nil, []int{404}},
		{"a queue of no name", "GET", func(i int) string { return "/api/queue/" + url.PathEscape(string(random(30))) }, nil, nil, []int{404}},
		{"a picture of nothing", "GET", func(i int) string { return fmt.Sprintf("/api/apps/nothing-%d/picture", i) }, nil, nil, []int{404}},
		{"no method of HTTP", "BREW", at("/whep/" + game), nil, nil, []int{405}},
		{"a catalogue of one's own", "PUT", at("/api/apps"), func(int) []byte { return random(100_000) }, nil, []int{405}},
		{"a page of one's own", "POST", at("/index.html"), func(int) []byte { return random(100_000) }, nil, []int{405}},
		{"a way out of the pages", "GET", func(i int) string { return tricks[i%len(tricks)] }, nil, nil, []int{301, 307, 400, 404}},
	}
}

// visitor is an HTTP client with a loopback address of its own, so that one nuisance
// does not use up the budget of another.
func visitor(n int) *http.Client {
	d := &net.Dialer{Timeout: patience}
	if runtime.GOOS == "linux" { // where all of 127.0.0.0/8 is this machine
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, byte(1 + n/250), byte(1 + n%250)}), 0))
	}
	return &http.Client{Timeout: patience, Transport: &http.Transport{DialContext: d.DialContext, MaxIdleConnsPerHost: 4},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// A real gateway takes 200 requests of each kind and tells each what is wrong with it;
// the game that runs meanwhile goes on, and nothing is left behind.
func TestHostileRequestsToAGateway(t *testing.T) {
	n := start(t, Options{Containers: 1, Slots: 1})
	p, goesOn := honest(t, n)
	base, err := url.Parse(n.URL())
	if err != nil {
		t.Fatal(err)
	}
	goroutines, heap := footprint()
	all := nuisances(p.Header().Get("Framemesh-Session"))
	var wg sync.WaitGroup
	slots := make(chan struct{}, 4)
	for k, what := range all {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			bother(t, base, 4*k, what)
		})
	}
	wg.Go(func() { rawNuisances(t, base.Host) })
	wg.Wait()
	goesOn("foolish requests")
	if ss, _ := sessions(t, n); len(ss) != 1 {
		t.Errorf("%d sessions, want the honest one", len(ss))
	}
	leaksNothing(t, goroutines, heap)
}

// bother sends one kind of request 200 times, from four addresses.
func bother(t *testing.T, base *url.URL, first int, k nuisance) {
	var clients []*http.Client
	for i := range 4 {
		clients = append(clients, visitor(first+i))
	}
	statuses := map[int]int{}
	for i := range each {
		var body io.Reader
		if k.body != nil {
			b := k.body(i)
			body = bytes.NewReader(b)
			if i%2 == 1 {
				body = io.MultiReader(body) // of a length that is not said
			}
		}
		req, err := http.NewRequestWithContext(t.Context(), k.method, base.String(), body)
		if err != nil {
			t.Error(err)
			return
		}
		// what is written here goes out as it is
		req.URL = &url.URL{Scheme: base.Scheme, Host: base.Host, Opaque: k.target(i)}
		for h := 0; h+1 < len(k.header); h += 2 {
			if k.header[h] == "Host" {
				req.Host = k.header[h+1]
			} else {
				req.Header.Set(k.header[h], k.header[h+1])
			}
		}
		resp, err := clients[i%4].Do(req)
		if err != nil {
			// a server that refuses a body unread may close while it is still being sent
			if k.body == nil || !slices.ContainsFunc(k.want, func(s int) bool { return s == 413 || s == 405 }) {
				t.Errorf("%s: %v", k.what, err)
				return
			}
			continue
		}
		b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		_ = resp.Body.Close()
		if err != nil {
			t.Errorf("%s: %v", k.what, err)
			return
		}
		statuses[resp.StatusCode]++
		switch {
		case resp.StatusCode == http.StatusTooManyRequests && resp.Header.Get("Retry-After") != "":
		case resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != "":
			// the container hears so much from this gateway, and says so
		case !slices.Contains(k.want, resp.StatusCode):
			t.Errorf("%s (%s): %d, want %v: %.200s", k.what, k.target(i), resp.StatusCode, k.want, b)
			return
		case bytes.Contains(b, []byte("root:")), bytes.Contains(b, []byte("package gateway")), bytes.Contains(b, []byte("module github.com")):
			t.Errorf("%s (%s): a file of this machine was served", k.what, k.target(i))
		case resp.StatusCode >= 400 && resp.StatusCode != 404 && resp.StatusCode != 400 && !strings.Contains(resp.Header.Get("Content-Type"), "problem+json"):
			t.Errorf("%s: %d says nothing for people: %s", k.what, resp.StatusCode, resp.Header.Get("Content-Type"))
		}
	}
	for _, c := range clients {
		c.CloseIdleConnections()
	}
	right := 0
	for _, s := range k.want {
		right += statuses[s]
	}
	if right < each/4 {
		t.Errorf("%s: only %d of %d got one of %v: %v", k.what, right, each, k.want, statuses)
	}
}

// rawNuisances speaks what is no HTTP, or not enough of it.
func rawNuisances(t *testing.T, addr string) {
	speak := func(said []byte, limit time.Duration) (status string, closed bool) {
		c, err := net.DialTimeout("tcp", addr, patience)
		if err != nil {
			t.Error(err)
			return "", false
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(limit))
		_, _ = c.Write(said) // the server may have enough before the end
		r := bufio.NewReader(c)
		status, _ = r.ReadString('\n')
		_, err = io.Copy(io.Discard, r)
		ne, timeout := err.(net.Error)
		return status, !(timeout && ne.Timeout())
	}
	var wg sync.WaitGroup
	for i := range each { // slow ones: half a header, and silence
		wg.Go(func() {
			if _, closed := speak([]byte("GET / HTTP/1.1\r\nHost: localhost\r\nX-"), patience); !closed {
				t.Errorf("half a request (%d) was kept open", i)
			}
		})
	}
	for range each {
		if status, closed := speak(append(append([]byte("\x16\x03\x01"), random(300)...), "\r\n\r\n"...), patience); !closed || status != "" && !strings.Contains(status, " 400 ") {
			t.Errorf("noise: %q, closed %v", status, closed)
			break
		}
	}
	for range 20 {
		huge := "GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: " + strings.Repeat("x", 1<<20) + "\r\n\r\n"
		if status, closed := speak([]byte(huge), patience); !closed || status != "" && !strings.Contains(status, " 431 ") {
			t.Errorf("a header of 1 MiB: %q, closed %v", status, closed)
			break
		}
	}
	wg.Wait()
}
