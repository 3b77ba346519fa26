//go:build !unix

package store

import "unsafe"

// newPages is n bytes that are zero and begin at a multiple of eight.
func newPages(n int) []byte {
	words := make([]uint64, (n+7)/8)
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), n)
}

func freePages([]byte) {}
