package gateway

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	requests *prometheus.CounterVec   // by route and status
	seconds  *prometheus.HistogramVec // by route
	refused  *prometheus.CounterVec   // by the guard: host, origin, rate, size
	mesh     *prometheus.CounterVec   // refusals of the mesh by code
	waiting  prometheus.Gauge         // queue streams open
	launches *prometheus.CounterVec   // by role
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "framemesh_gateway_http_requests_total", Help: "HTTP requests answered, by route and status."}, []string{"route", "status"}),
		seconds:  prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "framemesh_gateway_http_request_seconds", Help: "Time to answer an HTTP request, in seconds.", Buckets: []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 15}}, []string{"route"}),
		refused:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "framemesh_gateway_http_refused_total", Help: "HTTP requests refused before a handler saw them, by reason: host, origin, rate, size."}, []string{"reason"}),
		mesh:     prometheus.NewCounterVec(prometheus.CounterOpts{Name: "framemesh_gateway_refusals_total", Help: "Requests that the mesh said no to, by code."}, []string{"code"}),
		waiting:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "framemesh_gateway_queue_streams", Help: "Players waiting for a slot through this gateway."}),
		launches: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "framemesh_gateway_connections_total", Help: "Peer connections set up through this gateway, by role."}, []string{"role"}),
	}
	if r == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.requests, m.seconds, m.refused, m.mesh, m.waiting, m.launches} {
		errs = append(errs, r.Register(c))
	}
	return m, errors.Join(errs...)
}

// wrap counts what a route answers.
func (m *metrics) wrap(route string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start, sw := time.Now(), &statusWriter{ResponseWriter: w, status: http.StatusOK}
		h.ServeHTTP(sw, r)
		m.requests.WithLabelValues(route, strconv.Itoa(sw.status)).Inc()
		if route != "queue" { // a stream lasts as long as the wait
			m.seconds.WithLabelValues(route).Observe(time.Since(start).Seconds())
		}
	})
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(code int) {
	w.status = code
	w.ResponseWriter.WriteHeader(code)
}

// Unwrap lets http.ResponseController reach flush and deadlines.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
