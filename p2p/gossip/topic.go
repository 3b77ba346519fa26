package gossip

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
)

// Topic is one topic this node takes part in. A node that only publishes relays too:
// it is part of the topic's mesh, so that its messages do not depend on a subscriber
// being among its direct peers.
type Topic struct {
	g     *Gossip
	name  string
	spec  Spec
	table *signers
	topic *pubsub.Topic

	newcomers *newcomers // nil where each neighbour may bring any number
	election  *election  // judges instead of spec where statements have no order
}

// Message is one that passed all checks.
type Message struct {
	Statement
	Data []byte  // as it was published; not to be changed
	Via  peer.ID // who passed it on; this node's own id for its own messages
}

// Join takes part in a topic of the list given at the start. Joining again returns
// the same Topic and ignores the spec. It returns ErrTopic for a topic that is not
// on the list.
func (g *Gossip) Join(name string, spec Spec) (*Topic, error) { return g.join(name, spec, nil) }

func (g *Gossip) join(name string, spec Spec, e *election) (*Topic, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, ErrClosed
	}
	if t := g.topics[name]; t != nil {
		return t, nil
	}
	if !slices.Contains(g.allowed, name) {
		return nil, fmt.Errorf("%w: %.120q", ErrTopic, name)
	}
	if spec.Open == nil {
		return nil, fmt.Errorf("gossip: topic %s needs a Spec with Open", name)
	}
	if spec.MaxSize <= 0 || spec.MaxSize > MaxMessage {
		spec.MaxSize = MaxMessage
	}
	if spec.MaxTTL <= 0 || spec.MaxTTL > MaxTTL {
		spec.MaxTTL = MaxTTL // the table of signers forgets after that
	}
	t := &Topic{g: g, name: name, spec: spec, table: newSigners(maxSigners), election: e}
	if ms := spec.Every.Milliseconds(); ms > 0 {
		t.table.refill = ms
	}
	if spec.FewStrangers {
		t.newcomers = newNewcomers()
	}
	if err := t.open(); err != nil {
		return nil, err
	}
	g.topics[name] = t
	return t, nil
}

// open registers the validator before the topic is joined, so that no message slips
// through in between.
func (t *Topic) open() error {
	ps := t.g.ps
	if err := ps.RegisterTopicValidator(t.name, t.validate, pubsub.WithValidatorInline(true)); err != nil {
		return fmt.Errorf("gossip: %s: %w", t.name, err)
	}
	topic, err := ps.Join(t.name)
	if err != nil {
		return errors.Join(fmt.Errorf("gossip: join %s: %w", t.name, err), ps.UnregisterTopicValidator(t.name))
	}
	t.topic = topic
	err = topic.SetScoreParams(topicParams())
	if err == nil {
		_, err = topic.Relay() // until the router stops
	}
	if err != nil {
		return errors.Join(fmt.Errorf("gossip: join %s: %w", t.name, err), topic.Close(), ps.UnregisterTopicValidator(t.name))
	}
	return nil
}

// validate is called by a worker of the router.
func (t *Topic) validate(_ context.Context, _ peer.ID, m *pubsub.Message) pubsub.ValidationResult {
	st, reason := t.judgeFrom(m.ReceivedFrom, m.GetData(), t.g.cfg.Now())
	if reason == "" {
		m.ValidatorData = st
	}
	if m.ReceivedFrom != t.g.cfg.Host.ID() {
		if reason == "" {
			t.g.metrics.accepted.WithLabelValues(t.name).Inc()
		} else {
			t.g.reject(t.name, reason)
		}
	}
	return reason.result()
}

// Name returns the topic's full name.
func (t *Topic) Name() string { return t.name }

// Peers returns how many connected peers take part in the topic.
func (t *Topic) Peers() int { return len(t.topic.ListPeers()) }

