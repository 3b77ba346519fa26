package prover

import "github.com/prometheus/client_golang/prometheus"

// metrics are the figures of a prover.
type metrics struct {
	rounds   *prometheus.CounterVec
	commits  *prometheus.CounterVec
	openings *prometheus.CounterVec
	pongs    prometheus.Counter
	seconds  prometheus.Counter
	rate     prometheus.Gauge
}

func newMetrics() *metrics {
	vec := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"result"})
	}
	return &metrics{
		rounds:   vec("framemesh_proof_rounds_total", "Rounds of this container, by what it did: committed, busy, empty, lost, none."),
		commits:  vec("framemesh_proof_commits_total", "Commitments brought to checkers, by result: taken, failed."),
		openings: vec("framemesh_proof_openings_total", "Questions of checkers, by result: answered, refused, failed."),
		pongs:    prometheus.NewCounter(prometheus.CounterOpts{Name: "framemesh_proof_pongs_total", Help: "Liveness nonces that this container signed."}),
		seconds:  prometheus.NewCounter(prometheus.CounterOpts{Name: "framemesh_proof_render_seconds_total", Help: "Seconds in which this container rendered for a round."}),
		rate:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "framemesh_proof_samples_per_second", Help: "Samples that this container rendered in a second of its last round."}),
	}
}

func (m *metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.rounds, m.commits, m.openings, m.pongs, m.seconds, m.rate}
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(out chan<- *prometheus.Desc) {
	for _, c := range m.all() {
		c.Describe(out)
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	for _, c := range m.all() {
		c.Collect(out)
	}
}
