package replay

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/framemesh/framemesh/actors/checker/audit"
	"github.com/framemesh/framemesh/gpu/segment"
	"github.com/framemesh/framemesh/ledger/proof"
)

// ErrNoModule: the proof can only be judged by playing its second again, and the app for that
// was not given.
var ErrNoModule = errors.New("replay: the proof needs its app to be rerun; fetch the module and try again")

// Verify is audit.VerifyFile in another process, which is killed when ctx ends. file is a whole
// proof file; code is the module that its second ran, or nothing where it could not be had.
// Errors are audit.ErrNoProof and audit.ErrOther for a file that proves nothing, segment.ErrArch
// and segment.ErrReplay for what this machine cannot replay, ErrNoModule, and ErrProcess.
func (p Process) Verify(ctx context.Context, file, code []byte) (audit.Verdict, error) {
	a, err := p.run(ctx, request{Proof: true, Answer: len(file), Module: len(code)}, file, code)
	if err != nil {
		return audit.Verdict{}, err
	}
	if a.Failure == "" {
		return a.Verdict, nil
	}
	for name, known := range failures {
		if a.Kind == name {
			return a.Verdict, fmt.Errorf("%w: %s", known, a.Failure)
		}
	}
	return a.Verdict, fmt.Errorf("replay: %s", a.Failure)
}

// failures are the errors that another process can tell by name.
var failures = map[string]error{
	"proof": audit.ErrNoProof, "other": audit.ErrOther, "arch": segment.ErrArch, "replay": segment.ErrReplay, "module": ErrNoModule,
}

// verify is what the process does with a proof file.
func verify(q request, file, code []byte) (a result) {
	f, err := proof.ParseFile(file)
	if err != nil {
		return result{Failure: err.Error(), Kind: "proof"}
	}
	a.Verdict, err = audit.VerifyFile(context.Background(), f, func([32]byte) ([]byte, error) {
		if len(code) == 0 {
			return nil, ErrNoModule
		}
		return bytes.Clone(code), nil
	}, segment.Auditor{CacheDir: q.Cache, MaxMemory: maxMemory})
	if err == nil {
		return a
	}
	a.Failure = err.Error()
	for name, known := range failures {
		if errors.Is(err, known) {
			a.Kind = name
		}
	}
	return a
}
