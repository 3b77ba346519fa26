package chain

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/framemesh/framemesh/ledger/state"
)

type metrics struct {
	height     prometheus.Gauge
	validators prometheus.Gauge
	blockTxs   prometheus.Counter
	refused    *prometheus.CounterVec // reason
	proposals  *prometheus.CounterVec // verdict
	pool       prometheus.Gauge
	clock      prometheus.Gauge
	execute    prometheus.Histogram
	snapshots  prometheus.Gauge
	penalties  *prometheus.CounterVec // offence
	oraclesOff *prometheus.CounterVec // oracle
}

// newMetrics registers with reg; chains that share a process and a registry share the
// figures. A nil reg counts for nobody.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		height: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "framemesh_ledger_height", Help: "Newest committed block.",
		}),
		validators: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "framemesh_ledger_validators", Help: "Validators of the newest block.",
		}),
		blockTxs: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "framemesh_ledger_transactions_total", Help: "Transactions in committed blocks, refused ones included.",
		}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "framemesh_ledger_refused_total", Help: "Transactions that did not enter the pool, by reason.",
		}, []string{"reason"}),
		proposals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "framemesh_ledger_proposals_total", Help: "Proposed blocks that this validator judged, by verdict.",
		}, []string{"verdict"}),
		pool: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "framemesh_ledger_pool_transactions", Help: "Transactions that wait for a block.",
		}),
		clock: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "framemesh_ledger_clock_offset_seconds", Help: "This machine's clock minus that of the other validators; small positive values are the way of their votes.",
		}),
		execute: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "framemesh_ledger_block_seconds", Help: "Time to execute a block.",
			Buckets: []float64{.001, .003, .01, .03, .1, .3, 1, 3},
		}),
		snapshots: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "framemesh_ledger_snapshots", Help: "Snapshots of the state that others can start from.",
		}),
		penalties: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "framemesh_ledger_penalties_total", Help: "Slashes in blocks that this node executed, by offence.",
		}, []string{"offence"}),
		oraclesOff: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "framemesh_ledger_oracle_off_total", Help: "Quotes off the median that were counted in blocks that this node executed, by oracle of the genesis file.",
		}, []string{"oracle"}),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []struct {
		in  prometheus.Collector
		set func(prometheus.Collector)
	}{
		{m.height, func(c prometheus.Collector) { m.height = c.(prometheus.Gauge) }},
		{m.validators, func(c prometheus.Collector) { m.validators = c.(prometheus.Gauge) }},
		{m.blockTxs, func(c prometheus.Collector) { m.blockTxs = c.(prometheus.Counter) }},
		{m.refused, func(c prometheus.Collector) { m.refused = c.(*prometheus.CounterVec) }},
		{m.proposals, func(c prometheus.Collector) { m.proposals = c.(*prometheus.CounterVec) }},
		{m.pool, func(c prometheus.Collector) { m.pool = c.(prometheus.Gauge) }},
		{m.clock, func(c prometheus.Collector) { m.clock = c.(prometheus.Gauge) }},
		{m.execute, func(c prometheus.Collector) { m.execute = c.(prometheus.Histogram) }},
		{m.snapshots, func(c prometheus.Collector) { m.snapshots = c.(prometheus.Gauge) }},
		{m.penalties, func(c prometheus.Collector) { m.penalties = c.(*prometheus.CounterVec) }},
		{m.oraclesOff, func(c prometheus.Collector) { m.oraclesOff = c.(*prometheus.CounterVec) }},
	} {
		err := reg.Register(c.in)
		var twice prometheus.AlreadyRegisteredError
		switch {
		case errors.As(err, &twice):
			c.set(twice.ExistingCollector)
		case err != nil:
			return nil, fmt.Errorf("chain: metrics: %w", err)
		}
	}
	return m, nil
}

// note counts what an operator wants to hear of: who was punished for what, and whose prices are
// off. Both labels come from short lists: the offences, and the oracles of the genesis file.
func (m *metrics) note(events []state.Event) {
	for _, e := range events {
		switch e.Kind {
		case "slash":
			m.penalties.WithLabelValues(attr(e, "offence")).Inc()
		case "oracle_off":
			m.oraclesOff.WithLabelValues(attr(e, "oracle")).Inc()
		}
	}
}

func attr(e state.Event, name string) string {
	for _, a := range e.Attrs {
		if a.Key == name {
			return a.Value
		}
	}
	return ""
}
