package gateway

import (
	"net"
	"net/http"
	"net/netip"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// What one client address may ask, in requests per second and at once. Trickled
// candidates are writes too, so a launch is about ten of them.
const (
	readsPerSecond, readBurst   = 60, 240
	writesPerSecond, writeBurst = 20, 80
	looksPerSecond, lookBurst   = 5, 20 // of the reads, questions that go on to the ledger
	maxClients                  = 4096  // addresses remembered; the least recent goes first
	maxStreams                  = 256   // queue streams open at once
)

type client struct{ reads, writes, looks *rate.Limiter }

// limits remembers how much each client address has asked.
type limits struct {
	clients *lru.Cache[netip.Prefix, *client]
}

func newLimits() *limits {
	c, err := lru.New[netip.Prefix, *client](maxClients)
	if err != nil {
		panic(err) // only a size of zero fails
	}
	return &limits{c}
}

// allow takes one request from the client's budget.
func (l *limits) allow(remote string, write bool) bool {
	c := l.of(remote)
	switch {
	case c == nil:
		return false
	case write:
		return c.writes.Allow()
	}
	return c.reads.Allow()
}

// look takes one question to the ledger from the client's budget.
func (l *limits) look(remote string) bool {
	c := l.of(remote)
	return c != nil && c.looks.Allow()
}

// of is the budget of a client; nil for what is no address. Addresses of IPv6 count by
// /64: one machine owns that many.
func (l *limits) of(remote string) *client {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		ip = netip.IPv6Unspecified()
	}
	bits := 32
	if ip = ip.Unmap().WithZone(""); ip.Is6() {
		bits = 64
	}
	key, err := ip.Prefix(bits)
	if err != nil {
		return nil
	}
	c, ok := l.clients.Get(key)
	if !ok {
		c = &client{rate.NewLimiter(readsPerSecond, readBurst), rate.NewLimiter(writesPerSecond, writeBurst), rate.NewLimiter(looksPerSecond, lookBurst)}
		if old, had, _ := l.clients.PeekOrAdd(key, c); had {
			c = old
		}
	}
	return c
}

// rated refuses clients that ask too much.
func (s *Server) rated(write bool, h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.limits.allow(r.RemoteAddr, write) {
			s.met.refused.WithLabelValues("rate").Inc()
			w.Header().Set("Retry-After", "1")
			writeProblem(w, problem{Status: http.StatusTooManyRequests, Code: "rate",
				Detail: "Too many requests from this address.", Try: "Wait a second and try again."})
			return
		}
		h(w, r)
	})
}
