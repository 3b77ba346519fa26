package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// loopback says whether host:port is an address that only this machine reaches.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && ip.IsLoopback())
}

// startDebug serves metrics and profiles to the operator, when asked to. A page of
// another site cannot read them by a name that resolves to loopback: only loopback
// names are answered.
func (n *Node) startDebug(context.Context) (func(context.Context) error, error) {
	if n.cfg.Debug.Listen == "" {
		return nil, nil
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(n.reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	l, err := net.Listen("tcp", n.cfg.Debug.Listen)
	if err != nil {
		return nil, fmt.Errorf("%w: debug.listen: %w; name another port, or 0 for any", ErrConfig, err)
	}
	s := &http.Server{ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !loopback(net.JoinHostPort(hostOf(r.Host), "0")) {
				http.Error(w, "this server answers to loopback names only", http.StatusMisdirectedRequest)
				return
			}
			mux.ServeHTTP(w, r)
		})}
	n.debug = l.Addr().String()
	go func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			n.log.Error("debug server ended", "err", err)
		}
	}()
	return s.Shutdown, nil
}

// hostOf is the name in a Host header without its port.
func hostOf(h string) string {
	if host, _, err := net.SplitHostPort(h); err == nil {
		return host
	}
	return h
}

// DebugAddr is where metrics and profiles are served, or "".
func (n *Node) DebugAddr() string { return n.debug }
