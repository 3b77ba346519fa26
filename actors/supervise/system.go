// Package supervise runs actors: it is a thin layer on protoactor that gives
// every actor a bounded mailbox that refuses instead of blocking, restarts with
// capped and jittered backoff, a failure limit that tells the parent, asks that
// honour a context, owned goroutines, and a stop of the whole tree that names
// what hung.
//
// A Behavior's Receive runs on one goroutine at a time and must not block: disk,
// network and device work goes through Ctx.Go and comes back as a message.
// Frames and input never pass through a mailbox.
//
// This is the only package that may import protoactor, so it is also the only one
// to rewrite if that library ever stops working.
package supervise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/prometheus/client_golang/prometheus"
)

// Errors of this package.
var (
	ErrBusy      = errors.New("supervise: mailbox full")          // the actor has more waiting than it may hold; try again later
	ErrStopped   = errors.New("supervise: actor stopped")         // the actor is gone for good
	ErrFailed    = errors.New("supervise: actor failed")          // the actor panicked while handling the message
	ErrReply     = errors.New("supervise: reply of another type") // the asked actor answered something else
	ErrNameTaken = errors.New("supervise: name is taken")         // a living sibling has that name
	ErrName      = errors.New("supervise: name is not usable")    // empty, or with a slash
	ErrHung      = errors.New("supervise: actors did not stop")   // Stop ran out of time; the text names them
)

// Behavior is what an actor does. Receive gets one message at a time: the
// lifecycle messages of this package, results of Ctx.Go, timers of Ctx.After, and
// what others sent. A panic is a failure: the actor is restarted with a fresh
// Behavior, after a backoff.
type Behavior interface {
	Receive(c *Ctx, msg any)
}

// BehaviorFunc is a Behavior that is a function.
type BehaviorFunc func(c *Ctx, msg any)

// Receive calls f.
func (f BehaviorFunc) Receive(c *Ctx, msg any) { f(c, msg) }

// Lifecycle messages.
type (
	// Started is the first message of every incarnation.
	Started struct{}

	// Stopping is the last message of every incarnation: free what it holds. Err is
	// nil on an ordinary stop and the failure when the incarnation panicked; its
	// goroutines are cancelled and its children are being stopped.
	Stopping struct{ Err error }

	// Stopped comes once, when the actor ends for good and its children and
	// goroutines are gone.
	Stopped struct{}

	// ChildFailed tells a parent that a child failed more often than its Backoff
	// allows. The child is being stopped; Terminated follows.
	ChildFailed struct {
		Ref Ref
		Err error
	}

	// Terminated says that a child or a watched actor is gone. Err is nil unless it
	// was given up after failures.
	Terminated struct {
		Ref Ref
		Err error
	}
)

// Options configure a System.
type Options struct {
	Log        *slog.Logger          // nil discards
	Registerer prometheus.Registerer // nil keeps no metrics
	// OnEscalate hears of a top-level actor that was given up. It is called from an
	// actor's goroutine and must not block.
	OnEscalate func(path string, err error)
}

// System is a tree of actors.
type System struct {
	opt     Options
	log     *slog.Logger
	metrics *metrics
	proto   *actor.ActorSystem
	root    *cell

	mu    sync.Mutex
	cells map[string]*cell // by path, living or stopping
}

// protoSystem is shared by all Systems of the process: one protoactor system
// reserves a few megabytes of registry, and a test network has dozens of nodes.
var protoSystem = sync.OnceValue(func() *actor.ActorSystem {
	// Failures and restarts are logged by this package, with their paths.
	sys := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
		return slog.New(slog.DiscardHandler)
	}))
	// A message to an actor that just ended is ordinary here. The stock event stream
	// would start a goroutine for the throttle of its log; ours only answers those
	// who watch.
	sys.EventStream = fresh(sys.EventStream)
	sys.EventStream.Subscribe(func(ev any) {
		dead, ok := ev.(*actor.DeadLetterEvent)
		if !ok {
			return
		}
		if w, ok := dead.Message.(*actor.Watch); ok {
			if p, found := sys.ProcessRegistry.Get(w.Watcher); found {
				p.SendSystemMessage(w.Watcher, &actor.Terminated{Who: dead.PID, Why: actor.TerminatedReason_NotFound})
			}
		}
	})
	return sys
})

