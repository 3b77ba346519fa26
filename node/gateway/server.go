// Package gateway is the HTTP side of a gateway: the player page, the WHEP endpoint
// behind it, the catalogue, the queue and the metrics. It speaks to browsers, which
// means to strangers: every request passes the guard (host, origin, rate, size)
// before a handler sees it, and every answer that says no is one problem document
// that ends in what to try.
//
// It never sees media and decides nothing about matches: that is the Mesh's work,
// which is handed in.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	mesh "github.com/framemesh/framemesh/actors/gateway"
)

// Errors of New and Start, wrapped with what was being done.
var (
	// ErrOptions: the options cannot work together.
	ErrOptions = errors.New("gateway: options")
	// ErrListen: no port could be taken.
	ErrListen = errors.New("gateway: cannot listen")
	// ErrStarted: Start was called twice.
	ErrStarted = errors.New("gateway: already started")
)

// Options is what a Server is made of. Mesh is required.
type Options struct {
	Mesh mesh.Mesh
	Log  *slog.Logger // nil = silent

	// Registerer takes the gateway's metrics and Gatherer is what /metrics shows. When
	// both are nil the server keeps a registry of its own.
	Registerer prometheus.Registerer
	Gatherer   prometheus.Gatherer

	// Listen is host:port; "" is 127.0.0.1:8080 and port 0 takes any free port. When
	// the port is in use the next ten are tried, unless Insist is set.
	Listen string
	// Insist makes a port in use an error that names ListenOption.
	Insist bool
	// ListenOption is what the operator wrote the address into, for error messages;
	// "" is "gateway.listen".
	ListenOption string

	// Hosts are the names (without a port) under which browsers may reach this gateway
	// besides localhost and the address they connected to.
	Hosts []string
	// PublicOrigins are the web origins (scheme://host[:port]) whose pages may use the
	// WHEP endpoint. Every other origin is refused.
	PublicOrigins []string

	// Ledger is what play is paid on; nil in a mesh without one, where pages say nothing
	// about money. Funder gives players money to play with; nil outside of demos.
	Ledger Ledger
	Funder Funder

	// Complaints take players' words that their machines went; nil takes none.
	Complaints Complaints
	// Refunds take players' own closings of sessions whose machines went; nil takes none.
	Refunds Refunds

	// Proofs are shown on the page; nil shows none.
	Proofs Proofs

	// ICEServers are stun: and turn: URLs told to players in Link headers.
	ICEServers []string
}

// Server serves one gateway. Make it with New; it is an http.Handler by itself, so
// that tests and embedders need no socket, and Start gives it one.
type Server struct {
	opt      Options
	log      *slog.Logger
	guard    guard
	limits   *limits
	streams  chan struct{} // one token per open queue stream
	funding  chan struct{} // one per player who is being given money
	errands  errands
	accounts *accounts
	made     *resources
	pages    *assets
	met      *metrics
	handler  http.Handler

	life    sync.Mutex // Start and Stop only
	http    *http.Server
	ln      net.Listener
	stopped context.CancelFunc
	done    chan error
}

// New checks the options and builds the routes.
func New(o Options) (*Server, error) {
	if o.Mesh == nil {
		return nil, fmt.Errorf("%w: Mesh is missing", ErrOptions)
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:8080"
	}
	if o.ListenOption == "" {
		o.ListenOption = "gateway.listen"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Registerer == nil && o.Gatherer == nil {
		r := prometheus.NewRegistry()
		o.Registerer, o.Gatherer = r, r
	}
	g, err := newGuard(o.Hosts, o.PublicOrigins)
	if err != nil {
		return nil, err
	}
	pages, err := newAssets()
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, err
	}
	s := &Server{
		opt: o, log: o.Log, guard: g, limits: newLimits(), accounts: newAccounts(), made: newResources(), pages: pages, met: m,
		streams: make(chan struct{}, maxStreams), funding: make(chan struct{}, maxFunding),
	}
	s.errands.open()
	s.handler = s.routes()
	return s, nil
}

