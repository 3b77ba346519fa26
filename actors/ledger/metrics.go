package ledger

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the figures of a node's hand on the ledger.
type metrics struct {
	height    prometheus.Gauge
	epoch     prometheus.Gauge
	submitted *prometheus.CounterVec
	sent      *prometheus.CounterVec
	settled   prometheus.Counter
	lookups   prometheus.Counter
	notices   *prometheus.CounterVec
	quoted    prometheus.Counter
	funded    prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	gauge := func(name, help string) prometheus.Gauge {
		return register(reg, prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help}))
	}
	counter := func(name, help string) prometheus.Counter {
		return register(reg, prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help}))
	}
	vec := func(name, help, label string) *prometheus.CounterVec {
		return register(reg, prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label}))
	}
	return &metrics{
		height:    gauge("framemesh_ledger_head_height", "Height of the newest block that this node knows."),
		epoch:     gauge("framemesh_ledger_head_epoch", "Epoch of the newest block."),
		submitted: vec("framemesh_ledger_submitted_total", "Transactions given to the ledger, by result: ok, refused, busy, failed.", "result"),
		sent:      vec("framemesh_ledger_sent_total", "Transactions of this node's keys that were followed to a block, by result: ok, refused, void, failed.", "result"),
		settled:   counter("framemesh_ledger_settled_total", "Sessions that this node settled."),
		lookups:   counter("framemesh_ledger_registry_lookups_total", "Entries of the registry that were read."),
		notices:   vec("framemesh_ledger_notices_total", "Notices from the ledger's topic, by kind: head, quote, invalid.", "kind"),
		quoted:    counter("framemesh_ledger_quotes_total", "Prices that this node quoted as an oracle."),
		funded:    counter("framemesh_ledger_funded_total", "Addresses that this node's faucet gave money."),
	}
}

func (m *metrics) head(h Head, epoch uint64) {
	m.height.Set(float64(h.Height))
	m.epoch.Set(float64(epoch))
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
