package checker

import (
	"github.com/prometheus/client_golang/prometheus"
)

// roundMetrics are the figures of a checker's rounds.
type roundMetrics struct {
	epoch     prometheus.Gauge
	batches   prometheus.Gauge
	rounds    *prometheus.CounterVec
	commits   *prometheus.CounterVec
	opened    *prometheus.CounterVec
	checked   *prometheus.CounterVec
	said      *prometheus.CounterVec
	published *prometheus.CounterVec
	verdicts  *prometheus.CounterVec
	sent      *prometheus.CounterVec
	pings     *prometheus.CounterVec
	audits    *prometheus.CounterVec
	watches   *prometheus.CounterVec
	dropped   prometheus.Counter
	seconds   prometheus.Counter
}

func newRoundMetrics() *roundMetrics {
	vec := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	return &roundMetrics{
		epoch:     gauge("framemesh_checker_epoch", "Epoch whose round this checker takes part in."),
		batches:   gauge("framemesh_checker_batches", "Batches that this checker judges in the epoch, the reserve's included."),
		rounds:    vec("framemesh_checker_rounds_total", "Rounds of this checker, by result: begun, restored, lost.", "result"),
		commits:   vec("framemesh_checker_commits_total", "Commitments that containers handed in, by result: stamped, refused.", "result"),
		opened:    vec("framemesh_checker_openings_total", "Containers asked for tiles, by result: opened, refused, failed.", "result"),
		checked:   vec("framemesh_checker_checked_total", "Openings that were recomputed, by result: right, wrong, failed.", "result"),
		said:      vec("framemesh_checker_statements_total", "Statements of other checkers, by result: taken, refused, early.", "result"),
		published: vec("framemesh_checker_published_total", "Statements that this checker gossiped, by kind.", "kind"),
		verdicts:  vec("framemesh_checker_verdicts_total", "Verdicts of this checker's own votes, by verdict.", "verdict"),
		sent:      vec("framemesh_checker_sent_total", "What this checker brought to the ledger, by kind and whether it counted: certificate, certificate-late, fraud, fraud-late, failed.", "what"),
		pings:     vec("framemesh_checker_pings_total", "Liveness nonces sent to containers, by result: answered, missed, elsewhere (outside of the declared subnets).", "result"),
		audits:    vec("framemesh_checker_audits_total", "Audits of sessions, by result: equal, unproven, wrong, not_given, young, skipped, failed.", "result"),
		watches:   vec("framemesh_checker_watches_total", "Players' complaints that a container went, by result: refused, unfounded, answered, silent, late.", "result"),
		dropped:   counter("framemesh_checker_dropped_total", "Statements that came faster than they could be looked at."),
		seconds:   counter("framemesh_checker_cpu_seconds_total", "Processor time spent on recomputing tiles."),
	}
}

func (m *roundMetrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.epoch, m.batches, m.rounds, m.commits, m.opened, m.checked, m.said, m.published, m.verdicts,
		m.sent, m.pings, m.audits, m.watches, m.dropped, m.seconds}
}

// Describe implements prometheus.Collector.
func (m *roundMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, c := range m.all() {
		c.Describe(out)
	}
}

// Collect implements prometheus.Collector.
func (m *roundMetrics) Collect(out chan<- prometheus.Metric) {
	for _, c := range m.all() {
		c.Collect(out)
	}
}
