//go:build !unix

package store

func newSegment() []byte { return make([]byte, segmentBytes) }

func freeSegment([]byte) {}
