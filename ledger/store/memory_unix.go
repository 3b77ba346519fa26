//go:build unix

package store

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// newPages is n bytes that are zero, begin at a multiple of eight and are not the collector's:
// beside what is its, it lets as much garbage pile up again.
func newPages(n int) []byte {
	p, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		words := make([]uint64, (n+7)/8)
		return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), n)
	}
	return p
}

// freePages gives them back. Nobody may look at them any more.
func freePages(p []byte) {
	_ = unix.Munmap(p[:cap(p)]) // it refuses what is not its own: that is the collector's
}
