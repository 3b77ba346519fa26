package rpc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/framemesh/framemesh/p2p/wire"
)

// Error is how a call ended when it did not end well. A handler returns one to
// choose the code that goes out; a client gets one when the peer answered with a
// code. Any other error of a handler goes out as INTERNAL without its text.
type Error struct {
	Code       wire.Code
	Message    string        // one sentence for people, ends in what to try
	RetryAfter time.Duration // 0 = the peer did not say; sent in whole milliseconds
	Detail     []byte        // a marshalled message that the protocol names, or nil
}

// Error returns the code and the message.
func (e *Error) Error() string {
	if e.Message == "" {
		return "rpc: " + e.Code.String()
	}
	return "rpc: " + e.Code.String() + ": " + e.Message
}

// Is reports whether target is an *Error of the same code that says nothing else,
// such as the Err values of this package, so that errors.Is(err, rpc.ErrBusy) works.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code && t.Message == "" && t.RetryAfter == 0 && t.Detail == nil
}

// Errors to compare with errors.Is. Handlers make theirs with Errorf.
var (
	ErrInternal     error = &Error{Code: wire.Code_INTERNAL}
	ErrInvalid      error = &Error{Code: wire.Code_INVALID}
	ErrBusy         error = &Error{Code: wire.Code_BUSY}
	ErrNotFound     error = &Error{Code: wire.Code_NOT_FOUND}
	ErrUnauthorised error = &Error{Code: wire.Code_UNAUTHORISED}
	ErrExpired      error = &Error{Code: wire.Code_EXPIRED}
	ErrNoMatch      error = &Error{Code: wire.Code_NO_MATCH}
	ErrTooLarge     error = &Error{Code: wire.Code_TOO_LARGE}
	ErrUnavailable  error = &Error{Code: wire.Code_UNAVAILABLE}
	ErrDeadline     error = &Error{Code: wire.Code_DEADLINE}
)

// ErrUnreachable: no stream to the peer could be opened, or it broke before an
// answer came. The peer may or may not have acted on the request.
var ErrUnreachable = errors.New("rpc: peer cannot be reached")

// Errorf makes an Error with a code and a formatted message.
func Errorf(code wire.Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// CodeOf returns the code that stands for err: that of the *Error in its chain, OK
// for nil, DEADLINE for a deadline that passed, UNAVAILABLE for an unreachable peer,
// else INTERNAL.
func CodeOf(err error) wire.Code {
	var e *Error
	switch {
	case err == nil:
		return wire.Code_OK
	case errors.As(err, &e):
		return e.Code
	case errors.Is(err, context.DeadlineExceeded):
		return wire.Code_DEADLINE
	case errors.Is(err, ErrUnreachable):
		return wire.Code_UNAVAILABLE
	default:
		return wire.Code_INTERNAL
	}
}

// Limits of what an error may carry over the wire.
const (
	maxMessage = 1 << 10  // bytes of text
	maxDetail  = 16 << 10 // bytes of typed detail
)

// errorResponse turns a handler's error into what the peer may see of it.
func errorResponse(err error) *wire.Response {
	var e *Error
	if !errors.As(err, &e) {
		if errors.Is(err, context.DeadlineExceeded) {
			return &wire.Response{Code: wire.Code_DEADLINE, Message: "the peer did not finish in time; try again"}
		}
		return &wire.Response{Code: wire.Code_INTERNAL, Message: "the peer failed on this request; try another peer"}
	}
	resp := &wire.Response{Code: e.Code, Message: printable(e.Message), Detail: e.Detail}
	if e.Code == wire.Code_OK { // an error is never a success, whatever a handler wrote
		resp.Code = wire.Code_INTERNAL
	}
	if len(resp.Detail) > maxDetail {
		resp.Detail = nil
	}
	if e.RetryAfter > 0 {
		ms := (e.RetryAfter + time.Millisecond - 1) / time.Millisecond
		resp.RetryAfterMs = uint32(min(ms, 24*3600*1000))
	}
	return resp
}

// responseError is the reverse, for the client. The text came from a stranger.
func responseError(resp *wire.Response) *Error {
	return &Error{
		Code:       resp.GetCode(),
		Message:    printable(resp.GetMessage()),
		RetryAfter: time.Duration(resp.GetRetryAfterMs()) * time.Millisecond,
		Detail:     resp.GetDetail(),
	}
}

// printable makes text fit for a terminal and a log line: valid, bounded, no control
// characters.
func printable(s string) string {
	if len(s) > maxMessage {
		s = s[:maxMessage]
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(s, ""))
}
