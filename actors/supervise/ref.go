package supervise

import (
	"context"
	"fmt"
	"time"
)

// Ref addresses an actor. It stays valid over restarts. The zero Ref is an actor
// that stopped. Refs of the same actor are equal.
type Ref struct{ c *cell }

// Path is the actor's name under its parents' names, such as "container/session-4f".
func (r Ref) Path() string {
	if r.c == nil {
		return ""
	}
	return r.c.path
}

// Name is the last element of Path.
func (r Ref) Name() string {
	if r.c == nil {
		return ""
	}
	return r.c.name
}

// Tell puts a message into the actor's mailbox. It never blocks: ErrBusy when the
// mailbox is full, ErrStopped when the actor is gone. A message told just before
// the actor stops may be dropped.
func (r Ref) Tell(msg any) error {
	return r.c.post(&delivery{msg: msg}, false)
}

// Stop asks the actor to stop after the message it is handling; what else waits in
// the mailbox is dropped. Done tells when it is over.
func (r Ref) Stop() {
	if r.c != nil {
		r.c.stop()
	}
}

// Done is closed when the actor, its children and their goroutines are gone.
func (r Ref) Done() <-chan struct{} {
	if r.c == nil {
		return closed
	}
	return r.c.done
}

var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// Ask sends msg and waits for what the actor gives to Ctx.Reply. Errors: ErrBusy,
// ErrStopped, ErrFailed when the actor panicked on the message, the error itself
// when the reply is an error, ErrReply when it is not a T, and ctx's error. Never
// ask from inside Receive: use Ctx.Go.
func Ask[T any](ctx context.Context, to Ref, msg any) (T, error) {
	var zero T
	d := &delivery{msg: msg, reply: make(chan any, 1)}
	if err := to.c.post(d, false); err != nil {
		return zero, err
	}
	var v any
	select {
	case v = <-d.reply:
	case <-ctx.Done():
		return zero, fmt.Errorf("supervise: ask %s: %w", to.Path(), ctx.Err())
	case <-to.c.done:
		// The answer may have been the last thing the actor did.
		select {
		case v = <-d.reply:
		default:
			return zero, fmt.Errorf("%w: %s", ErrStopped, to.Path())
		}
	}
	if err, ok := v.(error); ok { // before T, which may be any
		return zero, err
	}
	if t, ok := v.(T); ok {
		return t, nil
	}
	return zero, fmt.Errorf("%w: %s answered %T with %T", ErrReply, to.Path(), msg, v)
}

// delivery is a message on its way.
type delivery struct {
	msg   any
	reply chan any     // nil for a tell; buffered, so that a reply never blocks
	life  *incarnation // set on timers and results: only that incarnation may see them
	drop  bool         // set by a cancelled timer, on the actor's goroutine
	timer *time.Timer  // that sent it
	at    time.Time
}

func (d *delivery) answer(v any) {
	if d == nil || d.reply == nil {
		return
	}
	select {
	case d.reply <- v:
	default: // answered before
	}
}
