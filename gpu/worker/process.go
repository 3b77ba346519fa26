package worker

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"github.com/framemesh/framemesh/gpu/segment"
)

// Process is the parent's handle of a running worker. Its methods may be called
// from any goroutine and never block, but for Stop; after the worker has ended they
// do nothing.
type Process struct {
	sink    Sink
	log     *slog.Logger
	cmd     *exec.Cmd
	control *os.File // write end of the child's stdin
	pid     int
	snap    *SnapshotFile // nil without
	started time.Time
	spawned time.Duration // until the child's first message; the reader goroutine's

	beats atomic.Uint64 // messages that prove the tick loop alive
	busy  atomic.Bool   // the sink is at work: no messages are read meanwhile
	ready atomic.Bool
	done  chan struct{} // closed after Exited returned

	mu    sync.Mutex
	why   error // first reason the parent had to end it
	ended bool  // the process was reaped: its pid may be somebody else's
}

// Start spawns a worker, which loads the module, opens the encoder, reports to the
// sink and waits for Run. Its error wraps ErrSpawn; everything that goes wrong
// later comes through sink.Exited.
func Start(spec Spec, sink Sink) (*Process, error) {
	c, err := spec.config()
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(c)
	if err != nil || len(body) > maxConfig {
		return nil, fmt.Errorf("%w: configuration of %d bytes: %w", ErrSpawn, len(body), err)
	}
	argv := spec.Command
	if len(argv) == 0 {
		argv = []string{selfPath(), "worker"}
	}
	p := &Process{sink: sink, log: spec.Log, snap: spec.Snapshot, done: make(chan struct{}), started: time.Now()}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}

	var files []*os.File // the child's ends, closed here once it runs
	closeAll := func(fs ...*os.File) {
		for _, f := range fs {
			f.Close()
		}
	}
	pipe := func() (r, w *os.File) {
		if err == nil {
			r, w, err = os.Pipe()
		}
		return r, w
	}
	stdin, control := pipe()
	frames, stdout := pipe()
	stderrOut, stderr := pipe()
	if err != nil {
		closeAll(stdin, control, frames, stdout, stderrOut, stderr)
		return nil, fmt.Errorf("%w: %w (raise the limit of open files: ulimit -n)", ErrSpawn, err)
	}
	files = append(files, stdin, stdout, stderr)
	widenPipe(control)
	widenPipe(frames)

	p.cmd = exec.Command(argv[0], argv[1:]...)
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = stdin, stdout, stderr
	p.cmd.Dir, p.cmd.Env = "/", []string{}
	if spec.Snapshot != nil {
		p.cmd.ExtraFiles = []*os.File{spec.Snapshot.f}
	}
	p.cmd.SysProcAttr = childAttr()
	p.control = control
	err = spawn(p.cmd)
	closeAll(files...)
	if err != nil {
		closeAll(control, frames, stderrOut)
		return nil, fmt.Errorf("%w: %w", ErrSpawn, err)
	}
	p.pid = p.cmd.Process.Pid
	if _, err := control.Write(appendFrame(nil, msgConfig, body)); err != nil {
		p.end(fmt.Errorf("%w: the child took no configuration: %w", ErrCrashed, err))
	}
	go p.read(frames, stderrOut)
	go p.watch()
	return p, nil
}

// PID is the child's process id.
func (p *Process) PID() int { return p.pid }

// Done is closed after the sink's Exited has returned.
func (p *Process) Done() <-chan struct{} { return p.done }

// Run starts the ticks of a worker that waits, at once or as soon as it is ready.
func (p *Process) Run() { p.send(appendFrame(nil, msgRun, nil)) }

// Input hands a seat's newest state (the 72 bytes of the input data channel) to the
// next tick. States of another kind or length, and of seats there are not, are
// ignored: they come from a player's page.
func (p *Process) Input(seat int, state []byte) {
	if seat < 0 || seat >= Seats || len(state) != stateLen || state[0] != stateKind {
		return
	}
	var b [headerLen + 1 + stateLen]byte
	f := append(beginFrame(b[:0], msgInput), byte(seat))
	p.send(endFrame(append(f, state...)))
}

// Seat tells the app that a player sat down or left. Either releases all the seat
// holds, and its next input starts a new row of sequence numbers.
func (p *Process) Seat(seat int, connected bool) {
	if seat < 0 || seat >= Seats {
		return
	}
	p.send(appendFrame(nil, msgSeat, []byte{byte(seat), bit(connected)}))
}

// SetBitrate asks the encoder for a rate, bit/s, from the next picture on.
func (p *Process) SetBitrate(bps int) {
	bps = min(max(bps, 0), 1<<30)
	p.send(appendFrame(nil, msgBitrate, binary.LittleEndian.AppendUint32(nil, uint32(bps))))
}

