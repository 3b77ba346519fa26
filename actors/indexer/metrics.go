package indexer

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the figures of an indexer.
type metrics struct {
	held     prometheus.Gauge       // containers in the table
	ads      *prometheus.CounterVec // ads by what became of them
	figures  *prometheus.CounterVec // containers read from the ledger, by what became of it
	proven   prometheus.Gauge       // containers that may be matched
	matches  prometheus.Counter     // certificates signed
	refusals *prometheus.CounterVec // candidates that failed, by filter, when nothing matched
	duration prometheus.Histogram   // of a match with its signature, seconds
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		held: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "framemesh_indexer_ads",
			Help: "Containers whose ad the indexer holds.",
		}),
		ads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "framemesh_indexer_ads_total",
			Help: "Ads that came, by result: accepted, stale, invalid, full, dropped.",
		}, []string{"result"}),
		figures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "framemesh_indexer_figures_total",
			Help: "Containers whose measured figures were asked of the ledger, by result: read, failed.",
		}, []string{"result"}),
		proven: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "framemesh_indexer_proven",
			Help: "Containers that may be matched as far as the ledger says, at the last reading of it; 0 without a ledger.",
		}),
		matches: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "framemesh_indexer_matches_total",
			Help: "Match certificates signed.",
		}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "framemesh_indexer_refusals_total",
			Help: "Candidates of requests without a match, by the filter that they failed; empty when there was no candidate.",
		}, []string{"filter"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "framemesh_indexer_match_seconds",
			Help:    "Time of a match, from the question to the signed certificate.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 3, 9), // 0.1 ms to 0.66 s
		}),
	}
	m.held = register(reg, m.held)
	m.ads = register(reg, m.ads)
	m.figures = register(reg, m.figures)
	m.proven = register(reg, m.proven)
	m.matches = register(reg, m.matches)
	m.refusals = register(reg, m.refusals)
	m.duration = register(reg, m.duration)
	return m
}

// register adds a collector to reg, or returns the equal one that is there already.
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
