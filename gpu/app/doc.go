// Package app runs games. A game is a WebAssembly module that draws a picture
// per tick; Open looks at a module, picks the interface it was written for and
// returns a Runtime.
//
// Two interfaces are known: framemesh app ABI v1 (docs/spec/app-abi.md) and
// WASM-4 (docs/spec/wasm4.md). Both are deterministic: the same module, seed and
// inputs give the same pictures, sound and state on any machine, and a snapshot
// taken here goes on in another process. A game has no authority: no files, no
// network, no clock, no arguments.
//
// The package never starts a goroutine and never reads the time.
package app

import (
	"errors"

	"github.com/framemesh/framemesh/gpu/app/module"
	"github.com/framemesh/framemesh/gpu/app/wasm"
)

// Errors that Open, Check and a Runtime wrap. A game's own fault is one of
// ErrTrap, ErrExit, ErrMemory, ErrTooLong and ErrABI.
var (
	// ErrNotWASM: the bytes are no WebAssembly module.
	ErrNotWASM = module.ErrNotWASM
	// ErrTooLarge: the module is larger than module.MaxSize.
	ErrTooLarge = module.ErrTooLarge
	// ErrMalformed: the module's structure is broken.
	ErrMalformed = module.ErrMalformed
	// ErrUnsupported: the module needs threads, mutable tables or the like.
	ErrUnsupported = module.ErrUnsupported
	// ErrImport: the module asks for a function that no game is given.
	ErrImport = wasm.ErrImport
	// ErrABI: the module breaks the rules of its interface.
	ErrABI = errors.New("app: breaks the interface")
	// ErrMemory: the module wants more memory than the limit.
	ErrMemory = wasm.ErrMemory
	// ErrTrap: the module stopped with a trap.
	ErrTrap = wasm.ErrTrap
	// ErrExit: the module ended itself; errors.As finds an *ExitError.
	ErrExit = wasm.ErrExit
	// ErrTooLong: the context ended a call (Options.Deadline only).
	ErrTooLong = wasm.ErrTooLong
	// ErrStopped: the module has failed before; Restore brings it back.
	ErrStopped = wasm.ErrStopped
	// ErrSnapshot: the bytes are no snapshot of this module.
	ErrSnapshot = wasm.ErrState
	// ErrOptions: Open was given options out of range.
	ErrOptions = errors.New("app: bad options")
)

// ExitError is a game's own end, with its code and last words.
type ExitError = wasm.ExitError
