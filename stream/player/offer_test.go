package player

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/framemesh/framemesh/stream/whep"
)

var ownNames = regexp.MustCompile(`(?m)^(o=- )\d{1,19} |^(a=ice-ufrag:)[A-Za-z0-9+/]{4}\r?$|^(a=ice-pwd:)[A-Za-z0-9+/]{24}\r?$|^(a=fingerprint:sha-256 )(?:[0-9A-F]{2}:){31}[0-9A-F]{2}\r?$`)

// The offer that a discreet player posts is what Chromium 156 posts for the page, line by
// line, but for what names this one connection: those have Chromium's form too.
func TestTheOfferIsABrowsers(t *testing.T) {
	var posted string
	var header http.Header
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		posted, header = string(b), r.Header
		w.WriteHeader(http.StatusTeapot)
	}))
	defer srv.Close()
	if _, err := Play(t.Context(), Options{URL: srv.URL + "/whep/x", Discreet: true}); err == nil {
		t.Fatal("a teapot plays")
	}
	want, err := os.ReadFile("testdata/chromium-offer.sdp")
	if err != nil {
		t.Fatal(err)
	}
	plain := func(s string) []string {
		return strings.Split(strings.ReplaceAll(ownNames.ReplaceAllString(s, "$1$2$3$4*"), "\r", ""), "\n")
	}
	a, b := plain(posted), plain(string(want))
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			t.Fatalf("line %d: %q, Chromium says %q", i+1, a[i], b[i])
		}
	}
	if len(a) != len(b) || !strings.Contains(posted, "\r\n") {
		t.Errorf("%d lines, Chromium has %d", len(a), len(b))
	}
	if n := strings.Count(strings.Join(a, "\n"), "*"); n != 10 {
		t.Errorf("%d names of the connection have Chromium's form, want 10:\n%s", n, posted)
	}
	if header.Get("Content-Type") != whep.TypeSDP {
		t.Error(header)
	}
}

func TestADescriptionWithoutNames(t *testing.T) {
	if _, err := offerOf("v=0\r\na=ice-ufrag:abcd\r\n"); err == nil {
		t.Error("an offer without a password is made")
	}
}
