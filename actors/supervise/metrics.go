package supervise

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are kept per class of actor: the name up to the first "-".
type metrics struct {
	sys      *System
	depth    *prometheus.Desc
	living   *prometheus.Desc
	handled  *prometheus.CounterVec
	rejected *prometheus.CounterVec
	restarts *prometheus.CounterVec
	latency  *prometheus.HistogramVec

	mu     sync.Mutex
	byName map[string]*meters
}

// meters are the counters of one class, looked up once per actor.
type meters struct {
	handled, rejected, restarts prometheus.Counter
	latency                     prometheus.Observer
}

var _ prometheus.Collector = (*metrics)(nil)

func newMetrics(s *System) *metrics {
	label := []string{"actor"}
	return &metrics{
		sys:    s,
		depth:  prometheus.NewDesc("framemesh_actor_mailbox_depth", "Messages waiting in the mailboxes of a class of actors.", label, nil),
		living: prometheus.NewDesc("framemesh_actors", "Living actors of a class.", label, nil),
		handled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "framemesh_actor_handled_total", Help: "Messages handled."}, label),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "framemesh_actor_rejected_total", Help: "Messages refused because the mailbox was full."}, label),
		restarts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "framemesh_actor_restarts_total", Help: "Restarts after a failure."}, label),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "framemesh_actor_latency_seconds",
			Help:    "Time from a message's arrival in the mailbox to the end of its handling.",
			Buckets: prometheus.ExponentialBuckets(4e-6, 4, 10), // 4 µs to 1 s
		}, label),
		byName: map[string]*meters{},
	}
}

func (m *metrics) of(class string) *meters {
	m.mu.Lock()
	defer m.mu.Unlock()
	if k, ok := m.byName[class]; ok {
		return k
	}
	k := &meters{
		handled:  m.handled.WithLabelValues(class),
		rejected: m.rejected.WithLabelValues(class),
		restarts: m.restarts.WithLabelValues(class),
		latency:  m.latency.WithLabelValues(class),
	}
	m.byName[class] = k
	return k
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	ch <- m.depth
	ch <- m.living
	for _, v := range []prometheus.Collector{m.handled, m.rejected, m.restarts, m.latency} {
		v.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	depth, living := map[string]int64{}, map[string]int64{}
	for _, c := range m.sys.living() {
		depth[c.set.class] += c.depth.Load()
		living[c.set.class]++
	}
	for class, n := range living {
		ch <- prometheus.MustNewConstMetric(m.living, prometheus.GaugeValue, float64(n), class)
		ch <- prometheus.MustNewConstMetric(m.depth, prometheus.GaugeValue, float64(depth[class]), class)
	}
	for _, v := range []prometheus.Collector{m.handled, m.rejected, m.restarts, m.latency} {
		v.Collect(ch)
	}
}
