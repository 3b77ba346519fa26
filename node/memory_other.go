//go:build !linux

package node

// freeMemory is not known here; 1 GiB keeps one worker waiting.
func freeMemory() uint64 { return 1 << 30 }
