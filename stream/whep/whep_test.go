package whep

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestMediaTypes(t *testing.T) {
	for _, c := range []struct {
		err, want error
	}{
		{CheckContentType("application/sdp; charset=utf-8", TypeSDP), nil},
		{CheckContentType("text/plain", TypeSDP), ErrMediaType},
		{CheckContentType("", TypeSDP), ErrMediaType},
		{CheckAccept("", TypeSDP), nil},
		{CheckAccept("text/html, application/*;q=0.5", TypeSDP), nil},
		{CheckAccept("*/*", TypeSDP), nil},
		{CheckAccept("text/html", TypeSDP), ErrNotAcceptable},
		{CheckAccept("*/*, application/sdp;q=0", TypeSDP), ErrNotAcceptable},
		{CheckAccept("application/sdp;q=NaN", TypeSDP), ErrNotAcceptable},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%v, want %v", c.err, c.want)
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

func TestLink(t *testing.T) {
	if got := (Server{URL: "stun:a.example:3478"}).Link(); got != `<stun:a.example:3478>; rel="ice-server"` {
		t.Error(got)
	}
	if got := (Server{URL: "turn:b.example", Username: `u"1\`, Credential: "p, ;>"}).Link(); got != `<turn:b.example>; rel="ice-server"; username="u\"1\\"; credential="p, ;>"; credential-type="password"` {
		t.Error(got)
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
	f.Add("application/sdp; charset=utf-8", "match;dur=1", "/whep/a/00/00", "*/*;q=0.1")
	f.Fuzz(func(t *testing.T, media, timing, path, accept string) {
		if CheckContentType(media, TypeSDP) == nil && !strings.Contains(strings.ToLower(media), TypeSDP) {
			t.Fatalf("%q passes as %s", media, TypeSDP)
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
		_ = ETag(path)
	})
}
