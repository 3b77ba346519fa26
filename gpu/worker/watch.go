package worker

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"

	"github.com/framemesh/framemesh/gpu/cell"
	"github.com/framemesh/framemesh/gpu/decode"
)

// A watching process decodes what a stranger's machine shows. It is shut in like a game's:
// a decoder is C code that reads what strangers write.
const (
	msgSeen byte = 'l' // child to parent, one for each access unit, and one when it is ready
	seenLen      = 1 + 8 + 1 + 4 + 2 + 2

	lookSteps  = 8  // watchdog steps that a picture may take: 2 s
	beginSteps = 60 // and the start, of a process that may have to be read from a slow disk
)

var (
	toWatcher   = map[byte]int{msgVideo: maxVideo}
	fromWatcher = map[byte]int{msgSeen: seenLen}
)

// Seen is what a picture shows.
type Seen struct {
	Picture       bool   // there is one; all else is zero without
	Hash          uint64 // perceptual, see cell.Hash
	Strip         bool   // there may be a strip of challenge cells
	Code          uint32 // that it spells
	Width, Height int    // px
}

// Watcher decodes one stream in a process of its own. It belongs to one goroutine, but for
// Close.
type Watcher struct {
	cmd  *exec.Cmd
	in   *os.File
	out  *os.File
	r    *reader
	buf  []byte
	once sync.Once
	dead error
}

// Watch starts the process: command, or this binary with "worker watch" when it is empty. It
// wraps ErrSpawn when the process does not start or has no decoder.
func Watch(command ...string) (*Watcher, error) {
	if len(command) == 0 {
		command = []string{selfPath(), "worker", "watch"}
	}
	stdin, in, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSpawn, err)
	}
	out, stdout, err := os.Pipe()
	if err != nil {
		_, _ = stdin.Close(), in.Close()
		return nil, fmt.Errorf("%w: %w", ErrSpawn, err)
	}
	widenPipe(in)
	w := &Watcher{cmd: exec.Command(command[0], command[1:]...), in: in, out: out, r: newReader(out, fromWatcher)}
	w.cmd.Stdin, w.cmd.Stdout, w.cmd.Dir, w.cmd.Env, w.cmd.SysProcAttr = stdin, stdout, "/", []string{}, childAttr()
	err = spawn(w.cmd)
	_, _ = stdin.Close(), stdout.Close()
	if err != nil {
		_, _ = in.Close(), out.Close()
		return nil, fmt.Errorf("%w: %w", ErrSpawn, err)
	}
	if _, err := w.answer(beginSteps); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: the process that reads pictures: %w", ErrSpawn, err), w.Close())
	}
	return w, nil
}

// Look decodes an access unit. What does not decode is no picture and no error; an error
// means that the process is gone, as a hostile stream may cause.
func (w *Watcher) Look(au []byte) (Seen, error) {
	if w.dead != nil {
		return Seen{}, w.dead
	}
	if len(au) > maxVideo {
		return Seen{}, nil
	}
	w.buf = appendFrame(w.buf, msgVideo, au)
	stop := after(lookSteps, func() { killGroup(w.cmd) })
	_, err := w.in.Write(w.buf)
	stop()
	if err != nil {
		w.dead = fmt.Errorf("%w: %w", ErrCrashed, err)
		return Seen{}, w.dead
	}
	return w.answer(lookSteps)
}

func (w *Watcher) answer(steps int) (Seen, error) {
	defer after(steps, func() { killGroup(w.cmd) })()
	_, b, err := w.r.next()
	if err == nil && len(b) != seenLen {
		err = fmt.Errorf("%w: %d bytes", ErrWire, len(b))
	}
	if err != nil {
		w.dead = fmt.Errorf("%w: %w", ErrCrashed, err)
		return Seen{}, w.dead
	}
	if b[0] == 0 {
		return Seen{}, nil
	}
	return Seen{Picture: true, Hash: binary.LittleEndian.Uint64(b[1:]), Strip: b[9] != 0, Code: binary.LittleEndian.Uint32(b[10:]),
		Width: int(binary.LittleEndian.Uint16(b[14:])), Height: int(binary.LittleEndian.Uint16(b[16:]))}, nil
}

// Close ends the process and waits for it.
func (w *Watcher) Close() error {
	w.once.Do(func() {
		_ = w.in.Close()
		killGroup(w.cmd)
		_ = w.cmd.Wait() // it was killed
		_ = w.out.Close()
	})
	return nil
}

// ServeWatch is the whole life of a process that Watch started.
func ServeWatch(in io.Reader, out io.Writer) error {
	restrictEarly()
	d, err := decode.Open()
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	limitMemory(64 << 20)
	restrictLate()
	w, r := bufio.NewWriter(out), newReader(in, toWatcher)
	var frame []byte
	say := func(s Seen) error {
		var b [seenLen]byte
		b[0], b[9] = bit(s.Picture), bit(s.Strip)
		binary.LittleEndian.PutUint64(b[1:], s.Hash)
		binary.LittleEndian.PutUint32(b[10:], s.Code)
		binary.LittleEndian.PutUint16(b[14:], uint16(s.Width))
		binary.LittleEndian.PutUint16(b[16:], uint16(s.Height))
		frame = appendFrame(frame, msgSeen, b[:])
		_, err := w.Write(frame)
		return errors.Join(err, w.Flush())
	}
	if err := say(Seen{}); err != nil {
		return err
	}
	for {
		_, au, err := r.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		var s Seen
		// A stream that is broken is mended by its next key frame; until then nothing is seen.
		if l, ok, err := d.Decode(au); err == nil && ok {
			s = Seen{Picture: true, Hash: cell.Hash(l), Width: l.Width, Height: l.Height}
			s.Code, s.Strip = cell.Read(l)
		}
		if err := say(s); err != nil {
			return err
		}
	}
}
