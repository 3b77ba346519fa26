package gateway

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/framemesh/framemesh/stream/whep"
)

// policy is what the player page may do: its own scripts, styles and requests, and
// nothing from anywhere else. Nothing inline, so a title that a stranger wrote into
// an ad can never become code.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; media-src 'self' blob:; " +
	"manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const permissions = "gamepad=(self), fullscreen=(self), autoplay=(self), screen-wake-lock=(self), camera=(), microphone=(), geolocation=(), usb=(), serial=(), payment=()"

// guard decides who may talk to the gateway at all. A web page anywhere can make a
// browser send requests to loopback; two things tell such requests apart: the Host
// header, which a rebinding DNS name cannot fake, and the Origin header, which a page
// cannot change.
type guard struct {
	hosts   map[string]bool // lower case, without port
	origins map[string]bool // as browsers write them
}

func newGuard(hosts, origins []string) (guard, error) {
	g := guard{hosts: map[string]bool{"localhost": true}, origins: map[string]bool{}}
	for _, h := range hosts {
		h = strings.ToLower(strings.Trim(h, "[]"))
		if h == "" || strings.ContainsAny(h, "/*: ") && net.ParseIP(h) == nil {
			return g, fmt.Errorf("%w: host %q is not a host name; write it without scheme and port, for example play.example.org", ErrOptions, h)
		}
		g.hosts[h] = true
	}
	for _, o := range origins {
		u, err := url.Parse(o)
		if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || strings.TrimSuffix(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || strings.Contains(u.Host, "*") {
			return g, fmt.Errorf("%w: origin %q is not scheme://host[:port], for example https://play.example.org", ErrOptions, o)
		}
		g.origins[u.Scheme+"://"+strings.ToLower(u.Host)] = true
	}
	return g, nil
}

// hostAllowed says whether a browser may name this gateway so. local is the address
// the connection came in on: an address literal that equals it cannot be a name that
// was bound to somebody else's.
func (g guard) hostAllowed(host string, local net.Addr) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.TrimSuffix(strings.Trim(name, "[]"), "."))
	if g.hosts[name] {
		return true
	}
	ip, err := netip.ParseAddr(name)
	if err != nil {
		return false
	}
	if ip = ip.Unmap(); ip.IsLoopback() {
		return true
	}
	t, ok := local.(*net.TCPAddr)
	return ok && t.AddrPort().Addr().Unmap() == ip
}

// sameOrigin says whether origin is the page of this gateway under the host it was
// asked by. The scheme is not compared: TLS may end in front of the gateway.
func sameOrigin(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && strings.EqualFold(u.Host, host)
}

// wrap refuses foreign hosts and origins, and gives every answer its headers.
func (g guard) wrap(next http.Handler, m *metrics) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Permissions-Policy", permissions)
		h.Set("Cache-Control", "no-store")

		local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		if !g.hostAllowed(r.Host, local) {
			m.refused.WithLabelValues("host").Inc()
			writeProblem(w, problem{Status: http.StatusMisdirectedRequest, Code: "host",
				Detail: "This gateway does not serve the host " + clip(r.Host, 80) + ".",
				Try:    "Open it as http://localhost, or add the host to gateway.hosts in framemesh.toml."})
			return
		}
		origin := r.Header.Get("Origin")
		foreign := origin != "" && !sameOrigin(origin, r.Host)
		if foreign && g.origins[strings.ToLower(origin)] && strings.HasPrefix(r.URL.Path, "/whep/") {
			allowOrigin(h, origin)
			foreign = false
		}
		// A browser says cross-site even where it sends no Origin. Reads carry nothing that
		// another site could see without CORS; anything else stops here.
		site := r.Header.Get("Sec-Fetch-Site")
		if origin == "" && (site == "cross-site" || site == "same-site") {
			foreign = true
		}
		reads := r.Method == http.MethodGet || r.Method == http.MethodHead
		if foreign && !reads {
			m.refused.WithLabelValues("origin").Inc()
			writeProblem(w, problem{Status: http.StatusForbidden, Code: "origin",
				Detail: "Pages of " + clip(origin, 80) + " may not use this gateway.",
				Try:    "Open the gateway's own page, or add the origin to gateway.origins in framemesh.toml."})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// allowOrigin answers CORS for a configured origin on the WHEP endpoint.
func allowOrigin(h http.Header, origin string) {
	h.Add("Vary", "Origin")
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Methods", "POST, PATCH, DELETE, OPTIONS")
	h.Set("Access-Control-Allow-Headers", "Content-Type, Authorization, If-Match, "+whep.HeaderPlayer)
	h.Set("Access-Control-Expose-Headers", "Location, ETag, Link, Accept-Patch, Accept-Post, Retry-After, Server-Timing, "+
		whep.HeaderSession+", "+whep.HeaderContainer+", "+whep.HeaderRole+", "+whep.HeaderCertificate+", "+whep.HeaderProof+", "+whep.HeaderOwnerToken+", "+whep.HeaderPlayToken+", "+whep.HeaderWatchToken)
	h.Set("Access-Control-Max-Age", "600")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
}

// clip shortens what a client sent before it is repeated to it.
func clip(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	if len(s) > n {
		return s[:n] + "…"
	}
	if s == "" {
		return "(none)"
	}
	return s
}