// Cell draws a strip of challenge cells with this code into the next coded pictures.
func (p *Process) Cell(code uint32) {
	p.send(appendFrame(nil, msgCell, binary.LittleEndian.AppendUint32(nil, code)))
}

// ForceKeyframe makes the next picture an IDR picture.
func (p *Process) ForceKeyframe() { p.send(appendFrame(nil, msgKey, nil)) }

// ShiftTick moves all coming ticks by d, later if positive, spread over a few ticks
// so that no picture comes twice or late. Larger shifts than one period are reduced
// by whole periods, since only the phase matters.
func (p *Process) ShiftTick(d time.Duration) {
	p.send(appendFrame(nil, msgShift, binary.LittleEndian.AppendUint64(nil, uint64(d))))
}

// Pause stops or resumes the ticks. What players hold is released by a pause.
func (p *Process) Pause(on bool) { p.send(appendFrame(nil, msgPause, []byte{bit(on)})) }

// Stop asks the worker to end, takes a last snapshot with it, and waits. When ctx
// ends first the worker is killed; Stop returns when it is gone. The sink must not
// call it: it would wait for itself.
func (p *Process) Stop(ctx context.Context) error {
	p.send(appendFrame(nil, msgStop, nil))
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		p.end(fmt.Errorf("%w: it did not end when asked to", ErrKilled))
		<-p.done
		return ctx.Err()
	}
}

// Kill ends the worker now, without a snapshot.
func (p *Process) Kill() { p.end(ErrKilled) }

// end remembers the first reason to end the worker and kills it.
func (p *Process) end(why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.why == nil {
		p.why = why
	}
	if !p.ended {
		killGroup(p.cmd)
	}
}

// send writes one small frame without ever waiting. A full pipe means a child that
// has not read for seconds; the watchdog deals with it, and the newest input will
// come again.
func (p *Process) send(frame []byte) { writeNow(p.control, frame) }

// read runs in its own goroutine from start to end: all calls of the sink come
// from here.
func (p *Process) read(frames, stderr *os.File) {
	defer close(p.done)
	tail := make(chan string, 1)
	go func() { tail <- p.listen(stderr) }()

	end, err := p.dispatch(newReader(frames, toParent))
	if err != nil {
		p.end(err)
	}
	frames.Close()
	// It closed its pipe, so it is going. One that does not is helped along.
	stop := after(goneSteps, func() { p.end(fmt.Errorf("%w: closed its pipe and stayed", ErrCrashed)) })
	said := <-tail
	waitErr := p.cmd.Wait()
	stop()
	p.mu.Lock()
	p.ended = true
	why := p.why
	p.mu.Unlock()
	p.control.Close()
	p.sink.Exited(reason(why, end, exitOf(p.cmd, waitErr), said))
}

// dispatch hands messages to the sink until the pipe ends.
func (p *Process) dispatch(r *reader) (*ending, error) {
	for {
		typ, body, err := r.next()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, os.ErrClosed) {
			return nil, nil // in the middle of a frame too: a killed child stops anywhere
		}
		if err != nil {
			return nil, err
		}
		p.beats.Add(1)
		p.busy.Store(true)
		switch typ {
		case msgHello:
			p.spawned = time.Since(p.started)
		case msgReady:
			var info Info
			if err := json.Unmarshal(body, &info); err != nil {
				return nil, fmt.Errorf("%w: ready: %w", ErrWire, err)
			}
			info.PID, info.Start.Spawn = p.pid, p.spawned
			p.ready.Store(true)
			p.sink.Ready(info)
		case msgVideo:
			u, err := parseVideo(body)
			if err != nil {
				return nil, err
			}
			p.sink.Video(u)
		case msgAudio:
			a, err := parseAudio(body)
			if err != nil {
				return nil, err
			}
			p.sink.Audio(a)
		case msgStats:
			var s Stats
			if err := json.Unmarshal(body, &s); err != nil {
				return nil, fmt.Errorf("%w: stats: %w", ErrWire, err)
			}
			p.sink.Stats(s)
		case msgSave:
			if s, ok := p.sink.(SaveSink); ok {
				s.Saved(bytes.Clone(body))
			}
		case msgSegment:
			second, err := segment.ParseSecond(body)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", ErrWire, err)
			}
			if s, ok := p.sink.(SegmentSink); ok {
				s.Segment(second)
			}
		case msgState:
			if len(body) != 4 {
				return nil, fmt.Errorf("%w: a state's number of %d bytes", ErrWire, len(body))
			}
			if s, ok := p.sink.(SegmentSink); ok && p.snap != nil {
				snap, number := p.snap, binary.LittleEndian.Uint32(body)
				s.State(number, func() ([]byte, error) { return snap.auditState(number) })
			}
		case msgEnd:
			var e ending
			if err := json.Unmarshal(body, &e); err != nil {
				return nil, fmt.Errorf("%w: end: %w", ErrWire, err)
			}
			return &e, nil
		}
		p.busy.Store(false)
	}
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}
