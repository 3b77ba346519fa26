package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"

	"github.com/framemesh/framemesh/gpu/app"
	"github.com/framemesh/framemesh/gpu/device"
	"github.com/framemesh/framemesh/gpu/encode"
)

// Main is the child's whole life: it reads what to run on stdin, writes frames to
// stdout and returns the exit code of the process. cmd/framemesh calls it when the
// first argument is "worker", before anything else. With "bench" after it the
// process runs the device benchmark instead of a session, with "watch" it decodes the
// pictures of another one.
func Main() int {
	if len(os.Args) > 2 && os.Args[2] == "bench" {
		if device.Serve(os.Stdout) != nil {
			return 1
		}
		return 0
	}
	if len(os.Args) > 2 && os.Args[2] == "watch" {
		if err := ServeWatch(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "worker watch:", err)
			return 1
		}
		return 0
	}
	// The tick loop, the reader of the pipe and a collector now and then: a third
	// processor would only be another place to be woken up on.
	runtime.GOMAXPROCS(2)
	return child(os.Stdin, os.Stdout, app.Open)
}

// openFunc starts an app in this process; app.Open but for tests.
type openFunc func(ctx context.Context, module []byte, o app.Options) (app.Runtime, error)

// child serves one parent on two pipes.
func child(in io.Reader, out *os.File, open openFunc) int {
	// The guest's words and our own go to stderr, which the parent logs.
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	w := &writer{f: out}
	hardening := restrictEarly()
	if err := w.write(appendFrame(nil, msgHello, nil)); err != nil {
		return 1
	}
	err := serve(in, w, open, log, hardening)
	if err == nil {
		err = ErrStopped
	}
	if w.send(msgEnd, endingOf(err)) != nil {
		return 1
	}
	return 0
}

// serve loads the app and plays it until it is told to stop.
func serve(in io.Reader, w *writer, open openFunc, log *slog.Logger, hardening []string) error {
	r := newReader(in, toChild)
	typ, body, err := r.next()
	if err != nil {
		return fmt.Errorf("%w: no configuration: %w", ErrWire, err)
	}
	if typ != msgConfig {
		return fmt.Errorf("%w: %q before the configuration", ErrWire, typ)
	}
	conf, sum, err := parseConfig(body)
	if err != nil {
		return err
	}
	c := newControl()
	gone := make(chan error, 1)
	go func() {
		err := c.readAll(r)
		gone <- err
		c.stop()
	}()
	limitMemory(conf.MemoryLimit)
	s, info, err := load(conf, sum, open, log)
	if err != nil {
		return err
	}
	defer s.close()
	s.meter.rss = openRSS()
	info.Hardening = append(hardening, restrictLate()...)
	if err := w.send(msgReady, info); err != nil {
		return err
	}
	s.control, s.out = c, w
	err = s.play()
	select {
	case broken := <-gone:
		if err == nil && broken != nil {
			return broken
		}
	default:
	}
	return err
}

// writer is the child's end of the pipe to the parent. Only the loading code and
// then the tick loop use it, one after the other.
type writer struct {
	f     *os.File
	total uint64 // bytes written
}

func (w *writer) write(frame []byte) error {
	n, err := w.f.Write(frame)
	w.total += uint64(n)
	if err != nil {
		return fmt.Errorf("%w: write: %w", ErrWire, err)
	}
	return nil
}

// send writes a message that is JSON.
func (w *writer) send(typ byte, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrWire, err)
	}
	return w.write(appendFrame(nil, typ, b))
}

// endingOf is the last message for the end of a worker. Long texts are cut: they
// come from a stranger's game.
func endingOf(err error) ending {
	e := ending{Code: "crashed", Text: err.Error()}
	for code, is := range endings {
		if errors.Is(err, is) {
			e.Code = code
			e.Text = trimPrefix(e.Text, is.Error())
		}
	}
	if len(e.Text) > 1000 {
		e.Text = e.Text[:1000] + "…"
	}
	return e
}

// trimPrefix takes the words that the parent's error begins with off the text.
func trimPrefix(text, prefix string) string {
	if len(text) >= len(prefix) && text[:len(prefix)] == prefix {
		text = text[len(prefix):]
		for len(text) > 0 && (text[0] == ':' || text[0] == ' ') {
			text = text[1:]
		}
	}
	return text
}

// sessionErr sorts an app's error into one of this package's, with the tick where
// it happened.
func sessionErr(err error, tick uint64) error {
	switch {
	case errors.Is(err, app.ErrMemory):
		return fmt.Errorf("%w: at tick %d: %w", ErrMemory, tick, err)
	case errors.Is(err, app.ErrTrap):
		return fmt.Errorf("%w: trapped at tick %d: %w", ErrApp, tick, err)
	default:
		return fmt.Errorf("%w: at tick %d: %w", ErrApp, tick, err)
	}
}

// loadErr sorts an error of loading.
func loadErr(err error) error {
	switch {
	case errors.Is(err, app.ErrMemory):
		return fmt.Errorf("%w: %w", ErrMemory, err)
	case errors.Is(err, app.ErrTrap), errors.Is(err, app.ErrExit), errors.Is(err, app.ErrTooLong):
		return fmt.Errorf("%w: at its start: %w", ErrApp, err)
	case errors.Is(err, encode.ErrNoEncoder):
		return fmt.Errorf("%w: %w", ErrEncoder, err)
	default:
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
}
