package gossip

import (
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"
)

// What one signer may say on one topic, unless the topic's Spec allows more. A container
// speaks every 30 s and whenever a slot fills or frees.
const (
	burst       = 20   // messages at once
	refillMs    = 1000 // ms until one more is allowed
	maxSigners  = 65_536
	forgetAfter = uint64((MaxTTL + MaxSkew) / 1e6) // ms after which nothing a signer said can be replayed
	sweepMs     = 1000                             // ms between two looks for signers to forget
)

// signers remembers, for one topic, the newest sequence number of each signer and
// how much it has spoken lately. It keeps at most max of them: a signer is forgotten
// when all it said has expired, since then a replay fails by its expiry.
//
// Many validators use it at once, hence the lock; it knows no clock.
type signers struct {
	mu     sync.Mutex
	max    int
	refill int64  // ms until one more is allowed
	swept  uint64 // ms
	signer map[peer.ID]spoken
}

type spoken struct {
	seq    uint64
	heard  uint64 // ms when seq was taken
	tokens int64  // ms of speech left, refill buys a message
}

func newSigners(limit int) *signers {
	return &signers{max: limit, refill: refillMs, signer: map[peer.ID]spoken{}}
}

// newer says whether a sequence number is above all that its signer used.
func (s *signers) newer(id peer.ID, seq uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was, known := s.signer[id]
	return !known || seq > was.seq
}

// follows says whether a signer is in the table.
func (s *signers) follows(id peer.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, known := s.signer[id]
	return known
}

// take uses up a sequence number at a time in unix ms. It returns the empty Reason,
// Replay, TooOften or TableFull; only in the first case anything changes.
func (s *signers) take(id peer.ID, seq, nowMs uint64) Reason {
	s.mu.Lock()
	defer s.mu.Unlock()
	was, known := s.signer[id]
	switch {
	case !known && len(s.signer) >= s.max && !s.sweep(nowMs):
		return TableFull
	case !known:
		was = spoken{heard: nowMs, tokens: burst * s.refill}
	case seq <= was.seq:
		return Replay
	}
	if nowMs > was.heard { // a clock that was set back refills nothing
		was.tokens = min(burst*s.refill, was.tokens+int64(min(nowMs-was.heard, uint64(burst*s.refill))))
	}
	if was.tokens < s.refill {
		return TooOften
	}
	s.signer[id] = spoken{seq: seq, heard: nowMs, tokens: was.tokens - s.refill}
	return ""
}

// sweep forgets signers whose messages have all expired and says whether there is
// room now. It looks at the whole table, so at most once in sweepMs.
func (s *signers) sweep(nowMs uint64) bool {
	if nowMs < s.swept+sweepMs {
		return false
	}
	s.swept = nowMs
	for id, was := range s.signer {
		if max(was.seq, was.heard)+forgetAfter < nowMs {
			delete(s.signer, id)
		}
	}
	return len(s.signer) < s.max
}