// fresh returns a new zero value of a type that is named in a package that this one
// does not import; for an event stream, one without subscribers.
func fresh[T any](*T) *T { return new(T) }

var systemCount atomic.Uint64

// NewSystem starts an empty tree. It fails only when metrics of the same names
// are in the registerer already.
func NewSystem(opt Options) (*System, error) {
	s := &System{opt: opt, log: opt.Log, proto: protoSystem(), cells: map[string]*cell{}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.metrics = newMetrics(s)
	if opt.Registerer != nil {
		if err := opt.Registerer.Register(s.metrics); err != nil {
			return nil, fmt.Errorf("supervise: register metrics: %w", err)
		}
	}
	id := fmt.Sprintf("framemesh-%d", systemCount.Add(1))
	s.root = newCell(s, nil, "", func() Behavior { return BehaviorFunc(s.receiveRoot) },
		settings{mailbox: 1 << 16, backoff: Backoff{}, class: "root"})
	s.root.pid = s.proto.NewLocalPID(id)
	s.root.meters = s.metrics.of("root")
	if _, err := s.proto.Root.SpawnNamed(s.root.props(), id); err != nil {
		return nil, fmt.Errorf("supervise: start root: %w", err)
	}
	return s, nil
}

type spawnRequest struct {
	name string
	make func() Behavior
	opts []Option
}

func (s *System) receiveRoot(c *Ctx, msg any) {
	switch m := msg.(type) {
	case spawnRequest:
		ref, err := c.Spawn(m.name, m.make, m.opts...)
		if err != nil {
			c.Reply(err)
			return
		}
		c.Reply(ref)
	case ChildFailed:
		if s.opt.OnEscalate != nil {
			s.opt.OnEscalate(m.Ref.Path(), m.Err)
		}
	}
}

// Spawn starts a top-level actor. Children are started with Ctx.Spawn. It fails
// with ErrNameTaken while a sibling of that name lives, with ErrName, and with
// ErrStopped after Stop.
func (s *System) Spawn(name string, make func() Behavior, opts ...Option) (Ref, error) {
	return Ask[Ref](context.Background(), Ref{s.root}, spawnRequest{name, make, opts})
}

// Stop stops the whole tree, children before parents, and waits for every actor
// and every goroutine they own. When ctx ends first it returns ErrHung with the
// names of those that are in the way.
func (s *System) Stop(ctx context.Context) error {
	s.root.stop()
	select {
	case <-s.root.done:
		if s.opt.Registerer != nil {
			s.opt.Registerer.Unregister(s.metrics)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w in time: %s", ErrHung, s.hung(time.Now()))
	}
}

// hung describes the actors that keep the tree from stopping: those inside
// Receive and those with goroutines still running. Others only wait for them.
func (s *System) hung(now time.Time) string {
	var out []string
	for _, c := range s.living() {
		if d := c.current.Load(); d != nil {
			out = append(out, fmt.Sprintf("%s (in Receive of %T for %s)", c.path, d.msg,
				now.Sub(time.Unix(0, c.since.Load())).Round(time.Millisecond)))
		} else if tasks := c.taskNames(); len(tasks) > 0 {
			out = append(out, fmt.Sprintf("%s (goroutine %s)", c.path, strings.Join(tasks, ", ")))
		}
	}
	if len(out) == 0 {
		return "none is busy, the stop is still on its way"
	}
	sort.Strings(out)
	return strings.Join(out, "; ")
}

func (s *System) living() []*cell {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*cell, 0, len(s.cells))
	for _, c := range s.cells {
		out = append(out, c)
	}
	return out
}

// claim enters the cell under its path.
func (s *System) claim(c *cell) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.cells[c.path]; taken {
		return fmt.Errorf("%w: %q", ErrNameTaken, c.path)
	}
	s.cells[c.path] = c
	return nil
}

func (s *System) release(c *cell) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cells[c.path] == c {
		delete(s.cells, c.path)
	}
}
