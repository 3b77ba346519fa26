package light

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the figures of a Client.
type metrics struct {
	height    prometheus.Gauge
	headers   prometheus.Gauge
	witnesses prometheus.Gauge
	asked     prometheus.Counter
	received  prometheus.Counter
	faults    prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	gauge := func(name, help string) prometheus.Gauge {
		return register(reg, prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help}))
	}
	counter := func(name, help string) prometheus.Counter {
		return register(reg, prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help}))
	}
	return &metrics{
		height:    gauge("framemesh_ledger_light_height", "Height of the newest header that the light client verified."),
		headers:   gauge("framemesh_ledger_light_headers", "Verified headers that the light client holds."),
		witnesses: gauge("framemesh_ledger_light_witnesses", "Peers that confirmed the newest header beside the one that gave it."),
		asked:     counter("framemesh_ledger_light_requests_total", "Questions that the light client put to peers."),
		received:  counter("framemesh_ledger_light_received_bytes_total", "Bytes of the answers to them."),
		faults:    counter("framemesh_ledger_light_faults_total", "Answers that were provably wrong; their senders were dropped."),
	}
}

func (m *metrics) view(v *view, headers int) {
	if v.head != nil {
		m.height.Set(float64(v.head.Height))
	}
	m.headers.Set(float64(headers))
	m.witnesses.Set(float64(v.witnesses))
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
