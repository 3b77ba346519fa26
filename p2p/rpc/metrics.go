package rpc

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the figures of a server.
type metrics struct {
	requests *prometheus.CounterVec   // answered, by protocol and code
	rejected *prometheus.CounterVec   // turned away, by protocol and reason
	duration *prometheus.HistogramVec // stream open to response ready, seconds
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "framemesh_rpc_requests_total",
			Help: "Stream requests answered, by protocol and code of the answer.",
		}, []string{"protocol", "code"}),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "framemesh_rpc_rejected_total",
			Help: "Streams that broke a limit or a rule, by protocol and reason.",
		}, []string{"protocol", "reason"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "framemesh_rpc_duration_seconds",
			Help:    "Time from an opened stream to a response ready to send, by protocol.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 4, 9), // 0.1 ms to 6.5 s
		}, []string{"protocol"}),
	}
	m.requests = register(reg, m.requests)
	m.rejected = register(reg, m.rejected)
	m.duration = register(reg, m.duration)
	return m
}

// register adds a collector to reg, or returns the equal one that is there already:
// several nodes of one process may share a registry.
func register[C prometheus.Collector](reg prometheus.Registerer, c C) C {
	if reg == nil {
		return c
	}
	var taken prometheus.AlreadyRegisteredError
	if err := reg.Register(c); errors.As(err, &taken) {
		if have, ok := taken.ExistingCollector.(C); ok {
			return have
		}
	}
	return c
}
