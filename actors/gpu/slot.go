package gpu

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/framemesh/framemesh/gpu/worker"
)

// Slot is the right to run one session. One goroutine at a time may use it.
type Slot struct {
	dev  *Device
	app  App
	warm *standby // a worker that waited for this, until Open takes it
	seed uint64
	snap *worker.SnapshotFile
	once sync.Once
}

// standby is a worker that waits.
type standby struct {
	app   App
	proc  Process
	relay *relay
	seed  uint64
	snap  *worker.SnapshotFile
}

// drop ends a standby that nobody wants.
func (s *standby) drop() {
	s.proc.Kill()
	_ = s.snap.Close()
}

// End kills a worker and returns when it is gone, within milliseconds: until then it may be
// writing to the cache. The worker's sink must not call it.
func End(p Process) {
	p.Kill()
	now, cancel := context.WithCancel(context.Background())
	cancel()
	_ = p.Stop(now) // without time to end by itself, which says nothing more
}

// Open gives the session a worker that loads the app, or has loaded it, and waits for
// Run. The first call takes the worker that waited, if there is one, and says so with
// warm; later calls start a successor that goes on from the last snapshot. The
// predecessor must be gone or killed.
//
// save is what the app saved in earlier sessions, at most 64 KiB. A worker that waited
// has loaded the app without it, and is dropped when there is one: to load the app
// again takes as long as a new worker, whose start runs beside the connection's.
func (s *Slot) Open(sink worker.Sink, save []byte) (p Process, warm bool, err error) {
	if w := s.warm; w != nil {
		s.warm = nil
		if len(save) == 0 && w.relay.attach(sink) {
			s.snap, s.seed = w.snap, w.seed
			return w.proc, true, nil
		}
		w.drop()
	}
	if s.snap == nil {
		if s.snap, err = worker.NewSnapshotFile(); err != nil {
			return nil, false, fmt.Errorf("gpu: snapshot file: %w", err)
		}
		s.seed = rand.Uint64()
	}
	r := newRelay(func(i worker.Info) { _ = s.dev.ref.Tell(compiled{s.app.SHA256, i}) })
	r.attach(sink)
	spec := s.dev.spec(s.app, s.seed, s.snap)
	spec.Save = save
	p, err = s.dev.o.Start(spec, r)
	return p, false, err
}

// Warm says whether a loaded worker waits for Open.
func (s *Slot) Warm() bool { return s.warm != nil }

// Release gives the slot back. The session's worker must be gone or killed.
func (s *Slot) Release() {
	s.once.Do(func() {
		if s.warm != nil {
			s.warm.drop()
		}
		if s.snap != nil {
			_ = s.snap.Close()
		}
		s.dev.lent.Add(-1)
		_ = s.dev.ref.Tell(released{}) // only a hint that there is room again
	})
}

// spec is what every worker of this device runs with. A snapshot is only of use to a
// worker with the same seed.
func (d *Device) spec(app App, seed uint64, snap *worker.SnapshotFile) worker.Spec {
	return worker.Spec{
		Module: app.Module, SHA256: app.SHA256, CacheDir: d.o.CacheDir, Seed: seed,
		Bitrate: d.o.Bitrate, MemoryLimit: d.o.MemoryLimit, Encoder: d.o.Encoder, Snapshot: snap,
		Command: d.o.Command, Log: d.o.Log,
	}
}
