// Package rpc carries one request and one response per libp2p stream: each a
// protobuf message behind its length as a uvarint, the response always a
// wire.Response. It is where the questions of strangers are bounded: size before
// allocation, a deadline on every read and write, a rate per peer, a number of
// streams and of handlers. What goes beyond a bound is refused with a code, counted,
// and reported to the node so that it can drop a peer that keeps doing it.
//
// It knows nothing of what the protocols mean, and never retries on its own.
package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/p2p/wire"
)

// ServiceName is the name under which the resource manager accounts for the streams
// that a Server answers.
const ServiceName = "framemesh.rpc"

// ProtocolID returns the libp2p protocol of an RPC: /framemesh/<network>/<name>/1.0.0.
func ProtocolID(networkName, name string) protocol.ID {
	return protocol.ID("/framemesh/" + networkName + "/" + name + "/1.0.0")
}

// Options of a Server. The zero value works.
type Options struct {
	Log        *slog.Logger          // failures of handlers; nil = discard
	Registerer prometheus.Registerer // nil = metrics are kept but not registered
	// Misbehaved is told of a peer that sent what no well-behaved peer sends:
	// "oversize", "malformed", "truncated", "slow" or "flood". It is called from the
	// stream's goroutine and must not block.
	Misbehaved func(from peer.ID, reason string)
	// Now is the clock of the rate limits; nil = time.Now.
	Now func() time.Time
}

// Server answers RPCs on a host. Protocols are added with Handle.
type Server struct {
	host    host.Host
	network string
	opts    Options
	metrics *metrics

	ctx    context.Context // cancelled by Close
	cancel context.CancelFunc

	mu      sync.Mutex
	methods map[string]*method
	reading map[exchange]struct{} // those whose request has not arrived; reset by Close
	closed  bool
	busy    sync.WaitGroup
}

// NewServer returns a server without protocols.
func NewServer(h host.Host, networkName string, opts Options) *Server {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Misbehaved == nil {
		opts.Misbehaved = func(peer.ID, string) {}
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Server{
		host: h, network: networkName, opts: opts, metrics: newMetrics(opts.Registerer),
		ctx: ctx, cancel: cancel,
		methods: make(map[string]*method),
		reading: make(map[exchange]struct{}),
	}
}

// Handle answers the RPC called name with fn. fn gets a context that ends with the
// limit's Timeout or with the server, the verified id of the peer that asks, and a
// request that decoded; it must return when its context ends. An *Error of fn goes
// out as its code; a passed deadline as DEADLINE; any other error as INTERNAL, and
// its text goes to the log alone. A panic of fn is INTERNAL too.
//
// Handle panics when name is taken or the server is closed: both are wiring mistakes.
func Handle[Req, Resp proto.Message](s *Server, name string, lim Limits, fn func(ctx context.Context, from peer.ID, req Req) (Resp, error)) {
	var zero Req
	kind := zero.ProtoReflect().Type()
	newReq := func() proto.Message { return kind.New().Interface() }
	s.handle(name, lim.withDefaults(), newReq, func(ctx context.Context, from peer.ID, req proto.Message) (proto.Message, error) {
		resp, err := fn(ctx, from, req.(Req))
		if err != nil {
			return nil, err
		}
		return resp, nil
	})
}

// handler is fn of Handle without its types.
type handler func(ctx context.Context, from peer.ID, req proto.Message) (proto.Message, error)

// method is one protocol of a server.
type method struct {
	*Server
	name   string
	lim    Limits
	admit  *admission
	newReq func() proto.Message
	fn     handler
}

func (s *Server) handle(name string, lim Limits, newReq func() proto.Message, fn handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.methods[name] != nil {
		panic(fmt.Sprintf("rpc: handle %q: name taken or server closed", name))
	}
	m := &method{Server: s, name: name, lim: lim, admit: newAdmission(lim), newReq: newReq, fn: fn}
	s.methods[name] = m
	s.host.SetStreamHandler(ProtocolID(s.network, name), m.serve)
}

// ErrHung: handlers did not return after their context ended.
var ErrHung = errors.New("rpc: handlers did not stop")

// Close takes the protocols off the host, drops requests that are still arriving,
// ends the contexts of running handlers and waits for them, at most five seconds;
// after that it returns ErrHung. The host stays open. It may be called twice.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	for name := range s.methods {
		s.host.RemoveStreamHandler(ProtocolID(s.network, name))
	}
	for st := range s.reading {
		_ = st.Reset()
	}
	s.mu.Unlock()
	s.cancel()

	done := make(chan struct{})
	go func() { s.busy.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-time.After(5 * time.Second):
		return ErrHung
	}
}

// exchange is what a method reads a request from and answers on: a network.Stream, or the
// loopback of a node that asks itself.
type exchange interface {
	io.ReadWriteCloser
	Reset() error
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

// begin registers an exchange with the server; false means that the server is closing.
func (s *Server) begin(st exchange) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.busy.Add(1)
	s.reading[st] = struct{}{}
	return true
}

// arrived says that the request is in; Close no longer resets this exchange.
func (s *Server) arrived(st exchange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.reading, st)
}

// serve answers one stream, from its goroutine.
func (m *method) serve(st network.Stream) {
	if err := st.Scope().SetService(ServiceName); err != nil {
		m.reject(rejectResources)
		_ = st.ResetWithError(network.StreamResourceLimitExceeded)
		return
	}
	m.converse(st, st.Conn().RemotePeer())
}

