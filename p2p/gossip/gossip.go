package gossip

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	manet "github.com/multiformats/go-multiaddr/net"
	"github.com/prometheus/client_golang/prometheus"
)

// Errors of this package beside ErrContent.
var (
	// ErrTopic: the topic is not in the list this node was started with.
	ErrTopic = errors.New("gossip: topic is not on this node's list; name it in Config.Topics or its region in Config.Regions")
	// ErrRefused: a message of this node's own breaks the rules others would judge it by.
	ErrRefused = errors.New("gossip: message would be refused by others")
	// ErrClosed: the Gossip was closed.
	ErrClosed = errors.New("gossip: closed")
)

// Limits on the work that others can cause.
const (
	maxFrame      = 64 << 10 // bytes of one frame on a stream: some messages and control
	validateQueue = 256      // messages that wait to be judged; more are dropped
	validators    = 4        // messages judged at the same time
	readerQueue   = 256      // accepted messages that wait for a subscriber; more are dropped
	outboundQueue = 128      // frames that wait for a slow peer; more are dropped
	subsPerFrame  = 64       // topic subscriptions in one frame
	maxTopics     = 64       // on this node's list
	inspectEvery  = time.Second
)

// nameRule is that of networks and regions.
var nameRule = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// topicRule bounds what a topic may be called.
var topicRule = regexp.MustCompile(`^/framemesh/[a-z0-9/-]{1,100}/[0-9]{1,3}$`)

// Config says which topics a node may take part in. Host and Network are required.
type Config struct {
	Host    host.Host
	Network string
	// Regions whose ads this node may publish or read. The list is fixed at the start:
	// pubsub tells of its peers' subscriptions only once, and what is not on the list
	// by then is not kept.
	Regions []string
	// Topics are further full topic names this node may join.
	Topics []string
	// Registered says whether a container may advertise; nil means everybody.
	Registered func(peer.ID) bool
	// AppScore is what the node knows of a peer from elsewhere, in points of
	// params.go: −160 alone graylists. It must be quick. nil adds nothing.
	AppScore func(peer.ID) float64

	Registerer prometheus.Registerer // nil measures nothing
	Log        *slog.Logger          // nil logs nothing
	Now        func() time.Time      // nil means time.Now
}

// Gossip is a node's part in the topics of its network.
type Gossip struct {
	cfg     Config
	ps      *pubsub.PubSub
	metrics *metrics
	frames  *penalties
	scores  atomic.Pointer[map[peer.ID]float64] // as of the last inspection
	allowed []string

	ctx  context.Context
	stop context.CancelFunc

	mu      sync.Mutex // guards topics and closed
	topics  map[string]*Topic
	closed  bool
	readers sync.WaitGroup
}

// New starts gossip on a host. Close ends it.
func New(c Config) (*Gossip, error) {
	g, err := prepare(c)
	if err != nil {
		return nil, err
	}
	h := &watchedHost{Host: g.cfg.Host, bad: g.badFrame}
	if g.ps, err = pubsub.NewGossipSub(g.ctx, h, g.options()...); err != nil {
		g.stop()
		return nil, fmt.Errorf("gossip: start: %w", err)
	}
	return g, nil
}

