package session

import (
	"sync/atomic"
	"time"

	"github.com/framemesh/framemesh/actors/gpu"
	"github.com/framemesh/framemesh/gpu/cell"
	"github.com/framemesh/framemesh/gpu/segment"
	"github.com/framemesh/framemesh/gpu/worker"
	"github.com/framemesh/framemesh/stream"
	"github.com/framemesh/framemesh/stream/control"
)

// bridge carries frames and input between the worker and the WebRTC session without
// a queue, a lock or the actor. What concerns the session's life goes to the actor.
type bridge struct {
	tell      func(msg any) // the actor's inlet
	out       Stream        // set before any worker starts
	save      Save          // nil keeps nothing
	work      Work          // nil proves nothing
	proc      atomic.Pointer[gpu.Process]
	bitrate   atomic.Int64 // asked for last, bit/s
	lastInput atomic.Int64 // unix ns
	epoch     time.Time    // zero of the pictures' clock
	owner     [32]byte     // the owner's token, the key of challenge cells

	joined     atomic.Bool  // a page that can see has come
	firstFrame atomic.Int64 // unix ns of the first picture after that, 0 before
}

var _ stream.Handler = (*bridge)(nil)

// with calls f with the worker, if there is one.
func (b *bridge) with(f func(gpu.Process)) {
	if p := b.proc.Load(); p != nil {
		f(*p)
	}
}

// takeProc takes the worker out of the bridge.
func (b *bridge) takeProc() gpu.Process {
	if b == nil {
		return nil
	}
	if p := b.proc.Swap(nil); p != nil {
		return *p
	}
	return nil
}

// Input implements stream.Handler.
func (b *bridge) Input(_ string, seat int, state []byte) {
	b.lastInput.Store(time.Now().UnixNano())
	b.with(func(p gpu.Process) { p.Input(seat, state) })
}

// NeedKeyframe implements stream.Handler.
func (b *bridge) NeedKeyframe() { b.with(gpu.Process.ForceKeyframe) }

// Bitrate implements stream.Handler.
func (b *bridge) Bitrate(bps int) {
	b.bitrate.Store(int64(bps))
	b.with(func(p gpu.Process) { p.SetBitrate(bps) })
}

// ShiftTick implements stream.Handler.
func (b *bridge) ShiftTick(d time.Duration) { b.with(func(p gpu.Process) { p.ShiftTick(d) }) }

// Joined implements stream.Handler.
func (b *bridge) Joined(peer string, role stream.Role) {
	b.joined.Store(true)
	b.tell(peerJoined{peer, role})
}

// Left implements stream.Handler.
func (b *bridge) Left(peer string, role stream.Role, why string) { b.tell(peerLeft{peer, role, why}) }

// Pause implements stream.Handler.
func (b *bridge) Pause(paused bool, peer string) { b.tell(pauseWish{paused, peer}) }

// Payment implements stream.Handler. The actor checks it: signatures take long against a
// frame, and frames do not pass there.
func (b *bridge) Payment(_ string, m control.Message) { b.tell(payment{m}) }

// Signed implements stream.Handler. Whoever keeps the session's proof checks it.
func (b *bridge) Signed(m stream.Signed) {
	if b.work != nil {
		b.work.Signed(m)
	}
}

// Cell implements stream.Handler.
func (b *bridge) Cell(_ string, nonce [8]byte) {
	code := cell.Code(b.owner[:], nonce)
	b.with(func(p gpu.Process) { p.Cell(code) })
}

// Chat implements stream.Handler. The WebRTC session has passed the text on.
func (b *bridge) Chat(string, string) {}

// feed is the sink of one worker process. A successor gets a new one, so that words
// of the dead are told from those of the living.
type feed struct {
	b    *bridge
	life int // counts the session's workers from 1

	// Owned by the worker's reader goroutine.
	begun bool
	base  time.Duration // of this worker's clock on the session's
}

var (
	_ worker.Sink        = (*feed)(nil)
	_ worker.SaveSink    = (*feed)(nil)
	_ worker.SegmentSink = (*feed)(nil)
)

// Ready implements worker.Sink.
func (f *feed) Ready(i worker.Info) { f.b.tell(workerReady{f.life, i}) }

// on puts a worker's time on the session's clock, which goes on over restarts.
func (f *feed) on(pts time.Duration) time.Duration {
	if !f.begun {
		f.begun, f.base = true, time.Since(f.b.epoch)-pts
	}
	return f.base + pts
}

// Video implements worker.Sink.
func (f *feed) Video(u worker.AccessUnit) {
	f.b.out.Applied(u.Tick, u.Acked)
	// An error means that the session is closed; its end is on the way.
	_ = f.b.out.WriteVideo(u.Data, u.Key, f.on(u.PTS))
	if f.b.joined.Load() && f.b.firstFrame.Load() == 0 {
		f.b.firstFrame.Store(time.Now().UnixNano())
	}
}

// Audio implements worker.Sink.
func (f *feed) Audio(p worker.AudioPacket) {
	_ = f.b.out.WriteAudio(p.Data, f.on(p.PTS), p.Duration)
}

// Stats implements worker.Sink.
func (f *feed) Stats(s worker.Stats) {
	f.b.out.SetWorkerStats(stream.WorkerStats{FPS: s.FPS, DrawMS: ms(s.Draw), ConvertMS: ms(s.Convert), EncodeMS: ms(s.Encode)})
	f.b.tell(workerStats{f.life, s})
}

// Saved implements worker.SaveSink.
func (f *feed) Saved(data []byte) {
	if f.b.save != nil {
		f.b.save.Store(data)
	}
}

// Segment implements worker.SegmentSink.
func (f *feed) Segment(s segment.Second) {
	if f.b.work != nil {
		f.b.work.Second(s)
	}
}

// State implements worker.SegmentSink.
func (f *feed) State(_ uint32, read func() ([]byte, error)) {
	if f.b.work != nil {
		f.b.work.State(read)
	}
}

// Exited implements worker.Sink.
func (f *feed) Exited(err error) { f.b.tell(workerGone{f.life, err}) }

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
