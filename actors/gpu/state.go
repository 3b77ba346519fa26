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
	acquire  struct{ app App }
	released struct{}
	compiled struct {
		app  [32]byte
		info worker.Info
	}
	refill struct{}
	cameUp struct { // the end of starting a standby
		app App
		by  *standby // nil when it failed
		err error
	}
)

// state is the device's actor.
type state struct {
	dev      *Device
	recent   []App // newest first
	waiting  map[[32]byte]*standby
	starting bool
	pending  func()                 // cancels the next refill
	failed   map[[32]byte]time.Time // when
}

func newState(d *Device) *state {
	return &state{dev: d, waiting: map[[32]byte]*standby{}, failed: map[[32]byte]time.Time{}}
}

// Receive implements supervise.Behavior.
func (s *state) Receive(c *supervise.Ctx, msg any) {
	switch m := msg.(type) {
	case supervise.Started:
		s.start(c)
	case supervise.Stopping:
		for _, w := range s.waiting {
			w.drop()
		}
	case acquire:
		s.acquire(c, m.app)
	case released:
		s.refillSoon(c)
	case compiled:
		s.compiled(m)
	case refill:
		s.pending = nil
		s.refill(c)
	case cameUp:
		s.cameUp(c, m)
	}
}

func (s *state) compiled(m compiled) {
	if s.dev.set.add(m.app, m.info) && s.dev.o.Changed != nil {
		s.dev.o.Changed()
	}
}

// start compiles what is installed, one app after the other, then keeps a worker of
// the first waiting.
func (s *state) start(c *supervise.Ctx) {
	var apps []App
	if s.dev.o.Installed != nil {
		apps = s.dev.o.Installed()
	}
	for _, a := range slices.Backward(apps) {
		s.touch(a)
	}
	if len(apps) == 0 {
		return
	}
	dev, self := s.dev, c.Self()
	c.Go(func(ctx context.Context) any {
		for _, a := range apps {
			if ctx.Err() != nil {
				continue
			}
			info, err := dev.compile(ctx, a)
			if err == nil {
				_ = self.Tell(compiled{a.SHA256, info})
			} else if ctx.Err() == nil {
				dev.o.Log.Warn("app does not load", "app", a.Name, "err", err)
			}
		}
		return refill{}
	})
}

// compile loads the app in a worker, which fills the cache, and ends it.
func (d *Device) compile(ctx context.Context, a App) (worker.Info, error) {
	r := newRelay(nil)
	p, err := d.o.Start(d.spec(a, 0, nil), r)
	if err != nil {
		return worker.Info{}, err
	}
	defer p.Kill()
	select {
	case <-r.up:
		return r.state()
	case <-ctx.Done():
		return worker.Info{}, ctx.Err()
	}
}

func (s *state) acquire(c *supervise.Ctx, app App) {
	if s.dev.lent.Load() >= int64(s.dev.o.Slots) {
		c.Reply(ErrBusy)
		return
	}
	s.dev.lent.Add(1)
	s.touch(app)
	slot := &Slot{dev: s.dev, app: app, warm: s.waiting[app.SHA256]}
	delete(s.waiting, app.SHA256)
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

// refill brings the waiting workers in line with what is likely wanted: one step at a
// time, so that starting them never takes more than one core.
func (s *state) refill(c *supervise.Ctx) {
	want := s.wanted(time.Now())
	for app, w := range s.waiting {
		if !w.relay.alive() || !slices.ContainsFunc(want, func(a App) bool { return a.SHA256 == app }) {
			w.drop()
			delete(s.waiting, app)
		}
	}
	if s.starting {
		return
	}
	for _, app := range want {
		if s.waiting[app.SHA256] == nil {
			s.starting = true
			dev := s.dev
			c.Go(func(ctx context.Context) any { return dev.standby(ctx, app) })
			return
		}
	}
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

// Discard implements supervise.Discarder.
func (m cameUp) Discard() {
	if m.by != nil {
		m.by.drop()
	}
}

// standby starts a worker and waits until it is ready.
func (d *Device) standby(ctx context.Context, app App) cameUp {
	snap, err := worker.NewSnapshotFile()
	if err != nil {
		return cameUp{app: app, err: err}
	}
	r, seed := newRelay(nil), rand.Uint64()
	p, err := d.o.Start(d.spec(app, seed, snap), r)
	if err != nil {
		_ = snap.Close()
		return cameUp{app: app, err: err}
	}
	w := &standby{app: app, proc: p, relay: r, seed: seed, snap: snap}
	select {
	case <-r.up:
		_, err = r.state()
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		w.drop()
		return cameUp{app: app, err: err}
	}
	return cameUp{app: app, by: w}
}

func (s *state) cameUp(c *supervise.Ctx, m cameUp) {
	s.starting = false
	if m.by == nil {
		s.failed[m.app.SHA256] = time.Now()
		s.dev.o.Log.Warn("no worker could be kept waiting", "app", m.app.Name, "err", m.err)
		c.After(failedFor, refill{})
		s.refillSoon(c) // perhaps for another app
		return
	}
	delete(s.failed, m.app.SHA256)
	s.waiting[m.app.SHA256] = m.by
	if info, err := m.by.relay.state(); err == nil {
		s.compiled(compiled{m.app.SHA256, info})
	}
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
