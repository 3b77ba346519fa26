package gossip

import (
	"net"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
)

// The score of a peer decides how it is treated. docs/spec/gossip.md explains the
// figures; they are part of the protocol in so far as peers that judge much harder
// than others split the mesh.
const (
	// Below this, no gossip is exchanged: 5 invalid messages by a peer without merit.
	gossipThreshold = -40
	// Below this, nothing is published to the peer either.
	publishThreshold = -80
	// GraylistThreshold: below this, everything the peer sends is dropped unread. Ten
	// invalid messages are enough even for the most useful peer: −2·10² + 20 = −180.
	GraylistThreshold = -160

	topicScoreCap = 20 // the most merit all topics together can earn

	decayInterval = time.Second
	decayToZero   = 0.01
	// A bad score outlives the connection, so that reconnecting is no way out.
	retainScore = time.Hour
	// A message is known for longer than it can live.
	seenTTL = MaxTTL + 2*MaxSkew

	// Peers behind one address: a household or an office is fine, a farm is not.
	colocationThreshold = 8
	colocationWeight    = -10

	// Broken promises and GRAFT floods, beyond what packet loss explains.
	behaviourThreshold = 6
	behaviourWeight    = -10
	behaviourDecay     = 10 * time.Minute

	// badFrame is what a frame that does not parse costs; see frames.go.
	badFrame         = 10.0
	badFrameHalfLife = 10 * time.Minute
)

// topicParams scores what a peer does on one topic.
func topicParams() *pubsub.TopicScoreParams {
	return &pubsub.TopicScoreParams{
		TopicWeight: 1,
		// merit for staying: at most 3, after five minutes
		TimeInMeshWeight:  0.01,
		TimeInMeshQuantum: time.Second,
		TimeInMeshCap:     300,
		// merit for being first with news: at most 10
		FirstMessageDeliveriesWeight: 0.5,
		FirstMessageDeliveriesDecay:  pubsub.ScoreParameterDecay(10 * time.Minute),
		FirstMessageDeliveriesCap:    20,
		// A region may hold two containers or ten thousand: no delivery rate can be
		// demanded, so silence costs nothing (weight 0 turns these two off).
		MeshMessageDeliveriesWeight: 0,
		MeshFailurePenaltyWeight:    0,
		// Messages that no honest peer forwards: −2·n², forgiven within the hour.
		InvalidMessageDeliveriesWeight: -2,
		InvalidMessageDeliveriesDecay:  pubsub.ScoreParameterDecay(time.Hour),
		SkipAtomicValidation:           true, // or weight 0 would still demand the other delivery figures
	}
}

// peerParams scores what a peer does on the whole; app adds what the node knows.
func peerParams(app func(peer.ID) float64) *pubsub.PeerScoreParams {
	return &pubsub.PeerScoreParams{
		Topics:                      map[string]*pubsub.TopicScoreParams{},
		TopicScoreCap:               topicScoreCap,
		AppSpecificScore:            app,
		AppSpecificWeight:           1,
		IPColocationFactorWeight:    colocationWeight,
		IPColocationFactorThreshold: colocationThreshold,
		IPColocationFactorWhitelist: loopbackNets(),
		BehaviourPenaltyWeight:      behaviourWeight,
		BehaviourPenaltyThreshold:   behaviourThreshold,
		BehaviourPenaltyDecay:       pubsub.ScoreParameterDecay(behaviourDecay),
		DecayInterval:               decayInterval,
		DecayToZero:                 decayToZero,
		RetainScore:                 retainScore,
		SeenMsgTTL:                  seenTTL,
	}
}

func thresholds() *pubsub.PeerScoreThresholds {
	return &pubsub.PeerScoreThresholds{
		GossipThreshold:             gossipThreshold,
		PublishThreshold:            publishThreshold,
		GraylistThreshold:           GraylistThreshold,
		AcceptPXThreshold:           topicScoreCap, // peer exchange is off
		OpportunisticGraftThreshold: 2,
	}
}

// loopbackNets: a whole network on one machine (tests, the demo) shares one address.
func loopbackNets() []*net.IPNet {
	return []*net.IPNet{
		{IP: net.IPv4(127, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)},
		{IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)},
	}
}
