package gpu

import (
	"sync"
	"sync/atomic"

	"github.com/framemesh/framemesh/gpu/segment"
	"github.com/framemesh/framemesh/gpu/worker"
)

// relay is the sink of a worker that may be started before the session that it will
// belong to. It keeps what happens before that (ready, exited) and hands it on when
// the session attaches.
type relay struct {
	up   chan struct{} // closed when the worker is ready or has exited
	once sync.Once

	target atomic.Pointer[worker.Sink] // nil until attached; the frame path reads only this

	mu     sync.Mutex
	info   *worker.Info
	exited error // nil while it lives
	onUp   func(worker.Info)
}

var (
	_ worker.Sink        = (*relay)(nil)
	_ worker.SaveSink    = (*relay)(nil)
	_ worker.SegmentSink = (*relay)(nil)
)

func newRelay(onUp func(worker.Info)) *relay { return &relay{up: make(chan struct{}), onUp: onUp} }

// attach sets the target and tells it what it missed. It returns false, and attaches
// nothing, when the worker is gone already.
func (r *relay) attach(to worker.Sink) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.exited != nil {
		return false
	}
	if r.info != nil {
		to.Ready(*r.info)
	}
	r.target.Store(&to)
	return true
}

// state is what the worker said when it was ready, or why it is gone.
func (r *relay) state() (worker.Info, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.info == nil || r.exited != nil {
		return worker.Info{}, r.exited
	}
	return *r.info, nil
}

func (r *relay) alive() bool { _, err := r.state(); return err == nil }

// Ready implements worker.Sink.
func (r *relay) Ready(i worker.Info) {
	r.mu.Lock()
	r.info = &i
	if t := r.target.Load(); t != nil {
		(*t).Ready(i)
	}
	r.mu.Unlock()
	if r.onUp != nil {
		r.onUp(i)
	}
	r.once.Do(func() { close(r.up) })
}

// Video implements worker.Sink.
func (r *relay) Video(u worker.AccessUnit) {
	if t := r.target.Load(); t != nil {
		(*t).Video(u)
	}
}

// Audio implements worker.Sink.
func (r *relay) Audio(p worker.AudioPacket) {
	if t := r.target.Load(); t != nil {
		(*t).Audio(p)
	}
}

// Stats implements worker.Sink.
func (r *relay) Stats(s worker.Stats) {
	if t := r.target.Load(); t != nil {
		(*t).Stats(s)
	}
}

// Saved implements worker.SaveSink.
func (r *relay) Saved(data []byte) {
	if t := r.target.Load(); t != nil {
		if s, ok := (*t).(worker.SaveSink); ok {
			s.Saved(data)
		}
	}
}

// Segment implements worker.SegmentSink. A worker makes none before it runs, which is
// after a session has attached.
func (r *relay) Segment(s segment.Second) {
	if t := r.target.Load(); t != nil {
		if to, ok := (*t).(worker.SegmentSink); ok {
			to.Segment(s)
		}
	}
}

// State implements worker.SegmentSink.
func (r *relay) State(number uint32, read func() ([]byte, error)) {
	if t := r.target.Load(); t != nil {
		if to, ok := (*t).(worker.SegmentSink); ok {
			to.State(number, read)
		}
	}
}

// Exited implements worker.Sink.
func (r *relay) Exited(err error) {
	r.mu.Lock()
	r.exited = err
	if err == nil {
		r.exited = worker.ErrStopped
	}
	if t := r.target.Load(); t != nil {
		(*t).Exited(err)
	}
	r.mu.Unlock()
	r.once.Do(func() { close(r.up) })
}
