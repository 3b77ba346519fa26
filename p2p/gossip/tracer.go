package gossip

import (
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// tracer counts what pubsub decides without asking a topic's validator.
type tracer struct{ g *Gossip }

var _ pubsub.RawTracer = tracer{}

// RejectMessage counts refusals. Those of a validator are counted where they happen,
// with the reason.
func (t tracer) RejectMessage(m *pubsub.Message, reason string) {
	var r Reason
	switch reason {
	case pubsub.RejectValidationFailed, pubsub.RejectValidationIgnored:
		return
	case pubsub.RejectMissingSignature, pubsub.RejectInvalidSignature, pubsub.RejectUnexpectedSignature, pubsub.RejectUnexpectedAuthInfo, pubsub.RejectSelfOrigin:
		r = unsigned
	case pubsub.RejectValidationQueueFull, pubsub.RejectValidationThrottled:
		r = queueFull
	case pubsub.RejectBlacklstedPeer, pubsub.RejectBlacklistedSource:
		r = blacklisted
	default:
		r = Decode
	}
	t.g.reject(t.g.label(m.GetTopic()), r)
}

// UndeliverableMessage counts what a slow subscriber of this node missed.
func (t tracer) UndeliverableMessage(m *pubsub.Message) {
	t.g.reject(t.g.label(m.GetTopic()), slowReader)
}

// The router tells of the rest too; nothing is made of it.

func (tracer) OnNewOutboundStream(peer.ID, protocol.ID) {}
func (tracer) OnClosedOutboundStream(peer.ID)           {}
func (tracer) Join(string)                              {}
func (tracer) Leave(string)                             {}
func (tracer) Graft(peer.ID, string)                    {}
func (tracer) Prune(peer.ID, string)                    {}
func (tracer) ValidateMessage(*pubsub.Message)          {}
func (tracer) DeliverMessage(*pubsub.Message)           {}
func (tracer) DuplicateMessage(*pubsub.Message)         {}
func (tracer) ThrottlePeer(peer.ID)                     {}
func (tracer) RecvRPC(*pubsub.RPC)                      {}
func (tracer) SendRPC(*pubsub.RPC, peer.ID)             {}
func (tracer) DropRPC(*pubsub.RPC, peer.ID)             {}
