package check

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
)

// ErrAnswer: a peer answered with something that no well-behaved peer says.
var ErrAnswer = errors.New("check: answer out of bounds")

// Client asks. It is safe for concurrent use.
type Client struct{ calls *rpc.Client }

// NewClient asks over an RPC client. Errors of its methods are those of rpc.Client.Call and
// ErrAnswer; a call is made once.
func NewClient(c *rpc.Client) *Client { return &Client{c} }

// Commit hands a signed CapCommit to a checker and returns which one counts there, and when
// it came: ms after T0 by the checker's clock.
func (c *Client) Commit(ctx context.Context, to peer.ID, statement []byte) (commit [32]byte, arrivalMS uint32, err error) {
	resp := new(wire.CommitResponse)
	if err := c.calls.Call(ctx, to, commitName, &wire.CommitRequest{Statement: statement}, resp); err != nil {
		return commit, 0, err
	}
	if len(resp.GetCommit()) != 32 {
		return commit, 0, fmt.Errorf("%w: a hash of %d bytes from %s", ErrAnswer, len(resp.GetCommit()), to)
	}
	return [32]byte(resp.GetCommit()), resp.GetArrivalMs(), nil
}

// Open asks a container for tiles of its commitment, named by frame and tile in turn. took
// is from the call to the answer and so at least a round trip.
func (c *Client) Open(ctx context.Context, to peer.ID, epoch uint64, commit [32]byte, picks []uint32) (statement []byte, took time.Duration, err error) {
	resp := new(wire.OpenResponse)
	start := time.Now()
	err = c.calls.Reading(MaxOpenings+frame).Call(ctx, to, openName, &wire.OpenRequest{Epoch: epoch, Commit: commit[:], Picks: picks}, resp)
	took = time.Since(start)
	if err != nil {
		return nil, took, err
	}
	if n := len(resp.GetStatement()); n == 0 || n > MaxOpenings {
		return nil, took, fmt.Errorf("%w: openings of %d bytes from %s", ErrAnswer, n, to)
	}
	return resp.GetStatement(), took, nil
}

// Ping asks a container whether it is there. took is as with Open.
func (c *Client) Ping(ctx context.Context, to peer.ID, epoch uint64, nonce []byte) (statement []byte, took time.Duration, err error) {
	resp := new(wire.PingResponse)
	start := time.Now()
	err = c.calls.Reading(MaxPong+frame).Call(ctx, to, pingName, &wire.PingRequest{Epoch: epoch, Nonce: nonce}, resp)
	took = time.Since(start)
	if err != nil {
		return nil, took, err
	}
	if n := len(resp.GetStatement()); n == 0 || n > MaxPong {
		return nil, took, fmt.Errorf("%w: a pong of %d bytes from %s", ErrAnswer, n, to)
	}
	return resp.GetStatement(), took, nil
}

// Recall asks a checker for what it has heard about a batch, or about the epoch as a whole.
func (c *Client) Recall(ctx context.Context, to peer.ID, epoch uint64, whole bool, batch uint32) ([][]byte, error) {
	resp := new(wire.RecallResponse)
	if err := c.calls.Reading(MaxRecall+frame).Call(ctx, to, recallName, &wire.RecallRequest{Epoch: epoch, Whole: whole, Batch: batch}, resp); err != nil {
		return nil, err
	}
	return resp.GetStatements(), nil
}

// Gone brings a player's word that a container went to a checker that is drawn for it.
func (c *Client) Gone(ctx context.Context, to peer.ID, gone *wire.Gone) error {
	return c.calls.Call(ctx, to, goneName, gone, new(wire.GoneResponse))
}

// Watched asks a checker what it heard of a container that a player missed in an epoch.
func (c *Client) Watched(ctx context.Context, to peer.ID, epoch uint64, container [32]byte, session [16]byte) (*wire.WatchResponse, error) {
	resp := new(wire.WatchResponse)
	if err := c.calls.Reading(2*frame+MaxWatch).Call(ctx, to, watchName, &wire.WatchRequest{Epoch: epoch, Container: container[:], Session: session[:]}, resp); err != nil {
		return nil, err
	}
	if n := len(resp.GetStatement()); n == 0 || n > MaxWatch || !Sound(resp.GetGone()) {
		return nil, fmt.Errorf("%w: a watch of %d bytes from %s", ErrAnswer, n, to)
	}
	return resp, nil
}
