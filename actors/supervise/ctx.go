package supervise

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// incarnation is one life of an actor, from Started to Stopping.
type incarnation struct {
	cell     *cell
	behavior Behavior
	ctx      *Ctx
	life     context.Context
	cancel   context.CancelFunc
	tasks    sync.WaitGroup
	timers   map[*time.Timer]struct{}
	watched  map[string]Ref // by protoactor id: children and watched actors
	released bool
	settling sync.Mutex             // a stop during a backoff settles beside the restart's timer
	results  map[*delivery]struct{} // Discarders on their way; guarded by the cell's mutex
}

// Discarder is a result of Ctx.Go that holds something, such as a process. When the
// incarnation ends before it gets the result, Discard is called instead, before the
// actor counts as stopped or is restarted.
type Discarder interface{ Discard() }

// task is an owned goroutine.
type task struct{ name string }

// taskPanic is the result of a goroutine that panicked: the actor fails with it.
type taskPanic struct{ err error }

func newIncarnation(c *cell) *incarnation {
	in := &incarnation{cell: c, timers: map[*time.Timer]struct{}{}, watched: map[string]Ref{}, results: map[*delivery]struct{}{}}
	in.life, in.cancel = context.WithCancel(context.Background())
	in.ctx = &Ctx{in: in}
	return in
}

var _ actor.Actor = (*incarnation)(nil)

// Receive implements actor.Actor.
func (in *incarnation) Receive(ac actor.Context) {
	in.ctx.ac = ac
	switch m := ac.Message().(type) {
	case *delivery:
		in.cell.depth.Add(-1)
		if m.timer != nil {
			delete(in.timers, m.timer)
		}
		if in.released || (m.life != nil && m.life != in) || m.drop {
			return // those who ask learn it when the actor is gone
		}
		if _, ok := m.msg.(Discarder); ok {
			in.cell.mu.Lock()
			delete(in.results, m)
			in.cell.mu.Unlock()
		}
		in.handle(m)
		in.cell.meters.handled.Inc()
		in.cell.meters.latency.Observe(time.Since(m.at).Seconds())
	case *actor.Started:
		in.handle(&delivery{msg: Started{}})
	case *actor.Terminated:
		if ref, ok := in.watched[m.Who.GetId()]; ok && !in.released {
			delete(in.watched, m.Who.GetId())
			in.handle(&delivery{msg: Terminated{Ref: ref, Err: ref.c.reason()}})
		}
	case *actor.Stopping:
		in.release(nil)
	case *actor.Stopped:
		in.settle()
		in.quietly(Stopped{})
		in.cell.ended()
	}
}

// handle runs the behavior; a panic frees what the incarnation holds and goes on
// to the supervisor.
func (in *incarnation) handle(d *delivery) {
	in.enter(d)
	defer func() {
		r := recover()
		in.leave()
		if r == nil {
			return
		}
		err, ok := r.(error)
		if !ok {
			err = fmt.Errorf("panic: %v", r)
		}
		in.cell.sys.log.Error("actor failed", "actor", in.cell.path, "message", fmt.Sprintf("%T", d.msg),
			"err", err, "stack", string(debug.Stack()))
		d.answer(fmt.Errorf("%w: %s: %w", ErrFailed, in.cell.path, err))
		in.release(err)
		panic(&failure{in, err})
	}()
	if p, ok := d.msg.(taskPanic); ok {
		panic(p.err)
	}
	if in.behavior == nil {
		in.behavior = in.cell.make()
	}
	in.behavior.Receive(in.ctx, d.msg)
}

// release ends the incarnation: goroutines are cancelled, timers stopped, children
// told to stop, and the behavior gets Stopping, once.
func (in *incarnation) release(err error) {
	if in.released {
		return
	}
	in.released = true
	in.cancel()
	for t := range in.timers {
		t.Stop()
	}
	if err != nil { // on a stop the layer below does it
		for _, child := range in.ctx.ac.Children() {
			in.ctx.ac.Stop(child)
		}
	}
	in.quietly(Stopping{Err: err})
}

// quietly gives the behavior a message whose handling may not fail the actor: it is
// on its way out.
func (in *incarnation) quietly(msg any) {
	if in.behavior == nil {
		return
	}
	in.enter(&delivery{msg: msg})
	defer func() {
		if r := recover(); r != nil {
			in.cell.sys.log.Error("actor failed while stopping", "actor", in.cell.path, "err", r, "stack", string(debug.Stack()))
		}
		in.leave()
	}()
	in.behavior.Receive(in.ctx, msg)
}

// settle waits for the goroutines and discards the results that came too late. When it
// returns all is discarded, by whomever.
func (in *incarnation) settle() {
	in.settling.Lock()
	defer in.settling.Unlock()
	in.tasks.Wait()
	in.cell.mu.Lock()
	late := in.results
	in.results = nil
	in.cell.mu.Unlock()
	for d := range late {
		d.msg.(Discarder).Discard()
	}
}

