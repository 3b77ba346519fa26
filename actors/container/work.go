package container

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/actors/container/segments"
	"github.com/framemesh/framemesh/actors/session"
	"github.com/framemesh/framemesh/gpu/segment"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
)

// AuditProtocol is the RPC by which checkers ask for seconds of a session.
const AuditProtocol = "audit"

// Rules of audits.
const (
	auditEvery = time.Minute // between two answers to one checker about one session in an epoch
	auditPairs = 4096        // of checkers and sessions that are remembered
)

var auditLimits = rpc.Limits{MaxRequest: 256, MaxResponse: proof.MaxAudit + 4<<10, Timeout: 30 * time.Second,
	PerPeerRate: 0.2, Burst: 4, MaxConcurrent: 2, MaxPerPeer: 1}

// prove has a session's proof kept.
func (c *Container) prove(o *session.Options, w waiter) error {
	if c.o.Segments == nil {
		return nil
	}
	log, err := c.o.Segments.Begin(segments.About{Session: o.ID, App: w.app, Player: w.player})
	if err != nil {
		return err
	}
	o.Work, o.Info.Proven = log, true
	return nil
}

// unprove ends the proof of a session that did not begin.
func unprove(o *session.Options) {
	if o.Work != nil {
		o.Work.End(session.Ended{Requested: time.Now(), At: time.Now(), Why: "It did not begin."})
	}
}

// audits answers checkers, not too often.
type audits struct {
	c *Container

	mu   sync.Mutex
	last *simplelru.LRU[auditPair, asked]
}

type auditPair struct {
	checker peer.ID
	session [16]byte
	epoch   uint64 // epochs of tests are shorter than a minute
}

// auditQuestion is what a checker asks for.
type auditQuestion struct {
	from, seconds, named uint32
	newest               bool
}

func questionOf(r *wire.AuditRequest) auditQuestion {
	return auditQuestion{r.GetFrom(), r.GetSeconds(), r.GetNamed(), r.GetNewest()}
}

// asked is what a pair asked last, and how often it was answered.
type asked struct {
	auditQuestion
	at    time.Time
	times int
}

// auditAgain is how often the same question is answered: answers get lost, and checkers are
// started again in the middle of a round.
const auditAgain = 3

func newAudits(c *Container) *audits {
	last, err := simplelru.NewLRU[auditPair, asked](auditPairs, nil)
	if err != nil {
		panic("container: " + err.Error()) // only for a size below 1, and it is a constant
	}
	return &audits{c: c, last: last}
}

// due notes that a pair asks now, and says how long it is too early. The same question is not,
// until it was answered auditAgain times.
func (a *audits) due(p auditPair, q auditQuestion, now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	x, ok := a.last.Get(p)
	switch {
	case !ok || now.Sub(x.at) >= auditEvery:
		x = asked{auditQuestion: q, at: now}
	case x.auditQuestion != q || x.times >= auditAgain:
		return auditEvery - now.Sub(x.at)
	}
	x.times++
	a.last.Add(p, x)
	return 0
}

// again forgets that a pair has asked: it was not answered.
func (a *audits) again(p auditPair) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last.Remove(p)
}

// answer is the RPC.
func (a *audits) answer(ctx context.Context, from peer.ID, req *wire.AuditRequest) (*wire.AuditResponse, error) {
	if len(req.GetSession()) != 16 || req.GetSeconds() < 1 || req.GetSeconds() > proof.MaxWindow {
		return nil, rpc.Errorf(wire.Code_INVALID, "an audit names a session of 16 bytes and 1 to %d seconds", proof.MaxWindow)
	}
	session := [16]byte(req.GetSession())
	checker, err := key.NodeOf(from)
	if err != nil || a.c.o.Audits == nil {
		return nil, rpc.Errorf(wire.Code_UNAUTHORISED, "only checkers of the ledger audit sessions")
	}
	if err := a.c.o.Audits(ctx, checker, req.GetEpoch(), session); err != nil {
		return nil, rpc.Errorf(wire.Code_UNAUTHORISED, "this checker is not drawn to audit this session: %v", err)
	}
	p := auditPair{from, session, req.GetEpoch()}
	if wait := a.due(p, questionOf(req), time.Now()); wait > 0 {
		e := rpc.Errorf(wire.Code_BUSY, "one audit of a session a minute; ask the same again, or later")
		e.RetryAfter = wait
		return nil, e
	}
	var o *proof.Opened
	if req.GetNewest() {
		o, err = a.c.o.Segments.Newest(ctx, session)
	} else {
		o, err = a.c.o.Segments.Linked(ctx, session, req.GetFrom(), req.GetSeconds(), req.GetNamed())
	}
	if err != nil {
		a.again(p)
		if errors.Is(err, segments.ErrOptions) {
			return nil, rpc.Errorf(wire.Code_INVALID, "no such audit: %v", err)
		}
		if errors.Is(err, segments.ErrGone) || errors.Is(err, segment.ErrGone) {
			return nil, rpc.Errorf(wire.Code_NOT_FOUND, "these seconds are not kept: %v", err)
		}
		return nil, err
	}
	a.c.metrics.audits.Inc()
	return &wire.AuditResponse{Statement: o.Raw}, nil
}
