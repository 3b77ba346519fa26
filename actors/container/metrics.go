package container

import "github.com/prometheus/client_golang/prometheus"

// metrics of a container.
type metrics struct {
	reservations *prometheus.CounterVec
	ads          *prometheus.CounterVec
	sessions     prometheus.Gauge
	waiting      prometheus.Gauge
	ended        prometheus.Counter
	restarts     prometheus.Counter
	settled      *prometheus.CounterVec
	audits       prometheus.Counter
}

var _ prometheus.Collector = (*metrics)(nil)

func newMetrics() *metrics {
	return &metrics{
		reservations: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "framemesh_container_reservations_total",
			Help: "Reservation requests by result: leased, again, queued, waiting, busy, wasteful, refused."}, []string{"result"}),
		ads: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "framemesh_container_ads_total",
			Help: "Ads gossiped by result: ok, failed."}, []string{"result"}),
		sessions: prometheus.NewGauge(prometheus.GaugeOpts{Name: "framemesh_container_sessions", Help: "Sessions, leases included."}),
		waiting:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "framemesh_container_waiting", Help: "Players in the queue."}),
		ended:    prometheus.NewCounter(prometheus.CounterOpts{Name: "framemesh_container_sessions_ended_total", Help: "Sessions that ended."}),
		restarts: prometheus.NewCounter(prometheus.CounterOpts{Name: "framemesh_container_worker_restarts_total", Help: "Worker restarts of sessions that ended."}),
		settled: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "framemesh_container_settlements_total",
			Help: "Sessions closed on the ledger by result of the attempt: ok, failed."}, []string{"result"}),
		audits: prometheus.NewCounter(prometheus.CounterOpts{Name: "framemesh_container_audits_total", Help: "Audits of sessions that were answered."}),
	}
}

func (m *metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.reservations, m.ads, m.sessions, m.waiting, m.ended, m.restarts, m.settled, m.audits}
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range m.all() {
		c.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	for _, c := range m.all() {
		c.Collect(ch)
	}
}