// prepare checks a Config and makes everything but the router.
func prepare(c Config) (*Gossip, error) {
	if c.Host == nil || !nameRule.MatchString(c.Network) {
		return nil, fmt.Errorf("gossip: a host and a network name (1 to 32 of a-z, 0-9 and -) are required, got %.40q", c.Network)
	}
	allowed := slices.Clone(c.Topics)
	for _, r := range c.Regions {
		if !nameRule.MatchString(r) {
			return nil, fmt.Errorf("gossip: region %.40q: use 1 to 32 of a-z, 0-9 and -", r)
		}
		allowed = append(allowed, AdsTopic(c.Network, r))
	}
	for _, t := range allowed {
		if !topicRule.MatchString(t) {
			return nil, fmt.Errorf("gossip: topic %.120q: use /framemesh/<network>/<name>/<version>", t)
		}
	}
	if len(allowed) > maxTopics {
		return nil, fmt.Errorf("gossip: %d topics and regions, at most %d", len(allowed), maxTopics)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	m, err := newMetrics(c.Registerer)
	if err != nil {
		return nil, err
	}
	g := &Gossip{cfg: c, metrics: m, frames: newPenalties(), allowed: allowed, topics: map[string]*Topic{}}
	g.scores.Store(&map[peer.ID]float64{})
	g.ctx, g.stop = context.WithCancel(context.Background())
	return g, nil
}

func (g *Gossip) options() []pubsub.Option {
	opts := []pubsub.Option{
		pubsub.WithMessageSignaturePolicy(pubsub.StrictSign),
		pubsub.WithMessageIdFn(messageID),
		pubsub.WithMaxMessageSize(maxFrame),
		// One's own messages go to every peer of the topic: in the first second after
		// joining there is no mesh yet, and an eclipse must not silence a container.
		pubsub.WithFloodPublish(true),
		pubsub.WithSeenMessagesTTL(seenTTL),
		pubsub.WithPeerOutboundQueueSize(outboundQueue),
		// Validators run inline: a fixed number of workers with a queue before them.
		// The alternative, a goroutine for each message, drops a burst at once.
		pubsub.WithValidateQueueSize(validateQueue),
		pubsub.WithValidateWorkers(validators),
		pubsub.WithSubscriptionFilter(pubsub.WrapLimitSubscriptionFilter(pubsub.NewAllowlistSubscriptionFilter(g.allowed...), subsPerFrame)),
		pubsub.WithPeerScore(peerParams(g.appScore), thresholds()),
		pubsub.WithPeerScoreInspect(pubsub.PeerScoreInspectFn(g.inspect), inspectEvery),
		pubsub.WithAppSpecificRpcInspector(g.admit),
		pubsub.WithRawTracer(tracer{g}),
		// what it would say about junk is counted here; a log line for each is a gift to the spammer
		pubsub.WithLogger(slog.New(slog.DiscardHandler)),
	}
	for _, a := range g.cfg.Host.Network().ListenAddresses() {
		if !manet.IsIPLoopback(a) {
			// Under overload, drop more from addresses that sent much for nothing. All
			// peers of a loopback network share one address, so not there.
			return append(opts, pubsub.WithPeerGater(pubsub.DefaultPeerGaterParams()))
		}
	}
	return opts
}

// messageID names a message by what it says and where, not by who passed it on: the
// same ad published by another is known already.
func messageID(m *pb.Message) string {
	sum := sha256.New()
	sum.Write([]byte(m.GetTopic()))
	sum.Write([]byte{0})
	sum.Write(m.GetData())
	return string(sum.Sum(nil)[:20])
}

// Close leaves all topics and returns when no subscriber runs any more.
func (g *Gossip) Close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.stop()
	g.readers.Wait()
}

// Score returns a peer's score as of about a second ago; 0 for a peer not known. See
// params.go for the scale.
func (g *Gossip) Score(id peer.ID) float64 { return (*g.scores.Load())[id] }

func (g *Gossip) appScore(id peer.ID) float64 {
	score := g.frames.score(id, g.cfg.Now())
	if g.cfg.AppScore != nil {
		score += g.cfg.AppScore(id)
	}
	return score
}

// inspect is called by the router each second.
func (g *Gossip) inspect(scores map[peer.ID]float64) {
	gray := 0
	for _, s := range scores {
		if s < GraylistThreshold {
			gray++
		}
	}
	g.metrics.gray.Set(float64(gray))
	g.scores.Store(&scores)
}

// badFrame is told of every stream that ended with a frame that does not parse.
func (g *Gossip) badFrame(from peer.ID) {
	g.metrics.badFrames.Inc()
	g.frames.add(from, g.cfg.Now())
}

var errGraylisted = errors.New("gossip: peer is graylisted")

// admit sees every frame before the router does. It counts, and it drops the frames
// of peers that the router would drop in silence, so that those are counted too.
func (g *Gossip) admit(from peer.ID, rpc *pubsub.RPC) error {
	gray := g.Score(from) < GraylistThreshold
	for _, m := range rpc.GetPublish() {
		topic := g.label(m.GetTopic())
		g.metrics.received.WithLabelValues(topic).Inc()
		if gray {
			g.reject(topic, graylisted)
		}
	}
	if gray {
		return errGraylisted
	}
	return nil
}

// label is a topic's name in the metrics.
func (g *Gossip) label(topic string) string {
	if slices.Contains(g.allowed, topic) {
		return topic
	}
	return otherTopic
}

func (g *Gossip) reject(label string, r Reason) {
	g.metrics.rejected.WithLabelValues(label, string(r)).Inc()
}
