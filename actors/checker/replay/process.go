package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/framemesh/framemesh/actors/checker/audit"
	"github.com/framemesh/framemesh/gpu/segment"
	"github.com/framemesh/framemesh/ledger/proof"
)

// Process starts one process for each audit. Its method may be called from any goroutine.
type Process struct {
	// Argv is the program with its arguments; nil = this binary's `worker audit`.
	Argv []string
	// CacheDir holds compiled code, private to this user; "" compiles each time anew.
	CacheDir string
}

// slack is how long after a deadline the system itself ends a process whose node is gone.
const slack = 5 * time.Second

// Audit is audit.Audit in another process, which is killed when ctx ends. It returns
// ErrProcess when the process did not come to an end, and segment.ErrArch for a module with
// floats that another architecture ran.
func (p Process) Audit(ctx context.Context, t audit.Terms, answer *proof.Opened, code []byte) (audit.Finding, *proof.File, error) {
	a, err := p.run(ctx, request{Terms: t, Answer: len(answer.Raw), Module: len(code)}, answer.Raw, code)
	switch {
	case err != nil:
		return audit.Finding{}, nil, err
	case a.Arch:
		return audit.Finding{}, nil, fmt.Errorf("%w: %s", segment.ErrArch, a.Failure)
	case a.Failure != "":
		return audit.Finding{}, nil, fmt.Errorf("replay: %s", a.Failure)
	}
	return a.Finding, a.file, nil
}

// run starts a process for one request and reads what it found.
func (p Process) run(ctx context.Context, q request, raw, code []byte) (*result, error) {
	argv := p.Argv
	if argv == nil {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("replay: %w", err)
		}
		argv = []string{self, "worker", "audit"}
	}
	q.Cache = p.CacheDir
	if until, ok := ctx.Deadline(); ok {
		q.Seconds = uint64((max(time.Until(until), 0) + slack) / time.Second)
	}
	head, err := json.Marshal(q)
	if err != nil {
		return nil, fmt.Errorf("replay: %w", err)
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = []string{"GOMAXPROCS=2"}
	cmd.Stdin = io.MultiReader(bytes.NewReader(append(head, '\n')), bytes.NewReader(raw), bytes.NewReader(code))
	cmd.WaitDelay = slack // a machine that stalls may be late to read what the process left
	var out, said limited
	out.left, said.left = maxResult+1, 4<<10
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%w: %w: %.200s", ErrProcess, errors.Join(err, ctx.Err()), said.Bytes())
	}
	return readResult(&out)
}

// limited is a buffer that drops what is beyond its size.
type limited struct {
	bytes.Buffer
	left int
}

func (l *limited) Write(b []byte) (int, error) {
	n := min(len(b), l.left)
	l.left -= n
	l.Buffer.Write(b[:n])
	return len(b), nil
}

// Main is what `framemesh worker audit` does: one audit, from r to w.
func Main(r io.Reader, w io.Writer) error {
	q, raw, code, err := readRequest(r)
	if err != nil {
		return err
	}
	withdraw(q.Seconds)
	return json.NewEncoder(w).Encode(run(q, raw, code))
}

func run(q request, raw, code []byte) (a result) {
	if q.Proof {
		return verify(q, raw, code)
	}
	answer, err := proof.Open(q.Terms.Chain, raw)
	if err != nil {
		return result{Failure: err.Error()}
	}
	f, file, err := audit.Audit(context.Background(), q.Terms, answer, code, segment.Auditor{CacheDir: q.Cache, MaxMemory: maxMemory})
	if err != nil {
		return result{Failure: err.Error(), Arch: errors.Is(err, segment.ErrArch)}
	}
	a.Finding = f
	if file != nil {
		if a.File, err = proof.EncodeFile(file); err != nil {
			return result{Failure: err.Error()}
		}
	}
	return a
}
