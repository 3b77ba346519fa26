package gossip

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// watchedHost lets pubsub work on a host as usual and reports the streams that pubsub
// resets because of what the peer wrote: a frame over the limit or one that is no
// protobuf. pubsub itself neither counts nor blames those.
type watchedHost struct {
	host.Host
	bad func(peer.ID)
}

// SetStreamHandler wraps the streams a handler gets.
func (h *watchedHost) SetStreamHandler(id protocol.ID, handler network.StreamHandler) {
	h.Host.SetStreamHandler(id, h.watch(handler))
}

// SetStreamHandlerMatch wraps the streams a handler gets.
func (h *watchedHost) SetStreamHandlerMatch(id protocol.ID, match func(protocol.ID) bool, handler network.StreamHandler) {
	h.Host.SetStreamHandlerMatch(id, match, h.watch(handler))
}

func (h *watchedHost) watch(handler network.StreamHandler) network.StreamHandler {
	return func(s network.Stream) {
		w := &watchedStream{Stream: s}
		handler(w) // reads until the stream ends
		if w.read && w.reset.Load() {
			h.bad(s.Conn().RemotePeer())
		}
	}
}

// watchedStream tells a reset because of bad data from the others: the reader resets after a
// Read that worked and reads no more. After a broken connection Read has failed, and so does
// the next one when a newer stream replaces this one, which somebody else resets meanwhile.
type watchedStream struct {
	network.Stream
	read  bool // the last Read gave data; the reader's own
	reset atomic.Bool
}

// Read notes how it went.
func (s *watchedStream) Read(b []byte) (int, error) {
	n, err := s.Stream.Read(b)
	s.read = err == nil
	return n, err
}

// Reset notes that somebody has reset the stream.
func (s *watchedStream) Reset() error {
	s.reset.Store(true)
	return s.Stream.Reset()
}

// maxPenalised bounds the table of penalties.
const maxPenalised = 1024

// penalties remembers bad frames. Each counts badFrame and halves every
// badFrameHalfLife. It knows no clock.
type penalties struct {
	mu   sync.Mutex
	peer map[peer.ID]penalty
}

type penalty struct {
	value float64
	at    time.Time
}

func newPenalties() *penalties { return &penalties{peer: map[peer.ID]penalty{}} }

// add notes a bad frame.
func (p *penalties) add(id peer.ID, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	was, known := p.peer[id]
	if !known && len(p.peer) >= maxPenalised {
		p.dropLeast(now)
	}
	p.peer[id] = penalty{was.left(now) + badFrame, now}
}

// score is what the bad frames of a peer add to its score: zero or less.
func (p *penalties) score(id peer.ID, now time.Time) float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return -p.peer[id].left(now)
}

// dropLeast forgets the peer that has least against it by now.
func (p *penalties) dropLeast(now time.Time) {
	least, at := math.Inf(1), peer.ID("")
	for id, v := range p.peer {
		if x := v.left(now); x < least {
			least, at = x, id
		}
	}
	delete(p.peer, at)
}

// left is the penalty that is left at a time.
func (v penalty) left(now time.Time) float64 {
	if v.value == 0 {
		return 0
	}
	return v.value * math.Exp2(-max(0, now.Sub(v.at).Seconds())/badFrameHalfLife.Seconds())
}
