package rpc

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/time/rate"
)

// Limits bound what strangers can make one protocol do. The zero value of a field
// takes the default named with it.
type Limits struct {
	MaxRequest    int           // bytes of the marshalled request; 64 KiB
	MaxResponse   int           // bytes of the marshalled response; 64 KiB
	ReadTimeout   time.Duration // for the whole request to arrive; 5 s
	Timeout       time.Duration // for the handler, then for the response to leave; 10 s
	PerPeerRate   rate.Limit    // requests per second of one peer, sustained; 10
	Burst         int           // requests of one peer at once; 2 s worth of PerPeerRate
	MaxConcurrent int           // handlers running at once; 32
	MaxPerPeer    int           // streams of one peer at once, reading or handling; MaxConcurrent/4, at least 2
}

func (l Limits) withDefaults() Limits {
	setDefault(&l.MaxRequest, 64<<10)
	setDefault(&l.MaxResponse, 64<<10)
	setDefault(&l.ReadTimeout, 5*time.Second)
	setDefault(&l.Timeout, 10*time.Second)
	setDefault(&l.PerPeerRate, 10)
	setDefault(&l.Burst, max(1, int(2*l.PerPeerRate)))
	setDefault(&l.MaxConcurrent, 32)
	setDefault(&l.MaxPerPeer, max(2, l.MaxConcurrent/4))
	return l
}

func setDefault[T int | time.Duration | rate.Limit](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

// Sizes of an admission table.
const (
	maxPeers       = 4096 // peers remembered per protocol; the least recently seen is forgotten
	streamsFactor  = 4    // streams in any phase, as a multiple of MaxConcurrent
	floodThreshold = 64   // refusals in a row that count as one misbehaviour
)

// reason says why a stream was turned away before its handler ran. The values are
// the label of framemesh_rpc_rejected_total.
type reason string

const (
	rejectRate      reason = "rate"       // above PerPeerRate
	rejectPeerFull  reason = "peer_full"  // above MaxPerPeer
	rejectFull      reason = "full"       // too many streams or handlers in all
	rejectOversize  reason = "oversize"   // length prefix above MaxRequest
	rejectMalformed reason = "malformed"  // not a frame, or not the message
	rejectTruncated reason = "truncated"  // ended inside the request
	rejectSlow      reason = "slow"       // not complete within ReadTimeout
	rejectReset     reason = "reset"      // the peer took the stream back
	rejectResources reason = "resources"  // the resource manager refused
	rejectPanic     reason = "panic"      // the handler panicked
	rejectResponse  reason = "response"   // the handler's response is above MaxResponse
	rejectFlood     reason = "flood"      // keeps on asking although refused
	rejectClosing   reason = "closing"    // the server is closing
	rejectUntaken   reason = "unanswered" // the peer did not take the response
)

// admission counts the streams of one protocol, in all and by peer. Time is an
// argument; it is safe for concurrent use.
type admission struct {
	lim Limits

	mu       sync.Mutex
	streams  int
	handlers int
	peers    *simplelru.LRU[peer.ID, *peerBucket]
}

// peerBucket is what is remembered of one peer on one protocol.
type peerBucket struct {
	limiter *rate.Limiter
	streams int
	refused int // in a row
}

func newAdmission(lim Limits) *admission {
	peers, err := simplelru.NewLRU[peer.ID, *peerBucket](maxPeers, nil)
	if err != nil {
		panic("rpc: " + err.Error()) // only for a size below 1, and it is a constant
	}
	return &admission{lim: lim, peers: peers}
}

// verdict is the answer of enter.
type verdict struct {
	reject     reason // "" = admitted
	retryAfter time.Duration
	flood      bool // the peer has been refused floodThreshold times in a row
}

// enter admits a new stream of a peer or says why not. An admitted stream calls
// leave when it is done.
func (a *admission) enter(from peer.ID, now time.Time) (*peerBucket, verdict) {
	a.mu.Lock()
	defer a.mu.Unlock()
	b, ok := a.peers.Get(from)
	if !ok {
		b = &peerBucket{limiter: rate.NewLimiter(a.lim.PerPeerRate, a.lim.Burst)}
		a.peers.Add(from, b)
	}
	v := a.judge(b, now)
	if v.reject == "" {
		b.refused = 0
		b.streams++
		a.streams++
		return b, v
	}
	b.refused++
	v.flood = b.refused%floodThreshold == 0
	return nil, v
}

func (a *admission) judge(b *peerBucket, now time.Time) verdict {
	const soon = 250 * time.Millisecond
	if b.streams >= a.lim.MaxPerPeer {
		return verdict{reject: rejectPeerFull, retryAfter: soon}
	}
	if a.streams >= streamsFactor*a.lim.MaxConcurrent {
		return verdict{reject: rejectFull, retryAfter: soon}
	}
	r := b.limiter.ReserveN(now, 1)
	if wait := r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		return verdict{reject: rejectRate, retryAfter: min(wait, time.Minute)}
	}
	return verdict{}
}

func (a *admission) leave(b *peerBucket) {
	a.mu.Lock()
	defer a.mu.Unlock()
	b.streams--
	a.streams--
}

// startHandler takes one of the MaxConcurrent places, or reports that none is free.
func (a *admission) startHandler() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.handlers >= a.lim.MaxConcurrent {
		return false
	}
	a.handlers++
	return true
}

func (a *admission) endHandler() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.handlers--
}
