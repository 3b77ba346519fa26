package worker

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// ending is the child's last message: why it goes, as it sees it.
type ending struct {
	Code string `json:"code"` // a key of endings
	Text string `json:"text"`
}

// endings maps the codes of an ending to the errors the sink gets.
var endings = map[string]error{
	"stopped": ErrStopped, "app": ErrApp, "memory": ErrMemory, "refused": ErrRefused,
	"encoder": ErrEncoder, "wire": ErrWire,
}

// exit is how a process ended, in the terms of its system.
type exit struct {
	code     int    // exit code, -1 when a signal ended it
	signal   string // name of that signal, empty otherwise
	signo    int
	waitFail error // the process could not be waited for
}

// reason turns all that is known about a worker's end into one error: what the
// parent decided comes first, then the child's own words, then how the process
// died and what the Go runtime wrote about it.
func reason(why error, end *ending, x exit, said string) error {
	if why != nil {
		return why
	}
	if end != nil {
		if err, ok := endings[end.Code]; ok {
			if end.Text == "" {
				return err
			}
			return fmt.Errorf("%w: %s", err, end.Text)
		}
		return fmt.Errorf("%w: %s", ErrCrashed, end.Text)
	}
	if strings.Contains(said, "out of memory") || strings.Contains(said, "cannot allocate memory") {
		return fmt.Errorf("%w: %s", ErrMemory, firstLine(said, "out of memory", "cannot allocate memory"))
	}
	switch {
	case x.waitFail != nil:
		return fmt.Errorf("%w: %w", ErrCrashed, x.waitFail)
	case x.signo == 9:
		return fmt.Errorf("%w by signal 9 (SIGKILL): by hand, or by the system when memory ran out", ErrKilled)
	case x.signal != "":
		return fmt.Errorf("%w: killed by signal %d (%s)", ErrCrashed, x.signo, x.signal)
	case strings.Contains(said, "SIGSEGV") || strings.Contains(said, "segmentation violation"):
		return fmt.Errorf("%w: killed by signal 11 (segmentation violation)", ErrCrashed)
	case x.code == 0:
		return fmt.Errorf("%w: exited with code 0 and without a word", ErrCrashed)
	default:
		return fmt.Errorf("%w: exited with code %d%s", ErrCrashed, x.code, lastWords(said))
	}
}

func firstLine(said string, marks ...string) string {
	for line := range strings.Lines(said) {
		for _, m := range marks {
			if strings.Contains(line, m) {
				return strings.TrimSpace(line)
			}
		}
	}
	return ""
}

// lastWords is the line that says most about a crash: the panic or fatal error of
// the Go runtime, else the last line.
func lastWords(said string) string {
	if l := firstLine(said, "panic:", "fatal error:"); l != "" {
		return ": " + l
	}
	lines := strings.Split(strings.TrimSpace(said), "\n")
	if l := strings.TrimSpace(lines[len(lines)-1]); l != "" {
		return ": " + l
	}
	return ""
}

const (
	maxWords = 16 << 10 // of a child's stderr that is kept
	maxLine  = 1 << 10
)

// words keeps what matters of a child's stderr: from the first line of a crash on,
// or, without one, the newest lines. The encoder writes warnings straight to
// stderr, many a second on hard pictures; they tell nobody anything.
type words struct {
	b     strings.Builder
	crash bool
}

// add takes a line and tells whether it is worth a log line.
func (w *words) add(line string) bool {
	if strings.HasPrefix(line, "[OpenH264]") {
		return false
	}
	if !w.crash && isCrash(line) {
		w.b.Reset()
		w.crash = true
	}
	if w.b.Len()+len(line) >= maxWords {
		if w.crash {
			return true // its beginning says why
		}
		w.b.Reset()
	}
	w.b.WriteString(line)
	w.b.WriteByte('\n')
	return true
}

// isCrash recognises how the Go runtime begins its last words. What a game writes
// cannot look so: the log puts a time before it.
func isCrash(line string) bool {
	for _, p := range []string{"panic:", "fatal error:", "SIG", "runtime:", "unexpected fault", "fatal:"} {
		if strings.HasPrefix(line, p) {
			return true
		}
	}
	return false
}

// listen reads the child's stderr to its end: lines go to the log at debug level,
// what tells of a crash is returned.
func (p *Process) listen(stderr *os.File) string {
	defer stderr.Close()
	var kept words
	r := bufio.NewReaderSize(stderr, maxLine)
	for {
		line, _, err := r.ReadLine()
		if len(line) > 0 && kept.add(string(line)) {
			p.log.Debug("worker says", "pid", p.pid, "line", string(line))
		}
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrClosed) {
				p.log.Debug("worker's stderr", "pid", p.pid, "err", err)
			}
			return kept.b.String()
		}
	}
}
