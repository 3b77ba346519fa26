// Package check carries what checkers and containers ask each other in a round of Proof of
// Render: a container hands in its commitment, a checker asks it for openings and whether
// it is there, and a checker that was away asks another for what was said meanwhile.
//
// Statements pass through as the bytes that were signed. What they say and whether to
// believe it is for others to decide; here are the sizes, the deadlines and the rates.
package check

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/time/rate"

	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
)

// Names of the protocols.
const (
	commitName = "check/commit"
	openName   = "check/open"
	pingName   = "check/ping"
	recallName = "check/recall"
	goneName   = "check/gone"
	watchName  = "check/watch"
)

// EvidenceName is the protocol under which checkers give each other evidence by its SHA-256, and
// the apps that it is about: package blob's, with files of at most proof size.
const EvidenceName = "check/evidence"

// Sizes of statements in bytes.
const (
	MaxCommit   = 4 << 10
	MaxOpenings = 40 << 10
	MaxPong     = 512
	MaxWatch    = 512
	MaxRecall   = 256 << 10 // of all statements together
	MaxPicks    = 128       // tiles that one question names
	frame       = 256       // what a message adds to them
)

// limits of each protocol. All containers of a checker's batches hand in within half a
// second, each once or, when no answer came, a few times; a checker asks a container for
// openings once, and pings it once a minute.
var (
	commitLimits = rpc.Limits{MaxRequest: MaxCommit + frame, MaxResponse: frame, ReadTimeout: 2 * time.Second, Timeout: 2 * time.Second,
		PerPeerRate: rate.Limit(2), Burst: 16, MaxConcurrent: 256, MaxPerPeer: 4}
	openLimits = rpc.Limits{MaxRequest: 2*5*MaxPicks + frame, MaxResponse: MaxOpenings + frame, ReadTimeout: 2 * time.Second, Timeout: 10 * time.Second,
		PerPeerRate: rate.Limit(0.5), Burst: 8, MaxConcurrent: 32, MaxPerPeer: 2}
	pingLimits = rpc.Limits{MaxRequest: frame, MaxResponse: MaxPong + frame, ReadTimeout: time.Second, Timeout: 2 * time.Second,
		PerPeerRate: rate.Limit(1), Burst: 8, MaxConcurrent: 64, MaxPerPeer: 2}
	// A gateway speaks for all of its players; an appeal asks everybody about one session.
	goneLimits = rpc.Limits{MaxRequest: 2 * frame, MaxResponse: frame, ReadTimeout: 2 * time.Second, Timeout: 5 * time.Second,
		PerPeerRate: rate.Limit(1), Burst: 16, MaxConcurrent: 32, MaxPerPeer: 4}
	watchLimits = rpc.Limits{MaxRequest: frame, MaxResponse: 2*frame + MaxWatch, ReadTimeout: 2 * time.Second, Timeout: 2 * time.Second,
		PerPeerRate: rate.Limit(1), Burst: 16, MaxConcurrent: 16, MaxPerPeer: 2}
	recallLimits = rpc.Limits{MaxRequest: frame, MaxResponse: MaxRecall + frame, ReadTimeout: 2 * time.Second, Timeout: 5 * time.Second,
		PerPeerRate: rate.Limit(1), Burst: 32, MaxConcurrent: 8, MaxPerPeer: 2}
)

// Checker answers what a checker is asked. Its methods are called from many goroutines and
// return when their context ends; an *rpc.Error chooses what the peer hears.
type Checker interface {
	// Commit takes a signed CapCommit from the container that it should be of.
	Commit(ctx context.Context, from peer.ID, statement []byte) (commit [32]byte, arrivalMS uint32, err error)
	// Recall gives the statements about a batch, or about the epoch as a whole.
	Recall(ctx context.Context, from peer.ID, epoch uint64, whole bool, batch uint32) ([][]byte, error)
	// Gone takes a player's word that a container went. The lengths of its fields are right.
	Gone(ctx context.Context, from peer.ID, gone *wire.Gone) error
	// Watched gives what this checker heard of a container that a player missed in an epoch.
	Watched(ctx context.Context, from peer.ID, epoch uint64, container [32]byte, session [16]byte) (*wire.WatchResponse, error)
}

