package rpc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/multiformats/go-multistream"
	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/p2p/wire"
)

// Client bounds.
const (
	// MaxResponse is the largest answer a Client reads unless told otherwise, in bytes: a 256 KiB chunk of
	// an app, or its picture and manifest, and room for the rest.
	MaxResponse = 320 << 10
	answerOver  = 1 << 10 // what an answer adds to its body
	// DefaultTimeout bounds a call whose context has no deadline.
	DefaultTimeout = 10 * time.Second
)

// Client calls RPCs of other peers. It is safe for concurrent use.
type Client struct {
	host    host.Host
	network string
	most    int     // bytes of an answer
	own     *Server // answers calls to the host itself; nil = they are UNAVAILABLE
}

// NewClient returns a client that calls over h in the given network.
func NewClient(h host.Host, network string) *Client {
	return &Client{host: h, network: network, most: MaxResponse}
}

// Through is the same client with calls to the host's own id answered by its own server: a
// host cannot dial itself. All that holds for a stranger's call holds for such a one, in
// both directions: the framing, the limits, the deadlines, the counters; and the handler
// is told the node's own id as that of the peer that asks.
func (c *Client) Through(s *Server) *Client {
	out := *c
	out.own = s
	return &out
}

// Reading is the same client for a protocol whose bodies are larger: it reads answers with
// up to that many bytes of one.
func (c *Client) Reading(body int) *Client {
	out := *c
	out.most = body + answerOver
	return &out
}

// Call sends req to the RPC called name at a peer and fills resp from the answer. It
// connects to the peer when it is not connected and knows an address of it. The
// error is an *Error when the peer answered with a code or does not offer the
// protocol (UNAVAILABLE); ErrUnreachable when no answer came; ctx's error when that
// ended first. A call over a relayed connection needs network.WithAllowLimitedConn.
//
// A call is made once: whether it may be made again is for the caller to know.
func (c *Client) Call(ctx context.Context, to peer.ID, name string, req, resp proto.Message) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, DefaultTimeout)
		defer cancel()
	}
	if err := c.call(ctx, to, name, req, resp); err != nil {
		return fmt.Errorf("call %s at %s: %w", name, to, err)
	}
	return nil
}

func (c *Client) call(ctx context.Context, to peer.ID, name string, req, resp proto.Message) error {
	frame, err := appendFrame(nil, req)
	if err != nil {
		return err
	}
	if to == c.host.ID() {
		return c.callSelf(ctx, name, frame, resp)
	}
	st, err := c.host.NewStream(ctx, to, ProtocolID(c.network, name))
	if err != nil {
		return c.failure(ctx, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = st.Reset() })
	defer stop()
	if deadline, ok := ctx.Deadline(); ok {
		_ = st.SetDeadline(deadline) // the reset above ends the call even where this is not supported
	}

	// A server that refuses before it has read all stops reading; its answer is what
	// counts, so an error of the write is reported only if there is none.
	_, writeErr := st.Write(frame)
	if writeErr == nil {
		writeErr = st.CloseWrite()
	}
	var answer wire.Response
	if _, err := readMessage(st, c.most, &answer); err != nil {
		_ = st.Reset()
		return c.failure(ctx, errors.Join(err, writeErr))
	}
	_ = st.Close()
	return decode(&answer, resp)
}

// decode puts the answer's body into resp, or returns the error that it is.
func decode(answer *wire.Response, resp proto.Message) error {
	if answer.GetCode() != wire.Code_OK {
		return responseError(answer)
	}
	if err := proto.Unmarshal(answer.GetBody(), resp); err != nil {
		return fmt.Errorf("%w: body: %v", errFrame, err)
	}
	return nil
}

func notOffered() *Error {
	return Errorf(wire.Code_UNAVAILABLE, "the peer does not offer this protocol; try another peer")
}

// failure says why no answer came.
func (c *Client) failure(ctx context.Context, err error) error {
	var unsupported multistream.ErrNotSupported[protocol.ID]
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%w (%v)", ctx.Err(), err)
	case errors.As(err, &unsupported):
		return notOffered()
	case errors.Is(err, errFrame), errors.Is(err, errFrameTooLarge):
		return err
	default:
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
}
