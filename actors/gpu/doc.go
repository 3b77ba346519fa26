// Package gpu is the actor that lends out one device: it admits as many sessions as
// the device was measured to carry and refuses the rest, keeps a worker process
// waiting for the app that is most likely wanted next, and compiles the installed
// apps ahead of time.
//
// It never sees a frame: a session talks to its worker process directly.
package gpu

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/gpu/worker"
)

// Errors of a device.
var (
	ErrBusy    = errors.New("gpu: every slot of this device is in use; try again when a session has ended")
	ErrOptions = errors.New("gpu: options")
)

// Process is a worker process; *worker.Process is the real one.
type Process interface {
	PID() int
	Run()
	Input(seat int, state []byte)
	Seat(seat int, connected bool)
	SetBitrate(bps int)
	ForceKeyframe()
	Cell(code uint32)
	ShiftTick(d time.Duration)
	Pause(on bool)
	Stop(ctx context.Context) error
	Kill()
}

var _ Process = (*worker.Process)(nil)

// StartFunc spawns a worker; StartWorker is the real one.
type StartFunc func(worker.Spec, worker.Sink) (Process, error)

// StartWorker is worker.Start.
func StartWorker(spec worker.Spec, sink worker.Sink) (Process, error) {
	p, err := worker.Start(spec, sink)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// App is what a worker runs.
type App struct {
	SHA256 [32]byte // of the module
	Name   string   // short, for logs
	Module string   // path of the module file
}

// Options of a Device. System, Slots and Start are needed.
type Options struct {
	System *supervise.System
	Name   string // of the actor; "gpu-0" when empty
	Slots  int    // sessions at once, as measured; at least 1
	// Standby is how many workers wait for the apps used last. They cost memory and
	// no time.
	Standby     int
	Start       StartFunc
	CacheDir    string // of compiled apps
	MemoryLimit uint32 // of one app, bytes; 0 = the runtime's default
	Encoder     string // "" = the best that opens
	Bitrate     int    // to begin with, bit/s; 0 = the worker's default
	Command     []string
	// FreeMemory tells the bytes that are free on the machine; without it memory is
	// not looked at. Below MinFree no worker is kept waiting.
	FreeMemory func() uint64
	// Installed lists the apps to compile at start, the likeliest first; may be nil.
	Installed func() []App
	// Changed is called, from an actor, when Ready answers differently than before.
	// It must not block.
	Changed func()
	Log     *slog.Logger
}

// MinFree is the free memory below which no worker is kept waiting: room for two
// sessions with a large app each.
const MinFree = 512 << 20

// Device lends out slots. Its methods may be called from any goroutine.
type Device struct {
	o   Options
	ref supervise.Ref
	set warmSet
	// lent counts the slots in use. Only the actor raises it; it is kept here because
	// slots outlive a restart of the actor.
	lent atomic.Int64
}

// New starts the device's actor, which begins to compile the installed apps.
func New(o Options) (*Device, error) {
	switch {
	case o.System == nil || o.Start == nil:
		return nil, errors.Join(ErrOptions, errors.New("gpu: System and Start are needed"))
	case o.Slots < 1 || o.Standby < 0:
		return nil, errors.Join(ErrOptions, errors.New("gpu: Slots must be at least 1 and Standby not negative"))
	}
	if o.Name == "" {
		o.Name = "gpu-0"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	d := &Device{o: o}
	ref, err := o.System.Spawn(o.Name, func() supervise.Behavior { return newState(d) }, supervise.Class("gpu"))
	d.ref = ref
	return d, err
}

// Slots is how many sessions the device carries at once.
func (d *Device) Slots() int { return d.o.Slots }

// Ready says whether the app is compiled, so that a session of it starts fast.
func (d *Device) Ready(app [32]byte) bool { _, ok := d.set.get(app); return ok }

// Info is what a worker said of the app when it was loaded last; ok is false when it
// has not been loaded yet.
func (d *Device) Info(app [32]byte) (info worker.Info, ok bool) { return d.set.get(app) }

// Waiting says whether a worker has loaded the app and waits for a session.
func (d *Device) Waiting(app [32]byte) bool {
	ok, err := supervise.Ask[bool](context.Background(), d.ref, loaded{app})
	return ok && err == nil
}

// Acquire lends a slot for one session of the app. It returns ErrBusy when all are
// in use; errors.Is(err, ErrBusy) also holds when the device is asked more than it
// can answer. The slot must be given back with Release.
//
// fresh leaves a worker that waits for this app to the next session: it has asked for
// its player's save already, so it is of no use to a player who has one.
func (d *Device) Acquire(app App, fresh bool) (*Slot, error) {
	// The device answers without waiting for anything, so that there is nothing to
	// cut short; an answer that nobody waits for would lose the slot.
	slot, err := supervise.Ask[*Slot](context.Background(), d.ref, acquire{app, fresh})
	if errors.Is(err, supervise.ErrBusy) {
		return nil, errors.Join(ErrBusy, err)
	}
	return slot, err
}
