package stream

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/framemesh/framemesh/stream/control"
	"github.com/framemesh/framemesh/stream/input"
)

// metrics are an engine's counters.
type metrics struct {
	sessions, peers            prometheus.Gauge
	frames, bytes, keyRequests prometheus.Counter
	joins, refused, left       *prometheus.CounterVec
	inputs, plis, writeErrors  prometheus.Counter
	refusedOffers              prometheus.Counter
}

func newMetrics(r prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "framemesh", Subsystem: "stream", Name: name, Help: help})
	}
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "framemesh", Subsystem: "stream", Name: name, Help: help}, labels)
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "framemesh", Subsystem: "stream", Name: name, Help: help})
	}
	m := &metrics{
		sessions:      gauge("sessions", "Sessions that are open."),
		peers:         gauge("peers", "Peer connections that were answered and are not gone."),
		frames:        counter("frames_total", "Coded pictures sent, once per session."),
		bytes:         counter("video_bytes_total", "Bytes of coded pictures, once per session."),
		keyRequests:   counter("key_requests_total", "Key frames asked of encoders."),
		inputs:        counter("inputs_total", "Input messages accepted."),
		plis:          counter("plis_total", "Picture loss indications and intra requests of peers."),
		writeErrors:   counter("write_errors_total", "Packets that a peer connection did not take."),
		refusedOffers: counter("offers_refused_total", "Offers that were not answered."),
		joins:         vec("joins_total", "Peer connections whose media flowed.", "role"),
		left:          vec("left_total", "Peer connections gone, by cause.", "why"),
		refused:       vec("messages_refused_total", "Messages of data channels and fragments that were refused.", "channel", "reason"),
	}
	if r != nil {
		for _, c := range []prometheus.Collector{m.sessions, m.peers, m.frames, m.bytes, m.keyRequests, m.inputs, m.plis, m.writeErrors, m.refusedOffers, m.joins, m.left, m.refused} {
			// Two engines of one process share a registry in tests and demos; the first one counts.
			_ = r.Register(c)
		}
	}
	return m
}

// reason is the label of a refusal: one word per sentinel, so that peers cannot make
// labels.
func reason(err error) string {
	for _, r := range []struct {
		err  error
		word string
	}{
		{input.ErrSize, "size"}, {control.ErrSize, "size"}, {ErrTooLarge, "size"},
		{input.ErrKind, "kind"}, {control.ErrType, "kind"}, {errKind, "kind"},
		{input.ErrValue, "value"}, {control.ErrValue, "value"}, {ErrFragment, "value"},
		{errTooOften, "rate"}, {errStale, "stale"}, {errNotInUse, "role"}, {errChannel, "channel"}, {ErrSeat, "seat"},
	} {
		if errors.Is(err, r.err) {
			return r.word
		}
	}
	return "other"
}
