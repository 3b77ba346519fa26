//go:build linux && cgo && (amd64 || arm64)

// Package imports lets the graphics library live in a binary that also links C.
//
// That library calls C without a C compiler: it asks Go's linker to import dlopen and
// its like as goffi_dlopen and so on. Where the system's linker has the last word, as
// in every binary with C++ encoders, Go's linker cannot, and the build fails. A symbol
// that exists is not imported, though: this package defines them, each a jump to the
// function that the C compiler found. Binaries without cgo do without it.
package imports

import "github.com/framemesh/framemesh/gpu/kernel/webgpu/internal/libdl"

// Where the jumps lead to.
var (
	//lint:ignore U1000 read by assembly
	dlopen uintptr
	//lint:ignore U1000 read by assembly
	dlsym uintptr
	//lint:ignore U1000 read by assembly
	dlerror uintptr
	//lint:ignore U1000 read by assembly
	errnoLocation uintptr
)

func init() { dlopen, dlsym, dlerror, errnoLocation = libdl.Addresses() }
