// Package replay audits sessions in a process of its own. The module that an audit replays
// is a stranger's: it may loop for ever or eat memory, and only a process can be killed in
// the middle of it. The process gets the container's answer and the module, no key, no
// connection and no environment; it runs behind everything else that the machine does.
package replay

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/framemesh/framemesh/actors/checker/audit"
	"github.com/framemesh/framemesh/ledger/proof"
)

// Errors of a Process.
var (
	// ErrProcess: the process did not say what it found: it was killed, or crashed. Nothing
	// is found out about anybody.
	ErrProcess = errors.New("replay: the audit did not end; it is tried again in another epoch")
	// ErrRequest: what came to the process is no request.
	ErrRequest = errors.New("replay: no request; an audit is started by a node, not by hand")
)

// Bounds in bytes.
const (
	maxHead   = 4 << 10
	maxModule = 64 << 20
	maxResult = 2*proof.MaxFile + 64<<10 // as JSON holds it
	maxMemory = 512 << 20                // that a window may ask for the app
)

// request goes to the process as one line of JSON, followed by the answer and the module.
type request struct {
	Terms   audit.Terms
	Cache   string // folder for compiled code
	Proof   bool   // it is a proof file instead of an answer; Terms are not looked at
	Answer  int    // bytes of either
	Module  int
	Seconds uint64 // of processor time after which the system ends the process; 0 = no limit
}

// result comes back as JSON.
type result struct {
	Finding audit.Finding
	File    []byte        // an encoded proof.File, or nothing
	Failure string        // nothing was found out
	Arch    bool          // because it needs a machine of another architecture
	Verdict audit.Verdict // on a proof file
	Kind    string        // which of the errors a Failure is
	file    *proof.File   // File, parsed
}

func readRequest(r io.Reader) (q request, answer, module []byte, err error) {
	head := make([]byte, 0, 1024)
	for one := make([]byte, 1); ; {
		if _, err := io.ReadFull(r, one); err != nil {
			return q, nil, nil, fmt.Errorf("%w: %w", ErrRequest, err)
		}
		if one[0] == '\n' {
			break
		}
		if head = append(head, one[0]); len(head) > maxHead {
			return q, nil, nil, fmt.Errorf("%w: its head is too long", ErrRequest)
		}
	}
	if err := json.Unmarshal(head, &q); err != nil {
		return q, nil, nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	most, least := proof.MaxAudit+4<<10, 1
	if q.Proof {
		most, least = proof.MaxFile, 0
	}
	if q.Answer < 1 || q.Answer > most || q.Module < least || q.Module > maxModule {
		return q, nil, nil, fmt.Errorf("%w: an answer of %d bytes and a module of %d", ErrRequest, q.Answer, q.Module)
	}
	// What is announced is made room for only as it comes.
	body, err := io.ReadAll(io.LimitReader(r, int64(q.Answer+q.Module)))
	if err != nil || len(body) != q.Answer+q.Module {
		return q, nil, nil, fmt.Errorf("%w: it ends after %d bytes: %w", ErrRequest, len(body), errors.Join(err, io.ErrUnexpectedEOF))
	}
	return q, body[:q.Answer], body[q.Answer:], nil
}

func readResult(r io.Reader) (*result, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxResult+1))
	if err != nil || len(b) > maxResult {
		return nil, fmt.Errorf("%w: it said %d bytes: %w", ErrProcess, len(b), errors.Join(err, io.ErrShortBuffer))
	}
	var a result
	if err := json.Unmarshal(b, &a); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProcess, err)
	}
	if a.Failure != "" || len(a.File) == 0 {
		return &a, nil
	}
	if a.file, err = proof.ParseFile(a.File); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProcess, err)
	}
	return &a, nil
}
