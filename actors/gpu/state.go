package gpu

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/gpu/worker"
)

const (
	// refillAfter keeps the start of the next standby out of the way of the session
	// that took the last one.
	refillAfter = 3 * time.Second
	// failedFor is how long no standby is started for an app whose worker failed.
	failedFor = time.Minute
	maxRecent = 8
)

// Messages of the device's actor.
type (
	acquire struct {
		app   App
		fresh bool // the worker that waits is not wanted
	}
	released struct{}
	loaded   struct{ app [32]byte } // asks whether a worker waits for the app
	compiled struct {
		app  [32]byte
		info worker.Info
	}
	refill  struct{}
	spawned struct { // the start of a worker ahead of its session
		app App
		by  *standby // nil when there is none
		err error
	}
	cameUp struct { // the end of that start
		by  *standby
		err error
	}
)

// state is the device's actor. It starts workers ahead of their sessions, one at a
// time: first to keep them waiting, then to compile what is installed. A session that
// comes takes over the worker of its app, also one that is still loading.
type state struct {
	dev     *Device
	recent  []App // newest first
	ahead   []App // installed and not compiled yet
	waiting map[[32]byte]*standby
	busy    bool     // a worker is being spawned or loads
	loading *standby // the one that loads; nil while it is being spawned
	pending func()   // cancels the next refill
	failed  map[[32]byte]time.Time
}

func newState(d *Device) *state {
	return &state{dev: d, waiting: map[[32]byte]*standby{}, failed: map[[32]byte]time.Time{}}
}

// Receive implements supervise.Behavior.
func (s *state) Receive(c *supervise.Ctx, msg any) {
	switch m := msg.(type) {
	case supervise.Started:
		if s.dev.o.Installed != nil {
			s.ahead = s.dev.o.Installed()
		}
		for _, a := range slices.Backward(s.ahead) {
			s.touch(a)
		}
		s.refill(c)
	case supervise.Stopping:
		for _, w := range s.waiting {
			w.drop()
		}
		for _, w := range s.waiting {
			End(w.proc)
		}
	case acquire:
		s.acquire(c, m)
	case loaded:
		w := s.waiting[m.app]
		c.Reply(w != nil && w != s.loading && w.relay.alive())
	case released:
		s.refillSoon(c)
	case compiled:
		if s.dev.set.add(m.app, m.info) && s.dev.o.Changed != nil {
			s.dev.o.Changed()
		}
	case refill:
		s.pending = nil
		s.refill(c)
	case spawned:
		s.spawned(c, m)
	case cameUp:
		s.cameUp(c, m)
	}
}

func (s *state) acquire(c *supervise.Ctx, m acquire) {
	if s.dev.lent.Load() >= int64(s.dev.o.Slots) {
		c.Reply(ErrBusy)
		return
	}
	s.dev.lent.Add(1)
	s.touch(m.app)
	slot := &Slot{dev: s.dev, app: m.app}
	if !m.fresh {
		slot.warm = s.waiting[m.app.SHA256]
		delete(s.waiting, m.app.SHA256)
	}
	if l := s.loading; l != nil && s.waiting[l.app.SHA256] == l {
		// A player waits: what only might be wanted gives way. Its end makes room. One that
		// loads for another player is theirs, and no longer among those that wait.
		delete(s.waiting, l.app.SHA256)
		l.drop()
	}
	c.Reply(slot)
	s.refillSoon(c)
}

// touch makes the app the most recently used.
func (s *state) touch(app App) {
	s.recent = slices.DeleteFunc(s.recent, func(a App) bool { return a.SHA256 == app.SHA256 })
	s.recent = slices.Insert(s.recent, 0, app)
	s.recent = s.recent[:min(len(s.recent), maxRecent)]
}

func (s *state) refillSoon(c *supervise.Ctx) {
	if s.pending != nil {
		s.pending()
	}
	s.pending = c.After(refillAfter, refill{})
}

// refill brings the waiting workers in line with what is likely wanted, one step at a
// time, so that starting them never takes more than one core.
func (s *state) refill(c *supervise.Ctx) {
	want := s.wanted(time.Now())
	for app, w := range s.waiting {
		if !w.relay.alive() || w != s.loading && !slices.ContainsFunc(want, func(a App) bool { return a.SHA256 == app }) {
			w.drop()
			delete(s.waiting, app)
		}
	}
	if s.busy || s.pending != nil { // a session has just begun: its own start comes first
		return
	}
	next, ok := s.next(want)
	if !ok {
		return
	}
	s.busy = true
	dev, self := s.dev, c.Self()
	c.Go(func(context.Context) any { return dev.spawn(next, self) })
}

