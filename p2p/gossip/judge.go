package gossip

import (
	"errors"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/p2p/seal"
)

// Limits that hold for every topic unless its Spec is stricter.
const (
	MaxMessage = 8 << 10         // bytes of one message
	MaxTTL     = 2 * time.Minute // from seq (when it was made) to expiry
	MaxSkew    = time.Minute     // how far a message may come from the future
)

// Reason says why a message was not taken. It is the label of
// framemesh_gossip_rejected_total.
type Reason string

// Reasons that are the sender's fault: no clock and no knowledge makes the message
// valid, so no honest peer forwards it. The sender's score falls.
const (
	Oversize  Reason = "oversize"  // longer than the topic's limit
	Decode    Reason = "decode"    // not an envelope, or not the message of the topic
	Signature Reason = "signature" // forged, or made for another network or type
	Content   Reason = "content"   // a field is out of range, or it belongs to another topic
	Lifetime  Reason = "lifetime"  // expires before it was made, or later than the topic allows
)

// Reasons that depend on when and where a message is judged: an honest peer with
// another clock, or with older news, may have forwarded it. It is dropped, no more.
const (
	Replay       Reason = "replay"       // its signer has said something newer, or the same
	Expired      Reason = "expired"      // by this node's clock
	Future       Reason = "future"       // made more than MaxSkew after this node's clock
	Unregistered Reason = "unregistered" // its signer may not speak here, as far as this node knows
	TooOften     Reason = "too-often"    // its signer speaks more than the topic allows
	TableFull    Reason = "table-full"   // this node follows as many signers as it can
	Crowd        Reason = "crowd"        // whoever brought it has brought too many unknown signers lately
)

// blames says whether a reason is held against whoever sent the message.
func (r Reason) blames() bool {
	switch r {
	case Oversize, Decode, Signature, Content, Lifetime:
		return true
	}
	return false
}

// result is the verdict in pubsub's words; the empty reason accepts.
func (r Reason) result() pubsub.ValidationResult {
	switch {
	case r == "":
		return pubsub.ValidationAccept
	case r.blames():
		return pubsub.ValidationReject
	}
	return pubsub.ValidationIgnore
}

// ErrContent is wrapped by a Spec's Open when a message is well signed but breaks a
// rule of its topic.
var ErrContent = errors.New("gossip: message breaks a rule of its topic")

// Statement is what the pipeline needs to know of an opened message, whatever its topic.
type Statement struct {
	Signer    peer.ID
	Seq       uint64 // unix ms when it was made; grows with each message of a signer
	ExpiresMs uint64 // unix ms
	Body      any    // the decoded message, handed to the subscriber
}

// Spec is what a topic demands of its messages.
type Spec struct {
	// Open decodes a message, verifies its signature and checks everything that needs
	// no clock. It must be pure, must not keep data, and wraps seal's errors or
	// ErrContent; any other error counts as Decode.
	Open func(data []byte) (Statement, error)
	// Registered says whether a signer may speak; nil means everybody. It runs on the
	// validation path and must not block.
	Registered func(peer.ID) bool
	MaxSize    int           // bytes; 0 means MaxMessage, which is also the most
	MaxTTL     time.Duration // 0 means MaxTTL
	// Every is how often a signer may speak in the long run, to the ms; 0 means once a
	// second. Twenty messages at once are always possible.
	Every time.Duration
	// FewStrangers bounds how many signers that are not followed yet one neighbour may
	// bring: for topics where few speak, and anybody may.
	FewStrangers bool
}

// reasonOf sorts an error of Spec.Open.
func reasonOf(err error) Reason {
	switch {
	case errors.Is(err, seal.ErrTooLarge):
		return Oversize
	case errors.Is(err, seal.ErrSignature), errors.Is(err, seal.ErrKey), errors.Is(err, seal.ErrType):
		return Signature
	case errors.Is(err, ErrContent):
		return Content
	}
	return Decode
}

// judge decides on one message at a given time; the empty Reason accepts it, and
// then its sequence number is taken, so that the same message is a replay from now
// on. With dry set nothing is taken. The order is part of the protocol.
func (s *Spec) judge(data []byte, now time.Time, table *signers, dry bool) (Statement, Reason) {
	if len(data) > s.MaxSize {
		return Statement{}, Oversize
	}
	st, err := s.Open(data)
	if err != nil {
		return Statement{}, reasonOf(err)
	}
	if st.ExpiresMs <= st.Seq || st.ExpiresMs-st.Seq > uint64(s.MaxTTL.Milliseconds()) {
		return Statement{}, Lifetime
	}
	if !table.newer(st.Signer, st.Seq) {
		return Statement{}, Replay
	}
	nowMs := uint64(max(0, now.UnixMilli()))
	if st.ExpiresMs <= nowMs {
		return Statement{}, Expired
	}
	if st.Seq > nowMs+uint64(MaxSkew.Milliseconds()) {
		return Statement{}, Future
	}
	if s.Registered != nil && !s.Registered(st.Signer) {
		return Statement{}, Unregistered
	}
	if dry {
		return st, ""
	}
	if reason := table.take(st.Signer, st.Seq, nowMs); reason != "" {
		return Statement{}, reason
	}
	return st, ""
}
