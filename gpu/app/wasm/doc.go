// Package wasm runs one WebAssembly module as a deterministic machine whose
// whole state can be captured and put back.
//
// A Machine owns a compiled module, the one instance of it and the state of its
// host: the clock, the random numbers, the save. The clock is virtual (it
// follows ticks, not time), random numbers come from a seed, and there are no
// files, arguments or environment, so that two machines given the same calls
// hold the same bytes. The package knows no game interface; package app does.
package wasm

import (
	"errors"
	"fmt"
)

// Errors that a Machine wraps.
var (
	// ErrImport says that the module asks for something it is not given.
	ErrImport = errors.New("wasm: import not allowed")
	// ErrTrap says that the module stopped with a trap (a bad access, a division
	// by zero, unreachable code, a stack that is too deep).
	ErrTrap = errors.New("wasm: trapped")
	// ErrExit says that the module ended itself; the error is an *ExitError.
	ErrExit = errors.New("wasm: ended itself")
	// ErrMemory says that the module wants more memory than it is given.
	ErrMemory = errors.New("wasm: out of memory")
	// ErrTooLong says that a call was cut off by its context.
	ErrTooLong = errors.New("wasm: took too long")
	// ErrState says that bytes handed to Restore are no state of this module.
	ErrState = errors.New("wasm: not a state of this module")
	// ErrStopped says that the instance has trapped, ended or been closed; only
	// Restore brings it back.
	ErrStopped = errors.New("wasm: stopped")
)

// ExitError is a module's own end, through proc_exit.
type ExitError struct {
	Code   uint32 // as the module gave it; 0 means that all was well
	Output string // the last line it wrote to standard error, if any
}

// Error says the code and the last words.
func (e *ExitError) Error() string {
	if e.Output == "" {
		return fmt.Sprintf("%v with code %d", ErrExit, e.Code)
	}
	return fmt.Sprintf("%v with code %d: %s", ErrExit, e.Code, e.Output)
}

// Is makes errors.Is(err, ErrExit) true.
func (e *ExitError) Is(target error) bool { return target == ErrExit }
