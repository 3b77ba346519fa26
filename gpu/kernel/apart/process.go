package apart

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/framemesh/framemesh/gpu/kernel"
)

// ErrEnded marks a renderer that is no more: its driver crashed, or it was closed.
var ErrEnded = errors.New("apart: the renderer ended; start another, or try `framemesh bench` to see why")

// startLimit is how long a renderer may take to load its driver and check itself.
const startLimit = 60 * time.Second

// Process is a renderer in a process of its own. Its methods are for one goroutine at a
// time.
type Process struct {
	what    hello
	command *exec.Cmd
	in      io.WriteCloser
	number  uint32
	most    atomic.Int64 // bytes of the longest answer that may still come
	replies chan reply
	done    chan struct{} // closed when the process is gone
	err     error         // why; set before done is closed
	closed  sync.Once
}

var (
	_ kernel.Backend = (*Process)(nil)
	_ kernel.Leafer  = (*Process)(nil)
)

// Start starts a renderer of this kind: this binary's `worker prove`, or argv before
// those arguments. It returns when the renderer has passed kernel.Check, or an error if
// it has not within a minute or ctx ends. Close ends it.
func Start(ctx context.Context, kind string, workers int, argv ...string) (*Process, error) {
	if len(argv) == 0 {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("apart: %w", err)
		}
		argv = []string{self, "worker", "prove"}
	}
	cmd := exec.Command(argv[0], append(argv[1:len(argv):len(argv)], kind, strconv.Itoa(workers))...)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("apart: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("apart: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("apart: start a renderer: %w", err)
	}
	p := &Process{command: cmd, in: in, replies: make(chan reply, 1), done: make(chan struct{})}
	greeted := make(chan hello, 1)
	go p.read(bufio.NewReaderSize(out, 64<<10), greeted)
	timer := time.NewTimer(startLimit)
	defer timer.Stop()
	select {
	case p.what = <-greeted:
		return p, nil
	case <-p.done:
		return nil, errors.Join(p.err, p.Close())
	case <-ctx.Done():
		return nil, errors.Join(fmt.Errorf("apart: start a renderer: %w", ctx.Err()), p.Close())
	case <-timer.C:
		return nil, errors.Join(fmt.Errorf("%w (it said nothing for %v)", ErrEnded, startLimit), p.Close())
	}
}

// read passes on what the renderer says, until it ends.
func (p *Process) read(r io.Reader, greeted chan<- hello) {
	defer close(p.done)
	what, err := readHello(r)
	if err == nil {
		greeted <- what
	}
	for err == nil {
		var a reply
		if a, err = readReply(r, p.most.Load); err == nil {
			p.replies <- a
		}
	}
	_ = p.command.Process.Kill() // it may be gone already
	if wait := p.command.Wait(); wait != nil {
		err = fmt.Errorf("%w, %w", err, wait)
	}
	p.err = fmt.Errorf("%w (%w)", ErrEnded, err)
}

// Name returns the backend's name.
func (p *Process) Name() string { return p.what.name }

// Device returns the backend's device.
func (p *Process) Device() string { return p.what.device }

// Done is closed when the renderer is gone, wanted or not.
func (p *Process) Done() <-chan struct{} { return p.done }

// Close ends the renderer at once and waits for it.
func (p *Process) Close() error {
	p.closed.Do(func() {
		_ = p.in.Close()
		_ = p.command.Process.Kill()
	})
	for {
		select {
		case <-p.replies: // of a frame that nobody waits for
		case <-p.done:
			return nil
		}
	}
}

// Render fills out. When ctx ends it returns at once; the renderer finishes the frame
// for nobody.
func (p *Process) Render(ctx context.Context, size kernel.Size, seed kernel.Seed, out []uint32) error {
	if err := size.Validate(); err != nil {
		return err
	}
	if len(out) != size.Words() {
		return fmt.Errorf("%w: %d words for %s", kernel.ErrBuffer, len(out), size)
	}
	b, err := p.ask(ctx, wantWords, size, seed)
	if err != nil {
		return err
	}
	for i := range out {
		out[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	return nil
}

// Leaves fills leaves, of which there are size.Tiles(), with those of the frame.
func (p *Process) Leaves(ctx context.Context, size kernel.Size, seed kernel.Seed, leaves [][32]byte) error {
	if err := size.Validate(); err != nil {
		return err
	}
	if len(leaves) != int(size.Tiles()) {
		return fmt.Errorf("%w: %d leaves for %s", kernel.ErrBuffer, len(leaves), size)
	}
	b, err := p.ask(ctx, wantLeaves, size, seed)
	if err != nil {
		return err
	}
	for i := range leaves {
		leaves[i] = [32]byte(b[32*i:])
	}
	return nil
}

func (p *Process) ask(ctx context.Context, want byte, size kernel.Size, seed kernel.Seed) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p.number++
	q := request{p.number, want, size, seed}
	p.most.Store(max(p.most.Load(), int64(bytesOf(want, size))))
	if _, err := p.in.Write(q.bytes()); err != nil {
		for { // it ends when its pipe does, and when what it said before is taken
			select {
			case <-p.replies:
			case <-p.done:
				return nil, p.err
			}
		}
	}
	for {
		select {
		case a := <-p.replies:
			if a.number != q.number { // of a frame given up
				continue
			}
			if a.status == failed {
				return nil, fmt.Errorf("apart: on %s: %s", p.what.device, a.data)
			}
			if len(a.data) != bytesOf(want, size) {
				return nil, fmt.Errorf("%w: %d bytes for %s", errProtocol, len(a.data), size)
			}
			return a.data, nil
		case <-p.done:
			return nil, p.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
