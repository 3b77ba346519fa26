// Package module reads, judges and instruments WebAssembly binaries.
//
// It exists because a session's whole state has to be capturable: a WebAssembly
// host can read linear memory, but not a global that is not exported, a table
// that changed, or a segment that was dropped. Parse reads a module's structure,
// Scan walks every instruction and refuses those whose effects cannot be
// captured, and Instrument exports what a host must be able to read.
//
// The package never runs or compiles a module, never validates types (the
// engine does), and answers junk with an error: sizes are checked before
// anything is allocated.
package module

import "errors"

// MaxSize is the largest module that is read, in bytes.
const MaxSize = 64 << 20

// Errors that Parse, Scan and Instrument wrap.
var (
	// ErrNotWASM says that the bytes are no WebAssembly module at all.
	ErrNotWASM = errors.New("module: not a WebAssembly module")
	// ErrTooLarge says that the module is larger than MaxSize.
	ErrTooLarge = errors.New("module: too large")
	// ErrMalformed says that the module's structure is broken.
	ErrMalformed = errors.New("module: malformed")
	// ErrUnsupported says that the module is well formed and uses something
	// that is not allowed here: threads, mutable tables, relaxed SIMD and so on.
	ErrUnsupported = errors.New("module: unsupported feature")
)
