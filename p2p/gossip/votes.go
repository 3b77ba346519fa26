package gossip

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// VoteShards is how many topics the votes of a network are spread over: what is said about
// batch b goes to shard b mod VoteShards, what is said about a whole epoch to shard 0.
const VoteShards = 8

// Bounds of what a shard of the votes remembers and lets pass.
const (
	// MaxVote is the size of one statement in bytes.
	MaxVote = MaxMessage
	// votesEach is how many different statements one signer may make about an epoch on a
	// shard: a checker that sits in all of 625 batches makes three on each.
	votesEach = 512
	// votesKept is how many statements a shard remembers.
	votesKept = 65_536
)

// VotesTopic is the topic of one shard of the votes.
func VotesTopic(network string, shard uint32) string {
	return "/framemesh/" + network + "/votes/" + strconv.FormatUint(uint64(shard%VoteShards), 10) + "/1"
}

// VotesTopics are the topics of all shards, for Config.Topics.
func VotesTopics(network string) []string {
	var out []string
	for shard := range uint32(VoteShards) {
		out = append(out, VotesTopic(network, shard))
	}
	return out
}

// Voice is what the pipeline needs to know of an opened statement about an epoch.
type Voice struct {
	Signer peer.ID
	Epoch  uint64
	Batch  uint32 // 0 for what concerns the whole epoch
	Body   any    // the decoded statement, handed to the subscriber
}

// VotesSpec is what the votes demand of their statements.
type VotesSpec struct {
	// Open decodes a statement, verifies its signature and checks everything that needs no
	// clock, as Spec.Open does. It wraps ErrContent for what is well signed and does not
	// belong here.
	Open func(data []byte) (Voice, error)
	// Member says whether a signer may speak about an epoch. It runs on the validation path
	// and must not block.
	Member func(signer peer.ID, epoch uint64) bool
	// Epochs are the first and the last epoch that may be spoken about at a time.
	Epochs func(now time.Time) (first, last uint64)
}

// Votes are the topics of the votes as this node takes part in them.
type Votes struct {
	shards [VoteShards]*Topic
	open   func(data []byte) (Voice, error)
}

// Votes joins all shards of the votes. The topics must be on the list given at the start.
func (g *Gossip) Votes(spec VotesSpec) (*Votes, error) {
	if spec.Open == nil || spec.Member == nil || spec.Epochs == nil {
		return nil, errors.New("gossip: votes need Open, Member and Epochs")
	}
	v := &Votes{open: spec.Open}
	for shard := range uint32(VoteShards) {
		// The spec's own judgement is never asked; Join wants to see that there is one.
		t, err := g.join(VotesTopic(g.cfg.Network, shard), Spec{Open: func([]byte) (Statement, error) { return Statement{}, ErrContent }},
			newElection(shard, spec))
		if err != nil {
			return nil, err
		}
		v.shards[shard] = t
	}
	return v, nil
}

// Publish spreads a statement on the shard that it belongs to. Errors are those of the
// spec's Open and of Topic.Publish.
func (v *Votes) Publish(ctx context.Context, data []byte) error {
	voice, err := v.open(data)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return v.shards[voice.Batch%VoteShards].Publish(ctx, data)
}

// Subscribe calls handle for each new statement, this node's own included: one at a time for
// each shard, until ctx ends or the gossip is closed.
func (v *Votes) Subscribe(ctx context.Context, handle func(from peer.ID, body any)) error {
	for _, t := range v.shards {
		if err := t.Subscribe(ctx, func(m Message) { handle(m.Signer, m.Body) }); err != nil {
			return err
		}
	}
	return nil
}

// Peers is the least number of connected peers that take part in a shard.
func (v *Votes) Peers() int {
	least := v.shards[0].Peers()
	for _, t := range v.shards[1:] {
		least = min(least, t.Peers())
	}
	return least
}

// election judges the statements of one shard. Unlike elsewhere they have no order: a vote
// may overtake the one before it. Instead each statement is heard once, and each signer has
// so many for each epoch, which only it can use up.
type election struct {
	shard uint32
	spec  VotesSpec

	mu    sync.Mutex // many validators ask at once
	first uint64     // epoch before which nothing is remembered
	kept  int
	said  map[uint64]map[peer.ID]map[[12]byte]struct{} // by epoch
}

func newElection(shard uint32, spec VotesSpec) *election {
	return &election{shard: shard, spec: spec, said: map[uint64]map[peer.ID]map[[12]byte]struct{}{}}
}

// judge decides on one statement; the empty Reason accepts it, and unless dry is set the
// same statement is a replay from now on. The order is part of the protocol.
func (e *election) judge(data []byte, now time.Time, dry bool) (Statement, Reason) {
	if len(data) > MaxVote {
		return Statement{}, Oversize
	}
	v, err := e.spec.Open(data)
	if err != nil {
		return Statement{}, reasonOf(err)
	}
	if v.Batch%VoteShards != e.shard {
		return Statement{}, Content
	}
	first, last := e.spec.Epochs(now)
	switch {
	case v.Epoch < first:
		return Statement{}, Expired
	case v.Epoch > last:
		return Statement{}, Future
	case !e.spec.Member(v.Signer, v.Epoch):
		return Statement{}, Unregistered
	}
	sum := sha256.Sum256(data)
	if reason := e.take(v, [12]byte(sum[:12]), first, dry); reason != "" {
		return Statement{}, reason
	}
	return Statement{Signer: v.Signer, Body: v.Body}, ""
}

// take uses up one of the signer's statements about an epoch.
func (e *election) take(v Voice, id [12]byte, first uint64, dry bool) Reason {
	e.mu.Lock()
	defer e.mu.Unlock()
	if first > e.first {
		e.first = first
		for epoch, by := range e.said {
			if epoch >= first {
				continue
			}
			for _, of := range by {
				e.kept -= len(of)
			}
			delete(e.said, epoch)
		}
	}
	of := e.said[v.Epoch][v.Signer]
	_, again := of[id]
	switch {
	case again:
		return Replay
	case len(of) >= votesEach:
		return TooOften
	case e.kept >= votesKept:
		return TableFull
	case dry:
		return ""
	}
	if of == nil {
		of = map[[12]byte]struct{}{}
		if e.said[v.Epoch] == nil {
			e.said[v.Epoch] = map[peer.ID]map[[12]byte]struct{}{}
		}
		e.said[v.Epoch][v.Signer] = of
	}
	of[id] = struct{}{}
	e.kept++
	return ""
}