// Publish sends a message to the topic. It goes through the checks that the others
// make, so that a mistake here costs an error, which wraps ErrRefused and names the
// Reason, and not this node's score. It succeeds even if nobody listens yet.
func (t *Topic) Publish(ctx context.Context, data []byte) error {
	if reason := t.wouldRefuse(data); reason != "" {
		return fmt.Errorf("%w: %s on %s", ErrRefused, reason, t.name)
	}
	err := t.topic.Publish(ctx, data)
	if invalid := (pubsub.ValidationError{}); errors.As(err, &invalid) {
		return fmt.Errorf("%w: %s on %s", ErrRefused, invalid.Reason, t.name)
	}
	if err != nil {
		return fmt.Errorf("gossip: publish on %s: %w", t.name, err)
	}
	return nil
}

// wouldRefuse is why others would not take a message of this node; empty when they would.
func (t *Topic) wouldRefuse(data []byte) (r Reason) {
	if t.election != nil {
		_, r = t.election.judge(data, t.g.cfg.Now(), true)
	} else {
		_, r = t.spec.judge(data, t.g.cfg.Now(), t.table, true)
	}
	return r
}

// Subscribe calls handle for each message, this node's own included, one at a time
// until ctx ends or Close. A handle that is slow makes messages be dropped, never
// the router wait.
func (t *Topic) Subscribe(ctx context.Context, handle func(Message)) error {
	sub, err := t.topic.Subscribe(pubsub.WithBufferSize(readerQueue))
	if err != nil {
		return fmt.Errorf("gossip: subscribe to %s: %w", t.name, err)
	}
	return t.g.reader(ctx, func(ctx context.Context) {
		defer sub.Cancel()
		for {
			m, err := sub.Next(ctx)
			if err != nil {
				return // ctx ended, or the router stopped
			}
			st, ok := m.ValidatorData.(Statement)
			if !ok {
				continue // no message gets here without having passed validate
			}
			handle(Message{Statement: st, Data: m.GetData(), Via: m.ReceivedFrom})
		}
	})
}

// OnJoin calls handle for each peer that takes part in the topic, those already there
// first, until ctx ends or Close. It lets a publisher repeat itself for a newcomer:
// what is published from then on reaches the peer.
func (t *Topic) OnJoin(ctx context.Context, handle func(peer.ID)) error {
	events, err := t.topic.EventHandler()
	if err != nil {
		return fmt.Errorf("gossip: watch %s: %w", t.name, err)
	}
	return t.g.reader(ctx, func(ctx context.Context) {
		defer events.Cancel()
		waiting := map[peer.ID]time.Time{} // until when
		for {
			e, err := nextEvent(ctx, events, len(waiting) > 0)
			switch {
			case ctx.Err() != nil:
				return
			case err == nil && e.Type == pubsub.PeerJoin && len(waiting) < maxJoining:
				waiting[e.Peer] = time.Now().Add(joinWait)
			case err == nil && e.Type == pubsub.PeerLeave:
				delete(waiting, e.Peer)
			}
			for _, id := range t.topic.ListPeers() {
				if _, ok := waiting[id]; ok {
					delete(waiting, id)
					handle(id)
				}
			}
			now := time.Now()
			maps.DeleteFunc(waiting, func(_ peer.ID, until time.Time) bool {
				return now.After(until) // it takes no stream of ours
			})
		}
	})
}

// A peer may say that it takes part before there is a stream to send to it; pubsub
// tells of the first and drops what is sent before the second.
const (
	joinLook   = 20 * time.Millisecond
	joinWait   = 10 * time.Second
	maxJoining = 1024
)

// nextEvent waits for the next event, or at most joinLook if hurry is set.
func nextEvent(ctx context.Context, events *pubsub.TopicEventHandler, hurry bool) (pubsub.PeerEvent, error) {
	if hurry {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, joinLook)
		defer cancel()
	}
	return events.NextPeerEvent(ctx)
}

// reader runs a loop that Close waits for.
func (g *Gossip) reader(ctx context.Context, loop func(context.Context)) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return ErrClosed
	}
	g.readers.Go(func() {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(g.ctx, cancel)()
		loop(ctx)
	})
	return nil
}