// converse takes the request of a peer and answers it.
func (m *method) converse(st exchange, from peer.ID) {
	if !m.begin(st) {
		m.reject(rejectClosing)
		_ = st.Reset()
		return
	}
	defer m.busy.Done()
	defer m.arrived(st)

	start := time.Now()
	resp := m.answer(st, from)
	if resp == nil { // the stream is gone or not worth a word
		_ = st.Reset()
		return
	}
	m.metrics.requests.WithLabelValues(m.name, resp.GetCode().String()).Inc()
	m.metrics.duration.WithLabelValues(m.name).Observe(time.Since(start).Seconds())
	m.send(st, resp)
}

// answer reads the request and runs the handler. nil means: reset the stream.
func (m *method) answer(st exchange, from peer.ID) *wire.Response {
	bucket, v := m.admit.enter(from, m.opts.Now())
	if v.reject != "" {
		m.reject(v.reject)
		if v.flood {
			m.reject(rejectFlood)
			m.misbehaved(from, rejectFlood)
		}
		return busy(v.retryAfter)
	}
	defer m.admit.leave(bucket)

	if err := st.SetReadDeadline(time.Now().Add(m.lim.ReadTimeout)); err != nil {
		m.reject(rejectReset)
		return nil
	}
	req := m.newReq()
	raw, err := readMessage(st, m.lim.MaxRequest, req)
	if err != nil {
		return m.refuse(from, err)
	}
	m.arrived(st)

	if !m.admit.startHandler() {
		m.reject(rejectFull)
		return busy(250 * time.Millisecond)
	}
	defer m.admit.endHandler()
	ctx, cancel := context.WithTimeout(m.ctx, m.lim.Timeout)
	defer cancel()
	return m.run(context.WithValue(ctx, rawKey{}, raw), from, req)
}

type rawKey struct{}

// RawRequest returns the marshalled request exactly as it came, inside a handler;
// elsewhere nil. It is for handlers that sign what they were asked: protobuf has more
// than one encoding of a message.
func RawRequest(ctx context.Context) []byte {
	raw, _ := ctx.Value(rawKey{}).([]byte)
	return raw
}

func busy(retryAfter time.Duration) *wire.Response {
	return errorResponse(&Error{
		Code: wire.Code_BUSY, RetryAfter: retryAfter,
		Message: "the peer has no room for this request now; wait and ask again",
	})
}

// refuse counts a request that did not arrive whole and answers it where the peer
// may still be listening.
func (m *method) refuse(from peer.ID, err error) *wire.Response {
	why, resp := rejectReset, (*wire.Response)(nil)
	var netErr net.Error
	switch {
	case errors.Is(err, errFrameTooLarge):
		why = rejectOversize
		resp = errorResponse(Errorf(wire.Code_TOO_LARGE, "the request is larger than %d bytes; send less", m.lim.MaxRequest))
	case errors.Is(err, errFrame):
		why = rejectMalformed
		resp = errorResponse(Errorf(wire.Code_INVALID, "the request does not decode as %s; update framemesh", m.name))
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		why = rejectTruncated
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		why = rejectSlow
	}
	m.reject(why)
	if why != rejectReset {
		m.misbehaved(from, why)
	}
	return resp
}

// misbehaved reports a peer. A node does not report itself: it cannot part with itself.
func (m *method) misbehaved(from peer.ID, why reason) {
	if from != m.host.ID() {
		m.opts.Misbehaved(from, string(why))
	}
}

func (m *method) reject(why reason) {
	m.metrics.rejected.WithLabelValues(m.name, string(why)).Inc()
}

// run calls the handler and turns its outcome into a response.
func (m *method) run(ctx context.Context, from peer.ID, req proto.Message) (resp *wire.Response) {
	defer func() {
		if p := recover(); p != nil {
			m.reject(rejectPanic)
			m.opts.Log.Error("rpc: handler panicked", "protocol", m.name, "peer", from.String(), "panic", p, "stack", string(debug.Stack()))
			resp = errorResponse(ErrInternal)
		}
	}()
	out, err := m.fn(ctx, from, req)
	if err != nil {
		if CodeOf(err) == wire.Code_INTERNAL {
			m.opts.Log.Warn("rpc: handler failed", "protocol", m.name, "peer", from.String(), "err", err)
		}
		return errorResponse(err)
	}
	if size := proto.Size(out); size > m.lim.MaxResponse {
		m.reject(rejectResponse)
		m.opts.Log.Warn("rpc: response is too large", "protocol", m.name, "bytes", size, "limit", m.lim.MaxResponse)
		return errorResponse(ErrInternal)
	}
	body, err := proto.Marshal(out)
	if err != nil {
		m.opts.Log.Warn("rpc: response does not marshal", "protocol", m.name, "err", err)
		return errorResponse(ErrInternal)
	}
	return &wire.Response{Code: wire.Code_OK, Body: body}
}

// send writes the response and closes the stream. The peer has Timeout to take it.
func (m *method) send(st exchange, resp *wire.Response) {
	frame, err := appendFrame(nil, resp)
	if err == nil {
		err = st.SetWriteDeadline(time.Now().Add(m.lim.Timeout))
	}
	if err == nil {
		_, err = st.Write(frame)
	}
	if err != nil {
		m.reject(rejectUntaken)
		_ = st.Reset()
		return
	}
	_ = st.Close()
}
