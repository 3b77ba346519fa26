package gossip

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// otherTopic labels what came on a topic this node has no part in, so that a peer
// cannot make labels up.
const otherTopic = "other"

// Reasons that are found outside the pipeline of a topic.
const (
	unsigned    Reason = "unsigned"    // the pubsub message's own signature is missing or wrong
	graylisted  Reason = "graylisted"  // from a peer below GraylistThreshold, unread
	queueFull   Reason = "queue-full"  // more than this node can judge
	slowReader  Reason = "slow-reader" // this node's subscriber does not keep up
	blacklisted Reason = "blacklisted"
)

type metrics struct {
	received  *prometheus.CounterVec // topic
	accepted  *prometheus.CounterVec // topic
	rejected  *prometheus.CounterVec // topic, reason
	badFrames prometheus.Counter
	gray      prometheus.Gauge
}

// newMetrics registers with reg; nodes that share a process and a registry share the
// figures.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		received: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "framemesh_gossip_received_total", Help: "Messages that came in, duplicates and refused ones included.",
		}, []string{"topic"}),
		accepted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "framemesh_gossip_accepted_total", Help: "Messages of other peers that passed all checks.",
		}, []string{"topic"}),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "framemesh_gossip_rejected_total", Help: "Messages of other peers that were refused or ignored, by reason.",
		}, []string{"topic", "reason"}),
		badFrames: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "framemesh_gossip_bad_frames_total", Help: "Frames that were too long or no protobuf; each ended its stream.",
		}),
		gray: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "framemesh_gossip_graylisted_peers", Help: "Peers whose messages are dropped unread because of their score.",
		}),
	}
	if reg == nil {
		return m, nil
	}
	return m, errors.Join(
		register(reg, &m.received), register(reg, &m.accepted), register(reg, &m.rejected),
		register(reg, &m.badFrames), register(reg, &m.gray))
}

// register registers *c, or replaces it by the one that is registered already.
func register[C prometheus.Collector](reg prometheus.Registerer, c *C) error {
	err := reg.Register(*c)
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		if same, ok := already.ExistingCollector.(C); ok {
			*c = same
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("gossip: metrics: %w", err)
	}
	return nil
}
