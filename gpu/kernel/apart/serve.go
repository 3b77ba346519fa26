package apart

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/framemesh/framemesh/gpu/kernel"
	"github.com/framemesh/framemesh/gpu/kernel/webgpu"
)

// The kinds of backend that a renderer can be asked for.
const (
	Best = "best"   // the graphics card, or where there is none but of software the processor
	Go   = "go"     // the processor
	GPU  = "webgpu" // the graphics card, also one of software
)

// ErrKind marks a kind of backend that there is not.
var ErrKind = errors.New("apart: no such backend; take best, go or webgpu")

// Open opens a backend of this kind in this process; workers are the processor's, less
// than one for all cores, of the lowest priority.
func Open(kind string, workers int) (kernel.Backend, error) {
	switch kind {
	case Go:
		return kernel.CPU(workers, kernel.Idle()), nil
	case GPU:
		return webgpu.Open(nil)
	case Best:
		b, err := webgpu.Open(nil)
		if err == nil && !webgpu.Software(b) {
			return b, nil
		}
		if err == nil {
			_ = b.Close() // only a look
		}
		return kernel.CPU(workers, kernel.Idle()), nil
	}
	return nil, fmt.Errorf("%w: %q", ErrKind, kind)
}

// Main is what `framemesh worker prove` does: its arguments are the kind of backend and
// the number of workers, as Start gives them.
func Main(args []string, r io.Reader, w io.Writer) error {
	if len(args) != 2 {
		return errors.New("apart: a renderer is started by a node, not by hand; try `framemesh bench`")
	}
	workers, err := strconv.Atoi(args[1])
	if err != nil {
		return fmt.Errorf("apart: number of workers: %w", err)
	}
	b, err := Open(args[0], workers)
	if err != nil {
		return err
	}
	return errors.Join(Serve(r, w, b), b.Close())
}

// Serve is the life of a renderer: it checks b, says what it is and answers requests
// until r ends. An error of b is an answer, not an end.
func Serve(r io.Reader, out io.Writer, b kernel.Backend) error {
	if err := kernel.Check(b); err != nil {
		return err
	}
	w := bufio.NewWriterSize(out, 64<<10)
	for _, s := range []string{kernel.Name, b.Name(), b.Device()} {
		if err := writeText(w, s); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	var raw [requestBytes]byte
	var words []uint32
	for {
		if _, err := io.ReadFull(r, raw[:]); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		q := parseRequest(&raw)
		err := q.size.Validate()
		if err == nil {
			if n := q.size.Words(); cap(words) < n {
				words = make([]uint32, n)
			}
			words = words[:q.size.Words()]
			err = b.Render(context.Background(), q.size, q.seed, words)
		}
		if err := answer(w, q, words, err); err != nil {
			return err
		}
	}
}

func answer(w *bufio.Writer, q request, words []uint32, failure error) error {
	head := func(status byte, n int) error {
		b := binary.LittleEndian.AppendUint32(nil, q.number)
		_, err := w.Write(binary.LittleEndian.AppendUint32(append(b, status), uint32(n)))
		return err
	}
	if failure != nil {
		text := failure.Error()
		text = text[:min(len(text), maxText)]
		if err := head(failed, len(text)); err != nil {
			return err
		}
		if _, err := w.WriteString(text); err != nil {
			return err
		}
		return w.Flush()
	}
	if err := head(fine, bytesOf(q.want, q.size)); err != nil {
		return err
	}
	if q.want == wantLeaves {
		for t := range q.size.Tiles() {
			leaf := kernel.Leaf(t, (*[kernel.TileWords]uint32)(words[int(t)*kernel.TileWords:]))
			if _, err := w.Write(leaf[:]); err != nil {
				return err
			}
		}
		return w.Flush()
	}
	var b [4]byte
	for _, v := range words {
		binary.LittleEndian.PutUint32(b[:], v)
		if _, err := w.Write(b[:]); err != nil {
			return err
		}
	}
	return w.Flush()
}
