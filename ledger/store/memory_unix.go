//go:build unix

package store

import "golang.org/x/sys/unix"

// newSegment is memory that is not the collector's: beside what is its, it lets as much
// garbage pile up again.
func newSegment() []byte {
	s, err := unix.Mmap(-1, 0, segmentBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return make([]byte, segmentBytes)
	}
	return s
}

// freeSegment gives a segment back. Nobody may look at it any more.
func freeSegment(s []byte) {
	_ = unix.Munmap(s[:cap(s)]) // it refuses what is not its own: that is the collector's
}
