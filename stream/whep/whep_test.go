package whep

import (
	"errors"
	"net/http"
	"reflect"
	"testing"
	"time"
)

func TestStatus(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 200},
		{CheckContentType("application/sdp; charset=utf-8", TypeSDP), 200},
		{CheckContentType("text/plain", TypeSDP), http.StatusUnsupportedMediaType},
		{CheckContentType("", TypeSDP), http.StatusUnsupportedMediaType},
		{CheckAccept("", TypeSDP), 200},
		{CheckAccept("text/html, application/*;q=0.5", TypeSDP), 200},
		{CheckAccept("*/*", TypeSDP), 200},
		{CheckAccept("text/html", TypeSDP), http.StatusNotAcceptable},
		{CheckAccept("*/*, application/sdp;q=0", TypeSDP), http.StatusNotAcceptable},
		{CheckAccept("application/sdp;q=NaN", TypeSDP), http.StatusNotAcceptable},
		{CheckIfMatch(`"a"`, `"a"`), 200},
		{CheckIfMatch(`"b", "a"`, `"a"`), 200},
		{CheckIfMatch("*", `"a"`), 200},
		{CheckIfMatch(`W/"a"`, `"a"`), http.StatusPreconditionFailed},
		{CheckIfMatch(`"b"`, `"a"`), http.StatusPreconditionFailed},
		{CheckIfMatch(" ", `"a"`), http.StatusPreconditionRequired},
		{errors.New("other"), 400},
	} {
		if got := Status(c.err); got != c.want {
			t.Errorf("%v: %d, want %d", c.err, got, c.want)
		}
	}
}

func TestETagFollowsTheCredentials(t *testing.T) {
	a := "v=0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789\r\nm=video\r\na=ice-ufrag:other\r\n"
	if ETag(a) == "" || ETag(a) != ETag("a=ice-pwd:0123456789\na=ice-ufrag:abcd\n") {
		t.Error("the tag is not that of the first credentials")
	}
	if ETag(a) == ETag("a=ice-ufrag:abcd\na=ice-pwd:9876543210\n") || ETag("v=0\r\n") != "" {
		t.Error("the tag does not tell sessions apart")
	}
}

func TestLinks(t *testing.T) {
	in := []Server{{URL: "stun:a.example:3478"}, {URL: "turn:b.example?transport=udp", Username: `u"1\`, Credential: "p, ;>"}}
	got, err := ParseLinks([]string{in[0].Link() + ", " + in[1].Link(), `</x>; rel=next`, ""})
	if err != nil || !reflect.DeepEqual(got, in) {
		t.Errorf("%+v, %v; want %+v", got, err, in)
	}
	for _, bad := range []string{"stun:x", "<stun:x", `<stun:x>; rel="ice`, "<stun:x>; rel", "<stun:x> rel=x"} {
		if _, err := ParseLinks([]string{bad}); !errors.Is(err, ErrHeader) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestServerTiming(t *testing.T) {
	h := ServerTiming(Stage{"match", 1500 * time.Microsecond}, Stage{"reserve", 2 * time.Millisecond})
	if h != "match;dur=1.5, reserve;dur=2" {
		t.Error(h)
	}
	got := ParseServerTiming(h + `, cache;desc="x", bad;dur=NaN, worse;dur=-1, signal;desc=y;dur="3"`)
	want := map[string]time.Duration{"match": 1500 * time.Microsecond, "reserve": 2 * time.Millisecond, "signal": 3 * time.Millisecond}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestLocation(t *testing.T) {
	l := Location{App: "my game", Session: "00ff", Peer: "ab"}
	if got, err := ParseLocation(l.Path()); err != nil || got != l {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{"", "/whep/a/00/00/", "/whep/a/zz/00", "/whep//00/00", "/x/a/00/00", "whep/a/00/00", "/whep/a%2Fb/00/00", "/whep/a/0/00"} {
		if l, err := ParseLocation(bad); !errors.Is(err, ErrLocation) {
			t.Errorf("%q gave %+v, %v", bad, l, err)
		}
	}
}

func FuzzHeaders(f *testing.F) {
	f.Add(`<stun:a>; rel="ice-server"; username="x"`, "match;dur=1", "/whep/a/00/00", "*/*;q=0.1")
	f.Fuzz(func(t *testing.T, link, timing, path, accept string) {
		if servers, err := ParseLinks([]string{link}); err == nil && len(servers) > len(link) {
			t.Fatal("more servers than characters")
		}
		for k, d := range ParseServerTiming(timing) {
			if d < 0 || k == "" {
				t.Fatalf("%q: %v", k, d)
			}
		}
		if l, err := ParseLocation(path); err == nil {
			if again, err := ParseLocation(l.Path()); err != nil || again != l {
				t.Fatalf("%q became %+v, then %+v, %v", path, l, again, err)
			}
		}
		_, _ = CheckAccept(accept, TypeSDP), CheckContentType(accept, TypeSDP)
		_, _ = ETag(path), CheckIfMatch(link, timing)
	})
}