func (in *incarnation) enter(d *delivery) {
	in.ctx.cur = d
	in.cell.since.Store(time.Now().UnixNano())
	in.cell.current.Store(d)
}

func (in *incarnation) leave() {
	in.ctx.cur = nil
	in.cell.current.Store(nil)
}

// Ctx is what a Behavior can do. It belongs to one incarnation and is valid only
// inside Receive.
type Ctx struct {
	in  *incarnation
	ac  actor.Context
	cur *delivery
}

// Self addresses this actor.
func (c *Ctx) Self() Ref { return Ref{c.in.cell} }

// Log is the system's logger with the actor's path.
func (c *Ctx) Log() *slog.Logger { return c.in.cell.sys.log.With("actor", c.in.cell.path) }

// Context ends with this incarnation.
func (c *Ctx) Context() context.Context { return c.in.life }

// Reply answers the message if it was asked; the first answer counts. An error
// makes the Ask fail with it.
func (c *Ctx) Reply(v any) { c.cur.answer(v) }

// Later returns a function that answers the current message after Receive has
// returned, from any goroutine.
func (c *Ctx) Later() func(v any) { return c.cur.answer }

// Spawn starts a child. Errors as with System.Spawn.
func (c *Ctx) Spawn(name string, make func() Behavior, opts ...Option) (Ref, error) {
	if c.in.released {
		return Ref{}, ErrStopped
	}
	child, err := newChild(c.in.cell, name, make, opts)
	if err != nil {
		return Ref{}, err
	}
	c.in.watched[child.pid.Id] = Ref{child}
	if _, err := c.ac.SpawnNamed(child.props(), name); err != nil {
		delete(c.in.watched, child.pid.Id)
		child.ended()
		return Ref{}, fmt.Errorf("supervise: spawn %s: %w", child.path, err)
	}
	return Ref{child}, nil
}

// Watch asks for a Terminated message when the actor is gone; at once if it is
// already. Children are always watched.
func (c *Ctx) Watch(ref Ref) {
	if ref.c == nil {
		_ = c.in.cell.post(&delivery{msg: Terminated{Ref: ref}, life: c.in}, true)
		return
	}
	c.in.watched[ref.c.pid.Id] = ref
	c.ac.Watch(ref.c.pid)
}

// After sends msg to this actor when d has passed, unless the incarnation ended or
// cancel was called before. cancel holds also when the message already waits in
// the mailbox; call it only inside Receive.
func (c *Ctx) After(d time.Duration, msg any) (cancel func()) {
	in := c.in
	if in.released {
		return func() {}
	}
	m := &delivery{msg: msg, life: in}
	t := time.AfterFunc(d, func() { _ = in.cell.post(m, true) })
	m.timer = t // read on this goroutine only
	in.timers[t] = struct{}{}
	return func() {
		m.drop = true
		t.Stop()
		delete(in.timers, t)
	}
}

// Inlet returns a function by which callbacks that belong to this actor (of a
// connection, of a process) give it messages, from any goroutine. They are never
// refused, so whoever calls must be bounded by other means; they are dropped when
// the incarnation has ended.
func (c *Ctx) Inlet() func(msg any) {
	in := c.in
	return func(msg any) { _ = in.cell.post(&delivery{msg: msg, life: in}, true) }
}

// Go runs f on a goroutine of this actor's own. Its result comes back as a message,
// unless it is nil or the incarnation ended; see Discarder. f's context ends with the
// incarnation; a stop or restart waits for f. A panic in f fails the actor.
func (c *Ctx) Go(f func(ctx context.Context) any) {
	in := c.in
	if in.released {
		return
	}
	t := &task{name: funcName(f)}
	in.cell.mu.Lock()
	in.cell.tasks[t] = struct{}{}
	in.cell.mu.Unlock()
	in.tasks.Add(1)
	go func() {
		defer in.tasks.Done()
		defer func() {
			in.cell.mu.Lock()
			delete(in.cell.tasks, t)
			in.cell.mu.Unlock()
		}()
		defer func() {
			if r := recover(); r != nil {
				err := fmt.Errorf("panic in goroutine %s: %v\n%s", t.name, r, debug.Stack())
				_ = in.cell.post(&delivery{msg: taskPanic{err}, life: in}, true)
			}
		}()
		if v := f(in.life); v != nil {
			d := &delivery{msg: v, life: in}
			if _, ok := v.(Discarder); ok {
				in.cell.mu.Lock()
				in.results[d] = struct{}{}
				in.cell.mu.Unlock()
			}
			_ = in.cell.post(d, true)
		}
	}()
}

func funcName(f any) string {
	n := runtime.FuncForPC(reflect.ValueOf(f).Pointer()).Name()
	return n[strings.LastIndexByte(n, '/')+1:]
}