// routes names every path once. A path that exists under another method answers 405
// with the methods it has.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	read := func(pattern, route string, h http.HandlerFunc) {
		mux.Handle("GET "+pattern, s.met.wrap(route, s.rated(false, h)))
	}
	write := func(method, pattern, route string, h http.HandlerFunc) {
		mux.Handle(method+" "+pattern, s.met.wrap(route, s.rated(true, h)))
	}
	not := func(allow string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", allow)
			invalid(w, http.StatusMethodNotAllowed, "method", "This address does not answer "+clip(r.Method, 16)+".", "Use "+allow+".")
		}
	}
	other := func(pattern, allow string) { mux.Handle(pattern, s.met.wrap("other", not(allow))) }

	write("POST", "/whep/{app}", "whep-offer", s.postOffer)
	write("PATCH", "/whep/{app}/{session}/{peer}", "whep-trickle", s.patchResource)
	write("DELETE", "/whep/{app}/{session}/{peer}", "whep-leave", s.deleteResource)
	for _, p := range []string{"/whep/{app}", "/whep/{app}/{session}/{peer}"} {
		mux.Handle("OPTIONS "+p, s.met.wrap("whep-options", s.rated(false, s.options)))
	}
	other("/whep/{app}", "POST, OPTIONS")
	other("/whep/{app}/{session}/{peer}", "PATCH, DELETE, OPTIONS")

	read("/api/apps", "apps", s.getApps)
	read("/api/apps/{app}/picture", "picture", s.getPicture)
	read("/api/node", "node", s.getNode)
	read("/api/sessions/{session}", "session", s.getSession)
	write("POST", "/api/sessions/{session}/gone", "gone", s.postGone)
	write("POST", "/api/sessions/{session}/close", "close", s.postClose)
	other("/api/sessions/{session}/gone", "POST")
	other("/api/sessions/{session}/close", "POST")
	read("/api/queue/{ticket}", "queue", s.getQueue)
	read("/api/ledger", "ledger", s.getLedger)
	read("/api/ledger/account/{account}", "account", s.getAccount)
	read("/api/ledger/session/{container}/{session}", "ledger-session", s.getLedgerSession)
	read("/api/proofs", "proofs", s.getProofs)
	read("/api/proofs/{id}", "proof", s.getEvidence)
	read("/healthz", "healthz", s.getHealth)
	mux.Handle("/api/", s.met.wrap("other", s.rated(false, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			not("GET, HEAD")(w, r)
			return
		}
		invalid(w, http.StatusNotFound, "no-page", "There is nothing at this address.", "See /api/apps.")
	})))
	if s.opt.Gatherer != nil {
		h := promhttp.HandlerFor(s.opt.Gatherer, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
		read("/metrics", "metrics", h.ServeHTTP)
	}
	mux.Handle("/", s.met.wrap("page", s.rated(false, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			not("GET, HEAD")(w, r)
			return
		}
		s.pages.serve(w, r)
	})))
	return s.guard.wrap(mux, s.met)
}

// ServeHTTP answers one request; it never panics on what a client sends.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Start listens and serves until Stop. It returns once the socket is open.
func (s *Server) Start(ctx context.Context) error {
	s.life.Lock()
	defer s.life.Unlock()
	if s.http != nil {
		return ErrStarted
	}
	ln, err := listen(ctx, s.opt.Listen, s.opt.ListenOption, s.opt.Insist)
	if err != nil {
		return err
	}
	s.errands.open()
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.ln, s.stopped, s.done = ln, cancel, make(chan error, 1)
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 5 * time.Second,
		WriteTimeout:      30 * time.Second, // queue streams extend it as they go
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		BaseContext:       func(net.Listener) context.Context { return base },
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	go func() { s.done <- s.http.Serve(ln) }()
	return nil
}

// Addr is the address taken, or nil before Start.
func (s *Server) Addr() net.Addr {
	s.life.Lock()
	defer s.life.Unlock()
	if s.ln == nil {
		return nil
	}
	return s.ln.Addr()
}

// URL is what a person opens, for example http://127.0.0.1:8080/; "" before Start.
func (s *Server) URL() string {
	a, ok := s.Addr().(*net.TCPAddr)
	if !ok {
		return ""
	}
	host := a.IP.String()
	if a.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, fmt.Sprint(a.Port)) + "/"
}

// Stop ends the queue streams, waits for the requests in progress and for what follows on
// them until ctx ends, then closes what is left.
func (s *Server) Stop(ctx context.Context) error {
	s.life.Lock()
	defer s.life.Unlock()
	if s.http == nil {
		return nil
	}
	s.stopped()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = fmt.Errorf("gateway: requests still open when stopping: %w", errors.Join(err, s.http.Close()))
	}
	if e := <-s.done; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	err = errors.Join(err, s.errands.end(ctx))
	s.http = nil
	return err
}