// next picks the app to start a worker of.
func (s *state) next(want []App) (App, bool) {
	for _, app := range want {
		if s.waiting[app.SHA256] == nil {
			return app, true
		}
	}
	s.ahead = slices.DeleteFunc(s.ahead, func(a App) bool {
		_, failed := s.failed[a.SHA256]
		return failed || s.dev.Ready(a.SHA256)
	})
	// Compiling takes a core for seconds; those who play come first.
	if len(s.ahead) == 0 || s.dev.lent.Load() > 0 {
		return App{}, false
	}
	return s.ahead[0], true
}

// wanted lists the apps that should have a worker waiting.
func (s *state) wanted(now time.Time) []App {
	n := min(s.dev.o.Standby, s.dev.o.Slots-int(s.dev.lent.Load()))
	if s.dev.o.FreeMemory != nil && s.dev.o.FreeMemory() < MinFree {
		n = 0
	}
	var out []App
	for _, a := range s.recent {
		if len(out) >= n {
			break
		}
		if t, ok := s.failed[a.SHA256]; !ok || now.Sub(t) >= failedFor {
			out = append(out, a)
		}
	}
	return out
}

// spawn starts a worker that waits. It runs on a goroutine of the actor.
func (d *Device) spawn(app App, self supervise.Ref) spawned {
	snap, err := worker.NewSnapshotFile()
	if err != nil {
		return spawned{app: app, err: err}
	}
	w := &standby{app: app, seed: rand.Uint64(), snap: snap}
	w.relay = newRelay(func(i worker.Info) { _ = self.Tell(compiled{app.SHA256, i}) })
	if w.proc, err = d.o.Start(d.spec(app, w.seed, snap), w.relay); err != nil {
		_ = snap.Close()
		return spawned{app: app, err: err}
	}
	return spawned{app: app, by: w}
}

// Discard implements supervise.Discarder.
func (m spawned) Discard() {
	if m.by != nil {
		m.by.drop()
	}
}

func (s *state) spawned(c *supervise.Ctx, m spawned) {
	if m.by == nil {
		s.busy = false
		s.giveUpFor(c, m.app, m.err)
		return
	}
	s.loading, s.waiting[m.app.SHA256] = m.by, m.by
	by := m.by
	c.Go(func(ctx context.Context) any {
		select {
		case <-by.relay.up:
			_, err := by.relay.state()
			return cameUp{by, err}
		case <-ctx.Done():
			return nil
		}
	})
}

func (s *state) cameUp(c *supervise.Ctx, m cameUp) {
	s.busy, s.loading = false, nil
	if s.waiting[m.by.app.SHA256] == m.by { // else a session has it, or it was dropped
		if m.err != nil {
			delete(s.waiting, m.by.app.SHA256)
			m.by.drop()
			s.giveUpFor(c, m.by.app, m.err)
			return
		}
		delete(s.failed, m.by.app.SHA256)
	}
	s.refill(c)
}

// giveUpFor starts no worker of the app ahead of its session for a while.
func (s *state) giveUpFor(c *supervise.Ctx, app App, err error) {
	s.failed[app.SHA256] = time.Now()
	s.dev.o.Log.Warn("a worker does not start ahead of its session", "app", app.Name, "err", err)
	c.After(failedFor, refill{})
	s.refill(c)
}

// warmSet is which apps are compiled and what they are; anybody may read it at any
// time.
type warmSet struct {
	apps atomic.Pointer[map[[32]byte]worker.Info] // replaced, never changed
}

func (w *warmSet) get(app [32]byte) (worker.Info, bool) {
	m := w.apps.Load()
	if m == nil {
		return worker.Info{}, false
	}
	info, ok := (*m)[app]
	return info, ok
}

// add is called by the actor alone. It says whether the app is new.
func (w *warmSet) add(app [32]byte, info worker.Info) bool {
	if _, known := w.get(app); known {
		return false
	}
	next := map[[32]byte]worker.Info{app: info}
	if m := w.apps.Load(); m != nil {
		maps.Copy(next, *m)
	}
	w.apps.Store(&next)
	return true
}