// Container answers what a container is asked.
type Container interface {
	// Open gives signed Openings of tiles of a commitment; picks are frame and tile in turn.
	Open(ctx context.Context, from peer.ID, epoch uint64, commit [32]byte, picks []uint32) ([]byte, error)
	// Ping gives a signed Pong.
	Ping(ctx context.Context, from peer.ID, epoch uint64, nonce []byte) ([]byte, error)
}

// ServeChecker answers the checker's side on a server.
func ServeChecker(s *rpc.Server, c Checker) {
	rpc.Handle(s, commitName, commitLimits, func(ctx context.Context, from peer.ID, req *wire.CommitRequest) (*wire.CommitResponse, error) {
		if n := len(req.GetStatement()); n == 0 || n > MaxCommit {
			return nil, rpc.Errorf(wire.Code_INVALID, "a commitment of %d bytes; 1 to %d are possible", n, MaxCommit)
		}
		commit, arrival, err := c.Commit(ctx, from, req.GetStatement())
		if err != nil {
			return nil, err
		}
		return &wire.CommitResponse{Commit: commit[:], ArrivalMs: arrival}, nil
	})
	rpc.Handle(s, goneName, goneLimits, func(ctx context.Context, from peer.ID, req *wire.Gone) (*wire.GoneResponse, error) {
		if !Sound(req) {
			return nil, rpc.Errorf(wire.Code_INVALID, "name container and player by 32 bytes, the session by 16, and sign with 64")
		}
		if err := c.Gone(ctx, from, req); err != nil {
			return nil, err
		}
		return &wire.GoneResponse{}, nil
	})
	rpc.Handle(s, watchName, watchLimits, func(ctx context.Context, from peer.ID, req *wire.WatchRequest) (*wire.WatchResponse, error) {
		if len(req.GetContainer()) != 32 || len(req.GetSession()) != 16 {
			return nil, rpc.Errorf(wire.Code_INVALID, "name the container by 32 bytes and the session by 16")
		}
		return c.Watched(ctx, from, req.GetEpoch(), [32]byte(req.GetContainer()), [16]byte(req.GetSession()))
	})
	rpc.Handle(s, recallName, recallLimits, func(ctx context.Context, from peer.ID, req *wire.RecallRequest) (*wire.RecallResponse, error) {
		list, err := c.Recall(ctx, from, req.GetEpoch(), req.GetWhole(), req.GetBatch())
		if err != nil {
			return nil, err
		}
		resp, size := &wire.RecallResponse{}, 0
		for _, st := range list {
			if size += len(st) + 8; size > MaxRecall {
				break // the rest is heard from others
			}
			resp.Statements = append(resp.Statements, st)
		}
		return resp, nil
	})
}

// Sound says whether the fields of a Gone have their lengths.
func Sound(g *wire.Gone) bool {
	return len(g.GetContainer()) == 32 && len(g.GetSession()) == 16 && len(g.GetPlayer()) == 32 && len(g.GetSignature()) == 64 && len(g.GetTaken()) == 64
}

// ServeContainer answers the container's side on a server.
func ServeContainer(s *rpc.Server, c Container) {
	rpc.Handle(s, openName, openLimits, func(ctx context.Context, from peer.ID, req *wire.OpenRequest) (*wire.OpenResponse, error) {
		n := len(req.GetPicks())
		if len(req.GetCommit()) != 32 || n == 0 || n%2 != 0 || n > 2*MaxPicks {
			return nil, rpc.Errorf(wire.Code_INVALID, "name the commitment by its 32 bytes and 1 to %d tiles by frame and place", MaxPicks)
		}
		st, err := c.Open(ctx, from, req.GetEpoch(), [32]byte(req.GetCommit()), req.GetPicks())
		if err != nil {
			return nil, err
		}
		return &wire.OpenResponse{Statement: st}, nil
	})
	rpc.Handle(s, pingName, pingLimits, func(ctx context.Context, from peer.ID, req *wire.PingRequest) (*wire.PingResponse, error) {
		if n := len(req.GetNonce()); n < 16 || n > 32 {
			return nil, rpc.Errorf(wire.Code_INVALID, "a nonce of %d bytes; send 16 to 32", n)
		}
		st, err := c.Ping(ctx, from, req.GetEpoch(), req.GetNonce())
		if err != nil {
			return nil, err
		}
		return &wire.PingResponse{Statement: st}, nil
	})
}
