package rpc

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/p2p/wire"
)

// callSelf asks this node's own server. The request is there whole, so nobody waits for
// bytes: the handler alone takes time, and it goes on, within its own limit, when ctx ends,
// as it does for a peer that went away.
func (c *Client) callSelf(ctx context.Context, name string, frame []byte, resp proto.Message) error {
	if c.own == nil {
		return notOffered()
	}
	m := c.own.find(c.network, name)
	if m == nil {
		return notOffered()
	}
	if ctx.Err() != nil {
		return c.failure(ctx, network.ErrReset)
	}
	lo := &loopback{request: bytes.NewReader(frame), done: make(chan struct{})}
	go m.converse(lo, c.host.ID())
	select {
	case <-ctx.Done():
		return c.failure(ctx, network.ErrReset)
	case <-lo.done:
	}
	if lo.broken {
		return c.failure(ctx, network.ErrReset)
	}
	var answer wire.Response
	if _, err := readMessage(&lo.response, c.most, &answer); err != nil {
		return c.failure(ctx, err)
	}
	return decode(&answer, resp)
}

// find returns a method of a network, or nil when this server does not offer it.
func (s *Server) find(networkName, name string) *method {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.network != networkName {
		return nil
	}
	return s.methods[name]
}

// loopback is an exchange of a node with itself. It ends once, by Close or by Reset; then
// the asking side may read what came of it.
type loopback struct {
	request  *bytes.Reader
	response bytes.Buffer
	broken   bool // ended by Reset: there is no response
	once     sync.Once
	done     chan struct{} // closed at the end
}

var _ exchange = (*loopback)(nil)

func (l *loopback) end(broken bool) {
	l.once.Do(func() {
		l.broken = broken
		close(l.done)
	})
}

func (l *loopback) ended() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// Read returns the request, or network.ErrReset when the server has dropped it.
func (l *loopback) Read(p []byte) (int, error) {
	if l.ended() {
		return 0, network.ErrReset
	}
	return l.request.Read(p)
}

// Write adds to the response.
func (l *loopback) Write(p []byte) (int, error) {
	if l.ended() {
		return 0, network.ErrReset
	}
	return l.response.Write(p)
}

// Close ends the exchange well.
func (l *loopback) Close() error { l.end(false); return nil }

// Reset ends it without a response.
func (l *loopback) Reset() error { l.end(true); return nil }

// SetReadDeadline does nothing: all there is to read is there.
func (l *loopback) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing: a response is taken at once.
func (l *loopback) SetWriteDeadline(time.Time) error { return nil }
