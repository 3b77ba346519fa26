package supervise

import (
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// Option changes how an actor is run.
type Option func(*settings)

type settings struct {
	mailbox int
	backoff Backoff
	class   string
}

// DefaultMailbox is how many messages may wait for an actor that asks for nothing
// else.
const DefaultMailbox = 256

// Mailbox sets how many messages may wait (≥ 1), also while the actor waits for
// its restart. Timers and results of the actor's own goroutines always fit.
func Mailbox(n int) Option { return func(s *settings) { s.mailbox = max(n, 1) } }

// Restart sets the backoff.
func Restart(b Backoff) Option { return func(s *settings) { s.backoff = b } }

// Class sets the name under which metrics are kept; without it the actor's name up
// to the first "-".
func Class(name string) Option { return func(s *settings) { s.class = name } }

// cell is what stays of an actor over its restarts.
type cell struct {
	sys        *System
	parent     *cell
	name, path string
	make       func() Behavior
	set        settings
	meters     *meters
	pid        *actor.PID
	done       chan struct{}

	depth   atomic.Int64             // messages waiting
	stopped atomic.Bool              // no delivery any more
	current atomic.Pointer[delivery] // what Receive handles now
	since   atomic.Int64             // unix ns, when it began

	failures []time.Time // owned by the parent's goroutine

	mu      sync.Mutex
	tasks   map[*task]struct{}
	restart *time.Timer // pending, during a backoff
	err     error       // why it was given up
}

func newCell(s *System, parent *cell, name string, mk func() Behavior, set settings) *cell {
	c := &cell{sys: s, parent: parent, name: name, path: name, make: mk, set: set,
		done: make(chan struct{}), tasks: map[*task]struct{}{}}
	if parent != nil && parent.path != "" {
		c.path = parent.path + "/" + name
	}
	return c
}

// newChild checks the name and claims it.
func newChild(parent *cell, name string, mk func() Behavior, opts []Option) (*cell, error) {
	if name == "" || strings.ContainsRune(name, '/') {
		return nil, ErrName
	}
	class, _, _ := strings.Cut(name, "-")
	set := settings{mailbox: DefaultMailbox, backoff: DefaultBackoff, class: class}
	for _, o := range opts {
		o(&set)
	}
	c := newCell(parent.sys, parent, name, mk, set)
	c.meters = c.sys.metrics.of(set.class)
	// Known beforehand, so that the actor can be told things from its first moment.
	c.pid = c.sys.proto.NewLocalPID(parent.pid.Id + "/" + name)
	return c, c.sys.claim(c)
}

func (c *cell) props() *actor.Props {
	return actor.PropsFromProducer(func() actor.Actor { return newIncarnation(c) },
		actor.WithSupervisor(strategy{}),
		actor.WithMailbox(func() actor.Mailbox { return &mailbox{Mailbox: actor.Unbounded()()} }))
}

// post delivers d; own messages (timers, results, supervision) are never refused,
// for there are only as many as the actor asked for.
func (c *cell) post(d *delivery, own bool) error {
	if c == nil || c.stopped.Load() {
		return ErrStopped
	}
	if n := c.depth.Add(1); !own && n > int64(c.set.mailbox) {
		c.depth.Add(-1)
		c.meters.rejected.Inc()
		return ErrBusy
	}
	d.at = time.Now()
	c.sys.proto.Root.Send(c.pid, d)
	return nil
}

func (c *cell) stop() {
	if !c.stopped.Load() {
		c.sys.proto.Root.Stop(c.pid)
	}
}

// restartAfter restarts the actor when d has passed and the goroutines of the
// failed incarnation are gone, so that two incarnations never share a resource.
func (c *cell) restartAfter(d time.Duration, failed *incarnation, sup actor.Supervisor) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.restart = time.AfterFunc(d, func() {
		failed.settle()
		c.meters.restarts.Inc()
		sup.RestartChildren(c.pid)
	})
}

// giveUp tells the parent that the actor is not restarted any more.
func (c *cell) giveUp(err error) {
	c.mu.Lock()
	c.err = err
	c.mu.Unlock()
	c.sys.log.Error("actor given up", "actor", c.path, "err", err)
	if c.parent != nil {
		_ = c.parent.post(&delivery{msg: ChildFailed{Ref: Ref{c}, Err: err}}, true)
	}
}

// ended marks the cell as gone; the last thing an actor does.
func (c *cell) ended() {
	c.stopped.Store(true)
	c.mu.Lock()
	if c.restart != nil {
		c.restart.Stop()
	}
	c.mu.Unlock()
	c.sys.release(c)
	close(c.done)
}

func (c *cell) reason() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *cell) taskNames() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for t := range c.tasks {
		out = append(out, t.name)
	}
	sort.Strings(out)
	return out
}

// mailbox keeps a restart that comes after a stop from reviving an actor that
// waits for its children: protoactor would forget that it was stopping.
type mailbox struct {
	actor.Mailbox
	mu       sync.Mutex
	stopping bool
}

// PostSystemMessage implements actor.Mailbox.
func (m *mailbox) PostSystemMessage(msg any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch msg.(type) {
	case *actor.Stop:
		m.stopping = true
	case *actor.Restart:
		if m.stopping {
			return
		}
	}
	m.Mailbox.PostSystemMessage(msg)
}
