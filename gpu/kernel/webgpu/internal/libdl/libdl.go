//go:build linux && cgo && (amd64 || arm64)

// Package libdl knows where the C library's functions for loading libraries are.
package libdl

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <errno.h>

static int *errno_place(void) { return &errno; }
static void *open_at(void) { return (void *)dlopen; }
static void *symbol_at(void) { return (void *)dlsym; }
static void *error_at(void) { return (void *)dlerror; }
static void *errno_at(void) { return (void *)errno_place; }
*/
import "C"

// Addresses returns those of dlopen, dlsym, dlerror, and of a function that returns
// where errno is.
func Addresses() (open, symbol, trouble, errno uintptr) {
	return uintptr(C.open_at()), uintptr(C.symbol_at()), uintptr(C.error_at()), uintptr(C.errno_at())
}
